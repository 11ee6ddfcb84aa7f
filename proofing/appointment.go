package proofing

import (
	"slices"
	"time"
)

// Appointment is one person's role in one scope: the service, an authority, or an organization. It is proposed by one, taken up by
// the person with a passkey of their own, and confirmed by another; see Console for what it is worth. All appointments
// share a bucket: whoever does something in the console is looked up in one place, and nobody holds a role twice.
type Appointment struct {
	ID   string `json:"id"`
	Name string `json:"name"` // by what name colleagues know the person
	Role Role   `json:"role"`
	// CA is the authority of every role but the administrator's, and Organization the dossier of those on the applicant's side.
	CA           string `json:"ca,omitempty"`
	Organization string `json:"organization,omitempty"`
	// Person is who has taken it up; empty until then.
	Person string            `json:"person,omitempty"`
	Status AppointmentStatus `json:"status"`
	// Link is the secret of the link by which it is taken up, once, before LinkUntil.
	Link      Secret    `json:"link"`
	LinkUntil time.Time `json:"link_until"`
	// Source is what says that the person has the role, and Agreement makes an approver a pre-authorized one.
	Source    RoleSource `json:"source,omitzero"`
	Agreement *Agreement `json:"agreement,omitempty"`
	// Passkey is what the person signed in with when they took it up.
	Passkey Passkey `json:"passkey,omitzero"`

	Proposed Act `json:"proposed"`
	Accepted Act `json:"accepted,omitzero"`
	// Seconded is the first of the two confirmations that an invitation takes.
	Seconded  Act `json:"seconded,omitzero"`
	Confirmed Act `json:"confirmed,omitzero"`
	Suspended Act `json:"suspended,omitzero"` // the last time
	Resumed   Act `json:"resumed,omitzero"`
	Ended     Act `json:"ended,omitzero"`
	// Asked is what one person wants to become of it and another must confirm.
	Asked *Asked `json:"asked,omitempty"`
	// Reason is why it was suspended or has ended: a code of ours, or words of whoever did it.
	Reason string `json:"reason,omitempty"`
	// Reconfirmed is when somebody last made sure that it is still so, and ReconfirmBy when that is due again; zero: never.
	Reconfirmed Act       `json:"reconfirmed,omitzero"`
	ReconfirmBy time.Time `json:"reconfirm_by,omitzero"`
	Until       time.Time `json:"until,omitzero"` // the end of its term; zero: none
	// Beginning is how it came about without an administrator: BegunByBootstrap, BegunByRecovery or BegunByInvitation.
	Beginning string `json:"beginning,omitempty"`
	// Reminded are the reminders of what ends that people have had, see RoleEnd, and PutOff those that they could not have.
	Reminded []string `json:"reminded,omitempty"`
	PutOff   PutOff   `json:"put_off,omitzero"`
	// Settled is the last voidsAt of which the requests have heard that rest on it.
	Settled time.Time `json:"settled,omitzero"`
	// Due is when the worker is to look at it again, besides what follows from the rest.
	Due     time.Time `json:"due,omitzero"`
	Outbox  Outbox    `json:"outbox,omitempty"`
	Journal Journal   `json:"journal,omitempty"`
}

// How an appointment comes about that no administrator has proposed.
const (
	BegunByBootstrap = "bootstrap"
	BegunByRecovery  = "recovery"
	// BegunByInvitation: an operator on the server has proposed it, and two administrators confirm it.
	BegunByInvitation = "invitation"
)

// AppointmentStatus is where an appointment stands.
type AppointmentStatus string

// The statuses of an appointment:
//
//	proposed ──▶ accepted ──▶ active ◀──▶ suspended
//	    └───────────┴───────────┴────────────┴──▶ ended
const (
	AppointmentProposed  AppointmentStatus = "proposed"  // its link has not been used
	AppointmentAccepted  AppointmentStatus = "accepted"  // a person has taken it up, and another must confirm
	AppointmentActive    AppointmentStatus = "active"    // it gives its role
	AppointmentSuspended AppointmentStatus = "suspended" // it gives nothing for now
	AppointmentEnded     AppointmentStatus = "ended"     // for good
)

// Act is who did something, and when.
type Act struct {
	By   Actor     `json:"by"`
	Name string    `json:"name,omitempty"` // by what name colleagues knew them
	At   time.Time `json:"at"`
}

// Asked is a change that waits for a second person. It is forgotten after askedFor.
type Asked struct {
	What   string `json:"what"` // AskedResume or AskedEnd
	Reason string `json:"reason"`
	Act
}

// What can be asked.
const (
	AskedResume = "resume"
	AskedEnd    = "end"
)

