package proofing_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// paged makes so many pages of one event each in the authority's feed, a minute apart. It returns the ids of their events.
func (w *world) paged(from, n int) (ids []string) {
	w.t.Helper()
	for i := range n {
		r := request("email")
		r.Applicant.Thumbprint = fmt.Sprint("paged-", from+i)
		c, _, err := w.Open(w.t.Context(), w.ca, r)
		if err != nil {
			w.t.Fatal(err)
		}
		ids = append(ids, c.Outbox.Events[0].ID)
		w.sequenceAll()
		w.pass(time.Minute)
	}
	f, err := w.Feeds.Get(w.t.Context(), w.FeedID(w.ca.Name))
	if err != nil || f.Next != int64(from+n) {
		w.t.Fatalf("the feed is %+v, %v; want %d pages", f, err, from+n-1)
	}
	return ids
}

// lose takes a page of the feed out of the store.
func (w *world) lose(page int) {
	w.t.Helper()
	id := proofing.FixedID(w.Service.Hasher.Sum("feed page", w.ca.Name, strconv.Itoa(page)))
	if err := w.Pages.Delete(w.t.Context(), id); err != nil {
		w.t.Fatal(err)
	}
}

// checkTold checks which events were told, each once.
func checkTold(t *testing.T, got []proofing.Event, want []string) {
	t.Helper()
	times := map[string]int{}
	for _, e := range got {
		times[e.ID]++
	}
	for _, id := range want {
		if times[id] != 1 {
			t.Errorf("%s is told %d times, want once", id, times[id])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d events told, want %d", len(got), len(want))
	}
}

// all reads the whole feed, a few events at a time, with a new cursor each time.
func (w *world) all(after string) (events []proofing.Event) {
	w.t.Helper()
	for range 100 {
		page, next, err := w.Events(w.t.Context(), w.ca, after, 2, 0)
		if err != nil {
			w.t.Fatalf("after %q: %v", after, err)
		}
		if len(page) == 0 {
			return events
		}
		events, after = append(events, page...), next
	}
	w.t.Fatal("the feed has no end")
	return nil
}

// checkSaid checks that each gap is said once, with its page.
func checkSaid(t *testing.T, log *bytes.Buffer, gaps map[int]int) {
	t.Helper()
	for page, n := range gaps {
		if got := strings.Count(log.String(), fmt.Sprintf(`"ca":"alpha","page":%d,"pages":%d}`, page, n)); got != 1 {
			t.Errorf("that page %d is lost is said %d times, want once", page, got)
		}
	}
	if got := strings.Count(log.String(), "lost pages"); got != len(gaps) {
		t.Errorf("that pages are lost is said %d times, want %d:\n%s", got, len(gaps), log)
	}
}

func TestALostPageOfEventsHoldsUpNoWebhookAndNoReader(t *testing.T) {
	for _, c := range []struct {
		name string
		lost []int
		gaps map[int]int // their first pages and how long they are
	}{
		{"one in the middle", []int{3}, map[int]int{3: 1}},
		{"several", []int{2, 3, 5}, map[int]int{2: 2, 5: 1}},
		{"the last", []int{6}, map[int]int{6: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.setHook()
			ids := w.paged(1, 6)
			log := &bytes.Buffer{}
			w.Log = slog.New(slog.NewJSONHandler(log, nil))
			var want []string
			for i, id := range ids {
				if !slices.Contains(c.lost, i+1) {
					want = append(want, id)
				}
			}
			for _, page := range c.lost {
				w.lose(page)
			}
			w.hook.failWith(away)
			for range 3 { // it is said once, however often it is tried
				w.deliverAll()
				w.pass(time.Minute)
			}
			w.hook.failWith(nil)
			w.deliverAll()
			checkTold(t, w.hook.taken, want)
			if h := w.hookState(); !h.Due.IsZero() || h.At != (proofing.Place{Page: 7}) {
				t.Errorf("nothing is left, and the hook is %+v", h)
			}
			checkSaid(t, log, c.gaps)
			checkTold(t, w.all(""), want)
			after := proofing.Place{Page: int64(c.lost[0])}.Cursor()
			checkTold(t, w.all(after), want[c.lost[0]-1:])
			checkSaid(t, log, c.gaps)
			want = append(want, w.paged(7, 1)...)
			w.deliverAll()
			checkTold(t, w.hook.taken, want)
			checkTold(t, w.all(""), want)
			checkTold(t, w.all(after), want[c.lost[0]-1:])
		})
	}
}

// TestEveryPageThatIsKeptIsFoundBesideLostOnes loses pages where the halving looks, and goes back to the time of each other.
func TestEveryPageThatIsKeptIsFoundBesideLostOnes(t *testing.T) {
	w := newWorld(t)
	began := w.clock()
	w.setHook()
	ids := w.paged(1, 24)
	lost := []int{6, 12, 13, 14, 18, 22}
	for _, page := range lost {
		w.lose(page)
	}
	var want []string
	for i, id := range ids {
		if !slices.Contains(lost, i+1) {
			want = append(want, id)
		}
	}
	checkTold(t, w.all(""), want)
	w.deliverAll()
	checkTold(t, w.hook.taken, want)
	kept := 0
	for page := 1; page <= 24; page++ {
		w.hook.taken = nil
		if _, err := w.Replay(t.Context(), w.ca.Name, began.Add(time.Duration(page-1)*time.Minute)); err != nil {
			t.Fatal(err)
		}
		w.deliverAll()
		checkTold(t, w.hook.taken, want[kept:])
		if !slices.Contains(lost, page) {
			kept++
		}
		if t.Failed() {
			t.Fatalf("back to page %d", page)
		}
	}
	// What has expired is told from what is lost.
	w.pass(proofing.FeedRetention - 15*time.Minute)
	_, _, err := w.Events(t.Context(), w.ca, proofing.Place{Page: 2}.Cursor(), 10, 0)
	wantErr(t, "a cursor into what has expired", err, proofing.ErrEventsExpired)
	checkTold(t, w.all(proofing.Place{Page: 22}.Cursor()), ids[22:])
	if got := w.all(""); len(got) == 0 || len(got) >= len(want) || got[len(got)-1].ID != ids[23] {
		t.Errorf("%d events are kept", len(got))
	}
}
