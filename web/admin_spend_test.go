package web

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

func TestWhoRunsAnAuthoritySeesWhatItSpends(t *testing.T) {
	c := newCourt(t)
	c.svc.Policy.Countries = []string{"GB"}
	c.svc.Policy.Brake = proofing.DefaultBrake()
	operator := c.seat("operator", proofing.RoleOperator, "example", "")
	page := operator.get("/admin/spend")
	c.want(page, 200, "No text message has gone out this month.", "Today and this month", "None is braked now.", "whoever operates the service can lift it")
	for _, not := range []string{"The service itself", "limits brake lift", "Other CA"} {
		if strings.Contains(page.Body.String(), not) {
			t.Errorf("an operator is shown %q", not)
		}
	}
	if _, err := c.svc.Authorities.Update(t.Context(), c.svc.AuthorityID("example"), func(a *proofing.Authority) error {
		a.DailyMessages = 2
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	c.asks(c.open("server", "dns", "mail.example.com"), "a.person@example.net")
	c.asks(c.open("server", "dns", "www.example.com"), "b.person@example.net")
	c.want(operator.get("/admin/spend/example"), 200, "2 of 2", "The budget of today is used up")
	c.want(c.one.get("/admin/spend/other"), 200, "0 of 5000", "2 of 2", "Other CA", `href="/admin/spend/-"`, "All of them, today")
	c.want(c.one.get("/admin/spend/-"), 200, "What the service itself has used", "limits.ca_messages_day")
	c.want(c.one.get("/admin/spend?lang=de"), 200, "Ausgaben", "Der Dienst selbst")
}

func TestNothingOfWhatIsSpentIsSeenByOthers(t *testing.T) {
	c := newCourt(t)
	people := c.strangers()
	get := func(path string) func(m *colleague) *httptest.ResponseRecorder {
		return func(m *colleague) *httptest.ResponseRecorder { return m.get(path) }
	}
	run := everybody(200, "operator", "administrator", "away")
	c.hold(people, "This month", []call{
		{"what the authority spends", get("/admin/spend/example"), run},
		{"what another one spends", get("/admin/spend/other"), everybody(200, "other operator", "administrator")},
		{"what none spends", get("/admin/spend/nowhere"), nil},
		{"what the service spends", get("/admin/spend/-"), everybody(200, "administrator")},
	})
	for who, m := range people {
		sees := run[who] == 200 || who == "other operator"
		if w := m.get("/admin/spend"); (w.Code == 200) != sees || strings.Contains(w.Body.String(), "This month") != sees {
			t.Errorf("%s: %d at the page without a name", who, w.Code)
		}
		if nav := m.get("/admin").Body.String(); strings.Contains(nav, `href="/admin/spend"`) != sees {
			t.Errorf("%s is led to spend: wrong", who)
		}
	}
}
