package store

import (
	"testing"
	"time"
)

// TestMostSentinelsTakeBackWhatOneSaid has three sentinels answer again and again.
func TestMostSentinelsTakeBackWhatOneSaid(t *testing.T) {
	up := func(epoch uint64, addr string) report { return report{masterAt{epoch, addr}, true} }
	down := func(epoch uint64, addr string) report { return report{masterAt{epoch, addr}, false} }
	type at struct {
		after   time.Duration
		reports []report // fewer than three: the others are silent
	}
	most := []report{up(0, "b"), up(0, "b")}
	for _, x := range []struct {
		what   string
		rounds []at
		want   masterAt
	}{
		{"they say the same", []at{{0, []report{up(5, "a"), up(5, "a"), up(5, "a")}}}, masterAt{5, "a"}},
		{"one knows of a failover", []at{{0, []report{up(5, "a"), up(5, "a"), up(6, "b")}}}, masterAt{6, "b"}},
		{"the master has another address, and no failover was", []at{{0, []report{up(5, "a"), up(5, "b"), up(5, "b")}}}, masterAt{5, "b"}},
		{"one alone has another address", []at{{0, []report{up(5, "b")}}}, masterAt{5, "a"}},
		{"most lag", []at{{0, most}}, masterAt{5, "a"}},
		{"most lag, but not for long", []at{{0, most}, {doubtFor - time.Second, most}}, masterAt{5, "a"}},
		{"most have forgotten", []at{{0, most}, {time.Second, most}, {doubtFor + time.Second, most}}, masterAt{0, "b"}},
		{"most have forgotten, but one has not", []at{{0, most}, {5 * time.Second, append(most, up(5, "a"))}, {doubtFor + time.Second, most}}, masterAt{5, "a"}},
		{"one alone has forgotten", []at{{0, most[:1]}, {doubtFor + time.Second, most[:1]}}, masterAt{5, "a"}},
		{"they have forgotten, and disagree", []at{{0, []report{up(0, "b"), up(1, "c")}}, {doubtFor + time.Second, []report{up(0, "b"), up(1, "c")}}}, masterAt{5, "a"}},
		{"they have forgotten, and cannot reach it", []at{{0, []report{down(0, "b"), down(0, "b")}}, {doubtFor + time.Second, []report{down(0, "b"), down(0, "b")}}}, masterAt{5, "a"}},
		{"a round came to its end late", []at{{time.Second, []report{up(5, "b"), up(5, "b")}}, {0, []report{up(5, "a"), up(5, "a")}}}, masterAt{5, "b"}},
	} {
		m := &masters{sentinels: []*sentinel{{}, {}, {}}}
		m.begin(masterAt{5, "a"})
		first := m.term
		began := time.Now()
		for _, at := range x.rounds {
			r := &round{began: began.Add(at.after), left: len(at.reports), enough: make(chan struct{})}
			for _, a := range at.reports {
				m.hear(r, &sentinel{}, a, nil)
			}
		}
		if m.term.masterAt != x.want {
			t.Errorf("%s: %v, want %v", x.what, m.term.masterAt, x.want)
		}
		select {
		case <-first.over:
			if m.term == first {
				t.Errorf("%s: the term is over", x.what)
			}
		default:
			if m.term != first {
				t.Errorf("%s: the term is not over", x.what)
			}
		}
	}
}
