package proofing

import "context"

// WorkMessage works on the n-th message of a case, as a worker would.
func (s *Service) WorkMessage(ctx context.Context, id string, n int) error {
	c, err := s.Cases.Get(ctx, id)
	if err != nil {
		return err
	}
	return s.workMessage(ctx, id, c.Outbox.Messages[n].ID)
}
