package proofing_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

// atOnce does several things at the same time.
func atOnce(all ...func()) {
	var hands sync.WaitGroup
	begin := make(chan struct{})
	for _, do := range all {
		hands.Go(func() {
			<-begin
			do()
		})
	}
	close(begin)
	hands.Wait()
}

func TestOfTwoBootstrapsAtOnceOneCounts(t *testing.T) {
	for range 10 {
		w := withPasskeys(t)
		processes := []*proofing.Service{w.Service, w.process(w.kv)}
		var first [2][2]*proofing.Appointment
		var errs [2]error
		name := func(n int) func() {
			return func() {
				first[n], errs[n] = processes[n].Bootstrap(t.Context(), [2]string{"One", "Two"}, false)
			}
		}
		atOnce(name(0), name(1))
		winner := slices.Index(errs[:], nil)
		if winner < 0 || !errors.Is(errs[1-winner], proofing.ErrExists) {
			t.Fatalf("they got %v", errs)
		}
		one, two := w.member("one"), w.member("two")
		must[*proofing.Appointment](t)(one.accepts(first[winner][0]))
		must[*proofing.Appointment](t)(two.accepts(first[winner][1]))
		if n, err := w.Administrators(t.Context()); n != 2 || err != nil {
			t.Fatalf("%d administrators, %v", n, err)
		}
	}
}

// Both press at once, on two processes, and both are administrators.
func TestBothTakeUpTheBootstrapAtOnce(t *testing.T) {
	for range 10 {
		w := withPasskeys(t)
		other := w.process(w.kv)
		other.Methods, other.Policy = w.Methods, w.Policy
		one, two := w.member("one"), w.member("two")
		first, err := w.Bootstrap(t.Context(), [2]string{"One", "Two"}, false)
		if err != nil {
			t.Fatal(err)
		}
		var errs [2]error
		atOnce(
			func() { _, errs[0] = w.AcceptAppointment(t.Context(), one.visit(), joins(first[0])) },
			func() { _, errs[1] = other.AcceptAppointment(t.Context(), two.visit(), joins(first[1])) },
		)
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatal(err)
		}
		if n, err := w.Administrators(t.Context()); n != 2 || err != nil {
			t.Fatalf("%d administrators, %v", n, err)
		}
		w.work()
	}
}

func TestOfTwoWhoTakeUpOneLinkAtOnceOneHasIt(t *testing.T) {
	w, one, _ := administered(t)
	other := w.process(w.kv)
	other.Methods, other.Policy = w.Methods, w.Policy
	eve, three := w.member("eve"), w.member("three")
	for n := range 6 {
		role := []proofing.Role{proofing.RoleOperator, proofing.RoleSpecialist, proofing.RoleReviewer}[n%3]
		a := must[*proofing.Appointment](t)(one.proposes(draft(role, []string{"alpha", "beta"}[n/3], "")))
		eve.renew()
		three.renew()
		var errs [2]error
		atOnce(
			func() { _, errs[0] = w.AcceptAppointment(t.Context(), eve.visit(), joins(a)) },
			func() { _, errs[1] = other.AcceptAppointment(t.Context(), three.visit(), joins(a)) },
		)
		winner := slices.Index(errs[:], nil)
		if winner < 0 || !errors.Is(errs[1-winner], proofing.ErrAttemptOver) {
			t.Fatalf("they got %v", errs)
		}
		if got := w.office(a); got.Person != []*representative{eve, three}[winner].person() || got.Journal.Written != 2 {
			t.Errorf("it is held by %s, with %d entries", got.Person, got.Journal.Written)
		}
	}
}

