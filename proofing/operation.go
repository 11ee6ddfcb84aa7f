package proofing

import (
	"context"
	"fmt"
	"time"
)

// What administrators and an authority's operators see and do in the console about how that authority is served. Nobody else sees any of it, and a
// person's own messages, of sign-in and of their page, are no authority's and not among it.

// Operates says whether somebody with these appointments runs an authority: its operator, or an administrator.
func Operates(mine []*Appointment, ca string) bool {
	_, err := actingBy(mine, func(a *Appointment) bool { return a.operates(ca) })
	return err == nil
}

func (a *Appointment) operates(ca string) bool {
	return a.Role == RoleAdministrator || a.Role == RoleOperator && a.CA == ca
}

// operated is an authority that somebody runs. ErrNotFound for any other.
func (s *Service) operated(ctx context.Context, mine []*Appointment, ca string) (*Authority, *Appointment, error) {
	by, err := actingBy(mine, func(a *Appointment) bool { return a.operates(ca) })
	if err != nil {
		return nil, nil, err
	}
	a, err := s.Authority(ctx, ca)
	return a, by, err
}

// OperatedMessages are the messages of an authority's requests.
type OperatedMessages struct {
	Waiting  []*Case // that have messages on their way, in no order
	Next     string  // the cursor of those that follow
	Troubled []*Case // of which a code failed within the day, or nobody knows what became of it: the newest first
	More     bool    // there may be more of these
}

// OperatedMessages are those of an authority that the person of a session runs. ErrNotFound for any other, besides the errors of Console; *InputError
// for a cursor that is not of this list.
func (s *Service) OperatedMessages(ctx context.Context, v Visit, ca, after string, limit int) (m OperatedMessages, err error) {
	_, mine, err := s.Console(ctx, v)
	if err != nil {
		return m, err
	}
	if _, _, err := s.operated(ctx, mine, ca); err != nil {
		return m, err
	}
	of := func(c *Case) bool { return c.CA == ca }
	if m.Waiting, m.Next, err = s.waiting(ctx, after, limit, of); err != nil {
		return m, fmt.Errorf("list messages on their way: %w", err)
	}
	if m.Troubled, m.More, err = newest(ctx, s.Cases, "trouble", s.now().Add(-24*time.Hour), limit, (*Case).trouble, of); err != nil {
		return m, fmt.Errorf("list messages that failed: %w", err)
	}
	return m, nil
}

// OperatedHook is an authority with how far its webhook has been told, where the person of a session runs it. ErrNotFound for any other, besides the
// errors of Console.
func (s *Service) OperatedHook(ctx context.Context, v Visit, ca string) (*Authority, *Hook, error) {
	_, mine, err := s.Console(ctx, v)
	if err != nil {
		return nil, nil, err
	}
	a, _, err := s.operated(ctx, mine, ca)
	if err != nil {
		return nil, nil, err
	}
	f, err := s.Feeds.Get(ctx, s.FeedID(ca))
	if err = ignoreNotFound(err); err != nil {
		return nil, nil, fmt.Errorf("read feed: %w", err)
	}
	if f == nil { // nothing was ever told
		f = &Feed{}
	}
	return a, &f.Hook, nil
}

// ReplayOperated has the webhook of an authority called again with what it never took, as Replay does, and says with how many events. It may be called again.
// Errors: those of Replay; ErrNotAdmitted for who has not authenticated within the last minutes, and ErrNotFound for an authority that is not theirs to run.
func (s *Service) ReplayOperated(ctx context.Context, v Visit, ca string) (revived int, err error) {
	o, err := s.officer(ctx, v)
	if err != nil {
		return 0, err
	}
	a, _, err := s.operated(ctx, o.appointments, ca)
	if err != nil {
		return 0, err
	}
	if f, err := s.Feeds.Get(ctx, s.FeedID(ca)); err != nil || !f.Hook.tells(a.Webhook) {
		if err = ignoreNotFound(err); err != nil {
			return 0, err
		}
		return 0, ErrNotFound
	}
	return s.Replay(ctx, ca, time.Time{})
}
