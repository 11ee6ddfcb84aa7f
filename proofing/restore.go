package proofing

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// A request that people decide about and that somebody has frozen ("this was not us") is given back by two who run its authority: one asks, another one who sees
// why does it. Whoever answers for a certificate may take their word back, "retroactively grant authorization" (CSBR 4.9.1.1(2)); that they have done so the two
// find out. A certificate that was said not to be theirs is to be revoked all the same: its clock is not stopped by this.

// AskedRestore is what is asked of a frozen case.
const AskedRestore = "restore"

// CaseRestoreAsked is the entry of a request that somebody asks to be given back. That it was is EntryRestored.
const CaseRestoreAsked EntryKind = "case_restore_asked"

// frozenIndexes are where a frozen case that people decide about is found: for the service and for its authority, those that end first before others.
func (c *Case) frozenIndexes() []Index {
	if c.Approval == nil || c.Frozen == nil || c.Status.Over() {
		return nil
	}
	until := stamp(c.Frozen.Until)
	return []Index{{Name: "frozen", Value: "service." + until}, {Name: "frozen", Value: "authority." + c.CA + "." + until}}
}

// FrozenCases are the cases that people decide about and that are frozen now, of the authorities that the person of a session runs: those that end first. Errors
// are those of Console; none is found for whoever runs none.
func (s *Service) FrozenCases(ctx context.Context, v Visit, limit int) (all []*Case, more bool, err error) {
	_, mine, err := s.Console(ctx, v)
	if err != nil {
		return nil, false, err
	}
	var scopes []string
	for _, a := range mine {
		switch {
		case a.Role == RoleAdministrator:
			scopes = []string{"service."}
		case a.Role == RoleOperator && !slices.Contains(scopes, "service.") && !slices.Contains(scopes, a.scopePrefix()):
			scopes = append(scopes, a.scopePrefix())
		}
		if a.Role == RoleAdministrator {
			break
		}
	}
	now := s.now()
	for _, scope := range scopes {
		page, next, err := s.Cases.List(ctx, Query{Index: "frozen", Prefix: scope, Merged: true, Limit: limit})
		if err != nil {
			return nil, false, fmt.Errorf("list frozen cases: %w", err)
		}
		more = more || next != ""
		for _, c := range page {
			if c.lapse(now, s.retention(c)); c.Frozen != nil && !slices.ContainsFunc(all, func(have *Case) bool { return have.ID == c.ID }) {
				all = append(all, c)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b *Case) int { return a.Frozen.Until.Compare(b.Frozen.Until) })
	return all, more, nil
}

// mayRestore says why somebody may not give a frozen case back, though they run its authority; empty if they may: who asks for the certificate or has decided about
// it would judge their own.
func (c *Case) mayRestore(person string) string {
	if person == c.Person || slices.ContainsFunc(c.Approval.Decisions, func(d Decision) bool { return d.Person == person }) {
		return "restore_own"
	}
	return ""
}

// RestoreFrozen asks that a frozen case be given back, or gives it back if another person has asked. Seen is the number of the entry that the page showed. It may
// come twice. ErrNotFound for what is not theirs to give back, and ErrClosed for what has ended, besides the errors of Console and ErrNotAdmitted; and the *InputError codes
// "restore_reason", "decision_stale" and "restore_own".
func (s *Service) RestoreFrozen(ctx context.Context, v Visit, id, reason string, seen int64) (*Case, error) {
	o, err := s.officer(ctx, v)
	if err != nil {
		return nil, err
	}
	c, err := s.docketed(ctx, o.appointments, id)
	if err != nil {
		return nil, err
	}
	by, err := actingBy(o.appointments, func(a *Appointment) bool { return a.operates(c.CA) })
	if err != nil {
		return nil, err
	}
	var asked *Asked
	if c.Frozen != nil {
		asked = c.Frozen.Asked
	}
	stillAsked := false
	if asked != nil {
		if stillAsked, err = s.stillActs(ctx, asked.Act, ""); err != nil {
			return nil, err
		}
	}
	me, reason := o.Person.ID, oneLine(reason, mostReason)
	who := decider{person: me, appointment: by, session: o.Case.ID, client: v.Client}
	c, err = s.updateBy(ctx, who.author(), id, func(c *Case, now time.Time) error {
		if c.Status.Over() || c.Approval == nil {
			return ErrClosed
		}
		if c.Frozen == nil { // the same, once more
			return nil
		}
		if why := c.mayRestore(me); why != "" {
			return &InputError{Field: "case", Code: why}
		}
		have := c.Frozen.Asked
		if have != nil && have.By.ID == me && stillAsked {
			return nil
		}
		if seen != c.Journal.Written {
			return &InputError{Field: "number", Code: "decision_stale", Detail: "the request has changed"}
		}
		if have == nil || !stillAsked { // what was asked by somebody who has lost their role since is asked anew
			if reason == "" {
				return &InputError{Field: "reason", Code: "restore_reason"}
			}
			act := o.act(by, now)
			c.Frozen.Asked = &Asked{What: AskedRestore, Reason: reason, Act: act}
			c.record(CaseRestoreAsked, who.actor(), now, nil, map[string]any{"name": act.Name, "reason": reason}, me)
			return nil
		}
		if asked == nil || have.By.ID != asked.By.ID || !have.At.Equal(asked.At) { // it was asked after this call has looked
			return &InputError{Field: "number", Code: "decision_stale", Detail: "it was asked anew"}
		}
		c.thaw(now)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("give back: %w", err)
	}
	return c, nil
}

// thaw lifts a freeze: what waited for that goes on.
func (c *Case) thaw(now time.Time) {
	if c.Frozen != nil {
		c.Lifted = now
		if c.Approval != nil { // what approvals have lost meanwhile has passed it by
			c.Approval.Unsettled = now
		}
	}
	c.Frozen, c.Repudiated, c.Reached = nil, time.Time{}, nil
	for i := range c.Outbox.Effects {
		c.Outbox.Effects[i].Due = now
	}
}

// Restorable is what somebody may do about a frozen case.
type Restorable struct {
	Runs bool   // they run its authority
	Why  string // why they may not all the same: a code of "input"; empty: they may
	Mine bool   // they have asked, and wait for another
}

// Restorable says what the holder of some appointments may do about a frozen case.
func (c *Case) Restorable(person string, mine []*Appointment) (r Restorable) {
	if c.Frozen == nil || c.Approval == nil || !Operates(mine, c.CA) {
		return r
	}
	r.Runs, r.Why = true, c.mayRestore(person)
	r.Mine = c.Frozen.Asked != nil && c.Frozen.Asked.By.ID == person
	return r
}
