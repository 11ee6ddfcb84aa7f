package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"time"
)

const (
	// runTime bounds a run, and tidyTime what is done at its end about the accounts that were made.
	runTime  = 5 * time.Minute
	tidyTime = time.Minute
	// LeastAccounts is the lowest ceiling: the good binding makes one account, a request without a binding or with the other key makes
	// one, and the first fault that is looked for after them may make one.
	LeastAccounts = 3
)

// EAB is what the checks of external account binding need.
type EAB struct {
	// Directory is the URL of the server's directory; https, or http on loopback.
	Directory string
	// Kid and Key are a binding key that the server's CA has given out: good for one account more.
	Kid string
	Key []byte
	// Algorithm is HS256 (if empty), HS384 or HS512.
	Algorithm string
	// Identifier is one that the new account may be pre-authorized for (RFC 8555 7.4.1). Without it nothing is shown of a server that has newAuthz.
	Identifier Identifier
	// OtherKid and OtherKey are a second binding key, of the same algorithm, for the account that must not have the first one's authorization.
	// They may be missing where no binding is required.
	OtherKid string
	OtherKey []byte
	// Contact is sent with every account, for servers that demand one; AgreeTerms agrees to the terms of the directory.
	Contact    []string
	AgreeTerms bool
	// MaxAccounts is how many accounts may be made, LeastAccounts or more. What would make more is not asked.
	MaxAccounts int
	// HTTP is the client to call with; redirects are not followed.
	HTTP *http.Client
	// Now is the time that the report bears.
	Now func() time.Time
}

// ErrTerms says that the server has terms which nobody agreed to.
var ErrTerms = errors.New("the server has terms of service")

// Run is a run that has been prepared: the directory was read, and nothing else has been asked.
type Run struct {
	EAB
	server *server
	tried  []trial
	report Report
	made   []account
}

// account is one that the server made.
type account struct {
	key accountKey
	url string // empty: it did not say
}

// trial is a request that should not have been granted, and what came of it. What it means is known at the end.
type trial struct {
	badBinding
	sent      bool
	answer    answer
	err       error
	reflected bool
}

// Prepare reads the directory, and refuses what cannot be run. It wraps ErrTerms if AgreeTerms is missing.
func (e EAB) Prepare(ctx context.Context) (*Run, error) {
	if e.Algorithm == "" {
		e.Algorithm = "HS256"
	}
	switch {
	case algorithms[e.Algorithm] == nil:
		return nil, fmt.Errorf("there is no MAC algorithm %q: HS256, HS384 and HS512 are known", e.Algorithm)
	case e.Kid == "" || len(e.Key) == 0:
		return nil, errors.New("a key identifier and a MAC key are needed")
	case (e.OtherKid == "") != (len(e.OtherKey) == 0):
		return nil, errors.New("the other key has an identifier and a MAC key, or neither")
	case (e.Identifier.Type == "") != (e.Identifier.Value == ""):
		return nil, errors.New("an identifier has a type and a value")
	case e.MaxAccounts < LeastAccounts:
		return nil, fmt.Errorf("%d accounts are too few to learn anything: %d are the least", e.MaxAccounts, LeastAccounts)
	}
	s, err := reach(ctx, e.HTTP, e.Directory)
	if err != nil {
		return nil, err
	}
	if s.dir.Meta.Terms != "" && !e.AgreeTerms {
		return nil, fmt.Errorf("%w, at %s", ErrTerms, quote(s.dir.Meta.Terms))
	}
	return &Run{EAB: e, server: s}, nil
}

// Leaves is how many accounts a server that is right makes: one for the good binding, and one for the request without any if it
// requires none, or for the other key.
func (r *Run) Leaves() int {
	if r.server.dir.Meta.Required && !(r.preauthorizes() && r.OtherKid != "") {
		return 1
	}
	return 2
}

// Requests is about how many requests are made.
func (r *Run) Requests() int {
	if r.preauthorizes() {
		return len(badBindings) + len(badAuthzs) + 24
	}
	return len(badBindings) + 12
}

