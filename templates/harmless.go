package templates

import (
	"html/template"
	"net/mail"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// longest is how much of a name that others chose a message repeats.
const longest = 100

// webAddress finds what mail programs turn into links: a scheme, or a domain with a path.
// A bare domain stays, because identifiers are domains.
var webAddress = regexp.MustCompile(`(?i)\S*(://|\.[a-z]{2,}[/?#:])\S*`)

// harmless makes text that others chose fit for a message from us: one line, no
// characters that hide or reorder others, nothing to click on, and not too long.
// Otherwise whoever may name a profile could write our mails.
func harmless(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r): // controls, and the format characters that turn the direction
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	s = webAddress.ReplaceAllString(s, "[…]")
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > longest {
		s = string(r[:longest-1]) + "…"
	}
	return s
}

// group sets a code in parts, which people read and type with fewer mistakes: ten in two
// fives, all else in fours.
func group(code, between string) string {
	size := 4
	if len(code) == 10 {
		size = 5
	}
	var b strings.Builder
	for i, r := range code {
		if i > 0 && i%size == 0 {
			b.WriteString(between)
		}
		b.WriteRune(r)
	}
	return b.String()
}

// The characters of a text message (3GPP TS 23.038): one outside them makes every
// character of the message take twice the room and more. Those of the extension take two septets.
const (
	gsmBasic    = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmExtended = "^{}\\[~]|€"
)

// gsm writes a name in the characters of a text message, as far as it can be:
// other accents are dropped, other scripts are left out.
func gsm(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 && strings.ContainsRune(gsmBasic, r) {
			b.WriteRune(r)
			continue
		}
		for _, part := range norm.NFKD.String(string(r)) {
			if part < 0x80 && strings.ContainsRune(gsmBasic, part) {
				b.WriteRune(part)
			}
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// septets is how much room a text takes in text messages. A text that does not
// fit their alphabet takes more than any number of segments that we send.
func septets(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case strings.ContainsRune(gsmBasic, r):
			n++
		case strings.ContainsRune(gsmExtended, r):
			n += 2
		default:
			return 1 << 16
		}
	}
	return n
}

// contact is where people turn with questions, as a link: a mailbox or a page
// by https, and nil for anything else. Nothing but these two becomes a link.
func contact(s string) *piece {
	if u, err := url.Parse(s); err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil {
		return &piece{Text: strings.TrimSuffix(strings.TrimPrefix(s, "https://"), "/"), Href: template.URL(u.String())}
	}
	if a, err := mail.ParseAddress(s); err == nil && a.Name == "" && a.Address == s {
		return &piece{Text: s, Href: template.URL((&url.URL{Scheme: "mailto", Opaque: url.PathEscape(s)}).String())}
	}
	return nil
}

// piece is a part of a text, perhaps a link.
type piece struct {
	Text string
	Href template.URL
}

// linked finds the links of a text that lead to our own origin. All else stays
// text. They carry the query on. A link is kept whole, since a path by itself may name another host ("//…").
func linked(text, origin, query string) []piece {
	var pieces []piece
	for origin != "" {
		at := strings.Index(text, origin+"/")
		if at < 0 {
			break
		}
		end := at + len(origin)
		for end < len(text) && text[end] > ' ' && text[end] < 0x7f && !strings.ContainsRune(`<>"'()`, rune(text[end])) {
			end++
		}
		href := text[at:end]
		if !strings.ContainsAny(href, "?#") {
			href += query
		}
		pieces = append(pieces, piece{Text: text[:at]}, piece{text[at:end], template.URL(href)})
		text = text[end:]
	}
	return append(pieces, piece{Text: text})
}
