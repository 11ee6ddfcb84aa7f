package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/countersign-id/countersign/proofing"
)

// maxConfig bounds a configuration file: more is no configuration.
const maxConfig = 1 << 20

// decoder lays a YAML document over a Config. It walks the document's nodes
// itself, because the library's own decoding stops at a kind of mistake, knows
// no paths, and reads some words as something else (a country NO as false).
type decoder struct {
	*report
	secrets secretReader
}

// decode reads the document. Whatever is wrong with it is in the report; ok says
// whether it could be read at all, so that it makes sense to go on.
func (d *decoder) decode(r io.Reader, c *Config) (ok bool) {
	var read bytes.Buffer // what stood there, for a mistake in its form
	text := &io.LimitedReader{R: r, N: maxConfig + 1}
	source := yaml.NewDecoder(io.TeeReader(text, &read))
	var doc yaml.Node
	err := source.Decode(&doc)
	switch {
	case text.N <= 0:
		d.mistake("", "is larger than %d bytes", maxConfig)
		return false
	case errors.Is(err, io.EOF):
		return true // nothing in it: what is missing will be said
	case err != nil:
		d.syntax(err, read.String())
		return false
	}
	d.value("", doc.Content[0], reflect.ValueOf(c).Elem())
	var more yaml.Node
	if err := source.Decode(&more); err == nil {
		d.at("", &more)
		d.mistake("", "a second document begins here: a configuration is one document")
	} else if !errors.Is(err, io.EOF) {
		d.syntax(err, read.String())
	}
	return true
}

func (d *decoder) at(path string, n *yaml.Node) { d.where[path] = place{Line: n.Line} }

// value sets v from the node. The place of the path is known by then.
func (d *decoder) value(path string, n *yaml.Node, v reflect.Value) {
	if _, ok := d.where[path]; !ok {
		d.at(path, n)
	}
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		d.mistake(path, "anchors and aliases are not used here: write the value out, so that a reader sees what holds")
	case n.Style&yaml.TaggedStyle != 0:
		d.mistake(path, "tags are not used here: remove %s", n.Tag)
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		d.mistake(path, "has no value: give it one, or leave it out")
	case isScalar(v.Type()):
		if n.Kind != yaml.ScalarNode {
			d.mistake(path, "must be a single value, not %s", kindName(n))
			return
		}
		d.scalar(path, n.Value, v)
	case v.Kind() == reflect.Struct:
		d.section(path, n, v)
	case v.Kind() == reflect.Map:
		d.mapping(path, n, v)
	case v.Kind() == reflect.Slice:
		d.list(path, n, v)
	}
}

// section sets the fields of a struct.
func (d *decoder) section(path string, n *yaml.Node, v reflect.Value) {
	fields := settings(v.Type())
	d.pairs(path, n, func(key string, at string, value *yaml.Node) {
		for _, f := range fields {
			if f.name == key {
				d.value(at, value, v.Field(f.index))
				return
			}
		}
		d.unknown(path, at, key, fields)
	})
}

// mapping sets a map whose keys the operator chooses.
func (d *decoder) mapping(path string, n *yaml.Node, v reflect.Value) {
	m := reflect.MakeMap(v.Type())
	d.pairs(path, n, func(key string, at string, value *yaml.Node) {
		element := reflect.New(v.Type().Elem()).Elem()
		d.value(at, value, element)
		m.SetMapIndex(reflect.ValueOf(key), element)
	})
	v.Set(m)
}

// pairs visits each key of a mapping once.
func (d *decoder) pairs(path string, n *yaml.Node, visit func(key, at string, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.mistake(path, "must be a section of keys and values, not %s", kindName(n))
		return
	}
	first := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Anchor != "" || key.Style&yaml.TaggedStyle != 0 {
			d.findings = append(d.findings, finding{place{Line: key.Line}, path, "a key must be a plain word", false})
			continue
		}
		at := join(path, key.Value)
		if line, again := first[key.Value]; again {
			d.findings = append(d.findings, finding{place{Line: key.Line}, at, fmt.Sprintf("is set twice; first on line %d", line), false})
			continue
		}
		first[key.Value] = key.Line
		d.at(at, key)
		visit(key.Value, at, value)
	}
}

func (d *decoder) list(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		d.mistake(path, "must be a list, such as [a, b], not %s", kindName(n))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, element := range n.Content {
		d.value(path+"["+strconv.Itoa(i)+"]", element, v.Index(i))
	}
}

var (
	secretType   = reflect.TypeFor[proofing.Secret]()
	durationType = reflect.TypeFor[time.Duration]()
	moneyType    = reflect.TypeFor[Money]()
)

func isScalar(t reflect.Type) bool {
	return t.Kind() != reflect.Struct && t.Kind() != reflect.Map && t.Kind() != reflect.Slice
}

// scalar sets one value from its text, whether that stood in the file or in the
// environment.
func (d *decoder) scalar(path, text string, v reflect.Value) {
	var err error
	switch t := v.Type(); {
	case t == secretType:
		var s proofing.Secret
		s, err = d.secrets.resolve(path, text)
		v.SetString(s.Reveal())
	case t == durationType:
		var n time.Duration
		n, err = parseDuration(text)
		v.SetInt(int64(n))
	case t == moneyType:
		var n Money
		n, err = parseMoney(text)
		v.SetInt(int64(n))
	case t.Kind() == reflect.String:
		v.SetString(text)
	case t.Kind() == reflect.Bool:
		// YAML's other words for a truth are a trap: "no" is also a country.
		if text != "true" && text != "false" {
			err = errors.New("must be true or false")
		}
		v.SetBool(text == "true")
	default:
		n, fault := strconv.ParseInt(text, 10, t.Bits())
		if fault != nil {
			err = errors.New("must be a whole number")
		}
		v.SetInt(n)
	}
	if err != nil {
		d.mistake(path, "%v", err)
	}
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a section"
	case yaml.SequenceNode:
		return "a list"
	}
	return "a single value"
}

// setting is one field of a section.
type setting struct {
	name  string
	index int
}

// settings lists the fields of a section in the order of the manual.
func settings(t reflect.Type) []setting {
	var fields []setting
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("yaml"); name != "" {
			fields = append(fields, setting{name, i})
		}
	}
	return fields
}

func names(fields []setting) string {
	var b []string
	for _, f := range fields {
		b = append(b, f.name)
	}
	return strings.Join(b, ", ")
}
