package main

import (
	"strings"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

func TestUnblockingAPersonSaysWhoIsNotThere(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	for who, want := range map[string]string{
		"applicant@example.org":      "nobody has a•••@example.org here",
		"applicant@":                 "applicant@",
		"00000000000000000000000000": "nobody has",
	} {
		if _, said := d.run(exitUsage, "person", "unblock", who); !strings.Contains(said, want) {
			t.Errorf("%s: %s, want %q", who, said, want)
		}
	}
}

// Who cannot sign in is forgotten at their word to the operator, and not by a slip of the operator's.
func TestAPersonIsForgottenOnceTheOperatorIsSure(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	if _, said := d.run(exitUsage, "person", "erase", "applicant@example.org"); !strings.Contains(said, "nobody has a•••@example.org here") {
		t.Errorf("nobody: %s", said)
	}
	if _, said := d.run(exitUsage, "person", "erase", "00000000000000000000000000"); !strings.Contains(said, "nobody has") {
		t.Errorf("nobody: %s", said)
	}
	d.certified("applicant@example.org", 7)
	d.service(func(s *proofing.Service) {
		s.Sender = &mailed{map[string]proofing.Secret{}}
		if _, err := s.WorkOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	if _, said := d.run(exitUsage, "person", "erase", "applicant@example.org"); !strings.Contains(said, "1 addresses and authenticators") || !strings.Contains(said, "say --sure") {
		t.Errorf("without --sure: %s", said)
	}
	if _, said := d.run(exitOK, "person", "erase", "applicant@example.org", "--sure", "--by", "operator one"); !strings.Contains(said, "is forgotten") {
		t.Errorf("with it: %s", said)
	}
	if _, said := d.run(exitUsage, "person", "erase", "applicant@example.org", "--sure"); !strings.Contains(said, "nobody has a•••@example.org here") {
		t.Errorf("again: %s", said)
	}
}

// An erasure that broke off when their address had gone already is gone on with by the id, which is said before it begins.
func TestAnErasureThatBrokeOffIsFoundByTheID(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	d.certified("applicant@example.org", 7)
	d.service(func(s *proofing.Service) {
		s.Sender = &mailed{map[string]proofing.Secret{}}
		if _, err := s.WorkOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	_, said := d.run(exitUsage, "person", "erase", "applicant@example.org")
	_, id, _ := strings.Cut(said, "(")
	id, _, _ = strings.Cut(id, ")")
	if _, ok := proofing.IDBucket(id); !ok {
		t.Fatalf("%q is no id: %s", id, said)
	}
	d.service(func(s *proofing.Service) {
		if _, err := s.People.Update(t.Context(), id, func(p *proofing.Person) error {
			p.Going, p.Bindings = p.Created, nil
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	})
	if _, said := d.run(exitOK, "person", "erase", id, "--sure"); !strings.Contains(said, "the person "+id) || !strings.Contains(said, "is forgotten") {
		t.Errorf("by the id: %s", said)
	}
	if _, said := d.run(exitUsage, "person", "erase", id, "--sure"); !strings.Contains(said, "nobody has") {
		t.Errorf("again: %s", said)
	}
}
