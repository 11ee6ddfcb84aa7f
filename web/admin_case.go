package web

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// A request in the console: what is asked, what is proved, what was decided, what is missing, and what can be done about it.

// typed is what somebody has sent by a form of the page that did not go through.
type typed struct {
	err   error
	field string // "new" for a discrepancy to be raised, the id of one to be explained, or empty for the reason of a refusal
	text  string
	seen  int64     // the version that they had looked at; 0: it is no matter
	shown time.Time // when the page was made that they had looked at; zero: it is no matter
}

func (s *Site) showCaseInConsole(w http.ResponseWriter, r *http.Request, o *officer) error {
	return s.renderAdminCase(w, r, o, r.PathValue("case"), typed{})
}

func (s *Site) raise(w http.ResponseWriter, r *http.Request, o *officer) error {
	id, text := r.PathValue("case"), r.PostForm.Get("text")
	_, err := s.service.RaiseDiscrepancy(r.Context(), s.signedInAs(r), id, text)
	return s.afterCase(w, r, o, id, typed{err: err, field: "new", text: text})
}

func (s *Site) resolve(w http.ResponseWriter, r *http.Request, o *officer) error {
	id, which, text := r.PathValue("case"), r.PostForm.Get("discrepancy"), r.PostForm.Get("resolution")
	_, err := s.service.ResolveDiscrepancy(r.Context(), s.signedInAs(r), id, which, text)
	return s.afterCase(w, r, o, id, typed{err: err, field: which, text: text})
}

// afterCase answers a form on the page of a request: with a redirect to it, or with the page, the mistake, and what was typed.
func (s *Site) afterCase(w http.ResponseWriter, r *http.Request, o *officer, id string, t typed) error {
	if t.err == nil {
		s.see(w, r, adminCasePath(id))
		return nil
	}
	t.err = notFresh(t.err)
	if s.answerTo(t.err).problem == nil {
		return t.err
	}
	return s.renderAdminCase(w, r, o, id, t)
}

func (s *Site) renderAdminCase(w http.ResponseWriter, r *http.Request, o *officer, id string, t typed) error {
	d, err := s.service.CaseInConsole(r.Context(), s.signedInAs(r), id)
	if err != nil {
		return err
	}
	status, a := s.statusOf(w, mistake{err: t.err})
	page, err := s.viewAdminCase(r, o, d)
	if err != nil {
		return err
	}
	page.Typed, page.Resolving = t.text, t.field
	if page.Looked = s.lookedBefore(w, r, o, id); !t.shown.IsZero() {
		page.Looked = t.shown
	}
	s.viewChanges(&page, o, d)
	certificates, more, err := s.service.CertificatesInConsole(r.Context(), s.signedInAs(r), id, caseCertificates)
	if err != nil {
		return err
	}
	page.MoreCertificates = more
	for _, c := range certificates {
		page.Certificates = append(page.Certificates, viewCertificate(c))
	}
	if t.seen != 0 && t.seen != page.Version {
		page.Seen = t.seen
		for i := range page.Decisions {
			page.Decisions[i].New = page.Decisions[i].Entry > t.seen
		}
	}
	if page.Freeze != nil && (a.field == "reason" || a.field == "case") {
		page.Freeze.Bad = a.problem
	} else if a.field == "reason" || a.field == "text" || a.field == "resolution" {
		page.Bad = a.problem
	} else {
		page.Notice = a.problem
	}
	return s.Render(w, r, status, page)
}

// caseCertificates is how many certificates the page of a request has; the log has all.
const caseCertificates = 50

func viewCertificate(c *proofing.Certificate) templates.AdminCertificate {
	v := templates.AdminCertificate{
		Serial: c.Serial, Digest: hexPairs(c.Digest), Subject: c.Subject, From: c.NotBefore, Until: c.NotAfter, Days: int((c.Validity() + 12*time.Hour) / (24 * time.Hour)), Reported: c.Reported, Renewal: c.Renewal, Revoked: c.Revoked, Unheard: c.Unheard(),
	}
	if c.Disowned != nil {
		v.Disowned, v.RevokeBy = c.Disowned.At, c.Disowned.RevokeBy
	}
	for _, f := range c.Findings {
		if !slices.Contains(v.Findings, f.Code) {
			v.Findings = append(v.Findings, f.Code)
		}
	}
	return v
}

