package web

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// profile is the profile of a case; an empty one if it is gone from the configuration.
func (s *Site) profile(c *proofing.Case) *proofing.Profile {
	if p := s.service.Policy.Profiles[c.Profile]; p != nil {
		return p
	}
	return &proofing.Profile{Name: c.Profile, Title: c.Profile}
}

func (s *Site) viewRequest(r *http.Request, c *proofing.Case) templates.Request {
	v := templates.Request{
		CA: c.CATitle, IdentifierType: c.Identifier.Type, Identifier: c.Identifier.Value, Profile: s.profile(c).Title,
		KeyKind: string(c.Applicant.Kind), Fingerprint: c.Applicant.Fingerprint(),
	}
	if !c.Status.Over() && c.Frozen == nil {
		v.Disown = s.Keep(r, c.DisownURL("").Reveal())
	}
	return v
}

func (s *Site) viewTerms(p *proofing.Profile, id proofing.Identifier) templates.Terms {
	t := templates.Terms{GrantLifetime: p.GrantLifetime, Retention: p.Retention}
	for _, m := range s.methods(p, id) {
		t.Methods = append(t.Methods, m.Name())
		if ch := string(m.Channel()); m.Channel().Reached() && !slices.Contains(t.Channels, ch) {
			t.Channels = append(t.Channels, ch)
		}
	}
	if p.Offers("representative") {
		t.Methods = append(t.Methods, "representative")
	}
	return t
}

// methods are those of a profile that the service has and that lead somewhere in a case for the identifier, in the
// profile's order.
func (s *Site) methods(p *proofing.Profile, id proofing.Identifier) []proofing.Method {
	var all []proofing.Method
	for _, name := range p.Methods {
		m := s.service.Methods[name]
		if m == nil {
			continue
		}
		if choices := p.Choices(m, id); choices == nil || len(choices) > 0 {
			all = append(all, m)
		}
	}
	return all
}

func (s *Site) viewCase(r *http.Request, c *proofing.Case, wrong mistake, a answer) (templates.Case, error) {
	p := s.profile(c)
	w := s.workOf(c, p)
	page := templates.Case{Request: s.viewRequest(r, c), Terms: s.viewTerms(p, c.Identifier), Expires: c.Expires}
	siblings, err := s.service.Siblings(r.Context(), c)
	if err != nil {
		return page, err
	}
	for _, o := range siblings {
		if o.Status == proofing.CaseOpen && o.Frozen == nil {
			page.Siblings = append(page.Siblings, templates.Sibling{IdentifierType: o.Identifier.Type, Identifier: o.Identifier.Value})
		}
	}
	wanted := wrong.method
	if wanted == "" {
		wanted = r.URL.Query().Get("method")
	}
	m := w.pick(c, wanted)
	if p := a.problem; p != nil && p.Code == "brake" {
		if other := w.instead(m); other != nil {
			p.Other, p.OtherHref = other.Name(), s.methodLink(r, other.Name())
		}
	}
	s.reword(wrong, &a)
	if c.Started && slices.ContainsFunc(w.missing, w.inPerson) {
		page.InPerson = s.viewInPerson(r, c)
	}
	page.Waiting, page.Stuck = !c.Started, c.Started && m == nil && page.InPerson == nil
	if c.Started && m != nil {
		if page.Panel, err = s.viewPanel(r, c, m, w); err != nil {
			return page, err
		}
		place(&page, wrong, a)
	} else {
		page.Notice = a.problem
		m = nil
	}
	page.Steps = w.steps(m, func(method string) string { return s.methodLink(r, method) })
	return page, nil
}

// reword says of a problem what fits a method at which nobody types a code.
func (s *Site) reword(wrong mistake, a *answer) {
	if said := s.service.Methods[wrong.method]; said != nil && !said.Channel().Reached() && a.problem != nil && notCodes[a.problem.Code] != "" {
		a.problem.Code = notCodes[a.problem.Code]
	}
}

// methodLink opens the page of a case at another of its methods.
func (s *Site) methodLink(r *http.Request, method string) string {
	return with(s.Keep(r, casePath(r.PathValue("ref"))), "method", method)
}

