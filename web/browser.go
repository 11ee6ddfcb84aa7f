package web

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"

	"github.com/countersign-id/countersign/proofing"
)

// The browser's cookie is 128 random bits that name the browser and nothing else.
// What somebody asked for in one browser can then be told from what another
// one got by a forwarded link.
const (
	browserBytes = 16
	browserAge   = 90 * 24 * 60 * 60 // seconds; longer than any case is open
)

// cookieName carries the __Host- prefix wherever it can: no subdomain and no
// plain connection can then plant the cookie (RFC 6265bis 4.1.3.2).
func (s *Site) cookieName() string {
	if s.secure {
		return "__Host-countersign"
	}
	return "countersign"
}

// browser is the value of the cookie; empty if there is none, or none of ours.
func (s *Site) browser(r *http.Request) proofing.Secret {
	c, err := r.Cookie(s.cookieName())
	if err != nil {
		return ""
	}
	if b, err := base64.RawURLEncoding.DecodeString(c.Value); err != nil || len(b) != browserBytes {
		return ""
	}
	return proofing.Secret(c.Value)
}

// greet gives a browser its cookie with the first page it opens. Lax, because
// links in web mail come from another site.
func (s *Site) greet(w http.ResponseWriter, r *http.Request) {
	if s.browser(r) != "" {
		return
	}
	b := make([]byte, browserBytes)
	rand.Read(b)
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(), Value: base64.RawURLEncoding.EncodeToString(b), Path: "/", MaxAge: browserAge,
		Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// act is Serve for what somebody does in their session: the form is of a page that was drawn for it.
func (s *Site) act(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return s.actByLink(func(w http.ResponseWriter, r *http.Request) error {
		if !s.sealed(r) {
			return errNoSeal
		}
		return h(w, r)
	})
}

// actByLink is Serve for what changes something where the form's address is itself a secret that another site does not
// know, or the form has one in it. A scanner that submits forms brings no cookie from the page, and changes nothing.
func (s *Site) actByLink(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return s.Serve(func(w http.ResponseWriter, r *http.Request) error {
		if s.browser(r) == "" {
			return errNoCookie
		}
		if err := r.ParseForm(); err != nil {
			return formError(err)
		}
		return h(w, r)
	})
}

// look is Serve for a page of a person.
func (s *Site) look(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return s.Serve(func(w http.ResponseWriter, r *http.Request) error {
		s.greet(w, r)
		return h(w, r)
	})
}

// visit is the request as the service takes it.
func (s *Site) visit(r *http.Request) proofing.Visit {
	lang, _ := language(r)
	return proofing.Visit{Link: proofing.Secret(r.PathValue("ref")), Browser: s.browser(r), Client: s.client(r), Lang: lang}
}
