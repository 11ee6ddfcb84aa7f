package proofing_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// agedOn is what was told of the dossier's age at the ends of some days from a start: the day, the word that the notice has, and the day that it names.
func (c *court) agedOn(start time.Time, days ...int) (told []string) {
	c.t.Helper()
	c.work()
	seen := len(c.post.all("dossier_ages"))
	for _, day := range days {
		c.pass(start.Add(time.Duration(day)*someDay + time.Hour).Sub(c.clock())) // an hour: not everything is collected at once
		c.work()
		all := c.post.all("dossier_ages")
		for _, m := range all[seen:] {
			told = append(told, fmt.Sprintf("%d %q until %d", day, m.Context.Reason, (m.Context.Ends.Sub(start)+someDay/2)/someDay))
		}
		seen = len(all)
	}
	return told
}

// serves has the authority ask for certificates of some kinds alone.
func (c *court) serves(ev, other bool) {
	c.t.Helper()
	c.Policy.Profiles["signing"].EV, c.Policy.Profiles["signing2"].EV = ev, !other
	if err := edit(c.Authorities, c.ca.ID, func(a *proofing.Authority) { a.Profiles = []string{"signing", "signing2"} }); err != nil {
		c.t.Fatal(err)
	}
}

func TestWhoCollectsIsRemindedOfTheLimitOfEachKindOfCertificateThatTheAuthorityAsksFor(t *testing.T) {
	tests := map[string]struct {
		ev, other bool
		want      []string
	}{
		// The searches age for all alike, and so do the evidence of the keys, after 13 months, and the agreement, after its own two years.
		"for EV alone":     {true, false, []string{`23 "" until 30`, `365 "" until 395`, `368 "" until 398`, `701 "" until 731`}},
		"for others alone": {false, true, []string{`23 "" until 30`, `365 "" until 395`, `701 "" until 731`, `795 "" until 825`}},
		"for both":         {true, true, []string{`23 "" until 30`, `365 "" until 395`, `368 "ev" until 398`, `701 "" until 731`, `795 "other" until 825`}},
	}
	for name, x := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCourt(t)
			c.serves(x.ev, x.other)
			if got := c.agedOn(c.clock(), 22, 23, 24, 365, 366, 367, 368, 369, 390, 398, 700, 701, 702, 794, 795, 796, 850); !slices.Equal(got, x.want) {
				t.Errorf("told on\n%q, want\n%q", got, x.want)
			}
		})
	}
}

func TestAProfileThatComesBeforeALimitIsReachedIsStillRemindedOf(t *testing.T) {
	c := newCourt(t)
	c.serves(false, true)
	start := c.clock()
	c.agedOn(start, 24, 367, 368, 380)
	c.serves(true, true)
	if got := c.agedOn(start, 380, 381, 382); len(got) != 1 {
		t.Errorf("told on %q", got)
	}
	// One that comes afterwards finds what has aged, and nobody is reminded of what is over.
	c = newCourt(t)
	c.serves(false, true)
	start = c.clock()
	c.agedOn(start, 24, 367, 368, 397, 399)
	c.serves(true, true)
	if got := c.agedOn(start, 400, 401, 430); len(got) != 0 {
		t.Errorf("told afterwards on %q", got)
	}
	if due := dueIn(must[*proofing.Organization](t)(c.Dossiers.Get(t.Context(), c.org.ID)), c.clock()); due <= 0 {
		t.Errorf("it is looked at again in %v", due)
	}
}
