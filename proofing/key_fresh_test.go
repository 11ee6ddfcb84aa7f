package proofing_test

import (
	"testing"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
	"github.com/countersign-id/countersign/store/redistest"
)

// Two processes share a Redis. What one has ended, the other's next answer knows, whatever it remembers of the records: it has just
// said yes to the same question.
func TestWhatOneProcessEndsTheOthersNextAnswerKnows(t *testing.T) {
	server := redistest.Start(t, redistest.Durable()...)
	connect := func() store.KV {
		kv, err := store.OpenRedis(t.Context(), store.RedisOptions{Addresses: []string{server.Addr}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { kv.Close() })
		return kv
	}
	w := newWorld(t)
	w.over(connect())
	for _, ca := range []*proofing.Authority{w.ca, w.other} {
		ca.Directories, ca.NewAccounts = []string{"https://ca.example/acme/directory"}, []string{newAccount}
	}
	other := w.process(connect())
	other.Methods, other.Policy = w.Methods, w.Policy
	second := &world{Service: other, t: t, ca: w.ca, other: w.other}
	ctx := t.Context()

	for n, end := range []func(k *proofing.Key, c *proofing.Case) error{
		func(k *proofing.Key, _ *proofing.Case) error {
			_, err := w.RevokeKey(ctx, w.ca.Name, k.Kid, "test")
			return err
		},
		func(_ *proofing.Key, c *proofing.Case) error { _, err := w.Revoke(ctx, c.ID, "test"); return err },
		func(_ *proofing.Key, _ *proofing.Case) error { // which the CA tells one process, and asks the other
			return w.AccountDeactivated(ctx, w.ca, accountKey(2))
		},
	} {
		r := request("email")
		r.Applicant = proofing.Applicant{Kind: proofing.ByNobody}
		c, _, err := w.Open(ctx, w.ca, r)
		if err != nil {
			t.Fatal(err)
		}
		c = w.prove(c, "b", "email", "")
		k := w.caseKey(c)
		must[*proofing.VerifiedKey](t)(w.VerifyKey(ctx, w.ca, present(k, n)))
		for range 3 {
			must[*proofing.VerifiedKey](t)(second.VerifyKey(ctx, w.ca, present(k, n)))
			if got := second.asks(n, proved); got.Problem != "" {
				t.Fatalf("%d: the other process says %q before anything has ended", n, got.Problem)
			}
		}
		if err := end(k, c); err != nil {
			t.Fatal(err)
		}
		if got := second.asks(n, proved); got.Problem == "" {
			t.Errorf("%d: the other process goes on saying yes", n)
		}
		if _, err := second.VerifyKey(ctx, w.ca, present(k, n)); err != proofing.ErrBinding { //nolint:errorlint // exactly this
			t.Errorf("%d: it goes on verifying the key: %v", n, err)
		}
	}
}
