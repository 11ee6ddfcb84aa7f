package proofing_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// after is a table in which something happens once a record was changed for the first time.
type after struct {
	proofing.Table[proofing.Case]
	id   string
	then func()
}

func (a *after) Update(ctx context.Context, id string, change func(c *proofing.Case) error) (*proofing.Case, error) {
	c, err := a.Table.Update(ctx, id, change)
	if then := a.then; then != nil && id == a.id && err == nil {
		a.then = nil
		then()
	}
	return c, err
}

// What follows from the first word knows nothing of the second, which comes meanwhile.
func TestWhoSaysItOnceMoreWhileTheFirstWordIsWorkedIsHeard(t *testing.T) {
	w, r := sharing(t)
	cert := w.reports(r.other)
	said := false
	w.Cases = &after{w.Cases, r.other.ID, func() {
		if w.reload(r.other).Frozen == nil {
			t.Error("the other request was changed before it was frozen")
		}
		w.pass(time.Second)
		must[*proofing.Case](t)(w.Restore(t.Context(), r.other.ID))
		w.pass(time.Second)
		w.says(r.said)
		said = true
	}}
	w.says(r.said)
	w.work()
	if other := w.reload(r.other); !said || other.Frozen == nil || other.Repudiated.IsZero() {
		t.Errorf("the other request after the second word: frozen %+v, marked %s", other.Frozen, other.Repudiated)
	}
	if must[*proofing.Certificate](t)(w.Certificates.Get(t.Context(), cert.ID)).Disowned == nil {
		t.Error("the clock does not run")
	}
	if left := w.reload(r.said).Outbox.Effects; len(left) != 0 {
		t.Errorf("still to be done: %+v", left)
	}
}

// The word about a request is about all that was proved in it. Of another that shares a part of that it is about the part alone: nobody has said anything of what else was
// proved there.
func TestTheWordAboutARequestGoesNoFurtherThanWhatWasProvedInIt(t *testing.T) {
	third := func(w *world, r requests) *proofing.Case {
		w.pass(time.Hour)
		c, _, err := w.Open(w.t.Context(), w.ca, request("email"))
		if err != nil {
			w.t.Fatal(err)
		}
		c = w.prove(c, "b", "email", "")
		w.t.Helper()
		must[*proofing.Case](w.t)(w.Cases.Update(w.t.Context(), c.ID, func(c *proofing.Case) error { c.Profile = r.other.Profile; return nil }))
		must[*proofing.Case](w.t)(w.Cases.Update(w.t.Context(), r.other.ID, func(o *proofing.Case) error {
			o.Evidence = append(o.Evidence, c.Evidence...)
			return nil
		}))
		return w.reload(c)
	}
	named := func(w *world, cert *proofing.Certificate) (of string) {
		w.t.Helper()
		for _, e := range must[*proofing.Certificate](w.t)(w.Certificates.Get(w.t.Context(), cert.ID)).Journal.Pending {
			var leaf proofing.Leaf
			if err := json.Unmarshal([]byte(e.Leaf), &leaf); err != nil {
				w.t.Fatal(err)
			}
			if leaf.Kind == proofing.EntryCertificateDisowned {
				of, _ = leaf.Facts["case"].(string)
			}
		}
		return of
	}
	t.Run("a certificate that is reported afterwards", func(t *testing.T) {
		for name, ends := range map[string]bool{"of a request that is over": true, "of one that is not": false} {
			w, r := sharing(t)
			k := third(w, r)
			if ends {
				must[*proofing.Case](t)(w.Deactivate(t.Context(), w.ca, k.ID))
			}
			w.says(r.said)
			w.work()
			if cert := w.reports(k); cert.Disowned != nil {
				t.Errorf("%s: its clock runs, by the word about %s", name, named(w, cert))
			}
			cert := w.reports(r.other)
			if got := named(w, cert); got != r.said.ID {
				t.Errorf("%s: the word about the first is said to be about %q", name, got)
			}
			// By a word of its own it does.
			w.pass(time.Second)
			w.says(r.other)
			if cert := w.reports(k); cert.Disowned == nil && ends {
				t.Errorf("%s: after the word about what it rests on its clock does not run", name)
			}
		}
	})
	t.Run("what a freeze that came from elsewhere freezes", func(t *testing.T) {
		w, r := sharing(t)
		k := third(w, r)
		w.says(r.said)
		w.work()
		must[*proofing.Case](t)(w.Cases.Update(t.Context(), r.other.ID, func(c *proofing.Case) error { // as if something was being shared meanwhile
			c.Outbox.Effects = append(c.Outbox.Effects, proofing.Effect{ID: "disown", Kind: proofing.EffectDisown, Due: w.clock()})
			return nil
		}))
		w.work()
		if k = w.reload(k); k.Frozen == nil || !k.Repudiated.IsZero() {
			t.Errorf("frozen %+v, marked %s", k.Frozen, k.Repudiated)
		}
		if other := w.reload(r.other); other.Repudiated.IsZero() || len(other.Reached) != 1 || other.Reached[0].Case != r.said.ID {
			t.Errorf("the other request is marked %s, %+v", other.Repudiated, other.Reached)
		}
	})
}
