package main

import (
	"context"
	"fmt"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// checkBindings says of each CA for which no external account binding can be good that it is so, and warns if there are keys for it.
func checkBindings(ctx context.Context, c *Config, s *storage, now func() time.Time) (all []checkup) {
	service, err := s.service(c, now, nil)
	if err != nil {
		return nil // useStore has said it
	}
	for q := (proofing.Query{Index: "all", Below: "\x7f"}); ; {
		page, next, err := service.Authorities.List(ctx, q)
		if err != nil {
			return append(all, checkup{part: "eab", err: err})
		}
		for _, ca := range page {
			if !ca.Revoked.IsZero() || ca.TakesKeys() {
				continue
			}
			keys, _, err := service.KeysOf(ctx, ca.Name, "", 1)
			u := checkup{part: "eab", warn: len(keys) > 0}
			u.detail = fmt.Sprintf("the CA %s has no newAccount URL, so that no external account binding is good for it: `countersign ca set %s --new-account URL`", ca.Name, ca.Name)
			switch {
			case err != nil:
				u.err = err
			case u.warn:
				u.err = fmt.Errorf("%s; there are keys for it", u.detail)
			}
			all = append(all, u)
		}
		if q.After = next; next == "" {
			return all
		}
	}
}