// One person with two links for one role takes up one of them, however fast they are.
func TestNobodyHoldsARoleTwice(t *testing.T) {
	w, one, _ := administered(t)
	other := w.process(w.kv)
	other.Methods, other.Policy = w.Methods, w.Policy
	three := w.member("three")
	d := draft(proofing.RoleOperator, "alpha", "")
	a, b := must[*proofing.Appointment](t)(one.proposes(d)), must[*proofing.Appointment](t)(one.proposes(d))
	three.renew()
	var errs [2]error
	atOnce(
		func() { _, errs[0] = w.AcceptAppointment(t.Context(), three.visit(), joins(a)) },
		func() { _, errs[1] = other.AcceptAppointment(t.Context(), three.visit(), joins(b)) },
	)
	winner := slices.Index(errs[:], nil)
	if winner < 0 {
		t.Fatalf("they got %v", errs)
	}
	wantInput(t, "the other", errs[1-winner], "appointment_twice")
}

// Two administrators confirm at once, on two processes: it is confirmed once. A proposal that comes twice is one.
func TestWhatTwoConfirmAtOnceIsConfirmedOnce(t *testing.T) {
	w, one, two := administered(t)
	other := w.process(w.kv)
	other.Methods, other.Policy = w.Methods, w.Policy
	three, _ := w.holds("three", one, two, draft(proofing.RoleAdministrator, "", ""))
	d := draft(proofing.RoleOperator, "alpha", "")
	d.Once = "a value of the form"
	one.renew()
	var twice [2]*proofing.Appointment
	var errs [2]error
	atOnce(
		func() { twice[0], errs[0] = w.ProposeAppointment(t.Context(), one.visit(), d) },
		func() { twice[1], errs[1] = other.ProposeAppointment(t.Context(), one.visit(), d) },
	)
	if err := errors.Join(errs[:]...); err != nil || twice[0].ID != twice[1].ID || twice[0].Link != twice[1].Link {
		t.Fatalf("two proposals of one form: %+v, %v", twice, err)
	}
	a := twice[0]
	four := w.member("four")
	must[*proofing.Appointment](t)(four.accepts(a))
	two.renew()
	three.renew()
	seen := w.office(a).Journal.Written
	atOnce(
		func() { _, errs[0] = w.ConfirmAppointment(t.Context(), two.visit(), a.ID, seen) },
		func() { _, errs[1] = other.ConfirmAppointment(t.Context(), three.visit(), a.ID, seen) },
	)
	winner := slices.Index(errs[:], nil)
	if winner < 0 || !errors.Is(errs[1-winner], proofing.ErrClosed) {
		t.Fatalf("they got %v", errs)
	}
	if got := w.office(a); got.Status != proofing.AppointmentActive || got.Journal.Written != 3 {
		t.Errorf("it is %s with %d entries", got.Status, got.Journal.Written)
	}
}

// All administrators resign at once, on two processes: two are left.
func TestWhoeverResignsAtOnceTwoAdministratorsAreLeft(t *testing.T) {
	w, one, two := administered(t)
	other := w.process(w.kv)
	other.Methods, other.Policy = w.Methods, w.Policy
	all := []*representative{one, two}
	for _, name := range []string{"three", "four"} {
		r, _ := w.holds(name, one, two, draft(proofing.RoleAdministrator, "", ""))
		all = append(all, r)
	}
	errs := make([]error, len(all))
	var resign []func()
	for n, r := range all {
		r.renew()
		id := w.adminOf(r).ID
		s := []*proofing.Service{w.Service, other}[n%2]
		resign = append(resign, func() { _, errs[n] = s.EndAppointment(t.Context(), r.visit(), id, "") })
	}
	atOnce(resign...)
	n, err := w.Administrators(t.Context())
	if err != nil || n < 2 {
		t.Fatalf("%d administrators are left, %v; they got %v", n, err, errs)
	}
	for _, err := range errs {
		if err != nil {
			wantInput(t, "one who stays", err, "administrators_two")
		}
	}
	// Who was refused because others were going may go once that is over, as far as two are left.
	w.pass(time.Hour)
	for _, r := range all {
		r.renew()
		if len(r.roles()) == 1 {
			_, _ = w.EndAppointment(t.Context(), r.visit(), w.adminOf(r).ID, "")
		}
	}
	if n, err := w.Administrators(t.Context()); err != nil || n != 2 {
		t.Errorf("in the end %d are left, %v", n, err)
	}
}

