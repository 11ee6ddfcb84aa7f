package proofing_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/countersign-id/countersign/challenges"
	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// bulletin is FIDO's metadata, as a test publishes it.
type bulletin struct {
	authority *webauthntest.Authority
	mds       *webauthn.MDS
	blob      []byte
	number    int
}

func (b *bulletin) Fetch(context.Context) ([]byte, error) { return b.blob, nil }

// informed has the world's passkeys judged by metadata, of which the first edition knows no model.
func (w *world) informed() *bulletin {
	w.t.Helper()
	b := &bulletin{authority: must[*webauthntest.Authority](w.t)(webauthntest.NewAuthority())}
	b.mds = must[*webauthn.MDS](w.t)(webauthn.OpenMDS(w.t.Context(), webauthn.MDSConfig{Source: b, Roots: []*x509.Certificate{b.authority.MetadataRoot}, Now: w.clock}))
	rp := must[*webauthn.RelyingParty](w.t)(webauthn.New(webauthn.Config{ID: "proof.example.org", Name: "Example", Origins: []string{passkeyOrigin}, Now: w.clock, MDS: b.mds}))
	w.Methods = challenges.Table(challenges.Config{Hasher: w.Hasher, Countries: []string{"GB"}, Passkeys: rp})
	b.publish(w)
	return b
}

// publish has the next edition say of models what it says.
func (b *bulletin) publish(w *world, models ...webauthntest.Model) {
	w.t.Helper()
	b.number++
	b.blob = must[[]byte](w.t)(b.authority.Edition(b.number, w.clock().AddDate(1, 0, 0), models...))
	if err := b.mds.Refresh(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// reported is a model with a status since a day.
func reported(model webauthn.AAGUID, status, since string) webauthntest.Model {
	return webauthntest.Model{AAGUID: model, Description: "Example Key", Reports: []webauthntest.Report{{Status: status, EffectiveDate: since}}}
}

// isOf has somebody's passkey be of a model: as its record would be, had it said so when it was created.
func (w *world) isOf(r *representative, model webauthn.AAGUID) {
	w.t.Helper()
	id := binding(must[*proofing.Session](w.t)(w.Session(w.t.Context(), r.visit())), proofing.ChannelPasskey).ID
	must[*proofing.Address](w.t)(w.Addresses.Update(w.t.Context(), id, func(a *proofing.Address) error {
		var c webauthn.Credential
		if err := json.Unmarshal(a.Kept, &c); err != nil {
			return err
		}
		c.AAGUID = model
		kept, err := json.Marshal(c)
		a.Kept = kept
		return err
	}))
}

var (
	theirModel = webauthn.AAGUID{0xa1, 1}
	otherModel = webauthn.AAGUID{0xa1, 2}
)

// A passkey whose model is found to be worth less than it was carries no grant any more from then on, whether somebody has approved it by it or proved who they are.
func TestAGrantEndsOnceTheModelOfAPasskeyUnderItIsWithdrawn(t *testing.T) {
	t.Parallel()
	const today, tomorrow = "2026-11-23", "2026-11-24"
	for name, x := range map[string]struct {
		whose  func(c *court) *representative
		status webauthntest.Model
		ends   bool
	}{
		"an approver's is revoked":                        {func(c *court) *representative { return c.approver }, reported(theirModel, "REVOKED", today), true},
		"of an approver's the user need not be there":     {func(c *court) *representative { return c.approver }, reported(theirModel, "USER_VERIFICATION_BYPASS", today), true},
		"the requester's is compromised":                  {func(c *court) *representative { return c.requester }, reported(theirModel, "USER_KEY_REMOTE_COMPROMISE", today), true},
		"of the requester's the user need not be there":   {func(c *court) *representative { return c.requester }, reported(theirModel, "USER_VERIFICATION_BYPASS", today), true},
		"an approver's has an update":                     {func(c *court) *representative { return c.approver }, reported(theirModel, "UPDATE_AVAILABLE", today), false},
		"an approver's is revoked from tomorrow on":       {func(c *court) *representative { return c.approver }, reported(theirModel, "REVOKED", tomorrow), false},
		"another model than an approver's is revoked":     {func(c *court) *representative { return c.approver }, reported(otherModel, "REVOKED", today), false},
		"that of an approver who did not decide":          {func(c *court) *representative { return c.second }, reported(theirModel, "REVOKED", today), false},
		"that of the reviewer, who needs not stay either": {func(c *court) *representative { return c.reviewer }, reported(theirModel, "REVOKED", today), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCourt(t)
			c.Policy.Profiles["signing"].Recheck.Grace = 24 * time.Hour // which is for what somebody can mend
			b := c.informed()
			c.isOf(x.whose(c), theirModel)
			k := c.granted()
			if allow, problem := c.authorized(k); !allow {
				t.Fatalf("before: %s", problem)
			}
			b.publish(c.world, x.status)
			made := must[*proofing.Certificate](t)(c.CertificateIssued(t.Context(), c.ca, proofing.CertificateReport{DER: issued(t, orgName, 7, c.clock(), time.Hour), Cases: []string{k.ID}}))
			if slices.Contains(codesOf(made), proofing.FindingNotValid) != x.ends {
				t.Errorf("a certificate that is reported now: %v", made.Findings)
			}
			c.logged()
			stated := must[*proofing.Case](t)(c.Statement(t.Context(), c.ca, k.ID))
			if (stated.Grant.Statement == "") != x.ends {
				t.Errorf("a statement: %v", stated.Grant.Statement != "")
			}
			allow, problem := c.authorized(k)
			if k = c.reload(k); allow == x.ends || x.ends && (problem != "pending" || k.Status != proofing.CaseRevoked || k.Reason != "model_withdrawn") {
				t.Errorf("the authority hears %v, %q; the case is %s (%s)", allow, problem, k.Status, k.Reason)
			}
		})
	}
}

// Before the grant it is the approval that counts no more, and the request goes back.
func TestAnApprovalByAModelThatIsWithdrawnCountsNoMore(t *testing.T) {
	c := newCourt(t)
	b := c.informed()
	c.isOf(c.approver, theirModel)
	k := c.submitted("signing")
	must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
	must[*proofing.Case](t)(c.decides(c.specialist, k, proofing.StepVet, false))
	b.publish(c.world, reported(theirModel, "ATTESTATION_KEY_COMPROMISE", "2026-11-23"))
	if _, err := c.decides(c.reviewer, k, proofing.StepReview, false); err == nil {
		t.Error("it was reviewed")
	}
	if k = c.reload(k); k.Status != proofing.CaseReview || k.Approval.Stage != proofing.StageSubmitted || k.Approval.Decisions[0].Void != proofing.VoidModel {
		t.Fatalf("%s, %s, %+v", k.Status, k.Approval.Stage, k.Approval.Decisions)
	}
	// They can approve by nothing of that model; a colleague can.
	if _, err := c.decides(c.approver, k, proofing.StepApprove, false); err == nil {
		t.Error("it was approved by the same passkey")
	}
	must[*proofing.Case](t)(c.decides(c.second, k, proofing.StepApprove, false))
	must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false))
	if allow, problem := c.authorized(k); !allow {
		t.Errorf("afterwards: %s", problem)
	}
}

