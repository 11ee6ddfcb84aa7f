package main

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// told are the entries of the log that tell of configurations, with what stands beside each.
func (d *desk) told() (leaves []proofing.Leaf, named [][]string) {
	d.t.Helper()
	d.service(func(s *proofing.Service) {
		if err := s.SequenceOnce(d.t.Context()); err != nil {
			d.t.Fatal(err)
		}
		for place := int64(0); ; place++ {
			e, _, err := s.LogEntry(d.t.Context(), place)
			if err != nil {
				return
			}
			leaf, err := e.Said()
			if err != nil {
				d.t.Fatal(err)
			}
			if leaf.Of != proofing.SubjectConfiguration {
				continue
			}
			var beside struct{ Settings []string }
			if len(e.Private) > 0 {
				if err := json.Unmarshal(e.Private, &beside); err != nil {
					d.t.Fatal(err)
				}
			}
			leaves, named = append(leaves, leaf), append(named, beside.Settings)
		}
	})
	return leaves, named
}

// What no two people need to approve is in the log all the same (CSBR 5.4.1.1).
func TestTheLogTellsOfEveryConfigurationThatIsInForce(t *testing.T) {
	d := newDesk(t)
	operators := unused(t)
	environ := []string{"COUNTERSIGN_LISTENERS_PEOPLE=" + unused(t), "COUNTERSIGN_LISTENERS_CAS=" + unused(t), "COUNTERSIGN_LISTENERS_OPERATORS=" + operators}
	for range 2 { // the second time with the configuration of the first
		log, stop, code := d.serveCommand(environ...)
		eventually(t, "it does not serve", func() bool { status, _ := ready(operators); return status == http.StatusOK })
		stop()
		if got := <-code; got != exitOK {
			t.Errorf("exit %d\n%s", got, log)
		}
	}
	leaves, _ := d.told()
	if len(leaves) != 1 || leaves[0].Facts["why"] != proofing.UsedAtStart || leaves[0].Facts["program"] != programVersion() || leaves[0].By != proofing.ByOperator {
		t.Fatalf("after a start: %+v", leaves)
	}

	var log syncBuffer
	a, r := d.reloading(&log, func(*Config) {})
	r.show(a)
	d.rewrite("address_hour: 6", "address_hour: 7")
	next := a.reload(t.Context(), r)
	if next == nil {
		t.Fatal(log.String())
	}
	if next = next.reload(t.Context(), r); next == nil { // nothing has changed
		t.Fatal(log.String())
	}
	leaves, named := d.told()
	if len(leaves) != 2 || leaves[1].Facts["why"] != proofing.UsedAtReload || leaves[1].Facts["before"] != leaves[0].Facts["digest"] || !slices.Contains(named[1], "limits.address_hour") {
		t.Fatalf("after a reload: %+v, %v", leaves, named)
	}

	// No change without its entry: where that cannot be written what was in force stays.
	next.service.Configurations = away{next.service.Configurations}
	d.rewrite("address_hour: 7", "address_hour: 8")
	if next.reload(t.Context(), r) != nil {
		t.Error("what the log could not be told of is in force")
	}
	contains(t, log.String(), "what was in force stays")
	if leaves, _ = d.told(); len(leaves) != 2 {
		t.Errorf("%d entries", len(leaves))
	}
	out, _ := d.run(exitOK, "audit", "verify")
	contains(t, out, "are whole")
}

// away is a table that is out of reach.
type away struct {
	proofing.Table[proofing.Configuration]
}

func (away) Get(context.Context, string) (*proofing.Configuration, error) {
	return nil, proofing.ErrUnavailable
}

// The policy that two administrators have approved comes into force in every process, and the log tells that it did.
func TestTheLogTellsWhenAnApprovedPolicyIsTakenUp(t *testing.T) {
	d := administered(t)
	var log syncBuffer
	a, r := d.reloading(&log, func(*Config) {})
	r.approved = make(chan struct{}, 1)
	r.show(a)
	if err := a.tellConfiguration(t.Context(), proofing.UsedAtStart); err != nil {
		t.Fatal(err)
	}
	d.rewrite(oldTitle, newTitle)
	next := a.reload(t.Context(), r)
	if leaves, _ := d.told(); next == nil || len(leaves) != 1 {
		t.Fatalf("a policy that is only proposed: %+v\n%s", leaves, log.String())
	}
	d.approve()
	if next.takeUp(t.Context(), r) == nil {
		t.Fatal(log.String())
	}
	leaves, named := d.told()
	if len(leaves) != 2 || leaves[1].By != proofing.ByService || leaves[1].Facts["why"] != proofing.UsedApproved || !slices.Equal(named[1], []string{"profiles.code-signing-ev.title"}) {
		t.Errorf("%+v, %v", leaves, named)
	}
}

// What the log tells of a secret is whether there is one.
func TestNoSecretIsInWhatTheLogIsTold(t *testing.T) {
	d := newDesk(t)
	c, _, err := loadConfig(d.config, nil, readSecrets)
	if err != nil {
		t.Fatal(err)
	}
	c.SMTP.Password = "the-first-secret"
	one := c.told()
	c.SMTP.Password = "the-other-secret"
	two := c.told()
	for name, value := range one {
		if strings.Contains(value, "secret") || two[name] != value {
			t.Errorf("%s: %s", name, value)
		}
	}
	secrets := 0
	for _, value := range one {
		if value == "set" {
			secrets++
		}
	}
	if secrets == 0 {
		t.Error("nothing says that there is a secret")
	}
}
