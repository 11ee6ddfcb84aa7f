package web

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

func TestWhatNobodyCouldBeRemindedOfIsSaidWhereItIsLookedFor(t *testing.T) {
	c := newCourt(t)
	k := c.submitted("signing")
	cert := c.disowned(k, "1", "O=Example <Corporation>")
	pages := []string{"/admin/organizations/" + c.org.ID, "/admin/people/" + c.office[c.approver].ID, adminCasePath(k.ID)}
	look := func(said bool) {
		t.Helper()
		for _, page := range pages {
			c.one.renew()
			got := c.one.get(page)
			c.want(got, 200)
			if has := strings.Contains(got.Body.String(), "Nobody could be reminded of this"); has != said {
				t.Errorf("%s says it: %v, want %v", page, has, said)
			}
		}
	}
	look(false)
	_, err := c.svc.Dossiers.Update(t.Context(), c.org.ID, func(o *proofing.Organization) error {
		o.Items = append(o.Items, proofing.Item{ID: "i1", Kind: proofing.ItemLegalName, Value: orgName, Outcome: proofing.OutcomeGood, CollectedAt: c.now()})
		o.PutOff.Nobody = []string{"i1"}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.svc.Appointments.Update(t.Context(), c.office[c.approver].ID, func(a *proofing.Appointment) error {
		a.Until = c.now().Add(20 * 24 * time.Hour).UTC()
		a.PutOff.Nobody = []string{fmt.Sprintf("term.%013d.30d", a.Until.UnixMilli())}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, err = c.svc.Certificates.Update(t.Context(), cert.ID, func(x *proofing.Certificate) error {
		x.PutOff.Nobody = []string{"30d"}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	look(true)
}
