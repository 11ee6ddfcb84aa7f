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

// orderedBy is what the account is told that is bound by the key.
func (w *world) orderedBy(k *proofing.Key) proofing.Authorization {
	w.t.Helper()
	must[*proofing.VerifiedKey](w.t)(w.VerifyKey(w.t.Context(), w.ca, present(k, 1)))
	return w.orders("either", accountKey(1))
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

// What an account has by the key of a proof claims no more than the proof does itself: also where its person takes something away while the case is being opened.
func TestWhatIsProvedByAKeyClaimsNothingOfWhatWasTakenAway(t *testing.T) {
	for _, meanwhile := range []bool{false, true} {
		w, c, k, take := withTaken(t, 1, 0)
		if meanwhile {
			w.Cases = &beforeCreate[proofing.Case]{w.Cases, take}
		} else {
			take()
		}
		got := w.orderedBy(k)
		if got.Problem != "" || got.Case.EABKid != k.Kid || got.Case.ID == c.ID {
			t.Fatalf("the account is told %+v", got)
		}
		if a := got.Case.Grant.Assessment; a.AAL == nil || *a.AAL != 1 || a.PhishingResistant {
			t.Errorf("taken away meanwhile %v: what it is told claims %+v", meanwhile, a)
		}
		if amr := w.said(got.Case)["amr"].([]string); slices.Contains(amr, "user") {
			t.Errorf("taken away meanwhile %v: the statement names %v", meanwhile, amr)
		}
		if stored := w.reload(got.Case); len(stored.Taken) != 1 || !meanwhile && aal(stored) != 1 {
			t.Errorf("taken away meanwhile %v: it is stored at AAL %d without %+v", meanwhile, aal(stored), stored.Taken)
		} else if without := `"suspended":["` + c.Evidence[0].ID + `"]`; !meanwhile && !slices.ContainsFunc(stored.Journal.Pending, func(e proofing.Entry) bool { return strings.Contains(e.Leaf, without) }) {
			t.Error("the log does not say what counts for nothing in it")
		}
	}
}

// beforeCreate does something right before a record is created, once.
type beforeCreate[T any] struct {
	proofing.Table[T]
	do func()
}

func (b *beforeCreate[T]) Create(ctx context.Context, id string, v *T) error {
	if do := b.do; do != nil {
		b.do = nil
		do()
	}
	return b.Table.Create(ctx, id, v)
}

// In the grace of a proof its key still carries an account, and no longer than the proof goes on.
func TestWhatIsProvedByAKeyEndsWithTheGraceOfItsProof(t *testing.T) {
	const grace = 72 * time.Hour
	w, c, k, take := withTaken(t, 2, grace)
	end := w.clock().Add(grace)
	take()
	got := w.orderedBy(k)
	if got.Problem != "" || got.Case.ID == c.ID || got.Case.Grant.RecheckAfter.After(end) {
		t.Fatalf("the account is told %+v", got)
	}
	if a := got.Case.Grant.Assessment; a.AAL == nil || *a.AAL != 1 || a.PhishingResistant {
		t.Errorf("what it is told claims %+v", a)
	}
	if e := w.toldOf(got.Case); e.Status != proofing.CaseGranted || !e.Ends.Equal(end) || e.Reason != "authenticator_removed" {
		t.Errorf("the authority was told %+v", e)
	}
	if stored := w.reload(got.Case); stored.Ending == nil || !stored.Ending.At.Equal(end) || aal(stored) != 1 {
		t.Errorf("it is stored at AAL %d with %+v", aal(stored), stored.Ending)
	}
	w.pass(grace)
	w.work()
	if stored := w.reload(got.Case); stored.Status != proofing.CaseRevoked {
		t.Errorf("afterwards it is %s", stored.Status)
	}
}
