package audit_test

import (
	"crypto/rand"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

var update = flag.Bool("update", false, "keep a new approval")

// An approval of the first version of this program, and the key of the log that it is in: what was kept once holds for good.
func TestAnApprovalThatWasKeptStillHolds(t *testing.T) {
	if *update {
		w := newSignedWorld(t)
		check(t, os.WriteFile("testdata/approval.json", text(t, w.tell(story{})), 0o644))
		check(t, os.WriteFile("testdata/log-key.txt", []byte(w.public+"\n"), 0o644))
	}
	public, err := os.ReadFile("testdata/log-key.txt")
	check(t, err)
	file, err := os.ReadFile("testdata/approval.json")
	check(t, err)
	key, err := audit.ParseLogKey(string(public))
	check(t, err)
	a, err := audit.ParseApproval(file)
	check(t, err)
	c, err := a.Verify(key)
	check(t, err)
	if c.Document.By.Name != "The reviewer" || key.Name() != logName {
		t.Errorf("it proves %+v by %s", c.Document, key.Name())
	}
}

func text(t testing.TB, a *audit.Approval) []byte {
	t.Helper()
	b, err := a.Text()
	check(t, err)
	return b
}

func TestAnApprovalIsCheckedWithTheLogsKeyAlone(t *testing.T) {
	w := newSignedWorld(t)
	a, err := audit.ParseApproval(text(t, w.tell(story{})))
	check(t, err)
	c, err := a.Verify(w.key)
	check(t, err)
	if c.Document.By.Person != w.person || c.Document.Decision != proofing.DecideApprove || c.Decided.Number != 8 || c.Enrolled.Kind != "enrolled" || c.Synced {
		t.Errorf("it proves %+v", c)
	}
	synced := newSignedWorld(t)
	synced.passkey.Flags |= webauthntest.BE | webauthntest.BS
	synced.known = synced.register(synced.passkey)
	if c, err := synced.tell(story{}).Verify(synced.key); err != nil || !c.Synced {
		t.Errorf("a passkey that is synced: %+v, %v", c, err)
	}
}

// Whatever is changed in the file, in whichever place, it does not hold any more.
func TestAnyByteOfAnApprovalThatIsChangedIsFound(t *testing.T) {
	w := newSignedWorld(t)
	whole := text(t, w.tell(story{}))
	holds := func(file []byte) bool {
		a, err := audit.ParseApproval(file)
		if err != nil {
			return false
		}
		_, err = a.Verify(w.key)
		return err == nil
	}
	if !holds(whole) {
		t.Fatal("the whole file does not hold")
	}
	for i := range whole {
		for _, by := range []byte{1, 0x20} {
			changed := slices.Clone(whole)
			changed[i] ^= by
			if holds(changed) {
				t.Errorf("byte %d was changed from %q to %q, and it holds: …%s…", i, whole[i], changed[i], whole[max(0, i-20):min(len(whole), i+20)])
			}
		}
		if holds(slices.Delete(slices.Clone(whole), i, i+1)) {
			t.Errorf("byte %d was taken out, and it holds", i)
		}
		if holds(slices.Insert(slices.Clone(whole), i, ' ')) {
			t.Errorf("a space was put in at %d, and it holds", i)
		}
	}
	for _, file := range [][]byte{nil, whole[:len(whole)-1], append(slices.Clone(whole), '\n'), append(slices.Clone(whole), whole...)} {
		if holds(file) {
			t.Errorf("a file of %d bytes holds", len(file))
		}
	}
}

// Each of these is whole and signed, and says something else than what happened.
func TestApprovalsThatDoNotHold(t *testing.T) {
	other := webauthntest.New()
	for name, tc := range map[string]struct {
		story story
		edit  func(*signedWorld, *audit.Approval)
		want  string // of what is said
	}{
		"a passkey that was enrolled afterwards": {story{late: true}, nil, "not before the decision"},
		"another passkey was enrolled": {story{enrolment: func(n *proofing.Note) { n.Facts["credential_id"] = "b3RoZXI" }}, nil,
			"another passkey was enrolled"},
		"the same name, and another key: it was swapped in the store": {story{enrolment: func(n *proofing.Note) {
			n.Facts["public_key_sha256"] = strings.Repeat("A", 43)
		}}, nil, "another public key was enrolled"},
		"enrolled for another site":       {story{enrolment: func(n *proofing.Note) { n.Facts["rp_id"] = "example.net" }}, nil, "another site was enrolled"},
		"somebody else's passkey":         {story{enrolment: func(n *proofing.Note) { n.Facts["person"] = "somebody" }}, nil, "another person was enrolled"},
		"an enrolment without facts":      {story{enrolment: func(n *proofing.Note) { n.Facts = nil }}, nil, "another passkey was enrolled"},
		"a passkey that was taken away":   {story{enrolment: func(n *proofing.Note) { n.Kind = "removed" }}, nil, "not of a passkey's enrolment"},
		"an enrolment of no passkey":      {story{enrolment: func(n *proofing.Note) { n.Of = proofing.SubjectPerson }}, nil, "not of a passkey's enrolment"},
		"an enrolment of the future":      {story{enrolment: func(n *proofing.Note) { n.At = n.At.Add(2 * time.Hour) }}, nil, "after the document was shown"},
		"another document was entered":    {story{decision: func(n *proofing.Note) { n.Facts[proofing.FactDocument] = strings.Repeat("A", 43) }}, nil, "by another document"},
		"an entry that is of no decision": {story{decision: func(n *proofing.Note) { n.Kind = proofing.CaseDiscrepancy }}, nil, `not of a decision about a case, but "case_discrepancy"`},
		"a policy's, of a case":           {story{decision: func(n *proofing.Note) { n.Kind = proofing.PolicyIsDecided }}, nil, "not of a decision about a case"},
		"a step that nobody decides":      {story{document: func(d *proofing.Document) { d.Step = "cross_correlation" }}, nil, `the step "cross_correlation" is none that anybody decides`},
		"a document without a role":       {story{document: func(d *proofing.Document) { d.By.Role = "" }}, nil, "and it was signed as "},
		"a decision without its document": {story{decision: func(n *proofing.Note) { n.Facts = nil }}, nil, "by another document"},
		"a decision about something else": {story{decision: func(n *proofing.Note) { n.Object = "another" }}, nil, "decision about case another"},
		"a decision of another kind":      {story{decision: func(n *proofing.Note) { n.Of = proofing.SubjectPolicy }}, nil, "decision about policy"},
		"a decision by somebody else":     {story{decision: func(n *proofing.Note) { n.By.ID = "somebody" }}, nil, "decision by person somebody"},
		"a decision by the operator":      {story{decision: func(n *proofing.Note) { n.By = proofing.ByOperator }}, nil, "decision by operator"},
		"a decision long after":           {story{decision: func(n *proofing.Note) { n.At = n.At.Add(time.Hour) }}, nil, "the document was good from"},
		"a decision before it was shown":  {story{decision: func(n *proofing.Note) { n.At = n.At.Add(-time.Hour) }}, nil, "the document was good from"},
		"a decision in another role":      {story{decision: func(n *proofing.Note) { n.By.Role = proofing.RoleApprover }}, nil, "with the role certificate_approver"},
		"a decision by another office":    {story{decision: func(n *proofing.Note) { n.By.Appointment = "appointment-2" }}, nil, "with the appointment appointment-2"},
		"a decision of another outcome":   {story{decision: func(n *proofing.Note) { n.Facts["decision"] = proofing.DecideRefuse }}, nil, "with the decision refuse"},
		"a decision of another step":      {story{decision: func(n *proofing.Note) { n.Facts["step"] = "vet" }}, nil, "with the step vet"},
		"a decision by another passkey":   {story{decision: func(n *proofing.Note) { n.Facts["credential"] = "b3RoZXI" }}, nil, "with the credential b3RoZXI"},
		"a decision under another policy": {story{decision: func(n *proofing.Note) { n.Facts["policy"] = "another" }}, nil, "with the policy another"},
		"a step of another role":          {story{document: func(d *proofing.Document) { d.Step = "approve" }}, nil, "the step approve is for the role certificate_approver"},
		"a policy that no administrator has signed": {story{document: func(d *proofing.Document) { d.Subject.Of, d.Step = proofing.SubjectPolicy, proofing.StepPolicy }}, nil,
			"the step policy is for the role administrator"},
		"made on a later state": {story{}, func(w *signedWorld, a *audit.Approval) { *a = *w.older() }, "made on entry 9"},
		"a document that names another passkey": {story{document: func(d *proofing.Document) { d.Credential = "b3RoZXI" }}, nil,
			"the document names b3RoZXI"},
		"a document of nobody known": {story{document: func(d *proofing.Document) { d.By.Person = "somebody" }}, nil, "another person was enrolled"},
		"the signature of another decision": {story{}, func(w *signedWorld, a *audit.Approval) {
			b := w.tell(story{})
			a.Signature = b.Signature
		}, "not one of this document"},
		"the document of another decision": {story{}, func(w *signedWorld, a *audit.Approval) {
			a.Document = strings.Replace(a.Document, "Alles ist", "Nichts ist", 1)
		}, "not one of this document"},
		"a decision that was turned round": {story{}, func(w *signedWorld, a *audit.Approval) {
			a.Document = strings.Replace(a.Document, `"approve"`, `"refuse"`, 1)
		}, "refuses without a reason"},
		"the passkey's public key, swapped": {story{}, func(w *signedWorld, a *audit.Approval) { a.Signature.PublicKey = w.register(other).PublicKey }, "another public key was enrolled"},
		"the passkey's name, swapped":       {story{}, func(w *signedWorld, a *audit.Approval) { a.Signature.Credential = []byte("other") }, "the document names"},
		"places that were swapped": {story{}, func(w *signedWorld, a *audit.Approval) {
			a.Enrolment.Index, a.Decision.Index = a.Decision.Index, a.Enrolment.Index
		}, "is not in the log"},
		"entries that were swapped": {story{}, func(w *signedWorld, a *audit.Approval) { a.Enrolment, a.Decision = a.Decision, a.Enrolment }, "not before the decision"},
		"a place beyond the log":    {story{}, func(w *signedWorld, a *audit.Approval) { a.Decision.Index = 99 }, "not among the 16"},
		"a place below it":          {story{}, func(w *signedWorld, a *audit.Approval) { a.Enrolment.Index = -1 }, "not among the 16"},
		"a proof that is cut off":   {story{}, func(w *signedWorld, a *audit.Approval) { a.Decision.Proof = a.Decision.Proof[1:] }, "is not in the log"},
		"a proof with a short hash": {story{}, func(w *signedWorld, a *audit.Approval) { a.Decision.Proof[0] = a.Decision.Proof[0][:31] }, "31 bytes"},
		"a leaf that was edited":    {story{}, func(w *signedWorld, a *audit.Approval) { a.Decision.Leaf += " " }, "is not in the log"},
		"no checkpoint":             {story{}, func(w *signedWorld, a *audit.Approval) { a.Checkpoint = "" }, "checkpoint"},
		"the checkpoint of another log": {story{}, func(w *signedWorld, a *audit.Approval) {
			b := newSignedWorld(w.t)
			b.others(16)
			a.Checkpoint = b.checkpoint()
		}, "checkpoint"},
		"an older checkpoint": {story{}, func(w *signedWorld, a *audit.Approval) {
			b := *w
			b.leaves, b.hashes = nil, nil
			b.others(3)
			a.Checkpoint = b.checkpoint()
		}, "not among the 3"},
		"a checkpoint that somebody else signed too": {story{}, func(w *signedWorld, a *audit.Approval) {
			private, _, err := note.GenerateKey(rand.Reader, "witness.example")
			check(w.t, err)
			witness, err := note.NewSigner(private)
			check(w.t, err)
			body, _, _ := strings.Cut(a.Checkpoint, "\n\n")
			both, err := note.Sign(&note.Note{Text: body + "\n"}, w.signer, witness)
			check(w.t, err)
			a.Checkpoint = string(both)
		}, "signatures of others"},
		"a checkpoint under another origin": {story{}, func(w *signedWorld, a *audit.Approval) {
			body, _, _ := strings.Cut(a.Checkpoint, "\n\n")
			_, rest, _ := strings.Cut(body, "\n")
			forged, err := note.Sign(&note.Note{Text: "other.example/log\n" + rest + "\n"}, w.signer)
			check(w.t, err)
			a.Checkpoint = string(forged)
		}, "other.example/log"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newSignedWorld(t)
			a := w.tell(tc.story)
			if tc.edit != nil {
				tc.edit(w, a)
			}
			_, err := a.Verify(w.key)
			if err == nil {
				t.Fatal("it holds")
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("it says %q, want %q", err, tc.want)
			}
		})
	}
}

// older is an approval whose decision was entered on a state before the one that was shown.
func (w *signedWorld) older() *audit.Approval {
	w.t.Helper()
	enrolment := w.enter(w.note(0, w.enrolment()))
	d := w.document()
	d.Subject.Number = 9
	signed := w.sign(d)
	decision := w.enter(w.note(8, w.decision(d, signed.Document)))
	return audit.NewApproval(signed, w.logged(enrolment), w.logged(decision), w.checkpoint())
}

func TestKeysOfLogsThatAreNone(t *testing.T) {
	for _, key := range []string{"", "proof.example.org", "proof.example.org+00000000+AAAA", "a+b+c"} {
		if k, err := audit.ParseLogKey(key); err == nil {
			t.Errorf("%q is the key of %s", key, k.Name())
		}
	}
}
