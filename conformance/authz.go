package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Identifier is what an account asks to be authorized for (RFC 8555 7.1.3).
type Identifier struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// maxListed is how many authorizations of an order are looked at.
const maxListed = 5

// preauthorizes says whether the server serves newAuthz and there is something to ask it for.
func (r *Run) preauthorizes() bool {
	return r.server.dir.NewAuthz != "" && r.Identifier.Type != ""
}

// authz is an authorization object, as far as it could be read (RFC 8555 7.1.4).
type authz struct {
	url        string
	Identifier Identifier
	Status     string
	Expires    string
	Wildcard   bool
	Challenges []struct{ Type, URL string }
}

// statuses are those that an authorization may have (RFC 8555 7.1.6).
var statuses = []string{"pending", "valid", "invalid", "deactivated", "expired", "revoked"}

// readAuthz reads an authorization object, and says what is wrong with its form.
func readAuthz(a answer) (z authz, wrong error) {
	raw, err := json.Marshal(a.body)
	if err == nil {
		err = json.Unmarshal(raw, &z)
	}
	switch {
	case err != nil:
		return z, err
	case z.Identifier.Type == "" || z.Identifier.Value == "":
		return z, errors.New("it has no identifier with a type and a value")
	case !slices.Contains(statuses, z.Status):
		return z, fmt.Errorf("its status is %q", quote(z.Status))
	case a.body["challenges"] == nil || string(a.body["challenges"]) == "null":
		return z, errors.New("it has no array of challenges")
	}
	for _, c := range z.Challenges {
		if c.Type == "" || address("the challenge", c.URL) != nil {
			return z, fmt.Errorf("a challenge has type %q and URL %q", quote(c.Type), quote(c.URL))
		}
	}
	return z, nil
}

// expiry judges the time at which an authorization ends.
func (z authz) expiry(now time.Time) verdict {
	at, err := time.Parse(time.RFC3339, z.Expires)
	switch {
	case z.Expires == "" && z.Status == "valid":
		return verdict{Broken, "it is valid, and has none"}
	case z.Expires == "":
		return verdict{Held, "it is " + quote(z.Status) + ", and has none"}
	case err != nil:
		return verdict{Broken, "it is " + quote(z.Expires)}
	case z.Status == "valid" && !at.After(now):
		return verdict{Broken, "it is valid, and ended at " + quote(z.Expires)}
	}
	return verdict{Held, quote(z.Status) + " until " + quote(z.Expires)}
}

// badAuthz is a newAuthz request that must not be granted.
type badAuthz struct {
	check  string
	level  Level
	clause string
	demand string
	// payload is what is asked for if it is not the good identifier.
	payload func(Identifier) object
	// header changes the header; stranger signs with a key that is not the account's; aboutNonce is not sent again with another nonce.
	header     func(s *server, key accountKey, h object)
	stranger   bool
	aboutNonce bool
	// status and kind are what the text says a refusal looks like: 0 and empty, if it says nothing.
	status int
	kind   string
}

var badAuthzs = []badAuthz{
	{check: "authz-wildcard", level: Must, clause: "RFC 8555 7.4.1, 7.1.4", demand: "there are no pre-authorizations for wildcard names",
		payload: func(id Identifier) object {
			if id.Type != "dns" {
				id.Value = "countersign-conformance.example"
			}
			return object{"identifier": Identifier{"dns", "*." + id.Value}}
		}},
	{check: "authz-no-identifier", level: Must, clause: "RFC 8555 7.4.1", demand: "a request names an identifier", payload: func(Identifier) object { return object{} }},
	{check: "authz-no-value", level: Must, clause: "RFC 8555 7.4.1", demand: "an identifier has a value", payload: func(id Identifier) object {
		return object{"identifier": object{"type": id.Type}}
	}},
	{check: checkUnknownType, level: Should, clause: "RFC 8555 7.4.1", demand: "an identifier of a type that the server does not know is refused", payload: func(id Identifier) object {
		return object{"identifier": Identifier{"countersign-unknown", id.Value}}
	}},
	{check: "authz-nonce-missing", level: Must, clause: "RFC 8555 6.5", demand: "a request without a nonce is refused as badNonce, with 400", aboutNonce: true, status: 400, kind: "badNonce",
		header: func(_ *server, _ accountKey, h object) { delete(h, "nonce") }},
	{check: "authz-nonce-again", level: Must, clause: "RFC 8555 6.5", demand: "a nonce that was used is refused as badNonce, with 400", aboutNonce: true, status: 400, kind: "badNonce",
		header: func(s *server, _ accountKey, h object) { h["nonce"] = s.used }},
	{check: "authz-url-other", level: Must, clause: "RFC 8555 6.4", demand: "a request for another URL of the server is refused as unauthorized", kind: "unauthorized",
		header: func(s *server, _ accountKey, h object) { h["url"] = s.dir.NewAccount }},
	{check: "authz-jwk", level: Must, clause: "RFC 8555 6.2", demand: "a request is signed for an account, by its kid, and not by a key alone",
		header: func(_ *server, key accountKey, h object) {
			delete(h, "kid")
			h["jwk"] = key.jwk()
		}},
	{check: "authz-stranger", level: Must, clause: "RFC 8555 6.2, 7.5", demand: "a request with the kid of one account and the signature of another key is refused", stranger: true},
}

