package client_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/countersign-id/countersign/client"
)

func TestARefusalCanBePassedOn(t *testing.T) {
	c, _ := newDouble(t, client.Config{}, answer{status: 200, body: `{"allow":false,"error":{
		"type":"urn:ietf:params:acme:error:userActionRequired","title":"A person must act","status":403,"detail":"open the instance",
		"instance":"https://proof.example.org/c/1","subproblems":[
		{"type":"urn:ietf:params:acme:error:userActionRequired","detail":"prove it","identifier":{"type":"dns","value":"example.com"},"instance":"https://proof.example.org/c/1"},
		{"type":"urn:ietf:params:acme:error:badCSR","detail":"the key is too small","pointer":"#/csr"},
		{"type":"urn:countersign:error:unknownMember","detail":"ours","pointer":"#/x"}]}}`})
	yes, err := c.Authorize(t.Context(), question)
	if yes != nil || !client.IsProblem(err, client.UserActionRequired) {
		t.Fatalf("%v, %v", yes, err)
	}
	p := client.ACMEProblem(err)
	if p.Status != 403 || p.Instance != "https://proof.example.org/c/1" || len(p.Subproblems) != 2 {
		t.Fatalf("%+v", p)
	}
	if sub := p.Subproblems[0]; sub.Identifier.Value != "example.com" || sub.Instance == "" {
		t.Errorf("%+v", sub)
	}
	if sub := p.Subproblems[1]; sub.Type != client.BadCSR || sub.Pointer != "" {
		t.Errorf("%+v", sub)
	}
}

func TestOnlyAWholeYesIsAYes(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":                `{}`,
		"no reason":              `{"allow":false}`,
		"a yes with an error":    `{"allow":true,"authorizations":["a1"],"recheck_after":"2099-01-01T00:00:00Z","error":{"type":"urn:ietf:params:acme:error:unauthorized"}}`,
		"it rests on nothing":    `{"allow":true,"authorizations":[],"recheck_after":"2099-01-01T00:00:00Z"}`,
		"it holds for ever":      `{"allow":true,"authorizations":["a1"]}`,
		"a word for a yes":       `{"allow":"true","authorizations":["a1"],"recheck_after":"2099-01-01T00:00:00Z"}`,
		"cut off":                `{"allow":true,"authorizations":["a1"],"recheck_af`,
		"something else after":   `{"allow":true,"authorizations":["a1"],"recheck_after":"2099-01-01T00:00:00Z"}{"allow":false}`,
		"a page of some gateway": `<html>signed in</html>`,
	} {
		c, _ := newDouble(t, client.Config{Attempts: 1, CacheFor: time.Hour}, answer{status: 200, body: body})
		if yes, err := c.Authorize(t.Context(), question); yes != nil || err == nil {
			t.Errorf("%s: %+v", name, yes)
		}
	}
}

func TestWarningsComeWithTheYes(t *testing.T) {
	c, _ := newDouble(t, client.Config{}, answer{status: 200, body: `{"allow":true,"authorizations":["a1"],"assessment":null,"data":{},"recheck_after":"2099-01-01T00:00:00Z",
		"warnings":[{"type":"urn:ietf:params:acme:error:caa","detail":"the CAA records let nobody issue","identifier":{"type":"dns","value":"example.com"}}]}`})
	yes, err := c.Authorize(t.Context(), question)
	if err != nil || len(yes.Warnings) != 1 || yes.Warnings[0].Type != client.CAAForbids || yes.Warnings[0].Identifier.Value != "example.com" {
		t.Errorf("%+v, %v", yes, err)
	}
}

