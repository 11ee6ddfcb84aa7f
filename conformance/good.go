package conformance

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strings"
)

// good is the good binding, and what came of it.
type good struct {
	account   account
	binding   object
	answer    answer
	err       error
	taken     bool
	reflected any
}

func (r *Run) good(ctx context.Context) good {
	s, err := r.scene()
	if err != nil {
		return good{err: err}
	}
	g := good{binding: s.good()}
	g.answer, g.err = r.newAccount(ctx, s, func(scene) any { return g.binding })
	g.account = account{s.account, g.answer.location}
	g.taken = g.err == nil && g.answer.ok()
	if g.taken {
		g.reflected = reflection(g.answer)
	}
	return g
}

// leftNone asks whether a refusal was one: the key must have no account. If it has, so may all that were refused before, and they count.
func (r *Run) leftNone(ctx context.Context, t trial, key accountKey) Result {
	res := Result{"refused-is-refused", Must, "RFC 8555 7.3.4, 7.3.1", "what was refused has made no account, and the server says accountDoesNotExist when it is looked up", Undecided, ""}
	if t.err != nil || !t.sent || !t.answer.refused() {
		res.Saw = checkMACAltered + " was not refused"
		return res
	}
	a, err := r.lookUp(ctx, key)
	switch {
	case err != nil:
		res.Saw = "no answer: " + quote(err.Error())
	case a.ok():
		r.made = append(r.made, account{key, a.location})
		for _, before := range r.tried {
			if before.check != t.check && before.answer.refused() {
				r.report.Unsure++ // it may have one too
			}
		}
		res.Outcome, res.Saw = Broken, "there is an account: "+a.String()+". Others that were refused may have one too"
	case a.status == http.StatusBadRequest && a.kind == errorPrefix+"accountDoesNotExist":
		res.Outcome, res.Saw = Held, a.String()
	case a.refused():
		res.Outcome, res.Saw = Broken, a.String()
	default:
		res.Saw = "neither found nor refused: " + a.String()
	}
	return res
}

// required holds the directory against what a request without a binding gets.
func (r *Run) required(t trial, g good) {
	says := r.server.dir.Meta.Required
	announced, kind := verdict{Undecided, ""}, verdict{Undecided, ""}
	named := t.answer.kind == errorPrefix+"externalAccountRequired"
	switch {
	case t.err != nil || !t.sent:
		announced = t.judge(g, false, r.MaxAccounts)
		kind = announced
	case t.answer.ok() && says:
		announced = verdict{Broken, "the directory says true, and a request without one was granted: " + t.answer.String()}
		kind = verdict{NotApplicable, "it was granted"}
	case t.answer.ok():
		announced, kind = verdict{Held, "the directory does not say true, and a request without one was granted"}, verdict{NotApplicable, "it was granted"}
	case !t.answer.refused() || !named && !g.taken:
		announced = verdict{Undecided, "it cannot be told what was refused: " + t.answer.String()}
		kind = announced
	default:
		announced = verdict{Held, "the directory says true, and a request without one was refused"}
		if !says {
			announced = verdict{Broken, "the directory does not say true, and a request without one was refused: " + t.answer.String()}
		}
		kind = verdict{Held, t.answer.String()}
		if !named {
			kind.outcome = Broken
		}
	}
	r.add("required-announced", Must, "RFC 8555 7.3.4, 7.1.1", "externalAccountRequired is true in the directory exactly if a binding is required", announced)
	r.add("required-type", Should, "RFC 8555 7.3.4", "a request without a binding that is required is refused as externalAccountRequired", kind)
}

