package proofing_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/proofing"
)

// forger is an operator who has the log's key, and seals whatever they have made of an evidence file: only the log, the passkeys and the
// parts of the file itself stand against them.
type forger struct {
	t    testing.TB
	tree *audit.Tree
	key  audit.LogKey
	file []byte
}

func newForger(t testing.TB) (*forger, *court) {
	c, tree, k, _ := prosecuted(t)
	key, _ := logKey(t, tree)
	e := must[*audit.Evidence](t)(tree.Evidence(t.Context(), must[*proofing.Chain](t)(c.ChainOfCase(t.Context(), k.ID)), proofing.SubjectCase, k.ID))
	return &forger{t, tree, key, must[[]byte](t)(e.Text())}, c
}

// whole is the file anew.
func (f *forger) whole() *audit.Evidence {
	f.t.Helper()
	return must[*audit.Evidence](f.t)(audit.ParseEvidence(f.file))
}

// holds seals a file, and says what is found in it.
func (f *forger) holds(e *audit.Evidence) error {
	f.t.Helper()
	if err := e.Sign("proof.example.org/log", f.tree.Key()); err != nil {
		return err
	}
	text, err := e.Text()
	if err != nil {
		return err
	}
	read, err := audit.ParseEvidence(text)
	if err != nil {
		return err
	}
	_, err = read.Verify(f.key)
	return err
}

