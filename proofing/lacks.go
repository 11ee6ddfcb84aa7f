package proofing

import (
	"slices"
	"time"
)

// Lack is one thing that stands between an organization and a grant.
type Lack struct {
	// Code says how: LackMissing and so on. Each has words in every language.
	Code   string   `json:"code"`
	Kind   ItemKind `json:"kind,omitempty"`
	Clause string   `json:"clause"` // of the Code Signing Baseline Requirements
	// Subject is the appointment that it is about; empty: the organization itself.
	Subject string `json:"subject,omitempty"`
	// Since is when it aged; zero for what is missing.
	Since time.Time `json:"since,omitzero"`
}

// How something is lacking.
const (
	LackMissing     = "missing"
	LackOtherKey    = "other_key" // the evidence is for another key than the certificate's (6.2.7.4.2)
	LackAged        = "aged"
	LackBad         = "bad"          // refuted, on a list, or taken back
	LackUnconfirmed = "unconfirmed"  // the means of communication was not used to get an answer (3.2.2.2.4)
	LackOwnSource   = "own_source"   // an approver's authority rests on the approver (3.2.2.2.7(1))
	LackSigner      = "signer"       // who has signed is no Contract Signer among those who take part
	LackRole        = "role"         // nobody holds a role that the request needs; Subject is the role
	LackNotListed   = "not_listed"   // asked by somebody who is not on the organization's list (3.2.5)
	LackAgreement   = "agreement"    // the approver's own agreement has run out (3.2.2.2.7(4))
	LackNoAgreement = "no_agreement" // the approver has none, and later certificates are to pass by their word (3.2.2.2.7(4))
	LackUnreviewed  = "unreviewed"   // recorded since, and nobody who has collected nothing has looked at it (3.2.9)
	LackReconfirm   = "reconfirm"    // the approver was not confirmed again in time (3.2.2.2.7(4))
)

// Lacks are all the reasons for which no certificate may be granted to the organization now: every item that is missing, has aged
// or is bad. Appointments are those that take part: for a request, of who asks, who approves and who has signed; for the
// dossier's page, all that are active. What takes part must be right; what does not is not looked at.
func (o *Organization) Lacks(ev bool, appointments []*Appointment, now time.Time) (all []Lack) {
	return o.lacksFor("", ev, appointments, now)
}

// lacksFor is Lacks for a certificate of a key; empty: of one that is not known yet.
func (o *Organization) lacksFor(key string, ev bool, appointments []*Appointment, now time.Time) (all []Lack) {
	mine := slices.DeleteFunc(slices.Clone(appointments), func(a *Appointment) bool {
		return a.Role.Side() != SideApplicant || !a.Covers(o.CA, o.ID)
	})
	business := o.Current(ItemBusinessEntity, "")
	for _, r := range itemRules {
		needed := r.Needed == NeedAlways || ev && (r.Needed == NeedEV || r.Needed == NeedBusinessEntity && business != nil && business.Outcome == OutcomeGood)
		if !needed {
			continue
		}
		// Screenings are of the organization, too, and not only of its people (3.2.8).
		if len(r.PerPerson) == 0 || r.Kind == ItemDenied {
			all = append(all, o.lacks(r, "", nil, key, ev, mine, now)...)
		}
		for _, a := range mine {
			if slices.Contains(r.PerPerson, a.Role) {
				all = append(all, o.lacks(r, a.ID, a, key, ev, mine, now)...)
			}
		}
	}
	if ev {
		all = append(all, o.lacksPeople(mine, now)...)
	}
	return all
}

// lacks are the faults of one item.
func (o *Organization) lacks(r ItemRule, subject string, about *Appointment, key string, ev bool, people []*Appointment, now time.Time) (all []Lack) {
	lack := func(code string, since time.Time) {
		all = append(all, Lack{Code: code, Kind: r.Kind, Clause: r.Clause, Subject: subject, Since: since})
	}
	it, none := o.Current(r.Kind, subject), LackMissing
	if r.Kind == ItemKeyProtection {
		if it = o.Protection(key, now); it == nil && o.Protection("", now) != nil {
			none = LackOtherKey
		}
	}
	if it == nil {
		lack(none, time.Time{})
		return all
	}
	if it.Outcome != OutcomeGood {
		lack(LackBad, time.Time{})
	}
	if !it.good(ev, now) {
		lack(LackAged, it.GoodUntil(ev))
	}
	switch r.Kind {
	case ItemCommunication:
		if it.ConfirmedAt.IsZero() {
			lack(LackUnconfirmed, time.Time{})
		}
	case ItemApprover:
		if about.Person == "" || about.Source.By == about.Person || it.CollectedBy == about.Person || it.ConfirmedBy == about.Person || it.Signer != "" && personOf(people, it.Signer) == about.Person {
			lack(LackOwnSource, time.Time{})
		}
	case ItemAgreement:
		if ev && !slices.ContainsFunc(people, func(a *Appointment) bool { return a.Role == RoleSigner && a.ID == it.Signer }) {
			lack(LackSigner, time.Time{})
		}
	}
	return all
}

// personOf is who holds one of the appointments.
func personOf(people []*Appointment, appointment string) string {
	for _, a := range people {
		if a.ID == appointment {
			return a.Person
		}
	}
	return ""
}

// lacksPeople are the faults of the roles themselves.
func (o *Organization) lacksPeople(people []*Appointment, now time.Time) (all []Lack) {
	for _, role := range []Role{RoleRequester, RoleApprover, RoleSigner} {
		holds := func(a *Appointment) bool {
			return a.Role == role || role == RoleRequester && a.Role == RoleApprover // an approver may ask, too (3.2.2.2)
		}
		if !slices.ContainsFunc(people, holds) {
			all = append(all, Lack{Code: LackRole, Clause: "3.2.2.2", Subject: string(role)})
		}
	}
	for _, a := range people {
		switch {
		case a.Role == RoleApprover && a.Agreement != nil && !now.Before(a.Agreement.Until):
			all = append(all, Lack{Code: LackAgreement, Clause: "3.2.2.2.7(4)", Subject: a.ID, Since: a.Agreement.Until})
		case a.Role == RoleApprover && a.lapsed(now):
			all = append(all, Lack{Code: LackReconfirm, Clause: "3.2.2.2.7(4)", Subject: a.ID, Since: a.ReconfirmBy})
		}
	}
	return all
}

// Aging is an item that is good until a time.
type Aging struct {
	Item  *Item     `json:"item"`
	Until time.Time `json:"until"`
	// Unheard: people were to be reminded of it, and nobody could be.
	Unheard bool `json:"unheard,omitempty"`
}

// Ages lists what of the dossier ages, for EV, the soonest first; what has aged already is among it.
func (o *Organization) Ages() (all []Aging) {
	for _, it := range o.Currents() {
		if until := it.GoodUntil(true); !until.IsZero() && it.Outcome == OutcomeGood {
			nobody := o.PutOff.nobody(it.ID) || o.PutOff.nobody(it.ID+otherMark)
			all = append(all, Aging{it, until, nobody})
		}
	}
	slices.SortStableFunc(all, func(a, b Aging) int { return a.Until.Compare(b.Until) })
	return all
}
