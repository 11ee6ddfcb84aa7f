package conformance

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

func (d *double) eab() EAB {
	return EAB{
		Directory: d.URL + "/directory", Kid: theKid, Key: theKey, MaxAccounts: 40, HTTP: d.Client(),
		Now: func() time.Time { return time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC) },
	}
}

func do(t *testing.T, e EAB) *Report {
	t.Helper()
	run, err := e.Prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return run.Do(t.Context())
}

// outcomes lists the checks that came out so.
func outcomes(r *Report, o Outcome) (names []string) {
	for _, c := range r.Checks {
		if c.Outcome == o {
			names = append(names, c.Check)
		}
	}
	slices.Sort(names)
	return names
}

func result(t *testing.T, r *Report, check string) Result {
	t.Helper()
	i := slices.IndexFunc(r.Checks, func(c Result) bool { return c.Check == check })
	if i < 0 {
		t.Fatalf("there is no check %s", check)
	}
	return r.Checks[i]
}

func TestAServerThatIsRightHoldsEverything(t *testing.T) {
	for _, algorithm := range []string{"HS256", "HS384", "HS512"} {
		d := newAuthzDouble(t)
		d.once = true
		e := d.authzEAB()
		e.Algorithm, e.MaxAccounts = algorithm, LeastAccounts
		r := do(t, e)
		for _, c := range r.Checks {
			if c.Outcome != Held {
				t.Errorf("%s: %s: %s", c.Check, c.Outcome, c.Saw)
			}
			if c.Clause == "" || c.Demand == "" || c.Saw == "" {
				t.Errorf("%s says too little: %+v", c.Check, c)
			}
		}
		if !r.Passed() || r.Made != 2 || len(r.Left) != 0 || r.Unsure != 0 {
			t.Errorf("%s: passed %v, made %d, left %v, unsure %d", algorithm, r.Passed(), r.Made, r.Left, r.Unsure)
		}
		for url, at := range d.accounts {
			if at.status != "deactivated" {
				t.Errorf("%s is %s", url, at.status)
			}
		}
	}
}

