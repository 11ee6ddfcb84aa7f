package main

import (
	"strings"
	"testing"
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
