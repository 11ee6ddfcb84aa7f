package proofing_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// proofs proves nothing, and says what it was asked.
type proofs struct{}

func (proofs) Stated(context.Context) (string, string, error) { return "checkpoint", "key", nil }

func (proofs) ProofFile(_ context.Context, place int64, leaf string) ([]byte, error) {
	return fmt.Append(nil, place, " ", leaf), nil
}

// everything is all of the log that somebody gets to see, page by page.
func (w *world) everything(r *representative, limit int) (all []*proofing.Logged) {
	w.t.Helper()
	before := int64(0)
	for {
		list, next, err := w.LogView(w.t.Context(), r.visit(), before, limit)
		if err != nil || len(list) > limit || next > 0 && next == before {
			w.t.Fatalf("%d entries before %d, next %d, %v", len(list), before, next, err)
		}
		all = append(all, list...)
		if before = next; next == 0 {
			return all
		}
	}
}

func TestTheLogShowsEverybodyWhatIsTheirs(t *testing.T) {
	c := newCourt(t)
	c.Prover = proofs{}
	ctx := t.Context()
	k := c.submitted("signing")
	ordinary := c.prove(c.open("email"), "b", "email", "")
	add := func(name string, d proofing.AppointmentDraft) *representative {
		r, a := c.holds(name, c.one, c.two, d)
		c.office[r] = a
		return r
	}
	operator, foreign := add("operator", draft(proofing.RoleOperator, "alpha", "")), add("foreign", draft(proofing.RoleOperator, "beta", ""))
	other := c.dossier(operator, "alpha", "Other SARL")
	elsewhere := c.dossier(foreign, "beta", orgName)
	stranger := add("stranger", draft(proofing.RoleApprover, "", other.ID))
	c.sequenceAll()
	for _, r := range []*representative{c.one, operator, foreign, stranger, c.specialist, c.reviewer, c.requester, c.approver} {
		r.renew()
	}
	c.sequenceAll()
	whole := c.log()

	// What each gets to see of each object: "all" of it, its "leaves", or nothing.
	objects := map[string]string{
		"request": k.ID, "ordinary": ordinary.ID, "dossier": c.org.ID, "other dossier": other.ID, "dossier elsewhere": elsewhere.ID,
		"approver": c.office[c.approver].ID, "reviewer": c.office[c.reviewer].ID, "other approver": c.office[stranger].ID, "operator elsewhere": c.office[foreign].ID,
	}
	for _, reader := range []struct {
		r    *representative
		sees string
	}{
		{c.one, "request:all ordinary:all dossier:all other-dossier:all dossier-elsewhere:all approver:all reviewer:all other-approver:all operator-elsewhere:all"},
		{operator, "request:all ordinary:all dossier:all other-dossier:all approver:all reviewer:all other-approver:all"},
		{c.specialist, "request:all dossier:all other-dossier:all approver:all reviewer:all other-approver:all"},
		{c.reviewer, "request:all dossier:all other-dossier:all approver:all reviewer:all other-approver:all"},
		{c.approver, "request:leaves dossier:all approver:all"},
		{c.requester, "request:leaves dossier:all approver:all"},
		{stranger, "other-dossier:all other-approver:all"},
		{foreign, "dossier-elsewhere:all operator-elsewhere:all"},
	} {
		seen := map[string]*proofing.Logged{} // by object and number
		for _, e := range c.everything(reader.r, 7) {
			if e.Entry.Leaf != whole[e.Place].Leaf {
				t.Fatalf("%s: place %d has %s", reader.r.name, e.Place, e.Entry.Leaf)
			}
			seen[fmt.Sprint(e.Object, " ", e.Number)] = e
			own := e.Leaf.By.Kind == "person" && e.Leaf.By.ID == reader.r.person()
			known := slices.ContainsFunc([]string{"request", "ordinary", "dossier", "other dossier", "dossier elsewhere"}, func(name string) bool { return objects[name] == e.Object })
			ofAlpha := reader.r == operator && e.Leaf.Of == proofing.SubjectCase // everybody here has one at that authority
			if reader.r != c.one && !known && !ofAlpha && e.Leaf.Of != proofing.SubjectAppointment && !own {
				t.Errorf("%s sees what is of nobody's: %s", reader.r.name, e.Entry.Leaf)
			}
			if !e.Shown && (len(e.Private) > 0 || e.Salt != "" || len(e.Persons) > 0) {
				t.Errorf("%s sees beside the leaf of %s", reader.r.name, e.Entry.Leaf)
			}
		}
		for name, object := range objects {
			want := ""
			for _, s := range strings.Fields(reader.sees) {
				if about, how, _ := strings.Cut(s, ":"); about == strings.ReplaceAll(name, " ", "-") {
					want = how
				}
			}
			_, list, _, err := c.LogOf(ctx, reader.r.visit(), object, 0, 100)
			n := 0
			for place, e := range whole {
				leaf, _ := e.Said()
				own := leaf.By.Kind == "person" && leaf.By.ID == reader.r.person()
				one := seen[fmt.Sprint(e.Object, " ", e.Number)]
				if e.Object != object {
					continue
				}
				_, at := c.LoggedAt(ctx, reader.r.visit(), int64(place))
				proof, proved := c.LogProof(ctx, reader.r.visit(), int64(place))
				if want == "" && !own {
					if one != nil {
						t.Errorf("%s sees entry %d of the %s", reader.r.name, e.Number, name)
					}
					wantErr(t, reader.r.name+" looks at the "+name, at, proofing.ErrNotFound)
					wantErr(t, reader.r.name+" wants proof of the "+name, proved, proofing.ErrNotFound)
					continue
				}
				if n++; one == nil || at != nil || proved != nil || string(proof) != fmt.Sprint(place, " ", e.Leaf) {
					t.Fatalf("%s does not see entry %d of the %s: %v, %v", reader.r.name, e.Number, name, at, proved)
				}
				if one.Shown != (want == "all" || own) || one.Shown && string(one.Private) != string(e.Private) {
					t.Errorf("%s sees of entry %d of the %s: %v", reader.r.name, e.Number, name, one.Shown)
				}
			}
			if n == 0 {
				wantErr(t, reader.r.name+" lists the "+name, err, proofing.ErrNotFound)
			} else if err != nil || len(list) != n {
				t.Errorf("%s lists %d of %d entries of the %s, %v", reader.r.name, len(list), n, name, err)
			}
		}
		if text, key, err := c.LogStated(ctx, reader.r.visit()); err != nil || text != "checkpoint" || key != "key" {
			t.Errorf("%s: checkpoint %q, %v", reader.r.name, text, err)
		}
	}
	if all := c.everything(c.one, 7); len(all) != len(whole) {
		t.Errorf("an administrator sees %d of %d entries", len(all), len(whole))
	}
	// The names of who has done something are for those who see their appointments.
	for _, e := range c.everything(c.approver, 50) {
		if e.Object == c.org.ID && e.By != "" {
			t.Errorf("an approver learns the name of %s", e.By)
		}
	}
	for _, e := range c.everything(operator, 50) {
		if e.Object == c.org.ID && e.Leaf.By.Role == proofing.RoleSpecialist && e.By != "specialist" {
			t.Errorf("the operator is told %q", e.By)
		}
	}
}