// RoleSource is what an appointment's role rests on.
type RoleSource struct {
	Kind RoleSourceKind `json:"kind,omitempty"`
	// Reference is where the document is kept: the operator's own file number.
	Reference string `json:"reference,omitempty"`
	// Signer is the appointment of the Contract Signer who warrants it (SourceSignerWarranty alone).
	Signer string `json:"signer,omitempty"`
	// By is the person who obtained it, and At when.
	By string    `json:"by,omitempty"`
	At time.Time `json:"at,omitzero"`
}

// RoleSourceKind is a kind of source for somebody's role.
type RoleSourceKind string

// The kinds of sources. The first seven are those for the authority of Contract Signers and Certificate Approvers
// (CSBR 3.2.2.2.7).
const (
	SourceProfessionalLetter RoleSourceKind = "professional_letter"
	SourceResolution         RoleSourceKind = "corporate_resolution"
	SourceConfirmation       RoleSourceKind = "independent_confirmation"
	SourceContract           RoleSourceKind = "contract"
	SourcePriorAuthority     RoleSourceKind = "prior_authority"
	SourceInformationSource  RoleSourceKind = "qiis_qgis"
	SourceSignerWarranty     RoleSourceKind = "signer_warranty"
	SourceRequesterList      RoleSourceKind = "requester_list" // of those who may request (CSBR 3.2.5)
	SourceTraining           RoleSourceKind = "training"       // with its examination (CSBR 5.3.3)
)

// roleSources are the sources that each role may rest on; a role that is not here needs none.
var roleSources = map[Role][]RoleSourceKind{
	RoleApprover:   authoritySources,
	RoleSigner:     authoritySources,
	RoleRequester:  append([]RoleSourceKind{SourceRequesterList}, authoritySources...),
	RoleSpecialist: {SourceTraining},
	RoleReviewer:   {SourceTraining},
}

var authoritySources = []RoleSourceKind{SourceProfessionalLetter, SourceResolution, SourceConfirmation, SourceContract, SourcePriorAuthority, SourceInformationSource, SourceSignerWarranty}

// RoleSources are the sources that a role may rest on; none if it needs none.
func RoleSources(r Role) []RoleSourceKind { return slices.Clone(roleSources[r]) }

// Agreement is the contract by which an organization names somebody a pre-authorized Certificate Approver (CSBR 3.2.2.2.7(4)). What
// it must provide for is kept by this program: that the approver is authenticated at each approval (a signed decision), that they are
// confirmed again from time to time (ReconfirmBy), and that the role can be taken back at once (suspension).
type Agreement struct {
	Reference string `json:"reference"`
	Version   string `json:"version"`
	// Signer is the appointment of the Contract Signer who has signed it.
	Signer string    `json:"signer"`
	Until  time.Time `json:"until"` // the end of its term
}

// Passkey is an authenticator as an administrator sees it who must judge who has come.
type Passkey struct {
	Binding string    `json:"binding"`
	Name    string    `json:"name"` // what its person calls it
	BoundAt time.Time `json:"bound_at"`
	// Attestation is what kind of attestation it came with, and Trusted whether that leads to a known root; Synced, whether it
	// can be copied to other devices (WebAuthn 6.1, BE).
	Attestation AttestationType `json:"attestation,omitempty"`
	Trusted     bool            `json:"trusted,omitempty"`
	Synced      bool            `json:"synced,omitempty"`
}

const (
	// joinFor is how long the link of an appointment is good, and firstJoinFor that of one that begins on the server.
	joinFor      = 7 * 24 * time.Hour
	firstJoinFor = 24 * time.Hour
	// RecoveryWait is how long an administrator by `admin recover` waits if no other one confirms them.
	RecoveryWait = 24 * time.Hour
	// askedFor is how long something that was asked waits for its second person.
	askedFor = 7 * 24 * time.Hour
	// reconfirmEvery is the longest between two confirmations of an approver: name, title, agency and authority are good for 398 days
	// (CSBR 4.2.1.1.3).
	reconfirmEvery = evAge
)

// Stands says whether the appointment gives its role now, by what is known of its person. Whoever came back into an account by
// a recovery comes by that into no office: the appointment stands again once two have resumed it.
func (a *Appointment) Stands(p *Person, now time.Time) bool { return a.falls(p, now) == "" }

// falls says why the appointment does not give its role; nothing if it does.
func (a *Appointment) falls(p *Person, now time.Time) string {
	since := a.Accepted.At // when they showed their passkey for it
	if a.Resumed.At.After(since) {
		since = a.Resumed.At
	}
	switch {
	case a.Status != AppointmentActive:
		return string(a.Status)
	case !a.Until.IsZero() && !now.Before(a.Until):
		return string(AppointmentEnded)
	case p == nil || p.ID != a.Person:
		return "person_gone"
	case !p.Recovered.IsZero() && !p.Recovered.Before(since):
		return "account_recovered"
	case a.lapsed(now):
		return "reconfirmation_due"
	}
	return ""
}

