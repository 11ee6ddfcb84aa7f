package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/countersign-id/countersign/proofing"
)

// Who is sent to sign in, or to confirm who they are, comes back to the page of the console that they wanted. Where that is stands in a
// cookie of the browser, because signing in leads over many pages.

// backAge is how long somebody may be underway, in seconds: as long as a sign-in may take.
const backAge = 60 * 60

func (s *Site) backName() string {
	if s.secure {
		return "__Host-back"
	}
	return "back"
}

// comeBackTo remembers a page of the console; anything else is not remembered.
func (s *Site) comeBackTo(w http.ResponseWriter, path string) {
	if !ofConsole(path) {
		return
	}
	http.SetCookie(w, &http.Cookie{Name: s.backName(), Value: path, Path: "/", MaxAge: backAge, Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// goBack is the page that the browser wanted, once; empty if it wanted none.
func (s *Site) goBack(w http.ResponseWriter, r *http.Request) string {
	c, err := r.Cookie(s.backName())
	if err != nil {
		return ""
	}
	http.SetCookie(w, &http.Cookie{Name: s.backName(), Path: "/", MaxAge: -1, Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	if !ofConsole(c.Value) {
		return ""
	}
	return c.Value
}

// joins says whether the browser wanted to take up a role. Who does has perhaps nothing here yet.
func (s *Site) joins(r *http.Request) bool {
	c, err := r.Cookie(s.backName())
	return err == nil && strings.HasPrefix(c.Value, proofing.JoinPath)
}

// ofConsole says whether a path is one of the console's. What comes from a browser may be anything, and must not lead elsewhere.
func ofConsole(path string) bool {
	if path != proofing.AdminPath && !strings.HasPrefix(path, proofing.AdminPath+"/") || strings.Contains(path, "..") {
		return false
	}
	return !strings.ContainsFunc(path, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("/._-", c))
	})
}

// pageOf is the page of the console that a request is about: of a form, the page that it stands on.
func pageOf(r *http.Request) string {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return r.URL.Path
	}
	if id := r.PathValue("case"); id != "" {
		return adminCasePath(id)
	}
	if id := r.PathValue("organization"); id != "" {
		return organizationPath(id)
	}
	if id := r.PathValue("appointment"); id != "" {
		return personPath(id)
	}
	if id := r.PathValue("proposal"); id != "" {
		return policyPath(id)
	}
	if r.PathValue("authority") != "" { // /admin/<page>/<authority>/ … /<what is done>
		parts := strings.Split(r.URL.Path, "/")
		return strings.Join(parts[:len(parts)-1], "/")
	}
	if r.PathValue("role") != "" {
		return r.URL.Path
	}
	if ref := r.PathValue("ref"); ref != "" {
		return proofing.JoinPath + url.PathEscape(ref)
	}
	return proofing.AdminPath
}

// confirmLink is where somebody confirms with a passkey that it is them, and comes back to a page of the console.
func (s *Site) confirmLink(r *http.Request, back string) string {
	return s.path(r, mePath, "method", "fido", "to", back)
}
