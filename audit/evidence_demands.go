package audit

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// demands is what a profile demands of what is proved, by the text of a policy: its settings are strings, and lists of strings.
type demands struct {
	Framework proofing.Framework `json:"framework"`
	Require   struct {
		IAL                string             `json:"ial"`
		AAL                string             `json:"aal"`
		FAL                string             `json:"fal"`
		PhishingResistant  string             `json:"phishing_resistant"`
		ConfirmedAddresses []proofing.Channel `json:"confirmed_addresses"`
		AllMethods         []string           `json:"all_methods"`
	} `json:"require"`
}

// demanded says whether what was proved before a grant is what the profile demands of it, by the text of the policy of the grant. It is judged when the last of it was
// proved: people may decide after a sign-in has aged. Nothing is said where another policy came meanwhile, or the facts were erased.
func (r *reading) demanded(c *EvidenceCase, o *readObject) error {
	granted := o.granted()
	if c.Policy == nil || granted < 0 {
		return nil
	}
	d := &c.Policy.demands
	claims, ok := o.claims()
	if ok && d.Framework != "" && claims.framework != d.Framework {
		return fmt.Errorf("case %s was granted under the framework %s, and its policy has %s", c.Object, claims.framework, d.Framework)
	}
	var methods []string
	var channels []proofing.Channel
	var events []proofing.Evidence
	last, whole := time.Time{}, true
	for _, i := range o.proved() {
		facts := o.leaves[i].Facts
		methods = append(methods, textOf(facts, "method"))
		channels = append(channels, proofing.Evidence{Kind: proofing.EvidenceKind(textOf(facts, "kind"))}.Confirms())
		var private struct {
			Evidence proofing.Evidence `json:"evidence"`
		}
		if o.Entries[i].Private == nil || json.Unmarshal(o.Entries[i].Private, &private) != nil {
			whole = false
			continue
		}
		if private.Evidence.At.After(last) {
			last = private.Evidence.At
		}
		events = append(events, private.Evidence)
	}
	if !r.unchanged(c, o) {
		return nil
	}
	for _, ch := range d.Require.ConfirmedAddresses {
		if !slices.Contains(channels, ch) {
			return fmt.Errorf("case %s was granted without the confirmed address (%s) that its policy demands", c.Object, ch)
		}
	}
	for _, m := range d.Require.AllMethods {
		if !slices.Contains(methods, m) {
			return fmt.Errorf("case %s was granted without the method %s that its policy demands", c.Object, m)
		}
	}
	if !ok || !whole {
		return nil
	}
	a := proofing.Assess(claims.framework, claims.operator, last, events)
	for _, l := range []struct {
		name, want string
		have       *int
	}{{"IAL", d.Require.IAL, a.IAL}, {"AAL", d.Require.AAL, a.AAL}, {"FAL", d.Require.FAL, a.FAL}} {
		want, err := strconv.Atoi(l.want)
		if l.want != "" && err != nil {
			return fmt.Errorf("case %s: the %s of its policy is no number: %w", c.Object, l.name, err)
		}
		if want > 0 && (l.have == nil || *l.have < want) {
			return fmt.Errorf("case %s was granted, and what was proved does not earn the %s%d that its policy demands", c.Object, l.name, want)
		}
	}
	if d.Require.PhishingResistant == "true" && !a.PhishingResistant {
		return fmt.Errorf("case %s was granted, and what was proved is not phishing-resistant, as its policy demands", c.Object)
	}
	return nil
}

// unchanged says whether no other policy came into force from when a case was handed to people until its grant. The first one takes the place of none.
func (r *reading) unchanged(c *EvidenceCase, o *readObject) bool {
	book, err := r.book()
	staged, granted := o.first(proofing.CaseStaged), o.granted()
	if err != nil || book == nil || staged < 0 {
		return true
	}
	since, until := o.leaves[staged].At.Add(-proofing.ClockSkew), o.leaves[granted].At.Add(proofing.ClockSkew)
	return c.Policy.Replaced == 0 && !slices.ContainsFunc(book.leaves, func(l proofing.Leaf) bool {
		return (l.Kind == proofing.PolicyIsAdopted || l.Kind == proofing.PolicyIsInForce) && l.Number > 1 && !l.At.Before(since) && !l.At.After(until)
	})
}

// complete says whether a dossier had everything good that a grant for extended validation takes of it, when a review was made that a case was granted by: of the organization,
// and of who approved. A certificate's key is judged by itself.
func (r *reading) complete(c *EvidenceCase, o *readObject, all []ProvenApproval) error {
	granted := o.granted()
	if c.Policy == nil || !c.Policy.ev || granted < 0 {
		return nil
	}
	var review *ProvenApproval
	approvers := []string{}
	for i := range all {
		switch a := &all[i]; {
		case a.Entry > o.leaves[granted].Number:
		case a.Checked.Document.Step == string(proofing.StepReview):
			review = a
		case a.Checked.Document.Step == string(proofing.StepApprove):
			if id := a.Checked.Document.By.Appointment; !slices.Contains(approvers, id) {
				approvers = append(approvers, id)
			}
		}
	}
	if review == nil {
		return nil
	}
	dossier := r.object(proofing.SubjectOrganization, textOf(review.Decided.Facts, "organization"))
	current := dossier.currentAt(review.Decided)
	good := func(kind proofing.ItemKind, subject string) bool {
		i, there := current[string(kind)+" "+subject]
		if !there || textOf(dossier.leaves[i].Facts, "outcome") != string(proofing.OutcomeGood) {
			return false
		}
		until, err := time.Parse(time.RFC3339Nano, textOf(dossier.leaves[i].Facts, "good_until"))
		return err != nil && textOf(dossier.leaves[i].Facts, "good_until") == "" || err == nil && until.After(review.Decided.At.Add(-proofing.ClockSkew))
	}
	for _, rule := range proofing.ItemRules() {
		needed := rule.Needed == proofing.NeedAlways || rule.Needed == proofing.NeedEV || rule.Needed == proofing.NeedBusinessEntity && good(proofing.ItemBusinessEntity, "")
		if !needed || rule.Kind == proofing.ItemKeyProtection {
			continue
		}
		if (len(rule.PerPerson) == 0 || rule.Kind == proofing.ItemDenied) && !good(rule.Kind, "") {
			return fmt.Errorf("case %s was granted, and the dossier had no good %s at the review of entry %d (CSBR %s)", c.Object, rule.Kind, review.Entry, rule.Clause)
		}
		if slices.Contains(rule.PerPerson, proofing.RoleApprover) { // whose word counts no more by then may be among them
			approvers = slices.DeleteFunc(approvers, func(id string) bool { return !good(rule.Kind, id) })
		}
	}
	if len(approvers) < max(c.Policy.Approvals, 1) {
		return fmt.Errorf("case %s was granted, and the dossier had everything good of %d of its approvers at the review of entry %d", c.Object, len(approvers), review.Entry)
	}
	return nil
}
