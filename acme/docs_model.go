package acme

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// What the page needs of the OpenAPI document, in the document's own order.

type openapi struct {
	Info struct {
		Title, Version, Summary, Description string
	}
	Tags       []struct{ Name, Description string }
	Paths      ordered[pathItem]
	Webhooks   ordered[pathItem]
	Components struct {
		Parameters ordered[parameter]
		Headers    ordered[parameter]
		Responses  ordered[response]
		Schemas    ordered[schema]
		Examples   ordered[example]
	}
}

type pathItem struct {
	Parameters []parameter
	Get, Post  *operation
}

type operation struct {
	Tags                 []string
	OperationID          string `yaml:"operationId"`
	Summary, Description string
	Method, Path         string      `yaml:"-"`
	Security             *[]any      // empty: open to everybody
	Parameters           []parameter // and those of the path
	RequestBody          *struct {
		Content ordered[media]
	} `yaml:"requestBody"`
	Responses ordered[response]
}

type parameter struct {
	Ref         string `yaml:"$ref"`
	Name, In    string
	Required    bool
	Description string
	Schema      *schema
}

type response struct {
	Ref         string `yaml:"$ref"`
	Description string
	Headers     ordered[parameter]
	Content     ordered[media]
}

type media struct {
	Schema   *schema
	Example  yaml.Node
	Examples ordered[example]
}

type example struct {
	Ref     string `yaml:"$ref"`
	Summary string
	Value   yaml.Node
}

type schema struct {
	Ref         string `yaml:"$ref"`
	Title       string
	Type        words
	Format      string
	Description string
	Const       any
	Enum        []string
	Required    []string
	Properties  ordered[schema]
	Items       *schema
	OneOf       []schema `yaml:"oneOf"`
	AnyOf       []schema `yaml:"anyOf"`
}

// ordered is a mapping that keeps its order.
type ordered[T any] []named[T]

type named[T any] struct {
	Name  string
	Value T
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (o *ordered[T]) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: not a mapping", n.Line)
	}
	for i := 0; i < len(n.Content); i += 2 {
		entry := named[T]{Name: n.Content[i].Value}
		if err := n.Content[i+1].Decode(&entry.Value); err != nil {
			return err
		}
		*o = append(*o, entry)
	}
	return nil
}

// at is the value under a name, or the zero value.
func (o ordered[T]) at(name string) (v T) {
	for _, e := range o {
		if e.Name == name {
			return e.Value
		}
	}
	return v
}

// words is one word or a list of them.
type words []string

// UnmarshalYAML implements yaml.Unmarshaler.
func (w *words) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*w = words{n.Value}
		return nil
	}
	return n.Decode((*[]string)(w))
}

// refName is the last part of a reference into the components.
func refName(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }

// inOrder writes a YAML value as indented JSON whose members keep their order.
func inOrder(n yaml.Node) (string, error) {
	var flat, pretty bytes.Buffer
	if err := writeNode(&flat, &n); err != nil {
		return "", err
	}
	err := json.Indent(&pretty, flat.Bytes(), "", "  ")
	return pretty.String(), err
}

func writeNode(b *bytes.Buffer, n *yaml.Node) error {
	switch n.Kind {
	case yaml.AliasNode:
		return writeNode(b, n.Alias)
	case yaml.MappingNode, yaml.SequenceNode:
		brackets, step := "[]", 1
		if n.Kind == yaml.MappingNode {
			brackets, step = "{}", 2
		}
		b.WriteByte(brackets[0])
		for i := 0; i < len(n.Content); i += step {
			if i > 0 {
				b.WriteByte(',')
			}
			if step == 2 {
				name, err := json.Marshal(n.Content[i].Value)
				if err != nil {
					return err
				}
				b.Write(append(name, ':'))
			}
			if err := writeNode(b, n.Content[i+step-1]); err != nil {
				return err
			}
		}
		b.WriteByte(brackets[1])
		return nil
	}
	var v any
	if err := n.Decode(&v); err != nil {
		return err
	}
	text, err := encodeJSON(v)
	b.Write(bytes.TrimSpace(text))
	return err
}
