package web

import (
	"slices"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// work is what a case demands, what of it is missing, and what can be done about
// it. The demands are the profile's; here they are only put in an order to show.
type work struct {
	profile  *proofing.Profile
	methods  []proofing.Method
	demanded []proofing.Missing
	missing  []proofing.Missing
	evidence []proofing.Evidence
}

func (s *Site) workOf(c *proofing.Case, p *proofing.Profile) work {
	facts, now := s.service.Policy.OperatorFacts, s.service.Now().UTC()
	w := work{
		profile: p, methods: s.methods(p, c.Identifier), evidence: c.Standing(),
		demanded: p.Unmet(facts, now, nil), missing: p.Unmet(facts, now, c.Standing()),
	}
	for _, m := range w.missing { // known only once the rest is there
		if m.Code == "binding_age" {
			w.demanded = append([]proofing.Missing{m}, w.demanded...)
		}
	}
	if len(w.demanded) == 0 { // a profile that takes whatever is proved first
		w.demanded = []proofing.Missing{{Code: "any"}}
		w.missing = w.demanded
	}
	return w
}

// reach is the highest level that a method can lead to by the rules of
// SP 800-63, as far as that is a reason to offer it: a code by e-mail authenticates nobody, one by text message
// does at AAL1, and nothing but a passkey cannot be phished. docs/assurance.md has the rules.
var reach = map[string]struct {
	ial, aal, fal     string
	phishingResistant bool
}{
	"email": {ial: "1"},
	"sms":   {ial: "1", aal: "1"},
	"fido":  {ial: "1", aal: "3", phishingResistant: true},
	"oidc":  {ial: "3", aal: "3", fal: "2"},
}

// inPerson says whether the record of a representative, which nobody does by themselves on this page, can provide what is missing.
func (w work) inPerson(missing proofing.Missing) bool {
	return w.profile.Offers("representative") && (missing.Code == "ial" || missing.Code == "method" && missing.Detail == "representative")
}

// serves says whether using a method now can provide what is missing. It only
// chooses what to offer: what the result counts for, the assessment says.
func (w work) serves(m proofing.Method, missing proofing.Missing) bool {
	most := reach[m.Name()]
	used := slices.ContainsFunc(w.evidence, func(e proofing.Evidence) bool { return e.Method() == m.Name() && !e.Suspended })
	switch missing.Code {
	case "any":
		return true
	case "address":
		return string(m.Channel()) == missing.Detail
	case "method":
		return m.Name() == missing.Detail
	case "ial": // using it again makes nobody better known
		return !used && most.ial >= missing.Detail
	case "aal":
		return most.aal >= missing.Detail
	case "fal":
		return most.fal >= missing.Detail
	case "phishing_resistant":
		return most.phishingResistant
	case "binding_age":
		return m.Channel().Authenticates()
	}
	return false
}

// pick is the method to work with now: the one that is wanted, if it is of use;
// else the one that was begun last and waits for its answer; else the first that serves.
func (w work) pick(c *proofing.Case, wanted string) proofing.Method {
	var useful []proofing.Method
	for _, missing := range w.missing {
		for _, m := range w.methods {
			have := slices.ContainsFunc(useful, func(o proofing.Method) bool { return o.Name() == m.Name() })
			if w.serves(m, missing) && !have {
				useful = append(useful, m)
			}
		}
	}
	for _, m := range useful {
		if m.Name() == wanted {
			return m
		}
	}
	var last proofing.Method
	var at time.Time
	for _, m := range useful {
		if a := c.Current(m.Name()); a != nil && (last == nil || a.Asked().After(at)) {
			last, at = m, a.Asked()
		}
	}
	if last != nil {
		return last
	}
	if len(useful) > 0 {
		return useful[0]
	}
	return nil
}

// instead is another method that provides what m would have provided; nil for none.
func (w work) instead(m proofing.Method) proofing.Method {
	for _, missing := range w.missing {
		if m == nil || !w.serves(m, missing) {
			continue
		}
		for _, other := range w.methods {
			if other.Name() != m.Name() && w.serves(other, missing) {
				return other
			}
		}
	}
	return nil
}

// steps lists what is done and what is to do; now is the method at hand, nil for none.
func (w work) steps(now proofing.Method, link func(method string) string) []templates.Step {
	var steps []templates.Step
	current := false
	for _, d := range w.demanded {
		step := templates.Step{Code: d.Code, Detail: d.Detail, State: "todo"}
		switch {
		case !slices.Contains(w.missing, d):
			step.State = "done"
		case now != nil && !current && w.serves(now, d):
			step.State, current = "now", true
		case now == nil && !current && w.inPerson(d):
			step.State, current = "now", true
		case now != nil && !w.serves(now, d):
			if i := slices.IndexFunc(w.methods, func(m proofing.Method) bool { return w.serves(m, d) }); i >= 0 {
				step.Href = link(w.methods[i].Name())
			}
		}
		steps = append(steps, step)
	}
	if w.profile.Approvals > 0 {
		steps = append(steps, templates.Step{Code: "review", State: "todo"})
	}
	return append(steps, templates.Step{Code: "answer", State: "todo"})
}

// authenticates says whether the profile demands more than confirmed addresses.
func (w work) authenticates() bool {
	return w.profile.Require.AAL > 0 || w.profile.Require.PhishingResistant
}

// restricted is what must be said before somebody relies on text messages: which
// other authenticators the profile offers, which a code by e-mail is none of.
func (w work) restricted() *templates.Restricted {
	n := &templates.Restricted{Clause: "SP 800-63B 5.2.10", Authenticates: w.authenticates()}
	if w.profile.Framework == proofing.R4 {
		n.Clause = "SP 800-63B-4 3.2.9"
	}
	for _, m := range w.methods {
		if m.Channel() != proofing.ChannelPhone && m.Channel().Authenticates() {
			n.Alternatives = append(n.Alternatives, m.Name())
		}
	}
	return n
}

// again says that a number is confirmed and that authenticating with it takes a
// second code: the event that binds an authenticator is no authentication
// (SP 800-63B 6.1; SP 800-63B-4 4.1). Nil where that is not what is missing.
func (w work) again(c *proofing.Case, m proofing.Method) *templates.Again {
	i := slices.IndexFunc(w.missing, func(d proofing.Missing) bool { return d.Code == "aal" })
	confirmed := slices.IndexFunc(w.evidence, func(e proofing.Evidence) bool { return e.Method() == m.Name() })
	if i < 0 || confirmed < 0 {
		return nil
	}
	again := &templates.Again{AAL: w.missing[i].Detail}
	for _, a := range c.Attempts {
		if a.Method == m.Name() && a.Status == proofing.AttemptPassed {
			again.Attempt, again.Shown = a.ID, legible(c, a.Contact)
			again.Foreign = slices.Contains(c.Unbound, a.ID)
		}
	}
	return again
}
