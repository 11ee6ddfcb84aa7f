package proofing_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

var keep = flag.Bool("keep", false, "keep a new evidence file in audit/testdata")

// stated gives a world the tree of its log, which is verified when the test ends.
func (w *world) stated() *audit.Tree {
	w.t.Helper()
	tree := &audit.Tree{
		Tiles: store.NewTable[audit.Tile](w.kv, w.ring, "log_tile"), Heads: store.NewTable[audit.Head](w.kv, w.ring, "log_tree"),
		Page: w.LogPage, Hasher: w.Hasher, Origin: "proof.example.org/log", Now: w.clock,
		Key: func() ed25519.PrivateKey {
			k, _ := w.ring.LogKey()
			return k.Private()
		},
		MakeKey: func() (ed25519.PrivateKey, error) {
			k, err := w.ring.MakeLogKey(w.clock())
			return k.Private(), err
		},
	}
	w.Recorder = tree
	w.t.Cleanup(func() { // whatever a test has done, the log and the records agree, but where it forges them
		ctx := context.Background()
		if w.t.Failed() || w.forges {
			return
		}
		if err := w.SequenceOnce(ctx); err != nil {
			w.t.Error(err)
		}
		if _, err := tree.Verify(ctx, w.Service); err != nil {
			w.t.Errorf("in the end: %v", err)
		}
	})
	return tree
}

// logKey is what whoever checks the log has.
func logKey(t testing.TB, tree *audit.Tree) (audit.LogKey, string) {
	t.Helper()
	h := must[*audit.Head](t)(tree.Head(t.Context()))
	return must[audit.LogKey](t)(audit.ParseLogKey(h.Verifier)), h.Verifier
}

// prosecuted is a request that everybody has agreed to, under which two certificates were issued.
func prosecuted(t testing.TB) (c *court, tree *audit.Tree, k *proofing.Case, certificates []*proofing.Certificate) {
	c = newCourt(t)
	tree = c.stated()
	c.logged()
	k = c.granted()
	for serial := range int64(2) {
		certificates = append(certificates, must[*proofing.Certificate](t)(c.CertificateIssued(t.Context(), c.ca, proofing.CertificateReport{
			DER: issued(t, orgName, 0x3a7f+serial, c.clock(), 460*24*time.Hour), Cases: []string{k.ID}, Order: "https://ca.example/order/9",
		})))
	}
	c.logged()
	return c, tree, c.reload(k), certificates
}

