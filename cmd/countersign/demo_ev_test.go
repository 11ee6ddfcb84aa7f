package main

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/proofing"
)

// servedDemo is a demo that runs, as `demo` runs it.
func servedDemo(t *testing.T) *demo {
	t.Helper()
	l := localListener(t)
	c, err := readDemoConfig(t.TempDir(), l)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	d, err := newDemo(&globals{ctx: ctx, stdout: io.Discard, stderr: io.Discard, now: time.Now}, c)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- d.app.serve(ctx, []endpoint{{name: "demo", listener: l, handler: d.handler()}}) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := d.app.close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// presses sends a form of the walk, and returns the page that follows.
func (d *demo) presses(t *testing.T, what string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, d.origin+demoEVPath+"/"+what, strings.NewReader(url.Values{}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v: %s", what, resp.StatusCode, err, visible(string(page)))
	}
	return visible(string(page))
}

// decides has somebody sign that they agree, once their passkey is in the log.
func (c *colleague) decides(t *testing.T, step proofing.Step) {
	t.Helper()
	s := c.d.app.service
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		v, err := c.visit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		k, err := s.Cases.Get(t.Context(), c.d.ev.request)
		if err != nil {
			t.Fatal(err)
		}
		dossier, err := s.OrganizationOf(t.Context(), k.CA, k.Identifier.Value)
		if err != nil {
			t.Fatal(err)
		}
		text, err := c.d.verdict(k, step, "en")
		if err != nil {
			t.Fatal(err)
		}
		asked, err := s.AskDecision(t.Context(), v, proofing.DecisionRequest{Case: k.ID, Appointment: c.office, Step: step, Number: k.Journal.Written, Dossier: dossier.Digest(), Shown: proofing.DocumentShown{Language: "en", Text: text}})
		if err == nil {
			answer, err := c.passkey.Get(asked.Ask, c.d.origin)
			if err == nil {
				_, err = s.Decide(t.Context(), v, answer)
			}
			if err != nil {
				t.Fatal(err)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// The demo's walk for EV ends in evidence that holds. Whatever is pressed twice is done once, who takes up two parts is told, and
// whoever begins anew walks it with other people.
func TestTheDemosWalkForEVEndsInEvidence(t *testing.T) {
	d := servedDemo(t)
	ctx := t.Context()
	contains(t, d.presses(t, "next"), "You take up a role: Certificate Requester")
	contains(t, d.presses(t, "next"), "Open the link") // nothing that is not the demo's part
	one := d.newColleague()
	for _, role := range []proofing.Role{proofing.RoleRequester, proofing.RoleApprover} {
		if err := one.takes(ctx, d.ev.parts[role]); err != nil {
			t.Fatal(err)
		}
	}
	contains(t, d.presses(t, "next"), "One person has taken up two of your parts")
	contains(t, d.presses(t, "again"), "Bring them together")
	d.presses(t, "next")

	people := map[proofing.Role]*colleague{}
	joins := func(role proofing.Role) {
		t.Helper()
		people[role] = d.newColleague()
		if err := people[role].takes(ctx, d.ev.parts[role]); err != nil {
			t.Fatal(err)
		}
		contains(t, d.presses(t, "next"), "(done)")
		d.presses(t, "next")
	}
	joins(proofing.RoleRequester)
	link := proofing.Secret(strings.TrimPrefix(d.ev.link, "/c/"))
	v := proofing.Visit{Link: link, Browser: proofing.NewToken(), Client: "127.0.0.1", Lang: "en"}
	_, a, err := d.app.service.Begin(ctx, v, "fido", "")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := people[proofing.RoleRequester].passkey.Get(a.Ask, d.origin)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.app.service.Respond(ctx, v, a.ID, answer); err != nil {
		t.Fatal(err)
	}
	joins(proofing.RoleApprover)
	people[proofing.RoleApprover].decides(t, proofing.StepApprove)
	contains(t, d.presses(t, "next"), "The specialist signs that nothing is missing (done)")
	joins(proofing.RoleReviewer)
	people[proofing.RoleReviewer].decides(t, proofing.StepReview)
	contains(t, d.presses(t, "next"), "Download the file", "--log-key")
	certificate := d.ev.certified
	if d.presses(t, "next"); d.ev.certified != certificate {
		t.Error("another certificate was issued")
	}

	resp, err := http.Get(d.origin + demoEVPath + "/" + demoEVFile)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	e, err := audit.ParseEvidence(text)
	if err != nil {
		t.Fatalf("%v: %s", err, visible(string(text)))
	}
	h, err := d.app.tree.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	key, err := audit.ParseLogKey(h.Verifier)
	if err != nil {
		t.Fatal(err)
	}
	p, err := e.Verify(key)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Approvals) != 3 {
		t.Errorf("the evidence has %d decisions", len(p.Approvals))
	}
}
