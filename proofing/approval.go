package proofing

import (
	"slices"
	"time"
)

// Approval is what people decide about a request, and how far they have come. A case has one from the moment on at which its person
// has proved everything that the profile asks of them.
type Approval struct {
	Stage Stage     `json:"stage"`
	Since time.Time `json:"since"` // of the stage
	// Organization is the id of the dossier that the request is made for.
	Organization string `json:"organization"`
	// Rule is who of the organization must approve: what it said when the request was submitted, and no less than the profile demands.
	Rule ApprovalRule `json:"rule"`
	// Decisions are all that were made, in their order: those that count no more stay.
	Decisions     []Decision    `json:"decisions,omitempty"`
	Discrepancies []Discrepancy `json:"discrepancies,omitempty"`
	// Weighed is until when it is known which decisions have run out.
	Weighed time.Time `json:"weighed,omitzero"`
	// Unsettled is from when on it is to be looked whether the approvals have kept their ground, see Service.settleRequests; zero: nobody has to.
	Unsettled time.Time `json:"unsettled,omitzero"`
	// Called are the persons who were told that this stage waits for them.
	Called []string `json:"called,omitempty"`
}

// Stage is how far a request has come that people decide about. To its authority it is pending in all of them.
//
//	submitted ──▶ vetting ──▶ cross_correlation ──▶ (granted)
//	                 ▲              │
//	                 └──────────────┘ a discrepancy
//
// A decision that runs out on the way sends it back to its stage, and so does a review that finds fewer approvals than the profile demands by then, and is made again.
// One refusal ends it in any of them.
type Stage string

// The stages.
const (
	// StageSubmitted waits for the applicant's side: its certificate approvers (CSBR 3.2.2.2.9).
	StageSubmitted Stage = "submitted"
	// StageVetting waits for the CA's side to collect what is missing, and to say that it is complete.
	StageVetting Stage = "vetting"
	// StageCorrelation waits for somebody who has collected nothing (CSBR 3.2.9).
	StageCorrelation Stage = "cross_correlation"
)

// Step is one of the decisions that a request takes.
type Step string

// The steps, by the stage that they belong to.
const (
	StepApprove Step = "approve" // of the applicant's side
	StepVet     Step = "vet"     // by a validation specialist: everything is collected
	StepReview  Step = "review"  // final cross-correlation and due diligence
)

// Step is the step that a stage waits for.
func (g Stage) Step() Step {
	switch g {
	case StageSubmitted:
		return StepApprove
	case StageVetting:
		return StepVet
	case StageCorrelation:
		return StepReview
	}
	return ""
}

// Role is the role that a step takes.
func (p Step) Role() Role {
	switch p {
	case StepApprove:
		return RoleApprover
	case StepVet:
		return RoleSpecialist
	case StepReview:
		return RoleReviewer
	}
	return ""
}

// Decision is one person's word, with their signature over what they were shown.
type Decision struct {
	Nonce       string    `json:"nonce"` // of the document: the same signature decides once
	Step        Step      `json:"step"`
	Refused     bool      `json:"refused,omitempty"`
	Reason      string    `json:"reason,omitempty"` // in their own words
	Person      string    `json:"person"`
	Name        string    `json:"name"` // as colleagues know them
	Appointment string    `json:"appointment"`
	At          time.Time `json:"at"`
	// Expires is from when on an approval counts no more for a grant that has not been made.
	Expires   time.Time `json:"expires"`
	Signature Signature `json:"signature"`
	// Entry is the number of the journal's entry that tells of it, and Dossier that of the newest entry of the dossier that was shown.
	Entry   int64 `json:"entry"`
	Dossier int64 `json:"dossier,omitempty"`
	// Void is why it counts no more, and since when: VoidDiscrepancy and so on.
	Void      string    `json:"void,omitempty"`
	VoidSince time.Time `json:"void_since,omitzero"`
}

// Why a decision counts no more.
const (
	VoidDiscrepancy = "discrepancy"       // something was found that it did not know of
	VoidApprovals   = "approvals"         // a review, before which an approval had run out, or the profile demanded more of them
	VoidApprover    = reasonApproverEnded // an approval: its approver's appointment does not stand any more
	VoidPasskey     = reasonTakenAway     // an approval: the passkey that signed it is its person's no more
	VoidModel       = reasonModel         // an approval: the model of that passkey is known by now to be compromised, or was taken back
)

// counts says whether a decision still stands for what it said.
func (d *Decision) counts(now time.Time) bool {
	return d.Void == "" && !d.Refused && now.Before(d.Expires)
}

// Discrepancy is something in what was collected that does not fit together, with its explanation once there is one (CSBR 3.2.9).
type Discrepancy struct {
	ID   string    `json:"id"`
	Text string    `json:"text"`
	By   string    `json:"by"` // the person
	Name string    `json:"name"`
	At   time.Time `json:"at"`

	Resolution   string    `json:"resolution,omitempty"`
	ResolvedBy   string    `json:"resolved_by,omitempty"`
	ResolvedName string    `json:"resolved_name,omitempty"`
	ResolvedAt   time.Time `json:"resolved_at,omitzero"`
}

// Open says whether nobody has explained it yet.
func (d *Discrepancy) Open() bool { return d.ResolvedAt.IsZero() }

// Unresolved says whether any discrepancy is open.
func (a *Approval) Unresolved() bool {
	return slices.ContainsFunc(a.Discrepancies, func(d Discrepancy) bool { return d.Open() })
}

// Approved are the appointments of the applicant's side that have agreed, and have not been overtaken by time.
func (a *Approval) Approved(now time.Time) (appointments []string) {
	if a == nil {
		return nil
	}
	for i := range a.Decisions {
		if d := &a.Decisions[i]; d.Step == StepApprove && d.counts(now) {
			appointments = append(appointments, d.Appointment)
		}
	}
	return appointments
}

// approvers are how many of the applicant's side have agreed, in their time.
func (a *Approval) approvers() int {
	persons := map[string]bool{}
	if a != nil {
		for _, d := range a.Decisions {
			if d.Step == StepApprove && !d.Refused && d.Void == "" {
				persons[d.Person] = true
			}
		}
	}
	return len(persons)
}

// decided is the decision that has that nonce; nil if there is none.
func (a *Approval) decided(nonce string) *Decision {
	i := slices.IndexFunc(a.Decisions, func(d Decision) bool { return d.Nonce == nonce })
	if i < 0 {
		return nil
	}
	return &a.Decisions[i]
}

// enter moves to a stage.
func (a *Approval) enter(g Stage, now time.Time) { a.Stage, a.Since, a.Called = g, now, nil }

// void takes away what decisions of a step said.
func (a *Approval) void(step Step, why string, now time.Time) {
	for i := range a.Decisions {
		if d := &a.Decisions[i]; d.Step == step && d.Void == "" && !d.Refused {
			d.Void, d.VoidSince = why, now
		}
	}
}
