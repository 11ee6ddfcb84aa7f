package web

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

func TestAPersonSeesTheirKeysAndEndsOne(t *testing.T) {
	h, ada, bob := atDesk(t)
	h.svc.Policy.Profiles["proofed"].Require = proofing.Requirement{ConfirmedAddresses: []proofing.Channel{proofing.ChannelEmail}}
	c, _, err := h.svc.Open(t.Context(), h.ca, proofing.OpenRequest{
		Applicant: proofing.Applicant{Kind: proofing.ByNobody}, Identifier: proofing.Identifier{Type: "email", Value: "ada@example.org"}, Profile: "proofed",
	})
	if err != nil {
		t.Fatal(err)
	}
	directories := func(urls ...string) {
		if _, err := h.svc.Authorities.Update(t.Context(), h.ca.ID, func(ca *proofing.Authority) error {
			ca.Directories = urls
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	directories("https://ca.example/directory")
	page := path(c.CaseURL(origin))
	ada.get(page)
	ada.prove(c, "email", "ada@example.org")
	kid := regexp.MustCompile(`data-kid>([a-z0-9]+)<`).FindStringSubmatch(ada.post(page + "/key").Body.String())
	if kid == nil {
		t.Fatal("no key was shown")
	}
	h.want(ada.get("/me?keys=show"), 200, "Your keys for ACME clients", kid[1], "No account is registered with it yet.", "End this key")
	hides(t, ada.get("/me?keys=show"), "data-hmac")
	hides(t, bob.get("/me?keys=show"), kid[1])
	hides(t, ada.get("/me?keys=show"), "https://ca.example/directory") // of one that is all there is nobody needs to read
	directories("https://ca.example/directory", "https://ca.example/staging")
	h.want(ada.get("/me?keys=show"), 200, "https://ca.example/directory")

	h.want(bob.post("/me/keys/end", "kid", kid[1]), http.StatusNotFound)
	h.wait(11 * time.Minute)
	h.want(ada.post("/me/keys/end", "kid", kid[1]), http.StatusForbidden)
	k, err := h.svc.Key(t.Context(), h.ca.Name, kid[1])
	if err != nil || k.Status(h.now()) != proofing.KeyActive {
		t.Fatalf("whoever may not has ended it: %+v, %v", k, err)
	}
	mine := ada.session()
	ada.passkey("/c/"+mine.ID+"."+mine.LinkSecret.Reveal(), "begin")
	h.want(ada.post("/me/keys/end", "kid", kid[1]), http.StatusSeeOther)
	h.want(ada.post("/me/keys/end", "kid", kid[1]), http.StatusSeeOther)
	hides(t, ada.get("/me?keys=show"), "End this key")
	if k, err = h.svc.Key(t.Context(), h.ca.Name, kid[1]); err != nil || k.Reason != "person_ended" {
		t.Errorf("the key is %+v, %v", k, err)
	}
}

// hides holds that a page does not have some words.
func hides(t *testing.T, w *httptest.ResponseRecorder, words string) {
	t.Helper()
	if strings.Contains(w.Body.String(), words) {
		t.Errorf("%q is shown in:\n%s", words, w.Body)
	}
}
