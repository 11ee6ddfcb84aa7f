package proofing_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

func TestEachCSRTakesAWordWhereTheProfileSaysSo(t *testing.T) {
	c := newCourt(t)
	each := *c.Policy.Profiles["signing"]
	each.Approve = proofing.ApproveEach
	c.Policy.Profiles["signing"] = &each
	k := c.granted()
	ask := func(csr string, find bool) proofing.Authorization {
		t.Helper()
		if err := c.SequenceOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		r := proofing.AuthorizeRequest{Applicant: k.Applicant, Identifiers: []proofing.Identifier{k.Identifier}, Profile: k.Profile, CSRDigest: csr, Find: find}
		if csr != "" {
			r.CSR = &proofing.CSR{Digest: csr, Key: proofing.KeyRSA, Bits: 3072, Subject: []proofing.SubjectMember{{Name: "O", Value: orgName}}}
		}
		if find { // as step-ca's webhooks ask
			r.CSR, r.Facts = nil, r.CSR
		}
		v, err := c.Authorize(t.Context(), c.ca, r)
		if err != nil {
			t.Fatal(err)
		}
		if v.Allow != (v.Authorizations[0].Problem == "") {
			t.Errorf("allow %v with %q", v.Allow, v.Authorizations[0].Problem)
		}
		return v.Authorizations[0]
	}
	if a := ask("", false); a.Problem != "" {
		t.Fatalf("at the order: %s", a.Problem)
	}
	final := func() string { // of whether the certificate may be, when the CSR is not known any more
		t.Helper()
		v, err := c.Authorize(t.Context(), c.ca, proofing.AuthorizeRequest{Applicant: k.Applicant, Identifiers: []proofing.Identifier{k.Identifier}, Profile: k.Profile, Find: true, Final: true})
		if err != nil {
			t.Fatal(err)
		}
		return v.Authorizations[0].Problem
	}
	first := ask("csr-1", true)
	again := ask("csr-1", false)
	if first.Problem != "issuance" || first.Case.Parent != k.ID || again.Case.ID != first.Case.ID || first.Case.CSR == nil || first.Case.CSR.Subject != "O="+orgName {
		t.Fatalf("%s, %+v", first.Problem, first.Case)
	}
	i := first.Case
	must[*proofing.Case](t)(c.decides(c.approver, i, proofing.StepApprove, false))
	if a := ask("csr-1", false); a.Problem != "issuance" {
		t.Errorf("after one of two: %s", a.Problem)
	}
	if problem := final(); problem != "csr_unapproved" {
		t.Errorf("a certificate before its CSR is approved: %q", problem)
	}
	i = must[*proofing.Case](t)(c.decides(c.reviewer, i, proofing.StepReview, false))
	if i.Status != proofing.CaseGranted || i.Expires.After(k.Expires) {
		t.Errorf("%s until %s, beneath %s", i.Status, i.Expires, k.Expires)
	}
	if a := ask("csr-1", false); a.Problem != "" || a.Case.ID != k.ID {
		t.Errorf("after both: %s", a.Problem)
	}
	// A token would be for any CSR, and those who decide about each were gone round.
	taking := *c.ca
	taking.TokenTypes = []string{proofing.IdentifierOrganization}
	_, _, err := c.ClaimAuthority(t.Context(), &taking, proofing.TokenRequest{Profile: k.Profile, Identifier: k.Identifier, Thumbprint: k.Applicant.Thumbprint}, c.clock().Add(24*time.Hour))
	wantInput(t, "an Authority Token", err, "token_csr")
	if problem := final(); problem != "" {
		t.Errorf("a certificate whose CSR is approved: %q", problem)
	}
	d := must[proofing.Document](t)(proofing.ParseDocument([]byte(i.Approval.Decisions[0].Signature.Document)))
	if d.CSR == nil || d.CSR.Digest != "csr-1" || d.CSR.Key != "rsa 3072" {
		t.Errorf("the document has %+v", d.CSR)
	}
	other := ask("csr-2", false)
	must[*proofing.Case](t)(c.decides(c.approver, other.Case, proofing.StepApprove, true))
	for range 2 { // the CA may ask as often as it likes, and nobody is asked again
		if a := ask("csr-2", false); a.Problem != "issuance_refused" || a.Case.ID != other.Case.ID {
			t.Errorf("after a refusal: %s", a.Problem)
		}
	}
	if a := ask("csr-1", false); a.Problem != "" {
		t.Errorf("a refusal of one CSR spoils another: %s", a.Problem)
	}
	third := ask("csr-3", false)
	c.pass(61 * 24 * time.Hour)
	c.collectAll()
	c.reviewsAgain()
	if a := ask("csr-3", false); a.Problem != "issuance" || a.Case.ID == third.Case.ID {
		t.Errorf("after the first one has run out: %s, %s", a.Problem, a.Case.ID)
	}
	c.one.renew()
	must[*proofing.Appointment](t)(c.SuspendAppointment(t.Context(), c.one.visit(), c.office[c.approver].ID, "a doubt"))
	if a := ask("csr-1", false); a.Problem == "" {
		t.Error("what a suspended approver has approved holds")
	}
}

