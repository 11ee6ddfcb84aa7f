package proofing_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// representative is somebody at the desk, in a browser of their own.
type representative struct {
	w       *world
	name    string
	key     *webauthntest.Authenticator
	session *proofing.Case
}

func (r *representative) visit() proofing.Visit { return visit(r.session, r.name) }

// renew is a session in which they have just authenticated.
func (r *representative) renew() {
	r.w.t.Helper()
	c := must[*proofing.Case](r.w.t)(r.w.OpenOwn(r.w.t.Context(), proofing.Visit{Browser: proofing.Secret(r.name), Client: "192.0.2.7", Lang: "en"}))
	r.session = must[*proofing.Case](r.w.t)(r.w.use(visit(c, r.name), r.key))
}

func (r *representative) person() string { return r.session.Person }

// atADesk is a world with profiles that take records, and with two representatives.
func atADesk(t testing.TB) (w *world, one, two *representative) {
	t.Helper()
	w = withPasskeys(t)
	const day = 24 * time.Hour
	for name, f := range map[string]proofing.Framework{"proofed3": proofing.R3, "proofed": proofing.R4} {
		w.Policy.Profiles[name] = &proofing.Profile{
			Name: name, Title: "Proofed", Framework: f, Identifiers: []string{"email"}, Methods: []string{"email", "sms", "fido", "representative"},
			Require:      proofing.Requirement{IAL: 2, ConfirmedAddresses: []proofing.Channel{proofing.ChannelEmail}},
			CaseLifetime: 7 * day, GrantLifetime: 30 * day, Retention: 90 * day,
		}
		w.ca.Profiles = append(w.ca.Profiles, name)
	}
	return w, w.representative("desk-1"), w.representative("desk-2")
}

// member makes a person with a mailbox and a passkey, in a browser of their own, and signs them in.
func (w *world) member(name string) *representative {
	w.t.Helper()
	r := &representative{w: w, name: name, key: webauthntest.New()}
	c := w.openFor("strong", name+"@example.org", name+strings.Repeat("0", 43-len(name)))
	must[*proofing.Case](w.t)(w.enrol(visit(c, name), r.key))
	must[*proofing.Case](w.t)(w.use(visit(c, name), r.key))
	w.prove(c, name, "email", "")
	r.renew()
	return r
}

func (w *world) contact(method, address string) proofing.Contact {
	w.t.Helper()
	return must[proofing.Contact](w.t)(w.Methods[method].Check(address))
}

func (w *world) representative(name string) *representative {
	w.t.Helper()
	r := w.member(name)
	must[*proofing.Person](w.t)(w.Appoint(w.t.Context(), w.contact("email", name+"@example.org"), name, "identity documents, 2026", time.Time{}))
	return r
}

// asking is a case in which somebody has confirmed a mailbox and a number, and shows the code.
func (w *world) asking(profile string) *proofing.Case {
	w.t.Helper()
	c := w.open(profile)
	w.prove(c, "applicant", "email", "")
	w.prove(c, "applicant", "sms", "+447400123456")
	return must[*proofing.Case](w.t)(w.AskForRepresentative(w.t.Context(), visit(c, "applicant")))
}

// passport are two STRONG pieces, seen on site and compared with a face, which is IAL2 in both revisions.
func passport(c *proofing.Case) proofing.ProofingDraft {
	number := slices.IndexFunc(c.Evidence, func(e proofing.Evidence) bool { return e.Confirms() == proofing.ChannelPhone })
	return proofing.ProofingDraft{
		Type: proofing.OnsiteAttended,
		Pieces: []proofing.IdentityPiece{
			{Strength: proofing.Strong, ValidatedStrength: proofing.Strong, GovernmentIdentifier: true, PortraitOrDigital: true},
			{Strength: proofing.Strong, ValidatedStrength: proofing.Strong, GovernmentIdentifier: true, PortraitOrDigital: true},
		},
		Verification:            proofing.IdentityVerification{Strength: proofing.Strong, Pathway: proofing.Biometric, BiometricCollected: true},
		CoreAttributesValidated: true, Address: "postal", Notice: c.Evidence[number].ID,
	}
}

