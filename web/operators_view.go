package web

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

const (
	longWait    = 2 * time.Minute // a message that has waited for longer needs somebody
	lately      = 24 * time.Hour  // how far back failures are shown
	brakesSince = 7 * 24 * time.Hour
)

func (p *Operators) overview(r *http.Request) (templates.Screen, error) {
	page := templates.DeskOverview{Desk: p.desk(r, "overview"), Version: p.Version, Started: p.Started}
	ctx, now := r.Context(), page.Now
	find := func(code, subject, n, path string, bad bool) {
		page.Findings = append(page.Findings, templates.DeskFinding{Code: code, Subject: subject, N: n, Href: path + page.Lang, Bad: bad})
	}
	waiting, next, err := p.Service.Waiting(ctx, "", viewRows)
	if err != nil {
		return nil, err
	}
	all, long := 0, 0
	for _, o := range waiting {
		for _, m := range o.Messages {
			all++
			if !m.Since.IsZero() && now.Sub(m.Since) > longWait {
				long++
			}
		}
	}
	page.Waiting = atLeast(all, next != "")
	if long > 0 {
		find("waiting", "", atLeast(long, next != ""), "/messages", true)
	}
	failed, err := p.Service.Troubled(ctx, now.Add(-time.Hour), viewRows)
	if err != nil {
		return nil, err
	}
	if len(failed) > 0 {
		find("failed", "", atLeast(len(failed), len(failed) == viewRows), "/messages", true)
	}
	dead, more, err := p.dead(r, now)
	if err != nil {
		return nil, err
	}
	fresh := 0
	for _, m := range dead {
		if m.Age < lately {
			fresh++
		}
	}
	if fresh > 0 {
		find("dead", "", atLeast(fresh, more && fresh == len(dead)), "/messages", true)
	}
	brakes, err := p.viewBrakes(r, now)
	if err != nil {
		return nil, err
	}
	on := 0
	for _, b := range brakes {
		if b.State == "holds" {
			on++
			find("brake", b.Place, "", "/brakes", true)
		}
	}
	for _, b := range brakes {
		if b.State == "reports" {
			on++
			find("brake_report", b.Place, "", "/brakes", false)
		}
	}
	page.Brakes = atLeast(on, on == viewRows)
	spent, _, err := p.spentToday(r, "")
	if err != nil {
		return nil, err
	}
	for _, ca := range spent {
		switch ca.State {
		case "spent":
			find("spent", ca.Title, "", "/spend", true)
		case "near":
			find("near", ca.Title, "", "/spend", false)
		}
	}
	page.CAs = spent[:min(len(spent), 5)]
	hooks, _, err := viewWebhooks(ctx, p.Service, "")
	if err != nil {
		return nil, err
	}
	for _, h := range hooks {
		if h.State != string(proofing.HookWell) {
			find("webhook_"+h.State, h.Title, "", "/webhooks", h.State == string(proofing.HookFailing) || h.State == string(proofing.HookOff))
		}
		if h.Dead > 0 {
			find("webhook_dead", h.Title, number(h.Dead), "/webhooks", true)
		}
	}
	slices.SortStableFunc(page.Findings, func(a, b templates.DeskFinding) int {
		return cmp.Compare(rank(a.Bad), rank(b.Bad))
	})
	return page, nil
}

func rank(bad bool) int {
	if bad {
		return 0
	}
	return 1
}

// atLeast is a number, or that there are at least as many.
func atLeast(n int, more bool) string {
	if more {
		return strconv.Itoa(n) + "+"
	}
	return strconv.Itoa(n)
}

func (p *Operators) spend(r *http.Request) (templates.Screen, error) {
	page := templates.DeskSpend{Desk: p.desk(r, "spend")}
	all, next, err := p.spentToday(r, r.URL.Query().Get("after"))
	if page.CAs = all; next != "" {
		page.Next = with("/spend"+page.Lang, "after", url.QueryEscape(next))
	}
	return page, err
}

