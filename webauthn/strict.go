package webauthn

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Sizes in bytes beyond which nothing is read.
const (
	maxResponse   = 64 << 10
	maxClientData = 8 << 10
	maxMembers    = 64
)

// members reads a JSON object, and nothing after it, into its members by their
// exact names. A name that comes twice, even in other letters, is refused: readers
// differ in which of the two they take.
func members(data []byte, most int) (map[string]json.RawMessage, error) {
	if len(data) > most {
		return nil, fmt.Errorf("%w: %d bytes, more than %d", ErrMalformed, len(data), most)
	}
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("%w: not UTF-8", ErrMalformed)
	}
	if !json.Valid(data) {
		return nil, fmt.Errorf("%w: not JSON", ErrMalformed)
	}
	return split(data)
}

// split finds the members of an object in what is known to be one JSON value. Decoding
// into a map would let the last of two members win, and reading it token by token takes
// as long as verifying the signature.
func split(data []byte) (map[string]json.RawMessage, error) {
	at := space(data, 0)
	if data[at] != '{' {
		return nil, fmt.Errorf("%w: not a JSON object", ErrMalformed)
	}
	found := make(map[string]json.RawMessage, 8)
	for at = space(data, at+1); data[at] != '}'; at = space(data, at) {
		if data[at] == ',' {
			at = space(data, at+1)
		}
		end := skip(data, at)
		name, err := unquote(data[at:end])
		if err != nil {
			return nil, fmt.Errorf("%w: a name of a member", ErrMalformed)
		}
		for other := range found {
			if strings.EqualFold(name, other) {
				return nil, fmt.Errorf("%w: member %s comes twice", ErrMalformed, shown(name))
			}
		}
		if len(found) == maxMembers {
			return nil, fmt.Errorf("%w: more than %d members", ErrMalformed, maxMembers)
		}
		at = space(data, space(data, end)+1) // behind the colon
		end = skip(data, at)
		found[name] = data[at:end]
		at = end
	}
	return found, nil
}

// space is where the white space ends that begins at a place.
func space(data []byte, at int) int {
	for at < len(data) && (data[at] == ' ' || data[at] == '\t' || data[at] == '\n' || data[at] == '\r') {
		at++
	}
	return at
}

// skip is where the value ends that begins at a place.
func skip(data []byte, at int) int {
	depth := 0
	for {
		switch data[at] {
		case '"':
			for at++; data[at] != '"'; at++ {
				if data[at] == '\\' {
					at++
				}
			}
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		default:
			for at+1 < len(data) && !strings.ContainsRune(",:]} \t\n\r", rune(data[at+1])) {
				at++
			}
		}
		at++
		if depth == 0 {
			return at
		}
		for at = space(data, at); data[at] == ',' || data[at] == ':'; {
			at = space(data, at+1)
		}
	}
}

// unquote decodes a JSON string that is known to be one.
func unquote(raw []byte) (s string, err error) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), nil
	}
	err = json.Unmarshal(raw, &s)
	return s, err
}

// text is a member that must be there and be a string.
func text(of map[string]json.RawMessage, name string) (string, error) {
	raw := of[name]
	if len(raw) == 0 || raw[0] != '"' {
		return "", fmt.Errorf("%w: %s is not a string", ErrMalformed, name)
	}
	s, err := unquote(raw)
	if err != nil {
		return "", fmt.Errorf("%w: %s is not a string", ErrMalformed, name)
	}
	return s, nil
}

// octets is a member that must be there and be base64url without padding.
func octets(of map[string]json.RawMessage, name string) ([]byte, error) {
	s, err := text(of, name)
	if err != nil {
		return nil, err
	}
	b, err := base64url(s)
	if err != nil {
		return nil, fmt.Errorf("%w: %s is not base64url without padding", ErrMalformed, name)
	}
	return b, nil
}

// base64url decodes RFC 4648 section 5 without padding, in its one form: Go's decoder
// would pass over line ends.
func base64url(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("line end in base64url")
	}
	return base64.RawURLEncoding.Strict().DecodeString(s)
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }
