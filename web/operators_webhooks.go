package web

import (
	"net/http"
	"net/url"

	"github.com/countersign-id/countersign/templates"
)

func (p *Operators) webhooks(r *http.Request) (templates.Screen, error) {
	page := templates.DeskWebhooks{Desk: p.desk(r, "webhooks")}
	all, next, err := viewWebhooks(r.Context(), p.Service, r.URL.Query().Get("after"))
	if page.Hooks = all; next != "" {
		page.Next = with("/webhooks"+page.Lang, "after", url.QueryEscape(next))
	}
	return page, err
}