func (r *representative) save(c *proofing.Case, d proofing.ProofingDraft) *proofing.RecordedProofing {
	r.w.t.Helper()
	c = must[*proofing.Case](r.w.t)(r.w.SaveProofing(r.w.t.Context(), r.visit(), c.ID, d))
	return c.Drafted(r.person())
}

func (r *representative) submit(c *proofing.Case, d proofing.ProofingDraft) *proofing.RecordedProofing {
	r.w.t.Helper()
	saved := r.save(c, d)
	return must[*proofing.Case](r.w.t)(r.w.SubmitProofing(r.w.t.Context(), r.visit(), c.ID, saved.ID, saved.Version)).Waiting()
}

func (r *representative) review(c *proofing.Case, record string, accept bool, reason string) (*proofing.Case, error) {
	return r.w.ReviewProofing(r.w.t.Context(), r.visit(), c.ID, proofing.Review{Record: record, Accept: accept, Reason: reason})
}

func TestARecordThatASecondPersonAcceptsIsIAL2InBothRevisions(t *testing.T) {
	for _, profile := range []string{"proofed3", "proofed"} {
		w, deskOne, deskTwo := atADesk(t)
		c := w.asking(profile)
		if c.Status != proofing.CaseOpen {
			t.Fatalf("%s: without a record the case is %s", profile, c.Status)
		}
		found := must[*proofing.Case](t)(w.FindAtDesk(t.Context(), deskOne.visit(), strings.ToUpper(c.DeskCode[:4]+"-"+c.DeskCode[4:])))
		record := deskOne.submit(found, passport(c))
		if c = w.reload(c); c.Status != proofing.CaseOpen || len(c.Evidence) != 2 {
			t.Fatalf("%s: before the review the case is %s with %d events", profile, c.Status, len(c.Evidence))
		}
		for range 2 { // a review may come twice
			c = must[*proofing.Case](t)(deskTwo.review(c, record.ID, true, ""))
		}
		if c.Status != proofing.CaseGranted || *c.Grant.Assessment.IAL != 2 || c.Grant.Assessment.IALBasis != proofing.BasisOperatorProofing || len(c.Evidence) != 3 {
			t.Fatalf("%s: the case is %s with %+v", profile, c.Status, c.Grant)
		}
		f := c.Evidence[2].Proofing
		if f.CollectedBy != deskOne.person() || f.ReviewedBy != deskTwo.person() || !f.RepresentativeTrained {
			t.Errorf("%s: the evidence says %+v", profile, f)
		}
		w.work()
		if mail, text := w.post.all("proofed"), w.post.all("sms_proofed"); len(mail) != 1 || len(text) != 1 || text[0].To != "+447400123456" || mail[0].Disown == "" {
			t.Errorf("%s: of it were told %+v and %+v", profile, mail, text)
		}
		signed, err := w.Statement(t.Context(), w.ca, c.ID)
		if err != nil || signed.Grant.Statement == "" {
			t.Errorf("%s: statement: %v", profile, err)
		}
	}
}

