package proofing_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// moves are those of the picture in doc.go.
var moves = map[proofing.Status][]proofing.Status{
	proofing.CaseOpen:    {proofing.CaseReview, proofing.CaseGranted, proofing.CaseRefused, proofing.CaseExpired, proofing.CaseWithdrawn},
	proofing.CaseReview:  {proofing.CaseGranted, proofing.CaseRefused, proofing.CaseExpired, proofing.CaseWithdrawn},
	proofing.CaseGranted: {proofing.CaseRevoked, proofing.CaseExpired, proofing.CaseWithdrawn},
}

// reachable says whether some moves lead from one status to the other.
func reachable(from, to proofing.Status) bool {
	return from == to || slices.ContainsFunc(moves[from], func(next proofing.Status) bool { return reachable(next, to) })
}

// machine lets a CA, a person, an attacker and the clock do what they like.
type machine struct {
	*world
	rng    *rand.Rand
	known  map[string]*proofing.Case // as it was after the last step
	opened []string                  // ids in the order of opening
	passed map[string]int            // right answers by attempt
	wrong  map[string]int            // judged wrong answers by code
	used   []used
	keys   []string
	trace  []string
}

// used is a code that has worked.
type used struct {
	c       *proofing.Case
	attempt string
	code    proofing.Secret
}

func TestAnySequenceOfVerbsKeepsTheRules(t *testing.T) {
	t.Parallel()
	sequences, steps := uint64(40), 120
	if testing.Short() {
		sequences = 8
	}
	reached := map[proofing.Status]int{}
	for seed := range sequences {
		m := &machine{world: newWorld(t), rng: rand.New(rand.NewPCG(seed, 7)), known: map[string]*proofing.Case{}, passed: map[string]int{}, wrong: map[string]int{}, keys: []string{"key-a", "key-b"}}
		for _, id := range []string{"a.example.org", "b.example.org"} {
			if _, err := m.Register(t.Context(), "alpha", proofing.Identifier{Type: "dns", Value: id}, "", proofing.Holder{Channel: "email", Address: "person@example.org"}); err != nil {
				t.Fatal(err)
			}
		}
		for range steps {
			m.check(m.step())
			if t.Failed() {
				t.Fatalf("seed %d: %s", seed, strings.Join(m.trace, ", "))
			}
		}
		for _, c := range m.known {
			reached[c.Status]++
			if c.Grant != nil {
				reached["after a grant"]++
			}
			if aal(c) > 0 {
				reached["with an AAL"]++
			}
		}
	}
	t.Log(reached)
	for _, s := range []proofing.Status{proofing.CaseReview, proofing.CaseGranted, proofing.CaseRefused, proofing.CaseExpired, proofing.CaseWithdrawn, proofing.CaseRevoked, "after a grant", "with an AAL"} {
		if reached[s] == 0 && !testing.Short() {
			t.Errorf("no sequence reached %s: the steps are not what they were", s)
		}
	}
}

func pick[T any](m *machine, list ...T) T { return list[m.rng.IntN(len(list))] }

// browser is mostly the person's, and sometimes that of somebody who has the link.
func (m *machine) browser() string {
	if m.rng.IntN(20) == 0 {
		return "eve"
	}
	return "person"
}

