package web

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

func TestWhoComesBackToARequestSeesWhatHasChanged(t *testing.T) {
	c := newCourt(t)
	c.collectAll()
	k := c.submitted("signing2")
	page := "/admin/cases/" + k.ID
	c.approver.renew()
	if body := c.approver.get(page).Body.String(); strings.Contains(body, "What has changed since") || strings.Contains(body, "Nothing has changed since") {
		t.Error("something is new to somebody who looks for the first time")
	}
	c.wait(time.Minute)
	c.want(c.approver.get(page), 200, "Nothing has changed since you last looked")
	form := formOf(c.approver.get(page).Body.String(), "approve")
	c.wait(time.Minute)
	c.item(proofing.ItemDraft{Kind: proofing.ItemPlace, Value: "Another <Street> 2", SourceKind: proofing.SourceLetter})
	changed := []string{"What has changed since", "Place of business", "recorded anew:", "Another &lt;Street&gt; 2", "specialist"}
	// What was made of the old dossier decides nothing, and the page says what is new.
	c.want(c.approver.post(page+"/decide", form...), 422, append(changed, "has changed since")...)
	for range 2 { // and it stays so when the page is loaded again
		c.want(c.approver.get(page), 200, changed...)
		c.wait(10 * time.Minute)
	}
	c.approver.renew()
	c.decides(c.approver, k, "approve", "")
	if body := c.approver.get(page).Body.String(); strings.Contains(body, "What has changed since") {
		t.Error("what they have seen and decided on is new to them")
	}
	c.wait(time.Hour)
	c.approver.renew()
	c.item(proofing.ItemDraft{Kind: proofing.ItemOperational, Value: "since 2020", SourceKind: proofing.SourceLetter})
	c.want(c.approver.get(page), 200, "since 2020", "The dossier has changed since: this was signed for what it said then.")
	// Another browser of the same person knows when they last did something; somebody who has done nothing is told of nothing.
	cookie := c.approver.cookie
	c.approver.cookie = strings.Join(deleted(strings.Split(cookie, "; "), "looked"), "; ")
	body := c.approver.get(page).Body.String()
	if !strings.Contains(body, "What has changed since") || !strings.Contains(body, "since 2020") || strings.Contains(body, "Another &lt;Street") {
		t.Errorf("in another browser it says:\n%s", body)
	}
	c.reviewer.renew()
	if strings.Contains(c.reviewer.get(page).Body.String(), "What has changed since") {
		t.Error("it is new to somebody who has never looked")
	}
	// A cookie that somebody has tampered with shows the page all the same.
	for _, bad := range []string{"x", "a.b.c", "~~~", "a.zzzzzzzzzzzzzzzzzzzz.1", strings.Repeat("a.1.1~", 500)} {
		c.approver.cookie = cookie + "; __Host-countersign-looked=" + bad
		c.want(c.approver.get(page), 200)
	}
}

// deleted is a list without what has a word in it.
func deleted(all []string, word string) (left []string) {
	for _, s := range all {
		if !strings.Contains(s, word) {
			left = append(left, s)
		}
	}
	return left
}