// Whoever approves is not called to a CSR that no certificate may be made of: their word would be for nothing.
func TestNobodyIsCalledToACSRThatIsWrong(t *testing.T) {
	c := newCourt(t)
	k, _ := c.eachCSR()
	c.logged()
	ask := func(digest string, csr proofing.CSR) proofing.Verdict {
		t.Helper()
		csr.Digest, csr.Subject = digest, []proofing.SubjectMember{{Name: "O", Value: orgName}}
		return must[proofing.Verdict](t)(c.Authorize(t.Context(), c.ca, proofing.AuthorizeRequest{
			Applicant: k.Applicant, Identifiers: []proofing.Identifier{k.Identifier}, Profile: k.Profile, CSRDigest: digest, CSR: &csr,
		}))
	}
	v := ask("wrong", proofing.CSR{Key: proofing.KeyP256, CA: true})
	if v.Allow || len(v.CSRFaults) != 1 || v.CSRFaults[0].Code != "ca" || v.Authorizations[0].Problem != "" || v.Authorizations[0].Case.ID != k.ID {
		t.Errorf("a CSR for a CA: %+v", v)
	}
	if beneath, _, err := c.Cases.List(t.Context(), proofing.Query{Index: "issuance", Prefix: k.ID}); err != nil || len(beneath) > 0 {
		t.Errorf("%d approvals are open for it: %v", len(beneath), err)
	}
	if v = ask("right", proofing.CSR{Key: proofing.KeyP256}); v.Authorizations[0].Problem != "issuance" {
		t.Errorf("one that is right: %+v", v)
	}
	if beneath, _, err := c.Cases.List(t.Context(), proofing.Query{Index: "issuance", Prefix: k.ID}); err != nil || len(beneath) != 1 {
		t.Errorf("%d approvals are open for that: %v", len(beneath), err)
	}
}