const checkUnknownType = "authz-type-unknown"

// judge says what an answer to a bad request means, beside a good one that was granted.
func (b badAuthz) judge(a answer, err error) verdict {
	wanted := b.status == 0 || a.status == b.status
	wanted = wanted && (b.kind == "" || a.kind == errorPrefix+b.kind)
	switch {
	case err != nil:
		return verdict{Undecided, "no answer: " + quote(err.Error())}
	case a.ok():
		return verdict{Broken, "granted: " + a.String()}
	case b.kind != "" && wanted:
		return verdict{Held, "refused: " + a.String()} // badNonce is no refusal elsewhere
	case !a.refused() && !b.aboutNonce:
		return verdict{Undecided, "neither granted nor refused: " + a.String()}
	case !wanted && a.status < 500 && a.status != http.StatusTooManyRequests:
		return verdict{Broken, "refused, but not so: " + a.String()}
	case !wanted:
		return verdict{Undecided, "neither granted nor refused: " + a.String()}
	}
	return verdict{Held, "refused: " + a.String()}
}

// authorizations asks about pre-authorization, and returns what was refused on the way.
func (r *Run) authorizations(ctx context.Context, g good) []trial {
	const check, clause, demand = "authz-offered", "RFC 8555 7.1.1, 7.4.1", "newAuthz is in the directory exactly if there are pre-authorizations"
	offered := func(o Outcome, saw string) { r.add(check, Must, clause, demand, verdict{o, saw}) }
	at := r.server.dir.NewAuthz
	switch err := address("newAuthz", at); {
	case at == "":
		offered(NotApplicable, "not offered")
		return nil
	case err != nil:
		offered(Broken, err.Error())
		return nil
	case r.Identifier.Type == "":
		offered(Undecided, "offered, and not asked: no identifier was named that the account may be pre-authorized for")
		return nil
	case !g.taken || g.account.url == "":
		offered(Undecided, "offered, and not asked: there is no account to ask with")
		return nil
	}
	a, err := r.newAuthz(ctx, g.account, r.Identifier)
	switch {
	case err != nil:
		offered(Undecided, "no answer: "+quote(err.Error()))
		return nil
	case a.status == http.StatusNotFound || a.status == http.StatusMethodNotAllowed || a.status == http.StatusNotImplemented:
		offered(Broken, "it is in the directory, and nothing is there: "+a.String())
		return nil
	case !a.ok():
		offered(Undecided, "an authorization for "+quote(r.Identifier.Value)+" was refused, so that nothing was shown. Is it one that the account may have? "+a.String())
		return []trial{{badBinding: badBinding{check: check}, answer: a}}
	}
	offered(Held, "offered, and "+a.String())
	z := r.created(a)
	refused := r.refusals(ctx, g)
	r.ordered(ctx, g, z)
	r.owned(ctx, g, z)
	r.ended(ctx, g, z)
	return refused
}

// newAuthz asks for an authorization.
func (r *Run) newAuthz(ctx context.Context, by account, id Identifier) (answer, error) {
	return r.server.post(ctx, r.server.dir.NewAuthz, by.key, by.url, func(string) ([]byte, error) { return object{"identifier": id}.json(), nil })
}

