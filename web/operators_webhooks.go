package web

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

func (p *Operators) webhooks(r *http.Request) (templates.Screen, error) {
	page := templates.DeskWebhooks{Desk: p.desk(r, "webhooks")}
	all, next, err := p.viewWebhooks(r.Context(), r.URL.Query().Get("after"))
	if page.Hooks = all; next != "" {
		page.Next = with("/webhooks"+page.Lang, "after", url.QueryEscape(next))
	}
	return page, err
}

// viewWebhooks are the webhooks of some authorities, those first that need somebody.
func (p *Operators) viewWebhooks(ctx context.Context, after string) (all []templates.DeskWebhook, next string, err error) {
	cas, next, err := p.Service.Authorities.List(ctx, proofing.Query{Index: "all", Below: "~", After: after, Limit: viewRows})
	if err != nil {
		return nil, "", err
	}
	for _, ca := range cas {
		if ca.Webhook == nil || !ca.Revoked.IsZero() {
			continue
		}
		f, err := p.Service.Feeds.Get(ctx, p.Service.FeedID(ca.Name))
		if errors.Is(err, proofing.ErrNotFound) { // nothing was ever told
			f, err = &proofing.Feed{}, nil
		}
		if err != nil {
			return nil, "", err
		}
		state, since := f.Hook.State(ca.Webhook)
		v := templates.DeskWebhook{
			CA: ca.Name, Title: cmp.Or(ca.Title, ca.Name), At: ca.Webhook.Shown(), State: string(state), Since: since,
			Reason: f.Hook.Reason, Tries: f.Hook.Tries, Late: len(f.Hook.Late), Dead: f.Hook.Buried(),
		}
		if state == proofing.HookFailing {
			v.Again = f.Hook.Due
		}
		all = append(all, v)
	}
	order := []string{"failing", "stopped", "off", "well"}
	slices.SortStableFunc(all, func(a, b templates.DeskWebhook) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.State), slices.Index(order, b.State)), cmp.Compare(b.Dead, a.Dead), cmp.Compare(a.CA, b.CA))
	})
	return all, next, nil
}