func TestOnlyATrainedRepresentativeWithAPasskeySeesTheDesk(t *testing.T) {
	w, deskOne, deskTwo := atADesk(t)
	c := w.asking("proofed")
	stranger := w.member("eve")
	for what, try := range map[string]func(proofing.Visit) error{
		"desk":   func(v proofing.Visit) error { _, err := w.Desk(t.Context(), v); return err },
		"list":   func(v proofing.Visit) error { _, err := w.AtDesk(t.Context(), v); return err },
		"code":   func(v proofing.Visit) error { _, err := w.FindAtDesk(t.Context(), v, c.DeskCode); return err },
		"case":   func(v proofing.Visit) error { _, err := w.CaseAtDesk(t.Context(), v, c.ID); return err },
		"save":   func(v proofing.Visit) error { _, err := w.SaveProofing(t.Context(), v, c.ID, passport(c)); return err },
		"submit": func(v proofing.Visit) error { _, err := w.SubmitProofing(t.Context(), v, c.ID, "x", 1); return err },
		"review": func(v proofing.Visit) error {
			_, err := w.ReviewProofing(t.Context(), v, c.ID, proofing.Review{Record: "x"})
			return err
		},
	} {
		wantErr(t, what+" by somebody who is none", try(stranger.visit()), proofing.ErrNotFound)
		wantErr(t, what+" by deskOne's cookie in another browser", try(visit(deskOne.session, "eve")), proofing.ErrNotFound)
	}
	// Who signs in by a text message is not let in.
	w.prove(deskTwo.session, "desk-2", "sms", "+447400654321")
	w.pass(time.Hour)
	weak := must[*proofing.Case](t)(w.OpenOwn(t.Context(), proofing.Visit{Browser: "desk-2", Client: "192.0.2.7", Lang: "en"}))
	weak = w.prove(weak, "desk-2", "sms", "+447400654321")
	_, err := w.Desk(t.Context(), visit(weak, "desk-2"))
	wantErr(t, "by text message", err, proofing.ErrNotAdmitted)

	// What is saved takes a session, and what is submitted one that is fresh.
	deskOne.renew()
	saved := deskOne.save(c, passport(c))
	w.pass(11 * time.Minute)
	saved = deskOne.save(c, passport(c))
	_, err = w.SubmitProofing(t.Context(), deskOne.visit(), c.ID, saved.ID, saved.Version)
	wantErr(t, "submitting after eleven minutes", err, proofing.ErrNotAdmitted)

	// Dismissal takes effect at once.
	deskOne.renew()
	if err := w.Dismiss(t.Context(), deskOne.person()); err != nil {
		t.Fatal(err)
	}
	_, err = w.SubmitProofing(t.Context(), deskOne.visit(), c.ID, saved.ID, saved.Version)
	wantErr(t, "after the dismissal", err, proofing.ErrNotFound)
	wantErr(t, "dismissing twice", w.Dismiss(t.Context(), deskOne.person()), proofing.ErrNotFound)
}

func TestARepresentativeTakesAnAddressAndAPasskey(t *testing.T) {
	w, deskOne, _ := atADesk(t)
	_, err := w.Appoint(t.Context(), w.contact("email", "nobody@example.org"), "n", "t", time.Time{})
	wantErr(t, "an address of nobody", err, proofing.ErrNotFound)
	w.prove(w.open("proofed"), "applicant", "email", "")
	_, err = w.Appoint(t.Context(), w.contact("email", "applicant@example.org"), "n", "t", time.Time{})
	wantErr(t, "somebody without a passkey", err, proofing.ErrNotAdmitted)
	before := must[*proofing.Person](t)(w.People.Get(t.Context(), deskOne.person())).Representative
	w.pass(time.Hour)
	after := must[*proofing.Person](t)(w.Appoint(t.Context(), w.contact("email", "desk-1@example.org"), "Desk 1", "again, 2027", time.Time{})).Representative
	if !after.Since.Equal(before.Since) || after.Training != "again, 2027" {
		t.Errorf("naming one again makes of %+v %+v", before, after)
	}
}

