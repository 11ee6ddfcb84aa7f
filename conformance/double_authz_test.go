package conformance

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const otherKid = "kid-2"

// What the double knows of whoever has an account there: valid is theirs already, and pending waits for a challenge.
var (
	validName   = Identifier{"dns", "valid.example"}
	pendingName = Identifier{"dns", "pending.example"}
)

type storedAuthz struct {
	owner  *stored
	id     Identifier
	status string
}

// newAuthzDouble is a double that serves newAuthz.
func newAuthzDouble(t *testing.T, wrong ...string) *double {
	d := newDouble(t, wrong...)
	d.authorizes = true
	return d
}

// authzEAB is what a run of it needs that is to find everything.
func (d *double) authzEAB() EAB {
	e := d.eab()
	e.Identifier, e.OtherKid, e.OtherKey = validName, otherKid, theKey
	return e
}

func (d *double) newAuthzURL() string { return d.URL + "/new-authz" }

// authorize serves what has to do with authorizations, and says whether that is what was asked for.
func (d *double) authorize(w http.ResponseWriter, r *http.Request, at *stored, body object) bool {
	switch path := r.URL.Path; {
	case !d.authorizes:
		return false
	case path == "/new-authz" && !d.wrong["has newAuthz in its directory alone"]:
		d.newAuthz(w, at, body)
	case path == "/new-order":
		d.newOrder(w, at)
	case strings.HasPrefix(path, "/authz/"):
		d.authz(w, d.URL+path, at, body)
	default:
		return false
	}
	return true
}

func (d *double) newAuthz(w http.ResponseWriter, at *stored, body object) {
	asked, _ := body["identifier"].(map[string]any)
	id := Identifier{}
	id.Type, _ = asked["type"].(string)
	id.Value, _ = asked["value"].(string)
	switch {
	case asked == nil && !d.wrong["authorizes for nothing"], id.Value == "" && asked != nil && !d.wrong["authorizes for an empty name"]:
		d.refuse(w, 400, "malformed", "no identifier")
		return
	case id.Type != "dns" && asked != nil && d.wrong["has another word for unsupported"]:
		d.refuse(w, 400, "malformed", "the type")
		return
	case id.Type != "dns" && asked != nil && !d.wrong["authorizes any type"]:
		d.refuse(w, 403, "unsupportedIdentifier", "the type")
		return
	case strings.HasPrefix(id.Value, "*.") && !d.wrong["authorizes wildcards"]:
		d.refuse(w, 403, "rejectedIdentifier", "no wildcards")
		return
	}
	url := fmt.Sprintf("%s/authz/%d", d.URL, len(d.authzs)+1)
	z := &storedAuthz{owner: at, id: id, status: "pending"}
	if id == validName {
		z.status = "valid"
	}
	if d.wrong["begins with the end"] {
		z.status = "revoked"
	}
	d.authzs[url] = z
	if !d.wrong["does not say where an authorization is"] {
		w.Header().Set("Location", url)
	}
	if d.wrong["gives no nonce with an authorization"] {
		w.Header().Del("Replay-Nonce")
	}
	status := 201
	if d.wrong["answers 200 for a new authorization"] {
		status = 200
	}
	d.showAuthz(w, status, z)
}

func (d *double) showAuthz(w http.ResponseWriter, status int, z *storedAuthz) {
	id := z.id
	if d.wrong["changes identifiers"] {
		id.Value = "www." + id.Value
	}
	body := object{"identifier": id, "status": z.status, "expires": "2099-01-01T00:00:00Z", "challenges": []object{{"type": "x-01", "url": d.URL + "/challenge/1", "status": z.status}}}
	switch {
	case d.wrong["says no end"]:
		delete(body, "expires")
	case d.wrong["says an end that was"]:
		body["expires"] = "2020-01-01T00:00:00Z"
	case d.wrong["says an end in words"]:
		body["expires"] = "tomorrow"
	}
	if d.wrong["shows no challenges"] {
		delete(body, "challenges")
	}
	if d.wrong["shows challenges without a URL"] {
		body["challenges"] = []object{{"type": "x-01"}}
	}
	if d.wrong["says wildcard"] {
		body["wildcard"] = true
	}
	w.WriteHeader(status)
	_, _ = w.Write(body.json())
}

func (d *double) authz(w http.ResponseWriter, url string, at *stored, body object) {
	z := d.authzs[url]
	ends := body["status"] == "deactivated"
	switch {
	case z == nil, d.wrong["shows no authorization"] && !ends:
		d.refuse(w, 404, "malformed", "no such authorization")
		return
	case z.owner != at && ends && d.wrong["refuses another, and does it"]:
		z.status = "deactivated"
		fallthrough
	case z.owner != at && ends && !d.wrong["lets anybody deactivate"], z.owner != at && !ends && !d.wrong["shows it to anybody"]:
		d.refuse(w, 403, "unauthorized", "another's")
		return
	case ends && d.wrong["gives up nothing"]:
		d.refuse(w, 403, "unauthorized", "no")
		return
	case ends && !d.wrong["says yes and deactivates nothing"]:
		z.status = "deactivated"
	}
	if d.wrong["shows another authorization"] {
		z = &storedAuthz{id: Identifier{"dns", "else.example"}, status: z.status}
	}
	if ends && d.wrong["answers the deactivation with what was"] {
		z = &storedAuthz{id: z.id, status: "valid"}
	}
	d.showAuthz(w, 200, z)
}

// newOrder makes an order for the first authorization of the account, and for another that is pending if that one is not valid.
func (d *double) newOrder(w http.ResponseWriter, at *stored) {
	urls, status := []string{}, "ready"
	for i := range len(d.authzs) {
		if url := fmt.Sprintf("%s/authz/%d", d.URL, i+1); d.authzs[url].owner == at {
			urls = append(urls, url)
			break
		}
	}
	z := d.authzs[urls[0]]
	switch {
	case d.wrong["refuses orders"] || z.status == "deactivated" && d.wrong["refuses an order after a deactivation"]:
		d.refuse(w, 403, "unauthorized", "no orders")
		return
	case z.status == "deactivated" && d.wrong["honours what was deactivated"]:
	case z.status == "deactivated" || d.wrong["asks anew"]:
		url := fmt.Sprintf("%s/authz/%d", d.URL, len(d.authzs)+1)
		d.authzs[url] = &storedAuthz{owner: at, id: z.id, status: "pending"}
		urls, status = []string{url}, "pending"
	case z.status != "valid":
		status = "pending"
	}
	if d.wrong["is ready too early"] {
		status = "ready"
	}
	if d.wrong["is never ready"] {
		status = "pending"
	}
	w.WriteHeader(201)
	_, _ = w.Write(object{"status": status, "identifiers": []Identifier{z.id}, "authorizations": urls, "finalize": d.URL + "/finalize/1"}.json())
}