func TestTheLogIsForThePeopleOfTheConsoleAlone(t *testing.T) {
	w, one, two := administered(t)
	w.Prover = proofs{}
	member := w.member("member")
	gone, a := w.holds("gone", one, two, draft(proofing.RoleOperator, "alpha", ""))
	one.renew()
	must[*proofing.Appointment](t)(w.SuspendAppointment(t.Context(), one.visit(), a.ID, "why"))
	w.sequenceAll()
	for name, v := range map[string]proofing.Visit{"nobody": {Browser: "b"}, "a member": member.visit(), "who was suspended": gone.visit()} {
		_, _, err := w.LogView(t.Context(), v, 0, 10)
		wantErr(t, name+" lists", err, proofing.ErrNotFound)
		_, _, _, err = w.LogOf(t.Context(), v, a.ID, 0, 10)
		wantErr(t, name+" looks up", err, proofing.ErrNotFound)
		_, err = w.LoggedAt(t.Context(), v, 0)
		wantErr(t, name+" looks", err, proofing.ErrNotFound)
		_, err = w.LogProof(t.Context(), v, 0)
		wantErr(t, name+" wants proof", err, proofing.ErrNotFound)
		_, _, err = w.LogStated(t.Context(), v)
		wantErr(t, name+" wants the checkpoint", err, proofing.ErrNotFound)
	}
	// Where nobody proves, there is no proof; beyond the end there is nothing.
	w.Prover = nil
	_, _, err := w.LogStated(t.Context(), one.visit())
	wantErr(t, "no checkpoint", err, proofing.ErrNotFound)
	_, err = w.LogProof(t.Context(), one.visit(), 0)
	wantErr(t, "no proof", err, proofing.ErrNotFound)
	for _, place := range []int64{-1, int64(len(w.log())), 1 << 62} {
		_, err = w.LoggedAt(t.Context(), one.visit(), place)
		wantErr(t, fmt.Sprint("entry ", place), err, proofing.ErrNotFound)
	}
	for _, object := range []string{"", "x", a.ID + "x", proofing.NewID(nil)} {
		_, _, _, err = w.LogOf(t.Context(), one.visit(), object, 0, 10)
		wantErr(t, "object "+object, err, proofing.ErrNotFound)
	}
}

