package acme

import (
	"context"
	"log/slog"

	"github.com/countersign-id/countersign/proofing"
)

// caaProblem is a finding as CAs read it, whether it is why the answer is no or a warning beside a yes.
func caaProblem(f proofing.CAAFinding) subproblem {
	sub := subproblem{Type: typeCAA, Detail: f.Detail, Identifier: &f.Identifier}
	if f.Code == proofing.CAAUnknown {
		sub.Type = typeDNS
	}
	return sub
}

// logCAA keeps what CAA records had to say: an issuance that they prevent is something that whoever published them may ask about.
func (a *api) logCAA(ctx context.Context, ca *proofing.Authority, profile string, v proofing.Verdict) {
	for _, f := range v.CAA {
		attrs := []slog.Attr{
			slog.String("ca", ca.Name), slog.String("profile", profile), slog.String("finding", f.Code), slog.String("domain", f.Domain), slog.Bool("refused", f.Blocks),
		}
		if f.Err != nil {
			attrs = append(attrs, slog.Any("error", f.Err))
		}
		a.Log.LogAttrs(ctx, slog.LevelWarn, "caa", attrs...)
	}
}