func TestAFaultBetweenTheTwoIsNotToldToTheACMEClient(t *testing.T) {
	c, _ := newDouble(t, client.Config{}, problem(401, client.CredentialInvalid, `,"detail":"the token is wrong"`))
	_, err := c.Authorize(t.Context(), question)
	if p := client.ACMEProblem(err); p.Type != client.ServerInternal || p.Status != 503 {
		t.Errorf("%+v", p)
	}
	if p := client.ACMEProblem(errors.New("anything")); p.Type != client.ServerInternal {
		t.Errorf("%+v", p)
	}
	if p := client.ACMEProblem(nil); p != nil {
		t.Errorf("%+v", p)
	}
}

func TestAYesIsKeptNoLongerThanItHolds(t *testing.T) {
	at := &clock{now: time.Now().Truncate(time.Second)}
	for name, tt := range map[string]struct {
		cache, holds time.Duration // of the configuration, and of the answer
		date         time.Duration // how far the service's clock is ahead
		after        time.Duration
		kept         bool
	}{
		"no cache":                         {0, time.Hour, 0, 0, false},
		"within both":                      {time.Minute, time.Hour, 0, 59 * time.Second, true},
		"beyond the configuration":         {time.Minute, time.Hour, 0, 61 * time.Second, false},
		"beyond recheck_after":             {time.Hour, time.Minute, 0, 61 * time.Second, false},
		"the service's clock is ahead":     {3 * time.Hour, time.Minute, 2 * time.Hour, 61 * time.Second, false},
		"the service's clock is behind":    {3 * time.Hour, time.Minute, -2 * time.Hour, 59 * time.Second, true},
		"recheck_after is over already":    {time.Hour, -time.Second, 0, 0, false},
		"recheck_after is this very point": {time.Hour, 0, 0, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			theirs := at.Now().Add(tt.date)
			c, d := newDouble(t, client.Config{CacheFor: tt.cache, Now: at.Now}, answer{
				status: 200, body: yes(theirs.Add(tt.holds)), header: map[string]string{"Date": theirs.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")},
			})
			for range 2 {
				if _, err := c.Authorize(t.Context(), question); err != nil {
					t.Fatal(err)
				}
				at.pass(tt.after)
			}
			if kept := len(d.calls()) == 1; kept != tt.kept {
				t.Errorf("asked %d times", len(d.calls()))
			}
		})
	}
}

