package proofing

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// subject is that of the CSR as people are shown it: nothing in a value looks like another member, and what is not seen, or turns the direction of writing, is.
func (r *CSR) subject() string {
	var all []string
	for _, m := range r.Subject {
		value := escaped(m.Value)
		if m.NoText { // no text begins with that sign unescaped
			value = "#" + value
		}
		all = append(all, m.Name+"="+value)
	}
	return strings.Join(all, ", ")
}

// escaped is the value of an attribute as in RFC 4514 2.4, where everything that a page does not show as it is stands by its bytes: also spaces that a page
// takes for one, or for none.
func escaped(value string) string {
	var b strings.Builder
	for i, r := range value {
		_, size := utf8.DecodeRuneInString(value[i:])
		switch {
		case r == utf8.RuneError && size == 1, !plain(r), r == ' ' && (i == 0 || i == len(value)-1 || value[i-1] == ' '):
			for _, c := range []byte(value[i : i+size]) {
				fmt.Fprintf(&b, `\%02X`, c)
			}
		case strings.ContainsRune(`"+,;<>\`, r), r == '#' && i == 0:
			b.WriteString(`\` + string(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// plain says whether a character is seen, and where it stands.
func plain(r rune) bool {
	return r == ' ' || unicode.IsPrint(r) && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
