package audit

import (
	"os"
	"strings"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// A log has what it was told: that a grant claims more than was proved is found by judging anew.
func TestAGrantThatClaimsWhatWasNotProvedIsFound(t *testing.T) {
	file, err := os.ReadFile("testdata/evidence.json")
	if err != nil {
		t.Fatal(err)
	}
	whole := func() *readObject {
		e, err := ParseEvidence(file)
		if err != nil {
			t.Fatal(err)
		}
		r, err := e.read()
		if err != nil {
			t.Fatal(err)
		}
		return r.object(proofing.SubjectCase, e.Cases[0].Object)
	}
	if a, err := whole().assessed(); err != nil || a == nil {
		t.Fatalf("as it is: %+v, %v", a, err)
	}
	for name, c := range map[string]struct {
		edit   func(o *readObject, grant map[string]any)
		claims bool // more than was proved; otherwise nobody can judge it
	}{
		"a level more":                        {func(_ *readObject, grant map[string]any) { grant["aal"] = 3.0 }, true},
		"an identity that nobody has proofed": {func(_ *readObject, grant map[string]any) { grant["ial"] = 2.0 }, true},
		"a federation that there was not":     {func(_ *readObject, grant map[string]any) { grant["fal"] = 1.0 }, true},
		"a suspended authenticator": {func(o *readObject, grant map[string]any) {
			grant["suspended"] = []any{textOf(o.leaves[o.proved()[0]].Facts, "event")}
		}, true},
		"a proof whose facts were erased": {func(o *readObject, _ map[string]any) {
			i := o.proved()[0]
			o.Entries[i].Private, o.Entries[i].Salt = nil, ""
		}, false},
		"a framework that the program knew not": {func(_ *readObject, grant map[string]any) { delete(grant, "framework") }, false},
	} {
		o := whole()
		c.edit(o, o.leaves[o.granted()].Facts)
		a, err := o.assessed()
		if c.claims != (err != nil && strings.Contains(err.Error(), "the grant claims")) || a != nil {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}