func TestNobodyOpensACaseThatAskedForNoRepresentative(t *testing.T) {
	w, deskOne, _ := atADesk(t)
	c := w.open("proofed")
	_, err := w.AskForRepresentative(t.Context(), visit(c, "applicant"))
	wantInput(t, "asking before anything is proved", err, "record_person")
	c = w.prove(c, "applicant", "email", "")
	_, err = w.CaseAtDesk(t.Context(), deskOne.visit(), c.ID)
	wantErr(t, "by its id", err, proofing.ErrNotFound)
	_, err = w.SaveProofing(t.Context(), deskOne.visit(), c.ID, proofing.ProofingDraft{})
	wantErr(t, "recording", err, proofing.ErrNotFound)
	_, err = w.AskForRepresentative(t.Context(), visit(c, "another browser"))
	wantErr(t, "asking in another browser", err, proofing.ErrClaimed)
	other := w.prove(w.openFor("client", "other@example.org", ""), "b", "email", "")
	_, err = w.AskForRepresentative(t.Context(), visit(other, "b"))
	wantInput(t, "where the profile takes no record", err, "method_unknown")
	for _, code := range []string{"", "0000-0000", "x", strings.Repeat("a", 999)} {
		_, err = w.FindAtDesk(t.Context(), deskOne.visit(), code)
		wantInput(t, "the code "+code, err, "record_code")
	}
	first := must[*proofing.Case](t)(w.AskForRepresentative(t.Context(), visit(c, "applicant"))).DeskCode
	if again := must[*proofing.Case](t)(w.AskForRepresentative(t.Context(), visit(c, "applicant"))).DeskCode; again != first || len(first) != 8 {
		t.Errorf("the code is %q and then %q", first, again)
	}
}

func TestTheSamePersonNeverCollectsAndReviews(t *testing.T) {
	w, deskOne, deskTwo := atADesk(t)
	c := w.asking("proofed")
	record := deskOne.submit(c, passport(c))
	_, err := deskOne.review(c, record.ID, true, "")
	wantInput(t, "her own record", err, "record_reviewer")
	_, err = deskTwo.review(c, record.ID, false, " \n")
	wantInput(t, "a refusal without a reason", err, "record_reason")
	c = must[*proofing.Case](t)(deskTwo.review(c, record.ID, false, "The\nexpiry date was not looked at"))
	if got := c.Proofings[0]; got.Status != proofing.RecordRefused || got.Reason != "The expiry date was not looked at" || len(c.Evidence) != 2 {
		t.Errorf("refused: %+v", got)
	}
	_, err = deskTwo.review(c, record.ID, true, "")
	wantInput(t, "accepting what was refused", err, "record_over")
	if again := deskOne.submit(c, passport(c)); again.ID == record.ID {
		t.Error("a refused record was submitted again")
	}
}

func TestARepresentativeIsNotTheirOwnApplicant(t *testing.T) {
	w, deskOne, deskTwo := atADesk(t)
	c := w.openFor("proofed", "desk-1@example.org", "")
	must[*proofing.Case](t)(w.use(visit(c, "desk-1"), deskOne.key))
	w.prove(c, "desk-1", "email", "")
	w.prove(c, "desk-1", "sms", "+447400123456")
	c = must[*proofing.Case](t)(w.AskForRepresentative(t.Context(), visit(c, "desk-1")))
	if c.Person != deskOne.person() {
		t.Fatal("the applicant is somebody else")
	}
	_, err := w.SaveProofing(t.Context(), deskOne.visit(), c.ID, passport(c))
	wantInput(t, "recording herself", err, "record_own")
	deskTwo.renew()
	record := deskTwo.submit(c, passport(c))
	deskOne.renew()
	_, err = deskOne.review(c, record.ID, true, "")
	wantInput(t, "reviewing what is of herself", err, "record_own")
}

func TestOfTwoReviewersAtOnceOneWins(t *testing.T) {
	w, deskOne, deskTwo := atADesk(t)
	cleo := w.representative("cleo")
	deskOne.renew()
	deskTwo.renew()
	c := w.asking("proofed")
	record := deskOne.submit(c, passport(c))
	errs := make([]error, 2)
	var wg sync.WaitGroup
	wg.Go(func() { _, errs[0] = deskTwo.review(c, record.ID, true, "") })
	wg.Go(func() { _, errs[1] = cleo.review(c, record.ID, false, "no") })
	wg.Wait()
	c = w.reload(c)
	won := 0
	for i, err := range errs {
		if err == nil {
			won++
			if want := [2]proofing.RecordedStatus{proofing.RecordAccepted, proofing.RecordRefused}[i]; c.Proofings[0].Status != want {
				t.Errorf("reviewer %d won and the record is %s", i, c.Proofings[0].Status)
			}
		} else if input, ok := errors.AsType[*proofing.InputError](err); (!ok || input.Code != "record_over") && !errors.Is(err, proofing.ErrClosed) {
			t.Errorf("reviewer %d: %v", i, err)
		}
	}
	if accepted := c.Proofings[0].Status == proofing.RecordAccepted; won != 1 || accepted != (len(c.Evidence) == 3) || accepted != (c.Status == proofing.CaseGranted) {
		t.Errorf("%d won; the case is %s with %d events", won, c.Status, len(c.Evidence))
	}
}