// accepted looks at the account that the good binding has made.
func (r *Run) accepted(ctx context.Context, g good, verifies bool) {
	created := verdict{Held, g.answer.String()}
	switch {
	case g.err != nil:
		created = verdict{Undecided, "no answer: " + quote(g.err.Error())}
	case !g.taken:
		created = verdict{Undecided, "refused, so that nothing was shown. Is the key right, active, and good for one account more? " + g.answer.String()}
	case g.answer.status != http.StatusCreated || g.answer.location == "":
		created = verdict{Broken, fmt.Sprintf("%s, Location %q", g.answer, quote(g.answer.location))}
	}
	r.add("good-created", Must, "RFC 8555 7.3", "a good binding makes an account: 201 with its URL in Location", created)

	echo := verdict{Held, "the same came back"}
	switch {
	case !g.taken:
		echo = verdict{Undecided, "the good binding was not taken"}
	case g.reflected == nil && !verifies:
		echo = verdict{NotApplicable, "it reflected nothing, and seems to verify no bindings, as it may"}
	case g.reflected == nil:
		echo = verdict{Broken, "it is not there"}
	case !same(g.binding, g.reflected):
		echo = verdict{Broken, "another came back than was sent"}
	}
	r.add("good-reflected", Must, "RFC 8555 7.3.4", "the account object has the binding, with the same value", echo)

	const known = "RFC 8555 7.3.1"
	again, found, update := verdict{Undecided, "there is no account to ask about"}, verdict{Undecided, "there is no account to ask about"}, verdict{Undecided, "there is no account to ask about"}
	if g.taken && g.account.url != "" {
		a, err := r.server.post(ctx, r.server.dir.NewAccount, g.account.key, "", func(string) ([]byte, error) {
			return r.request(scene{}, func(scene) any { return g.binding }), nil
		})
		again = existing(a, err, g)
		a, err = r.lookUp(ctx, g.account.key)
		found = existing(a, err, g)
		update = r.update(ctx, g)
	}
	r.add("good-again", Must, known, "the same account, sent again with its binding, is the same: 200 and its URL in Location", again)
	r.add("good-looked-up", Must, known, "an account is found by its key, with onlyReturnExisting and without a binding: 200 and its URL in Location", found)
	// The text says so without one of the words of RFC 2119.
	r.add("good-fixed", Should, "RFC 8555 7.1.2", "an update of the account, with another binding in it, leaves the binding as it was", update)
}

// existing judges an answer that should name the account that there is.
func existing(a answer, err error, g good) verdict {
	switch {
	case err != nil:
		return verdict{Undecided, "no answer: " + quote(err.Error())}
	case a.status == http.StatusOK && a.location == g.account.url:
		return verdict{Held, "200, and the same Location"}
	case !a.ok() && !a.refused():
		return verdict{Undecided, a.String()}
	case a.ok():
		return verdict{Broken, fmt.Sprintf("%s, Location %q", a, quote(a.location))}
	}
	return verdict{Broken, "refused: " + a.String()}
}

// update changes the account's contacts and offers another binding with them, and reads the account before and after.
func (r *Run) update(ctx context.Context, g good) verdict {
	other := g.binding.clone()
	other["protected"] = b64(object{"alg": r.Algorithm, "kid": r.Kid + "-changed", "url": r.server.dir.NewAccount}.json())
	before, err := r.ask(ctx, g.account, nil)
	if err != nil || !before.ok() {
		return unread(before, err)
	}
	// The contacts make it an update that a server has a reason to grant.
	said, err := r.ask(ctx, g.account, object{"contact": append([]string{}, r.Contact...), "externalAccountBinding": other}.json())
	if err != nil || !said.ok() && !said.refused() {
		return unread(said, err)
	}
	after, err := r.ask(ctx, g.account, nil)
	if err != nil || !after.ok() {
		return unread(after, err)
	}
	was, is := reflection(before), reflection(after)
	change := "the change was answered " + said.String()
	switch {
	case same(other, reflection(said)) || same(other, is):
		return verdict{Broken, "the account object has what the client put there: " + change}
	case was == nil && is == nil:
		return verdict{NotApplicable, "the account object shows no binding when it is read: " + change}
	case is == nil:
		return verdict{Broken, "the account object has lost its binding: " + change}
	case !reflect.DeepEqual(was, is):
		return verdict{Broken, "the account object has another binding than before: " + change}
	}
	return verdict{Held, "the binding is as it was: " + change}
}

// unread is the verdict if the account could not be read or changed.
func unread(a answer, err error) verdict {
	if err != nil {
		return verdict{Undecided, "no answer: " + quote(err.Error())}
	}
	return verdict{Undecided, "the account cannot be read or changed: " + a.String()}
}

// problems looks at how requests were refused.
func (r *Run) problems(tried []trial) {
	v, refusals := verdict{Held, ""}, 0
	var bare []string
	for _, t := range tried {
		if t.err == nil && t.answer.status >= 400 {
			if refusals++; !t.answer.problem {
				bare = append(bare, t.check)
			}
		}
	}
	switch {
	case refusals == 0:
		v = verdict{NotApplicable, "nothing was refused"}
	case len(bare) > 0:
		v = verdict{Broken, fmt.Sprintf("%d of %d were not: %s", len(bare), refusals, strings.Join(bare, ", "))}
	default:
		v.saw = fmt.Sprintf("all %d were", refusals)
	}
	r.add("refused-as-problem", Should, "RFC 8555 6.7", "a refusal is a problem document with a type", v)
}
