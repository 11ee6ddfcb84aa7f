package proofing

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Mistake is one thing that is wrong with a document, and the member that it is
// wrong with: "evidence[2].number".
type Mistake struct {
	Member string
	Detail string // without the text of addresses and numbers
}

// String is the mistake as one line.
func (m Mistake) String() string { return m.Member + ": " + m.Detail }

// document reads JSON more strictly than encoding/json does: names count to the
// letter, none may appear twice or go unread, and null is no value. It goes on
// after a mistake, so that all of them are told at once.
type document struct {
	tokens   *json.Decoder
	mistakes []misplaced
}

// misplaced is a mistake with its place in the document.
type misplaced struct {
	Mistake
	offset int64
}

// node is a value of the document: a string, json.Number, bool, nil, []node or *object.
type node struct {
	path   string
	offset int64
	value  any
}

// root names the document itself in mistakes.
const root = "document"

// readDocument reads a whole document, which must be one object of at most limit bytes.
func readDocument(r io.Reader, limit int64) (*document, *object) {
	doc := &document{}
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		doc.mistake(0, root, "cannot be read: %v", err)
	case int64(len(data)) > limit:
		doc.mistake(0, root, "larger than %d bytes", limit)
	case !utf8.Valid(data):
		doc.mistake(0, root, "not UTF-8")
	default:
		return doc, doc.parse(data)
	}
	return doc, nil
}

// parse checks the syntax of the whole first: reading on after a mistake is for
// mistakes in what the document says.
func (d *document) parse(data []byte) *object {
	if err := json.Unmarshal(data, new(json.RawMessage)); err != nil {
		detail := "not JSON: " + err.Error()
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			detail += fmt.Sprintf(" (byte %d)", syntax.Offset)
		}
		d.mistake(0, root, "%s", detail)
		return nil
	}
	d.tokens = json.NewDecoder(bytes.NewReader(data))
	d.tokens.UseNumber()
	n := d.node("", 1)
	o, ok := n.value.(*object)
	if !ok {
		d.mistake(0, root, "must be an object, not %s", typeName(n.value))
	}
	return o
}

// maxDepth is more than any document of ours needs. It bounds the paths, which
// are kept for every value.
const maxDepth = 8

func (d *document) node(path string, depth int) node {
	token := d.token()
	n := node{path: path, offset: d.tokens.InputOffset(), value: token}
	delim, nested := token.(json.Delim)
	switch {
	case !nested:
	case depth > maxDepth:
		d.mistake(n.offset, path, "nested too deeply")
		d.skip()
		n.value = nil
	case delim == '{':
		n.value = d.object(path, depth)
	default:
		n.value = d.list(path, depth)
	}
	return n
}

// skip reads to the end of the list or object that was just begun.
func (d *document) skip() {
	for open := 1; open > 0; {
		switch d.token() {
		case json.Delim('{'), json.Delim('['):
			open++
		case json.Delim('}'), json.Delim(']'):
			open--
		}
	}
}

func (d *document) list(path string, depth int) []node {
	list := []node{}
	for d.tokens.More() {
		list = append(list, d.node(fmt.Sprintf("%s[%d]", path, len(list)), depth+1))
	}
	d.token()
	return list
}

func (d *document) object(path string, depth int) *object {
	o := &object{doc: d, path: path}
	seen := map[string]bool{}
	for d.tokens.More() {
		m := member{name: d.token().(string), offset: d.tokens.InputOffset()}
		m.node = d.node(o.join(m.name), depth+1)
		if seen[m.name] {
			d.mistake(m.offset, m.node.path, "given more than once")
			continue
		}
		seen[m.name] = true
		o.members = append(o.members, m)
	}
	d.token()
	o.end = d.tokens.InputOffset()
	return o
}

// token is the next token. It cannot fail: the syntax was checked.
func (d *document) token() json.Token {
	token, err := d.tokens.Token()
	if err != nil {
		panic("proofing: token of valid JSON: " + err.Error())
	}
	return token
}

func (d *document) mistake(offset int64, path, format string, args ...any) {
	d.mistakes = append(d.mistakes, misplaced{Mistake{path, fmt.Sprintf(format, args...)}, offset})
}

// inOrder lists the mistakes in the order of the document. What is missing from
// an object comes at its end.
func (d *document) inOrder() []Mistake {
	slices.SortStableFunc(d.mistakes, func(a, b misplaced) int { return cmp.Compare(a.offset, b.offset) })
	var list []Mistake
	for _, m := range d.mistakes {
		list = append(list, m.Mistake)
	}
	return list
}

// quote is how a mistake shows what was given: on one line and not at length.
func quote(s string) string {
	if r := []rune(s); len(r) > 40 {
		s = string(r[:40]) + "…"
	}
	return strconv.Quote(s)
}

// typeName is what a value is called in JSON.
func typeName(value any) string {
	switch value.(type) {
	case string:
		return "a string"
	case bool:
		return "true or false"
	case json.Number:
		return "a number"
	case *object:
		return "an object"
	case []node:
		return "a list"
	}
	return "null"
}
