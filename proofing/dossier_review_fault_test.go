package proofing_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// The process dies before or after each call of the store while a reviewer decides, and the browser sends the same answer to another one: the request is granted
// once, and the dossier knows of its review.
func TestTheProcessMayDieWhileARequestIsReviewed(t *testing.T) {
	t.Parallel()
	c := newCourt(t)
	diesAfterEach(t, func(t *testing.T, n int64, after bool) (broke bool) {
		c.pass(31 * time.Minute) // between decisions, or too many are made at once
		c.item(proofing.ItemDraft{Kind: proofing.ItemPlace, Value: fmt.Sprint("Example Street ", n), SourceKind: proofing.SourceLetter})
		k := c.submitted("signing")
		must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
		must[*proofing.Case](t)(c.decides(c.specialist, k, proofing.StepVet, false))
		asked := must[*proofing.Signing](t)(c.asked(c.reviewer, k, proofing.StepReview, false))
		answer := c.signs(c.reviewer.key, asked)
		_, err := c.dying(n, after).Decide(t.Context(), c.reviewer.visit(), answer)
		if _, again := c.Decide(t.Context(), c.reviewer.visit(), answer); again != nil { // the first had come to its end
			wantInput(t, "once more", again, "signing_over")
		}
		c.work()
		o := must[*proofing.Organization](t)(c.Dossiers.Get(t.Context(), c.org.ID))
		if k = c.reload(k); k.Status != proofing.CaseGranted || len(k.Approval.Decisions) != 3 || o.Review == nil || len(o.Unreviewed()) != 0 {
			t.Errorf("call %d: %s with %d decisions, left to review %d", n, k.Status, len(k.Approval.Decisions), len(o.Unreviewed()))
		}
		must[*proofing.Case](t)(c.Revoke(t.Context(), k.ID, "operator")) // makes room for the next one
		return err != nil
	})
}

// Whatever is recorded while somebody says that the dossier fits together, none of it is taken for reviewed.
func TestWhatIsRecordedDuringAReviewIsNotReviewed(t *testing.T) {
	c := newCourt(t)
	c.granted()
	for range 8 {
		c.pass(time.Minute)
		c.specialist.renew()
		c.reviewer.renew()
		seen := must[*proofing.Organization](t)(c.Dossiers.Get(t.Context(), c.org.ID)).Version()
		var both sync.WaitGroup
		both.Go(func() {
			if _, err := c.ReviewDossier(t.Context(), c.reviewer.visit(), c.org.ID, seen); err != nil {
				if input, ok := errors.AsType[*proofing.InputError](err); !ok || input.Code != "review_stale" {
					t.Error(err)
				}
			}
		})
		both.Go(func() {
			d := screening(proofing.OutcomeGood)
			d.Source, d.CollectedAt = "lists", c.clock()
			if _, err := c.RecordItem(t.Context(), c.specialist.visit(), c.org.ID, d); err != nil {
				t.Error(err)
			}
		})
		both.Wait()
		if o := must[*proofing.Organization](t)(c.Dossiers.Get(t.Context(), c.org.ID)); len(o.Unreviewed()) != 1 {
			t.Fatalf("%d items are to be reviewed", len(o.Unreviewed()))
		}
		c.reviewsAgain()
	}
}

// The process dies at each call while somebody says that a request was not theirs, and they do not say it again: either nothing has begun, or all of it comes to its end.
func TestTheProcessMayDieWhileARequestWithCertificatesIsDisowned(t *testing.T) {
	t.Parallel()
	try := func(n int64, after bool) (broke bool) {
		w := newWorld(t)
		k, cert := w.certified(90 * someDay)
		k = w.reload(k)
		_, err := w.dying(n, after).Disown(t.Context(), proofing.Secret(k.ID+"."+k.Disown.Reveal()))
		begun := len(w.reload(k).Outbox.Effects) > 0
		for range 3 {
			w.work()
			w.pass(10 * time.Minute) // as long as a lease holds
		}
		got, now := must[*proofing.Certificate](t)(w.Certificates.Get(t.Context(), cert.ID)), w.reload(k)
		if clock, frozen := got.Disowned != nil, now.Frozen != nil; clock != begun || frozen != begun {
			t.Errorf("call %d, after %v: begun %v, the clock runs %v, frozen %v", n, after, begun, clock, frozen)
		}
		if err == nil && !begun {
			t.Errorf("call %d, after %v: it was answered, and nothing has begun", n, after)
		}
		return err != nil
	}
	for _, after := range []bool{false, true} {
		n := int64(1)
		for try(n, after) {
			n++
		}
		if n < 3 { // there are few calls: the rest is the worker's
			t.Errorf("it was made to die %d times alone", n-1)
		}
	}
}
