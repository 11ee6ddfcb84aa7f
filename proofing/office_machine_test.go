package proofing_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// Whatever people do to appointments, in whichever order, the entries show that each role was given, given back and ended by two, none of whom
// holds it, and that no fewer than two administrators were left by anything but suspension.
func TestWhateverPeopleDoEveryRoleIsGivenByTwo(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 11))
	w, one, two := administered(t)
	three, _ := w.holds("three", one, two, draft(proofing.RoleAdministrator, "", ""))
	four, _ := w.holds("four", one, two, draft(proofing.RoleOperator, "alpha", ""))
	five, six := w.member("five"), w.member("six")
	people := []*representative{one, two, three, four, five, six}
	all := []*proofing.Appointment{w.adminOf(one), w.adminOf(two), w.adminOf(three)}
	links := map[string]*proofing.Appointment{}
	ctx := t.Context()
	done := map[string]int{}
	for step := range 400 {
		who := people[r.IntN(len(people))]
		if step%10 == 0 {
			w.pass(time.Duration(r.IntN(30)) * time.Hour)
		}
		who.renew()
		v := who.visit()
		before, err := w.Administrators(ctx)
		if err != nil {
			t.Fatal(err)
		}
		what := []string{"propose", "accept", "accept", "confirm", "confirm", "suspend", "resume", "resume", "end", "recover"}[r.IntN(10)]
		a := all[r.IntN(len(all))]
		for range 10 { // mostly something that it can be done to
			if wants := map[string]proofing.AppointmentStatus{"accept": proofing.AppointmentProposed, "confirm": proofing.AppointmentAccepted, "resume": proofing.AppointmentSuspended}[what]; wants == "" || w.office(a).Status == wants {
				break
			}
			a = all[r.IntN(len(all))]
		}
		switch what {
		case "propose":
			role := proofing.Roles()[r.IntN(4)]
			ca := "alpha"
			if role == proofing.RoleAdministrator {
				ca = ""
			}
			var made *proofing.Appointment
			if made, err = w.ProposeAppointment(ctx, v, draft(role, ca, "")); err == nil {
				all, links[made.ID] = append(all, made), made
			}
		case "accept":
			if links[a.ID] != nil {
				_, err = w.AcceptAppointment(ctx, v, joins(links[a.ID]))
			}
		case "confirm":
			_, err = w.ConfirmAppointment(ctx, v, a.ID, w.office(a).Journal.Written)
		case "suspend":
			if before > 2 || r.IntN(4) == 0 {
				_, err = w.SuspendAppointment(ctx, v, a.ID, "by chance")
			}
		case "resume":
			_, err = w.ResumeAppointment(ctx, v, a.ID, "by chance")
		case "end":
			_, err = w.EndAppointment(ctx, v, a.ID, "by chance")
		case "recover":
			if before < 2 {
				var made *proofing.Appointment
				if made, err = w.RecoverAdministration(ctx, "Recovered"); err == nil {
					all, links[made.ID] = append(all, made), made
				}
			}
		}
		if input := (*proofing.InputError)(nil); err != nil && !errors.As(err, &input) && !errors.Is(err, proofing.ErrNotFound) && !errors.Is(err, proofing.ErrClosed) && !errors.Is(err, proofing.ErrAttemptOver) {
			t.Fatalf("step %d, %s: %v", step, what, err)
		}
		if err == nil {
			done[what]++
		}
		if after, _ := w.Administrators(ctx); after < 2 && after < before && what != "suspend" {
			t.Fatalf("step %d: %s left %d administrators", step, what, after)
		}
	}
	w.work()
	for _, a := range all {
		checkEntries(t, w.office(a))
	}
	for _, what := range []string{"propose", "accept", "confirm", "suspend", "resume", "end"} {
		if done[what] < 3 {
			t.Errorf("only %d times somebody could %s: the test shows little", done[what], what)
		}
	}
}

// checkEntries reads what has happened to an appointment from its entries.
func checkEntries(t *testing.T, a *proofing.Appointment) {
	t.Helper()
	var proposed, asked proofing.Actor
	status := ""
	for _, e := range a.Journal.Pending {
		var leaf proofing.Leaf
		if err := json.Unmarshal([]byte(e.Leaf), &leaf); err != nil {
			t.Fatal(err)
		}
		holder, _ := leaf.Facts["person"].(string)
		twoOthers := func(first proofing.Actor) {
			t.Helper()
			if first.Kind == "person" && (first.ID == leaf.By.ID || first.ID == holder) || leaf.By.ID == holder && holder != "" {
				t.Errorf("%s: by %+v after %+v, held by %s", leaf.Kind, leaf.By, first, holder)
			}
		}
		switch leaf.Kind {
		case proofing.AppointmentIsProposed:
			proposed = leaf.By
		case proofing.AppointmentIsAccepted:
			if leaf.By.ID != holder || proposed.ID == holder && holder != "" && proposed.Kind == "person" {
				t.Errorf("taken up by %+v, held by %s, proposed by %+v", leaf.By, holder, proposed)
			}
		case proofing.AppointmentIsConfirmed:
			if status != "accepted" {
				t.Errorf("confirmed while it was %s", status)
			}
			twoOthers(proposed)
		case proofing.AppointmentIsAsked:
			asked = leaf.By
		case proofing.AppointmentIsResumed:
			if status != "suspended" {
				t.Errorf("given back while it was %s", status)
			}
			twoOthers(asked)
		case proofing.AppointmentHasEnded:
			if (status == "active" || status == "suspended") && leaf.By.Kind == "person" && leaf.By.ID != holder {
				twoOthers(asked)
			}
		}
		status, _ = leaf.Facts["status"].(string)
	}
	if status != string(a.Status) {
		t.Errorf("the entries say %s, the record %s", status, a.Status)
	}
}
