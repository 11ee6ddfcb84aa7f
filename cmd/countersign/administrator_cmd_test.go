package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

var joinLink = regexp.MustCompile(`/admin/join/([0-9a-z]+)\.[0-9a-z]{26}`)

// TestTheFirstAdministratorsAreNamedOnce is what an operator at a shell sees of it. That the links work, and how, is shown where
// the verbs are.
func TestTheFirstAdministratorsAreNamedOnce(t *testing.T) {
	d := newDesk(t)
	_, said := d.run(exitUsage, "admin", "bootstrap", "One")
	contains(t, said, "name-2")
	_, said = d.run(exitUsage, "admin", "bootstrap", "One", "One")
	contains(t, said, "two names, of two people")
	out, said := d.run(exitOK, "admin", "bootstrap", "A. Example", "B. Example")
	contains(t, out, "A. Example", "B. Example")
	contains(t, said, "two", "once both have", "confirm an e-mail address", "2026-11-24T10:00:00Z", "shown this once")
	links := joinLink.FindAllStringSubmatch(out, -1)
	if len(links) != 2 || links[0][0] == links[1][0] {
		t.Fatalf("links are %v in\n%s", links, out)
	}
	if strings.Contains(said, "/admin/join/") {
		t.Errorf("a link is in what is said: %s", said)
	}
	_, said = d.run(exitUsage, "admin", "bootstrap", "C", "D")
	contains(t, said, "named on 2026-11-23T10:00:00Z", "--again")
	_, said = d.run(exitUsage, "admin", "recover", "C")
	contains(t, said, "admin bootstrap")
	out, _ = d.run(exitOK, "admin", "bootstrap", "C", "D", "--again")
	again := joinLink.FindAllStringSubmatch(out, -1)
	out, said = d.run(exitOK, "admin", "list")
	contains(t, out, "STATE", again[0][1], "C", "proposed")
	contains(t, said, "not both taken it up", "admin bootstrap")
	if strings.Contains(said, "admin recover") {
		t.Errorf("it names a command that is refused until both are there: %s", said)
	}
	if strings.Contains(out, links[0][1]) || strings.Contains(out, "join") {
		t.Errorf("the list shows\n%s", out)
	}

	// As if both had taken it up.
	d.service(func(s *proofing.Service) {
		for n, link := range again {
			person := proofing.NewID(nil)
			if err := s.People.Create(t.Context(), person, &proofing.Person{ID: person, Created: d.at}); err != nil {
				t.Fatal(err)
			}
			a, err := s.Appointments.Update(t.Context(), link[1], func(a *proofing.Appointment) error {
				a.Status, a.Person, a.Confirmed.At = proofing.AppointmentActive, person, d.at
				return nil
			})
			if err != nil || a.Role != proofing.RoleAdministrator {
				t.Fatalf("%d: %+v %v", n, a, err)
			}
		}
		record := proofing.FixedID(s.Hasher.Sum("administration"))
		if _, err := s.Administration.Update(t.Context(), record, func(a *proofing.Administration) error {
			a.Completed = d.at
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	})
	d.at = d.at.Add(time.Hour)
	_, said = d.run(exitUsage, "admin", "bootstrap", "E", "F", "--again")
	contains(t, said, "complete on 2026-11-23T10:00:00Z", "done once", "admin recover")

	_, said = d.run(exitUsage, "admin", "suspend", again[0][1])
	contains(t, said, "--reason")
	_, said = d.run(exitUsage, "admin", "suspend", "00nobody", "--reason", "stolen")
	contains(t, said, "admin list")
	_, said = d.run(exitOK, "admin", "suspend", again[0][1], "--reason", "stolen")
	contains(t, said, "C has no role any more as administrator", "note: 1 can act", "admin recover")
	out, said = d.run(exitOK, "admin", "recover", "G")
	contains(t, out, "G", "/admin/join/")
	contains(t, said, "a day later", "no administrator has an address or a number here, so nobody is told")
	if strings.Contains(said, "note:") {
		t.Error(said)
	}
	d.service(func(s *proofing.Service) { // D can be told from now on
		one, err := s.Appointments.Get(t.Context(), again[1][1])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.People.Update(t.Context(), one.Person, func(p *proofing.Person) error {
			p.Bindings = append(p.Bindings, proofing.Binding{ID: "mailbox", Contact: proofing.Contact{Channel: proofing.ChannelEmail, Address: "d@example.org", Shown: "d•••@example.org"}, BoundAt: d.at})
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	})
	out, said = d.run(exitOK, "admin", "invite", "H")
	contains(t, out, "H", "/admin/join/")
	contains(t, said, "waits for two administrators", "one administrator has an address or a number here, and is told", "note: 1 can act", "admin recover")
	if strings.Contains(said, "level=") {
		t.Errorf("the log is between the answers: %s", said)
	}
	out, _ = d.run(exitOK, "admin", "list")
	for _, row := range []string{`G +proposed +recover +link opened by 2026-11-24T11:00:00Z `, `H +proposed +invite +link opened by 2026-11-24T11:00:00Z `, `D +active +bootstrap +- `} {
		if !regexp.MustCompile(row).MatchString(out) {
			t.Errorf("no %q in\n%s", row, out)
		}
	}
	out, _ = d.run(exitOK, "admin", "list", "--json")
	var views []administratorView
	if err := json.Unmarshal([]byte(out), &views); err != nil || len(views) != 4 {
		t.Fatalf("%v in %s", err, out)
	}
	for _, v := range views {
		if want := map[string]string{"C": "suspended", "D": "active", "G": "proposed", "H": "proposed"}[v.Name]; v.State != want {
			t.Errorf("%s is %s, want %s", v.Name, v.State, want)
		}
	}
	for _, verb := range []string{"recover", "invite"} {
		_, said = d.run(exitUsage, "admin", verb, " ")
		contains(t, said, "give a name")
	}
}

func TestWhoeverIsToldTwiceIsCountedOnce(t *testing.T) {
	for _, x := range []struct {
		persons []string
		want    string
	}{
		{nil, "no administrator has an address or a number here, so nobody is told of it"},
		{[]string{"a", "a"}, "one administrator has an address or a number here, and is told of it"},
		{[]string{"a", "b", "a"}, "2 administrators have an address or a number here, and are told of it"},
	} {
		var one proofing.Appointment
		for _, p := range x.persons {
			one.Outbox.Messages = append(one.Outbox.Messages, proofing.Outgoing{Person: p})
		}
		if got := told(&one); got != x.want {
			t.Errorf("%v: %s", x.persons, got)
		}
	}
}

func TestBeforeThereIsAnAdministratorTheListIsEmpty(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	if out, said := d.run(exitOK, "admin", "list", "--json"); strings.TrimSpace(out) != "[]" || strings.Contains(said, "note") {
		t.Errorf("%s %s", out, said)
	}
	for _, verb := range []string{"recover", "invite"} {
		_, said := d.run(exitUsage, "admin", verb, "G")
		contains(t, said, "admin bootstrap")
	}
}