// created judges the answer with a new authorization in it.
func (r *Run) created(a answer) authz {
	z, wrong := readAuthz(a)
	z.url = a.location
	v := verdict{Held, a.String()}
	if a.status != http.StatusCreated || address("Location", a.location) != nil {
		v = verdict{Broken, fmt.Sprintf("%s, Location %q", a, quote(a.location))}
	}
	r.add("authz-created", Must, "RFC 8555 7.4.1", "a new authorization is answered by 201 with its URL in Location", v)

	v = verdict{Held, fmt.Sprintf("it is, with %d challenges", len(z.Challenges))}
	if wrong != nil {
		v = verdict{Broken, wrong.Error()}
	}
	r.add("authz-object", Must, "RFC 8555 7.1.4, 8", "the answer is an authorization object: identifier, status, challenges with their types and URLs", v)

	v = verdict{Held, "it is the same"}
	if z.Identifier != r.Identifier {
		v = verdict{Broken, fmt.Sprintf("it is %q of type %q", quote(z.Identifier.Value), quote(z.Identifier.Type))}
	}
	r.add("authz-identifier", Must, "RFC 8555 7.4.1", "the identifier of the authorization is exactly the one that was asked for", v)

	v = verdict{Held, "it is " + quote(z.Status)}
	if z.Status != "pending" && z.Status != "valid" {
		v.outcome = Broken
	}
	r.add("authz-status", Must, "RFC 8555 7.4.1", "a new authorization is pending, or valid if the server knows by other ways", v)
	r.add("authz-expires", Must, "RFC 8555 7.1.4", "expires is a time of RFC 3339, and there if the authorization is valid", z.expiry(r.Now()))

	v = verdict{Held, "it does not"}
	if z.Wildcard {
		v = verdict{Broken, "it does"}
	}
	r.add("authz-no-wildcard", Must, "RFC 8555 7.1.4", "a pre-authorization does not say that it is for a wildcard name", v)

	v = verdict{Held, "it is there"}
	if !a.nonce {
		v = verdict{Broken, "it is not"}
	}
	r.add("authz-nonce-given", Must, "RFC 8555 6.5", "the answer to a POST that succeeded has a Replay-Nonce", v)
	return z
}

// refusals sends what must not be granted.
func (r *Run) refusals(ctx context.Context, g good) (tried []trial) {
	for _, b := range badAuthzs {
		ask := object{"identifier": r.Identifier}
		if b.payload != nil {
			ask = b.payload(r.Identifier)
		}
		by := g.account.key
		if b.stranger {
			other, err := newAccountKey()
			if err != nil {
				r.add(b.check, b.level, b.clause, b.demand, verdict{Undecided, err.Error()})
				continue
			}
			by = other
		}
		a, err := r.server.postWith(ctx, r.server.dir.NewAuthz, by, g.account.url, func(string) ([]byte, error) { return ask.json(), nil }, b.aboutNonce, func(h object) {
			if b.header != nil {
				b.header(r.server, by, h)
			}
		})
		r.add(b.check, b.level, b.clause, b.demand, b.judge(a, err))
		tried = append(tried, trial{badBinding: badBinding{check: b.check}, sent: true, answer: a, err: err})
		if b.check == checkUnknownType {
			r.add("authz-type-said", Should, "RFC 8555 7.4.1, 6.7", "what the server will not issue for is refused with 403, as unsupportedIdentifier or rejectedIdentifier", said(a, err))
		}
	}
	return tried
}

// said judges the words in which an identifier of an unknown type was refused.
func said(a answer, err error) verdict {
	named := a.kind == errorPrefix+"unsupportedIdentifier" || a.kind == errorPrefix+"rejectedIdentifier"
	switch {
	case err != nil || a.ok() || !a.refused():
		return verdict{NotApplicable, "it was not refused"}
	case a.status != http.StatusForbidden || !named:
		return verdict{Broken, a.String()}
	}
	return verdict{Held, a.String()}
}

// owned asks for the authorization as its owner does, as nobody, and as somebody else.
func (r *Run) owned(ctx context.Context, g good, z authz) {
	read := verdict{Undecided, "its URL is not known"}
	open, theirs, ended := read, read, read
	if address("the authorization", z.url) == nil {
		read = r.readAgain(ctx, g.account, z)
		a, _, err := r.server.send(ctx, http.MethodGet, z.url, nil)
		open = badAuthz{status: http.StatusMethodNotAllowed, kind: "malformed"}.judge(a, err)
		theirs, ended = r.byAnother(ctx, g, z)
	}
	r.add("authz-read", Must, "RFC 8555 7.5, 6.3", "its owner reads the authorization with POST-as-GET: 200, and the same authorization", read)
	r.add("authz-get", Must, "RFC 8555 6.3", "GET of the authorization is refused as malformed, with 405", open)
	r.add("authz-read-by-another", Should, "RFC 8555 6.3, 7.5", "another account does not read the authorization", theirs)
	r.add("authz-ended-by-another", Must, "RFC 8555 7.5.2", "another account does not deactivate the authorization", ended)
}

