package proofing_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// withTaken makes a person who has proved by a passkey and then by a number what a profile asks for that either carries, or the passkey alone, and whose key
// for an account waits. Take takes the passkey away.
func withTaken(t *testing.T, need int, grace time.Duration) (w *world, c *proofing.Case, k *proofing.Key, take func()) {
	t.Helper()
	w = withPasskeys(t)
	w.ca.Directories, w.ca.NewAccounts = []string{"https://ca.example/acme/directory"}, []string{newAccount}
	must[*proofing.Authority](t)(w.Authorities.Update(context.WithoutCancel(t.Context()), w.ca.ID, func(have *proofing.Authority) error {
		have.Directories, have.NewAccounts = w.ca.Directories, w.ca.NewAccounts
		return nil
	}))
	either := *w.Policy.Profiles["strong"]
	either.Name, either.Recheck.Grace = "either", grace
	either.Require = proofing.Requirement{AAL: need, ConfirmedAddresses: []proofing.Channel{proofing.ChannelEmail, proofing.ChannelPhone}}
	w.Policy.Profiles["either"] = &either
	w.ca.Profiles = append(w.ca.Profiles, "either")

	key, lost := webauthntest.New(), webauthntest.New()
	session := w.signUp(key)
	must[*proofing.Case](t)(w.enrol(ownVisit(session), lost))
	w.prove(session, "b", "sms", "+447400123456")
	w.pass(time.Hour)
	r := request("either")
	r.Identifier.Value, r.Applicant = "applicant@example.org", proofing.Applicant{Kind: proofing.ByNobody}
	c, _, err := w.Open(t.Context(), w.ca, r)
	if err != nil {
		t.Fatal(err)
	}
	must[*proofing.Case](t)(w.use(visit(c, "b"), lost))
	w.work()
	w.prove(c, "b", "sms", "+447400123456")
	if c = w.prove(c, "b", "email", ""); c.Status != proofing.CaseGranted || aal(c) != 2 {
		t.Fatalf("the case is %s at AAL %d", c.Status, aal(c))
	}
	session = w.signIn(key)
	return w, c, w.caseKey(c), func() {
		t.Helper()
		if err := w.Remove(t.Context(), ownVisit(session), w.bindingOf(session, c.Evidence[0]).ID); err != nil {
			t.Fatal(err)
		}
	}
}

// said is what a statement about a case says that is signed now.
func (w *world) said(c *proofing.Case) map[string]any {
	w.t.Helper()
	signer := &witness{}
	w.Signer = signer
	w.state(c)
	if len(signer.claims) != 1 {
		w.t.Fatalf("signed were %d statements", len(signer.claims))
	}
	return signer.claims[0]
}

func TestAStatementNamesTheMethodsOfWhatIsLeft(t *testing.T) {
	w, c, _, take := withTaken(t, 1, 0)
	if got := w.said(c)["amr"].([]string); !slices.Contains(got, "sms") || !slices.Contains(got, "user") {
		t.Fatalf("before anything is taken away it names %v", got)
	}
	take()
	got := w.said(c)
	if amr := got["amr"].([]string); !slices.Contains(amr, "sms") || slices.Contains(amr, "user") {
		t.Errorf("it names %v", amr)
	}
	if acr := got["acr"].(string); !strings.HasSuffix(acr, ":aal-1") {
		t.Errorf("it says %s", acr)
	}
}
