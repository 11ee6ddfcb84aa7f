package proofing_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// An export has what is kept of somebody beside addresses and requests, too: the records of their passkeys, what a recovery has done, since when they were away, and the
// keys that they have for accounts, without what would make it worth stealing.
func TestAnExportHasAllThatIsKept(t *testing.T) {
	w := withPasskeys(t)
	key, second, fresh := webauthntest.New(), webauthntest.New(), webauthntest.New()
	c := w.signUp(key)
	must[*proofing.Case](t)(w.enrol(ownVisit(c), second))
	r := request("strong")
	r.Applicant = proofing.Applicant{Kind: proofing.ByNobody}
	open, _, err := w.Open(t.Context(), w.ca, r)
	if err != nil {
		t.Fatal(err)
	}
	must[*proofing.Case](t)(w.use(visit(open, "b"), key))
	w.prove(open, "b", "email", "")
	_, k, err := w.CaseKey(t.Context(), visit(open, "b"))
	if err != nil {
		t.Fatal(err)
	}
	in := w.recover(w.codes(c)[0])
	must[*proofing.Case](t)(w.enrol(ownVisit(in), fresh))
	w.pass(25 * time.Hour)
	own := w.signIn(fresh)
	var lost []proofing.Binding
	for _, b := range w.session(own).Person.Bindings {
		if len(b.Suspended) > 0 {
			lost = append(lost, b)
		}
	}
	if len(lost) != 2 {
		t.Fatalf("%d are suspended", len(lost))
	}
	if err := w.Reactivate(t.Context(), ownVisit(own), lost[0].ID); err != nil {
		t.Fatal(err)
	}
	w.work()
	seen := w.clock().Add(-time.Hour)
	must[*proofing.Person](t)(w.People.Update(t.Context(), c.Person, func(p *proofing.Person) error {
		p.Absence.Seen = seen
		return nil
	}))
	all := must[*proofing.Exported](t)(w.Export(t.Context(), ownVisit(w.signIn(fresh))))
	if all.Recovered.IsZero() || all.Codes.IsZero() || !all.Absence.Seen.Equal(seen) {
		t.Errorf("recovered %s, codes made %s, seen %s", all.Recovered, all.Codes, all.Absence.Seen)
	}
	suspended, cools := 0, 0
	for _, item := range all.KnownBy {
		suspended += len(item.Suspended)
		if !item.Counts.IsZero() {
			cools++
		}
		if item.Kind == proofing.ChannelPasskey && (item.Used.IsZero() || !strings.Contains(string(item.Record), `"public_key"`) || !strings.Contains(string(item.Record), `"aaguid"`)) {
			t.Errorf("of a passkey it has %s, used %s", item.Record, item.Used)
		}
	}
	if suspended != 1 || cools != 1 {
		t.Errorf("%d suspensions and %d that wait: %+v", suspended, cools, all.KnownBy)
	}
	if len(all.Keys) != 1 || all.Keys[0].Kid != k.Kid || all.Keys[0].CA != w.ca.Name || all.Keys[0].Request != open.ID {
		t.Errorf("keys: %+v", all.Keys)
	}
	if !slices.ContainsFunc(all.Requests, func(e proofing.ExportedCase) bool { return e.ID == own.ID && len(e.Reactivated) == 1 }) ||
		!slices.ContainsFunc(all.Requests, func(e proofing.ExportedCase) bool { return e.ID == in.ID && !e.Recovered.IsZero() }) {
		t.Error("the sessions do not say what was recovered and given back in them")
	}
	text, err := json.Marshal(all)
	if err != nil || strings.Contains(string(text), k.Secret.Reveal()) {
		t.Errorf("it has the MAC key, or %v", err)
	}
}
