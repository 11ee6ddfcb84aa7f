package proofing_test

import (
	"encoding/json"
	"reflect"
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
	_, k, err := w.CaseKey(t.Context(), visit(open, "b"), "")
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
		p.Absence.Seen, p.Parted = seen, true
		for i := range p.Bindings {
			p.Bindings[i].Shown, p.Bindings[i].Model, p.Bindings[i].ModelAt = proofing.Evidence{ID: "shown"}, &proofing.Attestation{}, seen
		}
		return nil
	}))
	all := must[*proofing.Exported](t)(w.Export(t.Context(), ownVisit(w.signIn(fresh))))
	if !all.Parted || all.CodesIn == "" || all.KnownBy[0].Shown.ID != "shown" || all.KnownBy[0].Model == nil || !all.KnownBy[0].ModelAt.Equal(seen) {
		t.Errorf("parted %v, codes made in %q, shown %+v, model %+v of %s", all.Parted, all.CodesIn, all.KnownBy[0].Shown, all.KnownBy[0].Model, all.KnownBy[0].ModelAt)
	}
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

// Whoever adds a field to what is kept of a person says what becomes of it in the export.
func TestEachFieldOfAPersonIsExportedOrLeftOutForAReason(t *testing.T) {
	for _, x := range []struct {
		kept, exported reflect.Type
		as             map[string]string // what it is called in the export; a reason in brackets: it is left out
	}{
		{reflect.TypeFor[proofing.Person](), reflect.TypeFor[proofing.Exported](), map[string]string{
			"ID": "Person", "Created": "Created", "Bindings": "KnownBy", "Recovery": "Recovery", "RecoveryMade": "Codes", "RecoveryCase": "CodesIn", "Representative": "Representative",
			"Recovered": "Recovered", "Parted": "Parted", "Absence": "Absence", "Going": "(who is being forgotten signs in no more)", "Unsettled": "(work for the next minute: what was taken away is there)", "Journal": "Log",
		}},
		{reflect.TypeFor[proofing.Binding](), reflect.TypeFor[proofing.ExportedItem](), map[string]string{
			"ID": "(a keyed hash of the address)", "Event": "(the id of the evidence that Facts is)", "Contact": "Address", "BoundAt": "Added", "Facts": "Facts", "Shown": "Shown", "Model": "Model", "ModelAt": "ModelAt",
			"Name": "Name", "Gone": "Gone", "Counts": "Counts", "Suspended": "Suspended", "Copied": "Copied",
		}},
	} {
		for i := range x.kept.NumField() {
			name := x.kept.Field(i).Name
			as, said := x.as[name]
			if _, there := x.exported.FieldByName(as); !said || !there && !strings.HasPrefix(as, "(") {
				t.Errorf("%s.%s: the export has it as %q", x.kept.Name(), name, as)
			}
		}
	}
}