// faults are what a server may get wrong, and the checks that find it: those and no others.
var faults = []struct {
	wrong string
	finds []string
}{
	{"reads the compact form", []string{"jws-compact"}},
	{"takes nothing for something", []string{"jws-empty"}},
	{"knows what the payload must be", []string{"jws-no-payload"}},
	{"verifies a MAC if there is one", []string{"jws-no-signature"}},
	{"takes padding", []string{"jws-padded"}},
	{"mends JSON", []string{"header-no-json"}},
	{"takes the first of two", []string{"header-twice"}},
	{"ignores crit", []string{"header-crit"}},
	{"takes none", []string{"alg-none"}},
	{"takes the account's signature", []string{"alg-signature"}},
	{"has an algorithm of its own", []string{"alg-missing"}},
	{"has a kid of its own", []string{"kid-missing"}},
	{"reads unprotected headers", []string{"kid-unprotected"}},
	{"ignores a nonce", []string{"nonce-there"}},
	{"needs no url", []string{"url-missing"}},
	{"compares no url", []string{"url-nearly", "url-other"}},
	{"compares paths", []string{"url-nearly"}},
	{"has one key for all", []string{"kid-unknown"}},
	{"has an empty key for the unknown", []string{"kid-unknown-empty"}},
	{"compares all but the last byte", []string{"mac-altered"}},
	{"compares as much as there is", []string{"mac-short"}},
	{"takes an empty MAC", []string{"mac-empty"}},
	{"verifies no MAC", []string{"alg-missing", "alg-none", "alg-signature", "mac-altered", "mac-empty", "mac-other-alg", "mac-other-key", "mac-other-payload", "mac-short"}},
	{"knows one algorithm", []string{"mac-other-alg"}},
	{"compares no keys", []string{"binding-replayed", "payload-other-key"}},
	{"takes a payload that is no key", []string{"payload-no-key"}},
	{"takes an empty payload", []string{"payload-empty"}},
	{"makes the account all the same", []string{"refused-is-refused"}},
	{"requires nothing", []string{"required-announced"}},
	{"says nothing of requiring", []string{"required-announced"}},
	{"has another word for required", []string{"required-type"}},
	{"answers 200 for a new account", []string{"good-created"}},
	{"does not say where an account is", []string{"good-created"}},
	{"reflects nothing", []string{"good-reflected"}},
	{"reflects something else", []string{"good-reflected"}},
	{"knows no account again", []string{"good-again"}},
	{"wants a binding to look an account up", []string{"good-looked-up", "refused-is-refused"}},
	{"lets the binding be changed", []string{"good-fixed"}},
	{"forgets the binding at an update", []string{"good-fixed"}},
	{"mixes bindings up", []string{"good-fixed"}},
	{"refuses in plain words", []string{"authz-get", "authz-nonce-again", "authz-nonce-missing", "authz-type-said", "authz-url-other", "refused-as-problem", "refused-is-refused", "required-type"}},

	{"has newAuthz in its directory alone", []string{"authz-offered"}},
	{"has newAuthz in plain HTTP", []string{"authz-offered"}},
	{"answers 200 for a new authorization", []string{"authz-created"}},
	{"does not say where an authorization is", []string{"authz-created"}},
	{"shows no challenges", []string{"authz-object", "authz-read"}},
	{"shows challenges without a URL", []string{"authz-object", "authz-read"}},
	{"changes identifiers", []string{"authz-identifier"}},
	{"begins with the end", []string{"authz-status"}},
	{"says no end", []string{"authz-expires"}},
	{"says an end that was", []string{"authz-expires"}},
	{"says an end in words", []string{"authz-expires"}},
	{"says wildcard", []string{"authz-no-wildcard"}},
	{"gives no nonce with an authorization", []string{"authz-nonce-given"}},
	{"authorizes wildcards", []string{"authz-wildcard"}},
	{"authorizes for nothing", []string{"authz-no-identifier"}},
	{"authorizes for an empty name", []string{"authz-no-value"}},
	{"authorizes any type", []string{"authz-type-unknown"}},
	{"has another word for unsupported", []string{"authz-type-said"}},
	{"needs no nonce", []string{"authz-nonce-missing"}},
	{"takes a nonce twice", []string{"authz-nonce-again"}},
	{"compares no URL of a request", []string{"authz-url-other"}},
	{"has another word for a wrong URL", []string{"authz-url-other"}},
	{"finds the account by its key", []string{"authz-jwk"}},
	{"looks at the kid alone", []string{"authz-stranger"}},
	{"shows no authorization", []string{"authz-read"}},
	{"shows another authorization", []string{"authz-read"}},
	{"answers GET", []string{"authz-get"}},
	{"shows it to anybody", []string{"authz-read-by-another"}},
	{"lets anybody deactivate", []string{"authz-ended-by-another"}},
	{"refuses another, and does it", []string{"authz-ended-by-another"}},
	{"is never ready", []string{"order-ready", "order-status"}},
	{"refuses orders", []string{"order-ready"}},
	{"asks anew", []string{"order-ready"}},
	{"says yes and deactivates nothing", []string{"authz-deactivated"}},
	{"answers the deactivation with what was", []string{"authz-deactivated"}},
	{"honours what was deactivated", []string{"authz-ended-is-ended"}},
}

func TestEachFaultIsFoundByTheChecksThatAreForIt(t *testing.T) {
	found := map[string]bool{"kid-ascii": true, "key-size": true} // by TestWhatTheCAGaveOutIsLookedAt
	for _, f := range faults {
		t.Run(f.wrong, func(t *testing.T) {
			r := do(t, newAuthzDouble(t, f.wrong).authzEAB())
			got := outcomes(r, Broken)
			for _, g := range got {
				found[g] = true
			}
			want := slices.Sorted(slices.Values(f.finds))
			if !slices.Equal(got, want) {
				t.Errorf("broken: %v, want %v", got, want)
			}
			must := slices.ContainsFunc(got, func(c string) bool { return result(t, r, c).Level == Must })
			if must && r.Passed() {
				t.Error("it passed all the same")
			}
		})
	}
	for _, c := range do(t, newAuthzDouble(t).authzEAB()).Checks {
		if !found[c.Check] {
			t.Errorf("nothing has made %s fail", c.Check)
		}
	}
}