// place puts a problem at the field it is about, or above the form.
func place(page *templates.Case, wrong mistake, a answer) {
	p := a.problem
	if p == nil {
		return
	}
	panel := page.Panel
	codeShown := panel.Begun != nil && panel.Begun.Over == ""
	switch {
	case a.field == "address":
		panel.AddressBad, panel.Address = p, wrong.address
	case a.field == "code" && codeShown:
		panel.CodeBad = p
	case p.Code == "wrong_answer" && codeShown:
		p.Tries = panel.Begun.Tries
		panel.CodeBad = p
	default:
		page.Notice = p
		panel.Address = wrong.address
	}
}

func (s *Site) viewPanel(r *http.Request, c *proofing.Case, m proofing.Method, w work) (*templates.Panel, error) {
	ref, name := casePath(r.PathValue("ref")), m.Name()
	panel := &templates.Panel{
		Method: name, Begin: s.Keep(r, ref+"/begin"), Answer: s.Keep(r, ref+"/answer"), Resend: s.Keep(r, ref+"/resend"),
	}
	if k := c.Offered(m.Channel()); k != nil {
		panel.Offered = legible(c, *k)
	}
	at := c.Current(name)
	if !m.Channel().Reached() {
		for _, k := range w.profile.Choices(m, c.Identifier) {
			panel.Choices = append(panel.Choices, templates.Choice{Name: k.Address.Reveal(), Title: k.Shown})
		}
		if at != nil && at.Browser == s.service.BrowserHash(s.browser(r)) {
			panel.Use = s.viewUse(at)
		}
		may, owned, err := s.service.Enrols(r.Context(), c, m)
		if may {
			panel.Enrol = s.Keep(r, ref+"/enrol")
		}
		panel.Owned = owned
		panel.Created = !c.Own() && owned && slices.ContainsFunc(c.Evidence, func(e proofing.Evidence) bool {
			return e.Contact().Channel == m.Channel() && e.BoundAt.IsZero()
		})
		return panel, err
	}
	if at != nil {
		panel.Begun = s.viewBegun(c, at)
	}
	if m.Channel() == proofing.ChannelPhone {
		panel.Restricted = w.restricted()
		panel.Again = w.again(c, m)
	}
	return panel, nil
}

// viewUse is what the browser itself, or another site, has to answer.
func (s *Site) viewUse(at *proofing.Attempt) *templates.Use {
	u := &templates.Use{Attempt: at.ID, Kind: "get", Ask: string(at.Ask), Away: at.Away.Reveal(), Shown: at.Contact.Shown, Over: s.over(at), Expires: at.Expires}
	switch {
	case u.Away != "":
		u.Kind = "away"
	case at.Enrol:
		u.Kind = "create"
	}
	return u
}

// over says why what an attempt has put in force is none: "tries", "expired" or empty.
func (s *Site) over(at *proofing.Attempt) string {
	switch {
	case at.Tries <= 0 || at.State == nil:
		return "tries"
	case !s.service.Now().Before(at.Expires):
		return "expired"
	}
	return ""
}

func (s *Site) viewBegun(c *proofing.Case, at *proofing.Attempt) *templates.Begun {
	now := s.service.Now()
	b := &templates.Begun{
		Attempt: at.ID, Shown: legible(c, at.Contact), Delivery: at.Delivery.Status, Reason: at.Delivery.Reason,
		Tries: at.Tries, Expires: at.Expires, ResendAt: at.NextSend, Over: s.over(at),
	}
	if wait := at.NextSend.Sub(now); wait > 0 {
		b.ResendWait = wait.Truncate(time.Second) + time.Second
	}
	return b
}