// meanwhile does something right before the first write of a record of a kind.
type meanwhile struct {
	store.KV
	kind string
	do   func()
	once sync.Once
}

func (m *meanwhile) Apply(ctx context.Context, bucket string, ops []store.Op) error {
	if slices.ContainsFunc(ops, func(o store.Op) bool { return strings.HasPrefix(o.Name, "r/"+m.kind+"/") }) {
		m.once.Do(m.do)
	}
	return m.KV.Apply(ctx, bucket, ops)
}

// One resigns between the moment in which another was found not to be missed, and that in which they go.
func TestWhoResignsBetweenCountingAndGoingIsCounted(t *testing.T) {
	w, one, two := administered(t)
	three, _ := w.holds("three", one, two, draft(proofing.RoleAdministrator, "", ""))
	two.renew()
	three.renew()
	second, third := w.adminOf(two).ID, w.adminOf(three).ID
	var between error
	slow := w.process(&meanwhile{KV: w.kv, kind: "appointment", do: func() {
		_, between = w.EndAppointment(t.Context(), two.visit(), second, "")
	}})
	slow.Methods, slow.Policy = w.Methods, w.Policy
	if _, err := slow.EndAppointment(t.Context(), three.visit(), third, ""); err != nil {
		t.Fatal(err)
	}
	wantInput(t, "the one between", between, "administrators_two")
}

// Whoever was asleep between the two, for so long that others do not count them as going any more, does not go.
func TestWhoWasAsleepBetweenCountingAndGoingStays(t *testing.T) {
	w, one, two := administered(t)
	three, _ := w.holds("three", one, two, draft(proofing.RoleAdministrator, "", ""))
	three.renew()
	third := w.adminOf(three)
	// The edit is made anew on what another has written, by a clock that has gone on.
	asleep := w.process(&meanwhile{KV: w.kv, kind: "appointment", do: func() {
		w.pass(2 * time.Minute)
		must[*proofing.Appointment](t)(w.Appointments.Update(t.Context(), third.ID, func(a *proofing.Appointment) error {
			a.Name += " (written meanwhile)"
			return nil
		}))
	}})
	asleep.Methods, asleep.Policy = w.Methods, w.Policy
	_, err := asleep.EndAppointment(t.Context(), three.visit(), third.ID, "")
	wantErr(t, "two minutes later", err, proofing.ErrUnavailable)
	if got := w.office(third); got.Status != proofing.AppointmentActive {
		t.Errorf("they are %s", got.Status)
	}
}

