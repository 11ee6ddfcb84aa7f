package proofing_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/proofing"
)

// manyKeys are fingerprints of keys, in hexadecimal.
func manyKeys(n int) (keys []string) {
	for i := range n {
		sum := sha256.Sum256(fmt.Append(nil, i))
		keys = append(keys, hex.EncodeToString(sum[:]))
	}
	return keys
}

// keyPrint is one of them as a CSR's key is known.
func keyPrint(i int) string {
	raw, _ := hex.DecodeString(manyKeys(i + 1)[i])
	return base64.RawURLEncoding.EncodeToString(raw)
}

// attested is how an organization protects its keys whose maker of modules attests each.
func attested(keys ...string) proofing.ItemDraft { return proofing.ItemDraft{Method: 2, Keys: keys} }

// protects records how keys are protected.
func (c *court) protects(method int, outcome proofing.Outcomes, keys ...string) {
	c.t.Helper()
	c.item(proofing.ItemDraft{Kind: proofing.ItemKeyProtection, SourceKind: proofing.SourceAttestation, Method: method, Reference: "file 9", Keys: keys, Outcome: outcome})
}

// asksFor is what the authority hears when it asks about a CSR for a key.
func (c *court) asksFor(k *proofing.Case, key string) proofing.Authorization {
	c.t.Helper()
	c.logged()
	v, err := c.Authorize(c.t.Context(), c.ca, proofing.AuthorizeRequest{
		Applicant: k.Applicant, Identifiers: []proofing.Identifier{k.Identifier}, Profile: k.Profile, CSRDigest: "csr of " + key,
		CSR: &proofing.CSR{Digest: "csr of " + key, SPKI: key, Key: proofing.KeyP256},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return v.Authorizations[0]
}

const anotherKey = "key_protection other_key (CSBR 6.2.7.4.2)"

// What was verified of one key says nothing of another (CSBR 6.2.7.4.2): methods 1, 2, 3 and 6 are about the making of certain keys.
func TestEvidenceOfOneKeyAuthorizesNoOther(t *testing.T) {
	for method := 1; method <= 7; method++ {
		t.Run(fmt.Sprint("method ", method), func(t *testing.T) {
			practice := slices.Contains([]int{4, 5, 7}, method)
			d, want := proofing.ItemDraft{Method: method}, ""
			if !practice {
				d.Keys, want = []string{keyPrint(0), keyPrint(1)}, anotherKey
			}
			c := newCourtOf(t, d)
			k := c.granted()
			if code, detail := c.problem(k); code != "" { // at the order no key is known
				t.Fatalf("at the order: %s, %s", code, detail)
			}
			for i, want := range []string{"", "", want} {
				if a := c.asksFor(k, keyPrint(i)); (a.Problem == "dossier") != (want != "") || a.Detail != want {
					t.Errorf("key %d: %s, %s, want %s", i, a.Problem, a.Detail, want)
				}
			}
			if !practice {
				return
			}
			c.protects(method, proofing.OutcomeBad)
			c.protects(method, proofing.OutcomeGood, keyPrint(0)) // what names a key is of that one, by whatever method
			c.reviewsAgain()
			for i, want := range []string{"", "key_protection bad (CSBR 6.2.7.4.2)"} {
				if a := c.asksFor(k, keyPrint(i)); a.Detail != want {
					t.Errorf("key %d, after the practice was refuted: %s, %s, want %s", i, a.Problem, a.Detail, want)
				}
			}
		})
	}
}

// What is found of a key by name, only what names it takes back: an audit of how the organization keeps its keys says nothing of one that left its module.
func TestAnAuditOfAllKeysDoesNotMakeARefutedKeyGood(t *testing.T) {
	const bad = "key_protection bad (CSBR 6.2.7.4.2)"
	c := newCourtOf(t, attested(keyPrint(0), keyPrint(1)))
	k := c.granted()
	holds := func(when string, want ...string) {
		t.Helper()
		c.reviewsAgain()
		for i, want := range want {
			if a := c.asksFor(k, keyPrint(i)); a.Detail != want {
				t.Errorf("%s: key %d: %s, %s, want %s", when, i, a.Problem, a.Detail, want)
			}
		}
	}
	c.protects(2, proofing.OutcomeBad, keyPrint(0))
	holds("refuted", bad, "")
	c.protects(4, proofing.OutcomeGood)
	holds("after an audit", bad, "", "")
	c.protects(4, proofing.OutcomeBad)
	c.protects(4, proofing.OutcomeGood)
	holds("after an audit that was refuted, and another one", bad, "", "")
	c.protects(2, proofing.OutcomeGood, keyPrint(0))
	holds("after it was attested anew", "", "", "")
}

// Where each CSR is approved, its key is known when people decide: nobody reviews one for which there is no evidence, and the same one holds once there is.
func TestNobodyReviewsACSRForAKeyOfWhichThereIsNoEvidence(t *testing.T) {
	c := newCourtOf(t, attested(keyPrint(0)))
	c.demands(1, proofing.ApproveEach)
	k := c.granted()
	a := c.asksFor(k, keyPrint(1))
	if a.Problem != "issuance" {
		t.Fatalf("%s, %s", a.Problem, a.Detail)
	}
	i := a.Case
	must[*proofing.Case](t)(c.decides(c.approver, i, proofing.StepApprove, false))
	_, err := c.decides(c.reviewer, i, proofing.StepReview, false)
	wantInput(t, "reviewing it", err, "decide_lacks")
	c.reviewer.renew()
	d := must[*proofing.Dossiered](t)(c.CaseInConsole(t.Context(), c.reviewer.visit(), i.ID))
	if len(d.Lacks) != 1 || d.Lacks[0].Code != proofing.LackOtherKey || d.Lacks[0].Kind != proofing.ItemKeyProtection {
		t.Errorf("it lacks %+v", d.Lacks)
	}
	c.protects(2, proofing.OutcomeGood, keyPrint(1))
	i = must[*proofing.Case](t)(c.decides(c.reviewer, i, proofing.StepReview, false))
	if a := c.asksFor(k, keyPrint(1)); i.Status != proofing.CaseGranted || a.Problem != "" {
		t.Errorf("with evidence of its key: %s; %s, %s", i.Status, a.Problem, a.Detail)
	}
	// And what was approved holds no more once its key is found to be elsewhere. The other key is as it was.
	c.protects(2, proofing.OutcomeBad, keyPrint(1))
	c.reviewsAgain()
	if a := c.asksFor(k, keyPrint(1)); a.Problem != "dossier" || a.Detail != "key_protection bad (CSBR 6.2.7.4.2)" {
		t.Errorf("after it was refuted: %s, %s", a.Problem, a.Detail)
	}
	if a := c.asksFor(k, keyPrint(0)); a.Problem != "issuance" {
		t.Errorf("the other key: %s, %s", a.Problem, a.Detail)
	}
}

// A case that is of one key from its beginning is decided for that one.
func TestARequestOfOneKeyIsDecidedForThatKey(t *testing.T) {
	for name, x := range map[string]struct {
		key  int
		want string
	}{"the key that the evidence names": {0, ""}, "another key": {1, "decide_lacks"}} {
		t.Run(name, func(t *testing.T) {
			c := newCourtOf(t, attested(keyPrint(0)))
			r := c.asks("signing")
			r.Applicant = proofing.Applicant{Kind: proofing.ByPublicKey, SPKI: keyPrint(x.key)}
			k, _, err := c.Open(t.Context(), c.ca, r)
			if err != nil {
				t.Fatal(err)
			}
			k = must[*proofing.Case](t)(c.use(visit(k, "requester"), c.requester.key))
			must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
			_, err = c.decides(c.specialist, k, proofing.StepVet, false)
			if x.want == "" && err != nil {
				t.Error(err)
			} else if x.want != "" {
				wantInput(t, "vetting it", err, x.want)
			}
		})
	}
}

func TestEvidenceOfOneKeyDoesNotTakeThePlaceOfThatOfAnother(t *testing.T) {
	upper := strings.ToUpper(manyKeys(1)[0])
	var pairs []string
	for i := 0; i < len(upper); i += 2 {
		pairs = append(pairs, upper[i:i+2])
	}
	c := newCourtOf(t, attested(strings.Join(pairs, ":"), keyPrint(0))) // one key, in two spellings
	c.protects(6, proofing.OutcomeGood, manyKeys(2)[1])
	var named []string
	for _, it := range c.org.Currents() {
		if it.Kind == proofing.ItemKeyProtection {
			named = append(named, strings.Join(it.Keys, " "))
		}
	}
	if !slices.Equal(named, []string{keyPrint(0), keyPrint(1)}) {
		t.Errorf("what counts is of the keys %q", named)
	}
	now := c.clock()
	for key, want := range map[string]int{keyPrint(0): 2, keyPrint(1): 6, "": 6} {
		if it := c.org.Protection(key, now); it == nil || it.Method != want {
			t.Errorf("key %q: %+v", key, it)
		}
	}
	if it := c.org.Protection(keyPrint(2), now); it != nil {
		t.Errorf("a third key: %+v", it)
	}
	// The second is refuted: that of the first still does for whoever has not said which key it is to be.
	c.protects(6, proofing.OutcomeBad, keyPrint(1))
	if it := c.org.Protection("", now); it == nil || it.Method != 2 {
		t.Errorf("without a key: %+v", it)
	}
	// What was stored before items named keys is of no key where the method is about one.
	old := &proofing.Organization{Items: []proofing.Item{{Kind: proofing.ItemKeyProtection, Method: 2, Outcome: proofing.OutcomeGood, CollectedAt: now}}}
	if old.Protection(keyPrint(0), now) != nil || old.Protection("", now) == nil {
		t.Error("an attestation that names no key is of one")
	}
	old.Items[0].Method = 7
	if old.Protection(keyPrint(0), now) == nil {
		t.Error("an agreement with a Signing Service is of no key")
	}
}

// What is recorded of one key after a grant is nothing that a grant for another waits for.
func TestWhatIsRecordedOfAnotherKeyIsNotWhatAGrantRestsOn(t *testing.T) {
	c := newCourtOf(t, attested(keyPrint(0)))
	c.demands(1, proofing.ApproveEach)
	k := c.granted()
	i := c.asksFor(k, keyPrint(0)).Case
	must[*proofing.Case](t)(c.decides(c.approver, i, proofing.StepApprove, false))
	i = must[*proofing.Case](t)(c.decides(c.reviewer, i, proofing.StepReview, false))
	lacks := func() string {
		c.reviewer.renew()
		var all []string
		for _, l := range must[*proofing.Dossiered](t)(c.CaseInConsole(t.Context(), c.reviewer.visit(), i.ID)).Lacks {
			all = append(all, string(l.Kind)+" "+l.Code)
		}
		return strings.Join(all, "; ")
	}
	c.protects(2, proofing.OutcomeGood, keyPrint(1))
	if got := lacks(); got != "" {
		t.Errorf("after evidence of another key: %s", got)
	}
	if a := c.asksFor(k, keyPrint(0)); a.Problem != "" {
		t.Errorf("after evidence of another key the authority hears %s, %s", a.Problem, a.Detail)
	}
	c.protects(2, proofing.OutcomeGood, keyPrint(0))
	if got := lacks(); got != "key_protection unreviewed" {
		t.Errorf("after evidence of its own key: %s", got)
	}
}

// Nor does a grant whose key is known by the CSR alone, or not yet. It rests on evidence that somebody has reviewed, of one key or another.
func TestAGrantInAdvanceDoesNotWaitForTheReviewOfAnotherKeysEvidence(t *testing.T) {
	const unreviewed = "key_protection unreviewed (CSBR 3.2.9)"
	c := newCourtOf(t, attested(keyPrint(0)))
	k := c.granted()
	hears := func(when, order string, keys ...string) {
		t.Helper()
		if _, detail := c.problem(k); detail != order {
			t.Errorf("%s: at the order: %s, want %s", when, detail, order)
		}
		for i, want := range keys {
			if a := c.asksFor(k, keyPrint(i)); a.Detail != want {
				t.Errorf("%s: key %d: %s, %s, want %s", when, i, a.Problem, a.Detail, want)
			}
		}
	}
	c.protects(2, proofing.OutcomeGood, keyPrint(1))
	hears("another key's evidence", "", "", unreviewed)
	c.protects(2, proofing.OutcomeGood, keyPrint(0))
	hears("its own anew", unreviewed, unreviewed, unreviewed)
	c.reviewsAgain()
	hears("reviewed", "", "", "", anotherKey)
	c.protects(2, proofing.OutcomeBad, keyPrint(1))
	c.protects(2, proofing.OutcomeGood, keyPrint(1))
	hears("another key's was refuted and attested anew", "", "", unreviewed)
	c.protects(4, proofing.OutcomeGood)
	hears("an audit of all", unreviewed, unreviewed, unreviewed, unreviewed)
}

// A certificate is issued after the last question: what its key is, it says itself.
func TestACertificateForAKeyOfWhichThereIsNoEvidenceSaysSo(t *testing.T) {
	from := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	mine, other := issued(t, orgName, 1, from, time.Hour), issued(t, orgName, 2, from, time.Hour)
	c := newCourtOf(t, attested(keyOf(t, mine)))
	tree := c.stated()
	c.logged()
	k := c.granted()
	report := func(der []byte) *proofing.Certificate {
		t.Helper()
		return must[*proofing.Certificate](t)(c.CertificateIssued(t.Context(), c.ca, proofing.CertificateReport{DER: der, Cases: []string{k.ID}}))
	}
	evidence := func(made *proofing.Certificate) error {
		c.logged()
		e, err := tree.Evidence(t.Context(), must[*proofing.Chain](t)(c.ChainOfCertificate(t.Context(), made)), proofing.SubjectCertificate, made.ID)
		if err == nil {
			key, _ := logKey(t, tree)
			_, err = must[*audit.Evidence](t)(audit.ParseEvidence(must[[]byte](t)(e.Text()))).Verify(key)
		}
		return err
	}
	named, bad := report(mine), report(other)
	if len(named.Findings) != 0 || !slices.Equal(codesOf(bad), []string{proofing.FindingKey}) || !strings.Contains(bad.Findings[0].Detail, anotherKey) {
		t.Errorf("for the key %v, for another %v", named.Findings, bad.Findings)
	}
	for what, made := range map[string]*proofing.Certificate{"the key": named, "another, which its entry says": bad} {
		if err := evidence(made); err != nil {
			t.Errorf("evidence of a certificate for %s: %v", what, err)
		}
	}
	// Whoever has the store has the dossier name no key, so that nothing is found. The log has which keys it named.
	c.forges = true
	if err := edit(c.Dossiers, c.org.ID, func(o *proofing.Organization) {
		it := o.Protection(keyOf(t, mine), c.clock())
		it.Keys, it.Method = nil, 4
	}); err != nil {
		t.Fatal(err)
	}
	forged := report(issued(t, orgName, 3, from, time.Hour))
	if len(forged.Findings) != 0 {
		t.Fatal(forged.Findings)
	}
	const unproved = "is not among those about whose protection the dossier"
	if err := evidence(forged); err == nil || !strings.Contains(err.Error(), unproved) {
		t.Errorf("the evidence of a certificate for a key that nobody has verified: %v", err)
	}
	// A key is found outside its module, and the next audit of all keys is good. Whoever has the store has it forget the first.
	const good, refuted, audited = "attested", "refuted", "audited with all others"
	for i, x := range []struct {
		story []string
		want  string
	}{
		{[]string{good, refuted}, unproved},
		{[]string{good, refuted, audited}, unproved},
		{[]string{good, refuted, good}, ""},
	} {
		der := issued(t, orgName, int64(4+i), from, time.Hour)
		for _, what := range x.story {
			switch what {
			case good:
				c.protects(2, proofing.OutcomeGood, keyOf(t, der))
			case refuted:
				c.protects(2, proofing.OutcomeBad, keyOf(t, der))
			case audited:
				c.protects(4, proofing.OutcomeGood)
			}
			c.pass(time.Hour) // past the skew of clocks
		}
		if err := edit(c.Dossiers, c.org.ID, func(o *proofing.Organization) {
			o.Items = slices.DeleteFunc(o.Items, func(it proofing.Item) bool {
				return it.Kind == proofing.ItemKeyProtection && it.Outcome == proofing.OutcomeBad
			})
		}); err != nil {
			t.Fatal(err)
		}
		c.reviewsAgain()
		made := report(der)
		if len(made.Findings) != 0 {
			t.Fatal(x.story, made.Findings)
		}
		if err := evidence(made); (err == nil) != (x.want == "") || err != nil && !strings.Contains(err.Error(), x.want) {
			t.Errorf("the evidence of a certificate for a key that was %v: %v", x.story, err)
		}
	}
}
