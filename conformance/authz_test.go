package conformance

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func authzChecks(r *Report, o Outcome) []string {
	return slices.DeleteFunc(outcomes(r, o), func(c string) bool { return !strings.HasPrefix(c, "authz-") && !strings.HasPrefix(c, "order-") })
}

func TestAServerWithoutNewAuthzIsSaidNotToOfferIt(t *testing.T) {
	e := newDouble(t).eab()
	e.Identifier, e.OtherKid, e.OtherKey = validName, otherKid, theKey
	r := do(t, e)
	if c := result(t, r, "authz-offered"); c.Outcome != NotApplicable || c.Saw != "not offered" {
		t.Errorf("%+v", c)
	}
	if held := authzChecks(r, Held); len(held) > 0 || !r.Passed() || r.Made != 1 {
		t.Errorf("held %v, passed %v, made %d", held, r.Passed(), r.Made)
	}
}

func TestNewAuthzThatWasNotAskedHasNotPassed(t *testing.T) {
	d := newAuthzDouble(t)
	bare := d.authzEAB()
	bare.Identifier = Identifier{}
	unwilling := d.authzEAB()
	unwilling.Identifier.Type = "hardware-module"
	locked := d.authzEAB()
	locked.Key = slices.Concat(theKey, []byte("wrong"))
	for what, e := range map[string]EAB{"no identifier": bare, "Is it one that the account may have?": unwilling, "no account to ask with": locked} {
		r := do(t, e)
		if c := result(t, r, "authz-offered"); c.Outcome != Undecided || !strings.Contains(c.Saw, what) || r.Passed() {
			t.Errorf("%s: passed %v, %+v", what, r.Passed(), c)
		}
		if held := authzChecks(r, Held); len(held) > 0 {
			t.Errorf("%s: held %v", what, held)
		}
	}
}

func TestAnAuthorizationThatWaitsShowsNothingOfOrders(t *testing.T) {
	e := newAuthzDouble(t).authzEAB()
	e.Identifier = pendingName
	r := do(t, e)
	if got := outcomes(r, NotApplicable); !slices.Equal(got, []string{"order-ready"}) || !r.Passed() {
		t.Errorf("not applicable %v, undecided %v, broken %v", got, outcomes(r, Undecided), outcomes(r, Broken))
	}
	e = newAuthzDouble(t, "is ready too early").authzEAB()
	e.Identifier = pendingName
	if got := outcomes(do(t, e), Broken); !slices.Equal(got, []string{"order-status"}) {
		t.Errorf("an order that is ready too early: broken %v", got)
	}
}

func TestWhoIsAnother(t *testing.T) {
	// With one key that is good for one account there is none.
	d := newAuthzDouble(t)
	d.once = true
	e := d.authzEAB()
	e.OtherKid, e.OtherKey = "", nil
	r := do(t, e)
	if got := outcomes(r, Undecided); !slices.Equal(got, []string{"authz-ended-by-another", "authz-read-by-another"}) || r.Made != 1 || r.Passed() {
		t.Errorf("one key: undecided %v, made %d", got, r.Made)
	}
	// The account that was made without a binding is one, and no key is used up for it.
	d = newAuthzDouble(t)
	d.once, d.optional = true, true
	e = d.authzEAB()
	e.OtherKid, e.OtherKey = "", nil
	if r = do(t, e); !r.Passed() || r.Made != 2 {
		t.Errorf("none required: undecided %v, broken %v, made %d", outcomes(r, Undecided), outcomes(r, Broken), r.Made)
	}
	// A second key that is not taken shows nothing.
	e = newAuthzDouble(t).authzEAB()
	e.OtherKey = theKey[1:]
	if c := result(t, do(t, e), "authz-ended-by-another"); c.Outcome != Undecided || !strings.Contains(c.Saw, "second key") {
		t.Errorf("a wrong second key: %+v", c)
	}
	for _, half := range []EAB{{OtherKid: otherKid}, {OtherKey: theKey}} {
		e := d.eab()
		e.OtherKid, e.OtherKey = half.OtherKid, half.OtherKey
		if !fails(t, e, "or neither") {
			t.Errorf("%+v is taken", half)
		}
	}
	e = d.eab()
	if e.Identifier.Type = "dns"; !fails(t, e, "a type and a value") {
		t.Error("a type without a value is taken")
	}
}

func TestWhatAServerMayDoAboutAuthorizationsIsNotHeldAgainstIt(t *testing.T) {
	for wrong, want := range map[string]Outcome{"gives up nothing": NotApplicable, "refuses an order after a deactivation": Held} {
		r := do(t, newAuthzDouble(t, wrong).authzEAB())
		if c := result(t, r, "authz-deactivated"); c.Outcome != want || !r.Passed() {
			t.Errorf("%s: broken %v, undecided %v, %+v", wrong, outcomes(r, Broken), outcomes(r, Undecided), c)
		}
		if c := result(t, r, "authz-ended-is-ended"); c.Outcome != want {
			t.Errorf("%s: %+v", wrong, c)
		}
	}
}

func TestTroubleWithAuthorizationsIsNoRefusal(t *testing.T) {
	for status, kind := range map[int]string{500: "serverInternal", 429: "rateLimited"} {
		d := newAuthzDouble(t)
		d.before = func(w http.ResponseWriter, r *http.Request, body object) bool {
			id, _ := body["identifier"].(map[string]any)
			if name, _ := id["value"].(string); !strings.HasPrefix(name, "*.") {
				return false
			}
			w.Header().Set("Retry-After", "3600")
			d.refuse(w, status, kind, "later")
			return true
		}
		r := do(t, d.authzEAB())
		if got := outcomes(r, Undecided); !slices.Equal(got, []string{"authz-wildcard"}) || r.Passed() {
			t.Errorf("%d: undecided %v, passed %v", status, got, r.Passed())
		}
	}
	// A server that does not take some of its own nonces is asked again, and found right.
	d, n := newAuthzDouble(t), 0
	d.before = func(w http.ResponseWriter, _ *http.Request, _ object) bool {
		if n++; n%3 == 0 {
			d.refuse(w, 400, "badNonce", "again")
			return true
		}
		return false
	}
	if r := do(t, d.authzEAB()); !r.Passed() {
		t.Errorf("undecided %v, broken %v", outcomes(r, Undecided), outcomes(r, Broken))
	}
}

func TestTheRunSaysWhatItWillLeave(t *testing.T) {
	for _, c := range []struct {
		optional bool
		change   func(*EAB)
		leaves   int
	}{
		{false, func(*EAB) {}, 2},
		{true, func(*EAB) {}, 2},
		{false, func(e *EAB) { e.OtherKid, e.OtherKey = "", nil }, 1},
		{false, func(e *EAB) { e.Identifier = Identifier{} }, 1},
	} {
		d := newAuthzDouble(t)
		d.optional = c.optional
		e := d.authzEAB()
		c.change(&e)
		run, err := e.Prepare(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		before := d.asked
		r := run.Do(t.Context())
		if run.Leaves() != c.leaves || r.Made != c.leaves {
			t.Errorf("%+v: said %d, made %d", c, run.Leaves(), r.Made)
		}
		if made := d.asked - before; made > run.Requests()+8 || made < run.Requests()-8 {
			t.Errorf("%+v: said %d requests, made %d", c, run.Requests(), made)
		}
	}
}
