package main

import (
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// unknown reports a key that a section does not have, and what it may stand for.
func (d *decoder) unknown(section, at, key string, fields []setting) {
	if near := closest(key, fields); near != "" {
		d.meant = append(d.meant, join(section, near))
		d.mistake(at, "unknown key; did you mean `%s`? known here: %s", near, names(fields))
		return
	}
	d.mistake(at, "unknown key; known here: %s", names(fields))
}

// closest is the field that is at most two letters away from the key. Of a short
// name two letters are most of it, so that it must be closer.
func closest(key string, fields []setting) (name string) {
	least := 3
	for _, f := range fields {
		if n := distance(key, f.name); n < least && 2*n <= len(f.name) {
			name, least = f.name, n
		}
	}
	return name
}

// distance is how many letters one must insert, remove or replace to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// syntax reports that the text is not YAML. The library's "yaml: line 3: …" may
// name a line before or behind the fault, so we look for it ourselves, and say
// "near" where we do not find it.
func (d *decoder) syntax(err error, text string) {
	why, line := strings.TrimPrefix(err.Error(), "yaml: "), 0
	if rest, ok := strings.CutPrefix(why, "line "); ok {
		if number, after, ok := strings.Cut(rest, ": "); ok {
			if n, err := strconv.Atoi(number); err == nil && n > 0 {
				line, why = n, after
			}
		}
	}
	lines := strings.Split(text, "\n")
	if at, fault := findFault(lines); at > 0 {
		d.where[""] = place{Line: at}
		d.mistake("", "not YAML: %s%s", beginning(lines[at-1]), fault)
		return
	}
	if line == 0 {
		d.mistake("", "not YAML: %s", why)
		return
	}
	d.where[""] = place{Line: line}
	d.mistake("", "not YAML near line %d: %s", line, why)
}

var plainWord = regexp.MustCompile(`^[a-z0-9_]+`)

// beginning quotes the key that a line begins with. What is no key of ours may be a
// secret, and is not repeated.
func beginning(line string) string {
	line = strings.TrimSpace(line)
	word := plainWord.FindString(line)
	switch {
	case !isKey(reflect.TypeFor[Config](), word):
		return ""
	case word == line:
		return "“" + word + "”: "
	}
	return "“" + word + " …”: "
}

// isKey says whether a section of that type, or one beneath it, has such a key.
func isKey(t reflect.Type, word string) bool {
	switch t.Kind() {
	case reflect.Map:
		return isKey(t.Elem(), word)
	case reflect.Struct:
		return slices.ContainsFunc(settings(t), func(f setting) bool {
			return f.name == word || isKey(t.Field(f.index).Type, word)
		})
	}
	return false
}

// findFault returns the number of the first line that breaks the plain form that a
// configuration has, and what is wrong with it; 0 if it sees none. It is asked only
// about what the library has refused, so it may be stricter than YAML.
func findFault(lines []string) (number int, fault string) {
	var form blockForm
	var flow flowForm
	for i, line := range lines {
		body := strings.TrimLeft(strings.TrimRight(line, " \t\r"), " ")
		indent := len(line) - len(strings.TrimLeft(line, " "))
		switch inside := flow.depth > 0; {
		case body == "" || body[0] == '#' || body == "---" || form.inText(indent):
			continue
		case inside && indent <= flow.indent && body[0] != '}' && body[0] != ']':
			return flow.line, flowOpen
		case !inside:
			if body, fault = form.line(indent, body); fault != "" {
				return i + 1, fault
			}
			flow = flowForm{line: i + 1, indent: indent}
		}
		if fault := flow.add(body); fault != "" {
			return i + 1, fault
		}
	}
	if flow.depth > 0 {
		return flow.line, flowOpen
	}
	return 0, ""
}

// keyAndValue takes a line apart: dashes of a list, a key, and what follows it.
var keyAndValue = regexp.MustCompile(`^((?:- +)*)("[^"]*"|'[^']*'|[^\s"'#&*!|>%@{}\[\],-][^:]*?) *:(?:\s+(.*))?$`)

// blockForm follows the indentation of sections.
type blockForm struct {
	levels []int // the indentations of the sections around, but that of the file
	opens  bool  // the line before has a key and no value
	text   *int  // the indentation of a key whose value is a block of text
}

func (f *blockForm) inText(indent int) bool { return f.text != nil && indent > *f.text }

// line returns the value on the line.
func (f *blockForm) line(indent int, body string) (value, fault string) {
	f.text = nil
	m := keyAndValue.FindStringSubmatch(body)
	item := body == "-" || strings.HasPrefix(body, "- ")
	switch {
	case body[0] == '\t':
		return "", "a tab indents it: use spaces"
	case m == nil && !item:
		return "", "is no `key: value`"
	}
	opens := f.opens
	for f.level() > indent {
		f.levels, opens = f.levels[:len(f.levels)-1], false
	}
	if indent > f.level() {
		if !opens {
			return "", "its indentation fits no line above"
		}
		f.levels = append(f.levels, indent)
	}
	if m == nil {
		f.opens = body == "-"
		return strings.TrimSpace(body[1:]), ""
	}
	if item { // the other keys of an item stand under its first one
		f.levels = append(f.levels, indent+len(m[1]))
	}
	value = m[3]
	if f.opens = value == "" || value[0] == '#'; f.opens {
		return "", ""
	}
	if value[0] == '|' || value[0] == '>' {
		f.text = &indent
		return "", ""
	}
	return value, ""
}

func (f *blockForm) level() int {
	if len(f.levels) == 0 {
		return 0
	}
	return f.levels[len(f.levels)-1]
}

// flowForm follows the brackets of one value.
type flowForm struct{ line, indent, depth int }

const flowOpen = "a { or [ on this line is not closed"

// add reads what a line adds to the value.
func (f *flowForm) add(text string) (fault string) {
	start := true // of a value: only there a quote is one
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case start && (c == '"' || c == '\''):
			end := closingQuote(text[i:])
			if end < 0 {
				return "a quote in it is not closed"
			}
			i, start = i+end, false
		case start && strings.IndexByte("@`%", c) >= 0:
			return "a value that begins with " + string(c) + " must be quoted"
		case c == '#' && (i == 0 || text[i-1] == ' ' || text[i-1] == '\t'):
			return ""
		case (c == '{' || c == '[') && (start || f.depth > 0):
			f.depth, start = f.depth+1, true
		case f.depth > 0 && (c == '}' || c == ']'):
			f.depth, start = f.depth-1, false
		case f.depth > 0 && c == ',':
			start = true
		case c == ':' && i+1 < len(text) && text[i+1] == ' ':
			if f.depth == 0 {
				return "a value with \": \" in it must be quoted"
			}
			start = true
		case c != ' ':
			start = false
		}
	}
	return ""
}

// closingQuote is where the quote ends that the text begins with, or -1.
func closingQuote(text string) int {
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && text[0] == '"':
			i++
		case text[i] == text[0] && text[0] == '\'' && i+1 < len(text) && text[i+1] == '\'':
			i++
		case text[i] == text[0]:
			return i
		}
	}
	return -1
}