// lapsed says whether nobody has confirmed the appointment again in time.
func (a *Appointment) lapsed(now time.Time) bool {
	return !a.ReconfirmBy.IsZero() && !now.Before(a.ReconfirmBy)
}

// Awaits is what has to happen before an appointment that was taken up gives its role.
type Awaits string

// What an accepted appointment can wait for.
const (
	AwaitsOne    Awaits = "one"    // somebody who governs it confirms it
	AwaitsTwo    Awaits = "two"    // two administrators confirm it (BegunByInvitation)
	AwaitsSecond Awaits = "second" // one of those two has, and the other must
	AwaitsFirst  Awaits = "first"  // the other of the first two takes theirs up (BegunByBootstrap)
	AwaitsDay    Awaits = "day"    // RecoveryWait is over, or another administrator confirms it (BegunByRecovery)
)

// awaits says what the appointment waits for; nothing unless it is accepted. Seconded says whether the first of two confirmations counts.
func (a *Appointment) awaits(seconded bool) Awaits {
	switch {
	case a.Status != AppointmentAccepted:
		return ""
	case a.Beginning == BegunByBootstrap:
		return AwaitsFirst
	case a.Beginning == BegunByRecovery:
		return AwaitsDay
	case a.Beginning == BegunByInvitation && !seconded:
		return AwaitsTwo
	case a.Beginning == BegunByInvitation:
		return AwaitsSecond
	}
	return AwaitsOne
}

// Deadline is when the status changes if nobody does anything: the link of a proposed appointment runs out, a recovered administrator
// becomes one, a term ends. Zero: never.
func (a *Appointment) Deadline() time.Time {
	switch a.Status {
	case AppointmentProposed:
		return a.LinkUntil
	case AppointmentAccepted:
		if a.Beginning == BegunByRecovery {
			return a.Accepted.At.Add(RecoveryWait)
		}
	case AppointmentActive, AppointmentSuspended:
		return a.Until
	}
	return time.Time{}
}

// Since is when the appointment came to its status.
func (a *Appointment) Since() time.Time {
	last := a.Proposed.At
	for _, act := range map[AppointmentStatus][]Act{
		AppointmentAccepted:  {a.Accepted},
		AppointmentActive:    {a.Confirmed, a.Resumed},
		AppointmentSuspended: {a.Suspended},
		AppointmentEnded:     {a.Ended},
	}[a.Status] {
		if act.At.After(last) {
			last = act.At
		}
	}
	return last
}

// PreAuthorized says whether the person may approve requests without being asked about each of them in another way.
func (a *Appointment) PreAuthorized(now time.Time) bool {
	return a.Role == RoleApprover && a.Agreement != nil && now.Before(a.Agreement.Until)
}

// Covers says whether the appointment's scope has an organization of an authority in it; "" for what is no organization's.
func (a *Appointment) Covers(ca, organization string) bool {
	switch a.Role.Side() {
	case SideService:
		return true
	case SideAuthority:
		return a.CA == ca && ca != ""
	case SideApplicant:
		return a.CA == ca && a.Organization == organization && organization != ""
	}
	return false
}

// governs says whether the appointment's holder has a say in who else is appointed: administrators in all, operators in those of
// their authority and its organizations.
func (a *Appointment) governs(o *Appointment) bool {
	switch a.Role {
	case RoleAdministrator:
		return true
	case RoleOperator:
		return o.Role.Side() != SideService && o.CA == a.CA
	}
	return false
}

// halts says whether the appointment's holder may suspend another, besides who governs it: an organization's signers and approvers
// may, within their own (CSBR 3.2.2.2.7(4): a secure way to take an approver's authority back).
func (a *Appointment) halts(o *Appointment) bool {
	return a.governs(o) || (a.Role == RoleSigner || a.Role == RoleApprover) && o.Role.Side() == SideApplicant && a.Covers(o.CA, o.Organization)
}

// Enough says whether two roles together give a role: administrators are named by administrators, the people of an
// authority by at least one administrator, and those of an organization by two who govern it.
func Enough(role, one, other Role) bool {
	switch role.Side() {
	case SideService:
		return one == RoleAdministrator && other == RoleAdministrator
	case SideAuthority:
		return one == RoleAdministrator || other == RoleAdministrator
	}
	return true
}

// lapse brings a copy of the appointment up to what time has done. It says whether that was anything.
func (a *Appointment) lapse(now time.Time) bool {
	had := a.Status
	if a.Asked != nil && !now.Before(a.Asked.At.Add(askedFor)) {
		a.Asked = nil
		return true
	}
	switch {
	case a.Status == AppointmentProposed && !now.Before(a.LinkUntil):
		a.end("link_expired", Act{By: ByService, At: a.LinkUntil})
	case (a.Status == AppointmentActive || a.Status == AppointmentSuspended) && !a.Until.IsZero() && !now.Before(a.Until):
		a.end("term_over", Act{By: ByService, At: a.Until})
	case a.awaits(false) == AwaitsDay && !now.Before(a.Deadline()):
		a.activate(Act{By: ByOperator, At: a.Deadline()})
	}
	return a.Status != had
}