func TestAShouldThatIsBrokenFailsNoRun(t *testing.T) {
	r := do(t, newDouble(t, "has another word for required").eab())
	if !r.Passed() || r.Count(Should, Broken) != 1 {
		t.Errorf("passed %v with %d SHOULD broken", r.Passed(), r.Count(Should, Broken))
	}
}

func TestAServerNeedNotShowTheBindingWhenAnAccountIsRead(t *testing.T) {
	r := do(t, newDouble(t, "shows the binding once").eab())
	if got := result(t, r, "good-fixed").Outcome; got != NotApplicable || !r.Passed() {
		t.Errorf("good-fixed is %s, passed %v, broken %v", got, r.Passed(), outcomes(r, Broken))
	}
}

func TestWhatTheCAGaveOutIsLookedAt(t *testing.T) {
	e := newDouble(t).eab()
	e.Kid, e.Key = "schlüssel", theKey[:31]
	got := outcomes(do(t, e), Broken)
	if !slices.Equal(got, []string{"key-size", "kid-ascii"}) {
		t.Errorf("broken: %v", got)
	}
}

func TestAWrongKeyShowsNothing(t *testing.T) {
	e := newDouble(t).eab()
	e.Key = slices.Concat(theKey, []byte("wrong"))
	r := do(t, e)
	if r.Passed() || len(outcomes(r, Broken)) > 0 || result(t, r, "mac-altered").Outcome != Undecided {
		t.Errorf("passed %v, broken %v, mac-altered %+v", r.Passed(), outcomes(r, Broken), result(t, r, "mac-altered"))
	}
	if saw := result(t, r, "good-created").Saw; !strings.Contains(saw, "Is the key right") {
		t.Errorf("it does not say what to look for: %s", saw)
	}
}

func TestAKeyThatABadBindingHasUsedUpStillShowsTheFault(t *testing.T) {
	d := newDouble(t, "ignores a nonce")
	d.once = true
	r := do(t, d.eab())
	if got := outcomes(r, Broken); !slices.Equal(got, []string{"nonce-there"}) {
		t.Errorf("broken: %v", got)
	}
}

func TestAServerMayVerifyNothingButThenReflectsNothing(t *testing.T) {
	silent := newDouble(t, "verifies nothing")
	silent.optional = true
	r := do(t, silent.eab())
	if got := outcomes(r, Broken); len(got) > 0 || r.Passed() {
		t.Errorf("silent: broken %v, passed %v", got, r.Passed())
	}
	if o := result(t, r, "good-reflected").Outcome; o != NotApplicable {
		t.Errorf("silent: good-reflected is %s", o)
	}
	loud := newDouble(t, "verifies nothing", "reflects what it does not verify")
	loud.optional = true
	if got := outcomes(do(t, loud.eab()), Broken); len(got) != len(badBindings)+1 {
		t.Errorf("loud: broken %v", got)
	}
}

func TestAServerThatRequiresNoBindingMakesOneAccountMore(t *testing.T) {
	d := newDouble(t)
	d.optional = true
	e := d.eab()
	e.MaxAccounts = LeastAccounts
	run, err := e.Prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r := run.Do(t.Context()); r.Made != run.Leaves() || r.Made != 2 || !r.Passed() || len(outcomes(r, Undecided)) > 0 {
		t.Errorf("made %d, said %d, passed %v, undecided %v", r.Made, run.Leaves(), r.Passed(), outcomes(r, Undecided))
	}
	liar := newDouble(t, "says it requires")
	liar.optional = true
	if got := outcomes(do(t, liar.eab()), Broken); !slices.Equal(got, []string{"required-announced"}) {
		t.Errorf("broken: %v", got)
	}
}

