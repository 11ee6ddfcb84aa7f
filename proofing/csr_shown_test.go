package proofing_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/countersign-id/countersign/proofing"
)

// eachCSR is an authorization under which each CSR is approved, and what becomes of one that is asked about: as an ACME server asks or, with facts, as a webhook does.
func (c *court) eachCSR() (k *proofing.Case, ask func(digest string, facts bool, subject ...proofing.SubjectMember) proofing.Authorization) {
	c.t.Helper()
	c.demands(1, proofing.ApproveEach)
	k = c.granted()
	return k, func(digest string, facts bool, subject ...proofing.SubjectMember) proofing.Authorization {
		c.t.Helper()
		c.logged()
		r := proofing.AuthorizeRequest{
			Applicant: k.Applicant, Identifiers: []proofing.Identifier{k.Identifier}, Profile: k.Profile, CSRDigest: digest, Find: facts,
			CSR: &proofing.CSR{Digest: digest, Key: proofing.KeyP256, Subject: subject},
		}
		if facts {
			r.CSR, r.Facts = nil, r.CSR
		}
		v, err := c.Authorize(c.t.Context(), c.ca, r)
		if err != nil || v.Allow {
			c.t.Fatalf("allowed: %v, %v", v.Allow, err)
		}
		return v.Authorizations[0]
	}
}

// Nobody could refuse what is too long to be signed, and ten of them would keep every other CSR out until they run out.
func TestACSRWhoseSubjectNobodyWouldReadIsShownToNobody(t *testing.T) {
	c := newCourt(t)
	k, ask := c.eachCSR()
	long := proofing.SubjectMember{Name: "L", Value: strings.Repeat("\u202e", 250)} // each is shown by three bytes
	for i := range 11 {
		if a := ask("long-"+string(rune('a'+i)), i%2 == 0, long); a.Problem != "csr_subject" || a.Case.ID != k.ID {
			t.Fatalf("it is %s", a.Problem)
		}
	}
	whole := proofing.SubjectMember{Name: "L", Value: strings.Repeat("ä", 998)}
	if a := ask("real", false, whole); a.Problem != "issuance" || utf8.RuneCountInString(a.Case.CSR.Subject) != 1000 {
		t.Errorf("one of 1000 characters is %s", a.Problem)
	}
	r := c.asks("signing2")
	r.CSRDigest, r.CSR = "csr", &proofing.CSR{Digest: "csr", Key: proofing.KeyP256, Subject: []proofing.SubjectMember{long}}
	_, _, err := c.Open(t.Context(), c.ca, r)
	wantInput(t, "an authorization for one CSR", err, "csr_subject")
}

// Where something that is to be signed is too long all the same, whoever would decide is told so.
func TestWhatNobodyWouldReadIsNotAskedToBeSigned(t *testing.T) {
	c := newCourt(t)
	k := c.submitted("signing")
	c.approver.renew()
	c.logged()
	shown := c.shows(k, proofing.StepApprove, false)
	shown.Text += strings.Repeat("x", 33<<10)
	_, err := c.AskDecision(t.Context(), c.approver.visit(), proofing.DecisionRequest{
		Case: k.ID, Appointment: c.office[c.approver].ID, Step: proofing.StepApprove, Number: c.reload(k).Journal.Written, Dossier: c.dossierOf(k).Digest(),
		Shown: shown,
	})
	wantInput(t, "33 KiB", err, "signing_large")
}

// What a CSR says stands on the page as in what is signed, and no value of it looks like another member, or like what it is not.
func TestNothingInASubjectLooksLikeAnotherMember(t *testing.T) {
	c := newCourt(t)
	_, ask := c.eachCSR()
	var subject []proofing.SubjectMember
	var shown []string
	for _, m := range []struct{ value, shown string }{
		{"Example GmbH", "Example GmbH"},
		{"Berlin, O=Other Ltd, CN=Other Ltd", `Berlin\, O=Other Ltd\, CN=Other Ltd`},
		{"\u202eniL", `\E2\80\AEniL`},
		{" #1  \"Road\" ", `\20#1 \20\"Road\"\20`},
		{"#1", `\#1`},
		{"a\u00a0b\u200cc\u3164d\ufe0fe\nf", `a\C2\A0b\E2\80\8Cc\E3\85\A4d\EF\B8\8Fe\0Af`},
		{"\xff\\41", `\FF\\41`},
		{"a+b;<c>", `a\+b\;\<c\>`},
		{"Größe 東京 👩", "Größe 東京 👩"},
	} {
		subject, shown = append(subject, proofing.SubjectMember{Name: "L", Value: m.value}), append(shown, "L="+m.shown)
	}
	subject, shown = append(subject, proofing.SubjectMember{Name: "ST", Value: "(not text)", NoText: true}), append(shown, "ST=#(not text)")
	want := strings.Join(shown, ", ")
	a := ask("csr", false, subject...)
	if a.Case.CSR == nil || a.Case.CSR.Subject != want {
		t.Fatalf("people are shown\n%+v, and not\n%s", a.Case.CSR, want)
	}
	i := must[*proofing.Case](t)(c.decides(c.approver, a.Case, proofing.StepApprove, false))
	if d := must[proofing.Document](t)(proofing.ParseDocument([]byte(i.Approval.Decisions[0].Signature.Document))); d.CSR.Subject != want {
		t.Errorf("they sign\n%s", d.CSR.Subject)
	}
}
