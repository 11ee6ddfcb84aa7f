package web

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strings"
)

// sealField is what every form of a session carries: what is posted has to come with an identifier of the session that
// only its pages know (SP 800-63B 7.1; SP 800-63B-4 5.1). The cookies alone would come with any form of any page.
const sealField = "seal"

const sealBytes = 16

// seal is the session's in that browser: a digest under the browser's secret, of which nothing is learnt about either cookie.
// It is of the session's id, not of its secret, which is another at every rise of its level: who authenticates again in one
// tab can send what they have written in another. It is empty without the browser's cookie.
func seal(browser, session string) string {
	if browser == "" {
		return ""
	}
	id, _, _ := strings.Cut(session, ".")
	mac := hmac.New(sha256.New, []byte(browser))
	mac.Write([]byte("form\x00" + id))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:sealBytes])
}

// sealed says whether a form came from a page of this session.
func (s *Site) sealed(r *http.Request) bool {
	want := seal(s.browser(r).Reveal(), s.session(r).Reveal())
	return want != "" && subtle.ConstantTimeCompare([]byte(r.PostForm.Get(sealField)), []byte(want)) == 1
}

// sealFor is the seal of what the browser will send next: the answer itself may have given it its cookies, or new ones.
func (s *Site) sealFor(w http.ResponseWriter, r *http.Request) string {
	browser, session := s.browser(r).Reveal(), s.session(r).Reveal()
	for _, c := range (&http.Response{Header: w.Header()}).Cookies() {
		switch c.Name {
		case s.cookieName():
			browser = c.Value
		case s.sessionName():
			session = c.Value
		}
	}
	return seal(browser, session)
}

var (
	formTag = []byte(`<form method="post"`)
	formEnd = []byte(`</form>`)
)

// withSeal is a drawn page with the seal in every form that is posted. No form can be forgotten so; and nothing that a
// page shows can look like a form of its own, because it is escaped.
func withSeal(page []byte, seal string) []byte {
	if seal == "" {
		return page
	}
	field := []byte(`<input type="hidden" name="` + sealField + `" value="` + seal + `">`)
	var b bytes.Buffer
	b.Grow(len(page) + 16*len(field))
	for {
		at := bytes.Index(page, formTag)
		if at < 0 {
			break
		}
		end := bytes.Index(page[at:], formEnd)
		if end < 0 {
			break
		}
		b.Write(page[:at+end])
		b.Write(field)
		page = page[at+end:]
	}
	b.Write(page)
	return b.Bytes()
}