func TestWhatWaitsForTheLogIsAmongWhatItTellsOfAnObject(t *testing.T) {
	w, one, two := administered(t)
	_, a := w.holds("operator", one, two, draft(proofing.RoleOperator, "alpha", ""))
	w.sequenceAll()
	one.renew()
	must[*proofing.Appointment](t)(w.SuspendAppointment(t.Context(), one.visit(), a.ID, "why"))
	var kinds []string
	var waits int
	for before, more := int64(0), true; more; more = before > 0 {
		var list []*proofing.Logged
		var err error
		var of proofing.Subject
		if of, list, before, err = w.LogOf(t.Context(), one.visit(), a.ID, before, 3); err != nil || of != proofing.SubjectAppointment || len(list) == 0 {
			t.Fatal(of, err)
		}
		for _, e := range list {
			if kinds = append(kinds, string(e.Leaf.Kind)); e.Place < 0 {
				waits++
			}
		}
	}
	if want := []string{"appointment_suspended", "appointment_confirmed", "appointment_accepted", "appointment_proposed"}; !slices.Equal(kinds, want) || waits != 1 {
		t.Errorf("%v, of which %d wait", kinds, waits)
	}
	// What was erased is not there, and the page says so.
	w.sequenceAll()
	e := w.everything(one, 1)[0]
	if !e.Shown || e.Erased() || len(e.Private) == 0 {
		t.Fatalf("%+v", e)
	}
	if e.Private = nil; !e.Erased() {
		t.Error("what was erased looks like what never was")
	}
}

// Whoever sees nothing of an object learns neither that it is there nor how much is told of it, wherever they let the list begin.
func TestALookIntoTheLogIsNoOracleOfWhatOthersDo(t *testing.T) {
	c := newCourt(t)
	c.sequenceAll()
	c.requester.renew()
	for name, object := range map[string]string{
		"a reviewer's role": c.office[c.reviewer].ID, "a reviewer's person": c.reviewer.person(), "a reviewer's session": c.reviewer.session.ID, "nothing": proofing.NewID(nil),
	} {
		for _, before := range []int64{0, 1, 2, 3, 1 << 40} {
			_, _, _, err := c.LogOf(t.Context(), c.requester.visit(), object, before, 10)
			wantErr(t, fmt.Sprint(name, " before ", before), err, proofing.ErrNotFound)
		}
	}
	for name, object := range map[string]string{"their own role": c.office[c.requester].ID, "their dossier": c.org.ID} {
		if _, list, _, err := c.LogOf(t.Context(), c.requester.visit(), object, 1, 10); err != nil || len(list) > 0 {
			t.Errorf("before the first entry of %s: %d entries, %v", name, len(list), err)
		}
	}
}
