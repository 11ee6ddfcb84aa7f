package web

import (
	"net/http"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

func TestThePageOfAFrozenRequestLetsItsPersonGiveItBack(t *testing.T) {
	h, ada, bob := atDesk(t)
	h.svc.Policy.Profiles["proofed"].Require = proofing.Requirement{ConfirmedAddresses: []proofing.Channel{proofing.ChannelEmail}}
	c, _, err := h.svc.Open(t.Context(), h.ca, proofing.OpenRequest{
		Applicant: proofing.Applicant{Kind: proofing.ByNobody}, Identifier: proofing.Identifier{Type: "email", Value: "ada@example.org"}, Profile: "proofed",
	})
	if err != nil {
		t.Fatal(err)
	}
	page := path(c.CaseURL(origin))
	h.wait(time.Second)
	ada.get(page)
	ada.prove(c, "email", "ada@example.org")
	hides(t, ada.get(page), page+"/restore")
	h.want(ada.post(path(c.DisownURL(origin)), "sure", "yes"), http.StatusSeeOther)
	h.work()

	const button, first = "It was me: go on", "For that, sign in or confirm"
	h.want(h.browser().get(page), 200, "The request is frozen", "You can also give it back yourself", first, `href="/me"`)
	h.want(bob.get(page), 200, first)
	for _, b := range []*browser{h.browser(), bob.browser} {
		hides(t, b.get(page), button)
		b.post(page + "/restore")
	}
	h.wait(11 * time.Minute)
	hides(t, ada.get(page), button)
	ada.follow(ada.post(page + "/restore"))
	hides(t, ada.get(page), button)
	mine := ada.session()
	ada.passkey("/c/"+mine.ID+"."+mine.LinkSecret.Reveal(), "begin")
	h.want(ada.get(page), 200, "The request is frozen", button)
	if got, err := h.svc.Get(t.Context(), h.ca, c.ID); err != nil || got.Frozen == nil {
		t.Fatalf("whoever may not has given it back: %v", err)
	}
	h.want(ada.post(page+"/restore"), http.StatusSeeOther)
	h.want(ada.get(page), 200, "Done: your proof is recorded")
	h.work()
	if m := h.sent.last(); m.Kind != "given_back" || m.To.Reveal() != "ada@example.org" {
		t.Errorf("the last message is %s", m.Kind)
	}

	// Said once more, it is for the operator.
	h.want(ada.post(path(c.DisownURL(origin)), "sure", "yes"), http.StatusSeeOther)
	hides(t, ada.get(page), "give it back yourself")
	ada.told(ada.post(page+"/restore"), 200, "You cannot give this back yourself")
}
