package main

import (
	"context"
	"time"
)

// rememberInterval bounds how long a process remembers a record that nobody asks for: once, and twice at most.
const rememberInterval = 10 * time.Minute

// rememberer is a table that remembers records (decision 11).
type rememberer interface {
	Age()
	Remembered() int
}

// rememberers are the tables of the program.
func (a *app) rememberers() (tables []rememberer) {
	s := a.service
	for _, table := range []any{
		s.Cases, s.People, s.Addresses, s.Accounts, s.Keys, s.Authorities, s.Pins, s.Registry, s.Feeds, s.Pages, s.Leases, s.Brakes, s.Tokens,
		s.LogPages, s.LogHeads, s.Appointments, s.Dossiers, s.Administration, s.Certificates, s.PolicyBooks, s.PolicyProposals, s.Configurations, a.tree.Tiles, a.replies,
	} {
		if t, ok := table.(rememberer); ok {
			tables = append(tables, t)
		}
	}
	return tables
}

// remembered is the size of what the process remembers, in bytes as stored.
func (a *app) remembered() (bytes int) {
	for _, t := range a.rememberers() {
		bytes += t.Remembered()
	}
	return bytes
}

// ageMemory has the process forget what nobody has asked for of late.
func (a *app) ageMemory(ctx context.Context, interval time.Duration) {
	for tick := time.NewTicker(interval); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		for _, t := range a.rememberers() {
			t.Age()
		}
	}
}