func TestAnOperatorWhoSealsAForgeryIsFound(t *testing.T) {
	f, _ := newForger(t)
	if err := f.holds(f.whole()); err != nil {
		t.Fatalf("the whole file: %v", err)
	}
	find := func(e *audit.Evidence, of proofing.Subject) *audit.EvidenceObject {
		return &e.Objects[slices.IndexFunc(e.Objects, func(o audit.EvidenceObject) bool { return o.Of == of })]
	}
	for name, c := range map[string]struct {
		edit func(e *audit.Evidence)
		want string
	}{
		"two entries that changed places": {func(e *audit.Evidence) {
			o := find(e, proofing.SubjectCase)
			o.Entries[1], o.Entries[2] = o.Entries[2], o.Entries[1]
		}, "is to come"},
		"an entry that is there twice": {func(e *audit.Evidence) {
			o := find(e, proofing.SubjectCase)
			o.Entries = slices.Insert(o.Entries, 2, o.Entries[1])
		}, "is to come"},
		"an entry of another record": {func(e *audit.Evidence) {
			o := find(e, proofing.SubjectCase)
			o.Entries = append(o.Entries, find(e, proofing.SubjectOrganization).Entries[0])
		}, "is of organization"},
		"a record under another's name": {func(e *audit.Evidence) { find(e, proofing.SubjectCase).Object = proofing.NewID(nil) }, "is of case"},
		"a record of another kind":      {func(e *audit.Evidence) { find(e, proofing.SubjectCase).Of = "card" }, "is of case"},
		"a record without entries":      {func(e *audit.Evidence) { find(e, proofing.SubjectOrganization).Entries = nil }, "has no entries"},
		"a record that is there twice":  {func(e *audit.Evidence) { e.Objects = slices.Insert(e.Objects, 1, e.Objects[0]) }, "is there twice"},
		"records in another order":      {func(e *audit.Evidence) { slices.Reverse(e.Objects) }, "was moved"},
		"an entry that nobody entered": {func(e *audit.Evidence) {
			o := find(e, proofing.SubjectOrganization)
			j := proofing.Journal{Written: int64(len(o.Entries))}
			j.Write(proofing.Note{Of: o.Of, Object: o.Object, Kind: proofing.OrganizationItem, By: proofing.ByService, At: e.Made})
			last := o.Entries[len(o.Entries)-1]
			o.Entries = append(o.Entries, audit.EvidenceEntry{Logged: audit.Logged{Leaf: j.Pending[0].Leaf, Index: last.Index + 1, Proof: last.Proof}})
		}, "is not in the log"},
		"a leaf that was edited": {func(e *audit.Evidence) {
			o := find(e, proofing.SubjectOrganization)
			o.Entries[1].Leaf = strings.Replace(o.Entries[1].Leaf, `"good"`, `"bad"`, 1)
		}, "is not in the log"},
		"another place in the log": {func(e *audit.Evidence) { find(e, proofing.SubjectOrganization).Entries[0].Index-- }, "is not in the log"},
		"private words that were changed": {func(e *audit.Evidence) {
			o := find(e, proofing.SubjectOrganization)
			o.Entries[0].Private = []byte(`{"name":"Another"}`)
		}, "not what it commits to"},
		"private words without their salt": {func(e *audit.Evidence) { find(e, proofing.SubjectOrganization).Entries[0].Salt = "" }, "one half is missing"},
		"another salt": {func(e *audit.Evidence) {
			find(e, proofing.SubjectOrganization).Entries[0].Salt = strings.Repeat("A", 43)
		}, "not what it commits to"},
		"a certificate of the case that is left out": {func(e *audit.Evidence) { e.Certificates = e.Certificates[1:] }, "which is not there"},
		"the certificate of another":                 {func(e *audit.Evidence) { e.Certificates[0].DER = e.Certificates[1].DER }, "another serial number"},
		"no certificate in its place":                {func(e *audit.Evidence) { e.Certificates[0].DER = []byte{0x30, 0} }, "not a DER certificate"},
		"another order":                              {func(e *audit.Evidence) { e.Certificates[0].Order = "https://ca.example/order/1" }, "does not follow"},
		"an order that is left out":                  {func(e *audit.Evidence) { e.Certificates[0].Order = "" }, "does not follow"},
		"another account":                            {func(e *audit.Evidence) { e.Certificates[0].Account = "https://ca.example/acct/1" }, "does not follow"},
		"another account's key":                      {func(e *audit.Evidence) { e.Cases[0].Key = strings.Repeat("A", 43) }, "does not follow"},
		"another binding":                            {func(e *audit.Evidence) { e.Cases[0].Kid = "cs1" }, "does not follow"},
		"a higher level":                             {func(e *audit.Evidence) { e.Cases[0].Assessment.AAL = new(3) }, "does not follow"},
		"a reason that is left out":                  {func(e *audit.Evidence) { a := e.Cases[0].Assessment; a.Reasons = a.Reasons[1:] }, "does not follow"},
		"no assessment":                              {func(e *audit.Evidence) { e.Cases[0].Assessment = nil }, "does not follow"},
		"something proved that is left out":          {func(e *audit.Evidence) { e.Cases[0].Challenges = []int64{} }, "does not follow"},
		"a decision that is left out":                {func(e *audit.Evidence) { e.Cases[0].Approvals = e.Cases[0].Approvals[1:] }, "it is there 0 times"},
		"a decision that is there twice":             {func(e *audit.Evidence) { e.Cases[0].Approvals = append(e.Cases[0].Approvals, e.Cases[0].Approvals[2]) }, "it is there 2 times"},
		"decisions in another order":                 {func(e *audit.Evidence) { slices.Reverse(e.Cases[0].Approvals) }, "does not follow"},
		"the signature of another decision": {func(e *audit.Evidence) {
			a := e.Cases[0].Approvals
			a[0].Signature.Signature = a[1].Signature.Signature
		}, "not one of this document"},
		"a passkey that nobody enrolled": {func(e *audit.Evidence) { e.Cases[0].Approvals[0].Signature.Credential = []byte("other") }, "enrolment of the passkey"},
		"another key of the same passkey": {func(e *audit.Evidence) {
			a := e.Cases[0].Approvals
			a[0].Signature.PublicKey = a[1].Signature.PublicKey
		}, "another public key was enrolled"},
		"another site": {func(e *audit.Evidence) { e.Cases[0].Approvals[0].Signature.Origin = "https://evil.example" }, "signature"},
		"another document": {func(e *audit.Evidence) {
			a := &e.Cases[0].Approvals[0]
			a.Document = strings.Replace(a.Document, "organization", "organisation", 1)
		}, "no entry tells of the decision"},
		"another subject":                              {func(e *audit.Evidence) { e.Object = e.Certificates[0].Object }, "is not there"},
		"the subject called a certificate":             {func(e *audit.Evidence) { e.Subject, e.Object = proofing.SubjectCertificate, e.Certificates[0].Object }, "not the one that is there"},
		"the subject called something else":            {func(e *audit.Evidence) { e.Subject = proofing.SubjectOrganization }, "no evidence is made of"},
		"a case that is there twice":                   {func(e *audit.Evidence) { e.Cases = append(e.Cases, e.Cases[0]) }, "does not follow"},
		"a certificate that is there twice":            {func(e *audit.Evidence) { e.Certificates = append(e.Certificates, e.Certificates[1]) }, "does not follow"},
		"a case that is left out":                      {func(e *audit.Evidence) { e.Cases = nil }, "the case"},
		"a checkpoint that somebody else has signed":   {func(e *audit.Evidence) { e.Checkpoint = e.Checkpoint[:len(e.Checkpoint)-3] + "A=\n" }, "checkpoint"},
		"a checkpoint of more entries than there were": {func(e *audit.Evidence) { e.Checkpoint = strings.Replace(e.Checkpoint, "\n2", "\n3", 1) }, "checkpoint"},
	} {
		e := f.whole()
		c.edit(e)
		if err := f.holds(e); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// Each entry that is not the last of its record is missed; the last ones are if anything in the file rests on them.
func TestEachEntryThatIsTakenOutOfEvidenceIsMissed(t *testing.T) {
	t.Parallel()
	f, _ := newForger(t)
	rests := []proofing.EntryKind{proofing.CaseDecided, proofing.EntryIssued, proofing.EntryRenewed, proofing.EntryEnrolled}
	entries := 0
	for i, o := range f.whole().Objects {
		for n := range o.Entries {
			e := f.whole()
			leaf := must[proofing.Leaf](t)((&proofing.Entry{Leaf: e.Objects[i].Entries[n].Leaf}).Said())
			if last := n == len(o.Entries)-1; last && (!slices.Contains(rests, leaf.Kind) || o.Of == proofing.SubjectAuthenticator) {
				continue
			}
			entries++
			e.Objects[i].Entries = slices.Delete(e.Objects[i].Entries, n, n+1)
			if err := f.holds(e); err == nil {
				t.Errorf("without entry %d (%s) of %s %s it holds", n+1, leaf.Kind, o.Of, o.Object)
			}
		}
	}
	if entries < 40 {
		t.Errorf("only %d entries were taken out", entries)
	}
	for i, o := range f.whole().Objects {
		decided := bytes.Contains(f.file, []byte(`"authenticator":"`+o.Object)) || bytes.Contains(f.file, []byte(`\"authenticator\":\"`+o.Object)) || bytes.Contains(f.file, []byte(`\"appointment\":\"`+o.Object))
		if o.Of == proofing.SubjectAuthenticator || o.Of == proofing.SubjectAppointment {
			if !decided {
				continue
			}
		}
		e := f.whole()
		e.Objects = slices.Delete(e.Objects, i, i+1)
		if err := f.holds(e); err == nil {
			t.Errorf("without %s %s it holds", o.Of, o.Object)
		}
	}
}

// At whatever place a byte is changed, the seal apart, the parts of the file do not fit together any more.
func TestAByteOfSealedEvidenceThatIsChangedIsFound(t *testing.T) {
	t.Parallel()
	f, _ := newForger(t)
	made := bytes.Index(f.file, []byte(`"made":"`)) // only the seal says when the file was made
	for i := 0; i < len(f.file); i += 797 {
		if i >= made && i < made+len(`"made":"2026-11-23T10:00:00.000Z"`) {
			continue
		}
		changed := slices.Clone(f.file)
		changed[i] ^= 1
		e, err := audit.ParseEvidence(changed)
		if err != nil {
			continue
		}
		if seal := bytes.LastIndex(f.file, []byte(`"seal":"`)); i >= seal && i < bytes.LastIndex(f.file, []byte(`"subject":`)) {
			continue // which is made anew
		}
		if err := f.holds(e); err == nil {
			t.Errorf("byte %d was changed from %q to %q, and it holds: …%s…", i, f.file[i], changed[i], f.file[max(0, i-30):min(len(f.file), i+30)])
		}
	}
}

// An operator whose program enters what is not so has the log and the passkeys on their side, and still not the rules of who may decide.
func TestEvidenceOfDecisionsThatNobodyMayMakeDoesNotHold(t *testing.T) {
	t.Parallel()
	// enters has what an appointment has to say put into other words on its way to the log.
	enters := func(c *court, who *representative, from, to string) {
		if _, err := c.Appointments.Update(t.Context(), c.office[who].ID, func(a *proofing.Appointment) error {
			for i := range a.Journal.Pending {
				a.Journal.Pending[i].Leaf = strings.Replace(a.Journal.Pending[i].Leaf, from, to, 1)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	edits := func(c *court, k *proofing.Case, edit func(k *proofing.Case)) {
		if _, err := c.Cases.Update(t.Context(), k.ID, func(k *proofing.Case) error { edit(k); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	// asked is a request of somebody, of whom the store says that another approver has asked.
	asked := func(c *court, who *representative) *proofing.Case {
		k, _, err := c.Open(t.Context(), c.ca, c.asks("signing"))
		if err != nil {
			t.Fatal(err)
		}
		office := c.office[who]
		if office.Organization == "" { // whoever has no office there could not ask
			office = c.adds(who, c.one, c.two, draft(proofing.RoleRequester, "alpha", c.org.ID))
		}
		k = must[*proofing.Case](t)(c.use(visit(k, "requester"), who.key))
		c.work()
		edits(c, k, func(k *proofing.Case) { k.Person = c.second.person() })
		if office != c.office[who] {
			if err := edit(c.Appointments, office.ID, func(a *proofing.Appointment) { a.Organization = "elsewhere" }); err != nil {
				t.Fatal(err)
			}
		}
		return k
	}
	// hides has the store forget for a while that an appointment is of the organization, while something is done.
	hides := func(c *court, a *proofing.Appointment, do func()) {
		for _, of := range []string{"elsewhere", c.org.ID} {
			if err := edit(c.Appointments, a.ID, func(a *proofing.Appointment) { a.Organization = of }); err != nil {
				t.Fatal(err)
			}
			if do != nil {
				do()
			}
			do = nil
		}
	}
	for name, x := range map[string]struct {
		story func(c *court) *proofing.Case
		want  string
	}{
		"an approver of another organization": {func(c *court) *proofing.Case {
			enters(c, c.approver, c.org.ID, "another")
			return c.granted()
		}, `is of the organization "another"`},
		"a reviewer of another authority": {func(c *court) *proofing.Case {
			enters(c, c.reviewer, `"ca":"alpha"`, `"ca":"beta"`)
			return c.granted()
		}, `is of the ca "beta"`},
		"somebody for both sides": {func(c *court) *proofing.Case {
			// The approver collects, too, and the store is made to forget that they have approved.
			office := c.adds(c.approver, c.one, c.two, draft(proofing.RoleSpecialist, "alpha", ""))
			k := must[*proofing.Case](t)(c.decides(c.approver, c.submitted("signing"), proofing.StepApprove, false))
			edits(c, k, func(k *proofing.Case) {
				k.Approval.Decisions[0].Person, k.Approval.Decisions[0].Appointment = c.second.person(), c.office[c.second].ID
			})
			c.lends(c.approver, c.second)
			approves := c.office[c.approver]
			c.office[c.approver] = office
			hides(c, approves, func() { must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepVet, false)) })
			c.office[c.approver] = approves
			return must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false))
		}, "has decided for both sides"},
		"an approver who asks, where the roles are not combined": {func(c *court) *proofing.Case {
			k := asked(c, c.approver)
			must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
			must[*proofing.Case](t)(c.decides(c.specialist, k, proofing.StepVet, false))
			return must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false))
		}, "has not combined the roles"},
		"a reviewer who asks": {func(c *court) *proofing.Case {
			k := asked(c, c.reviewer)
			must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
			must[*proofing.Case](t)(c.decides(c.specialist, k, proofing.StepVet, false))
			return must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false))
		}, "asks for it, and has judged it"},
		"an approver who has collected": {func(c *court) *proofing.Case {
			// They record an item by another office, while the store has forgotten whom they act for, and then it forgets who has recorded it.
			c.adds(c.approver, c.one, c.two, draft(proofing.RoleSpecialist, "alpha", ""))
			d := screening(proofing.OutcomeGood)
			d.Source, d.CollectedAt = "lists", c.clock()
			c.approver.renew()
			hides(c, c.office[c.approver], func() { must[*proofing.Organization](t)(c.RecordItem(t.Context(), c.approver.visit(), c.org.ID, d)) })
			if err := edit(c.Dossiers, c.org.ID, func(o *proofing.Organization) { o.Current(proofing.ItemDenied, "").CollectedBy = c.specialist.person() }); err != nil {
				t.Fatal(err)
			}
			return c.granted()
		}, "has approved it, and collected"},
		"an approver who has explained a discrepancy": {func(c *court) *proofing.Case {
			k := c.submitted("signing")
			edits(c, k, func(k *proofing.Case) {
				k.Journal.Write(proofing.Note{
					Of: proofing.SubjectCase, Object: k.ID, Kind: proofing.CaseResolved, At: c.clock(), Facts: map[string]any{"discrepancy": int64(1)},
					By: proofing.Actor{Kind: "person", ID: c.approver.person(), Role: proofing.RoleSpecialist, Appointment: c.office[c.approver].ID},
				})
			})
			must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
			must[*proofing.Case](t)(c.decides(c.specialist, k, proofing.StepVet, false))
			return must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false))
		}, "has approved it, and judged a discrepancy"},
		"a reviewer who has collected": {func(c *court) *proofing.Case {
			// The reviewer records an item, too, and the store is made to forget who has.
			office := c.adds(c.reviewer, c.one, c.two, draft(proofing.RoleSpecialist, "alpha", ""))
			c.reviewer.renew()
			d := screening(proofing.OutcomeGood)
			d.Source, d.CollectedAt = "lists", c.clock()
			o := must[*proofing.Organization](t)(c.RecordItem(t.Context(), c.reviewer.visit(), c.org.ID, d))
			if it := o.Current(proofing.ItemDenied, ""); it.Appointment != office.ID {
				t.Fatalf("recorded by %s", it.Appointment)
			}
			if err := edit(c.Dossiers, c.org.ID, func(o *proofing.Organization) { o.Current(proofing.ItemDenied, "").CollectedBy = c.specialist.person() }); err != nil {
				t.Fatal(err)
			}
			return c.granted()
		}, "has reviewed what they had collected"},
		"a reviewer who has collected, for an Enterprise RA that is none any more": {func(c *court) *proofing.Case {
			// The store is made to forget when its item ran out, and the program exempts whom it did exempt.
			c.item(proofing.ItemDraft{Kind: proofing.ItemEnterpriseRA, Value: "makes the final check itself", SourceKind: proofing.SourceSignedByThem, Signer: c.office[c.signer].ID, Until: c.clock().Add(time.Hour)})
			c.adds(c.reviewer, c.one, c.two, draft(proofing.RoleSpecialist, "alpha", ""))
			c.reviewer.renew()
			d := screening(proofing.OutcomeGood)
			d.Source, d.CollectedAt = "lists", c.clock()
			must[*proofing.Organization](t)(c.RecordItem(t.Context(), c.reviewer.visit(), c.org.ID, d))
			c.pass(2 * time.Hour)
			if err := edit(c.Dossiers, c.org.ID, func(o *proofing.Organization) { o.Current(proofing.ItemEnterpriseRA, "").Until = time.Time{} }); err != nil {
				t.Fatal(err)
			}
			return c.granted()
		}, "has reviewed what they had collected"},
		"a reviewer who has collected what protects a key": {func(c *court) *proofing.Case {
			// Somebody else does the same for another key afterwards: that does not take its place.
			c.adds(c.reviewer, c.one, c.two, draft(proofing.RoleSpecialist, "alpha", ""))
			c.reviewer.renew()
			d := proofing.ItemDraft{Kind: proofing.ItemKeyProtection, Source: "its maker", SourceKind: proofing.SourceAttestation, Method: 2, Keys: manyKeys(1), Reference: "file 9", CollectedAt: c.clock(), Outcome: proofing.OutcomeGood}
			must[*proofing.Organization](t)(c.RecordItem(t.Context(), c.reviewer.visit(), c.org.ID, d))
			if err := edit(c.Dossiers, c.org.ID, func(o *proofing.Organization) {
				o.Protection(keyPrint(0), c.clock()).CollectedBy = c.specialist.person()
			}); err != nil {
				t.Fatal(err)
			}
			c.protects(2, proofing.OutcomeGood, keyPrint(1))
			return c.granted()
		}, "has reviewed what they had collected"},
		"a reviewer who has explained a discrepancy": {func(c *court) *proofing.Case {
			k := c.submitted("signing")
			must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
			edits(c, k, func(k *proofing.Case) {
				k.Journal.Write(proofing.Note{
					Of: proofing.SubjectCase, Object: k.ID, Kind: proofing.CaseResolved, At: c.clock(), Facts: map[string]any{"discrepancy": int64(1)},
					By: proofing.Actor{Kind: "person", ID: c.reviewer.person(), Role: proofing.RoleReviewer, Appointment: c.office[c.reviewer].ID},
				})
			})
			must[*proofing.Case](t)(c.decides(c.specialist, k, proofing.StepVet, false))
			return must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false))
		}, "has explained a discrepancy"},
		"a refusal that is passed over": {func(c *court) *proofing.Case {
			k := c.submitted("signing")
			was := c.reload(k)
			refused := must[*proofing.Case](t)(c.decides(c.second, k, proofing.StepApprove, true)).Approval.Decisions[0]
			edits(c, k, func(k *proofing.Case) {
				k.Status, k.Reason, k.Retain, k.Expires, k.Approval.Decisions, k.Approval.Stage = was.Status, was.Reason, was.Retain, was.Expires, nil, proofing.StageSubmitted
			})
			must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
			must[*proofing.Case](t)(c.decides(c.specialist, k, proofing.StepVet, false))
			k = must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false))
			edits(c, k, func(k *proofing.Case) { k.Approval.Decisions = append(k.Approval.Decisions, refused) })
			return k
		}, "had refused it"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCourt(t)
			c.forges = true
			tree := c.stated()
			k := x.story(c)
			c.logged()
			if k = c.reload(k); k.Status != proofing.CaseGranted {
				t.Fatalf("the request is %s %s", k.Status, k.Reason)
			}
			chain := must[*proofing.Chain](t)(c.ChainOfCase(t.Context(), k.ID))
			if _, err := tree.Evidence(t.Context(), chain, proofing.SubjectCase, k.ID); err == nil || !strings.Contains(err.Error(), x.want) {
				t.Errorf("%v, want %q", err, x.want)
			}
		})
	}
}

