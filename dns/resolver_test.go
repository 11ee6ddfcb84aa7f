package dns

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
)

// zone has each shape that a tree of names can have.
var zone = []string{
	`org. 300 IN NS ns.org.`,
	`example.org. 300 IN CAA 0 issue "ca.example"`,
	`example.org. 300 IN CAA 0 iodef "mailto:desk-1@example.org"`,
	`www.example.org. 300 IN A 192.0.2.1`,
	`own.example.org. 300 IN CAA 128 tbs "unknown"`,
	`bare.org. 300 IN A 192.0.2.1`,
	// Aliases: to what has records, to what has none under a parent that has some, of a parent, to nothing, and without end.
	`to-records.bare.org. 300 IN CNAME example.org.`,
	`to-none.bare.org. 300 IN CNAME www.example.org.`,
	`far.bare.org. 300 IN CNAME nearer.bare.org.`,
	`nearer.bare.org. 300 IN CNAME example.org.`,
	`aliased.org. 300 IN CNAME example.org.`,
	`to-nothing.bare.org. 300 IN CNAME absent.example.org.`,
	`round.bare.org. 300 IN CNAME about.bare.org.`,
	`about.bare.org. 300 IN CNAME round.bare.org.`,
	`Mixed.Example.net. 300 IN CAA 0 Issue "CA.Example"`,
}

