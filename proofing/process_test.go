package proofing_test

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// proofless proves nothing.
type proofless struct{ proofing.Prover }

func TestAServiceUnderAnotherPolicyHasAllThatTheFirstHad(t *testing.T) {
	w := newWorld(t)
	w.Operator = "somebody"
	w.Lag, w.Watch, w.CAA, w.Recorder, w.Prover = func(time.Duration) {}, func(string, string) {}, silentDNS{}, refusal{}, proofless{}
	policy := w.Policy
	policy.Digest = "another"
	next := w.With(policy, w.Methods, w.Sender, w.Caller)
	before, after := reflect.ValueOf(w.Service).Elem(), reflect.ValueOf(next).Elem()
	for i := range before.NumField() {
		f := before.Type().Field(i)
		if !f.IsExported() || f.Name == "Policy" {
			continue
		}
		if before.Field(i).IsZero() {
			t.Errorf("%s is not set in this test", f.Name)
		}
		if after.Field(i).IsZero() {
			t.Errorf("%s is lost", f.Name)
		}
	}
	if next.Policy.Digest != "another" || w.Policy.Digest == "another" {
		t.Errorf("policies %q and %q", w.Policy.Digest, next.Policy.Digest)
	}
}

// TestWhoWaitsUnderTheOldPolicyHearsOfTheNew has a CA wait at a service that is replaced meanwhile.
func TestWhoWaitsUnderTheOldPolicyHearsOfTheNew(t *testing.T) {
	w := newWorld(t)
	next := w.With(w.Policy, w.Methods, w.Sender, w.Caller)
	for round := 1; ; round++ {
		c := w.openAs("email", fmt.Sprint("round-", round), fmt.Sprintf("round%d@example.org", round))
		seen := make(chan *proofing.Case, 1)
		go func() {
			got, _ := w.Wait(t.Context(), w.ca, c.ID, time.Minute)
			seen <- got
		}()
		time.Sleep(20 * time.Millisecond)
		began := time.Now()
		if _, err := next.Deactivate(t.Context(), w.ca, c.ID); err != nil {
			t.Fatal(err)
		}
		if got := <-seen; got == nil || got.Status != proofing.CaseWithdrawn {
			t.Fatalf("the CA reads %+v", got)
		}
		// And not by looking once in a second, which would be late each time.
		took := time.Since(began)
		if took < 700*time.Millisecond {
			return
		}
		if round == 5 {
			t.Fatalf("the CA heard of it after %v, and no sooner four times before", took)
		}
	}
}

// silentDNS knows of no records.
type silentDNS struct{}

func (silentDNS) CAA(context.Context, string) (proofing.CAASet, error) { return proofing.CAASet{}, nil }