// hexPairs is a digest in base64url as people compare it; as it is if it is none.
func hexPairs(digest string) string {
	raw, err := base64.RawURLEncoding.DecodeString(digest)
	if err != nil {
		return digest
	}
	return hex.EncodeToString(raw)
}

func (s *Site) viewAdminCase(r *http.Request, o *officer, d *proofing.Dossiered) (templates.AdminCase, error) {
	c, now, path := d.Case, s.service.Now(), adminCasePath(d.Case.ID)
	page := templates.AdminCase{
		AdminFrame: s.adminFrame(r, o, "", path), Matter: s.matter(d), ID: c.ID, Version: c.Journal.Written,
		Status: string(c.Status), Stage: string(c.Approval.Stage), Since: c.Approval.Since, Expires: c.Expires,
		Fresh: o.Fresh, Confirm: s.confirmLink(r, path), Queue: s.Keep(r, proofing.AdminPath),
		Dossier: s.Keep(r, organizationPath(c.Approval.Organization)),
	}
	switch {
	case c.Frozen != nil:
		page.Status = "frozen"
		page.Freeze = s.viewFreeze(r, o, c, path)
	case c.Status == proofing.CaseReview:
		page.Turn = string(c.Approval.Stage.Step().Role())
	default:
		page.Why = c.Reason
	}
	if c.Status == proofing.CaseReview && c.Approval.Stage == proofing.StageSubmitted {
		rule := s.service.RuleOf(c)
		page.Approved, page.Needed, page.InOrder = len(c.Approval.Approved(now)), rule.Needed, rule.InOrder
		for _, id := range rule.Of {
			page.Named = append(page.Named, nameOf(d.Appointments, id))
		}
	}
	page.Protection = viewProtection(d, now)
	page.Requester = s.viewRequester(d)
	for _, made := range c.Approval.Decisions {
		v := viewDecision(c, made, now)
		v.Older = signedOlder(made, d.Organization)
		if page.Decisions = append(page.Decisions, v); made.Person == o.Person.ID {
			page.Mine = &v
		}
	}
	for _, l := range d.Lacks {
		page.Lacks = append(page.Lacks, viewLack(l, d.Appointments))
	}
	for _, x := range c.Approval.Discrepancies {
		page.Discrepancies = append(page.Discrepancies, templates.AdminDiscrepancy{
			ID: x.ID, Text: x.Text, Name: x.Name, At: x.At, Resolution: x.Resolution, Resolver: x.ResolvedName, Resolved: x.ResolvedAt,
		})
	}
	if c.Status != proofing.CaseReview || c.Frozen != nil {
		return page, nil
	}
	if d.Judges {
		page.Raise, page.Resolve = s.Keep(r, path+"/discrepancies"), s.Keep(r, path+"/explanations")
	}
	s.viewDecide(r, &page, o, d, now)
	return page, nil
}

// viewDecide is what the person may decide, or why not.
func (s *Site) viewDecide(r *http.Request, page *templates.AdminCase, o *officer, d *proofing.Dossiered, now time.Time) {
	c := d.Case
	for _, a := range o.offices {
		step, may := d.May[a.ID]
		if why, said := d.Why[a.ID]; said && page.WhyNot == "" && page.Mine == nil {
			page.WhyNot = why
		}
		if !may {
			continue
		}
		page.WhyNot = d.Why[a.ID]
		page.Decide = &templates.AdminDecide{
			Action: s.Keep(r, adminCasePath(c.ID)+"/decide"), Appointment: a.ID, Step: string(step), Number: c.Journal.Written,
			Dossier: dossierDigest(d), Shown: now, May: page.WhyNot == "", Agree: s.followsFrom(d, a.ID, false), Refuse: s.followsFrom(d, a.ID, true),
		}
		return
	}
}

