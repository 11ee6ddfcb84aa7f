package challenges

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// membersOf reads one JSON object, without what is inside its members. encoding/json lets the last of two equal
// names win and matches names without regard to case, so that two programs can read one
// text differently: names that differ in case alone are refused here as equal ones are.
func membersOf(text []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(text) || !json.Valid(text) {
		return nil, errors.New("it is not JSON")
	}
	rest := bytes.TrimLeft(text, space)
	if rest[0] != '{' {
		return nil, errors.New("it is not an object")
	}
	list := make(map[string]json.RawMessage, 16)
	folded := make(map[string]bool, 16)
	for rest = next(rest[1:]); rest[0] != '}'; {
		raw := rest[:valueEnd(rest)]
		name := string(raw[1 : len(raw)-1])
		if bytes.IndexByte(raw, '\\') >= 0 {
			if err := json.Unmarshal(raw, &name); err != nil {
				return nil, err
			}
		}
		key := strings.ToLower(name)
		if strings.ContainsFunc(name, func(r rune) bool { return r > '~' }) { // as encoding/json folds: ſ is s
			key = strings.ToLower(strings.ToUpper(name))
		}
		if folded[key] {
			return nil, errors.New("a name is given twice")
		}
		folded[key] = true
		rest = next(next(rest[len(raw):])[1:]) // over the colon
		end := valueEnd(rest)
		list[name] = rest[:end:end]
		if rest = next(rest[end:]); rest[0] == ',' {
			rest = next(rest[1:])
		}
	}
	return list, nil
}

const space = " \t\r\n"

func next(text []byte) []byte { return bytes.TrimLeft(text, space) }

// valueEnd is where the value ends that valid JSON begins with.
func valueEnd(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			for i++; text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 { // it is that of the object around
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
	return len(text)
}

// text is a member that must be a string; empty if it is not there.
func text(list map[string]json.RawMessage, name string) (s string, err error) {
	raw, ok := list[name]
	if !ok {
		return "", nil
	}
	if raw[0] != '"' {
		return "", errors.New(name + " is not a string")
	}
	return s, json.Unmarshal(raw, &s)
}