func TestNoMoreAccountsAreMadeThanTheCeiling(t *testing.T) {
	for _, ceiling := range []int{LeastAccounts, 5} {
		d := newDouble(t, "verifies nothing", "reflects what it does not verify")
		e := d.eab()
		e.MaxAccounts = ceiling
		r := do(t, e)
		if len(d.accounts) != ceiling || r.Made != ceiling || len(r.Left) != 0 {
			t.Errorf("ceiling %d: %d accounts, %d reported, left %v", ceiling, len(d.accounts), r.Made, r.Left)
		}
		if saw := result(t, r, "payload-empty").Saw; !strings.HasPrefix(saw, "not asked") || r.Passed() {
			t.Errorf("ceiling %d: the last check %q, passed %v", ceiling, saw, r.Passed())
		}
	}
	e := newDouble(t).eab()
	if e.MaxAccounts = LeastAccounts - 1; !fails(t, e, "too few") {
		t.Error("a ceiling that shows nothing was taken")
	}
}

func fails(t *testing.T, e EAB, why string) bool {
	t.Helper()
	_, err := e.Prepare(t.Context())
	return err != nil && strings.Contains(err.Error(), why)
}

func TestAccountsThatStayAreNamed(t *testing.T) {
	d := newDouble(t)
	d.before = func(w http.ResponseWriter, _ *http.Request, body object) bool {
		if body["status"] == "deactivated" {
			d.refuse(w, 403, "unauthorized", "no")
			return true
		}
		return false
	}
	if r := do(t, d.eab()); len(r.Left) != 1 || !strings.HasPrefix(r.Left[0], d.URL) {
		t.Errorf("left: %v", r.Left)
	}
}

func TestAnAccountWhoseAnswerWasLostIsFoundAndDeactivated(t *testing.T) {
	d := newDouble(t)
	// The account is made and the connection breaks: nobody hears of it.
	inner := d.Config.Handler
	d.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		inner.ServeHTTP(rec, r)
		if rec.Code == http.StatusCreated {
			panic(http.ErrAbortHandler)
		}
		for k, v := range rec.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	})
	r := do(t, d.eab())
	if r.Made != 1 || len(r.Left) != 0 || r.Unsure != 0 || r.Passed() {
		t.Errorf("made %d, left %v, unsure %d, passed %v", r.Made, r.Left, r.Unsure, r.Passed())
	}
}

func TestAccountsBehindRefusalsAreSpokenOfAndCounted(t *testing.T) {
	e := newDouble(t, "makes the account all the same").eab()
	e.MaxAccounts = 5
	r := do(t, e)
	if r.Made+r.Unsure < 5 || result(t, r, "payload-empty").Outcome != Undecided {
		t.Errorf("made %d, unsure %d, the last check %+v", r.Made, r.Unsure, result(t, r, "payload-empty"))
	}
}

func TestAServerInTroubleIsNotTakenForOneThatRefuses(t *testing.T) {
	for status, kind := range map[int]string{500: "serverInternal", 429: "rateLimited", 400: "rateLimited", 408: "malformed"} {
		d := newDouble(t)
		d.before = func(w http.ResponseWriter, _ *http.Request, body object) bool {
			b, _ := body["externalAccountBinding"].(map[string]any)
			if b == nil || b["signature"] != "" {
				return false
			}
			w.Header().Set("Retry-After", "3600")
			d.refuse(w, status, kind, "later")
			return true
		}
		r := do(t, d.eab())
		if got := outcomes(r, Undecided); !slices.Equal(got, []string{"alg-none", "mac-empty"}) || r.Passed() {
			t.Errorf("%d %s: undecided %v, passed %v", status, kind, got, r.Passed())
		}
	}
}