func TestWhoSubmitsHasSeenWhatTheySubmit(t *testing.T) {
	w, deskOne, deskTwo := atADesk(t)
	c := w.asking("proofed")
	first := deskOne.save(c, passport(c))
	second := passport(c)
	second.Pieces = second.Pieces[:1]
	deskOne.save(c, second) // in another window
	_, err := w.SubmitProofing(t.Context(), deskOne.visit(), c.ID, first.ID, first.Version)
	wantInput(t, "an older version", err, "record_changed")
	_, err = w.SubmitProofing(t.Context(), deskTwo.visit(), c.ID, first.ID, first.Version+1)
	wantErr(t, "what another has begun", err, proofing.ErrNotFound)
	_, err = deskTwo.review(c, first.ID, true, "")
	wantErr(t, "reviewing a draft", err, proofing.ErrNotFound)
	for range 2 {
		must[*proofing.Case](t)(w.SubmitProofing(t.Context(), deskOne.visit(), c.ID, first.ID, first.Version+1))
	}
	_, err = w.SaveProofing(t.Context(), deskTwo.visit(), c.ID, passport(c))
	wantInput(t, "beside one that waits", err, "record_waits")
	if list := must[[]*proofing.Case](t)(w.AtDesk(t.Context(), deskTwo.visit())); len(list) != 1 || list[0].ID != c.ID {
		t.Errorf("at the desk are %d cases", len(list))
	}
}

func TestARecordThatEarnsNothingIsNotSubmitted(t *testing.T) {
	w, deskOne, _ := atADesk(t)
	c := w.asking("proofed")
	d := passport(c)
	d.CoreAttributesValidated = false
	saved := deskOne.save(c, d)
	worth, err := w.PreviewProofing(w.reload(c), saved)
	if err != nil || worth.Assessed.IAL != nil || !slices.ContainsFunc(worth.Assessed.Reasons, func(r proofing.Reason) bool { return r.Clause == "SP 800-63A-4 4.1.5" }) {
		t.Errorf("the preview is %+v: %v", worth, err)
	}
	_, err = w.SubmitProofing(t.Context(), deskOne.visit(), c.ID, saved.ID, saved.Version)
	wantInput(t, "without validated attributes", err, "record_worthless")
	d = passport(c)
	worth, err = w.PreviewProofing(w.reload(c), deskOne.save(c, d))
	if err != nil || worth.Assessed.IAL == nil || *worth.Assessed.IAL != 2 || len(worth.Unmet) != 0 {
		t.Errorf("the preview of what is whole is %+v: %v", worth, err)
	}
	for code, spoil := range map[string]func(*proofing.ProofingDraft){
		"record_form":    func(d *proofing.ProofingDraft) { d.Type = proofing.RemoteUnattended },
		"record_pieces":  func(d *proofing.ProofingDraft) { d.Pieces = nil },
		"record_address": func(d *proofing.ProofingDraft) { d.Address = "somebody@example.org" },
		"record_notice":  func(d *proofing.ProofingDraft) { d.Notice = "nowhere" },
		"record_dates":   func(d *proofing.ProofingDraft) { d.LetterSent = w.clock() },
	} {
		d := passport(c)
		spoil(&d)
		_, err := w.SaveProofing(t.Context(), deskOne.visit(), c.ID, d)
		wantInput(t, code, err, code)
	}
}