// viewOutcome is a case at which nothing is left to do. What was proved is shown
// to the browser that proved it, and to no other that holds the link.
func (s *Site) viewOutcome(r *http.Request, c *proofing.Case, own bool) templates.Outcome {
	page := templates.Outcome{
		Request: s.viewRequest(r, c), Status: string(c.Status), Reason: c.Reason, At: c.Changed, Terms: s.viewTerms(s.profile(c), c.Identifier),
	}
	switch {
	case c.Frozen != nil:
		page.Status, page.Reason, page.At, page.Until = "frozen", "", c.Frozen.At, c.Frozen.Until
	case c.Status == proofing.CaseGranted && !c.Held.IsZero():
		page.Status, page.At, page.Until, page.Me = "held", c.Held, c.Expires, s.Keep(r, mePath)
	case c.Status == proofing.CaseGranted && c.Ending != nil:
		page.Until, page.Reason, page.Ending = c.Ending.At, c.Ending.Reason, true
	case c.Status == proofing.CaseGranted:
		page.Until = c.Expires
	}
	if !own {
		return page
	}
	for _, e := range c.Evidence {
		page.Proved = append(page.Proved, viewProof(c, e))
	}
	if c.Grant != nil && c.Status == proofing.CaseGranted && c.Frozen == nil && c.Held.IsZero() {
		page.Levels, page.Restricted, page.PhishingResistant = viewLevels(c.Grant.Assessment), c.Grant.Assessment.Restricted, c.Grant.Assessment.PhishingResistant
		ial, framework := c.Grant.Assessment.IAL, c.Grant.Assessment.Framework
		page.SelfAsserted = ial != nil && *ial == 1 && framework != proofing.R4
		page.Later = s.later(c)
	}
	return page
}

func viewProof(c *proofing.Case, e proofing.Evidence) templates.Proof {
	p := templates.Proof{Kind: string(e.Kind), Shown: shown(c, e), At: e.At}
	again := !e.BoundAt.IsZero() && e.BoundAt.Before(e.At) // it was theirs before: this event authenticated
	switch {
	case e.Kind == proofing.SMSCode && again:
		p.Kind = "sms_again"
	case e.Contact().Channel == proofing.ChannelPasskey && !again:
		p.Kind = "webauthn_new"
	}
	return p
}

// legible is an address as pages show it: masked, but in full where it is the identifier
// itself, which the page shows anyway.
func legible(c *proofing.Case, k proofing.Contact) string {
	if k.Channel == proofing.ChannelEmail && c.Identifier.Type == proofing.IdentifierEmail && k.Address.Reveal() == c.Identifier.Value {
		return c.Identifier.Value
	}
	return k.Shown
}

// shown is the address of an event, as pages show it. One that came from another case of the
// applicant has no attempt here, and no address to show.
func shown(c *proofing.Case, e proofing.Evidence) string {
	for _, a := range c.Attempts {
		if a.ID == e.ID {
			return legible(c, a.Contact)
		}
	}
	return ""
}

// later is the AAL that the next code to a number reaches that was bound in this case: what
// the rules say of such an event, asked before there is one. 0 if it reaches none.
func (s *Site) later(c *proofing.Case) int {
	most, now := 0, s.service.Now().UTC()
	for _, e := range c.Evidence {
		if e.Confirms() != proofing.ChannelPhone || slices.Contains(c.Unbound, e.ID) {
			continue
		}
		next := e
		if next.BoundAt.IsZero() {
			next.BoundAt = e.At
		}
		next.At = now.Add(time.Second)
		a := proofing.Assess(c.Grant.Assessment.Framework, s.service.Policy.OperatorFacts, next.At, []proofing.Evidence{next})
		if a.AAL != nil {
			most = max(most, *a.AAL)
		}
	}
	return most
}

func viewLevels(a proofing.Assessment) []templates.Level {
	levels := []templates.Level{{Name: "IAL"}, {Name: "AAL"}, {Name: "FAL"}}
	for i, n := range []*int{a.IAL, a.AAL, a.FAL} {
		if n != nil {
			levels[i].Value = strconv.Itoa(*n)
		}
	}
	reasons := a.Reasons
	for _, e := range a.Events {
		reasons = append(reasons, e.Reasons...)
	}
	for i, reason := range reasons {
		if slices.Index(reasons, reason) == i { // once is enough
			levels[0].Reasons = append(levels[0].Reasons, templates.Clause{Clause: reason.Clause, Text: reason.Text})
		}
	}
	return levels
}
