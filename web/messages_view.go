package web

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// How messages and webhooks are, as the pages for operators and the console show it: with masked addresses.

// viewTroubles are the codes of a case that failed within the day, or of which nobody knows. Href is where the case is; empty: nowhere.
func viewTroubles(c *proofing.Case, now time.Time, href string) (all []templates.DeskMessage) {
	for _, a := range slices.Backward(c.Attempts) {
		if a.Delivery.Trouble() && now.Sub(a.Delivery.At) < lately {
			all = append(all, templates.DeskMessage{
				Of: string(proofing.SubjectCase), Case: c.ID, Href: href, CA: c.CA, Kind: a.Method + "_code", Shown: a.Contact.Shown,
				State: a.Delivery.Status, Reason: a.Delivery.Reason, At: a.Delivery.At, Age: now.Sub(a.Delivery.At), Tries: a.Sends,
			})
		}
	}
	return all
}

// viewOwed are the messages of a record that are on their way or were given up.
func viewOwed(svc *proofing.Service, o proofing.Owed, now time.Time, href string) (all []templates.DeskMessage) {
	for _, m := range o.Messages {
		v := templates.DeskMessage{
			Of: string(o.Of), Case: o.Object, Href: href, CA: o.CA, Message: m.ID, Kind: m.Kind, Shown: masked(svc, m.Channel, m.To), State: string(m.State), Reason: m.Reason, At: m.Since, Tries: m.Sends,
		}
		if kind, text := strings.CutPrefix(m.Kind, "sms_"); text && !m.Code() {
			v.Kind, v.Text = kind, true
		}
		switch {
		case m.State == proofing.MessageDead:
			if v.At, v.Bad = m.Died, true; m.Expired() {
				v.State = "expired"
			}
			v.Age = now.Sub(v.At)
		case !m.Since.IsZero():
			v.Age = now.Sub(m.Since)
			v.Bad = v.Age > longWait
		}
		if m.State == proofing.MessagePending && m.Sends > 0 {
			v.Next = m.Due
		}
		all = append(all, v)
	}
	return all
}

// mostTroubled is the most messages of one list of those that did not arrive.
const mostTroubled = 200

// newestTroubles are messages that did not arrive, the newest first, as many as a page has. More: there are others.
func newestTroubles(all []templates.DeskMessage) (list []templates.DeskMessage, more bool) {
	slices.SortStableFunc(all, func(a, b templates.DeskMessage) int { return b.At.Compare(a.At) })
	return all[:min(len(all), mostTroubled)], len(all) > mostTroubled
}

// masked is an address as pages show it.
func masked(svc *proofing.Service, ch proofing.Channel, address proofing.Secret) string {
	for _, m := range svc.Methods {
		if m.Channel() != ch {
			continue
		}
		if contact, err := m.Check(address.Reveal()); err == nil {
			return contact.Shown
		}
	}
	return "•••"
}

// viewWebhook is how the webhook of an authority is that has one.
func viewWebhook(ca *proofing.Authority, h *proofing.Hook) templates.DeskWebhook {
	state, since := h.State(ca.Webhook)
	v := templates.DeskWebhook{
		CA: ca.Name, Title: cmp.Or(ca.Title, ca.Name), At: ca.Webhook.Shown(), State: string(state), Since: since,
		Reason: h.Reason, Tries: h.Tries, Late: len(h.Late), Dead: h.Buried(),
	}
	if state == proofing.HookFailing {
		v.Again = h.Due
	}
	return v
}

// viewWebhooks are the webhooks of some authorities, those first that need somebody.
func viewWebhooks(ctx context.Context, svc *proofing.Service, after string) (all []templates.DeskWebhook, next string, err error) {
	cas, next, err := svc.Authorities.List(ctx, proofing.Query{Index: "all", Below: "~", After: after, Limit: viewRows})
	if err != nil {
		return nil, "", err
	}
	for _, ca := range cas {
		if ca.Webhook == nil || !ca.Revoked.IsZero() {
			continue
		}
		f, err := svc.Feeds.Get(ctx, svc.FeedID(ca.Name))
		if errors.Is(err, proofing.ErrNotFound) { // nothing was ever told
			f, err = &proofing.Feed{}, nil
		}
		if err != nil {
			return nil, "", err
		}
		all = append(all, viewWebhook(ca, &f.Hook))
	}
	order := []string{"failing", "stopped", "off", "well"}
	slices.SortStableFunc(all, func(a, b templates.DeskWebhook) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.State), slices.Index(order, b.State)), cmp.Compare(b.Dead, a.Dead), cmp.Compare(a.CA, b.CA))
	})
	return all, next, nil
}