// Do runs the checks, and deactivates the accounts that were made. It ends by itself, and when ctx does: what was not asked then is undecided.
func (r *Run) Do(ctx context.Context) *Report {
	r.report = Report{Directory: r.Directory, At: r.Now().UTC(), Left: []string{}}
	func() {
		bounded, cancel := context.WithTimeout(ctx, runTime)
		defer cancel()
		r.check(bounded)
	}()
	tidy, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTime)
	defer cancel()
	r.tidy(tidy)
	r.report.Made = len(r.made)
	return &r.report
}

// check asks everything: what is bad, what is missing, what is good, and what depends on it.
func (r *Run) check(ctx context.Context) {
	r.provision()
	var noAccount Result
	for _, b := range badBindings {
		t, key := r.try(ctx, b)
		r.tried = append(r.tried, t)
		if b.check == checkMACAltered {
			noAccount = r.leftNone(ctx, t, key)
		}
	}
	without, _ := r.try(ctx, badBinding{check: "binding-missing"})
	g := r.good(ctx)
	replay := badBinding{"binding-replayed", 5, "RFC 8555 7.3.4 (5)", "a binding that was good for one account is refused to another, which has seen it", func(scene) any { return g.binding }}
	if g.taken {
		t, _ := r.try(ctx, replay)
		r.tried = append(r.tried, t)
	} else {
		r.tried = append(r.tried, trial{badBinding: replay, err: errors.New("the good binding was not taken")})
	}

	verifies := g.reflected != nil
	for _, t := range r.tried {
		verifies = verifies || g.taken && t.step >= 3 && t.answer.refused()
	}
	for _, t := range r.tried {
		r.add(t.check, Must, t.clause, t.demand, t.judge(g, verifies, r.MaxAccounts))
	}
	r.report.Checks = append(r.report.Checks, noAccount)
	r.required(without, g)
	r.accepted(ctx, g, verifies)
	asked := append(r.tried, without)
	r.problems(append(asked, r.authorizations(ctx, g)...))
}

// verdict is an outcome and what was seen.
type verdict struct {
	outcome Outcome
	saw     string
}

func (r *Run) add(check string, level Level, clause, demand string, v verdict) {
	r.report.Checks = append(r.report.Checks, Result{check, level, clause, demand, v.outcome, v.saw})
}

// provision looks at what the CA has given out.
func (r *Run) provision() {
	v := verdict{Held, "it is"}
	for i := range len(r.Kid) {
		if r.Kid[i] > 0x7f {
			v = verdict{Broken, "it is not"}
		}
	}
	r.add("kid-ascii", Must, "RFC 8555 7.3.4", "the key identifier is ASCII", v)
	size := algorithms[r.Algorithm]().Size()
	v = verdict{Held, fmt.Sprintf("it has %d bytes", len(r.Key))}
	if len(r.Key) < size {
		v.outcome = Broken
	}
	r.add("key-size", Must, "RFC 7518 3.2", fmt.Sprintf("the MAC key for %s has %d bytes or more", r.Algorithm, size), v)
}

// try sends a newAccount request with a bad binding, or with none if it is not forged, unless one account more would be too many.
func (r *Run) try(ctx context.Context, b badBinding) (trial, accountKey) {
	t := trial{badBinding: b}
	if t.err = ctx.Err(); t.err != nil {
		return t, accountKey{}
	}
	if len(r.made)+r.report.Unsure >= r.MaxAccounts-1 && b.check != "binding-replayed" || len(r.made)+r.report.Unsure >= r.MaxAccounts {
		return t, accountKey{} // the good binding needs a place
	}
	s, err := r.scene()
	if err != nil {
		t.err = err
		return t, accountKey{}
	}
	t.sent = true
	t.answer, t.err = r.newAccount(ctx, s, b.forge)
	t.reflected = reflection(t.answer) != nil
	return t, s.account
}

