package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// showCase writes a case for people.
func (g *globals) showCase(v caseView) error {
	status := v.Status
	if v.Frozen != nil {
		status += ", frozen until " + when(*v.Frozen)
	}
	rows := [][]string{
		{"CA", v.CA}, {"profile", v.Profile}, {"status", status}, {"reason", orDash(v.Reason)},
		{"identifier", v.Identifier}, {"applicant", v.Applicant}, {"person", orDash(v.Person)},
		{"contacts", orDash(strings.Join(v.Contacts, ", "))},
		{"created", when(v.Created)}, {"changed", when(v.Changed)}, {"expires", when(v.Expires)},
	}
	for _, t := range v.Attempts {
		rows = append(rows, []string{"attempt", fmt.Sprintf("%s to %s, began %s: %s; codes: %d, last message %s", t.Method, t.Address, when(t.Began), t.Status, t.Codes, orDash(strings.TrimSpace(t.Delivery+" "+t.DeliveryReason)))})
	}
	for _, e := range v.Evidence {
		rows = append(rows, []string{"evidence", e.Kind + " at " + when(e.At)})
	}
	if v.Grant != nil {
		rows = append(rows,
			[]string{"grant", when(v.Grant.At) + " until " + when(v.Grant.Expires) + ", by " + v.Grant.Entitlement},
			[]string{"levels", fmt.Sprintf("%s: IAL %s, AAL %s, FAL %s", v.Grant.Framework, level(v.Grant.IAL), level(v.Grant.AAL), level(v.Grant.FAL))},
			[]string{"policy", v.Grant.PolicyDigest})
	}
	return g.table([]string{"case", v.ID}, rows)
}

func level(n *int) string {
	if n == nil {
		return "none"
	}
	return strconv.Itoa(*n)
}

// caseView is a case without its secrets: no token, no link, no whole address.
type caseView struct {
	ID         string         `json:"id"`
	CA         string         `json:"ca"`
	Profile    string         `json:"profile"`
	Status     string         `json:"status"`
	Frozen     *time.Time     `json:"frozen_until,omitempty"`
	Reason     string         `json:"reason,omitempty"`
	Identifier string         `json:"identifier"` // type and value
	Applicant  string         `json:"applicant"`
	Person     string         `json:"person,omitempty"`
	ExternalID string         `json:"external_id,omitempty"`
	Contacts   []string       `json:"contacts,omitempty"`
	Created    time.Time      `json:"created"`
	Changed    time.Time      `json:"changed"`
	Expires    time.Time      `json:"expires"`
	Attempts   []attemptView  `json:"attempts,omitempty"`
	Evidence   []evidenceView `json:"evidence,omitempty"`
	Grant      *grantView     `json:"grant,omitempty"`
}

type attemptView struct {
	Method         string    `json:"method"`
	Address        string    `json:"address"`
	Status         string    `json:"status"`
	Began          time.Time `json:"began"`
	Codes          int       `json:"codes"`
	Delivery       string    `json:"delivery,omitempty"`
	DeliveryReason string    `json:"delivery_reason,omitempty"`
}

type evidenceView struct {
	Kind    string    `json:"kind"`
	At      time.Time `json:"at"`
	BoundAt time.Time `json:"bound_at,omitzero"`
}

type grantView struct {
	At           time.Time `json:"at"`
	Expires      time.Time `json:"expires"`
	RecheckAfter time.Time `json:"recheck_after"`
	Entitlement  string    `json:"entitlement"`
	Framework    string    `json:"framework"`
	IAL          *int      `json:"ial"`
	AAL          *int      `json:"aal"`
	FAL          *int      `json:"fal"`
	PolicyDigest string    `json:"policy_digest"`
}

func viewCase(c *proofing.Case) caseView {
	v := caseView{
		ID: c.ID, CA: c.CA, Profile: c.Profile, Status: string(c.Status), Reason: c.Reason,
		Identifier: c.Identifier.Type + " " + c.Identifier.Value, Person: c.Person, ExternalID: c.ExternalID,
		Created: c.Created, Changed: c.Changed, Expires: c.Expires,
		Applicant: strings.TrimSpace(string(c.Applicant.Kind) + " " + c.Applicant.Fingerprint() + " " + c.Applicant.URL),
	}
	if c.Frozen != nil {
		v.Frozen = &c.Frozen.Until
	}
	for _, contact := range c.Contacts {
		v.Contacts = append(v.Contacts, contact.Shown)
	}
	for _, t := range c.Attempts {
		v.Attempts = append(v.Attempts, attemptView{t.Method, t.Contact.Shown, string(t.Status), t.Began, t.Codes, t.Delivery.Status, t.Delivery.Reason})
	}
	for _, e := range c.Evidence {
		v.Evidence = append(v.Evidence, evidenceView{string(e.Kind), e.At, e.BoundAt})
	}
	if g := c.Grant; g != nil {
		v.Grant = &grantView{g.At, g.Expires, g.RecheckAfter, g.Entitlement, string(g.Assessment.Framework),
			g.Assessment.IAL, g.Assessment.AAL, g.Assessment.FAL, g.PolicyDigest}
	}
	return v
}

func (v caseView) row() []string {
	status := v.Status
	if v.Frozen != nil {
		status += ", " + frozen
	}
	return []string{v.ID, v.CA, v.Profile, status, v.Identifier, when(v.Created), when(v.Expires)}
}
