package acme

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// encoding/json matches names without regard to case and lets the last of two equal names win, so that two programs can read
// one text differently; and it takes three times as long to tell. What authorities send is therefore read here into values as they
// were written, and members are asked for by name: what nobody asked for is a mistake.

// maxDepth is far more than any request needs and far less than a stack holds.
const maxDepth = 32

// value is one JSON value as it was written.
type value struct {
	kind    kind
	text    string // of a string, a number, true or false
	members []member
	items   []value
}

type kind string

const (
	isObject kind = "an object"
	isArray  kind = "an array"
	isText   kind = "a string"
	isNull   kind = "null"
	isOther  kind = "a number, true or false"
)

type member struct {
	name  string
	value value
}

// parse reads one JSON text (RFC 8259) in UTF-8. Duplicate names are reported
// to m wherever they are; the error is for what is not JSON at all.
func parse(body []byte, m *mistakes) (value, error) { return parseAt(body, "", m) }

// parseAt is parse for a text that stands inside of another, at that pointer.
func parseAt(body []byte, at string, m *mistakes) (value, error) {
	if !utf8.Valid(body) {
		return value{}, malformed("the body is not UTF-8")
	}
	var path [8]string                                            // as deep as most are
	p := parser{text: string(body), at: at, m: m, path: path[:0]} // one copy, of which names and strings are parts
	p.space()
	v, err := p.value()
	if err != nil {
		return value{}, err
	}
	if p.space(); p.i < len(p.text) {
		return value{}, p.wrong("there is more behind it")
	}
	return v, nil
}

// parser reads a text from front to back.
type parser struct {
	text string
	i    int
	at   string   // the pointer to the text
	path []string // to where it is, below that
	m    *mistakes
}

// wrong is the error for what is not JSON.
func (p *parser) wrong(what string) error {
	return malformed("the body is not one JSON value: at byte " + strconv.Itoa(p.i) + " " + what)
}

func (p *parser) space() {
	for p.i < len(p.text) && (p.text[p.i] == ' ' || p.text[p.i] == '\n' || p.text[p.i] == '\r' || p.text[p.i] == '\t') {
		p.i++
	}
}

// next is the character to be read; 0 at the end, which no JSON has outside of strings.
func (p *parser) next() byte {
	if p.i < len(p.text) {
		return p.text[p.i]
	}
	return 0
}

func (p *parser) value() (value, error) {
	if len(p.path) > maxDepth {
		return value{}, malformed(fmt.Sprintf("the body is nested deeper than %d", maxDepth))
	}
	switch c := p.next(); {
	case c == '{':
		return p.object()
	case c == '[':
		return p.array()
	case c == '"':
		text, err := p.string()
		return value{kind: isText, text: text}, err
	case c == '-' || c >= '0' && c <= '9':
		text, err := p.number()
		return value{kind: isOther, text: text}, err
	}
	for _, word := range []string{"null", "true", "false"} {
		if strings.HasPrefix(p.text[p.i:], word) {
			p.i += len(word)
			if word == "null" {
				return value{kind: isNull}, nil
			}
			return value{kind: isOther, text: word}, nil
		}
	}
	return value{}, p.wrong("no value begins")
}

// few is up to how many members names are compared one by one, and most is how many most objects have.
const few, most = 16, 4

func (p *parser) object() (value, error) {
	v := value{kind: isObject}
	var seen map[string]bool
	p.i++ // {
	if p.space(); p.next() == '}' {
		p.i++
		return v, nil
	}
	for {
		if p.next() != '"' {
			return v, p.wrong("a name must begin")
		}
		name, err := p.string()
		if err != nil {
			return v, err
		}
		if len(v.members) == few {
			seen = make(map[string]bool)
			for _, x := range v.members {
				seen[x.name] = true
			}
		}
		p.path = append(p.path, name)
		if seen[name] || seen == nil && slices.ContainsFunc(v.members, func(x member) bool { return x.name == name }) {
			if p.m.full() { // to tell where it is costs far more than to find it
				p.m.more++
			} else {
				p.m.add(typeDuplicateMember, p.here(), fmt.Sprintf("%q is given more than once", cut(name)))
			}
		} else if seen != nil {
			seen[name] = true
		}
		if p.space(); p.next() != ':' {
			return v, p.wrong("a colon must follow a name")
		}
		p.i++
		p.space()
		child, err := p.value()
		if err != nil {
			return v, err
		}
		p.path = p.path[:len(p.path)-1]
		if v.members == nil {
			v.members = make([]member, 0, most)
		}
		v.members = append(v.members, member{name, child})
		switch p.space(); p.next() {
		case ',':
			p.i++
			p.space()
		case '}':
			p.i++
			return v, nil
		default:
			return v, p.wrong("an object must go on with a comma or end")
		}
	}
}

func (p *parser) array() (value, error) {
	v := value{kind: isArray}
	p.i++ // [
	if p.space(); p.next() == ']' {
		p.i++
		return v, nil
	}
	for {
		p.path = append(p.path, strconv.Itoa(len(v.items)))
		child, err := p.value()
		if err != nil {
			return v, err
		}
		p.path = p.path[:len(p.path)-1]
		v.items = append(v.items, child)
		switch p.space(); p.next() {
		case ',':
			p.i++
			p.space()
		case ']':
			p.i++
			return v, nil
		default:
			return v, p.wrong("an array must go on with a comma or end")
		}
	}
}

// here is the JSON pointer to where the parser is.
func (p *parser) here() string {
	at := p.at
	for _, name := range p.path {
		at = join(at, name)
	}
	return at
}

func (p *parser) string() (string, error) {
	begin := p.i
	p.i++ // the quote
	escaped := false
	for ; p.i < len(p.text); p.i++ {
		switch c := p.text[p.i]; {
		case c == '"':
			p.i++
			if !escaped {
				return p.text[begin+1 : p.i-1], nil
			}
			var text string
			if err := json.Unmarshal([]byte(p.text[begin:p.i]), &text); err != nil {
				return "", p.wrong("a string ends that has an escape of no kind in it")
			}
			return text, nil
		case c == '\\':
			escaped = true
			p.i++ // whatever is escaped ends no string
		case c < ' ':
			return "", p.wrong("a string has a control character in it")
		}
	}
	return "", p.wrong("a string does not end")
}

func (p *parser) number() (string, error) {
	begin := p.i
	digits := func() bool {
		from := p.i
		for c := p.next(); c >= '0' && c <= '9'; c = p.next() {
			p.i++
		}
		return p.i > from
	}
	if p.next() == '-' {
		p.i++
	}
	zero := p.next() == '0'
	if at := p.i; !digits() || zero && p.i > at+1 {
		return "", p.wrong("a number is not as RFC 8259 writes it")
	}
	if p.next() == '.' {
		if p.i++; !digits() {
			return "", p.wrong("a number is not as RFC 8259 writes it")
		}
	}
	if c := p.next(); c == 'e' || c == 'E' {
		p.i++
		if c := p.next(); c == '+' || c == '-' {
			p.i++
		}
		if !digits() {
			return "", p.wrong("a number is not as RFC 8259 writes it")
		}
	}
	return p.text[begin:p.i], nil
}
