package main

import (
	"strings"
	"testing"
)

func TestNamingARepresentativeSaysWhatIsMissing(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"add", "desk-1@example.org"}, "--trained"},
		{[]string{"add", "desk-1@example.org", "--trained", " "}, "what, when and by whom"},
		{[]string{"add", "desk-1@example.org", "--trained", "documents, 2026"}, "nobody has d•••@example.org here: let them sign in at"},
		{[]string{"add", "desk-1@", "--trained", "documents, 2026"}, "desk-1@"},
		{[]string{"remove", "desk-1@example.org"}, "is no representative"},
		{[]string{"remove", "00abc"}, "is no representative"},
	} {
		if _, said := d.run(exitUsage, append([]string{"representative"}, c.args...)...); !strings.Contains(said, c.want) {
			t.Errorf("%v: %s, want %q", c.args, said, c.want)
		}
	}
	if out, _ := d.run(exitOK, "representative", "list", "--json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("before anybody is named the list is %s", out)
	}
}