// activate gives the role.
func (a *Appointment) activate(by Act) {
	a.Status, a.Confirmed, a.Due = AppointmentActive, by, time.Time{}
	if a.Role == RoleApprover && a.Agreement != nil {
		a.ReconfirmBy = by.At.Add(reconfirmEvery)
	}
	a.write(AppointmentIsConfirmed, by, nil)
}

// end takes it for good.
func (a *Appointment) end(reason string, by Act) {
	a.Status, a.Reason, a.Ended, a.Asked, a.Due = AppointmentEnded, reason, by, nil, time.Time{}
	a.write(AppointmentHasEnded, by, map[string]any{"reason": reason})
}

// The entries of an appointment in the log.
const (
	AppointmentIsProposed    EntryKind = "appointment_proposed"
	AppointmentIsAccepted    EntryKind = "appointment_accepted"
	AppointmentIsSeconded    EntryKind = "appointment_seconded" // the first of two confirmations
	AppointmentIsConfirmed   EntryKind = "appointment_confirmed"
	AppointmentIsSuspended   EntryKind = "appointment_suspended"
	AppointmentIsAsked       EntryKind = "appointment_asked" // for what the second person is to confirm
	AppointmentIsResumed     EntryKind = "appointment_resumed"
	AppointmentHasEnded      EntryKind = "appointment_ended"
	AppointmentIsReconfirmed EntryKind = "appointment_reconfirmed"
)

// write adds an entry to the journal. Private has the words that go with it.
func (a *Appointment) write(kind EntryKind, by Act, private map[string]any) {
	facts := map[string]any{"role": string(a.Role), "status": string(a.Status)}
	for name, value := range map[string]string{"ca": a.CA, "organization": a.Organization, "person": a.Person, "beginning": a.Beginning, "source": string(a.Source.Kind), "source_signer": a.Source.Signer, "passkey": a.Passkey.Binding} {
		if value != "" {
			facts[name] = value
		}
	}
	words := map[string]any{"name": a.Name}
	for name, value := range private {
		words[name] = value
	}
	var persons []string
	if a.Person != "" {
		persons = []string{a.Person}
	}
	a.Journal.Write(Note{Of: SubjectAppointment, Object: a.ID, Kind: kind, By: by.By, At: by.At, Facts: facts, Private: words, Persons: persons})
}

// scope names where the role is held, for an index.
func (a *Appointment) scope() string {
	switch a.Role.Side() {
	case SideApplicant:
		return "organization." + a.Organization
	case SideAuthority:
		return "authority." + a.CA
	}
	return "service"
}

// Indexes implements Record. Nobody holds a role twice in a scope.
func (a *Appointment) Indexes() []Index {
	ix := []Index{
		{Name: "scope", Value: a.scope() + "." + string(a.Status)},
		{Name: "role", Value: string(a.Role) + "." + string(a.Status)},
		{Name: "all", Value: stamp(a.Proposed.At)},
	}
	if a.CA != "" {
		ix = append(ix, Index{Name: "ca", Value: a.CA})
	}
	if a.Organization != "" {
		ix = append(ix, Index{Name: "organization", Value: a.Organization})
	}
	if a.Person != "" && a.Status != AppointmentEnded {
		ix = append(ix, Index{Name: "person", Value: a.Person}, Index{Name: "holder", Value: string(a.Role) + "." + a.scope() + "." + a.Person, Unique: true})
	}
	if due, ok := a.nextDue(); ok {
		ix = append(ix, Index{Name: "due", Value: stamp(due)})
	}
	return append(append(ix, a.ledger().deadIndexes()...), a.Journal.index()...)
}

// ExpiresAt implements Record: what somebody decided rests on it, and is kept longer.
func (a *Appointment) ExpiresAt() time.Time { return time.Time{} }

// nextDue is when the worker must look at it again.
func (a *Appointment) nextDue() (time.Time, bool) {
	due, ok := a.Outbox.NextDue()
	own := a.Deadline()
	if own.IsZero() && a.Status == AppointmentAccepted {
		own = a.Due
	}
	if a.Asked != nil {
		own = earliest(own, a.Asked.At.Add(askedFor))
	}
	own = earliest(own, a.nextReminder(), a.unsettled())
	if !own.IsZero() && (!ok || own.Before(due)) {
		return own, true
	}
	return due, ok
}

// earliest is the first of the times that are set.
func earliest(times ...time.Time) (first time.Time) {
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}
