package proofing_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// What a record says as the log does is held against it: whoever has the store and its keys changes nothing of it that is not found.
func TestWhateverIsChangedInTheContentOfARecordIsFound(t *testing.T) {
	t.Parallel()
	c, tree := governed(t, evText)
	c.item(screening(proofing.OutcomeBad)) // what is bad is not made good by taking it away
	c.item(screening(proofing.OutcomeGood))
	c.protects(2, proofing.OutcomeBad, keyPrint(5))
	c.protects(2, proofing.OutcomeGood, keyPrint(6))
	k := c.granted()
	made := must[*proofing.Certificate](t)(c.CertificateIssued(t.Context(), c.ca, proofing.CertificateReport{DER: issued(t, orgName, 7, c.clock(), time.Hour), Cases: []string{k.ID}}))
	key := must[*proofing.Address](t)(c.Addresses.Get(t.Context(), passkeyOf(c, c.approver)))
	c.offers(laterPolicy)
	must[*proofing.PolicyBook](t)(c.one.decidesPolicy(false))
	c.logged()
	verify := func() error {
		_, err := tree.Verify(t.Context(), c.Service)
		return err
	}
	if err := verify(); err != nil {
		t.Fatal(err)
	}
	dossier := func(do func(o *proofing.Organization)) func() func() { return edited(t, c.Dossiers, c.org.ID, do) }
	request := func(do func(a *proofing.Approval)) func() func() {
		return edited(t, c.Cases, k.ID, func(k *proofing.Case) { do(k.Approval) })
	}
	for name, x := range map[string]struct {
		change func() (back func())
		want   string
	}{
		"an item that was bad is good": {dossier(func(o *proofing.Organization) {
			for i := range o.Items {
				if o.Items[i].Outcome == proofing.OutcomeBad {
					o.Items[i].Outcome = proofing.OutcomeGood
				}
			}
		}), "has an item"},
		"an item is of another day":  {dossier(func(o *proofing.Organization) { o.Items[0].CollectedAt = o.Items[0].CollectedAt.Add(time.Hour) }), "has an item"},
		"an item has another value":  {dossier(func(o *proofing.Organization) { o.Current(proofing.ItemRegistration, "").Value = "HRB 9999" }), "has an item"},
		"an item is of another kind": {dossier(func(o *proofing.Organization) { o.Items[0].Kind = proofing.ItemPlace }), "has an item"},
		"an item that nobody recorded": {dossier(func(o *proofing.Organization) {
			o.Items = append(o.Items, proofing.Item{ID: "x", Kind: proofing.ItemPlace})
		}), "has an item x"},
		"the newest item is gone": {dossier(func(o *proofing.Organization) {
			last := o.Current(proofing.ItemDenied, "").ID
			o.Items = slices.DeleteFunc(o.Items, func(it proofing.Item) bool { return it.ID == last })
		}), "has no item"},
		"a key that was found to be bad is forgotten": {dossier(func(o *proofing.Organization) {
			o.Items = slices.DeleteFunc(o.Items, func(it proofing.Item) bool { return len(it.Keys) > 0 && it.Outcome == proofing.OutcomeBad })
		}), "has no item"},
		"another rule":     {dossier(func(o *proofing.Organization) { o.Rule = proofing.ApprovalRule{Needed: 2} }), "the rule of the dossier"},
		"another document": {request(func(a *proofing.Approval) { a.Decisions[0].Signature = a.Decisions[1].Signature }), "is not the one that was signed"},
		"a document that nobody signed": {request(func(a *proofing.Approval) {
			s := &a.Decisions[0].Signature
			s.Document = strings.Replace(s.Document, "HRB 1234", "HRB 9999", 1)
		}), "by the document"},
		"a document that is none":   {request(func(a *proofing.Approval) { a.Decisions[0].Signature.Document = "{}" }), "cannot be read"},
		"a refusal":                 {request(func(a *proofing.Approval) { a.Decisions[0].Refused = true }), "is not the one that was signed"},
		"somebody else has decided": {request(func(a *proofing.Approval) { a.Decisions[0].Person = c.second.person() }), "is not the one that was signed"},
		"another entry":             {request(func(a *proofing.Approval) { a.Decisions[0].Entry++ }), "by the document"},
		"another certificate": {edited(t, c.Certificates, made.ID, func(k *proofing.Certificate) {
			k.DER = issued(t, orgName, 8, c.clock(), time.Hour)
			k.Digest = proofing.Digest(k.DER)
		}), "the record of the certificate"},
		"another digest of it": {edited(t, c.Certificates, made.ID, func(k *proofing.Certificate) { k.Digest = "other" }), "the record of the certificate"},
		"another public key": {edited(t, c.Addresses, key.ID, func(a *proofing.Address) {
			a.Kept = must[*proofing.Address](t)(c.Addresses.Get(context.Background(), passkeyOf(c, c.second))).Kept
		}), "has the public key"},
		"a passkey without its key": {edited(t, c.Addresses, key.ID, func(a *proofing.Address) { a.Kept = nil }), `has the public key ""`},
		"another policy": {edited(t, c.PolicyBooks, c.book().ID, func(b *proofing.PolicyBook) {
			b.InForce = proofing.PolicyVersion{Digest: proofing.PolicyDigest("{}"), Text: "{}"}
		}), "the policy in force is"},
		"another text of it": {edited(t, c.PolicyBooks, c.book().ID, func(b *proofing.PolicyBook) { b.InForce.Text = "{}" }), "the policy in force is"},
		"an approval of a policy": {edited(t, c.PolicyBooks, c.book().ID, func(b *proofing.PolicyBook) {
			d := &b.Proposed.Decisions[0]
			d.Signature.Document = strings.Replace(d.Signature.Document, "I approve", "I refuse", 1)
		}), "has a decision"},
	} {
		back := x.change()
		if err := verify(); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want %q", name, err, x.want)
		}
		back()
		if err := verify(); err != nil {
			t.Fatalf("after %s: %v", name, err)
		}
	}

	// Where its words were erased an item is held by what its entry says.
	c.Policy.LogRetention = time.Hour
	c.pass(2 * time.Hour)
	c.logged()
	if err := verify(); err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func(o *proofing.Organization){
		"an outcome": func(o *proofing.Organization) { o.Current(proofing.ItemRegistration, "").Outcome = proofing.OutcomeBad },
		"a day": func(o *proofing.Organization) {
			it := o.Current(proofing.ItemRegistration, "")
			it.CollectedAt = it.CollectedAt.Add(time.Hour)
		},
	} {
		back := dossier(do)()
		if err := verify(); err == nil || !strings.Contains(err.Error(), "has an item") {
			t.Errorf("%s, with its words erased: %v", name, err)
		}
		back()
	}
}

// passkeyOf is the record of somebody's passkey.
func passkeyOf(c *court, r *representative) string {
	p := must[*proofing.Person](c.t)(c.People.Get(c.t.Context(), r.person()))
	for _, b := range p.Bindings {
		if b.Contact.Channel == proofing.ChannelPasskey && b.Gone.IsZero() {
			return b.ID
		}
	}
	c.t.Fatal("no passkey")
	return ""
}

// edited is a change of a record by whoever has the store, and its way back.
func edited[T any](t *testing.T, table proofing.Table[T], id string, do func(v *T)) func() func() {
	return func() func() {
		t.Helper()
		before := must[*T](t)(table.Get(t.Context(), id))
		if err := edit(table, id, do); err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := edit(table, id, func(v *T) { *v = *before }); err != nil {
				t.Fatal(err)
			}
		}
	}
}