func TestWhatWaitsBeneathAnAuthorizationIsBounded(t *testing.T) {
	c := newCourt(t)
	each := *c.Policy.Profiles["signing"]
	each.Approve = proofing.ApproveEach
	c.Policy.Profiles["signing"] = &each
	k := c.granted()
	c.logged()
	ask := func(csr string) proofing.Authorization {
		t.Helper()
		v, err := c.Authorize(t.Context(), c.ca, proofing.AuthorizeRequest{Applicant: k.Applicant, Identifiers: []proofing.Identifier{k.Identifier}, Profile: k.Profile, CSRDigest: csr, CSR: &proofing.CSR{Digest: csr, Key: proofing.KeyP256}})
		if err != nil {
			t.Fatal(err)
		}
		return v.Authorizations[0]
	}
	var first proofing.Authorization
	for i := range 10 {
		a := ask(fmt.Sprint("csr-", i))
		if a.Problem != "issuance" {
			t.Fatalf("number %d: %s", i, a.Problem)
		}
		if i == 0 {
			first = a
		}
	}
	for range 2 {
		if a := ask("one more"); a.Problem != "issuances_many" || a.Case.ID != k.ID {
			t.Errorf("the eleventh: %s", a.Problem)
		}
	}
	if a := ask("csr-3"); a.Problem != "issuance" {
		t.Errorf("one that waits already: %s", a.Problem)
	}
	must[*proofing.Case](t)(c.decides(c.approver, first.Case, proofing.StepApprove, true))
	if a := ask("one more"); a.Problem != "issuance" {
		t.Errorf("after one was decided: %s", a.Problem)
	}
}

func TestOneCSROpensOneApprovalHoweverOftenItIsAskedAbout(t *testing.T) {
	c := newCourt(t)
	each := *c.Policy.Profiles["signing"]
	each.Approve = proofing.ApproveEach
	c.Policy.Profiles["signing"] = &each
	k := c.granted()
	c.logged()
	called := len(c.post.all("waiting"))
	r := proofing.AuthorizeRequest{Applicant: k.Applicant, Identifiers: []proofing.Identifier{k.Identifier}, Profile: k.Profile, CSRDigest: "csr", CSR: &proofing.CSR{Digest: "csr", Key: proofing.KeyP256}}
	services := []*proofing.Service{c.Service, c.beside(0)}
	var all sync.WaitGroup
	ids := make([]string, 20)
	for i := range ids { // on two processes
		all.Go(func() {
			v, err := services[i%2].Authorize(t.Context(), c.ca, r)
			if err != nil || v.Authorizations[0].Problem != "issuance" {
				t.Errorf("%+v, %v", v, err)
				return
			}
			ids[i] = v.Authorizations[0].Case.ID
		})
	}
	all.Wait()
	if slices.Sort(ids); len(slices.Compact(ids)) != 1 {
		t.Errorf("one CSR has the approvals %v", ids)
	}
	c.work()
	if told := len(c.post.all("waiting")) - called; told != 2 {
		t.Errorf("two approvers are told by %d mails", told)
	}
}

// Whom the organization names to approve is who approves the next CSR, whoever approved the authorization.
func TestACSRIsApprovedByThoseWhomTheOrganizationNamesNow(t *testing.T) {
	c := newCourt(t)
	c.demands(1, proofing.ApproveEach)
	k := c.granted()
	rule := proofing.ApprovalRule{Needed: 1, Of: []string{c.office[c.second].ID}}
	for _, r := range []*representative{c.one, c.two} {
		r.renew()
		must[*proofing.Organization](t)(c.SetApprovalRule(t.Context(), r.visit(), c.org.ID, rule))
	}
	c.logged()
	v, err := c.Authorize(t.Context(), c.ca, proofing.AuthorizeRequest{
		Applicant: k.Applicant, Identifiers: []proofing.Identifier{k.Identifier}, Profile: k.Profile, CSRDigest: "csr-1", CSR: &proofing.CSR{Digest: "csr-1", Key: proofing.KeyP256},
	})
	if err != nil || v.Authorizations[0].Problem != "issuance" {
		t.Fatalf("%v, %+v", err, v)
	}
	approval := v.Authorizations[0].Case
	if _, err := c.decides(c.approver, approval, proofing.StepApprove, false); err == nil {
		t.Error("it is approved by whom the organization does not name any more")
	}
	must[*proofing.Case](t)(c.decides(c.second, approval, proofing.StepApprove, false))
	if k := must[*proofing.Case](t)(c.decides(c.reviewer, approval, proofing.StepReview, false)); k.Status != proofing.CaseGranted {
		t.Errorf("the approval is %s", k.Status)
	}
}