// spentToday is what authorities have used, those first that need somebody.
func (p *Operators) spentToday(r *http.Request, after string) (all []templates.DeskSpent, next string, err error) {
	cas, next, err := p.Service.Authorities.List(r.Context(), proofing.Query{Index: "all", Below: "~", After: after, Limit: viewRows})
	if err != nil {
		return nil, "", err
	}
	for _, ca := range cas {
		s, err := p.Service.Spending(r.Context(), ca)
		if err != nil {
			return nil, "", err
		}
		all = append(all, viewSpending(ca, s))
	}
	sortSpent(all)
	return all, next, nil
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// money is an amount in millionths, as people write it.
func money(micros int64) string {
	return fmt.Sprintf("%d.%02d", micros/1_000_000, micros%1_000_000/10_000)
}

func (p *Operators) messages(r *http.Request) (templates.Screen, error) {
	page := templates.DeskMessages{Desk: p.desk(r, "messages"), Started: p.Started}
	waiting, next, err := p.Service.Waiting(r.Context(), r.URL.Query().Get("after"), viewRows)
	if err != nil {
		return nil, err
	}
	for _, o := range waiting {
		page.Waiting = append(page.Waiting, p.viewOwed(o, page.Desk)...)
	}
	slices.SortStableFunc(page.Waiting, func(a, b templates.DeskMessage) int { return a.At.Compare(b.At) })
	if next != "" {
		page.Next = with("/messages"+page.Lang, "after", url.QueryEscape(next))
	}
	troubled, err := p.Service.Troubled(r.Context(), page.Now.Add(-lately), viewRows)
	if err != nil {
		return nil, err
	}
	for _, c := range troubled {
		page.Troubled = append(page.Troubled, viewTroubles(c, page.Now, caseHref(c.ID, page.Desk))...)
	}
	dead, more, err := p.dead(r, page.Now)
	if err != nil {
		return nil, err
	}
	var cut bool
	page.Troubled, cut = newestTroubles(append(page.Troubled, dead...))
	page.More = len(troubled) == viewRows || more || cut
	for _, o := range p.Outcomes() {
		page.Outcomes = append(page.Outcomes, templates.DeskOutcome{Channel: string(o.Channel), Outcome: o.Outcome, N: o.N, Last: o.Last, Reason: o.Reason})
	}
	return page, nil
}

// viewOwed are the messages of a record, which has a page if it is a case.
func (p *Operators) viewOwed(o proofing.Owed, d templates.Desk) []templates.DeskMessage {
	href := ""
	if o.Case != nil {
		href = caseHref(o.Object, d)
	}
	return viewOwed(p.Service, o, d.Now, href)
}

// dead are the notices that were given up, of everything.
func (p *Operators) dead(r *http.Request, now time.Time) (all []templates.DeskMessage, more bool, err error) {
	d := p.desk(r, "")
	d.Now = now
	owed, more, err := p.Service.Dead(r.Context(), viewRows)
	for _, o := range owed {
		all = append(all, p.viewOwed(o, d)...)
	}
	return all, more, err
}

func caseHref(id string, d templates.Desk) string { return with("/case"+d.Lang, "id", id) }

func (p *Operators) brakes(r *http.Request) (templates.Screen, error) {
	page := templates.DeskBrakes{Desk: p.desk(r, "brakes"), Ranges: string(p.Service.Policy.Brake.Ranges), Countries: string(p.Service.Policy.Brake.Countries)}
	var err error
	page.Brakes, err = p.viewBrakes(r, page.Now.Add(-brakesSince))
	page.More = len(page.Brakes) == viewRows
	return page, err
}

func (p *Operators) viewBrakes(r *http.Request, since time.Time) ([]templates.DeskBrake, error) {
	if p.Service.Brakes == nil {
		return nil, nil
	}
	brakes, err := p.Service.BrakesSince(r.Context(), since, viewRows)
	var all []templates.DeskBrake
	for _, b := range brakes {
		v, err := p.viewBrake(r, b)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, err
}

func (p *Operators) viewBrake(r *http.Request, b *proofing.Brake) (templates.DeskBrake, error) {
	refused, err := p.Service.Refused(r.Context(), b)
	return viewBrake(b, refused, p.Service.Policy.Brake, p.Service.Now()), err
}

// oneCase answers why somebody got no code.
func (p *Operators) oneCase(r *http.Request) (templates.Screen, error) {
	id := strings.TrimSpace(r.URL.Query().Get("id"))
	if _, ok := proofing.IDBucket(id); !ok {
		return nil, proofing.ErrNotFound
	}
	c, err := p.Service.Cases.Get(r.Context(), id)
	if err == nil { // with what time has done to it since it was stored
		c, err = p.Service.Get(r.Context(), &proofing.Authority{Name: c.CA}, id)
	}
	if err != nil {
		return nil, err
	}
	d := p.desk(r, "")
	d.Self = "/case"
	page := templates.DeskCase{
		Desk: d, ID: c.ID, CA: c.CA, Profile: c.Profile, IdentifierType: c.Identifier.Type, Identifier: c.Identifier.Value,
		Status: string(c.Status), Frozen: c.Frozen != nil, Created: c.Created, Expires: c.Expires,
		Messages: p.viewOwed(proofing.Owed{Of: proofing.SubjectCase, Object: c.ID, CA: c.CA, Messages: c.Outbox.Messages, Case: c}, d),
	}
	if c.Identifier.Type == proofing.IdentifierEmail {
		page.Identifier = ""
	}
	full := map[proofing.Channel]string{} // by what no code goes to a channel now
	for _, contact := range contactsOf(c) {
		limits, blocked, err := p.viewLimits(r, c, contact)
		if err != nil {
			return nil, err
		}
		page.Limits = append(page.Limits, limits)
		brakes, err := p.Service.BrakesOn(r.Context(), c, contact)
		if err != nil {
			return nil, err
		}
		for _, b := range brakes {
			v, err := p.viewBrake(r, b)
			if err != nil {
				return nil, err
			}
			if page.Brakes = append(page.Brakes, v); v.State == "holds" && blocked == "" {
				blocked = "brake"
			}
		}
		full[contact.Channel] = blocked
	}
	page.Why = p.why(c, full)
	return page, nil
}

// contactsOf are the addresses that a case sends to: those of its newest attempts, or
// those that the authority gave.
func contactsOf(c *proofing.Case) []proofing.Contact {
	var all []proofing.Contact
	add := func(k proofing.Contact) {
		if !slices.ContainsFunc(all, func(have proofing.Contact) bool { return have.Channel == k.Channel }) {
			all = append(all, k)
		}
	}
	for _, a := range slices.Backward(c.Attempts) {
		if a.Contact.Channel.Reached() {
			add(a.Contact)
		}
	}
	for _, k := range c.Contacts {
		add(k)
	}
	return all
}

// viewLimits is how far the limits at an address are used, and the code of the reason if
// one of them lets nothing more out.
func (p *Operators) viewLimits(r *http.Request, c *proofing.Case, contact proofing.Contact) (v templates.DeskLimits, full string, err error) {
	counts, err := p.Service.Counts(r.Context(), c, contact)
	v.Shown = contact.Shown
	for _, n := range counts {
		row := templates.DeskCount{Limit: n.Limit, Used: number(n.Used), Most: number(n.Most), Full: n.Used >= n.Most, Until: n.Until}
		switch n.Limit {
		case "address":
			row.Limit = "address_hour"
			if n.Window > time.Hour {
				row.Limit = "address_day"
			}
		case "ca_spend":
			row.Used, row.Most = money(n.Used), money(n.Most)
		}
		switch {
		case row.Full && n.Limit == "failures":
			full = "blocked"
		case row.Full && full == "":
			full = "limit"
		}
		v.Counts = append(v.Counts, row)
	}
	return v, full, err
}

// why is what stands in the way of codes, or became of them: the request as a
// whole, and then each attempt, the newest first.
func (p *Operators) why(c *proofing.Case, full map[proofing.Channel]string) []templates.DeskWhy {
	var all []templates.DeskWhy
	switch {
	case c.Status.Over():
		all = append(all, templates.DeskWhy{Code: "over", Status: string(c.Status), At: c.Changed})
	case c.Frozen != nil:
		all = append(all, templates.DeskWhy{Code: "frozen", At: c.Frozen.At, Bad: true})
	case c.Status == proofing.CaseGranted:
		all = append(all, templates.DeskWhy{Code: "over", Status: string(c.Status), At: c.Changed})
	case c.Status == proofing.CaseReview:
		all = append(all, templates.DeskWhy{Code: "review", At: c.Changed})
	case !c.Started:
		all = append(all, templates.DeskWhy{Code: "not_started", Bad: true})
	case len(c.Attempts) == 0:
		all = append(all, templates.DeskWhy{Code: "nothing"})
	}
	now, seen := p.Service.Now(), map[proofing.Channel]bool{}
	for _, a := range slices.Backward(c.Attempts) {
		v := templates.DeskWhy{Method: a.Method, Shown: a.Contact.Shown, Code: a.Delivery.Status, At: a.Delivery.At}
		ch := a.Contact.Channel
		if code := full[ch]; code != "" && !seen[ch] && c.Status == proofing.CaseOpen {
			all = append(all, templates.DeskWhy{Method: a.Method, Shown: a.Contact.Shown, Code: code, Bad: true})
		}
		seen[ch] = true
		switch {
		case a.Status == proofing.AttemptPassed:
			v.Code, v.At = "passed", time.Time{}
		case a.Delivery.Trouble():
			v.Reason, v.Bad = a.Delivery.Reason, true
		case a.Status == proofing.AttemptOver:
			v.Code = "replaced"
		case a.Tries <= 0 || a.State == nil:
			v.Code = "spent"
		case !now.Before(a.Expires):
			v.Code, v.At = "expired", a.Expires
		case !ch.Reached(): // nothing was sent: it is for the person's browser, or another site, to answer
			v.Code, v.At = "asked", a.CodeAt
		case v.Code == "waiting":
			v.Reason = a.Delivery.Reason
			for _, m := range c.Outbox.Messages {
				if m.Attempt == a.ID {
					v.N, v.Bad = m.Sends, m.Sends > 0
				}
			}
		}
		all = append(all, v)
	}
	return all
}