func TestAYesIsForTheSameQuestionOnly(t *testing.T) {
	c, d := newDouble(t, client.Config{CacheFor: time.Hour}, answer{status: 200, body: yes(time.Now().Add(time.Hour))})
	other, csr, profile := question, question, question
	other.Account = &client.Account{Thumbprint: "another"}
	csr.CSR = client.DER{1, 2, 3}
	profile.Profile = "client"
	for _, q := range []client.AuthorizeRequest{question, other, csr, profile, question} {
		if _, err := c.Authorize(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(d.calls()); n != 4 {
		t.Errorf("asked %d times", n)
	}
}

func TestNobodyChangesAYesForAnother(t *testing.T) {
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	c, d := newDouble(t, client.Config{CacheFor: time.Hour}, answer{status: 200, body: `{"allow":true,"authorizations":["a1"],"assessment":{"ial":1},"recheck_after":"` + until + `",
		"data":{"organization":{"name":"Example Ltd"}},"warnings":[{"type":"urn:ietf:params:acme:error:caa","detail":"no","identifier":{"type":"dns","value":"example.com"}}]}`})
	for range 3 {
		a, err := c.Authorize(t.Context(), question)
		if err != nil {
			t.Fatal(err)
		}
		if a.Authorizations[0] != "a1" || string(a.Assessment) != `{"ial":1}` || a.Data.Organization.Name != "Example Ltd" || a.Warnings[0].Detail != "no" || a.Warnings[0].Identifier.Value != "example.com" {
			t.Fatalf("%+v, %+v", a, a.Data.Organization)
		}
		a.Authorizations[0], a.Data.Organization.Name, a.Warnings[0].Detail, a.Warnings[0].Identifier.Value = "b", "Another Ltd", "yes", "example.org"
		copy(a.Assessment, `{"ial":3}`)
	}
	c.Forget("a1") // by what the service called it
	if _, err := c.Authorize(t.Context(), question); err != nil || len(d.calls()) != 2 {
		t.Errorf("%v, after %d calls", err, len(d.calls()))
	}
}

func TestWhatAChangeTouchesIsForgotten(t *testing.T) {
	event := `{"events":[{"id":"e1","type":"preauthorization.revoked","timestamp":"2026-01-01T00:00:00Z","sequence":1,"data":{"preauthorization":"a1","frozen":false,"reason":null}}],"next":"n"}`
	allowed := answer{status: 200, body: yes(time.Now().Add(time.Hour))}
	for name, tt := range map[string]struct {
		change func(*client.Client) error
		said   answer
	}{
		"an event": {func(c *client.Client) error { _, err := c.Events(t.Context(), "", 0, 0); return err }, answer{status: 200, body: event}},
		"a feed with a gap": {func(c *client.Client) error {
			if _, err := c.Events(t.Context(), "x", 0, 0); !client.IsProblem(err, client.EventsExpired) {
				return errors.Join(errors.New("no gap"), err)
			}
			return nil
		}, problem(410, client.EventsExpired, "")},
		"deactivation":         {func(c *client.Client) error { _, err := c.Deactivate(t.Context(), "a1"); return err }, answer{status: 200, body: `{"id":"a1"}`}},
		"the account's end":    {func(c *client.Client) error { return c.AccountDeactivated(t.Context(), *question.Account) }, problem(404, client.AccountDoesNotExist, "")},
		"a key is revoked":     {func(c *client.Client) error { return c.RevokeKey(t.Context(), "kid-1") }, answer{status: 200, body: `{}`}},
		"what another process": {func(c *client.Client) error { c.Forget("a1"); return nil }, allowed},
	} {
		t.Run(name, func(t *testing.T) {
			c, d := newDouble(t, client.Config{CacheFor: time.Hour}, allowed, tt.said, problem(403, client.Unauthorized, ""))
			if name == "what another process" {
				c, d = newDouble(t, client.Config{CacheFor: time.Hour}, allowed, problem(403, client.Unauthorized, ""))
			}
			for range 2 {
				if _, err := c.Authorize(t.Context(), question); err != nil {
					t.Fatal(err)
				}
			}
			if err := tt.change(c); err != nil {
				t.Fatal(err)
			}
			if yes, err := c.Authorize(t.Context(), question); yes != nil || !client.IsProblem(err, client.Unauthorized) {
				t.Errorf("%v, %v after %d calls", yes, err, len(d.calls()))
			}
		})
	}
}

func TestAYesThatWasOvertakenByAChangeIsNotKept(t *testing.T) {
	var c *client.Client
	allowed := answer{status: 200, body: yes(time.Now().Add(time.Hour)), during: func() { c.Forget("a1") }}
	c, d := newDouble(t, client.Config{CacheFor: time.Hour}, allowed)
	for range 2 {
		if _, err := c.Authorize(t.Context(), question); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(d.calls()); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

func TestARequestIsWrittenAsTheServiceReadsIt(t *testing.T) {
	c, d := newDouble(t, client.Config{}, answer{status: 200, body: yes(time.Now().Add(time.Hour))})
	if _, err := c.Authorize(t.Context(), client.AuthorizeRequest{PublicKey: client.DER{0xfb, 0xff}, Identifiers: []client.Identifier{client.DNS("a.example")}, Profile: "p", CSR: client.DER{1}}); err != nil {
		t.Fatal(err)
	}
	var sent map[string]any
	if err := json.Unmarshal([]byte(d.calls()[0].body), &sent); err != nil {
		t.Fatal(err)
	}
	if sent["public_key"] != "-_8" || sent["csr"] != "AQ" || len(sent) != 4 {
		t.Errorf("%v", sent)
	}
}
