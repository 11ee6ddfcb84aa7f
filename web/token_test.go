package web

import (
	"html"
	"strings"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// Where the authority takes Authority Tokens, and the service makes them, the last page says how the account gets one: to the browser that has proved it, and to no other.
func TestTheLastPageShowsTheWayToAnAuthorityToken(t *testing.T) {
	h := newHouse(t)
	c := h.open("mail", "email", "ada@example.org")
	b, page := h.browser(), path(c.CaseURL(origin))
	b.get(page)
	b.prove(c, "email", "ada@example.org")
	none := func(what string, body string) {
		t.Helper()
		if strings.Contains(body, proofing.TokenPath) {
			t.Errorf("%s: the page leads to a token", what)
		}
	}
	h.site.tokens = true
	none("the authority takes none", b.get(page).Body.String())
	if _, err := h.svc.Authorities.Update(t.Context(), h.ca.ID, func(ca *proofing.Authority) error {
		ca.TokenTypes = []string{"email"}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	shown := b.get(page)
	h.want(shown, 200, origin+proofing.TokenPath, "tkauth-01")
	if text := html.UnescapeString(shown.Body.String()); !strings.Contains(text, `"tkvalue":"ada@example.org"`) || !strings.Contains(text, `"fingerprint":"SHA256 DD:9A:B1:`) || strings.Contains(text, "key above") {
		t.Errorf("the page is\n%s", text)
	}
	none("another browser", h.browser().get(page).Body.String())
	h.site.tokens = false
	none("the service makes none", b.get(page).Body.String())

	// Whoever has no account yet registers one first.
	h.site.tokens = true
	nobody, _, err := h.svc.Open(t.Context(), h.ca, proofing.OpenRequest{
		Applicant: proofing.Applicant{Kind: proofing.ByNobody}, Identifier: proofing.Identifier{Type: "email", Value: "ada@example.org"}, Profile: "mail",
	})
	if err != nil {
		t.Fatal(err)
	}
	page = path(nobody.CaseURL(origin))
	b.get(page)
	b.prove(nobody, "email", "ada@example.org")
	h.want(b.get(page), 200, origin+proofing.TokenPath, "Register your account with the key above first.", "SHA256 …")
	h.want(b.post(page+"/key"), 200, "data-hmac", origin+proofing.TokenPath)
}