func TestANonceThatIsNotTakenIsAskedForAgain(t *testing.T) {
	d := newDouble(t)
	n := 0
	d.before = func(w http.ResponseWriter, _ *http.Request, _ object) bool {
		if n++; n%3 == 0 {
			d.refuse(w, 400, "badNonce", "again")
			return true
		}
		return false
	}
	if r := do(t, d.eab()); !r.Passed() {
		t.Errorf("undecided %v, broken %v", outcomes(r, Undecided), outcomes(r, Broken))
	}
}

func TestABusyServerIsWaitedForButNotForLong(t *testing.T) {
	d := newDouble(t)
	busy := 0
	d.before = func(w http.ResponseWriter, _ *http.Request, _ object) bool {
		if busy++; busy == 1 {
			w.Header().Set("Retry-After", "1")
			d.refuse(w, 503, "serverInternal", "in a moment")
			return true
		}
		return false
	}
	if r := do(t, d.eab()); !r.Passed() {
		t.Errorf("undecided %v", outcomes(r, Undecided))
	}
}

func TestARunThatIsEndedTidiesUpAndSaysWhatItDidNotAsk(t *testing.T) {
	d := newDouble(t, "ignores a nonce")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d.before = func(_ http.ResponseWriter, _ *http.Request, _ object) bool {
		if len(d.accounts) > 0 {
			cancel()
		}
		return false
	}
	run, err := d.eab().Prepare(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r := run.Do(ctx)
	if r.Passed() || r.Made != 1 || len(r.Left) != 0 || result(t, r, "good-created").Outcome != Undecided {
		t.Errorf("passed %v, made %d, left %v, good-created %+v", r.Passed(), r.Made, r.Left, result(t, r, "good-created"))
	}
}

func TestTermsAreNotAgreedToForAnybody(t *testing.T) {
	d := newDouble(t)
	d.terms = "https://ca.example/terms"
	e := d.eab()
	if _, err := e.Prepare(t.Context()); !errors.Is(err, ErrTerms) || !strings.Contains(err.Error(), d.terms) {
		t.Errorf("prepared all the same: %v", err)
	}
	if e.AgreeTerms = true; !do(t, e).Passed() {
		t.Error("with the terms agreed to it does not pass")
	}
}

func TestWordsOfTheServerAreShortAndHarmless(t *testing.T) {
	got := quote("a\x1b[31m\u202e\n" + strings.Repeat("x", 1000))
	if strings.ContainsAny(got, "\x1b\n\u202e") || len([]rune(got)) != maxQuoted+1 {
		t.Errorf("%q", got)
	}
}

func TestAddressesThatCannotBeTrustedAreNotCalled(t *testing.T) {
	for _, at := range []string{"http://ca.example/directory", "ftp://localhost/", "https://", "https://name:word@ca.example/", "localhost", ":"} {
		if !fails(t, EAB{Directory: at, Kid: "k", Key: theKey, MaxAccounts: 5, HTTP: http.DefaultClient}, "the directory") {
			t.Errorf("%s is called", at)
		}
	}
	for what, body := range map[string]string{
		"no directory": "<html>", "elsewhere in plain HTTP": `{"newNonce":"http://ca.example/n","newAccount":"https://ca.example/a"}`, "empty": "{}",
		"endless": strings.Repeat(" ", maxAnswer+1),
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		defer s.Close()
		if !fails(t, EAB{Directory: s.URL, Kid: "k", Key: theKey, MaxAccounts: 5, HTTP: s.Client()}, "read the directory") {
			t.Errorf("%s is believed", what)
		}
	}
	moved := httptest.NewServer(http.RedirectHandler("https://ca.example/", http.StatusFound))
	defer moved.Close()
	if !fails(t, EAB{Directory: moved.URL, Kid: "k", Key: theKey, MaxAccounts: 5, HTTP: moved.Client()}, "302") {
		t.Error("a redirect is followed")
	}
}
