package proofing_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// checked is what a representative records of whom they have before them.
func checked() proofing.ProofingDraft {
	return proofing.ProofingDraft{
		Type:         proofing.OnsiteAttended,
		Pieces:       []proofing.IdentityPiece{{Strength: proofing.Strong, ValidatedStrength: proofing.Strong, GovernmentIdentifier: true, PortraitOrDigital: true}},
		Verification: proofing.IdentityVerification{Strength: proofing.Strong, Pathway: proofing.Biometric},
	}
}

// recovers starts a recovery for whoever has an address.
func (r *representative) recovers(address string) (*proofing.Case, error) {
	return r.w.StartRecovery(r.w.t.Context(), r.visit(), address, proofing.RecoveryCheck{Draft: checked(), Reference: "ledger 2026-17"})
}

// given is a code for the person with the applicant's address, to whose recovery two representatives have agreed.
func (w *world) given(one, two *representative) (*proofing.Case, proofing.Secret) {
	w.t.Helper()
	one.renew()
	two.renew()
	c := must[*proofing.Case](w.t)(one.recovers("applicant@example.org"))
	must[*proofing.Case](w.t)(w.ConfirmRecovery(w.t.Context(), two.visit(), c.ID, true, ""))
	c, code, err := w.GiveRecoveryCode(w.t.Context(), one.visit(), c.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return c, code
}

func (w *world) regain(code proofing.Secret) (*proofing.Case, error) {
	return w.Regain(w.t.Context(), proofing.Visit{Browser: "b", Client: "192.0.2.7", Lang: "en"}, code)
}

// Who has lost everything comes back by two representatives, without a level, and what they had before is worth nothing; what they add counts
// after a time in which all their addresses hear of it.
func TestWhoHasLostEverythingComesBackByTwoRepresentatives(t *testing.T) {
	w, one, two := atADesk(t)
	key, fresh := webauthntest.New(), webauthntest.New()
	owner := w.signUp(key)
	granted := w.reload(w.openFor("strong", "applicant@example.org", ""))
	w.prove(owner, "b", "email", "second@example.org")
	thiefs := w.signIn(key)
	one.renew()
	two.renew()
	c := must[*proofing.Case](t)(one.recovers("applicant@EXAMPLE.org"))
	if !c.Desk.Two || c.DeskState(w.clock()) != "waits" {
		t.Fatalf("an account at AAL2 is recovered by %+v, %s", c.Desk, c.DeskState(w.clock()))
	}
	w.work()
	if told := w.post.all("desk_recovery"); len(told) != 2 || told[0].Disown == "" {
		t.Fatalf("told were %+v", told)
	}
	_, _, err := w.GiveRecoveryCode(t.Context(), one.visit(), c.ID)
	wantInput(t, "a code before anybody else has agreed", err, "recovery_two")
	_, err = w.ConfirmRecovery(t.Context(), one.visit(), c.ID, true, "")
	wantInput(t, "who started it agrees", err, "record_reviewer")
	for range 2 {
		must[*proofing.Case](t)(w.ConfirmRecovery(t.Context(), two.visit(), c.ID, true, ""))
	}
	_, _, err = w.GiveRecoveryCode(t.Context(), two.visit(), c.ID)
	wantInput(t, "a code by who has nobody before them", err, "recovery_collector")
	_, code, err := w.GiveRecoveryCode(t.Context(), one.visit(), c.ID)
	if err != nil || len(strings.ReplaceAll(code.Reveal(), "-", ""))*5 < 112 {
		t.Fatalf("the code is %s, %v", code.Reveal(), err)
	}
	if got := w.authorized(granted); got != "" {
		t.Errorf("before anybody has come in the grant is %q", got)
	}
	_, err = w.regain("0000-0000-0000-0000-0000-0000")
	wantErr(t, "a made-up code", err, proofing.ErrWrongAnswer)

	in := must[*proofing.Case](t)(w.regain(proofing.Secret(strings.ToLower(code.Reveal()))))
	_, err = w.regain(code)
	wantErr(t, "the code twice", err, proofing.ErrWrongAnswer)
	if s := w.session(in); in.Person != owner.Person || s.Fresh || s.Case.Grant.Assessment.AAL != nil || s.MayStop {
		t.Errorf("they are in as %+v", s)
	}
	w.work()
	if told := w.post.all("desk_recovered"); len(told) != 2 {
		t.Errorf("of their coming in were told %+v", told)
	}
	if got := w.authorized(granted); got != "recovering" {
		t.Errorf("the grant is %q", got)
	}
	if _, err := w.Session(t.Context(), ownVisit(thiefs)); !errors.Is(err, proofing.ErrNotFound) {
		t.Errorf("a session from before goes on: %v", err)
	}
	_, err = w.use(ownVisit(w.openOwn()), key)
	wantInput(t, "what was lost", err, "authenticator_suspended")
	must[*proofing.Case](t)(w.enrol(ownVisit(in), fresh))
	_, err = w.use(ownVisit(w.openOwn()), fresh)
	wantInput(t, "what is new, at once", err, "authenticator_cooling")
	w.pass(25 * time.Hour)
	if s := w.session(w.signIn(fresh)); !s.Fresh || s.Person.ID != owner.Person {
		t.Errorf("what has cooled signs in to %+v", s)
	}
}

// Whoever asks about a number learns nothing by a wrong code of whether its owner was recovered in person, and spends a try; who has the right one hears that it
// signs nobody in, once.
func TestOnlyTheRightCodeSaysThatANumberIsSuspended(t *testing.T) {
	w, one, two := atADesk(t)
	owner := w.signUp(webauthntest.New())
	w.prove(owner, "b", "sms", "+447400123456")
	_, code := w.given(one, two)
	must[*proofing.Case](t)(w.regain(code))
	w.work()
	w.pass(time.Hour)
	c := w.openOwn()
	_, a, err := w.Begin(t.Context(), ownVisit(c), "sms", "+447400123456")
	if err != nil {
		t.Fatal(err)
	}
	w.work()
	right := w.codeFor(c, a)
	wrong := proofing.Secret(strings.Map(func(r rune) rune { return '0' + (r-'0'+1)%10 }, right.Reveal()))
	tries := a.Tries
	_, a, err = w.Answer(t.Context(), ownVisit(c), a.ID, wrong)
	if wantErr(t, "a wrong code", err, proofing.ErrWrongAnswer); a == nil || a.Tries != tries-1 {
		t.Fatalf("a wrong code leaves %+v, of %d tries", a, tries)
	}
	_, _, err = w.Answer(t.Context(), ownVisit(c), a.ID, right)
	wantInput(t, "the right code", err, "authenticator_suspended")
	_, _, err = w.Answer(t.Context(), ownVisit(c), a.ID, right)
	wantErr(t, "the right code again", err, proofing.ErrNoTries)
	if _, err := w.Session(t.Context(), ownVisit(c)); !errors.Is(err, proofing.ErrNotFound) {
		t.Errorf("a suspended number signs in: %v", err)
	}
}

// A recovery leads nobody into an office, and saved codes end with one at the desk.
func TestARecoveryEndsTheOfficeOfARepresentative(t *testing.T) {
	w, one, two := atADesk(t)
	three := w.representative("desk-3")
	must[[]proofing.Secret](t)(w.NewRecoveryCodes(t.Context(), three.visit()))
	one.renew()
	two.renew()
	c := must[*proofing.Case](t)(one.recovers("desk-3@example.org"))
	must[*proofing.Case](t)(w.ConfirmRecovery(t.Context(), two.visit(), c.ID, true, ""))
	_, code, err := w.GiveRecoveryCode(t.Context(), one.visit(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	must[*proofing.Case](t)(w.regain(code))
	if got, _, _ := w.entered(proofing.SubjectPerson, three.person()); len(got) == 0 || got[len(got)-1] != "representative_dismissed by service" {
		t.Errorf("the log has %q", got)
	}
	if p := must[*proofing.Person](t)(w.People.Get(t.Context(), three.person())); p.Representative != nil || len(p.Recovery) != 0 {
		t.Errorf("they are %+v with %d codes", p.Representative, len(p.Recovery))
	}
}

// proofedWithCodes is a person with a passkey and saved codes, whose identity two representatives have recorded and reviewed.
func (w *world) proofedWithCodes(one, two *representative, profile string, draft func(*proofing.Case) proofing.ProofingDraft) (person string, codes []proofing.Secret) {
	w.t.Helper()
	key := webauthntest.New()
	session := w.signUp(key)
	codes = w.codes(session)
	c := w.openFor(profile, "applicant@example.org", "")
	must[*proofing.Case](w.t)(w.use(visit(c, "b"), key))
	w.prove(c, "b", "email", "")
	w.prove(c, "b", "sms", "+447400123456")
	c = must[*proofing.Case](w.t)(w.AskForRepresentative(w.t.Context(), visit(c, "b")))
	one.renew()
	two.renew()
	must[*proofing.Case](w.t)(two.review(c, one.submit(c, draft(c)).ID, true, ""))
	return session.Person, codes
}

// A code does not give back an account whose person was proofed at IAL2 in revision 3 (SP 800-63B 6.1.2.3), whichever framework the service's own pages go by.
func TestInRevision3ACodeIsNotEnoughForWhoWasProofed(t *testing.T) {
	for _, x := range []struct {
		framework     proofing.Framework
		profile, want string
	}{{proofing.R3, "proofed3", "recovery_in_person"}, {proofing.R4, "proofed3", "recovery_in_person"}, {proofing.R4, "proofed", ""}} {
		w, one, two := atADesk(t)
		framework, want := x.framework, x.want
		w.Policy.Own.Framework = framework
		_, codes := w.proofedWithCodes(one, two, x.profile, passport)
		own := w.openOwn()
		w.prove(own, "b", "email", "applicant@example.org")
		_, _, err := w.Recover(t.Context(), ownVisit(own), codes[0])
		if want == "" && err != nil {
			t.Errorf("%s, %s: %v", framework, x.profile, err)
		}
		if want != "" {
			wantInput(t, string(framework), err, want)
		}
	}
}

// In revision 4 whoever was proofed at IAL3 and could authenticate at AAL3 comes back with a biometric comparison (SP 800-63B-4 4.2.2.3), and
// not by a code; one of the two alone does not ask for it.
func TestInRevision4ACodeIsNotEnoughForTheHighestAccounts(t *testing.T) {
	for name, x := range map[string]struct {
		ial3, aal3 bool
		want       string
	}{"both": {true, true, "recovery_in_person"}, "the identity alone": {true, false, ""}, "the authenticator alone": {false, true, ""}} {
		w, one, two := atADesk(t)
		w.Policy.Own.Framework = proofing.R4
		w.Policy.OperatorFacts.VerifierFIPS140Validated = true
		draft := passport
		if x.ial3 {
			draft = superior
		}
		person, codes := w.proofedWithCodes(one, two, "proofed", draft)
		if x.aal3 {
			must[*proofing.Person](t)(w.People.Update(t.Context(), person, func(p *proofing.Person) error {
				for i := range p.Bindings {
					if f := p.Bindings[i].Facts.WebAuthn; f != nil {
						f.Attestation = proofing.Attestation{
							Type: proofing.AttestationBasic, Trusted: true, KeyProtection: []proofing.KeyProtection{proofing.KeyHardware},
							FIPS140: proofing.FIPS140{Overall: 2, Physical: 3}, MDSFresh: true,
						}
					}
				}
				return nil
			}))
		}
		own := w.openOwn()
		w.prove(own, "b", "email", "applicant@example.org")
		_, _, err := w.Recover(t.Context(), ownVisit(own), codes[0])
		if x.want == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if x.want != "" {
			wantInput(t, name, err, x.want)
		}
	}
}

// Of an account at AAL1 with no identity behind it, one representative is enough.
func TestAnAccountWithoutALevelTakesOneRepresentative(t *testing.T) {
	w, one, _ := atADesk(t)
	c := w.openFor("email", "weak@example.org", "weak-key-weak-key-weak-key-weak-key-weak-ke")
	w.prove(c, "b", "email", "")
	one.renew()
	got := must[*proofing.Case](t)(one.recovers("weak@example.org"))
	if got.Desk.Two || got.DeskState(w.clock()) != "ready" {
		t.Errorf("it is %+v", got.Desk)
	}
}

func TestNobodyRecoversAnAccountWhoMayNot(t *testing.T) {
	w, one, two := atADesk(t)
	w.signUp(webauthntest.New())
	one.renew()
	two.renew()
	ctx := t.Context()
	_, err := one.recovers("desk-1@example.org")
	wantInput(t, "one's own", err, "recovery_own")
	_, err = one.recovers("nobody@example.org")
	wantInput(t, "nobody's", err, "recovery_nobody")
	_, err = w.StartRecovery(ctx, one.visit(), "applicant@example.org", proofing.RecoveryCheck{Draft: checked(), Reference: "  "})
	wantInput(t, "without a reference", err, "recovery_reference")
	_, err = w.StartRecovery(ctx, one.visit(), "applicant@example.org", proofing.RecoveryCheck{Reference: "ledger 1"})
	wantInput(t, "without a check", err, "record_form")
	_, err = w.StartRecovery(ctx, w.member("member").visit(), "applicant@example.org", proofing.RecoveryCheck{Draft: checked(), Reference: "ledger 1"})
	wantErr(t, "by somebody who is no representative", err, proofing.ErrNotFound)
	c := must[*proofing.Case](t)(one.recovers("applicant@example.org"))
	_, err = two.recovers("applicant@example.org")
	wantInput(t, "a second at the same time", err, "recovery_waits")
	_, err = w.ConfirmRecovery(ctx, two.visit(), c.ID, false, "")
	wantInput(t, "refused without a reason", err, "record_reason")
	refused := must[*proofing.Case](t)(w.ConfirmRecovery(ctx, two.visit(), c.ID, false, "the document was not theirs"))
	if refused.DeskState(w.clock()) != "refused" {
		t.Errorf("it is %s", refused.DeskState(w.clock()))
	}
	_, _, err = w.GiveRecoveryCode(ctx, one.visit(), c.ID)
	wantErr(t, "a code after that", err, proofing.ErrClosed)

	c = must[*proofing.Case](t)(one.recovers("applicant@example.org"))
	must[*proofing.Case](t)(w.ConfirmRecovery(ctx, two.visit(), c.ID, true, ""))
	_, code, err := w.GiveRecoveryCode(ctx, one.visit(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	_, again, err := w.GiveRecoveryCode(ctx, one.visit(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.regain(code)
	wantErr(t, "a code in whose place another was made", err, proofing.ErrWrongAnswer)
	w.pass(10 * time.Minute)
	_, err = w.regain(again)
	wantErr(t, "a code after ten minutes", err, proofing.ErrWrongAnswer)
	if err := w.Dismiss(ctx, two.person()); err != nil {
		t.Fatal(err)
	}
	one.renew()
	_, _, err = w.GiveRecoveryCode(ctx, one.visit(), c.ID)
	wantInput(t, "who agreed was dismissed", err, "recovery_confirmer")
	w.pass(11 * time.Minute)
	_, _, err = w.GiveRecoveryCode(ctx, one.visit(), c.ID)
	wantErr(t, "long after an authentication", err, proofing.ErrNotAdmitted)
}

// The link in a notice stops a recovery at the desk at every stage, and what it did is taken back.
func TestARecoveryAtTheDeskThatWasNotMeIsStopped(t *testing.T) {
	for _, late := range []bool{false, true} {
		w, one, two := atADesk(t)
		key, thiefs := webauthntest.New(), webauthntest.New()
		w.signUp(key)
		granted := w.reload(w.openFor("strong", "applicant@example.org", ""))
		_, code := w.given(one, two)
		if late {
			in := must[*proofing.Case](t)(w.regain(code))
			must[*proofing.Case](t)(w.enrol(ownVisit(in), thiefs))
		}
		w.work()
		_, ref, _ := strings.Cut(w.post.last(t, "desk_recovery").Disown.Reveal(), proofing.DisownPath)
		stopped := must[*proofing.Case](t)(w.Disown(t.Context(), proofing.Secret(ref)))
		w.work()
		if got := stopped.DeskState(w.clock()); got != "stopped" {
			t.Errorf("it is %s", got)
		}
		_, err := w.regain(code)
		wantErr(t, "the code", err, proofing.ErrWrongAnswer)
		if got := w.authorized(granted); got != "" {
			t.Errorf("late %v: the grant is %q", late, got)
		}
		w.pass(25 * time.Hour)
		if s := w.session(w.signIn(key)); !s.Fresh || s.Recovering {
			t.Errorf("late %v: their passkey signs in to %+v", late, s)
		}
		if late && w.speaks(thiefs) {
			t.Error("what was added by it signs in")
		}
	}
}

func TestOfTwoWhoBringOneCodeOneComesIn(t *testing.T) {
	w, one, two := atADesk(t)
	w.signUp(webauthntest.New())
	_, code := w.given(one, two)
	errs := make(chan error)
	for _, browser := range []proofing.Secret{"b", "another"} {
		go func() {
			_, err := w.Regain(t.Context(), proofing.Visit{Browser: browser, Client: "192.0.2.7"}, code)
			errs <- err
		}()
	}
	all := []error{<-errs, <-errs}
	if !slices.Contains(all, nil) || !errors.Is(errors.Join(all...), proofing.ErrWrongAnswer) {
		t.Errorf("two came in with %v", all)
	}
}

// A process that dies while somebody comes in leaves either a good code, or an account that is recovered.
func TestTheProcessMayDieWhileSomebodyComesBack(t *testing.T) {
	t.Parallel()
	diesAfterEach(t, func(t *testing.T, n int64, after bool) (broke bool) {
		w, one, two := atADesk(t)
		key := webauthntest.New()
		w.signUp(key)
		granted := w.reload(w.openFor("strong", "applicant@example.org", ""))
		c, code := w.given(one, two)
		f := &faulty{KV: w.kv, after: after, n: n, dies: true}
		dying := w.process(f)
		dying.Methods, dying.Policy = w.Methods, w.Policy
		f.calls.Store(0)
		_, _ = dying.Regain(t.Context(), proofing.Visit{Browser: "b", Client: "192.0.2.7"}, code)
		w.pass(time.Minute)
		if got := must[*proofing.Case](t)(w.Cases.Get(t.Context(), c.ID)); got.Desk.Used.IsZero() {
			must[*proofing.Case](t)(w.regain(code))
		}
		w.work()
		if got := w.authorized(granted); got != "recovering" {
			t.Errorf("call %d, after %v: the grant is %q", n, after, got)
		}
		if _, err := w.use(ownVisit(w.openOwn()), key); err == nil {
			t.Errorf("call %d, after %v: what was lost signs in", n, after)
		}
		if len(w.post.all("desk_recovered")) == 0 {
			t.Errorf("call %d, after %v: nobody was told", n, after)
		}
		return f.calls.Load() >= n
	})
}

// superior is what IAL3 takes in both revisions.
func superior(c *proofing.Case) proofing.ProofingDraft {
	d := passport(c)
	for i := range d.Pieces {
		d.Pieces[i].Strength, d.Pieces[i].ValidatedStrength = proofing.Superior, proofing.Superior
	}
	d.Verification.Strength = proofing.Superior
	return d
}

// proof has the applicant's identity proofed under a profile, by two representatives.
func (w *world) proof(profile string, key *webauthntest.Authenticator, one, two *representative, draft func(*proofing.Case) proofing.ProofingDraft) {
	w.t.Helper()
	c := w.openFor(profile, "applicant@example.org", "")
	must[*proofing.Case](w.t)(w.use(visit(c, "b"), key))
	w.prove(c, "b", "email", "")
	w.prove(c, "b", "sms", "+447400123456")
	c = must[*proofing.Case](w.t)(w.AskForRepresentative(w.t.Context(), visit(c, "b")))
	one.renew()
	two.renew()
	record := one.submit(c, draft(c))
	must[*proofing.Case](w.t)(two.review(c, record.ID, true, ""))
	w.work()
}

// Who was proofed comes back by a check that would proof them again at that level, under the revision that says so.
func TestARecoveryRepeatsTheProofingOfWhoWasProofed(t *testing.T) {
	weaker := map[string]func(*proofing.ProofingDraft){
		"one piece too weak": func(d *proofing.ProofingDraft) {
			d.Pieces = d.Pieces[:1]
			d.Pieces[0].Strength, d.Pieces[0].ValidatedStrength = proofing.Fair, proofing.Fair
		},
		"remote": func(d *proofing.ProofingDraft) { d.Type = proofing.RemoteAttended },
		"by a code, and none goes out": func(d *proofing.ProofingDraft) {
			d.Verification = proofing.IdentityVerification{Strength: proofing.Fair, Pathway: proofing.NonBiometric}
		},
		"no biometric at IAL3": func(d *proofing.ProofingDraft) { d.Verification.BiometricCollected = false },
	}
	for _, of := range []struct {
		profile string
		draft   func(*proofing.Case) proofing.ProofingDraft
		ial     int
		short   []string
	}{
		{"proofed3", passport, 2, []string{"one piece too weak", "remote", "by a code, and none goes out"}},
		{"proofed", passport, 2, []string{"one piece too weak", "by a code, and none goes out", "no biometric at IAL3"}},
		{"proofed3", superior, 3, []string{"one piece too weak", "remote", "by a code, and none goes out", "no biometric at IAL3"}},
		{"proofed", superior, 3, []string{"one piece too weak", "remote", "by a code, and none goes out", "no biometric at IAL3"}},
	} {
		w, one, two := atADesk(t)
		key := webauthntest.New()
		w.signUp(key)
		w.proof(of.profile, key, one, two, of.draft)
		c := w.openFor(of.profile, "applicant@example.org", "")
		enough := of.draft(c)
		enough.Address, enough.Notice = "", ""
		for _, name := range of.short {
			less := enough
			less.Pieces = slices.Clone(enough.Pieces)
			weaker[name](&less)
			one.renew()
			_, err := w.StartRecovery(t.Context(), one.visit(), "applicant@example.org", proofing.RecoveryCheck{Draft: less, Reference: "ledger 1", Same: true})
			wantInput(t, of.profile+", "+name, err, "recovery_short")
			if short, ok := errors.AsType[*proofing.ShortError](err); !ok || short.IAL != of.ial || len(short.Missing) == 0 {
				t.Errorf("%s, IAL%d, %s: it is told %+v", of.profile, of.ial, name, short)
			}
		}
		_, err := w.StartRecovery(t.Context(), one.visit(), "applicant@example.org", proofing.RecoveryCheck{Draft: enough, Reference: "ledger 1"})
		wantInput(t, "nobody says that they are the same", err, "recovery_same")
		got, err := w.StartRecovery(t.Context(), one.visit(), "applicant@example.org", proofing.RecoveryCheck{Draft: enough, Reference: "ledger 1", Same: true})
		if err != nil || !got.Desk.Two || !got.Desk.Same {
			t.Errorf("%s, IAL%d: what proofed them then is refused: %v", of.profile, of.ial, err)
		}
	}
}

// An account that is worth more than when its recovery began takes as many people as it takes then.
func TestARecoveryIsJudgedByWhatTheAccountIsWorthWhenItsCodeIsMade(t *testing.T) {
	w, one, two := atADesk(t)
	weak := w.openFor("email", "weak@example.org", "weak-key-weak-key-weak-key-weak-key-weak-ke")
	w.prove(weak, "b", "email", "")
	one.renew()
	c := must[*proofing.Case](t)(one.recovers("weak@example.org"))
	key := webauthntest.New()
	strong := w.openFor("strong", "weak@example.org", "weak-key-weak-key-weak-key-weak-key-weak-ke")
	w.prove(strong, "b", "email", "")
	must[*proofing.Case](t)(w.enrol(visit(strong, "b"), key))
	w.work()
	w.pass(time.Second)
	_, _, err := w.GiveRecoveryCode(t.Context(), one.visit(), c.ID)
	wantInput(t, "by one, for an account at AAL2", err, "recovery_two")
	two.renew()
	must[*proofing.Case](t)(w.ConfirmRecovery(t.Context(), two.visit(), c.ID, true, ""))
	if _, _, err := w.GiveRecoveryCode(t.Context(), one.visit(), c.ID); err != nil {
		t.Errorf("by two: %v", err)
	}
}

// The notices of a recovery are in the language that the person uses here, and not in their representative's.
func TestNoticesOfTheDeskAreInThePersonsLanguage(t *testing.T) {
	w, one, _ := atADesk(t)
	c := must[*proofing.Case](t)(w.OpenOwn(t.Context(), proofing.Visit{Browser: "b", Client: "192.0.2.7", Lang: "fr"}))
	key := webauthntest.New()
	c = must[*proofing.Case](t)(w.enrol(ownVisit(c), key))
	w.pass(time.Second)
	c = must[*proofing.Case](t)(w.use(ownVisit(c), key))
	w.prove(c, "b", "email", "applicant@example.org")
	w.pass(time.Second)
	one.renew()
	must[*proofing.Case](t)(one.recovers("applicant@example.org"))
	w.work()
	if told := w.post.last(t, "desk_recovery"); told.Lang != "fr" {
		t.Errorf("the notice is in %q", told.Lang)
	}
}
