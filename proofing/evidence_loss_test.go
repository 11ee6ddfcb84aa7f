package proofing_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/proofing"
)

// Whoever checks evidence hears that the log lost something, before what the file shows or after it, and nothing of what else was done to the log.
func TestEvidenceTellsOfALossThatWasAccepted(t *testing.T) {
	c, tree, k, _ := prosecuted(t)
	key, _ := logKey(t, tree)
	evidence := func() *audit.Evidence {
		chain := must[*proofing.Chain](t)(c.ChainOfCase(t.Context(), k.ID))
		return must[*audit.Evidence](t)(tree.Evidence(t.Context(), chain, proofing.SubjectCase, k.ID))
	}
	root := strings.Repeat("A", 42) + "E="
	accept := func(size, was int64) error {
		c.Operator = "erika"
		defer func() { c.Operator = "" }()
		err := c.AcceptLoss(t.Context(), size, was, root)
		c.logged()
		return err
	}
	if p := must[*audit.Proven](t)(evidence().Verify(key)); len(p.Losses) != 0 {
		t.Fatalf("nothing was lost, and it says %+v", p.Losses)
	}
	here := 0
	for _, o := range evidence().Objects {
		here += len(o.Entries)
	}
	at := must[*proofing.LogHead](t)(c.LogHead(t.Context())).Size
	if err := accept(at, at+5); err != nil {
		t.Fatal(err)
	}
	if err := accept(0, 3); err != nil {
		t.Fatal(err)
	}
	e := evidence()
	p := must[*audit.Proven](t)(must[*audit.Evidence](t)(audit.ParseEvidence(must[[]byte](t)(e.Text()))).Verify(key))
	if len(p.Losses) != 2 {
		t.Fatalf("%+v", p.Losses)
	}
	for i, l := range p.Losses {
		l.At, l.Index = time.Time{}, l.Index-at
		want := []audit.Loss{
			{Index: 0, Size: at, Was: at + 5, Root: root, By: "erika", Before: here},
			{Index: 1, Size: 0, Was: 3, Root: root, By: "erika", After: here},
		}[i]
		if l != want {
			t.Errorf("%d: %+v, want %+v", i, l, want)
		}
	}
}

// An operator who has the seal can tell of losses only what the log has.
func TestALossInEvidenceIsTheLogs(t *testing.T) {
	f, c := newForger(t)
	chainOf := f.whole().Object
	for _, loss := range [][2]int64{{2, 5}, {3, 9}} {
		if err := c.AcceptLoss(t.Context(), loss[0], loss[1], strings.Repeat("A", 42)+"E="); err != nil {
			t.Fatal(err)
		}
	}
	c.logged()
	made := func() *audit.Evidence {
		chain := must[*proofing.Chain](t)(c.ChainOfCase(t.Context(), chainOf))
		return must[*audit.Evidence](t)(f.tree.Evidence(t.Context(), chain, proofing.SubjectCase, chainOf))
	}
	f.file = must[[]byte](t)(made().Text())
	ofLog := func(e *audit.Evidence) *audit.EvidenceObject {
		return &e.Objects[slices.IndexFunc(e.Objects, func(o audit.EvidenceObject) bool { return o.Of == proofing.SubjectLog })]
	}
	for name, x := range map[string]struct {
		edit func(e *audit.Evidence)
		want string
	}{
		"the first one left out": {func(e *audit.Evidence) { o := ofLog(e); o.Entries = o.Entries[1:] }, "is to come"},
		"another size": {func(e *audit.Evidence) {
			o := ofLog(e)
			o.Entries[0].Leaf = strings.Replace(o.Entries[0].Leaf, `"was":5`, `"was":2`, 1)
		}, "is not in the log"},
		"no entries": {func(e *audit.Evidence) { ofLog(e).Entries = nil }, "has no entries"},
	} {
		e := f.whole()
		x.edit(e)
		if err := f.holds(e); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want %q", name, err, x.want)
		}
	}
	// What no operator's program enters, and one of their own might.
	for name, x := range map[string]struct {
		size, was int64
		root      string
		want      string
	}{
		"a loss of what was not there yet": {1 << 40, 1 << 41, strings.Repeat("A", 42) + "E=", "says that there were"},
		"less than nothing":                {-1, 4, strings.Repeat("A", 42) + "E=", "its size is no number of entries"},
		"no root":                          {0, 4, "root", "no root of a tree"},
	} {
		t.Run(name, func(t *testing.T) {
			c, tree, k, _ := prosecuted(t)
			if err := c.AcceptLoss(t.Context(), x.size, x.was, x.root); err != nil {
				t.Fatal(err)
			}
			c.logged()
			chain := must[*proofing.Chain](t)(c.ChainOfCase(t.Context(), k.ID))
			if _, err := tree.Evidence(t.Context(), chain, proofing.SubjectCase, k.ID); err == nil || !strings.Contains(err.Error(), x.want) {
				t.Errorf("%v, want %q", err, x.want)
			}
		})
	}
}