// A grant that goes on without what the model was worth says so.
func TestALabelIsNoMoreThanTheModelIsWorthNow(t *testing.T) {
	w := withPasskeys(t)
	signer := &notary{}
	w.Signer = signer
	b := w.informed()
	r := w.member("one")
	w.isOf(r, theirModel)
	w.Policy.Profiles["strong"].Require = proofing.Requirement{AAL: 1, ConfirmedAddresses: []proofing.Channel{proofing.ChannelEmail}}
	k := w.openFor("strong", "one@example.org", "Mo"+"00000000000000000000000000000000000000000")
	must[*proofing.Case](t)(w.use(visit(k, "one"), r.key))
	k = w.prove(k, "one", "email", "")
	if k.Status != proofing.CaseGranted || *k.Grant.Assessment.AAL != 2 {
		t.Fatalf("%s, %+v", k.Status, k.Grant)
	}
	first := must[*proofing.Case](t)(w.Statement(t.Context(), w.ca, k.ID))
	b.publish(w, reported(theirModel, "USER_VERIFICATION_BYPASS", "2026-11-23"))
	then := must[*proofing.Case](t)(w.Statement(t.Context(), w.ca, k.ID))
	if then.Grant.Statement == first.Grant.Statement || *then.Grant.Assessment.AAL != 1 || slices.Contains(signer.claims["amr"].([]string), "mfa") {
		t.Errorf("AAL%d is stated, %v", *then.Grant.Assessment.AAL, signer.claims["amr"])
	}
	v := must[proofing.Verdict](t)(w.Authorize(t.Context(), w.ca, proofing.AuthorizeRequest{Applicant: k.Applicant, Identifiers: []proofing.Identifier{k.Identifier}, Profile: "strong"}))
	if !v.Allow || *v.Authorizations[0].Case.Grant.Assessment.AAL != 1 {
		t.Errorf("%v, AAL%d", v.Allow, *v.Authorizations[0].Case.Grant.Assessment.AAL)
	}
	// Its maker shows that it was none, and it is worth what it was.
	b.publish(w)
	then = must[*proofing.Case](t)(w.Statement(t.Context(), w.ca, k.ID))
	if *then.Grant.Assessment.AAL != 2 {
		t.Errorf("AAL%d is stated", *then.Grant.Assessment.AAL)
	}
}
