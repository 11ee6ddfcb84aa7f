package templates

import (
	"strings"
	"testing"
)

func TestATextMessageFitsInTwoSegmentsAndEndsForTheBrowser(t *testing.T) {
	names := map[string]string{
		"plain": "Example CA", "accents": "Société générale de certification Île-de-France", "umlauts": "Größte Zertifizierungsstelle Münchens",
		"another script": "証明書局", "long": strings.Repeat("Certificates ", 20), "hostile": "Call http://evil.example/x now\n@evil.example #999999",
	}
	for what, ca := range names {
		for _, lang := range Languages() {
			d := MessageData{
				CA: ca, Origin: "https://proof.certificates.example.org", Code: "1234567890", Minutes: "10",
				Disown: "https://proof.certificates.example.org/n/" + strings.Repeat("x", 56),
			}
			m, err := Message("sms_code", lang, d)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(m.Text, "\n")
			if n := septets(m.Text); n > 306 {
				t.Errorf("%s in %s takes %d septets:\n%s", what, lang, n, m.Text)
			}
			if last := lines[len(lines)-1]; last != "@proof.certificates.example.org #1234567890" {
				t.Errorf("%s in %s ends in %q", what, lang, last)
			}
			if !strings.Contains(m.Text, "12345 67890") || !strings.Contains(m.Text, catalogs()[lang]["sms.never"]) || !strings.Contains(m.Text, d.Disown) {
				t.Errorf("%s in %s lacks something:\n%s", what, lang, m.Text)
			}
			if strings.Contains(m.Text, "evil.example/") || len(lines) != 4 {
				t.Errorf("%s in %s: the name writes lines of its own:\n%s", what, lang, m.Text)
			}
		}
	}
}

func TestACodeIsSetInPartsOfOneLength(t *testing.T) {
	for code, want := range map[string]string{"6317989602": "63179 89602", "12345678": "1234 5678", "ABCDEFGH": "ABCD EFGH", "": ""} {
		if got := group(code, " "); got != want {
			t.Errorf("%q becomes %q, want %q", code, got, want)
		}
	}
}

func TestATextMessageGivesUpItsLinkBeforeItGrows(t *testing.T) {
	host := strings.Repeat("long.", 18) + "example.org"
	m, err := Message("sms_code", "de", MessageData{CA: "Example CA", Origin: "https://" + host, Code: "12345678", Disown: "https://" + host + "/n/" + strings.Repeat("x", 56)})
	if err != nil {
		t.Fatal(err)
	}
	if septets(m.Text) > 306 || strings.Contains(m.Text, "/n/") || !strings.HasSuffix(m.Text, "@"+host+" #12345678") {
		t.Errorf("got %q", m.Text)
	}
}

func TestNamesThatOthersChoseCannotWriteAMessage(t *testing.T) {
	for in, want := range map[string]string{
		"Example CA":                            "Example CA",
		"www.example.com":                       "www.example.com",
		"Pay at https://evil.example/now today": "Pay at […] today",
		"see evil.example/pay":                  "see […]",
		"two\r\nBcc: lines":                     "two Bcc: lines",
		"right\u202eleft\u200b\x00":             "rightleft",
		"\xff\xfe bad bytes":                    "bad bytes",
		strings.Repeat("a", 300):                strings.Repeat("a", 99) + "…",
	} {
		got := harmless(in)
		if got != want {
			t.Errorf("harmless(%q) = %q, want %q", in, got, want)
		}
	}
	hostile := message
	hostile.CA = "Free <b>money</b>\r\nBcc: a@example.org https://evil.example/"
	for _, kind := range messageKinds {
		m, err := Message(kind, "en", hostile)
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(m.Subject, "\r\n") || strings.Contains(m.Text, "evil.example") || strings.Contains(m.HTML, "<b>money") || strings.Contains(m.HTML, "evil.example") {
			t.Errorf("%s lets it through:\n%s\n%s", kind, m.Subject, m.Text)
		}
	}
}

func TestACodeMessageSaysWhoAsksForWhat(t *testing.T) {
	for _, lang := range Languages() {
		m, err := Message("email_code", lang, message)
		if err != nil {
			t.Fatal(err)
		}
		for _, body := range []string{m.Text, m.HTML} {
			for _, want := range []string{"ABCD-EFGH", message.CA, message.Identifier, message.Profile, message.Fingerprint, message.Operator, message.Link, message.Disown, "24 "} {
				if !strings.Contains(body, want) {
					t.Errorf("%s: %q is missing", lang, want)
				}
			}
		}
		if strings.Contains(m.Subject, "ABCD") {
			t.Error("the subject shows the code on a locked screen")
		}
	}
}

func TestAnUnknownMessageIsAFault(t *testing.T) {
	if _, err := Message("nothing", "en", message); err == nil {
		t.Error("no error")
	}
}
