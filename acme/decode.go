package acme

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// encoding/json matches names without regard to case and lets the last of two
// equal names win, so that two programs can read one text differently. What
// authorities send is therefore read into values as they were written, and
// members are asked for by name: what nobody asked for is a mistake.

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
	// Tokens alone would let some texts pass that are not JSON, and trailing data.
	var whole json.RawMessage
	if err := json.Unmarshal(body, &whole); err != nil {
		return value{}, malformed("the body is not one JSON value: " + err.Error())
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	return parseValue(d, at, 0, m)
}

func parseValue(d *json.Decoder, at string, depth int, m *mistakes) (value, error) {
	if depth > maxDepth {
		return value{}, malformed(fmt.Sprintf("the body is nested deeper than %d", maxDepth))
	}
	token, err := d.Token()
	if err != nil {
		return value{}, malformed("the body is not JSON: " + err.Error())
	}
	switch t := token.(type) {
	case nil:
		return value{kind: isNull}, nil
	case string:
		return value{kind: isText, text: t}, nil
	case json.Delim:
		if t == '{' {
			return parseObject(d, at, depth, m)
		}
		return parseArray(d, at, depth, m)
	}
	return value{kind: isOther, text: fmt.Sprint(token)}, nil
}

func parseObject(d *json.Decoder, at string, depth int, m *mistakes) (value, error) {
	v := value{kind: isObject}
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return v, malformed("the body is not JSON: " + err.Error())
		}
		name := token.(string)
		here := join(at, name)
		if seen[name] {
			m.add(typeDuplicateMember, here, fmt.Sprintf("%q is given more than once", cut(name)))
		}
		seen[name] = true
		child, err := parseValue(d, here, depth+1, m)
		if err != nil {
			return v, err
		}
		v.members = append(v.members, member{name, child})
	}
	_, err := d.Token()
	return v, err
}

func parseArray(d *json.Decoder, at string, depth int, m *mistakes) (value, error) {
	v := value{kind: isArray}
	for d.More() {
		child, err := parseValue(d, join(at, fmt.Sprint(len(v.items))), depth+1, m)
		if err != nil {
			return v, err
		}
		v.items = append(v.items, child)
	}
	_, err := d.Token()
	return v, err
}

// maxNameTold is how much of a member's name is repeated. Names that mean something
// are far shorter; without a bound a small body could ask for a giant answer.
const maxNameTold = 64

// cut is a name as far as it is repeated.
func cut(name string) string {
	if len(name) <= maxNameTold {
		return name
	}
	return strings.ToValidUTF8(name[:maxNameTold], "") + "…"
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// join adds a name to a JSON pointer (RFC 6901).
func join(at, name string) string { return at + "/" + pointerEscapes.Replace(cut(name)) }

// fragment is a JSON pointer as a URI fragment (RFC 6901 6), which is how RFC 9457 3
// points at the place of a mistake.
func fragment(pointer string) string {
	u := url.URL{Fragment: pointer}
	if pointer == "" {
		return "#"
	}
	return u.String()
}

// mistakes collects everything that is wrong with a request, so that its author
// learns of all of it at once; of very many, of the first.
type mistakes struct {
	list []mistake
	more int // that are counted and not kept
}

// maxMistakes is more than anybody mends in one go.
const maxMistakes = 50

type mistake struct{ typ, pointer, detail string }

func (m *mistakes) add(typ, pointer, detail string) {
	if len(m.list) == maxMistakes {
		m.more++
		return
	}
	m.list = append(m.list, mistake{typ, pointer, detail})
}

// err is the problem that reports the mistakes; nil if there are none.
func (m *mistakes) err() error {
	if len(m.list) == 0 {
		return nil
	}
	p := newProblem(m.list[0].typ, m.list[0].detail)
	for _, x := range m.list {
		if x.typ != p.Type {
			p = newProblem(typeMalformed, "")
		}
	}
	if len(m.list) > 1 {
		p.Detail = fmt.Sprintf("the request has %d mistakes", len(m.list)+m.more)
	}
	// Whatever a single mistake would be answered with, the request as a whole was malformed.
	p.Status = 400
	for _, x := range m.list {
		p.Subproblems = append(p.Subproblems, subproblem{Type: x.typ, Detail: x.detail, Pointer: fragment(x.pointer)})
	}
	return p
}

// object is one JSON object while it is being read.
type object struct {
	at      string // the JSON pointer to it
	members map[string]value
	order   []string
	asked   map[string]bool
	m       *mistakes
}

// readBody reads a request whose body must be one object.
func readBody(body []byte, m *mistakes) (*object, error) {
	v, err := parse(body, m)
	if err != nil {
		return nil, err
	}
	if v.kind != isObject {
		return nil, malformed("the body must be an object and is " + string(v.kind))
	}
	return newObject(v, "", m), nil
}

func newObject(v value, at string, m *mistakes) *object {
	o := &object{at: at, members: map[string]value{}, asked: map[string]bool{}, m: m}
	for _, x := range v.members {
		if _, again := o.members[x.name]; !again {
			o.members[x.name] = x.value
			o.order = append(o.order, x.name)
		}
	}
	return o
}

// mistake reports something wrong with a member.
func (o *object) mistake(name, detail string) { o.wrong(typeMalformed, name, detail) }

func (o *object) wrong(typ, name, detail string) {
	at := o.at
	if name != "" {
		at = join(at, name)
	}
	o.m.add(typ, at, detail)
}

// has says whether a member is there, whatever it is.
func (o *object) has(name string) bool {
	_, ok := o.members[name]
	return ok
}

// member returns a member of that kind; anything else is a mistake, null included.
func (o *object) member(name string, want kind) (value, bool) {
	o.asked[name] = true
	v, ok := o.members[name]
	if ok && v.kind != want {
		o.mistake(name, fmt.Sprintf("%q must be %s", name, want))
		return v, false
	}
	return v, ok
}

// text returns an optional string of 1 to most bytes without control characters.
func (o *object) text(name string, most int) string {
	v, ok := o.member(name, isText)
	if !ok {
		return ""
	}
	switch {
	case v.text == "":
		o.mistake(name, fmt.Sprintf("%q must not be empty", name))
	case len(v.text) > most:
		o.mistake(name, fmt.Sprintf("%q is longer than %d bytes", name, most))
	case strings.ContainsFunc(v.text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		o.mistake(name, fmt.Sprintf("%q contains control characters", name))
	default:
		return v.text
	}
	return ""
}

// require reports a member that is missing.
func (o *object) require(name string) {
	o.asked[name] = true
	if !o.has(name) {
		o.mistake(name, fmt.Sprintf("%q is missing", name))
	}
}

// object returns a member that is an object; nil if there is none.
func (o *object) object(name string) *object {
	v, ok := o.member(name, isObject)
	if !ok {
		return nil
	}
	return newObject(v, join(o.at, name), o.m)
}

// closed reports every member that nobody asked for. It is for objects of ours;
// unknown members of ACME objects are ignored, as RFC 8555 7.1 asks.
func (o *object) closed() {
	for _, name := range o.order {
		if !o.asked[name] {
			o.wrong(typeUnknownMember, name, fmt.Sprintf("%q is not a member of this object", cut(name)))
		}
	}
}
