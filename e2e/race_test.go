package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/store/redistest"
)

// both are the two processes of one service, each by itself.
func both(p *program) [2]*program {
	var each [2]*program
	for n := range each {
		one := *p
		one.people, one.api = "http://localhost:"+port(p.t, p.peopleLine.servers[n]), "http://"+p.apiLine.servers[n]
		each[n] = &one
	}
	return each
}

// at is the same browser at another process.
func (h *person) at(p *program) *person {
	_, path, _ := strings.Cut(strings.TrimPrefix(h.page, "http://"), "/")
	return &person{p: p, http: h.http, page: p.people + "/" + path}
}

// tally counts what came of many calls at once.
type tally struct {
	sync.Mutex
	of map[string]int
}

func (l *tally) add(what string) {
	l.Lock()
	defer l.Unlock()
	if l.of == nil {
		l.of = map[string]int{}
	}
	l.of[what]++
}

// TestTwoProcessesOnOneRedis has both do the same at once: counts are exact, and one
// wins each race.
func TestTwoProcessesOnOneRedis(t *testing.T) {
	t.Parallel()
	p := newService(t, layout{processes: 2, store: onRedis([]*redistest.Server{redistest.Start(t, redistest.Durable()...)}, "")})
	each := both(p)

	t.Run("fifty wrong answers get the allowed tries", func(t *testing.T) {
		const email = "guessed@example.org"
		h := p.in(t).person(p.in(t).preauthorize("address", "guessed", email)["case_url"].(string))
		attempt, err := h.begin("email", email)
		if err != nil {
			t.Fatal(err)
		}
		right := p.codeAfter("email", email, 0)
		var pages tally
		var all sync.WaitGroup
		for n := range 50 {
			all.Go(func() {
				status, page, err := h.at(each[n%2]).answer(attempt, fmt.Sprintf("0000-%04d", n))
				switch {
				case err != nil:
					t.Error(err)
				case strings.Contains(page, "That is not the code."):
					pages.add("a try is left")
				case strings.Contains(page, "it was the last try"):
					pages.add("none is left")
				default:
					t.Errorf("%d: %s", status, visible(page))
				}
			})
		}
		all.Wait()
		if pages.of["a try is left"] != 4 || pages.of["none is left"] != 46 {
			t.Errorf("%v; want four answers after which a try is left, and then none", pages.of)
		}
		if status, page, err := h.answer(attempt, right); err != nil || status == http.StatusOK {
			t.Errorf("the right code after all tries: %d %v %s", status, err, visible(page))
		}
	})

	t.Run("of forty accounts that race for one key as many win as it is for", func(t *testing.T) {
		const accounts, most = 40, 3
		const newAccount = "https://example.example/new-account"
		status, key := p.in(t).call("POST", "/v1/eab/keys", map[string]any{"profile": "address", "max_accounts": most})
		if status != http.StatusCreated {
			t.Fatalf("make a key: %d %v", status, key)
		}
		kid, made := key["kid"].(string), secret("a key", key["hmac_key"].(string))
		var bodies [accounts]map[string]any
		for n := range bodies {
			a := newACMEAccount(t, fmt.Sprint("race", n))
			bodies[n] = map[string]any{"url": newAccount, "jwk": a.jwk, "externalAccountBinding": a.bindingOf(t, kid, made, newAccount)}
		}
		// Each account asks at both at once, and then again at the one that it did not hear from first.
		race := func() (won [accounts]bool) {
			var all sync.WaitGroup
			var said [2 * accounts]int
			for n := range said {
				all.Go(func() {
					var err error
					if said[n], _, err = each[n%2].try("POST", "/v1/eab/verify", bodies[n/2]); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			for n := range won {
				here, there := said[2*n], said[2*n+1]
				if won[n] = here == http.StatusOK; here != there || here != http.StatusOK && here != http.StatusForbidden {
					t.Errorf("account %d is told %d by one process and %d by the other", n, here, there)
				}
			}
			return won
		}
		first := race()
		winners := 0
		for _, won := range first {
			if won {
				winners++
			}
		}
		if winners != most {
			t.Errorf("%d accounts were bound by a key for %d", winners, most)
		}
		if again := race(); again != first {
			t.Errorf("asked again others win: %v, and first %v", again, first)
		}
	})

	t.Run("two opens of one case make one", func(t *testing.T) {
		var ids, statuses tally
		var all sync.WaitGroup
		for n := range 20 {
			all.Go(func() {
				status, answer, err := each[n%2].try("POST", "/v1/preauthorizations", request("address", "one", "one@example.org"))
				if err != nil {
					t.Error(err)
					return
				}
				ids.add(fmt.Sprint(answer["id"]))
				statuses.add(fmt.Sprint(status))
			})
		}
		all.Wait()
		if len(ids.of) != 1 || statuses.of["201"] != 20 {
			t.Errorf("%d cases, statuses %v", len(ids.of), statuses.of)
		}
	})

	t.Run("the right code twice at once counts once", func(t *testing.T) {
		for round := range 5 {
			email := fmt.Sprintf("twice%d@example.org", round)
			a := p.in(t).preauthorize("address", email, email)
			h := p.in(t).person(a["case_url"].(string))
			attempt, err := h.begin("email", email)
			if err != nil {
				t.Fatal(err)
			}
			code := p.codeAfter("email", email, 0)
			var won tally
			var all sync.WaitGroup
			for n := range 2 {
				all.Go(func() {
					// Who loses is told by a status, and shown the case that is done in either way.
					status, _, err := h.at(each[n]).answer(attempt, code)
					if err != nil {
						t.Error(err)
					}
					won.add(fmt.Sprint(status))
				})
			}
			all.Wait()
			if won.of["200"] != 1 {
				t.Errorf("answers by status: %v, want one that is taken", won.of)
			}
			p.in(t).provedOnce(a["id"].(string), email)
		}
	})

	t.Run("of two browsers one gets the case", func(t *testing.T) {
		for round := range 5 {
			email := fmt.Sprintf("claimed%d@example.org", round)
			a := p.in(t).preauthorize("address", email, email)
			first, second := p.in(t).person(a["case_url"].(string)), p.in(t).person(a["case_url"].(string))
			if _, _, err := second.get(second.page); err != nil {
				t.Fatal(err)
			}
			attempt, err := first.begin("email", email)
			if err != nil {
				t.Fatal(err)
			}
			code := p.codeAfter("email", email, 0)
			var won tally
			var all sync.WaitGroup
			for n, h := range []*person{first, second} {
				all.Go(func() {
					status, _, err := h.at(each[n]).answer(attempt, code)
					if err != nil {
						t.Error(err)
					}
					won.add(fmt.Sprint(status))
				})
			}
			all.Wait()
			if won.of["200"] != 1 {
				t.Errorf("answers by status: %v, want one that is taken", won.of)
			}
			p.in(t).provedOnce(a["id"].(string), email)
		}
	})

	t.Run("a message goes out once though both work", func(t *testing.T) {
		const many = 40
		var all sync.WaitGroup
		for n := range many {
			all.Go(func() {
				email := fmt.Sprintf("once%d@example.org", n)
				one := each[n%2]
				_, answer, err := one.try("POST", "/v1/preauthorizations", request("address", email, email))
				if err != nil {
					t.Error(err)
					return
				}
				h := one.in(t).person(answer["case_url"].(string)).at(one)
				if _, err := h.begin("email", email); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for n := range many {
			email := fmt.Sprintf("once%d@example.org", n)
			p.in(t).codeAfter("email", email, 0)
		}
		time.Sleep(2 * time.Second) // both have looked at everything again
		for n := range many {
			if mails := p.in(t).mails(fmt.Sprintf("once%d@example.org", n)); len(mails) != 1 {
				t.Errorf("%d mails for one code", len(mails))
			}
		}
	})
}

// provedOnce looks whether a case was granted by one event, with one notice of it.
func (p *program) provedOnce(id, email string) {
	p.t.Helper()
	_, answer := p.call("GET", "/v1/preauthorizations/"+id+"?wait=60", nil)
	wantStatus(p.t, answer, "valid")
	if events := answer["assessment"].(map[string]any)["events"].([]any); len(events) != 1 {
		p.t.Errorf("%d events", len(events))
	}
	await(p.t, "the notice", 20*time.Second, func() bool {
		_, notices := p.mailsOf(email)
		return len(notices) == 1
	})
}