func (r *Run) scene() (scene, error) {
	account, err := newAccountKey()
	if err != nil {
		return scene{}, err
	}
	other, err := newAccountKey()
	if err != nil {
		return scene{}, err
	}
	return scene{kid: r.Kid, key: r.Key, algorithm: r.Algorithm, url: r.server.dir.NewAccount, account: account, other: other}, nil
}

// newAccount asks for an account of a key that has none, and keeps in mind what it may have made.
func (r *Run) newAccount(ctx context.Context, s scene, forge func(scene) any) (answer, error) {
	a, err := r.server.post(ctx, s.url, s.account, "", func(nonce string) ([]byte, error) {
		s.nonce = nonce
		return r.request(s, forge), nil
	})
	switch {
	case err == nil && a.ok():
		r.made = append(r.made, account{s.account, a.location})
	case err != nil || a.status >= 500:
		// The request may have arrived all the same.
		found, lost := r.lookUp(context.WithoutCancel(ctx), s.account)
		switch {
		case lost == nil && found.ok():
			r.made = append(r.made, account{s.account, found.location})
		case lost != nil || !found.refused():
			r.report.Unsure++
		}
	}
	return a, err
}

// request is the payload of a newAccount request.
func (r *Run) request(s scene, forge func(scene) any) []byte {
	o := object{}
	if r.server.dir.Meta.Terms != "" {
		o["termsOfServiceAgreed"] = true // Prepare has seen to it
	}
	if len(r.Contact) > 0 {
		o["contact"] = r.Contact
	}
	if forge != nil {
		o["externalAccountBinding"] = forge(s)
	}
	return o.json()
}

// lookUp asks which account a key has (7.3.1).
func (r *Run) lookUp(ctx context.Context, key accountKey) (answer, error) {
	return r.server.post(ctx, r.server.dir.NewAccount, key, "", func(string) ([]byte, error) {
		return object{"onlyReturnExisting": true}.json(), nil
	})
}

// reflection is the binding in an account object, or nil.
func reflection(a answer) any {
	var v any
	if json.Unmarshal(a.body["externalAccountBinding"], &v) != nil {
		return nil
	}
	return v
}

// same says whether a binding came back as it was sent.
func same(sent object, back any) bool {
	var v any
	return json.Unmarshal(sent.json(), &v) == nil && reflect.DeepEqual(v, back)
}

// judge says what an answer to a bad binding means.
func (t trial) judge(g good, verifies bool, ceiling int) verdict {
	switch {
	case t.err != nil:
		return verdict{Undecided, "no answer: " + quote(t.err.Error())}
	case !t.sent:
		return verdict{Undecided, fmt.Sprintf("not asked: the server had made as many of the %d accounts as it may", ceiling)}
	case t.answer.ok() && t.reflected:
		return verdict{Broken, "taken, and reflected: " + t.answer.String()}
	case t.answer.ok() && verifies:
		return verdict{Broken, "taken: " + t.answer.String()}
	case t.answer.ok():
		return verdict{Undecided, "taken and not reflected: the server seems to verify no bindings, as it may"}
	case !t.answer.refused():
		return verdict{Undecided, "neither taken nor refused: " + t.answer.String()}
	case !g.taken:
		return verdict{Undecided, "refused, but so was the good binding: " + t.answer.String()}
	}
	return verdict{Held, "refused: " + t.answer.String()}
}

// tidy deactivates what was made (7.3.6).
func (r *Run) tidy(ctx context.Context) {
	for _, a := range r.made {
		if a.url == "" {
			r.report.Left = append(r.report.Left, "(the server did not say which)")
			continue
		}
		done, err := r.ask(ctx, a, object{"status": "deactivated"}.json())
		if err != nil || !done.ok() {
			r.report.Left = append(r.report.Left, quote(a.url))
		}
	}
}

// ask posts to an account's own URL.
func (r *Run) ask(ctx context.Context, a account, payload []byte) (answer, error) {
	if err := address("the account", a.url); err != nil {
		return answer{}, err
	}
	return r.server.post(ctx, a.url, a.key, a.url, func(string) ([]byte, error) { return payload, nil })
}
