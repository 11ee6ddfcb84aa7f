package web

import (
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

func TestTwoWhoRunTheAuthorityGiveBackWhatWasFrozen(t *testing.T) {
	c := newCourt(t)
	c.collectAll()
	k := c.submitted("signing")
	people := c.strangers()
	if _, err := c.svc.Disown(t.Context(), proofing.Secret(k.ID+"."+k.Disown.Reveal())); err != nil {
		t.Fatal(err)
	}
	page := "/admin/cases/" + k.ID
	number := func() string {
		now, err := c.svc.Cases.Get(t.Context(), k.ID)
		if err != nil {
			t.Fatal(err)
		}
		return strconv.FormatInt(now.Journal.Written, 10)
	}
	restore := func(m *colleague) *httptest.ResponseRecorder {
		return m.post(page+"/restore", "number", number(), "reason", " ")
	}
	people["nobody"].get(page) // by which a browser gets its cookie
	may := everybody(422, "operator", "administrator")
	may["away"] = 403 // who has been away confirms first that it is them
	// An empty reason gets whoever may as far as that.
	c.hold(people, "made sure", []call{{"giving back", restore, may}, {"giving back from afar", func(m *colleague) *httptest.ResponseRecorder {
		return m.post("/admin/cases/"+k.ID+"x/restore", "number", "1")
	}, nil}})
	operator := people["operator"]
	for who, m := range people {
		sees := who == "operator" || who == "administrator" || who == "away"
		if body := m.get("/admin").Body.String(); strings.Contains(body, "Frozen by") != sees {
			t.Errorf("%s on the queue: wrong", who)
		}
		if body := m.get(page).Body.String(); strings.Contains(body, `action="`+page+`/restore"`) != (sees && who != "away") {
			t.Errorf("%s at the page: wrong", who)
		}
	}
	c.want(c.approver.get(page), 200, "This was not us", "two people who run the certificate authority give it back")
	c.want(operator.post(page+"/restore", "number", number(), "reason", "They <called>"), 303)
	c.want(operator.get(page), 200, "You have asked.", "They &lt;called&gt;")
	c.want(c.one.get("/admin"), 200, "Somebody asks that it be given back.")
	c.want(c.one.get(page), 200, "operator", "asks that it be given back", "Give it back")
	c.want(c.one.post(page+"/restore", "number", "1"), 422, "Give it back")
	c.want(c.one.post(page+"/restore", "number", number()), 303)
	if now, err := c.svc.Cases.Get(t.Context(), k.ID); err != nil || now.Frozen != nil || now.Status != proofing.CaseReview {
		t.Errorf("%v: it is not given back", err)
	}
	c.want(c.one.get(page+"/restore"), 303)
}