// What the case knows of a code, nobody has to state: when it went out and when it came back.
func TestTheTimesOfACodeAreTheCases(t *testing.T) {
	w, deskOne, deskTwo := atADesk(t)
	c := w.asking("proofed3")
	d := passport(c)
	d.Type, d.Address, d.Notice = proofing.SupervisedRemote, c.Evidence[0].ID, c.Evidence[1].ID
	record := deskOne.submit(c, d)
	confirmed := record.Facts.AddressConfirmation
	if confirmed.Channel != proofing.ByEmail || confirmed.Address != "applicant@example.org" || confirmed.CodeSentAt.IsZero() || !confirmed.CodeUsedAt.Equal(c.Evidence[0].At) {
		t.Errorf("the code is %+v", confirmed)
	}
	if c = must[*proofing.Case](t)(deskTwo.review(c, record.ID, true, "")); *c.Grant.Assessment.IAL != 2 {
		t.Errorf("the label is %+v", c.Grant.Assessment)
	}

	// A letter's days count whole: what may have been late was.
	first := c
	c = w.openFor("proofed3", "later@example.org", "another-key-another-key-another-key-another0")
	w.prove(c, "applicant", "email", "")
	c = must[*proofing.Case](t)(w.AskForRepresentative(t.Context(), visit(c, "applicant")))
	today := w.clock().Truncate(24 * time.Hour)
	for days, ial := range map[int]bool{8: true, 9: true, 10: false} {
		d := passport(first)
		d.Type, d.Address, d.Notice = proofing.SupervisedRemote, "postal", c.Evidence[0].ID
		d.LetterSent, d.LetterBack = today.AddDate(0, 0, -days-1), today.AddDate(0, 0, -1)
		worth, err := w.PreviewProofing(w.reload(c), deskOne.save(c, d))
		if err != nil || (worth.Assessed.IAL != nil) != ial {
			t.Errorf("a letter of %d days: %+v, %v", days, worth, err)
		}
	}
}

func TestARecordEndsWithItsCaseAndItsPerson(t *testing.T) {
	w, deskOne, deskTwo := atADesk(t)
	c := w.asking("proofed")
	deskOne.save(c, passport(c))
	record := deskTwo.submit(c, passport(c))
	w.pass(8 * 24 * time.Hour)
	w.work()
	deskOne.renew()
	c = w.reload(c)
	if c.Status != proofing.CaseExpired || len(c.Proofings) != 1 || c.Proofings[0].Status != proofing.RecordExpired {
		t.Errorf("after its time the case is %s with %+v", c.Status, c.Proofings)
	}
	_, err := deskOne.review(c, record.ID, true, "")
	wantErr(t, "reviewing what is over", err, proofing.ErrClosed)
	if list := must[[]*proofing.Case](t)(w.AtDesk(t.Context(), deskOne.visit())); len(list) != 0 {
		t.Errorf("at the desk are still %d cases", len(list))
	}

	// A frozen case takes no record.
	deskTwo.renew()
	c = w.openFor("proofed", "second@example.org", "")
	w.prove(c, "applicant", "email", "")
	w.prove(c, "applicant", "sms", "+447400123457")
	c = must[*proofing.Case](t)(w.AskForRepresentative(t.Context(), visit(c, "applicant")))
	record = deskOne.submit(c, passport(c))
	must[*proofing.Case](t)(w.Disown(t.Context(), proofing.Secret(c.ID+"."+c.Disown.Reveal())))
	_, err = deskTwo.review(c, record.ID, true, "")
	wantErr(t, "while it is frozen", err, proofing.ErrFrozen)
	must[*proofing.Case](t)(w.Restore(t.Context(), c.ID))

	// What a representative recorded who is none any more is not accepted.
	if err := w.Dismiss(t.Context(), deskOne.person()); err != nil {
		t.Fatal(err)
	}
	_, err = deskTwo.review(c, record.ID, true, "")
	wantInput(t, "of somebody who was dismissed", err, "record_collector")
}

