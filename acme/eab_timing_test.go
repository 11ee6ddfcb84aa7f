package acme_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/countersign-id/countersign/store"
	"github.com/countersign-id/countersign/store/redistest"
)

// superiority is how likely an answer of the one kind takes longer than one of the other (Mann and Whitney's U by the number of pairs): 0.5 if
// nobody can tell them apart by one look, whatever noise there is on both.
func superiority(one, other []time.Duration) float64 {
	other = slices.Sorted(slices.Values(other))
	wins := 0.0
	for _, d := range one {
		below, _ := slices.BinarySearch(other, d)
		upTo, _ := slices.BinarySearch(other, d+1)
		wins += float64(below) + float64(upTo-below)/2
	}
	return wins / float64(len(one)*len(other))
}

func TestSuperiority(t *testing.T) {
	for _, c := range []struct {
		one, other []time.Duration
		want       float64
	}{
		{[]time.Duration{1, 2}, []time.Duration{1, 2}, 0.5},
		{[]time.Duration{3, 4}, []time.Duration{1, 2}, 1},
		{[]time.Duration{1}, []time.Duration{2, 3}, 0},
		{[]time.Duration{2}, []time.Duration{1, 2, 2, 3}, 0.5},
	} {
		if got := superiority(c.one, c.other); got != c.want {
			t.Errorf("%v over %v: %v, want %v", c.one, c.other, got, c.want)
		}
	}
}

// refusedBindings are one binding of each kind that is refused in the same words, the first of them one with a wrong MAC. Each is asked for by the number of the question.
func refusedBindings(t testing.TB, w *world) []refusedBinding {
	t.Helper()
	made := func(token string) *binding {
		t.Helper()
		r := w.do(t, "POST", "/v1/eab/keys", token, `{"profile": "client", "subject": "customer 1", "identifiers": [{"type": "email", "value": "applicant@example.org"}]}`)
		if r.Code != http.StatusCreated {
			t.Fatal(r.Code, r.Body)
		}
		k := decode(t, r)
		return newBinding(t, k.text("kid"), k.text("hmac_key"))
	}
	wrongMAC := made(w.token)
	wrongMAC.secret = bytes.Repeat([]byte{7}, 32)
	algorithm := made(w.token)
	algorithm.alg, algorithm.secret = jose.HS512, append(algorithm.secret, algorithm.secret...)
	payload := made(w.token)
	payload.outer = accountJWK(t)
	revoked := made(w.token)
	w.want(t, http.StatusOK, "POST", "/v1/eab/keys/"+revoked.header["kid"].(string)+"/revoke", "")
	return []refusedBinding{
		{"wrong MAC", fixed(wrongMAC.body(t))},
		{"unknown kid", func(n int) string {
			unknown := *wrongMAC
			unknown.header = map[string]any{"kid": fmt.Sprintf("cs%022d", n), "url": newAccount} // another each time: none that was looked up is known
			return unknown.body(t)
		}},
		{"unknown kid, the same again", fixed(func() string {
			unknown := *wrongMAC
			unknown.header = map[string]any{"kid": "cs0123456789012345678901", "url": newAccount}
			return unknown.body(t)
		}())},
		{"wrong algorithm", fixed(algorithm.body(t))},
		{"another payload", fixed(payload.body(t))},
		{"another CA's key", fixed(made(w.stranger).body(t))},
		{"revoked", fixed(revoked.body(t))},
	}
}

type refusedBinding struct {
	name string
	body func(n int) string
}

// What is refused in the same words has looked up the same: as many records that there are, and as many that there are not.
func TestRefusedBindingsLookUpAlike(t *testing.T) {
	w := withDirectory(t)
	kinds := refusedBindings(t, w)
	looked := map[string]map[bool]int{}
	for n, k := range kinds {
		found := map[bool]int{}
		w.kv.read = func(there bool) { found[there]++ }
		w.want(t, http.StatusForbidden, "POST", "/v1/eab/verify", k.body(n))
		w.kv.read = nil
		looked[k.name] = found
	}
	for name, found := range looked {
		if !maps.Equal(found, looked[kinds[0].name]) {
			t.Errorf("%s: %v, and with a wrong MAC %v", name, found, looked[kinds[0].name])
		}
	}
	if len(looked[kinds[0].name]) != 2 {
		t.Errorf("with a wrong MAC %v is looked up", looked[kinds[0].name])
	}
}

// Over HTTP, by its time, whoever guesses cannot tell an unknown kid from a wrong MAC, a wrong algorithm, another CA's key, one that was revoked
// and a payload that is another account's. The kinds are asked for in turn, each round in another order, so that whatever slows the machine
// down slows all of them. Of two that nobody can tell apart each is the longer one half of the time, by 0.013 more or less; that one is with more
// than 0.56 or less than 0.44, in each of several runs, is not noise. An unknown kid was with 0.60, as long as a record was read for it that a known one needs no more.
func TestRefusedBindingsTakeAlikeOverHTTP(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { takeAlike(t, newWorld(t)) })
	t.Run("Redis", func(t *testing.T) {
		server := redistest.Start(t, redistest.Durable()...)
		takeAlike(t, newWorldOver(t, func(func() time.Time) (store.KV, error) {
			return store.OpenRedis(t.Context(), store.RedisOptions{Addresses: []string{server.Addr}})
		}))
	})
}

func takeAlike(t *testing.T, w *world) {
	t.Helper()
	const rounds, runs, least, most = 1000, 4, 0.44, 0.56
	w.haveDirectory(t)
	server := httptest.NewServer(w.handler)
	defer server.Close()
	kinds := refusedBindings(t, w)
	ask := func(body string) time.Duration {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/eab/verify", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+w.token)
		r.Header.Set("Content-Type", "application/json")
		began := time.Now()
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, answer.Body)
		took := time.Since(began)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusForbidden {
			t.Fatal(answer.StatusCode, err)
		}
		return took
	}
	n := 0
	measure := func() (told []string) {
		took := make([][]time.Duration, len(kinds))
		for round := range rounds + 10 {
			n++
			bodies := make([]string, len(kinds))
			for i, k := range kinds { // before any is asked for: making one is no part of what is measured, and neither is what it leaves behind
				bodies[i] = strings.Clone(k.body(n))
			}
			for _, i := range rand.Perm(len(kinds)) {
				d := ask(bodies[i])
				if round >= 10 { // when it has warmed up
					took[i] = append(took[i], d)
				}
			}
		}
		for i, k := range kinds {
			p := superiority(took[i], took[0])
			t.Logf("%-28s median %v, longer than a wrong MAC with %.2f", k.name, slices.Sorted(slices.Values(took[i]))[rounds/2], p)
			if p < least || p > most {
				told = append(told, fmt.Sprintf("%s: %v", k.name, p > 0.5))
			}
		}
		return told
	}
	told := measure()
	for run := 1; run < runs && len(told) > 0; run++ {
		again := measure()
		told = slices.DeleteFunc(told, func(k string) bool { return !slices.Contains(again, k) })
	}
	if len(told) > 0 {
		t.Errorf("told apart from a wrong MAC in %d runs, and whether longer: %v", runs, told)
	}
}

func fixed(body string) func(int) string { return func(int) string { return body } }
