package templates

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// messageKinds are the messages there are. A text message has no HTML part.
var messageKinds = []string{"email_code", "sms_code", "granted", "frozen", "given_back", "ending", "ended", "bound", "removed", "recovered", "reactivated", "copied", "desk_recovery", "desk_recovered", "proofed", "released", "codes_freed", "codes_void", "erased", "forgetting", "appointment", "appointment_ends", "policy", "waiting", "decided_no", "issued", "renewed", "certificate_ends", "dossier_ages", "dossier_review", "dossier_rule", "sms_issued", "sms_renewed", "sms_bound", "sms_removed", "sms_recovered", "sms_reactivated", "sms_copied", "sms_desk_recovery", "sms_desk_recovered", "sms_proofed", "sms_released", "sms_codes_freed", "sms_codes_void", "sms_erased", "sms_forgetting", "sms_waiting", "sms_appointment", "sms_appointment_ends", "sms_dossier_rule", "sms_policy"}

// isText says whether the kind is that of a text message.
func isText(kind string) bool { return strings.HasPrefix(kind, "sms_") }

// MessageData is what a message says. Everything in it is text; what others chose
// (CA, Identifier, Profile, Operator) is made harmless before it is drawn.
type MessageData struct {
	CA          string // the certificate authority's title
	Identifier  string
	Profile     string // the profile's title
	Fingerprint string // of the account key, short; may be empty
	Operator    string // who runs this service
	Contact     string // where people turn with questions: an e-mail address or https link; may be empty
	Origin      string // the public origin
	Code        string
	Link        string // what a click in the same browser answers by; may be empty
	Disown      string // "this was not me"
	Minutes     string // how long the code is good for
	Thing       string // what a notice is about: "email", "phone", "passkey", "identity" or "recovery"
	About       string // which one; may be empty
	Reason      string // why a grant ends: a code
	Ends        time.Time
	Role        string // what a notice of an appointment is about: "administrator" and so on
	By          string // who has done it; empty: nobody in the console
}

// Rendered is a message ready to be sent.
type Rendered struct {
	Subject string // one line; empty for a text message
	Text    string
	HTML    string // empty for a text message
}

// messageView is what the message templates see.
type messageView struct {
	MessageData
	Valid time.Duration
	Host  string
}

// Message draws a message in a language.
func Message(kind, lang string, d MessageData) (Rendered, error) {
	if !slices.Contains(messageKinds, kind) {
		return Rendered{}, fmt.Errorf("templates: there is no message %q", kind)
	}
	lang = Match(lang)
	d.CA, d.Identifier, d.Profile, d.Operator, d.About = harmless(d.CA), harmless(d.Identifier), harmless(d.Profile), harmless(d.Operator), harmless(d.About)
	d.By = harmless(d.By)
	minutes, _ := strconv.Atoi(d.Minutes) // none: the message says nothing of time
	v := messageView{MessageData: d, Valid: time.Duration(minutes) * time.Minute}
	if u, err := url.Parse(d.Origin); err == nil {
		v.Host = u.Hostname()
	}
	if isText(kind) {
		return textMessage(kind, lang, v)
	}
	var text, html bytes.Buffer
	if err := drawn().text[lang].ExecuteTemplate(&text, kind+".txt", v); err != nil {
		return Rendered{}, fmt.Errorf("templates: draw message: %w", err)
	}
	if err := drawn().html[lang].ExecuteTemplate(&html, kind+".html", v); err != nil {
		return Rendered{}, fmt.Errorf("templates: draw message: %w", err)
	}
	subject, err := words{lang, catalogs()[lang]}.text("mail."+kind+".subject", "ca", d.CA, "identifier", d.Identifier)
	return Rendered{Subject: subject, Text: text.String(), HTML: html.String()}, err
}

// textMessage draws a text message. It must fit in two segments: what can be done without
// is given up in turn, the length of the authority's name first and then the link of
// "this was not me", which is in the page too. The last line is bound to
// the domain, so that a browser fills the code in there and nowhere else.
func textMessage(kind, lang string, v messageView) (Rendered, error) {
	v.Operator = gsm(v.Operator)
	v.Operator = v.Operator[:min(len(v.Operator), 40)]
	name, link := gsm(v.CA), v.Disown
	if name == "" {
		name = v.Host
	}
	for _, try := range []struct {
		name int
		link string
	}{{40, link}, {20, link}, {40, ""}, {12, ""}} {
		v.CA, v.Disown = strings.TrimSpace(name[:min(len(name), try.name)]), try.link
		var b bytes.Buffer
		if err := drawn().text[lang].ExecuteTemplate(&b, kind+".txt", v); err != nil {
			return Rendered{}, fmt.Errorf("templates: draw message: %w", err)
		}
		if text := strings.TrimSpace(b.String()); septets(text) <= 2*153 {
			return Rendered{Text: text}, nil
		}
	}
	return Rendered{}, fmt.Errorf("templates: a text message for %s is longer than two segments", v.Host)
}