// A passkey says who somebody is; after a representative has looked at one person, it cannot be another's.
func TestARecordIsOfOnePersonForGood(t *testing.T) {
	w, deskOne, deskTwo := atADesk(t)
	eve := w.member("eve")
	c := w.asking("proofed")
	deskOne.renew()
	deskTwo.renew()
	record := deskOne.submit(c, passport(c))
	must[*proofing.Case](t)(w.use(visit(c, "applicant"), eve.key))
	_, err := deskTwo.review(c, record.ID, true, "")
	wantInput(t, "after the case became another person's", err, "record_changed")

	w.Policy.Profiles["proofed"].Require.AAL = 2
	c = w.openFor("proofed", "second@example.org", "")
	w.prove(c, "applicant", "email", "")
	w.prove(c, "applicant", "sms", "+447400123457")
	c = must[*proofing.Case](t)(w.AskForRepresentative(t.Context(), visit(c, "applicant")))
	must[*proofing.Case](t)(deskTwo.review(c, deskOne.submit(c, passport(c)).ID, true, ""))
	_, err = w.use(visit(c, "applicant"), eve.key)
	wantErr(t, "another person's passkey after the record", err, proofing.ErrOtherPerson)
}

func TestARecordIsInTheExportOfItsPersonAndOutlivesErasure(t *testing.T) {
	w, deskOne, deskTwo := atADesk(t)
	w.Policy.Profiles["proofed"].Require.AAL = 2 // so that the case stays open
	eve := w.member("eve")
	c := w.openFor("proofed", "eve@example.org", "")
	must[*proofing.Case](t)(w.use(visit(c, "eve"), eve.key))
	w.prove(c, "eve", "email", "")
	w.prove(c, "eve", "sms", "+447400123456")
	c = must[*proofing.Case](t)(w.AskForRepresentative(t.Context(), visit(c, "eve")))
	deskOne.renew()
	record := deskOne.submit(c, passport(c))
	eve.renew()
	out := must[*proofing.Exported](t)(w.Export(t.Context(), eve.visit()))
	var said []proofing.ExportedRecord
	for _, r := range out.Requests {
		said = append(said, r.Records...)
	}
	if len(said) != 1 || said[0].ID != record.ID || said[0].Status != proofing.RecordSubmitted || said[0].Facts.CollectedBy != deskOne.person() {
		t.Errorf("the export says %+v", said)
	}
	deskOne.renew()
	if mine := must[*proofing.Exported](t)(w.Export(t.Context(), deskOne.visit())); mine.Representative == nil || mine.Representative.Training == "" {
		t.Error("what is kept of a representative is not in their export")
	}
	if err := w.Erase(t.Context(), eve.visit()); err != nil {
		t.Fatal(err)
	}
	deskTwo.renew()
	_, err := deskTwo.review(c, record.ID, true, "")
	wantErr(t, "after the erasure", err, proofing.ErrClosed)
	if c = w.reload(c); c.Proofings[0].Status != proofing.RecordExpired {
		t.Errorf("the record is %s", c.Proofings[0].Status)
	}
}

// A record has no place for what is not to be written down.
func TestARecordKeepsNoAddressAndNoNumberOfADocument(t *testing.T) {
	w, deskOne, deskTwo := atADesk(t)
	c := w.asking("proofed")
	c = must[*proofing.Case](t)(deskTwo.review(c, deskOne.submit(c, passport(c)).ID, true, ""))
	raw, err := json.Marshal(c.Proofings)
	if err != nil {
		t.Fatal(err)
	}
	var list []map[string]any
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	known := []string{"id", "status", "person", "collector", "collector_name", "reviewer", "reviewer_name", "draft", "version", "facts", "changed"}
	for member := range list[0] {
		if !slices.Contains(known, member) {
			t.Errorf("a record has %q: is it needed?", member)
		}
	}
	if f := c.Proofings[0].Facts; f.AddressConfirmation.Address != "" {
		t.Errorf("the postal address is kept: %q", f.AddressConfirmation.Address.Reveal())
	}
}

