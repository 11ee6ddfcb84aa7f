package proofing

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// mostInteger is the greatest whole number that every reader of JSON holds exactly (RFC 7493 2.2).
const mostInteger = 1<<53 - 1

// Canonical is the one JSON text of a value (RFC 8785), so that a digest of it means the value. Of numbers it takes whole ones
// that every reader holds exactly; whoever has others to write down writes them as text. Errors: what cannot be written as
// JSON, text that is not UTF-8, and other numbers.
func Canonical(v any) ([]byte, error) {
	if plain, ok := plainValue(v, 0); ok {
		return appendCanonical(nil, plain), nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("canonical JSON: %w", err)
	}
	return Canonicalize(text)
}

// Canonicalize is Canonical for a value that is JSON already. A name that stands twice in an object is an error: readers
// differ in which of the two they take.
func Canonicalize(text []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if !utf8.Valid(text) {
		return nil, errors.New("canonical JSON: not UTF-8")
	}
	v, err := readValue(d, 0)
	if err == nil {
		if _, err = d.Token(); err == io.EOF {
			return appendCanonical(nil, v), nil
		}
		err = errors.New("something follows the value")
	}
	return nil, fmt.Errorf("canonical JSON: %w", err)
}

// plainValue is a value as readValue would read it, if it is of types that need no detour by way of JSON: most entries of the log are.
func plainValue(v any, depth int) (any, bool) {
	if depth > deepest {
		return nil, false
	}
	switch v := v.(type) {
	case nil, bool:
		return v, true
	case string:
		return v, utf8.ValidString(v)
	case int:
		return int64(v), int64(v) >= -mostInteger && int64(v) <= mostInteger
	case int64:
		return v, v >= -mostInteger && v <= mostInteger
	case time.Time:
		text, err := v.MarshalText()
		return string(text), err == nil
	case map[string]any:
		if v == nil {
			return nil, true
		}
		object := make(map[string]any, len(v))
		for name, member := range v {
			plain, ok := plainValue(member, depth+1)
			if !ok || !utf8.ValidString(name) {
				return nil, false
			}
			object[name] = plain
		}
		return object, true
	}
	return nil, false
}

// deepest is how far values may be nested.
const deepest = 32

func readValue(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	if depth > deepest {
		return nil, errors.New("nested too deeply")
	}
	switch t := t.(type) {
	case json.Number:
		n, err := strconv.ParseInt(t.String(), 10, 64)
		if err != nil || n < -mostInteger || n > mostInteger {
			return nil, fmt.Errorf("%s is not a whole number of at most 53 bits", t)
		}
		return n, nil
	case json.Delim:
		if t == '[' {
			list := []any{}
			for d.More() {
				v, err := readValue(d, depth+1)
				if err != nil {
					return nil, err
				}
				list = append(list, v)
			}
			_, err := d.Token()
			return list, err
		}
		object := map[string]any{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, err
			}
			key := name.(string) // the decoder has seen to it
			if _, twice := object[key]; twice {
				return nil, fmt.Errorf("the name %q stands twice", key)
			}
			if object[key], err = readValue(d, depth+1); err != nil {
				return nil, err
			}
		}
		_, err := d.Token()
		return object, err
	}
	return t, nil
}

func appendCanonical(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case string:
		return appendString(b, v)
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendCanonical(b, e)
		}
		return append(b, ']')
	}
	object := v.(map[string]any)
	b = append(b, '{')
	for i, name := range slices.SortedFunc(maps.Keys(object), byUTF16) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, name), ':')
		b = appendCanonical(b, object[name])
	}
	return append(b, '}')
}

// byUTF16 is the order of names (RFC 8785 3.2.3), which differs from that of UTF-8 beyond the basic plane.
func byUTF16(a, b string) int {
	return slices.CompareFunc(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)), cmp.Compare[uint16])
}

// appendString writes text as ECMAScript does (RFC 8785 3.2.2.2).
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= ' ':
			b = append(b, c)
		default:
			if short := "btn\x00fr"; c >= '\b' && c <= '\r' && c != '\v' {
				b = append(b, '\\', short[c-'\b'])
			} else {
				b = fmt.Appendf(b, `\u%04x`, c)
			}
		}
	}
	return append(b, '"')
}