func (r *Run) readAgain(ctx context.Context, by account, z authz) verdict {
	a, err := r.at(ctx, by, z.url, nil)
	if err != nil {
		return verdict{Undecided, "no answer: " + quote(err.Error())}
	}
	again, wrong := readAuthz(a)
	switch {
	case !a.ok() && !a.refused():
		return verdict{Undecided, a.String()}
	case a.status != http.StatusOK:
		return verdict{Broken, a.String()}
	case wrong != nil:
		return verdict{Broken, wrong.Error()}
	case again.Identifier != z.Identifier:
		return verdict{Broken, "it is another: " + quote(again.Identifier.Value)}
	}
	return verdict{Held, a.String()}
}

// at posts to a URL of the server; a nil payload is POST-as-GET.
func (r *Run) at(ctx context.Context, by account, to string, payload []byte) (answer, error) {
	if err := address("a URL of the server", to); err != nil {
		return answer{}, err
	}
	return r.server.post(ctx, to, by.key, by.url, func(string) ([]byte, error) { return payload, nil })
}

// byAnother has another account read the authorization and deactivate it.
func (r *Run) byAnother(ctx context.Context, g good, z authz) (read, ended verdict) {
	other, why := r.another(ctx, g)
	if why != "" {
		return verdict{Undecided, why}, verdict{Undecided, why}
	}
	read = badAuthz{}.judge(r.at(ctx, other, z.url, nil))
	a, err := r.at(ctx, other, z.url, object{"status": "deactivated"}.json())
	ended = badAuthz{}.judge(a, err)
	if ended.outcome == Held {
		// A refusal that did it all the same is none.
		now, err := r.at(ctx, g.account, z.url, nil)
		if seen, _ := readAuthz(now); err == nil && now.ok() && seen.Status == "deactivated" {
			ended = verdict{Broken, "refused, and done: " + a.String()}
		}
	}
	return read, ended
}

// another is an account beside the one of the good binding: one that was made without a binding, or one with the other key.
func (r *Run) another(ctx context.Context, g good) (account, string) {
	for _, a := range r.made {
		if a.url != "" && a.url != g.account.url {
			return a, ""
		}
	}
	switch {
	case r.OtherKid == "":
		return account{}, "not asked: there is no other account, and no second key to make one with"
	case len(r.made)+r.report.Unsure >= r.MaxAccounts:
		return account{}, "not asked: the server had made as many accounts as it may"
	}
	s, err := r.scene()
	if err != nil {
		return account{}, err.Error()
	}
	s.kid, s.key = r.OtherKid, r.OtherKey
	a, err := r.newAccount(ctx, s, func(s scene) any { return s.good() })
	switch {
	case err != nil:
		return account{}, "no other account was made: " + quote(err.Error())
	case !a.ok() || a.location == "":
		return account{}, "no other account was made with the second key: " + a.String()
	}
	return account{s.account, a.location}, ""
}

// order is what is read of one (RFC 8555 7.1.3).
type order struct {
	Status         string
	Authorizations []string
}

// newOrder orders what the authorization is for. It is left to expire.
func (r *Run) newOrder(ctx context.Context, by account) (o order, a answer, err error) {
	a, err = r.at(ctx, by, r.server.dir.NewOrder, object{"identifiers": []Identifier{r.Identifier}}.json())
	if err == nil && a.ok() {
		_ = json.Unmarshal(a.body["status"], &o.Status) // what is not there is empty
		_ = json.Unmarshal(a.body["authorizations"], &o.Authorizations)
	}
	return o, a, err
}

// granted says of an order that it wants nothing more of the account (RFC 8555 7.1.6).
func (o order) granted() bool {
	return slices.Contains([]string{"ready", "processing", "valid"}, o.Status)
}

// ordered makes an order for what was authorized.
func (r *Run) ordered(ctx context.Context, g good, z authz) {
	o, a, err := r.newOrder(ctx, g.account)
	r.add("order-status", Must, "RFC 8555 7.1.6, 7.1.3", "an order is ready exactly if all authorizations that it lists are valid", r.consistent(ctx, g.account, o, a, err))

	v := verdict{Held, "it is " + quote(o.Status)}
	switch {
	case z.Status != "valid":
		v = verdict{NotApplicable, "the authorization is " + quote(z.Status) + ": nothing to use again"}
	case err != nil:
		v = verdict{Undecided, "no answer: " + quote(err.Error())}
	case a.refused():
		v = verdict{Broken, "the order was refused: " + a.String()}
	case !a.ok():
		v = verdict{Undecided, a.String()}
	case !o.granted():
		v = verdict{Broken, "it is " + quote(o.Status)}
	}
	r.add("order-ready", Should, "RFC 8555 7.4.1, 7.1.3", "an order for what is pre-authorized is ready at once", v)
}