// IAL3 takes everything that the standard asks of it; without any of that, the desk gives less, and a request for IAL3 stays open.
func TestTheDeskGivesNoIAL3WithoutAllThatItTakes(t *testing.T) {
	lesser := map[string]func(*proofing.ProofingDraft){
		"":             func(*proofing.ProofingDraft) {},
		"no biometric": func(d *proofing.ProofingDraft) { d.Verification.BiometricCollected = false },
		"remote":       func(d *proofing.ProofingDraft) { d.Type = proofing.RemoteAttended },
		"strong pieces": func(d *proofing.ProofingDraft) {
			for i := range d.Pieces {
				d.Pieces[i].Strength, d.Pieces[i].ValidatedStrength = proofing.Strong, proofing.Strong
			}
		},
		"pieces that were not validated as such": func(d *proofing.ProofingDraft) {
			for i := range d.Pieces {
				d.Pieces[i].ValidatedStrength = proofing.Strong
			}
		},
	}
	for _, profile := range []string{"proofed3", "proofed"} {
		for name, less := range lesser {
			w, one, two := atADesk(t)
			w.Policy.Profiles[profile].Require.IAL = 3
			c := w.asking(profile)
			d := superior(c)
			less(&d)
			saved := one.save(c, d)
			worth, err := w.PreviewProofing(w.reload(c), saved)
			if err != nil {
				t.Fatal(err)
			}
			if got := worth.Assessed.IAL != nil && *worth.Assessed.IAL == 3; got != (name == "") {
				t.Errorf("%s, %s: the desk promises IAL3: %v", profile, name, got)
			}
			if worth.Assessed.IAL == nil {
				continue // it cannot be handed in
			}
			record := one.submit(c, d)
			c = must[*proofing.Case](t)(two.review(c, record.ID, true, ""))
			if granted := c.Status == proofing.CaseGranted; granted != (name == "") {
				t.Errorf("%s, %s: the request is %s", profile, name, c.Status)
			}
		}
	}
}

// Training ends: whoever has not renewed it neither records nor reviews, and what they recorded before may still be reviewed by who has.
func TestATrainingThatHasEndedClosesTheDesk(t *testing.T) {
	w, one, two := atADesk(t)
	ctx, contact := t.Context(), w.contact("email", "desk-1@example.org")
	now := w.clock()
	for what, until := range map[string]time.Time{"past": now, "more than a year away": now.AddDate(1, 0, 2)} {
		_, err := w.Appoint(ctx, contact, "desk-1", "documents", until)
		wantInput(t, what, err, "training_until")
	}
	soon := must[*proofing.Person](t)(w.Appoint(ctx, contact, "desk-1", "documents", now.Add(2*time.Hour))).Representative
	if !soon.TrainingEnds(now).Equal(now.Add(2*time.Hour)) || !soon.TrainingEnds(now.AddDate(0, 0, -70)).IsZero() {
		t.Errorf("told of the end on %s, and long before on %s", soon.TrainingEnds(now), soon.TrainingEnds(now.AddDate(0, 0, -70)))
	}
	c := w.asking("proofed")
	record := one.submit(c, passport(c))
	w.pass(3 * time.Hour)
	one.renew()
	two.renew()
	_, err := w.Desk(ctx, one.visit())
	wantInput(t, "the desk", err, "training_over")
	_, err = one.recovers("applicant@example.org")
	wantInput(t, "a recovery", err, "training_over")
	if c = must[*proofing.Case](t)(two.review(c, record.ID, true, "")); c.Status != proofing.CaseGranted {
		t.Errorf("what was recorded in time leaves the request %s", c.Status)
	}
	must[*proofing.Person](t)(w.Appoint(ctx, contact, "desk-1", "documents, again", time.Time{}))
	if _, err := w.Desk(ctx, one.visit()); err != nil {
		t.Errorf("after it was renewed: %v", err)
	}
	// One of an earlier version, without an end, lasts a year.
	must[*proofing.Person](t)(w.People.Update(ctx, two.person(), func(p *proofing.Person) error {
		p.Representative.Until, p.Representative.Since = time.Time{}, w.clock().AddDate(-1, 0, -2)
		return nil
	}))
	_, err = w.Desk(ctx, two.visit())
	wantInput(t, "two years on", err, "training_over")
}
