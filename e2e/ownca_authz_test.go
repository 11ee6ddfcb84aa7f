package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/countersign-id/countersign/client"
)

// caAuthz is an authorization of ours: the id that countersign knows it by, and whose it is.
type caAuthz struct{ account, id string }

// authzPath is where an account finds an authorization: the same place, whichever of newAuthz and newOrder it came by.
func (ca *ownCA) authzPath(a *caAccount, id string) string {
	want := caAuthz{a.url, id}
	for path, have := range ca.authzs {
		if have == want {
			return path
		}
	}
	path := ca.name("authz")
	ca.authzs[path] = want
	return path
}

// newAuthz opens a pre-authorization (RFC 8555 7.4.1). It is valid at once if the proof was there before the account was, by the key
// that the account is bound by, and otherwise pending until a person has completed it.
func (ca *ownCA) newAuthz(w http.ResponseWriter, r *http.Request, a *caAccount, payload json.RawMessage) {
	var asked struct{ Identifier client.Identifier }
	if err := json.Unmarshal(payload, &asked); err != nil || asked.Identifier.Type == "" || asked.Identifier.Value == "" {
		ca.refuse(w, &client.Problem{Type: client.Malformed, Status: 400, Detail: "an identifier has a type and a value"})
		return
	}
	profile := ca.profileOf[asked.Identifier.Type]
	if profile == "" {
		ca.refuse(w, &client.Problem{Type: client.UnsupportedIdentifier, Status: 403, Detail: "nothing is issued for this type"})
		return
	}
	opened, err := ca.cs.Open(r.Context(), client.OpenRequest{Account: &client.Account{URL: a.url, JWK: a.jwk}, Identifier: asked.Identifier, Profile: profile})
	if err != nil {
		ca.refuse(w, err)
		return
	}
	path := ca.authzPath(a, opened.ID)
	w.Header().Set("Location", ca.url(path))
	ca.showAuthz(w, 201, path, opened)
}

// ownAuthz is the id of an authorization that the account has, by the number in its path. If there is none, the answer is given.
func (ca *ownCA) ownAuthz(w http.ResponseWriter, r *http.Request, a *caAccount) (path, id string, ok bool) {
	_, number, _ := strings.Cut(r.URL.Path[1:], "/")
	path = "/authz/" + number
	have, ok := ca.authzs[path]
	if !ok || have.account != a.url {
		ca.refuse(w, &client.Problem{Type: client.Unauthorized, Status: 403, Detail: "not an authorization of the account"})
		return "", "", false
	}
	return path, have.id, true
}

// authz shows an authorization, or gives it up (RFC 8555 7.5, 7.5.2).
func (ca *ownCA) authz(w http.ResponseWriter, r *http.Request, a *caAccount, payload json.RawMessage) {
	path, id, ok := ca.ownAuthz(w, r, a)
	if !ok {
		return
	}
	var asked struct{ Status string }
	_ = json.Unmarshal(payload, &asked) // POST-as-GET has none
	ask := ca.cs.Authorization
	if asked.Status == client.StatusDeactivated {
		ask = ca.cs.Deactivate
	}
	got, err := ask(r.Context(), id)
	if err != nil {
		ca.refuse(w, err)
		return
	}
	ca.showAuthz(w, 200, path, got)
}

// challenge tells that the account asked for its challenge (RFC 8555 7.5.1). What completes it is a person.
func (ca *ownCA) challenge(w http.ResponseWriter, r *http.Request, a *caAccount) {
	path, id, ok := ca.ownAuthz(w, r, a)
	if !ok {
		return
	}
	got, err := ca.cs.StartChallenge(r.Context(), id)
	if err != nil {
		ca.refuse(w, err)
		return
	}
	w.Header().Set("Link", fmt.Sprintf("<%s>;rel=\"up\"", ca.url(path)))
	ca.show(w, 200, ca.shownChallenge(path, *got))
}

// showAuthz shows an authorization with its one challenge, whose URL is the CA's and not countersign's.
func (ca *ownCA) showAuthz(w http.ResponseWriter, status int, path string, got *client.Authorization) {
	challenges := []map[string]any{}
	for _, c := range got.Challenges {
		challenges = append(challenges, ca.shownChallenge(path, c))
	}
	ca.show(w, status, map[string]any{"identifier": got.Identifier, "status": got.Status, "expires": got.Expires, "challenges": challenges})
}

func (ca *ownCA) shownChallenge(path string, c client.Challenge) map[string]any {
	shown := map[string]any{"type": c.Type, "url": ca.url(strings.Replace(path, "/authz/", "/challenge/", 1)), "status": c.Status, "token": c.Token}
	if c.Validated != nil {
		shown["validated"] = c.Validated
	}
	return shown
}
