package proofing_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/proofing"
)

// Two administrators have signed what they approved; names in the log are no approval, and no old word is one.
func TestAPolicyIsInForceByWhatAdministratorsSigned(t *testing.T) {
	t.Parallel()
	const freePolicy = `{"profiles":{"signing":{"approvals":"1","approve":"pre-authorized"}}}`
	puts := func(c *court) {
		c.forges = true
		if err := edit(c.PolicyBooks, c.book().ID, func(b *proofing.PolicyBook) {
			b.Journal.Write(proofing.Note{
				Of: proofing.SubjectPolicy, Object: b.ID, Kind: proofing.PolicyIsInForce, By: proofing.ByService, At: c.clock(),
				Facts: map[string]any{"digest": proofing.PolicyDigest(freePolicy)}, Private: map[string]any{"text": freePolicy},
			})
		}); err != nil {
			t.Fatal(err)
		}
		c.logged()
	}
	approves := func(c *court, r *representative) { must[*proofing.PolicyBook](t)(r.decidesPolicy(false)) }
	for name, x := range map[string]struct {
		story func(c *court)
		want  string
	}{
		"two have": {func(c *court) {
			c.offers(freePolicy)
			approves(c, c.one)
			approves(c, c.two)
		}, ""},
		"invented names have": {func(c *court) {
			c.offers(freePolicy)
			if err := edit(c.PolicyBooks, c.book().ID, func(b *proofing.PolicyBook) {
				for _, name := range []string{"x", "y"} {
					b.Journal.Write(proofing.Note{
						Of: proofing.SubjectPolicy, Object: b.ID, Kind: proofing.PolicyIsDecided, By: proofing.Actor{Kind: "person", ID: name}, At: c.clock(),
						Facts: map[string]any{"decision": proofing.DecideApprove, "digest": proofing.PolicyDigest(freePolicy)},
					})
				}
			}); err != nil {
				t.Fatal(err)
			}
			puts(c)
		}, "and 0 have approved it"},
		"one has, eight days before the other": {func(c *court) {
			c.offers(freePolicy)
			approves(c, c.one)
			c.pass(8 * 24 * time.Hour)
			if err := edit(c.PolicyBooks, c.book().ID, func(b *proofing.PolicyBook) { b.Proposed.Decisions[0].At = c.clock() }); err != nil {
				t.Fatal(err)
			}
			approves(c, c.two)
		}, "and 1 have approved it"},
		"one has, and is none any more": {func(c *court) {
			three, third := c.holds("three", c.one, c.two, draft(proofing.RoleAdministrator, "", ""))
			c.pass(11 * time.Minute)
			c.offers(freePolicy)
			approves(c, three)
			c.two.renew()
			must[*proofing.Appointment](t)(c.SuspendAppointment(t.Context(), c.two.visit(), third.ID, "lost"))
			c.forges = true
			if err := edit(c.Appointments, third.ID, func(a *proofing.Appointment) { a.Status = proofing.AppointmentActive }); err != nil {
				t.Fatal(err)
			}
			c.pass(2 * time.Minute)
			approves(c, c.two)
		}, "and 1 have approved it"},
		"another one has refused it": {func(c *court) {
			c.offers(freePolicy)
			approves(c, c.one)
			must[*proofing.PolicyBook](t)(c.two.decidesPolicy(true))
			if err := edit(c.PolicyBooks, c.book().ID, func(b *proofing.PolicyBook) { b.Settled[len(b.Settled)-1].Outcome = proofing.PolicyApproved }); err != nil {
				t.Fatal(err)
			}
			puts(c)
		}, "and 0 have approved it"},
	} {
		t.Run(name, func(t *testing.T) {
			c, tree := governed(t, evPolicy)
			x.story(c)
			c.Policy.Text, c.Policy.Digest = freePolicy, proofing.PolicyDigest(freePolicy)
			k := c.granted()
			e, err := c.fileOf(tree, k)
			if x.want != "" {
				if err == nil || !strings.Contains(err.Error(), x.want) {
					t.Errorf("%v, want %q", err, x.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			key, _ := logKey(t, tree)
			f := &forger{t, tree, key, must[[]byte](t)(e.Text())}
			for name, edit := range map[string]func(e *audit.Evidence){
				"without one": func(e *audit.Evidence) { e.Policies = e.Policies[1:] },
				"one twice":   func(e *audit.Evidence) { e.Policies[1] = e.Policies[0] },
				"with another's signature": func(e *audit.Evidence) {
					e.Policies[0].Signature.Signature = e.Policies[1].Signature.Signature
				},
			} {
				forged := f.whole()
				if edit(forged); len(e.Policies) != 2 || f.holds(forged) == nil {
					t.Errorf("%d approvals; %s it holds", len(e.Policies), name)
				}
			}
		})
	}
}
