package web

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
	"github.com/countersign-id/countersign/store/redistest"
)

// BenchmarkQueue draws the queue of a reviewer while 100,000 requests are open, of a thousand organizations: the page is to take less
// than 50 ms on both stores.
func BenchmarkQueue(b *testing.B) {
	for name, open := range map[string]func(now func() time.Time) (store.KV, error){
		"embedded": func(now func() time.Time) (store.KV, error) {
			return store.OpenSQLite(b.Context(), filepath.Join(b.TempDir(), "store.db"), store.Options{Now: now})
		},
		"redis": func(func() time.Time) (store.KV, error) {
			return store.OpenRedis(b.Context(), store.RedisOptions{Addresses: []string{redistest.Start(b, redistest.Durable()...).Addr}})
		},
	} {
		b.Run(name, func(b *testing.B) {
			c := newCourtIn(newHouseOver(b, open))
			c.crowd(100_000, 1000)
			for _, page := range []struct{ name, path string }{{"first", "/admin"}, {"submitted", "/admin?stage=submitted"}} {
				b.Run(page.name, func(b *testing.B) {
					var took []time.Duration
					for b.Loop() {
						began := time.Now()
						if got := c.reviewer.get(page.path); got.Code != 200 {
							b.Fatalf("%d: %s", got.Code, got.Body)
						}
						took = append(took, time.Since(began))
					}
					slices.Sort(took)
					b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
					b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
				})
			}
		})
	}
}

// crowd puts many requests in place, as they are stored, in all stages.
func (c *court) crowd(requests, organizations int) {
	c.t.Helper()
	k := c.submitted("signing")
	each := func(n int, do func(i int) error) {
		var all sync.WaitGroup
		for worker := range 64 {
			all.Go(func() {
				for i := worker; i < n; i += 64 {
					if err := do(i); err != nil {
						c.t.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
		if c.t.Failed() {
			c.t.FailNow()
		}
	}
	ids := make([]string, organizations)
	ctx := context.WithoutCancel(c.t.Context())
	each(organizations, func(i int) error {
		o := *c.org
		o.ID, o.Name = proofing.NewID(nil), fmt.Sprintf("Organization %d", i)
		ids[i] = o.ID
		for _, m := range []*colleague{c.requester, c.approver} {
			a := *c.office[m]
			a.ID, a.Organization, a.Link = proofing.NewID([]byte("appointments")), o.ID, proofing.NewToken()
			a.ID = c.office[m].ID[:2] + a.ID[2:]
			if err := c.svc.Appointments.Create(ctx, a.ID, &a); err != nil {
				return err
			}
		}
		return c.svc.Dossiers.Create(ctx, o.ID, &o)
	})
	at := []proofing.Stage{proofing.StageSubmitted, proofing.StageVetting, proofing.StageCorrelation}
	each(requests, func(i int) error {
		other, approval := *k, *k.Approval
		other.ID, other.Natural = proofing.NewID(nil), ""
		approval.Organization, approval.Stage, approval.Since = ids[i%organizations], at[i%3], k.Approval.Since.Add(time.Duration(i)*time.Millisecond)
		other.Approval = &approval
		return c.svc.Cases.Create(ctx, other.ID, &other)
	})
}
