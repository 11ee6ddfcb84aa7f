package proofing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// What is known of the model of an authenticator may change after it was used: it is found that its keys can be read out, or its maker takes it back (FIDO Metadata
// Service 3.1.4). Each use is judged by what is known then; here, what rests on one is judged by what is known now.

// Appraiser is a Method whose authenticators are of models of which more may become known.
type Appraiser interface {
	Method
	// Appraise returns what says the statuses in force now of the model of an authenticator, by what was kept of it (Proof.Kept); nil where nothing is known of any model.
	Appraise() func(kept json.RawMessage) ([]MDSStatus, error)
}

// mdsBad are the statuses by which a use counts for less than it did, or for nothing.
var mdsBad = append(slices.Clone(mdsRejects), MDSUserVerificationBypass)

// models are the bad statuses in force now of the passkeys that a case rests on, by their ids: of those by which somebody has proved who they are, and of those by
// which it was approved. It has none that are gone: these speak for nobody any more (reasonTakenAway). A record that cannot be read is an error, since nobody knows
// what it would say.
func (s *Service) models(ctx context.Context, c *Case) (map[string][]MDSStatus, error) {
	m, ok := s.Methods[Evidence{Kind: WebAuthnUse}.Method()].(Appraiser)
	if !ok || c.Own() || c.Grant == nil && c.Approval == nil {
		return nil, nil
	}
	appraise := m.Appraise()
	if appraise == nil {
		return nil, nil
	}
	var passkeys []Contact
	add := func(k Contact) {
		if k.Channel == ChannelPasskey && !slices.ContainsFunc(passkeys, func(have Contact) bool { return have.Address == k.Address }) {
			passkeys = append(passkeys, k)
		}
	}
	for _, e := range c.Evidence {
		add(e.Contact())
	}
	if c.Approval != nil {
		for i := range c.Approval.Decisions {
			if d := &c.Approval.Decisions[i]; d.Step == StepApprove && d.Void == "" && !d.Refused {
				add(Contact{Channel: ChannelPasskey, Address: Secret(d.Signature.Credential.String())})
			}
		}
	}
	var mu sync.Mutex
	var bad map[string][]MDSStatus
	err := readAtOnce(len(passkeys), func(i int) error {
		a, err := s.Addresses.Get(ctx, s.addressID(passkeys[i]))
		if errors.Is(err, ErrNotFound) || err == nil && a.Kept == nil {
			return nil
		}
		var all []MDSStatus
		if err == nil {
			all, err = appraise(a.Kept)
		}
		if err != nil {
			return fmt.Errorf("model of passkey: %w", err)
		}
		all = slices.DeleteFunc(all, func(s MDSStatus) bool { return !slices.Contains(mdsBad, s) })
		if len(all) == 0 {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if bad == nil {
			bad = map[string][]MDSStatus{}
		}
		bad[passkeys[i].Address.Reveal()] = all
		return nil
	})
	return bad, err
}

// asOfNow is evidence with the statuses that the models of its passkeys have got since; any says whether there are some.
func asOfNow(models map[string][]MDSStatus, evidence []Evidence) (all []Evidence, any bool) {
	if len(models) == 0 {
		return evidence, false
	}
	all = slices.Clone(evidence)
	for i, e := range all {
		bad := models[e.Contact().Address.Reveal()]
		if e.WebAuthn == nil || len(bad) == 0 {
			continue
		}
		use := *e.WebAuthn
		use.Attestation.Status = slices.Clone(use.Attestation.Status)
		for _, status := range bad {
			if !use.Attestation.hasStatus(status) {
				use.Attestation.Status, any = append(use.Attestation.Status, status), true
			}
		}
		all[i].WebAuthn = &use
	}
	return all, any
}
