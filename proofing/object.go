package proofing

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// object is an object of the document. What is asked of it counts as known;
// what nobody asked for is a mistake, which unknown tells.
type object struct {
	doc     *document
	path    string
	end     int64
	members []member
}

type member struct {
	name   string
	offset int64 // of the name
	node   node
	known  bool
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// join is the path of a member. A name that could break the line, or hide what
// it is, is quoted.
func (o *object) join(name string) string {
	if !plainName.MatchString(name) {
		name = quote(name)
	}
	if o.path == "" {
		return name
	}
	return o.path + "." + name
}

// unknown makes mistakes of all members that nobody asked for.
func (o *object) unknown() {
	for _, m := range o.members {
		if !m.known {
			o.doc.mistake(m.offset, m.node.path, "unknown member")
		}
	}
}

// has says whether a member is there, without reading it.
func (o *object) has(name string) bool {
	return slices.ContainsFunc(o.members, func(m member) bool { return m.name == name })
}

// take reads a member that must be there and of the type.
func take[T string | bool | json.Number | *object | []node](o *object, name string) (value T, n node, ok bool) {
	i := slices.IndexFunc(o.members, func(m member) bool { return m.name == name })
	if i < 0 {
		o.doc.mistake(o.end, o.join(name), "missing")
		return value, n, false
	}
	o.members[i].known = true
	n = o.members[i].node
	if value, ok = n.value.(T); !ok {
		o.doc.mistake(n.offset, n.path, "must be %s, not %s", typeName(value), typeName(n.value))
	}
	return value, n, ok
}

// flag reads a bool that may be left out: the default is false.
func (o *object) flag(name string) bool {
	if !o.has(name) {
		return false
	}
	value, _, _ := take[bool](o, name)
	return value
}

// bool reads a bool that must be there.
func (o *object) bool(name string) bool {
	value, _, _ := take[bool](o, name)
	return value
}

// text reads a string that must be there and say something.
func (o *object) text(name string) string {
	text, n, ok := take[string](o, name)
	if ok && strings.TrimSpace(text) == "" {
		o.doc.mistake(n.offset, n.path, "must not be empty")
	}
	return text
}

// whole reads a whole number within limits.
func (o *object) whole(name string, least, most int64) int64 {
	number, n, ok := take[json.Number](o, name)
	if !ok {
		return least
	}
	value, err := strconv.ParseInt(number.String(), 10, 64)
	if err != nil || value < least || value > most {
		o.doc.mistake(n.offset, n.path, "must be a whole number from %d to %d", least, most)
		return least
	}
	return value
}

// matching reads a string of a certain shape. Its text is not repeated in a mistake.
func (o *object) matching(name string, fits func(string) bool, shape string) Secret {
	text, n, ok := take[string](o, name)
	if ok && !fits(text) {
		o.doc.mistake(n.offset, n.path, "must be %s", shape)
	}
	return Secret(text)
}

// oneOf reads one of a closed list of words.
func oneOf[T ~string](o *object, name string, words []T) T {
	text, n, ok := take[string](o, name)
	if ok && !slices.Contains(words, T(text)) {
		o.doc.mistake(n.offset, n.path, "%s is not one of %s", quote(text), enumerate(words))
	}
	return T(text)
}

// words reads a list of strings.
func (o *object) words(name string) []string {
	list, _, ok := take[[]node](o, name)
	if !ok {
		return nil
	}
	words := make([]string, 0, len(list))
	for _, n := range list {
		text, ok := n.value.(string)
		if !ok {
			o.doc.mistake(n.offset, n.path, "must be a string, not %s", typeName(n.value))
		}
		words = append(words, text)
	}
	return words
}

// someOf reads a list of words that are all of a closed list.
func someOf[T ~string](o *object, name string, words []T) []T {
	list, _, _ := take[[]node](o, name)
	some := make([]T, 0, len(list))
	for _, n := range list {
		switch text, ok := n.value.(string); {
		case !ok:
			o.doc.mistake(n.offset, n.path, "must be a string, not %s", typeName(n.value))
		case !slices.Contains(words, T(text)):
			o.doc.mistake(n.offset, n.path, "%s is not one of %s", quote(text), enumerate(words))
		default:
			some = append(some, T(text))
		}
	}
	return some
}

// enumerate lists words with commas.
func enumerate[T ~string](words []T) string {
	var list []string
	for _, w := range words {
		list = append(list, string(w))
	}
	return strings.Join(list, ", ")
}

// time reads a time that must be there; it is zero if there is a mistake in it.
func (o *object) time(name string) (time.Time, node) {
	text, n, ok := take[string](o, name)
	if !ok {
		return time.Time{}, n
	}
	t, err := parseTime(text)
	if err != nil {
		o.doc.mistake(n.offset, n.path, "%v", err)
	}
	return t, n
}

// timeUntil reads a time that must not be after the member limitName, if that
// has a time.
func (o *object) timeUntil(name string, limit time.Time, limitName string) time.Time {
	t, n := o.time(name)
	if !limit.IsZero() && t.After(limit) {
		o.doc.mistake(n.offset, n.path, "must not be after %s", limitName)
	}
	return t
}

// rfc3339 is the grammar of RFC 3339 5.6; time.Parse is more lenient, and checks
// what a grammar cannot.
var rfc3339 = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`)

// parseTime reads RFC 3339, in which "t" and "z" may be lower case. The first and
// the last years are left free: a zero time means none, and the expiry of an
// event must still have four digits.
func parseTime(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, strings.ToUpper(text))
	if err != nil || !rfc3339.MatchString(text) {
		return time.Time{}, fmt.Errorf("%s is not a time as in RFC 3339", quote(text))
	}
	if t = t.UTC(); t.Year() < 2 || t.Year() > 9998 {
		return time.Time{}, fmt.Errorf("%s is not in the years 2 to 9998", quote(text))
	}
	return t, nil
}
