package web

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/countersign-id/countersign/templates"
)

// A form that must not be sent twice (a code costs a try, a message goes out) is answered with a redirect also where something is wrong
// with it, so that neither Reload nor Back sends it again. What is wrong stands in a cookie, whose name is in the address that the redirect
// leads to: only that page can tell it, in no other tab and in no other browser, and it tells it once.
//
// The cookie has codes alone, for which there are words; nothing that was typed is in it. A form whose text must not be lost (an address, a
// reason) is answered in its place instead: sent again, it says the same again.

const (
	saidQuery = "said"
	saidAge   = 60 // seconds until it is forgotten if nobody asks for it
	saidBytes = 9
)

func (s *Site) saidName(mark string) string {
	if s.secure {
		return "__Host-said-" + mark
	}
	return "said-" + mark
}

var (
	saidMark  = regexp.MustCompile(`^[A-Za-z0-9_-]{12}$`)
	saidValue = regexp.MustCompile(`^(error|input|limit)\.([a-z_]{1,40})\.([a-z_]{0,20})\.([0-9]{0,11})$`)
)

// tell leads to the page that says what is wrong. The page's path carries the language already. It names no place on the page: the field
// that is wrong has the focus, which a browser gives to it only if the address names none.
func (s *Site) tell(w http.ResponseWriter, path string, a answer) {
	b := make([]byte, saidBytes)
	rand.Read(b)
	mark, until := base64.RawURLEncoding.EncodeToString(b), ""
	if !a.until.IsZero() {
		until = strconv.FormatInt(a.until.Unix(), 10)
	}
	http.SetCookie(w, &http.Cookie{
		Name: s.saidName(mark), Value: a.problem.Family + "." + a.problem.Code + "." + a.field + "." + until, Path: "/", MaxAge: saidAge,
		Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	w.Header().Set("Location", with(path, saidQuery, mark))
	w.WriteHeader(http.StatusSeeOther)
}

// told is what was wrong with the form that led here, once; none if it was told before, or to somebody else. What a browser brings may be
// anything: what is no code of ours says nothing.
func (s *Site) told(w http.ResponseWriter, r *http.Request) mistake {
	m := mistake{method: r.URL.Query().Get("method")}
	mark := r.URL.Query().Get(saidQuery)
	if !saidMark.MatchString(mark) {
		return m
	}
	c, err := r.Cookie(s.saidName(mark))
	if err != nil {
		return m
	}
	http.SetCookie(w, &http.Cookie{Name: c.Name, Path: "/", MaxAge: -1, Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	parts := saidValue.FindStringSubmatch(c.Value)
	if parts == nil || !templates.Says(parts[1], parts[2]) {
		return m
	}
	a := answer{status: http.StatusOK, field: parts[3], problem: &templates.Problem{Family: parts[1], Code: parts[2]}}
	if at, err := strconv.ParseInt(parts[4], 10, 64); err == nil {
		a.until = time.Unix(at, 0).UTC()
		a.problem.Until, a.problem.Wait = a.until, s.until(a.until)
	}
	m.told = &a
	return m
}
