package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// told follows a redirect to the page that says what is wrong, and reloads that page, which does not say it again.
func (b *browser) told(w *httptest.ResponseRecorder, status int, words ...string) {
	b.t.Helper()
	b.want(w, http.StatusSeeOther)
	to := w.Header().Get("Location")
	if !strings.Contains(to, "said=") || strings.Contains(to, "#") {
		b.t.Errorf("goes on at %q", to)
	}
	b.want(b.get(to), status, words...)
	if body := b.get(to).Body.String(); strings.Contains(body, `aria-invalid="true"`) || status == 200 && strings.Contains(body, words[0]) {
		b.t.Errorf("the page says %q again when it is loaded again:\n%s", words[0], body)
	}
}

func TestAWrongCodeIsToldOnceWhereItWasTypedAndSentOnce(t *testing.T) {
	h := newHouse(t)
	c := h.open("server", "dns", "www.example.com")
	b, page, wrong := h.browser(), path(c.CaseURL(origin)), "That is not the code."
	a, _ := b.begin(c, "email", "a@example.org")
	w := b.post(page+"/answer?lang=en", "attempt", a.ID, "code", "0000-0000")
	h.want(w, http.StatusSeeOther)
	to := w.Header().Get("Location")
	if !strings.HasPrefix(to, page+"?lang=en&method=email&said=") || strings.Contains(to+w.Header().Get("Set-Cookie"), "0000") {
		t.Errorf("goes on at %q with %q", to, w.Header().Get("Set-Cookie"))
	}
	tab := *b
	for who, body := range map[string]string{
		"another tab": tab.get(page).Body.String(), "another browser": h.browser().get(to).Body.String(), "another mark": tab.get(to + "A").Body.String(),
	} {
		if strings.Contains(body, wrong) {
			t.Errorf("%s is told", who)
		}
	}
	h.want(b.get(to), 200, wrong, "4 tries left.", `aria-invalid="true"`, "autofocus")
	if strings.Contains(b.cookie, "said") {
		t.Errorf("the mark stays: %s", b.cookie)
	}
	if strings.Contains(b.get(to).Body.String(), wrong) {
		t.Error("it is told again when the page is loaded again")
	}
	if left := h.current(c, "email").Tries; left != 4 {
		t.Errorf("%d tries are left", left)
	}
}

// What a browser brings is not ours: another's words, or none of ours, are not said.
func TestAMarkSaysNothingButWhatWeHaveWordsFor(t *testing.T) {
	h := newHouse(t)
	c := h.open("server", "dns", "www.example.com")
	b, page, mark := h.browser(), path(c.CaseURL(origin)), "AAAAAAAAAAAA"
	b.begin(c, "email", "a@example.org")
	as := func(mark, value string) string {
		b.keep(&http.Cookie{Name: h.site.saidName(mark), Value: value})
		return b.get(page + "?said=" + mark).Body.String()
	}
	plain := b.get(page).Body.String()
	for _, value := range []string{
		"", "error", "error.made_up..", "reason.configuration..", "input.code_malformed.code.x", "input.code_malformed.<b>.", "limit.codes..99999999999999999999", "error.wrong_answer..|",
	} {
		if got := as(mark, value); got != plain {
			t.Errorf("%q says:\n%s", value, got)
		}
	}
	if got := as("<script>", "error.blocked.."); got != plain {
		t.Errorf("a made up name says:\n%s", got)
	}
	if got := as(mark, "limit.cooldown..1795428060"); !strings.Contains(got, "A message has just gone out") { // so that the rest is no accident
		t.Errorf("a mark of ours says nothing:\n%s", got)
	}
}
