package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// checkHooks warns of each CA at which step-ca asks before it fills in a template, and shows nobody the certificate.
func checkHooks(ctx context.Context, c *Config, s *storage, now func() time.Time) (all []checkup) {
	service, err := s.service(c, now, nil)
	if err != nil {
		return nil // useStore has said it
	}
	for q := (proofing.Query{Index: "all", Below: "\x7f"}); ; {
		page, next, err := service.Authorities.List(ctx, q)
		if err != nil {
			return append(all, checkup{part: "step-ca", err: err})
		}
		for _, ca := range page {
			if !ca.Revoked.IsZero() {
				continue
			}
			var warned []string
			for _, h := range ca.StepHooks {
				asks := h.Kind == proofing.StepEnriching || h.Kind == proofing.StepSCEPChallenge
				if asks && h.WebhookID != "" && !ca.SeesCertificates(h.Profile) && !slices.Contains(warned, h.Profile) {
					warned = append(warned, h.Profile)
					all = append(all, checkup{part: "step-ca", warn: true, err: errors.New(unseenCertificates(ca.Name, h.Profile))})
				}
			}
		}
		if q.After = next; next == "" {
			return all
		}
	}
}