func TestTheTreeIsClimbedAsRFC8659Says(t *testing.T) {
	s := newServer(t, zone...)
	found := `example.org: 0 issue "ca.example", 0 iodef "mailto:desk-1@example.org"`
	for name, want := range map[string]string{
		"example.org":                    found,
		"www.example.org":                found, // there, without records
		"a.b.c.example.org":              found, // not there
		"own.example.org":                `own.example.org: 128 tbs "unknown"`,
		"a.own.example.org":              `own.example.org: 128 tbs "unknown"`,
		"bare.org":                       ":",
		"to-records.bare.org":            strings.Replace(found, "example.org:", "to-records.bare.org:", 1),
		"far.bare.org":                   strings.Replace(found, "example.org:", "far.bare.org:", 1),
		"to-none.bare.org":               ":", // the tree of what it stands for is not climbed
		"to-nothing.bare.org":            ":",
		"www.aliased.org":                strings.Replace(found, "example.org:", "aliased.org:", 1), // an alias above
		"round.bare.org":                 "round.bare.org: its aliases do not come to an end",
		"mixed.example.net":              `mixed.example.net: 0 Issue "CA.Example"`,
		strings.Repeat("a.", 40) + "b":   strings.Repeat("a.", 40) + "b: the name has too many labels",
		"a..org":                         "a..org: that is no name of the domain name system",
		strings.Repeat("a", 64) + ".org": strings.Repeat("a", 64) + ".org: that is no name of the domain name system",
	} {
		if got := lookup(s.resolver(newClock()), name); got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
}

func TestTheTopIsAskedAndTheRootIsNot(t *testing.T) {
	s := newServer(t, zone...)
	lookup(s.resolver(newClock()), "a.bare.org")
	if got := s.questions(); got != "udp a.bare.org udp bare.org udp org" {
		t.Errorf("asked %s", got)
	}
	top := newServer(t, `org. 300 IN CAA 0 issue ";"`)
	if got := lookup(top.resolver(newClock()), "a.bare.org"); got != `org: 0 issue ";"` {
		t.Error(got)
	}
}

// TestAFailureIsNotTakenForNothing: who fails at one label is not climbed past.
func TestAFailureIsNotTakenForNothing(t *testing.T) {
	s := newServer(t, zone...)
	s.when("broken.example.org.", rcodeOf(mdns.RcodeServerFailure))
	s.when("refused.example.org.", rcodeOf(mdns.RcodeRefused))
	s.when("odd.example.org.", rcodeOf(mdns.RcodeYXDomain))
	s.when("extended.example.org.", func(w mdns.ResponseWriter, _, a *mdns.Msg) {
		a.SetEdns0(datagram, false) // without what it adds to the code, this is a success
		a.Rcode = mdns.RcodeBadVers
		_ = w.WriteMsg(a)
	})
	s.when("lame.example.org.", func(w mdns.ResponseWriter, _, a *mdns.Msg) {
		a.RecursionAvailable = false
		_ = w.WriteMsg(a)
	})
	s.when("garbled.example.org.", func(w mdns.ResponseWriter, _, a *mdns.Msg) {
		a.Rcode = mdns.RcodeSuccess
		a.Answer = []mdns.RR{&mdns.RFC3597{Hdr: mdns.RR_Header{Name: "garbled.example.org.", Rrtype: mdns.TypeCAA, Class: mdns.ClassINET, Ttl: 60}, Rdata: "00ff6973"}}
		_ = w.WriteMsg(a)
	})
	s.when("untagged.example.org.", func(w mdns.ResponseWriter, _, a *mdns.Msg) {
		a.Rcode = mdns.RcodeSuccess
		a.Answer = []mdns.RR{&mdns.RFC3597{Hdr: mdns.RR_Header{Name: "untagged.example.org.", Rrtype: mdns.TypeCAA, Class: mdns.ClassINET, Ttl: 60}, Rdata: "8000"}}
		_ = w.WriteMsg(a)
	})
	for name, want := range map[string]string{
		"a.broken.example.org": "broken.example.org: the resolver answers SERVFAIL",
		"refused.example.org":  "refused.example.org: the resolver answers REFUSED",
		"odd.example.org":      "odd.example.org: the resolver answers with the code 6",
		"extended.example.org": "extended.example.org: the resolver answers with the code 16",
		"lame.example.org":     "lame.example.org: the resolver answers for its own zones alone",
		"garbled.example.org":  "garbled.example.org: the answer cannot be read",
		"untagged.example.org": "untagged.example.org: the answer cannot be read",
	} {
		r := s.resolver(newClock())
		if got := lookup(r, name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
		if r.cache.used.Len() > 1 { // the label below may have had an answer
			t.Errorf("%s: a failure is remembered", name)
		}
	}
	if n := strings.Count(s.questions(), "udp broken.example.org"); n != tries {
		t.Errorf("what failed was asked %d times, want %d", n, tries)
	}
}

func TestWhatFailsOnceIsAskedAgain(t *testing.T) {
	s := newServer(t, zone...)
	var once sync.Once
	s.when("example.org.", func(w mdns.ResponseWriter, q, a *mdns.Msg) {
		failed := false
		once.Do(func() { failed = true })
		if failed {
			rcodeOf(mdns.RcodeServerFailure)(w, q, a)
			return
		}
		send(w, q, a)
	})
	if got := lookup(s.resolver(newClock()), "example.org"); !strings.HasPrefix(got, "example.org: 0 issue") {
		t.Error(got)
	}
}

func TestTheNextResolverIsAskedWhenOneFails(t *testing.T) {
	bad, good := newServer(t, zone...), newServer(t, zone...)
	bad.when("example.org.", rcodeOf(mdns.RcodeServerFailure))
	r := New(Options{Servers: []netip.AddrPort{bad.addr, good.addr}})
	if got := lookup(r, "example.org"); !strings.HasPrefix(got, "example.org: 0 issue") {
		t.Error(got)
	}
}

func TestWhoDoesNotAnswerIsWaitedForNoLongerThanAllowed(t *testing.T) {
	s := newServer(t, zone...)
	s.when("silent.example.org.", silent)
	r := New(Options{Servers: []netip.AddrPort{s.addr}, Timeout: 300 * time.Millisecond})
	began := time.Now()
	if got := lookup(r, "silent.example.org"); got != "silent.example.org: nothing came in time" {
		t.Error(got)
	}
	if took := time.Since(began); took < 250*time.Millisecond || took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	nobody := netip.MustParseAddrPort("127.0.0.1:1") // nothing listens there
	if got := lookup(New(Options{Servers: []netip.AddrPort{nobody}}), "example.org"); got != "example.org: the resolver could not be reached" {
		t.Error(got)
	}
}

// large is a set of n records of about 100 bytes.
func large(s *server, name string, n int) {
	for i := range n {
		s.add(fmt.Sprintf(`%s. 300 IN CAA 0 issue "ca-%d.example; note=%s"`, name, i, strings.Repeat("x", 60)))
	}
}

func TestWhatDoesNotFitComesByTCP(t *testing.T) {
	s := newServer(t, zone...)
	large(s, "large.org", 50)
	set, err := s.resolver(newClock()).CAA(t.Context(), "large.org")
	if err != nil || len(set.Records) != 50 {
		t.Fatalf("%d records, %v", len(set.Records), err)
	}
	if got := s.questions(); got != "udp large.org tcp large.org" {
		t.Errorf("asked %s", got)
	}
	// A datagram that is larger than we take, though it does not say that it was cut.
	s.when("liar.org.", func(w mdns.ResponseWriter, q, a *mdns.Msg) {
		a.Rcode = mdns.RcodeSuccess
		for i := range 40 {
			rr, _ := mdns.NewRR(fmt.Sprintf(`liar.org. 300 IN CAA 0 issue "ca-%d.example; note=%s"`, i, strings.Repeat("x", 60)))
			a.Answer = append(a.Answer, rr)
		}
		_ = w.WriteMsg(a)
	})
	if set, err := s.resolver(newClock()).CAA(t.Context(), "liar.org"); err != nil || len(set.Records) != 40 {
		t.Errorf("%d records, %v", len(set.Records), err)
	}
}

func TestAnAnswerThatIsTooLargeIsNone(t *testing.T) {
	s := newServer(t, zone...)
	large(s, "larger.org", 200)
	for i := range 300 {
		s.add(fmt.Sprintf(`many.org. 300 IN CAA 0 a "%d"`, i))
	}
	for name, want := range map[string]string{
		"larger.org": "larger.org: the answer is too large",
		"many.org":   "many.org: the answer has too many records",
	} {
		if got := lookup(s.resolver(newClock()), name); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestAGuessOfSomebodyElseIsNoAnswer(t *testing.T) {
	s := newServer(t, zone...)
	s.when("www.example.org.", func(w mdns.ResponseWriter, q, a *mdns.Msg) {
		for _, spoil := range []func(m *mdns.Msg){
			func(m *mdns.Msg) { m.Id++ },
			func(m *mdns.Msg) { m.Question[0].Name = "other.example.org." },
			func(m *mdns.Msg) { m.Question[0].Qtype = mdns.TypeA },
			func(m *mdns.Msg) { m.Question = nil },
			func(m *mdns.Msg) { m.Response = false },
		} {
			guess := a.Copy()
			guess.Rcode = mdns.RcodeServerFailure
			spoil(guess)
			_ = w.WriteMsg(guess)
		}
		_, _ = w.Write([]byte("no message"))
		a.Question[0].Name = "WWW.example.ORG." // as some resolvers do
		_ = w.WriteMsg(a)
	})
	if got := lookup(s.resolver(newClock()), "www.example.org"); !strings.HasPrefix(got, "example.org: 0 issue") {
		t.Error(got)
	}
	// What belongs to another name is not taken for this one's.
	s.when("poor.org.", func(w mdns.ResponseWriter, q, a *mdns.Msg) {
		rr, _ := mdns.NewRR(`rich.org. 300 IN CAA 0 issue "ca.example"`)
		a.Rcode, a.Answer = mdns.RcodeSuccess, []mdns.RR{rr}
		_ = w.WriteMsg(a)
	})
	if got := lookup(s.resolver(newClock()), "poor.org"); got != ":" {
		t.Error(got)
	}
}

// TestAnAliasThatTheResolverLeavesIsFollowed is for resolvers that answer with the alias alone.
func TestAnAliasThatTheResolverLeavesIsFollowed(t *testing.T) {
	s := newServer(t, zone...)
	short := func(w mdns.ResponseWriter, _, a *mdns.Msg) {
		a.Answer, a.Ns = a.Answer[:1], nil
		_ = w.WriteMsg(a)
	}
	s.when("to-records.bare.org.", short)
	s.when("round.bare.org.", short)
	s.when("about.bare.org.", short)
	if got := lookup(s.resolver(newClock()), "to-records.bare.org"); !strings.HasPrefix(got, `to-records.bare.org: 0 issue "ca.example"`) {
		t.Error(got)
	}
	if got := lookup(s.resolver(newClock()), "round.bare.org"); got != "round.bare.org: its aliases do not come to an end" {
		t.Error(got)
	}
}

func TestAnswersAreRememberedForAsLongAsTheyHold(t *testing.T) {
	s := newServer(t, zone...)
	s.add(`forever.org. 4000000 IN CAA 0 issue "ca.example"`)
	s.add(`never.org. 0 IN CAA 0 issue "ca.example"`)
	s.add(`short.bare.org. 20 IN CNAME example.org.`)
	for name, holds := range map[string]time.Duration{
		"example.org":    300 * time.Second,
		"short.bare.org": 20 * time.Second,
		"forever.org":    time.Hour,
		"never.org":      0,
		"nothing.org":    60 * time.Second, // the least that the SOA says
	} {
		c := newClock()
		r := s.resolver(c)
		count := func() int { return strings.Count(s.questions(), "udp "+name) }
		before := count()
		lookup(r, name)
		if holds > 0 {
			c.pass(holds - time.Second)
			lookup(r, name)
			if n := count() - before; n != 1 {
				t.Errorf("%s: asked %d times while it holds", name, n)
			}
			c.pass(time.Second)
		}
		lookup(r, name)
		if n := count() - before; n != 2 {
			t.Errorf("%s: asked %d times after it has held, want 2", name, n)
		}
	}
}

// TestNothingIsRememberedOfANothingWithoutASOA is RFC 2308 5.
func TestNothingIsRememberedOfANothingWithoutASOA(t *testing.T) {
	s := newServer(t, zone...)
	s.when("www.example.org.", func(w mdns.ResponseWriter, _, a *mdns.Msg) {
		a.Ns = nil
		_ = w.WriteMsg(a)
	})
	r := s.resolver(newClock())
	lookup(r, "www.example.org")
	lookup(r, "www.example.org")
	if got := s.questions(); got != "udp www.example.org udp example.org udp www.example.org" {
		t.Errorf("asked %s", got)
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	var c cache
	now := time.Unix(0, 0)
	a := answer{holds: time.Hour}
	for i := range 3 * mostRemembered / entryCost {
		c.put(fmt.Sprintf("%d.example.org", i), a, now)
		if _, ok := c.get("0.example.org", now); !ok {
			t.Fatal("what is asked for all the time was forgotten")
		}
	}
	if c.bytes > mostRemembered || c.used.Len() != len(c.entries) || c.used.Len() < 1000 {
		t.Errorf("%d bytes, %d and %d entries", c.bytes, c.used.Len(), len(c.entries))
	}
	if _, ok := c.get("1.example.org", now); ok {
		t.Error("what nobody asked for is still there")
	}
	for c.used.Len() > 0 {
		c.forget(c.used.Back())
	}
	if c.bytes != 0 {
		t.Errorf("%d bytes are left of nothing", c.bytes)
	}
}

func TestManyWhoWaitForOneNameAskOnce(t *testing.T) {
	s := newServer(t, zone...)
	large(s, "large.org", 50) // takes a connection after the first has left
	release := make(chan struct{})
	s.when("large.org.", func(w mdns.ResponseWriter, q, a *mdns.Msg) {
		<-release
		send(w, q, a)
	})
	r := s.resolver(newClock())
	gone, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() { // the first who asks gives up
		_, err := r.CAA(gone, "large.org")
		left <- err
	}()
	for s.questions() == "" {
		time.Sleep(time.Millisecond)
	}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if got := lookup(r, "large.org"); !strings.HasPrefix(got, "large.org: 0 issue") {
				t.Error(got)
			}
		})
	}
	leave()
	if err := <-left; err == nil {
		t.Error("who gave up was kept")
	}
	close(release)
	all.Wait()
	if got := s.questions(); got != "udp large.org tcp large.org" {
		t.Errorf("asked %s", got)
	}
	if r.mu.Lock(); len(r.flights) != 0 {
		t.Error("a flight is left")
	}
	r.mu.Unlock()
}

func TestQuestionsUnderWayAreBounded(t *testing.T) {
	s := newServer(t)
	r := New(Options{Servers: []netip.AddrPort{s.addr}, Timeout: 200 * time.Millisecond})
	for range atOnce {
		r.room <- struct{}{}
	}
	if _, err := r.CAA(t.Context(), "example.org"); err == nil {
		t.Error("one more was asked")
	}
	if got := s.questions(); got != "" {
		t.Errorf("asked %s", got)
	}
}
