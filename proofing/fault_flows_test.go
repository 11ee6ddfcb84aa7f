package proofing_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

// flow is something that is made ready while everything works, then done while
// one call of the store fails, as often as it takes, and then looked at.
type flow struct {
	name  string
	ready func(*world) *proofing.Case
	do    func(*world, *proofing.Case) error
	check func(*world, *proofing.Case) error
}

func (w *world) granted() *proofing.Case { return w.prove(w.open("email"), "b", "email", "") }

// mailed is an open case with a code on its way, and the code.
func (w *world) mailed(c *proofing.Case, address string) *proofing.Case {
	w.t.Helper()
	c, _, err := w.Begin(w.t.Context(), visit(c, "b"), "email", address)
	if err != nil {
		w.t.Fatal(err)
	}
	w.work()
	return c
}

var flows = []flow{
	{
		name: "disown",
		ready: func(w *world) *proofing.Case {
			cases := w.names(3)
			return w.prove(cases[0], "b", "email", "admin@example.org")
		},
		do: func(w *world, c *proofing.Case) error {
			_, err := w.Disown(w.t.Context(), proofing.Secret(c.ID+"."+c.Disown.Reveal()))
			return err
		},
		check: func(w *world, c *proofing.Case) error {
			siblings, err := w.Siblings(w.t.Context(), c)
			if err != nil || len(siblings) != 2 {
				return fmt.Errorf("%d siblings: %w", len(siblings), err)
			}
			for _, o := range append(siblings, w.reload(c)) {
				if o.Frozen == nil {
					return fmt.Errorf("%s is not frozen", o.Identifier.Value)
				}
			}
			if n := len(w.post.ids("frozen")); n != 1 {
				return fmt.Errorf("notices under %d ids, want 1", n)
			}
			return nil
		},
	},
	{
		name:  "key rollover",
		ready: (*world).granted,
		do: func(w *world, c *proofing.Case) error {
			return w.AccountKeyChanged(w.t.Context(), w.ca, c.Applicant.URL, c.Applicant.Thumbprint, "new")
		},
		check: func(w *world, c *proofing.Case) error {
			old := w.ask(c)
			c.Applicant.Thumbprint = "new"
			if v := w.ask(c); !v.Allow || old.Allow || w.reload(c).Applicant.Thumbprint != "new" {
				return fmt.Errorf("the old key %v, the new key %v", old.Allow, v.Allow)
			}
			return nil
		},
	},
	{
		name: "deactivation of an account",
		ready: func(w *world) *proofing.Case {
			c := w.granted()
			if err := w.AccountKeyChanged(w.t.Context(), w.ca, "", c.Applicant.Thumbprint, "new"); err != nil {
				w.t.Fatal(err)
			}
			return w.reload(c)
		},
		do: func(w *world, c *proofing.Case) error { return w.AccountDeactivated(w.t.Context(), w.ca, "new") },
		check: func(w *world, c *proofing.Case) error {
			if got := w.reload(c); got.Status != proofing.CaseWithdrawn || w.ask(c).Allow {
				return fmt.Errorf("the case is %s", got.Status)
			}
			return nil
		},
	},
	{
		name: "evidence for siblings",
		ready: func(w *world) *proofing.Case {
			return w.mailed(w.names(3)[0], "admin@example.org")
		},
		do: func(w *world, c *proofing.Case) error {
			_, _, err := w.Answer(w.t.Context(), visit(c, "b"), c.Attempts[0].ID, w.post.last(w.t, "email_code").Code)
			if errors.Is(err, proofing.ErrClosed) {
				return nil // it was stored before the store failed
			}
			return err
		},
		check: func(w *world, c *proofing.Case) error {
			siblings, err := w.Siblings(w.t.Context(), c)
			if err != nil || len(siblings) != 2 {
				return fmt.Errorf("%d siblings: %w", len(siblings), err)
			}
			for _, o := range append(siblings, w.reload(c)) {
				if o.Status != proofing.CaseGranted || len(o.Evidence) != 1 {
					return fmt.Errorf("%s is %s with %d events", o.Identifier.Value, o.Status, len(o.Evidence))
				}
			}
			return nil
		},
	},
	{
		name:  "resend",
		ready: func(w *world) *proofing.Case { return w.mailed(w.open("email"), "") },
		do: func(w *world, c *proofing.Case) error {
			now, err := w.Service.Get(w.t.Context(), w.ca, c.ID)
			if err != nil || now.Attempts[0].Sends > 1 {
				return err
			}
			_, _, err = w.Resend(w.t.Context(), visit(c, "b"), c.Attempts[0].ID)
			return err
		},
		check: func(w *world, c *proofing.Case) error {
			a := w.reload(c).Attempts[0]
			if a.Codes != 1 || a.Sends != 2 {
				return fmt.Errorf("%d codes and %d messages, want 1 and 2", a.Codes, a.Sends)
			}
			if n := len(w.post.all("email_code")); n != len(w.post.ids("email_code")) || n > 2 {
				return fmt.Errorf("%d messages went out", n)
			}
			return nil
		},
	},
	{
		name: "a statement signed anew",
		ready: func(w *world) *proofing.Case {
			c := w.granted()
			w.state(c)
			w.pass(25 * time.Hour)
			return c
		},
		do: func(w *world, c *proofing.Case) error {
			_, err := w.Statement(w.t.Context(), w.ca, c.ID)
			return err
		},
		check: func(w *world, c *proofing.Case) error {
			if g := w.state(c).Grant; g.Statement == "" || !g.StatementExpires.After(w.clock()) {
				return fmt.Errorf("good until %v", g.StatementExpires)
			}
			return nil
		},
	},
	{
		name: "self-service",
		ready: func(w *world) *proofing.Case {
			c := w.granted() // of somebody else, and no business of this flow
			w.Policy.Limits.ClientOpens = 3
			return c
		},
		do: func(w *world, _ *proofing.Case) error {
			_, err := w.Apply(w.t.Context(), proofing.Visit{Browser: "b", Client: "192.0.2.9"}, "alpha", "email", proofing.Identifier{Type: "email", Value: "me@example.org"})
			return err
		},
		check: func(w *world, c *proofing.Case) error {
			if got := w.reload(c); got.Status != proofing.CaseGranted {
				return fmt.Errorf("another's case is %s", got.Status)
			}
			return nil
		},
	},
	{
		name: "a number changes hands",
		ready: func(w *world) *proofing.Case {
			mine := w.openAs("client", "first", "one@example.org")
			w.prove(w.prove(mine, "b", "sms", "+447400123456"), "b", "email", "")
			w.pass(time.Hour)
			theirs := w.prove(w.openAs("client", "second", "two@example.org"), "b", "email", "")
			theirs, _, err := w.Begin(w.t.Context(), visit(theirs, "b"), "sms", "+447400123456")
			if err != nil {
				w.t.Fatal(err)
			}
			w.work()
			return theirs
		},
		do: func(w *world, c *proofing.Case) error {
			_, _, err := w.Answer(w.t.Context(), visit(c, "b"), c.Attempts[1].ID, w.post.last(w.t, "sms_code").Code)
			if errors.Is(err, proofing.ErrClosed) {
				return nil
			}
			return err
		},
		check: func(w *world, c *proofing.Case) error {
			p, err := w.People.Get(w.t.Context(), w.reload(c).Person)
			if err != nil || len(p.Bindings) != 2 {
				return fmt.Errorf("the new holder: %+v, %w", p, err)
			}
			return nil
		},
	},
}