// followsFrom is what happens after a decision by an appointment, as everything stands now.
func (s *Site) followsFrom(d *proofing.Dossiered, appointment string, refuse bool) templates.Follows {
	if refuse {
		return templates.Follows{Code: "end"}
	}
	then, known := d.Then[appointment]
	switch {
	case !known: // they may not
		return templates.Follows{Code: "other"}
	case !then.Granted.IsZero():
		p := s.profile(d.Case)
		f := templates.Follows{Code: "grant", Lifetime: p.GrantLifetime, Until: then.Granted}
		switch {
		case d.Case.CSRDigest != "":
			f.Code = "grant_csr"
		case p.Approve == proofing.ApproveEach:
			f.Code = "grant_each"
		}
		return f
	case then.Stage == proofing.StageSubmitted:
		return templates.Follows{Code: "others", Others: then.Left}
	}
	return templates.Follows{Code: string(then.Stage)}
}

// matter is what a decision about a request is about.
func (s *Site) matter(d *proofing.Dossiered) templates.Matter {
	c := d.Case
	m := templates.Matter{
		Name: c.Identifier.Value, CA: c.CATitle, Profile: s.profile(c).Title, IdentifierType: c.Identifier.Type, Identifier: c.Identifier.Value,
		KeyKind: string(c.Applicant.Kind), Key: c.Applicant.Key(), CSR: c.CSRDigest,
	}
	if c.CSR != nil {
		m.CSRKey, m.CSRPrint, m.CSRSubject = c.CSR.Key, c.CSR.SPKI, c.CSR.Subject
	}
	if o := d.Organization; o != nil {
		m.Name, m.Number, m.Jurisdiction = legalName(o), said(o, proofing.ItemRegistration), said(o, proofing.ItemJurisdiction)
	}
	return m
}

// viewProtection is what the dossier has about the key that the request is for.
func viewProtection(d *proofing.Dossiered, now time.Time) (v templates.AdminProtection) {
	key := d.Case.SubjectKey()
	if key == "" || d.Organization == nil {
		return v
	}
	it := d.Organization.Protection(key, now)
	if it == nil {
		return templates.AdminProtection{Code: "other"}
	}
	if until := it.GoodUntil(true); it.Outcome != proofing.OutcomeGood || !until.IsZero() && !now.Before(until) {
		return templates.AdminProtection{Code: "bad"} // what the evidence was to say it does not
	}
	v.Reference = it.Reference
	if it.Method > 0 {
		v.Method = strconv.Itoa(it.Method)
	}
	if v.Code = "practice"; len(it.Keys) > 0 {
		v.Code = "named"
	}
	return v
}

// said is what the newest item of a kind says, if it is good.
func said(o *proofing.Organization, kind proofing.ItemKind) string {
	if it := o.Current(kind, ""); it != nil && it.Outcome == proofing.OutcomeGood {
		return it.Value
	}
	return ""
}

func (s *Site) viewRequester(d *proofing.Dossiered) (v templates.AdminRequester) {
	c := d.Case
	for _, a := range d.Appointments {
		if a.Person == c.Person && (a.Role == proofing.RoleRequester || a.Role == proofing.RoleApprover) && (v.Name == "" || a.Role == proofing.RoleRequester) {
			v.Name, v.Role = a.Name, string(a.Role)
		}
	}
	for _, e := range c.Evidence {
		v.Proved = append(v.Proved, viewProof(c, e))
	}
	switch p := s.service.Policy.Profiles[c.Profile]; {
	case c.Grant != nil:
		v.Levels = viewLevels(c.Grant.Assessment)
	case p != nil:
		v.Levels = viewLevels(proofing.Assess(p.Framework, s.service.Policy.OperatorFacts, s.service.Now().UTC(), c.Standing()))
	}
	return v
}

func viewDecision(c *proofing.Case, d proofing.Decision, now time.Time) templates.AdminDecision {
	v := templates.AdminDecision{Step: string(d.Step), Reason: d.Reason, Name: d.Name, Refused: d.Refused, At: d.At, Void: d.Void, Entry: d.Entry}
	if c.Status == proofing.CaseReview && !d.Refused && v.Void == "" {
		v.Until, v.Over = d.Expires, !now.Before(d.Expires)
	}
	return v
}

// nameOf is by what name the holder of an appointment is known; its id if it stands no more.
func nameOf(people []*proofing.Appointment, id string) string {
	for _, a := range people {
		if a.ID == id {
			return cmp.Or(a.Name, id)
		}
	}
	return id
}
