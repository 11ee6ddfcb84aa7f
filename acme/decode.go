package acme

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

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

// full says whether those that come are counted alone.
func (m *mistakes) full() bool { return len(m.list) == maxMistakes }

type mistake struct{ typ, pointer, detail string }

func (m *mistakes) add(typ, pointer, detail string) {
	if m.full() {
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

// object is one JSON object while it is being read. Objects of requests are small: a member is looked for from the first on.
type object struct {
	at      string   // the JSON pointer to it
	members []member // as they were written; of two of one name the first counts
	asked   []bool   // for each of them
	m       *mistakes
	few     [8]bool // where asked is, of no more than that
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
	o := &object{at: at, members: v.members, m: m}
	if n := len(v.members); n <= len(o.few) {
		o.asked = o.few[:n]
	} else {
		o.asked = make([]bool, n)
	}
	return o
}

// find is the place of a member; -1 if there is none.
func (o *object) find(name string) int {
	for i := range o.members {
		if o.members[i].name == name {
			return i
		}
	}
	return -1
}

// ask returns a member, and notes that it was asked for.
func (o *object) ask(name string) (v value, ok bool) {
	i := o.find(name)
	if i < 0 {
		return value{}, false
	}
	o.asked[i] = true
	return o.members[i].value, true
}

// unasked are the names that nobody asked for, each once.
func (o *object) unasked() (names []string) {
	seen := map[string]bool{}
	for i, x := range o.members {
		if o.asked[i] {
			seen[x.name] = true
		}
	}
	for _, x := range o.members {
		if !seen[x.name] {
			seen[x.name], names = true, append(names, x.name)
		}
	}
	return names
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
	return o.find(name) >= 0
}

// member returns a member of that kind; anything else is a mistake, null included.
func (o *object) member(name string, want kind) (value, bool) {
	v, ok := o.ask(name)
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
	case hasControl(v.text):
		o.mistake(name, fmt.Sprintf("%q contains control characters", name))
	default:
		return v.text
	}
	return ""
}

// hasControl says whether there is a control character of ASCII in a text.
func hasControl(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return true
		}
	}
	return false
}

// require reports a member that is missing.
func (o *object) require(name string) {
	if _, ok := o.ask(name); !ok {
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
	if !slices.Contains(o.asked, false) {
		return
	}
	for _, name := range o.unasked() {
		o.wrong(typeUnknownMember, name, fmt.Sprintf("%q is not a member of this object", cut(name)))
	}
}