// A process that dies on the way leaves nothing half done that doing it again does not finish.
func TestTheProcessMayDieWhileSomebodyIsAppointed(t *testing.T) {
	t.Run("the second takes the bootstrap up", func(t *testing.T) {
		breaksOff(t, func(t *testing.T, n int64, after bool) (broke bool) {
			w := withPasskeys(t)
			one, two := w.member("one"), w.member("two")
			first, err := w.Bootstrap(t.Context(), [2]string{"One", "Two"}, false)
			if err != nil {
				t.Fatal(err)
			}
			must[*proofing.Appointment](t)(one.accepts(first[0]))
			_, err = w.dying(n, after).AcceptAppointment(t.Context(), two.visit(), joins(first[1]))
			broke = err != nil
			w.work()
			if got := w.office(first[1]); got.Status == proofing.AppointmentProposed { // then they press again
				must[*proofing.Appointment](t)(two.accepts(first[1]))
			}
			if n, err := w.Administrators(t.Context()); n != 2 || err != nil {
				t.Errorf("call %d, after %v: %d administrators, %v", n, after, n, err)
			}
			_, err = w.Bootstrap(t.Context(), [2]string{"Eve", "Mallory"}, true)
			wantErr(t, "after it is complete", err, proofing.ErrExists)
			for _, a := range first {
				if got := w.office(a); got.Journal.Written != 3 {
					t.Errorf("call %d, after %v: %d entries of one", n, after, got.Journal.Written)
				}
			}
			return broke
		})
	})
	t.Run("the bootstrap", func(t *testing.T) {
		for n := int64(1); n <= 4; n++ { // it makes three calls
			w := withPasskeys(t)
			one, two := w.member("one"), w.member("two")
			before, err := w.dying(n, true).Bootstrap(t.Context(), [2]string{"One", "Two"}, false)
			if broke := err != nil; broke != (n < 4) {
				t.Fatalf("call %d: %v", n, err)
			}
			first, err := w.Bootstrap(t.Context(), [2]string{"One", "Two"}, true)
			if err != nil {
				t.Fatalf("call %d: again: %v", n, err)
			}
			for _, a := range before {
				if _, err := one.accepts(a); err == nil {
					t.Errorf("call %d: a link of the first try works", n)
				}
			}
			must[*proofing.Appointment](t)(one.accepts(first[0]))
			if a := must[*proofing.Appointment](t)(two.accepts(first[1])); a.Status != proofing.AppointmentActive {
				t.Errorf("call %d: the second is %s", n, a.Status)
			}
		}
	})
	// Done by a process that dies and then again by one that does not, it leaves what it leaves otherwise.
	t.Run("the end", func(t *testing.T) {
		diesAfterEach(t, func(t *testing.T, n int64, after bool) (broke bool) {
			w, one, two := administered(t)
			_, a := w.holds("three", one, two, draft(proofing.RoleAdministrator, "", ""))
			must[*proofing.Appointment](t)(w.EndAppointment(t.Context(), two.visit(), a.ID, "has left"))
			one.renew()
			end := func(s *proofing.Service) error {
				_, err := s.EndAppointment(t.Context(), one.visit(), a.ID, "")
				return err
			}
			broke = end(w.dying(n, after)) != nil
			if err := end(w.Service); err != nil {
				t.Errorf("call %d: again: %v", n, err)
			}
			if got := w.office(a); got.Status != proofing.AppointmentEnded || got.Journal.Written != 5 {
				t.Errorf("call %d: %s with %d entries", n, got.Status, got.Journal.Written)
			}
			return broke
		})
	})
}

// The notices of a change go out, each under one Message-ID, whichever process dies or whichever provider is away.
func TestEverybodyConcernedIsToldOnce(t *testing.T) {
	w, one, two := administered(t)
	told := func(reason string) (to []string) {
		seen := map[string]bool{}
		for _, m := range w.post.all("appointment") {
			if m.Context.Reason == reason && m.About == "three" && !seen[m.ID] {
				seen[m.ID] = true
				to = append(to, m.To.Reveal())
			}
		}
		slices.Sort(to)
		return to
	}
	_, a := w.holds("three", one, two, draft(proofing.RoleOperator, "alpha", ""))
	w.work()
	everybody := []string{"one@example.org", "three@example.org", "two@example.org"}
	if got := told("confirmed"); !slices.Equal(got, everybody) {
		t.Errorf("of the confirmation were told %v", got)
	}
	if got := told("proposed"); !slices.Equal(got, []string{"one@example.org", "two@example.org"}) {
		t.Errorf("of the proposal were told %v", got)
	}
	// A process that sends them dies at each call of the store.
	two.renew()
	must[*proofing.Appointment](t)(w.SuspendAppointment(t.Context(), two.visit(), a.ID, "stolen"))
	for n := range int64(12) {
		_, _ = w.dying(n+1, true).WorkOnce(t.Context())
	}
	w.pass(10 * time.Minute) // as long as a claim holds
	w.work()
	if got := told("suspended"); !slices.Equal(got, everybody) {
		t.Errorf("of the suspension were told %v", got)
	}
	if left := w.office(a).Outbox.Messages; len(left) != 0 {
		t.Errorf("%d messages are left", len(left))
	}
	// Nobody is told more often than they must be.
	w.work()
	if n := len(w.post.all("appointment")); n > 30 {
		t.Errorf("%d messages went out", n)
	}
}