// ended has the owner deactivate the authorization, and orders once more.
func (r *Run) ended(ctx context.Context, g good, z authz) {
	ended, done := r.deactivate(ctx, g.account, z)
	r.add("authz-deactivated", Should, "RFC 8555 7.5.2", "its owner deactivates the authorization: 200, and it is deactivated when it is read", ended)
	v := verdict{Undecided, "the authorization could not be deactivated"}
	switch {
	case done:
		o, a, err := r.newOrder(ctx, g.account)
		v = useless(z, o, a, err)
	case ended.outcome == NotApplicable: // the server may say no, and has nothing to hold to then
		v = verdict{NotApplicable, "the server did not deactivate it"}
	}
	r.add("authz-ended-is-ended", Must, "RFC 8555 7.5.2", "an authorization that is deactivated makes no order ready", v)
}

// consistent holds an order against the authorizations that it lists.
func (r *Run) consistent(ctx context.Context, by account, o order, a answer, err error) verdict {
	switch {
	case err != nil:
		return verdict{Undecided, "no answer: " + quote(err.Error())}
	case a.refused():
		return verdict{NotApplicable, "the order was refused: " + a.String()}
	case !a.ok():
		return verdict{Undecided, a.String()}
	case len(o.Authorizations) == 0:
		return verdict{Broken, "it lists none, and is " + quote(o.Status)}
	}
	waits := ""
	for _, at := range o.Authorizations[:min(maxListed, len(o.Authorizations))] {
		z, err := r.listed(ctx, by, at)
		if err != nil {
			return verdict{Undecided, "an authorization that it lists cannot be read: " + quote(err.Error())}
		}
		if z.Status != "valid" {
			waits = z.Status
		}
	}
	saw := fmt.Sprintf("it is %s, and of its %d authorizations ", quote(o.Status), len(o.Authorizations))
	if waits == "" {
		saw += "all are valid"
	} else {
		saw += "one is " + quote(waits)
	}
	if (waits == "") != o.granted() {
		return verdict{Broken, saw}
	}
	return verdict{Held, saw}
}

// listed reads an authorization of an order.
func (r *Run) listed(ctx context.Context, by account, at string) (authz, error) {
	a, err := r.at(ctx, by, at, nil)
	if err != nil {
		return authz{}, err
	}
	if !a.ok() {
		return authz{}, errors.New(a.String())
	}
	return readAuthz(a)
}

// deactivate gives the authorization up, and says whether it is deactivated then.
func (r *Run) deactivate(ctx context.Context, by account, z authz) (verdict, bool) {
	a, err := r.at(ctx, by, z.url, object{"status": "deactivated"}.json())
	switch {
	case err != nil:
		return verdict{Undecided, "no answer: " + quote(err.Error())}, false
	case a.refused():
		return verdict{NotApplicable, "the server does not accept it, as it may: " + a.String()}, false
	case !a.ok():
		return verdict{Undecided, a.String()}, false
	}
	after, err := r.listed(ctx, by, z.url)
	told, _ := readAuthz(a)
	switch {
	case err != nil:
		return verdict{Undecided, "it cannot be read then: " + quote(err.Error())}, false
	case after.Status != "deactivated":
		return verdict{Broken, "accepted, and it is " + quote(after.Status)}, false
	case a.status != http.StatusOK || told.Status != "deactivated":
		return verdict{Broken, fmt.Sprintf("answered by %s with status %q", a, quote(told.Status))}, true
	}
	return verdict{Held, a.String()}, true
}

// useless judges an order that was made after the authorization was deactivated.
func useless(z authz, o order, a answer, err error) verdict {
	switch {
	case err != nil:
		return verdict{Undecided, "no answer: " + quote(err.Error())}
	case a.refused():
		return verdict{Held, "an order is refused: " + a.String()}
	case !a.ok():
		return verdict{Undecided, a.String()}
	case !o.granted():
		return verdict{Held, "an order is " + quote(o.Status)}
	case len(o.Authorizations) == 0 || slices.Contains(o.Authorizations, z.url):
		return verdict{Broken, "an order is " + quote(o.Status) + " by it"}
	}
	return verdict{Held, "an order is " + quote(o.Status) + " by another authorization"}
}