// Whatever is taken out, doubled or moved in the structure of a file is found, also by whoever has the seal: some of each, at whatever depth.
func TestTheStructureOfSealedEvidenceHolds(t *testing.T) {
	t.Parallel()
	f, _ := newForger(t)
	type edit struct {
		what string
		do   func(v any) any // of the value at the path
		path []any
	}
	var edits []edit
	var walk func(path []any, v any)
	walk = func(path []any, v any) {
		add := func(what string, do func(v any) any) { edits = append(edits, edit{what, do, path}) }
		within := func(step any) []any { return append(slices.Clone(path), step) }
		switch v := v.(type) {
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(v)) {
				if name == "made" || name == "seal" { // only the seal says when the file was made
					continue
				}
				add("without "+name, func(v any) any { delete(v.(map[string]any), name); return v })
				for _, other := range []any{nil, "", "x", 1, []any{}} {
					add(fmt.Sprintf("with %#v for %s", other, name), func(v any) any { v.(map[string]any)[name] = other; return v })
				}
				walk(within(name), v[name])
			}
		case []any:
			for i := range v {
				// The newest entries of a record may be missing, and records on which nothing rests: TestEachEntryThatIsTakenOutOfEvidenceIsMissed has the others.
				if of := append([]any{nil}, path...)[len(path)]; of != "objects" && (of != "entries" || i < len(v)-1) {
					add(fmt.Sprintf("without item %d", i), func(v any) any { return slices.Delete(v.([]any), i, i+1) })
				}
				add(fmt.Sprintf("item %d twice", i), func(v any) any { l := v.([]any); return slices.Insert(l, i, l[i]) })
				if i > 0 {
					add(fmt.Sprintf("items %d and %d swapped", i-1, i), func(v any) any { l := v.([]any); l[i], l[i-1] = l[i-1], l[i]; return l })
				}
				walk(within(i), v[i])
			}
		}
	}
	var whole any
	if err := json.Unmarshal(f.file, &whole); err != nil {
		t.Fatal(err)
	}
	walk(nil, whole)
	var put func(v any, path []any, do func(any) any) any
	put = func(v any, path []any, do func(any) any) any {
		if len(path) == 0 {
			return do(v)
		}
		switch step := path[0].(type) {
		case string:
			v.(map[string]any)[step] = put(v.(map[string]any)[step], path[1:], do)
		case int:
			v.([]any)[step] = put(v.([]any)[step], path[1:], do)
		}
		return v
	}
	judged := 0
	for i, e := range edits {
		if len(e.path) > 2 && i%97 != 0 {
			continue
		}
		var v any
		if err := json.Unmarshal(f.file, &v); err != nil {
			t.Fatal(err)
		}
		v = put(v, e.path, e.do)
		text, err := json.Marshal(v)
		if err == nil {
			text, err = proofing.Canonicalize(text)
		}
		if err != nil {
			t.Fatalf("%v, %s: %v", e.path, e.what, err)
		}
		if text = append(text, '\n'); bytes.Equal(text, f.file) {
			continue
		}
		judged++
		read, err := audit.ParseEvidence(text)
		if err != nil {
			continue
		}
		if f.holds(read) == nil {
			t.Errorf("%v, %s: it holds", e.path, e.what)
		}
	}
	if judged < 150 {
		t.Errorf("only %d of %d edits were judged", judged, len(edits))
	}
}