// ids are the different ids under which messages of a kind went out.
func (p *post) ids(kind string) map[string]bool {
	ids := map[string]bool{}
	for _, m := range p.all(kind) {
		ids[m.ID] = true
	}
	return ids
}

// TestEveryStoreCallOfEveryFlowMayFail fails the n-th call of the store, for
// every n, in both ways, and lets whoever asked ask again.
func TestEveryStoreCallOfEveryFlowMayFail(t *testing.T) {
	for _, flow := range flows {
		t.Run(flow.name, func(t *testing.T) {
			t.Parallel()
			for _, after := range []bool{false, true} {
				n := int64(1)
				for w := newWorld(t); w.endure(flow, n, after); n++ {
				}
				if n < 4 {
					t.Errorf("only %d calls were made to fail", n-1)
				}
			}
		})
	}
}

// endure runs a flow with its n-th call failing, and says whether there was one.
func (w *world) endure(flow flow, n int64, after bool) (reached bool) {
	w.post = &post{}
	kv, err := store.OpenSQLite(w.t.Context(), filepath.Join(w.t.TempDir(), "f.db"), store.Options{Now: w.clock})
	if err != nil {
		w.t.Fatal(err)
	}
	defer kv.Close()
	f := &faulty{KV: kv, after: after, n: -1}
	w.over(f)
	c := flow.ready(w)
	f.calls.Store(0)
	f.n = n
	for range 10 {
		if err = flow.do(w, c); err == nil {
			break
		}
		_, _ = w.WorkOnce(context.WithoutCancel(w.t.Context()))
		w.pass(2 * time.Minute)
	}
	for range 4 {
		_, _ = w.WorkOnce(context.WithoutCancel(w.t.Context()))
		w.pass(2 * time.Minute)
	}
	reached = f.calls.Load() >= n
	f.n = -1
	w.work()
	if err == nil {
		err = flow.check(w, c)
	}
	if err != nil {
		w.t.Errorf("call %d, after %v: %v", n, after, err)
	}
	return reached && n < 200
}
