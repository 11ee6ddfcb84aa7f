package challenges

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

func methods(t testing.TB, countries ...string) map[string]proofing.Method {
	t.Helper()
	h, err := proofing.NewHasher([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	return Table(Config{Hasher: h, Countries: countries})
}

func TestEveryMethodAnswersToItsName(t *testing.T) {
	for name, m := range methods(t) {
		if m.Name() != name {
			t.Errorf("the table calls %q what calls itself %q", name, m.Name())
		}
	}
}

func judge(m proofing.Method, state json.RawMessage, a proofing.Answer) error {
	_, err := m.Judge(state, proofing.Contact{}, a)
	return err
}

func begin(t *testing.T, m proofing.Method, b proofing.Beginning) (proofing.Opening, proofing.Answer) {
	t.Helper()
	o, err := m.Begin(b)
	if err != nil {
		t.Fatal(err)
	}
	return o, proofing.Answer{Attempt: b.Attempt, KeyAuth: b.KeyAuth, Code: o.Message.Code}
}

func TestACodeAnswersItsOwnAttemptAndNothingElse(t *testing.T) {
	for name, m := range methods(t) {
		t.Run(name, func(t *testing.T) {
			b := proofing.Beginning{Attempt: "one", KeyAuth: [32]byte{1}, Link: "link-secret"}
			o, right := begin(t, m, b)
			if err := judge(m, o.State, right); err != nil {
				t.Fatalf("the right code: %v", err)
			}
			if strings.Contains(string(o.State), o.Message.Code.Reveal()) {
				t.Error("the state holds the code")
			}
			other, _ := begin(t, m, b)
			wrong := map[string]proofing.Answer{
				"in another attempt": {Attempt: "two", KeyAuth: b.KeyAuth, Code: right.Code},
				"for another key":    {Attempt: "one", KeyAuth: [32]byte{2}, Code: right.Code},
				"of another opening": {Attempt: "one", KeyAuth: b.KeyAuth, Code: other.Message.Code},
				"as a link":          {Attempt: "one", KeyAuth: b.KeyAuth, Link: right.Code},
			}
			for what, a := range wrong {
				if err := judge(m, o.State, a); !errors.Is(err, proofing.ErrWrongAnswer) {
					t.Errorf("the code %s: %v, want a wrong answer", what, err)
				}
			}
		})
	}
}

func TestTheLinkOfAMailAnswersInItsOwnAttempt(t *testing.T) {
	m := methods(t)["email"]
	b := proofing.Beginning{Attempt: "one", KeyAuth: [32]byte{1}, Link: "link-secret"}
	o, _ := begin(t, m, b)
	if err := judge(m, o.State, proofing.Answer{Attempt: "one", KeyAuth: b.KeyAuth, Link: "link-secret"}); err != nil {
		t.Errorf("the link: %v", err)
	}
	if err := judge(m, o.State, proofing.Answer{Attempt: "two", KeyAuth: b.KeyAuth, Link: "link-secret"}); !errors.Is(err, proofing.ErrWrongAnswer) {
		t.Errorf("the link in another attempt: %v", err)
	}
	sms := methods(t)["sms"]
	o, _ = begin(t, sms, b)
	if o.Message.Link != "" {
		t.Error("a text message carries a link")
	}
	if err := judge(sms, o.State, proofing.Answer{Attempt: "one", KeyAuth: b.KeyAuth, Link: "link-secret"}); !errors.Is(err, proofing.ErrWrongAnswer) {
		t.Errorf("a link answers a text message: %v", err)
	}
}

func TestCodesAreAsLongAsTheirUseAsks(t *testing.T) {
	m := methods(t)
	for _, c := range []struct {
		method string
		bound  bool
		length int
	}{{"email", false, 8}, {"email", true, 8}, {"sms", false, 10}, {"sms", true, 8}} {
		o, _ := begin(t, m[c.method], proofing.Beginning{Attempt: "a", Bound: c.bound})
		if got := len(o.Message.Code.Reveal()); got != c.length {
			t.Errorf("%s, bound %v: %d characters, want %d", c.method, c.bound, got, c.length)
		}
		if o.Tries != 5 {
			t.Errorf("%s: %d tries, want 5", c.method, o.Tries)
		}
	}
}

func TestCodesAreReadAsPeopleTypeThem(t *testing.T) {
	for typed, want := range map[string]string{
		"ABCD-EFGH": "ABCDEFGH", "abcd efgh": "ABCDEFGH", " a b c d e f g h ": "ABCDEFGH", "oOiIlL00": "00111100", "ABCD\u2011EFGH": "ABCDEFGH",
	} {
		if got, ok := normalBase32(typed); !ok || got != want {
			t.Errorf("%q reads as %q, %v; want %q", typed, got, ok, want)
		}
	}
	for _, typed := range []string{"", "ABCD-EFG", "ABCDEFGHJ", "ABCD-EFGU", "ABCDEFG€", strings.Repeat("A", 1000)} {
		if got, ok := normalBase32(typed); ok {
			t.Errorf("%q reads as %q, want nothing", typed, got)
		}
	}
	for typed, want := range map[string]string{"1234 5678 90": "1234567890", "12-34-56-78": "12345678"} {
		if got, ok := normalDigits(typed); !ok || got != want {
			t.Errorf("%q reads as %q, %v; want %q", typed, got, ok, want)
		}
	}
	for _, typed := range []string{"", "1234567", "123456789", "12345678901", "1234567a", "１２３４５６７８"} {
		if got, ok := normalDigits(typed); ok {
			t.Errorf("%q reads as %q, want nothing", typed, got)
		}
	}
}

func TestAnAnswerThatCannotBeOneIsAnInputError(t *testing.T) {
	for name, m := range methods(t) {
		o, _ := begin(t, m, proofing.Beginning{Attempt: "a"})
		err := judge(m, o.State, proofing.Answer{Attempt: "a", Code: "nonsense!"})
		if input, ok := errors.AsType[*proofing.InputError](err); !ok || input.Code != "code_malformed" {
			t.Errorf("%s: %v, want code_malformed", name, err)
		}
	}
}

func TestEMailAddresses(t *testing.T) {
	m := methods(t)["email"]
	for typed, want := range map[string]string{
		"applicant@example.org": "applicant@example.org", "  applicant@EXAMPLE.org ": "applicant@example.org", "Some.One+tag@example.org.": "Some.One+tag@example.org",
		"a@bücher.example": "a@xn--bcher-kva.example",
	} {
		c, err := m.Check(typed)
		if err != nil || c.Address.Reveal() != want {
			t.Errorf("%q: %q, %v; want %q", typed, c.Address.Reveal(), err, want)
		}
		if strings.Contains(c.Shown, want) {
			t.Errorf("%q is shown whole", typed)
		}
	}
	for typed, code := range map[string]string{
		"": "email_malformed", "applicant": "email_malformed", "@example.org": "email_malformed", "a@": "email_malformed",
		"a@b@example.org": "email_malformed", "a..b@example.org": "email_malformed", `"a b"@example.org`: "email_malformed",
		"a@example.org\r\nBcc: b@example.org": "email_malformed", "a\r\nBcc:b@example.org": "email_malformed", "a<b>@example.org": "email_malformed",
		"a@localhost": "email_domain", "a@exa mple.org": "email_domain", "a@-example.org": "email_domain", "a@[127.0.0.1]": "email_domain", "a@127.0.0.1": "email_domain", "a@example..org": "email_domain",
		strings.Repeat("a", 65) + "@example.org":                                               "email_malformed",
		strings.Repeat("a", 60) + "@" + strings.Repeat(strings.Repeat("b", 60)+".", 4) + "org": "email_too_long",
	} {
		_, err := m.Check(typed)
		if input, ok := errors.AsType[*proofing.InputError](err); !ok || input.Code != code {
			t.Errorf("%q: %v, want %s", typed, err, code)
		}
	}
}

func TestNumbers(t *testing.T) {
	m := methods(t, "GB", "DE", "US", "FR")["sms"]
	for typed, want := range map[string]struct {
		e164, country string
		line          proofing.LineType
	}{
		"+44 7400 123456":    {"+447400123456", "GB", proofing.LineMobile},
		"0044 7400 123456":   {"+447400123456", "GB", proofing.LineMobile},
		"+49 (1512) 3456789": {"+4915123456789", "DE", proofing.LineMobile},
		"+1 415 555 0100":    {"+14155550100", "US", proofing.LineUnknown},
		"+44 56 1234 5678":   {"+445612345678", "GB", proofing.LineVoIP},
	} {
		c, err := m.Check(typed)
		if err != nil {
			t.Errorf("%q: %v", typed, err)
			continue
		}
		if c.Address.Reveal() != want.e164 || c.Country != want.country || c.LineType != want.line {
			t.Errorf("%q: %q %q %q, want %v", typed, c.Address.Reveal(), c.Country, c.LineType, want)
		}
		if strings.Contains(strings.ReplaceAll(c.Shown, " ", ""), want.e164[4:9]) {
			t.Errorf("%q is shown as %q", typed, c.Shown)
		}
	}
	for typed, code := range map[string]string{
		"": "number_not_international", "07400 123456": "number_not_international", "+": "number_malformed", "+44": "number_malformed", "+44 abc": "number_malformed",
		"+999 123 4567": "number_malformed", "+44 7400": "number_invalid", "+39 312 345 6789": "number_country",
		"+44 909 8790123": "number_premium", "+49 180 5 123456": "number_shared_cost", "+49 30 123456": "number_fixed", "+1 800 234 5678": "number_not_sms",
		"+44 7400 123456 ext. 5": "number_malformed", strings.Repeat("1", 100): "number_malformed",
	} {
		_, err := m.Check(typed)
		if input, ok := errors.AsType[*proofing.InputError](err); !ok || input.Code != code {
			t.Errorf("%q: %v, want %s", typed, err, code)
		}
	}
}

func TestNoCountryIsAllowedUntilOneIsConfigured(t *testing.T) {
	_, err := methods(t)["sms"].Check("+447400123456")
	if input, ok := errors.AsType[*proofing.InputError](err); !ok || input.Code != "number_country" {
		t.Errorf("got %v, want number_country", err)
	}
}

func TestWithOneCountryNumbersMayBeNational(t *testing.T) {
	c, err := methods(t, "GB")["sms"].Check("07400 123456")
	if err != nil || c.Address.Reveal() != "+447400123456" {
		t.Errorf("got %q, %v", c.Address.Reveal(), err)
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range []string{"applicant@example.org", "+447400123456", "a@bücher.example", "+1 415 555 0100 x3", "\x00@\xff.org"} {
		f.Add(s)
	}
	ms := methods(f, "GB", "DE", "US")
	f.Fuzz(func(t *testing.T, s string) {
		for name, m := range ms {
			c, err := m.Check(s)
			if err != nil {
				continue
			}
			again, err := m.Check(c.Address.Reveal())
			if err != nil || again != c {
				t.Errorf("%s: the canonical form of %q is not canonical: %v, %v", name, s, again.Address.Reveal(), err)
			}
			if strings.ContainsAny(c.Address.Reveal()+c.Shown, "\r\n\x00<>\"") {
				t.Errorf("%s: %q leaves dangerous characters", name, s)
			}
		}
	})
}