// step does one thing and says which case somebody restored in it.
func (m *machine) step() (restored string) {
	ctx := m.t.Context()
	c := m.any()
	say := func(format string, args ...any) { m.trace = append(m.trace, fmt.Sprintf(format, args...)) }
	n := m.rng.IntN(100)
	switch {
	case c == nil || n < 6:
		r := request(pick(m, "client", "client", "email", "sign", "sign", "device", "reviewed", "ev"))
		r.Applicant.Thumbprint = pick(m, m.keys...)
		r.Identifier.Value = pick(m, "person@example.org", "person@example.org", "person@example.org", "other@example.org")
		if r.Profile == "device" || r.Profile == "reviewed" {
			r.Identifier = proofing.Identifier{Type: "dns", Value: pick(m, "a.example.org", "a.example.org", "b.example.org", "c.example.org")}
		}
		if c, _, err := m.Open(ctx, m.ca, r); err == nil {
			say("open %s %s", r.Profile, c.ID)
			if m.known[c.ID] == nil {
				m.known[c.ID], m.opened = c, append(m.opened, c.ID)
			}
		}
	case n < 14:
		say("start %s", c.ID)
		_, _ = m.StartChallenge(ctx, m.ca, c.ID)
	case n < 34:
		method, address := pick(m, "email", "sms"), pick(m, "person@example.org", "person@example.org", "person@example.org", "other@example.org")
		if method == "sms" {
			address = pick(m, number(1), number(1), number(1), number(2))
		}
		_, _, err := m.Begin(ctx, visit(c, m.browser()), method, address)
		say("begin %s %s: %v", method, c.ID, err)
	case n < 38 && len(c.Attempts) > 0:
		_, _, err := m.Resend(ctx, visit(c, "person"), pick(m, c.Attempts...).ID)
		say("resend %s: %v", c.ID, err)
	case n < 62 && len(c.Attempts) > 0:
		m.answer(c, pick(m, c.Attempts...), say)
	case n < 66 && len(m.used) > 0:
		u := pick(m, m.used...)
		if _, _, err := m.Answer(ctx, visit(u.c, "person"), u.attempt, u.code); err == nil {
			m.t.Errorf("a code of %s worked again", u.c.ID)
		}
		say("replay %s", u.c.ID)
	case n < 68:
		_, err := m.Disown(ctx, proofing.Secret(c.ID+"."+c.Disown.Reveal()))
		say("disown %s: %v", c.ID, err)
	case n < 71:
		_, err := m.Restore(ctx, c.ID)
		say("restore %s: %v", c.ID, err)
		restored = c.ID
	case n < 72:
		_, err := m.Deactivate(ctx, m.ca, c.ID)
		say("deactivate %s: %v", c.ID, err)
	case n < 73:
		_, err := m.Revoke(ctx, c.ID, "operator")
		say("revoke %s: %v", c.ID, err)
	case n < 76:
		if c, err := m.Statement(ctx, m.ca, c.ID); err == nil && c.Grant != nil && c.Grant.Statement != "" && (c.Frozen != nil || c.Status != proofing.CaseGranted) {
			m.t.Errorf("a statement of %s, which is %s", c.ID, c.Status)
		}
		say("statement %s", c.ID)
	case n < 80:
		for _, a := range m.ask(c).Authorizations {
			if a.Problem == "" && (a.Case.Status != proofing.CaseGranted || a.Case.Frozen != nil) {
				m.t.Errorf("%s is authorized and is %s", a.Case.ID, a.Case.Status)
			}
		}
		say("authorize %s", c.ID)
	case n < 81:
		next := fmt.Sprint("key-", len(m.trace))
		err := m.AccountKeyChanged(ctx, m.ca, "", m.keys[0], next)
		say("rollover: %v", err)
		if err == nil {
			m.keys[0] = next
		}
	case n < 82 && len(m.trace) > 60:
		say("account ends: %v", m.AccountDeactivated(ctx, m.ca, m.keys[1]))
	case n < 92:
		_, err := m.WorkOnce(ctx)
		say("work: %v", err)
	default:
		d := pick(m, time.Second, time.Minute, time.Minute, time.Minute, 5*time.Minute, 5*time.Minute, 11*time.Minute, time.Hour, 25*time.Hour, 8*24*time.Hour)
		m.pass(d)
		say("%v later", d)
	}
	return restored
}