func TestTheEvidenceOfACertificateIsCheckedWithoutTheServer(t *testing.T) {
	c, tree, k, certificates := prosecuted(t)
	key, public := logKey(t, tree)
	for what, x := range map[string]struct {
		chain   *proofing.Chain
		subject proofing.Subject
		object  string
		certs   int
	}{
		"a case":        {must[*proofing.Chain](t)(c.ChainOfCase(t.Context(), k.ID)), proofing.SubjectCase, k.ID, 2},
		"a certificate": {must[*proofing.Chain](t)(c.ChainOfCertificate(t.Context(), certificates[0])), proofing.SubjectCertificate, certificates[0].ID, 1},
	} {
		e := must[*audit.Evidence](t)(tree.Evidence(t.Context(), x.chain, x.subject, x.object))
		file := must[[]byte](t)(e.Text())
		t.Logf("%s: %d bytes, %d objects, a log of %d entries", what, len(file), len(e.Objects), must[*proofing.LogHead](t)(c.LogHead(t.Context())).Size)
		read := must[*audit.Evidence](t)(audit.ParseEvidence(file))
		p, err := read.Verify(key)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		one := p.Cases[0]
		if len(p.Certificates) != x.certs || len(p.Cases) != 1 || len(p.Approvals) != 3 || one.Applicant != "account" || one.Key != k.Applicant.Thumbprint {
			t.Errorf("%s: %d certificates, %d approvals, %+v", what, len(p.Certificates), len(p.Approvals), one)
		}
		if one.Assessment == nil || one.Assessment.AAL == nil || *one.Assessment.AAL != 2 || len(one.Challenges) != len(one.Assessment.Events) || len(one.Challenges) == 0 {
			t.Errorf("%s: what was proved is %v, assessed as %+v", what, one.Challenges, one.Assessment)
		}
		for _, z := range p.Certificates {
			if z.Order != "https://ca.example/order/9" || z.Account != k.Applicant.URL || z.Cases[0] != k.ID {
				t.Errorf("%s: %+v", what, z)
			}
		}
		kinds := map[proofing.Subject]int{}
		for _, o := range p.Objects {
			kinds[o.Of]++
		}
		// Two administrators, four of the organization and two of its authority; the passkeys of who asked and of the three who decided.
		if kinds[proofing.SubjectOrganization] != 1 || kinds[proofing.SubjectAppointment] != 8 || kinds[proofing.SubjectAuthenticator] != 4 {
			t.Errorf("%s: the objects are %v", what, kinds)
		}
		if *keep && what == "a certificate" {
			if err := errors.Join(os.WriteFile("../audit/testdata/evidence.json", file, 0o644), os.WriteFile("../audit/testdata/evidence-log-key.txt", []byte(public+"\n"), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		other := must[*audit.Evidence](t)(audit.ParseEvidence(file))
		other.Made = other.Made.Add(time.Second)
		if _, err := other.Verify(key); err == nil || !strings.Contains(err.Error(), "seal") {
			t.Errorf("%s: made at another time: %v", what, err)
		}
	}
}

func TestEvidenceIsNotMadeOfWhatIsNotInTheLogOrDoesNotHold(t *testing.T) {
	c, tree, k, _ := prosecuted(t)
	ctx := t.Context()
	must[*proofing.Certificate](t)(c.CertificateIssued(ctx, c.ca, proofing.CertificateReport{DER: issued(t, orgName, 9, c.clock(), time.Hour), Cases: []string{k.ID}}))
	_, err := c.ChainOfCase(ctx, k.ID)
	wantErr(t, "before it is in the log", err, proofing.ErrUnlogged)
	c.Recorder = nil // it lists, and nobody states it
	c.logged()
	chain := must[*proofing.Chain](t)(c.ChainOfCase(ctx, k.ID))
	_, err = tree.Evidence(ctx, chain, proofing.SubjectCase, k.ID)
	wantErr(t, "before a checkpoint covers it", err, proofing.ErrUnlogged)
	c.Recorder = tree
	c.open("email") // anything
	c.logged()
	must[*audit.Evidence](t)(tree.Evidence(ctx, chain, proofing.SubjectCase, k.ID))
	_, err = c.ChainOfCase(ctx, proofing.NewID(nil))
	wantErr(t, "a case that there is not", err, proofing.ErrNotFound)
	_, err = c.ChainOfCase(ctx, c.one.session.ID)
	wantErr(t, "somebody's own session", err, proofing.ErrNotFound)

	// Whoever has the store swaps the key of a passkey, or turns a decision round.
	swapped := must[*proofing.Case](t)(c.Cases.Get(ctx, k.ID))
	swapped.Approval.Decisions[0].Signature.PublicKey = swapped.Approval.Decisions[1].Signature.PublicKey
	chain.Cases = []*proofing.Case{swapped}
	if _, err = tree.Evidence(ctx, chain, proofing.SubjectCase, k.ID); err == nil || !strings.Contains(err.Error(), "does not hold") {
		t.Errorf("with another key: %v", err)
	}
	turned := must[*proofing.Case](t)(c.Cases.Get(ctx, k.ID))
	d := &turned.Approval.Decisions[0].Signature
	d.Document = strings.Replace(d.Document, "organization", "organisation", 1)
	chain.Cases = []*proofing.Case{turned}
	if _, err = tree.Evidence(ctx, chain, proofing.SubjectCase, k.ID); err == nil || !strings.Contains(err.Error(), "no entry tells of the decision") {
		t.Errorf("with another document: %v", err)
	}
}

// What a person had erased is not in the file, and the rest of it holds.
func TestEvidenceHoldsWithoutWhatWasErased(t *testing.T) {
	c, tree, k, _ := prosecuted(t)
	key, _ := logKey(t, tree)
	c.Policy.LogRetention = time.Hour
	c.pass(2 * time.Hour)
	c.logged()
	e := must[*audit.Evidence](t)(tree.Evidence(t.Context(), must[*proofing.Chain](t)(c.ChainOfCase(t.Context(), k.ID)), proofing.SubjectCase, k.ID))
	p, err := e.Verify(key)
	if err != nil {
		t.Fatal(err)
	}
	if p.Cases[0].Assessment != nil || p.Certificates[0].Order != "" || len(p.Approvals) != 3 {
		t.Errorf("after erasure it has %+v", p.Cases[0])
	}
}

// A mailbox alone has a chain, too, without people who decide.
func TestEvidenceOfACaseThatNobodyDecidesAbout(t *testing.T) {
	w := newWorld(t)
	tree := w.stated()
	k := w.prove(w.open("email"), "b", "email", "")
	w.logged()
	e := must[*audit.Evidence](t)(tree.Evidence(t.Context(), must[*proofing.Chain](t)(w.ChainOfCase(t.Context(), k.ID)), proofing.SubjectCase, k.ID))
	key, _ := logKey(t, tree)
	p, err := must[*audit.Evidence](t)(audit.ParseEvidence(must[[]byte](t)(e.Text()))).Verify(key)
	if err != nil || len(p.Certificates) != 0 || len(p.Cases[0].Challenges) != 1 || p.Cases[0].Assessment == nil {
		t.Errorf("%v, %+v", err, p)
	}
}

// Where each CSR is approved, the evidence of a certificate has the approval of its own.
func TestTheEvidenceOfACertificateHasTheApprovalOfItsCSR(t *testing.T) {
	c := newCourt(t)
	tree := c.stated()
	c.logged()
	each := *c.Policy.Profiles["signing"]
	each.Approve = proofing.ApproveEach
	c.Policy.Profiles["signing"] = &each
	k := c.granted()
	c.logged()
	ask := func(csr string) *proofing.Case {
		t.Helper()
		v, err := c.Authorize(t.Context(), c.ca, proofing.AuthorizeRequest{
			Applicant: k.Applicant, Identifiers: []proofing.Identifier{k.Identifier}, Profile: k.Profile, CSRDigest: csr,
			CSR: &proofing.CSR{Digest: csr, Key: proofing.KeyRSA, Bits: 3072, Subject: []proofing.SubjectMember{{Name: "O", Value: orgName}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return v.Authorizations[0].Case
	}
	approval := ask("csr-1")
	must[*proofing.Case](t)(c.decides(c.approver, approval, proofing.StepApprove, false))
	must[*proofing.Case](t)(c.decides(c.reviewer, approval, proofing.StepReview, false))
	ask("csr-2") // which nobody has decided about
	for csr, want := range map[string]string{"": proofing.FindingCSRUnchecked, "csr-2": proofing.FindingCSRUnapproved, "csr-3": proofing.FindingCSRUnapproved} {
		got := must[*proofing.Certificate](t)(c.CertificateIssued(t.Context(), c.ca, proofing.CertificateReport{DER: issued(t, orgName, 1, c.clock(), time.Hour), Cases: []string{k.ID}, CSRDigest: csr}))
		if codes := codesOf(got); len(codes) != 1 || codes[0] != want || len(got.Approvals) != 0 {
			t.Errorf("%q: %v, approvals %v", csr, codes, got.Approvals)
		}
	}
	made := must[*proofing.Certificate](t)(c.CertificateIssued(t.Context(), c.ca, proofing.CertificateReport{DER: issued(t, orgName, 2, c.clock(), time.Hour), Cases: []string{k.ID}, CSRDigest: "csr-1"}))
	if len(made.Findings) != 0 || len(made.Approvals) != 1 || made.Approvals[0] != approval.ID {
		t.Fatalf("%v, approvals %v", made.Findings, made.Approvals)
	}
	c.logged()
	e := must[*audit.Evidence](t)(tree.Evidence(t.Context(), must[*proofing.Chain](t)(c.ChainOfCertificate(t.Context(), made)), proofing.SubjectCertificate, made.ID))
	key, _ := logKey(t, tree)
	p := must[*audit.Proven](t)(must[*audit.Evidence](t)(audit.ParseEvidence(must[[]byte](t)(e.Text()))).Verify(key))
	if len(p.Cases) != 2 || len(p.Approvals) != 5 || p.Certificates[0].Approvals[0] != approval.ID {
		t.Errorf("%d cases, %d approvals, %+v", len(p.Cases), len(p.Approvals), p.Certificates[0])
	}
	if until := must[*proofing.Case](t)(c.Cases.Get(t.Context(), approval.ID)).Keep; until.Before(made.NotAfter.AddDate(2, 0, 0)) {
		t.Errorf("the approval is kept until %s", until)
	}
	// An approval that was taken back before the certificate was told of is no approval of it.
	must[*proofing.Case](t)(c.Revoke(t.Context(), approval.ID, "operator"))
	late := must[*proofing.Certificate](t)(c.CertificateIssued(t.Context(), c.ca, proofing.CertificateReport{DER: issued(t, orgName, 3, c.clock(), time.Hour), Cases: []string{k.ID}, CSRDigest: "csr-1"}))
	if codes := codesOf(late); !slices.Equal(codes, []string{proofing.FindingNotValid}) {
		t.Errorf("after the approval was revoked: %v", codes)
	}
	c.logged()
	// The file of the approval itself has what it is beneath.
	e = must[*audit.Evidence](t)(tree.Evidence(t.Context(), must[*proofing.Chain](t)(c.ChainOfCase(t.Context(), approval.ID)), proofing.SubjectCase, approval.ID))
	if len(e.Cases) != 2 {
		t.Errorf("the evidence of the approval has %d cases", len(e.Cases))
	}
}

// An account that is bound by a key has what was proved for the key, without proving anything itself: the evidence of its
// certificate leads to the case in which it was proved.
func TestTheEvidenceOfABoundAccountLeadsToWhatWasProvedForItsKey(t *testing.T) {
	w, first := withKeys(t)
	tree := w.stated()
	k := w.caseKey(first)
	must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
	bound := w.asks(1, proved).Case
	made := must[*proofing.Certificate](t)(w.CertificateIssued(t.Context(), w.ca, proofing.CertificateReport{DER: issued(t, "", 7, w.clock(), time.Hour), Cases: []string{bound.ID}}))
	w.logged()
	e := must[*audit.Evidence](t)(tree.Evidence(t.Context(), must[*proofing.Chain](t)(w.ChainOfCertificate(t.Context(), made)), proofing.SubjectCertificate, made.ID))
	key, _ := logKey(t, tree)
	p, err := must[*audit.Evidence](t)(audit.ParseEvidence(must[[]byte](t)(e.Text()))).Verify(key)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Cases) != 2 {
		t.Fatalf("there are %d cases", len(p.Cases))
	}
	for _, c := range p.Cases {
		if len(c.Challenges) != 1 || c.Assessment == nil || (c.Kid == k.Kid) != (c.Object == bound.ID) {
			t.Errorf("case %s: %d challenges, key %q, assessed as %+v", c.Object, len(c.Challenges), c.Kid, c.Assessment)
		}
	}
	claim, ok := p.Claim(bound.ID)
	if !ok || !claim.At.Equal(w.reload(bound).Grant.At) {
		t.Errorf("the log says %t, %+v of the grant", ok, claim)
	}
}

// What was proved for a key is kept as long as the certificates of the accounts that it binds, and so their evidence can be made.
func TestWhatWasProvedForAKeyIsKeptAsLongAsTheCertificatesOfItsAccounts(t *testing.T) {
	w, first := withKeys(t)
	tree := w.stated()
	k := w.caseKey(first)
	must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
	bound := w.asks(1, proved).Case
	made := must[*proofing.Certificate](t)(w.CertificateIssued(t.Context(), w.ca, proofing.CertificateReport{DER: issued(t, "", 7, w.clock(), 365*24*time.Hour), Cases: []string{bound.ID}}))
	w.logged()
	for range 4 { // two years and a half
		w.pass(240 * 24 * time.Hour)
		w.work()
		w.logged()
	}
	e := must[*audit.Evidence](t)(tree.Evidence(t.Context(), must[*proofing.Chain](t)(w.ChainOfCertificate(t.Context(), made)), proofing.SubjectCertificate, made.ID))
	key, _ := logKey(t, tree)
	if p := must[*audit.Proven](t)(e.Verify(key)); len(p.Cases) != 2 {
		t.Errorf("there are %d cases", len(p.Cases))
	}
}

// A certificate may rest on several requests; evidence of one of them has the others.
func TestEvidenceOfARequestHasTheOthersThatItsCertificateRestsOn(t *testing.T) {
	w, first := withKeys(t)
	tree := w.stated()
	k := w.caseKey(first)
	must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
	bound := w.asks(1, proved).Case
	r := request("email")
	r.Applicant, r.Identifier.Value = bound.Applicant, "second@example.org"
	second, _, err := w.Open(t.Context(), w.ca, r)
	if err != nil {
		t.Fatal(err)
	}
	if second = w.prove(second, "b", "email", "second@example.org"); second.Status != proofing.CaseGranted {
		t.Fatalf("the second case is %s", second.Status)
	}
	must[*proofing.Certificate](t)(w.CertificateIssued(t.Context(), w.ca, proofing.CertificateReport{DER: issued(t, "", 7, w.clock(), time.Hour), Cases: []string{bound.ID, second.ID}}))
	w.logged()
	key, _ := logKey(t, tree)
	for _, c := range []*proofing.Case{bound, second} {
		e := must[*audit.Evidence](t)(tree.Evidence(t.Context(), must[*proofing.Chain](t)(w.ChainOfCase(t.Context(), c.ID)), proofing.SubjectCase, c.ID))
		if p, err := e.Verify(key); err != nil || len(p.Certificates) != 1 || len(p.Cases) != 3 {
			t.Errorf("evidence of %s: %v, %+v", c.ID, err, p)
		}
	}
}

// boundByKey has a request without an account decided, and a key made and bound as what it ends in. It returns the request and the key.
func (c *court) boundByKey() (*proofing.Case, *proofing.Key) {
	c.t.Helper()
	return c.boundByKeyFor("")
}

// boundByKeyFor is boundByKey of a request that names a CSR.
func (c *court) boundByKeyFor(csr string) (*proofing.Case, *proofing.Key) {
	c.t.Helper()
	r := c.asks("signing")
	r.CSRDigest = csr
	r.Applicant = proofing.Applicant{Kind: proofing.ByNobody}
	c.ca.NewAccounts = []string{newAccount}
	must[*proofing.Authority](c.t)(c.Authorities.Update(c.t.Context(), c.ca.ID, func(have *proofing.Authority) error {
		have.NewAccounts = c.ca.NewAccounts
		return nil
	}))
	first, _, err := c.Open(c.t.Context(), c.ca, r)
	if err != nil {
		c.t.Fatal(err)
	}
	first = must[*proofing.Case](c.t)(c.use(visit(first, "requester"), c.requester.key))
	c.work()
	first = c.decided(first)
	_, k, err := c.CaseKey(c.t.Context(), visit(first, "requester"), "")
	if err != nil {
		c.t.Fatal(err)
	}
	must[*proofing.VerifiedKey](c.t)(c.VerifyKey(c.t.Context(), c.ca, present(k, 1)))
	return first, k
}

// What people decided about a request that ended in a key is the decision about the account that the key binds, and its CA hears of the grant.
func TestTheEvidenceOfABoundAccountHasTheDecisionsAboutItsKey(t *testing.T) {
	c := newCourt(t)
	tree := c.stated()
	c.logged()
	first, k := c.boundByKey()
	ask := func() (proofing.Verdict, error) {
		return c.Authorize(t.Context(), c.ca, proofing.AuthorizeRequest{
			Applicant: proofing.Applicant{Kind: proofing.ByAccount, Thumbprint: accountKey(1)}, Identifiers: []proofing.Identifier{first.Identifier}, Profile: first.Profile,
		})
	}
	_, err := ask()
	wantErr(t, "before it is in the log", err, proofing.ErrUnavailable)
	c.logged()
	v := must[proofing.Verdict](t)(ask())
	bound := v.Authorizations[0].Case
	if bound.Status != proofing.CaseGranted || bound.EABKid != k.Kid {
		t.Fatalf("the bound account's case is %s, of key %q", bound.Status, bound.EABKid)
	}
	made := must[*proofing.Certificate](t)(c.CertificateIssued(t.Context(), c.ca, proofing.CertificateReport{DER: issued(t, orgName, 8, c.clock(), time.Hour), Cases: []string{bound.ID}}))
	c.logged()
	e := must[*audit.Evidence](t)(tree.Evidence(t.Context(), must[*proofing.Chain](t)(c.ChainOfCertificate(t.Context(), made)), proofing.SubjectCertificate, made.ID))
	key, _ := logKey(t, tree)
	p, err := must[*audit.Evidence](t)(audit.ParseEvidence(must[[]byte](t)(e.Text()))).Verify(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range p.Approvals {
		if a.Case != first.ID {
			t.Errorf("a decision is of the case %s", a.Case)
		}
	}
	if len(p.Approvals) != 3 || len(p.Cases) != 2 {
		t.Errorf("%d decisions, %d cases", len(p.Approvals), len(p.Cases))
	}
	told := map[proofing.Change]string{}
	page, _, err := c.Events(t.Context(), c.ca, "", 200, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range page {
		if e.Object == bound.ID {
			told[e.Change] = string(e.Status)
		}
	}
	if told[proofing.ChangeCreated] != string(proofing.CaseOpen) || told[proofing.ChangeStatus] != string(proofing.CaseGranted) {
		t.Errorf("its authority was told %v", told)
	}
}

// Where each CSR is approved, what people decided about a key is no word for a CSR: neither for one that the authority names when
// it opens the bound account's request, nor, if they decided about one, for any other.
func TestADecisionAboutAKeyIsNoneAboutACSR(t *testing.T) {
	c := newCourt(t)
	c.stated()
	c.logged()
	each := *c.Policy.Profiles["signing"]
	each.Approve = proofing.ApproveEach
	c.Policy.Profiles["signing"] = &each
	first, _ := c.boundByKey()
	c.logged()
	account := proofing.Applicant{Kind: proofing.ByAccount, Thumbprint: accountKey(1)}
	opened, _, err := c.Open(t.Context(), c.ca, proofing.OpenRequest{
		Applicant: account, Identifier: first.Identifier, Profile: first.Profile, CSRDigest: "csr-1", CSR: &proofing.CSR{Digest: "csr-1", Key: proofing.KeyP256},
	})
	if err != nil {
		t.Fatal(err)
	}
	if opened.Status != proofing.CaseReview || len(opened.Approval.Decisions) != 0 {
		t.Errorf("a request for a CSR is %s with %+v, and nobody has decided about it", opened.Status, opened.Approval)
	}
	c.logged()
	v, err := c.Authorize(t.Context(), c.ca, proofing.AuthorizeRequest{
		Applicant: account, Identifiers: []proofing.Identifier{first.Identifier}, Profile: first.Profile, CSRDigest: "csr-1", CSR: &proofing.CSR{Digest: "csr-1", Key: proofing.KeyP256},
	})
	if err != nil || v.Authorizations[0].Problem == "" {
		t.Errorf("it may be issued: %+v, %v", v.Authorizations, err)
	}
	c.work()
	must[*proofing.Case](t)(c.decides(c.approver, opened, proofing.StepApprove, false))
}
