package acme

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// openPreauthorization opens, or returns, the authorization of one applicant for one
// identifier under one profile. It answers 201 for an existing one too: RFC 8555
// 7.4.1 knows no other answer, and clients refuse any.
func (a *api) openPreauthorization(c *call) (answer, error) {
	r, err := readOpen(c.body)
	if err != nil {
		return answer{}, err
	}
	opened, _, err := a.Service.Open(c.Context(), c.ca, r)
	if err != nil {
		return answer{}, err
	}
	ans, err := a.show(c, http.StatusCreated, opened)
	if err == nil {
		ans.header["Location"] = a.authorizationURL(opened.ID)
	}
	return ans, err
}

func readOpen(body []byte) (proofing.OpenRequest, error) {
	m := &mistakes{}
	o, err := readBody(body, m)
	if err != nil {
		return proofing.OpenRequest{}, err
	}
	who := readApplicant(o, true)
	r := proofing.OpenRequest{
		Applicant:  who.Applicant,
		CSRDigest:  who.csrDigest,
		Profile:    o.text("profile", 64),
		ExternalID: o.text("external_id", 256),
		EABKid:     readKid(o, "eab_kid"),
	}
	if who.csr != nil {
		r.CSR = who.csr.contents()
	}
	o.require("profile")
	o.require("identifier")
	if id := o.object("identifier"); id != nil {
		r.Identifier = readIdentifier(id)
	}
	if contacts := o.object("contacts"); contacts != nil {
		r.Email = proofing.Secret(contacts.text("email", 320))
		r.Phone = proofing.Secret(contacts.text("phone", 32))
		contacts.closed()
	}
	o.closed()
	return r, m.err()
}

// readKid reads the name of an external account binding key.
func readKid(o *object, name string) string {
	kid := o.text(name, 64)
	for _, r := range kid {
		if r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			o.mistake(name, "a key identifier is letters, digits, - and _")
			return ""
		}
	}
	return kid
}

// readPreauthorization answers at once, or with ?wait= as soon as the state changes.
func (a *api) readPreauthorization(c *call) (answer, error) {
	wait, err := readWait(c.URL.Query()["wait"])
	if err != nil {
		return answer{}, err
	}
	id := c.PathValue("id")
	if wait == 0 {
		found, err := a.Service.Get(c.Context(), c.ca, id)
		if err != nil {
			return answer{}, err
		}
		return a.show(c, http.StatusOK, found)
	}
	// A server's own write timeout is shorter than a patient caller. Where the
	// connection knows no deadlines there is none to move.
	_ = http.NewResponseController(c.w).SetWriteDeadline(time.Now().Add(wait + 30*time.Second))
	found, err := a.Service.Wait(c.Context(), c.ca, id, wait)
	if err != nil {
		return answer{}, err
	}
	return a.show(c, http.StatusOK, found)
}

// readWait reads ?wait=, in seconds.
func readWait(given []string) (time.Duration, error) {
	if len(given) == 0 {
		return 0, nil
	}
	n, err := strconv.ParseUint(given[0], 10, 8)
	if err != nil || n > 60 || len(given) > 1 {
		return 0, malformed("wait is one whole number of seconds from 0 to 60")
	}
	return time.Duration(n) * time.Second, nil
}

// changePreauthorization deactivates (RFC 8555 7.5.2): the one change that there is.
func (a *api) changePreauthorization(c *call) (answer, error) {
	m := &mistakes{}
	o, err := readBody(c.body, m)
	if err != nil {
		return answer{}, err
	}
	o.require("status")
	if status := o.text("status", 32); status != "" && status != "deactivated" {
		o.mistake("status", `the only status that can be asked for is "deactivated"`)
	}
	o.closed()
	if err := m.err(); err != nil {
		return answer{}, err
	}
	ended, err := a.Service.Deactivate(c.Context(), c.ca, c.PathValue("id"))
	if err != nil {
		return answer{}, err
	}
	return a.show(c, http.StatusOK, ended)
}

// startChallenge records that the account asked for its challenge, and answers
// with the challenge and the way up to its authorization (RFC 8555 7.5.1).
func (a *api) startChallenge(c *call) (answer, error) {
	if err := readEmpty(c.body); err != nil {
		return answer{}, err
	}
	started, err := a.Service.StartChallenge(c.Context(), c.ca, c.PathValue("id"))
	if err != nil {
		return answer{}, err
	}
	ans, err := jsonAnswer(http.StatusOK, a.challenge(started))
	if err == nil {
		ans.header["Link"] = "<" + a.authorizationURL(started.ID) + `>;rel="up"`
	}
	return ans, err
}

// show answers with the authorization, and with its statement where it is valid.
func (a *api) show(c *call, status int, k *proofing.Case) (answer, error) {
	k, err := a.stated(c.Context(), c.ca, k)
	if err != nil {
		return answer{}, err
	}
	body, err := a.authorization(k)
	if err != nil {
		return answer{}, err
	}
	return jsonAnswer(status, body)
}

// stated is the case with its statement signed, if it is to have one.
func (a *api) stated(ctx context.Context, ca *proofing.Authority, k *proofing.Case) (*proofing.Case, error) {
	if k.Status != proofing.CaseGranted || k.Frozen != nil {
		return k, nil
	}
	return a.Service.Statement(ctx, ca, k.ID)
}

func (a *api) authorizationURL(id string) string { return a.Origin + "/v1/preauthorizations/" + id }

// challengeURL is the URL of the one challenge of an authorization.
func (a *api) challengeURL(id string) string { return a.authorizationURL(id) + "/challenge" }