// any is some case as it is stored, or nil if there is none yet.
func (m *machine) any() *proofing.Case {
	over := m.rng.IntN(10) == 0 // to what is over little happens
	ids := slices.DeleteFunc(slices.Clone(m.opened), func(id string) bool { return m.known[id] == nil || m.known[id].Status.Over() && !over })
	if len(ids) == 0 {
		return nil
	}
	c, err := m.Cases.Get(m.t.Context(), pick(m, ids[max(0, len(ids)-3):]...))
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

// answer gives an attempt its right code, a wrong one, or the click on its link.
func (m *machine) answer(c *proofing.Case, a proofing.Attempt, say func(string, ...any)) {
	code, link := proofing.Secret("00000000"), false
	right := a.Message != nil && m.rng.IntN(4) > 0
	if right {
		code, link = a.Message.Code, a.Message.Link != "" && m.rng.IntN(4) == 0
	}
	browser := m.browser()
	var err error
	if link {
		ref := proofing.Secret(strings.TrimPrefix(a.Message.Link.Reveal(), m.Policy.Origin+proofing.MessagePath))
		_, _, err = m.AnswerByLink(m.t.Context(), proofing.Visit{Browser: proofing.Secret(browser)}, ref, "")
	} else {
		_, _, err = m.Answer(m.t.Context(), visit(c, browser), a.ID, code)
	}
	say("answer %s right %v link %v: %v", c.ID, right, link, err)
	switch {
	case err == nil:
		m.passed[a.ID]++
		m.used = append(m.used, used{c, a.ID, code})
		if !right || m.passed[a.ID] > 1 {
			m.t.Errorf("attempt %s of %s was passed with a right answer: %v, for the %d. time", a.ID, c.ID, right, m.passed[a.ID])
		}
	case errors.Is(err, proofing.ErrWrongAnswer), errors.Is(err, proofing.ErrNoTries) && a.State != nil:
		key := fmt.Sprint(a.ID, a.Codes)
		if m.wrong[key]++; m.wrong[key] > 5 {
			m.t.Errorf("code %d of attempt %s was judged %d times", a.Codes, a.ID, m.wrong[key])
		}
	}
}

// check holds what must be so after every step.
func (m *machine) check(restored string) {
	m.t.Helper()
	natural := map[string]string{}
	for id, before := range m.known {
		c, err := m.Cases.Get(m.t.Context(), id)
		if errors.Is(err, proofing.ErrNotFound) && m.clock().After(before.Created.Add(90*24*time.Hour)) {
			delete(m.known, id) // its retention is over
			continue
		}
		if err != nil {
			m.t.Fatal(id, err)
		}
		m.checkMove(before, c, restored)
		m.checkShape(c)
		if c.Natural != "" && !c.Status.Over() {
			if other := natural[c.Natural]; other != "" {
				m.t.Errorf("%s and %s stand for one request", other, id)
			}
			natural[c.Natural] = id
		}
		m.known[id] = c
	}
	seen := map[string]bool{}
	for _, msg := range slices.Concat(m.post.all("email_code"), m.post.all("sms_code")) {
		if seen[msg.ID] {
			m.t.Errorf("code message %s was sent twice", msg.ID)
		}
		seen[msg.ID] = true
	}
}

func (m *machine) checkMove(before, c *proofing.Case, restored string) {
	m.t.Helper()
	if !reachable(before.Status, c.Status) {
		m.t.Errorf("%s went from %s to %s", c.ID, before.Status, c.Status)
	}
	if before.Frozen != nil && restored != c.ID && c.Status != before.Status && !c.Status.Over() {
		m.t.Errorf("%s is frozen and went from %s to %s", c.ID, before.Status, c.Status)
	}
	if len(c.Evidence) < len(before.Evidence) {
		m.t.Errorf("%s has lost evidence", c.ID)
	}
}

func (m *machine) checkShape(c *proofing.Case) {
	m.t.Helper()
	if c.Status == proofing.CaseGranted && c.Grant == nil {
		m.t.Errorf("%s is granted without a grant", c.ID)
	}
	counts := map[string]int{}
	for _, a := range c.Attempts {
		if a.Status != proofing.AttemptOpen && (a.State != nil || a.Message != nil) {
			m.t.Errorf("attempt %s of %s is %s and keeps a code", a.ID, c.ID, a.Status)
		}
		if c.Status.Over() && a.Status == proofing.AttemptOpen {
			m.t.Errorf("%s is over and attempt %s open", c.ID, a.ID)
		}
		if a.Tries < 0 || a.Tries > 5 || a.Codes > m.Policy.Limits.CodesPerAttempt {
			m.t.Errorf("attempt %s has %d tries and %d codes", a.ID, a.Tries, a.Codes)
		}
		counts[fmt.Sprint(a.Method, a.Status == proofing.AttemptPassed)]++
	}
	for what, n := range counts {
		if n > m.Policy.Limits.AttemptsPerCase {
			m.t.Errorf("%s has %d attempts of %s", c.ID, n, what)
		}
	}
	if c.Status.Over() && c.Frozen != nil {
		m.t.Errorf("%s is over and frozen", c.ID)
	}
	for _, o := range c.Outbox.Messages {
		if o.Code() && o.State == proofing.MessagePending && (c.Status.Over() || c.Frozen != nil) {
			m.t.Errorf("%s is %s, frozen %v, and a code waits to be sent", c.ID, c.Status, c.Frozen != nil)
		}
	}
	events := map[string]bool{}
	authenticated := false
	for _, e := range c.Evidence {
		if events[e.ID] {
			m.t.Errorf("%s has event %s twice", c.ID, e.ID)
		}
		events[e.ID] = true
		authenticated = authenticated || e.Kind == proofing.SMSCode && !e.BoundAt.IsZero() && e.BoundAt.Before(e.At)
	}
	if aal(c) > 0 && !authenticated {
		m.t.Errorf("%s has AAL %d and nothing that was bound before it was used", c.ID, aal(c))
	}
	if len(c.Evidence) > 0 && (c.Browser == "" || c.Person == "") {
		m.t.Errorf("%s has evidence of nobody", c.ID)
	}
}
