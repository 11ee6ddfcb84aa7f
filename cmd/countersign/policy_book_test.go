package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// administered is a desk with administrators, of whom nobody has a passkey: what they approve is shown where the verbs are.
func administered(t *testing.T) *desk {
	t.Helper()
	d := newDesk(t)
	d.run(exitOK, "admin", "bootstrap", "One", "Two")
	d.service(func(s *proofing.Service) {
		record := proofing.FixedID(s.Hasher.Sum("administration"))
		if _, err := s.Administration.Update(t.Context(), record, func(a *proofing.Administration) error {
			a.Completed = d.at
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if b, err := s.OfferPolicy(t.Context(), s.Policy.Text, false); err != nil || b.InForce.Digest != s.Policy.Digest {
			t.Fatalf("%+v %v", b, err)
		}
	})
	return d
}

func (d *desk) book() (b *proofing.PolicyBook) {
	d.t.Helper()
	d.service(func(s *proofing.Service) {
		var err error
		if b, err = s.PolicyBook(d.t.Context()); err != nil {
			d.t.Fatal(err)
		}
	})
	return b
}

// approve puts what is proposed in force, as two administrators do.
func (d *desk) approve() {
	d.t.Helper()
	d.service(func(s *proofing.Service) {
		b, err := s.PolicyBook(d.t.Context())
		if err == nil {
			_, err = s.PolicyBooks.Update(d.t.Context(), b.ID, func(b *proofing.PolicyBook) error {
				p := b.Proposed
				b.Before = append(b.Before, b.InForce.Digest)
				b.InForce, b.Proposed = proofing.PolicyVersion{Digest: p.Digest, Text: p.Text, Since: d.at, Proposal: p.ID}, nil
				return nil
			})
		}
		if err != nil {
			d.t.Fatal(err)
		}
	})
}

const (
	oldTitle = "title: EV code signing certificate"
	newTitle = "title: Another title"
)

func title(a *app) string { return a.service.Policy.Profiles["code-signing-ev"].Title }

func TestWithoutAdministratorsTheFileIsInForce(t *testing.T) {
	d := newDesk(t)
	d.rewrite(oldTitle, newTitle)
	var log syncBuffer
	a := d.appWith(&log, func(*Config) {})
	a.offer(t.Context())
	if title(a) != "Another title" || strings.Contains(log.String(), "policy") {
		t.Errorf("%s\n%s", title(a), log.String())
	}
	_, said := d.run(exitUsage, "policy")
	contains(t, said, "the configuration file is in force", "admin bootstrap")
	_, said = d.run(exitUsage, "policy", "propose")
	contains(t, said, "the configuration file is in force")
}

func TestTheApprovedPolicyStaysInForceWhateverTheFileSays(t *testing.T) {
	d := administered(t)
	var log syncBuffer
	a, r := d.reloading(&log, func(*Config) {})
	r.approved = make(chan struct{}, 1)
	r.show(a)
	before := a.service.Policy.Digest

	// At a reload: operation is taken, policy is proposed.
	d.rewrite(oldTitle, newTitle, "address_hour: 6", "address_hour: 7")
	next := a.reload(t.Context(), r)
	if next == nil || title(next) != "EV code signing certificate" || next.service.Policy.Digest != before || next.config.Limits.AddressHour != 7 {
		t.Fatalf("%+v\n%s", next, log.String())
	}
	contains(t, log.String(), `"in_force":["limits.address_hour"]`, `"wait_for_approval":["profiles.code-signing-ev.title"]`, "until two administrators approve the new one")
	b := d.book()
	if b.Proposed == nil || len(b.Proposed.Changes) != 1 || b.Proposed.Changes[0] != (proofing.PolicyChange{Setting: "profiles.code-signing-ev.title", Old: "EV code signing certificate", New: "Another title"}) {
		t.Fatalf("%+v", b.Proposed)
	}

	// At a start.
	restarted := d.appWith(io.Discard, func(*Config) {})
	restarted.offer(t.Context())
	if title(restarted) != "EV code signing certificate" || restarted.service.Policy.Digest != before {
		t.Errorf("after a restart: %s", title(restarted))
	}
	if again := d.book(); again.Proposed.ID != b.Proposed.ID || again.Journal.Written != b.Journal.Written {
		t.Error("a start proposes it again")
	}
	out, _ := d.run(exitOK, "policy")
	contains(t, out, before, "Proposal "+b.Proposed.ID, "by the configuration file", "profiles.code-signing-ev.title: EV code signing certificate -> Another title", "two administrators")
	out, _ = d.run(exitOK, "policy", "list")
	contains(t, out, b.Proposed.ID, "waiting")
	out, _ = d.run(exitOK, "policy", "show", "--text")
	if proofing.PolicyDigest(strings.TrimSuffix(out, "\n")) != before {
		t.Errorf("the text is %s", out)
	}
	out, _ = d.run(exitOK, "doctor")
	contains(t, out, "warn  policy", "waits for two administrators")

	// Commands beside the service go by the approved one.
	d.service(func(s *proofing.Service) {
		if s.Policy.Digest != before {
			t.Error("a command goes by the file")
		}
	})

	// Once it is approved every process takes it up, one with the old file too.
	d.approve()
	taken := next.takeUp(t.Context(), r)
	if taken == nil || title(taken) != "Another title" || r.policy.Load() != taken.service.Policy.Digest || taken.config.Limits.AddressHour != 7 {
		t.Fatalf("%+v\n%s", taken, log.String())
	}
	if taken.takeUp(t.Context(), r) != nil {
		t.Error("it is taken up twice")
	}
	out, _ = d.run(exitOK, "doctor")
	contains(t, out, "ok    policy")
	d.rewrite(newTitle, oldTitle)
	log = syncBuffer{}
	old := d.appWith(&log, func(*Config) {})
	old.offer(t.Context())
	if title(old) != "Another title" || d.book().Proposed != nil {
		t.Errorf("a machine with the old file: %s", title(old))
	}
	contains(t, log.String(), "was in force before", "countersign policy propose")
	out, said := d.run(exitOK, "policy", "propose")
	contains(t, out, "by an operator's command", "Another title -> EV code signing certificate")
	contains(t, said, "two administrators")
	_, said = d.run(exitOK, "policy", "show", d.book().Proposed.ID)
	d.rewrite(oldTitle, newTitle)
	_, said = d.run(exitOK, "policy", "propose")
	contains(t, said, "nothing to propose")
	_, said = d.run(exitUsage, "policy", "show", "nothing")
	contains(t, said, "no proposal")
}

// A running service sees within seconds what was approved elsewhere.
func TestServeTakesUpWhatWasApproved(t *testing.T) {
	t.Parallel()
	d := administered(t)
	d.rewrite(oldTitle, newTitle)
	operators := unused(t)
	log, stop, code := d.serveCommand("COUNTERSIGN_LISTENERS_PEOPLE="+unused(t), "COUNTERSIGN_LISTENERS_CAS="+unused(t), "COUNTERSIGN_LISTENERS_OPERATORS="+operators)
	eventually(t, "it does not serve", func() bool { status, _ := ready(operators); return status == http.StatusOK })
	contains(t, log.String(), "another policy than the approved one")
	d.approve()
	eventually(t, "it is not taken up", func() bool {
		return strings.Contains(log.String(), "a policy that was approved is in force") && strings.Contains(log.String(), `"changed":["profiles.code-signing-ev.title"]`)
	})
	stop()
	if got := <-code; got != exitOK {
		t.Errorf("exit %d\n%s", got, log)
	}
}

// What the approved policy needs and the file does not have any more keeps a process from starting, and a running one goes on.
func TestAFileThatDoesNotGoWithTheApprovedPolicyChangesNothing(t *testing.T) {
	d := administered(t)
	var log syncBuffer
	a, r := d.reloading(&log, func(*Config) {})
	r.approved = make(chan struct{}, 1)
	r.show(a)
	d.rewrite("sms: mailbox", "sms: none", "methods: [email, sms]", "methods: [email]", "confirmed_addresses: [email, phone]", "confirmed_addresses: [email]")
	if a.reload(t.Context(), r) != nil {
		t.Fatal("it is taken up")
	}
	contains(t, log.String(), "what was in force stays", "with the approved policy: profiles.client.methods")
	if d.book().Proposed != nil {
		t.Error("what cannot be taken up is proposed")
	}
	c, _, err := loadConfig(d.config, nil, readSecrets)
	if err != nil {
		t.Fatal(err)
	}
	_, err = newApp(t.Context(), c, newLog(io.Discard, c.Log), time.Now, nil)
	if err == nil || !strings.Contains(err.Error(), "put back what it needs") || !strings.Contains(err.Error(), "profiles.client.methods") {
		t.Errorf("%v", err)
	}
	out, _ := d.run(exitFailure, "doctor")
	contains(t, out, "FAIL  policy", "does not start")
	_, said := d.run(exitOK, "policy")
	contains(t, said, "note: this goes by the policy of")

	// A policy that was approved and does not go with what this process has read leaves it as it is.
	d.rewrite("sms: none", "sms: mailbox")
	b, _ := d.run(exitOK, "policy", "propose")
	contains(t, b, "profiles.client.methods: [email, sms] -> [email]")
	text, err := os.ReadFile(d.config)
	if err != nil {
		t.Fatal(err)
	}
	d.service(func(s *proofing.Service) {
		b, err := s.PolicyBook(t.Context())
		if err == nil {
			_, err = s.PolicyBooks.Update(t.Context(), b.ID, func(b *proofing.PolicyBook) error {
				b.InForce.Text = strings.Replace(b.InForce.Text, `"methods":["email"`, `"methods":["oidc","email"`, 1)
				b.InForce.Digest = proofing.PolicyDigest(b.InForce.Text)
				return nil
			})
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	if a.takeUp(t.Context(), r) != nil {
		t.Errorf("it is taken up\n%s", text)
	}
	contains(t, log.String(), "cannot be taken up here; what was in force stays in this process")
}

// awayAtFirst is a table that is out of reach once.
type awayAtFirst struct {
	proofing.Table[proofing.PolicyBook]
	asked int
}

func (a *awayAtFirst) Get(ctx context.Context, id string) (*proofing.PolicyBook, error) {
	if a.asked++; a.asked == 1 {
		return nil, proofing.ErrUnavailable
	}
	return a.Table.Get(ctx, id)
}

// Nobody is served by a policy that nobody has approved because the store was away at the start.
func TestAStartWaitsForTheApprovedPolicy(t *testing.T) {
	t.Parallel()
	d := administered(t)
	d.rewrite(oldTitle, newTitle)
	var log syncBuffer
	a := d.appWith(&log, func(*Config) {})
	table := &awayAtFirst{Table: a.service.PolicyBooks}
	a.service.PolicyBooks, a.config = table, a.read
	if err := a.rule(t.Context()); err != nil || title(a) != "EV code signing certificate" || table.asked != 2 {
		t.Errorf("%v, %s, asked %d times", err, title(a), table.asked)
	}
	contains(t, log.String(), "waiting for the store")
	ended, stop := context.WithCancel(t.Context())
	stop()
	table.asked, a.config = 0, a.read
	if err := a.rule(ended); !errors.Is(err, proofing.ErrUnavailable) {
		t.Errorf("told to stop: %v", err)
	}
}
