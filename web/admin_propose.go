package web

import (
	"net/http"
	"slices"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// proposal is for which role somebody is proposed, and where.
type proposal struct {
	role   proofing.Role
	ca     string
	org    *proofing.Organization // nil for roles that are held in none
	people []*proofing.Appointment
}

// proposalOf is what a path says; ErrNotFound for a role that is not held there, and for one that is not the reader's to give.
func (s *Site) proposalOf(r *http.Request, o *officer) (p proposal, err error) {
	where := r.PathValue("where")
	p.role = proofing.Role(r.PathValue("role"))
	switch p.role.Side() {
	case proofing.SideService:
		if where != "" {
			return p, proofing.ErrNotFound
		}
	case proofing.SideAuthority:
		ca, err := s.service.Authority(r.Context(), where)
		if err != nil {
			return p, err
		}
		p.ca = ca.Name
	case proofing.SideApplicant:
		if p.org, p.people, err = s.service.Organization(r.Context(), s.signedInAs(r), where); err != nil {
			return p, err
		}
		p.ca = p.org.CA
	default:
		return p, proofing.ErrNotFound
	}
	if !proofing.Governs(o.offices, p.role, p.ca) {
		return p, proofing.ErrNotFound
	}
	return p, nil
}

func (s *Site) showPropose(w http.ResponseWriter, r *http.Request, o *officer) error {
	return s.renderPropose(w, r, o, nil)
}

// propose proposes somebody. The link is shown in the answer to the form and nowhere else. Sent again, it is the same answer, for the same
// proposer, as long as nobody has taken the appointment up.
func (s *Site) propose(w http.ResponseWriter, r *http.Request, o *officer) error {
	p, err := s.proposalOf(r, o)
	if err != nil {
		return err
	}
	form := r.PostForm
	d := proofing.AppointmentDraft{
		Name: form.Get("name"), Role: p.role, CA: p.ca, Once: proofing.Secret(form.Get("once")), Until: readDay(form.Get("term")),
		Source: proofing.RoleSource{Kind: proofing.RoleSourceKind(form.Get("role_source")), Reference: form.Get("source_reference"), Signer: form.Get("source_signer")},
	}
	if p.org != nil {
		d.Organization = p.org.ID
	}
	if form.Get("agreement")+form.Get("agreement_version")+form.Get("agreement_signer")+form.Get("agreement_until") != "" {
		d.Agreement = &proofing.Agreement{Reference: form.Get("agreement"), Version: form.Get("agreement_version"), Signer: form.Get("agreement_signer"), Until: readDay(form.Get("agreement_until"))}
	}
	a, err := s.service.ProposeAppointment(r.Context(), s.signedInAs(r), d)
	if err == nil {
		return s.renderPerson(w, r, o, personDrawn{id: a.ID, link: joinLink(s, a)})
	}
	if err = s.asConsole(err); s.answerTo(err).problem == nil {
		return err
	}
	return s.renderPropose(w, r, o, err)
}

// joinLink is the link of an appointment that can still be taken up; empty for any other.
func joinLink(s *Site, a *proofing.Appointment) string {
	if a.Status != proofing.AppointmentProposed {
		return ""
	}
	return a.JoinURL(s.origin).Reveal()
}

// proposeFaults are the fields at which the mistakes of a proposal are told, where they have another name there.
var proposeFaults = map[string]string{"source": "role_source", "until": "term"}

func (s *Site) renderPropose(w http.ResponseWriter, r *http.Request, o *officer, wrong error) error {
	status, a := s.statusOf(w, mistake{err: wrong})
	p, err := s.proposalOf(r, o)
	if err != nil {
		return err
	}
	path := r.URL.Path
	page := templates.AdminPropose{AdminFrame: s.adminFrame(r, o, "people", path), Role: string(p.role)}
	page.Stale, page.Confirm = !o.Fresh, s.confirmLink(r, path)
	switch {
	case p.org != nil:
		page.Where, page.Back = legalName(p.org), scope{organization: p.org.ID}.of(s, r)
	case p.ca != "":
		page.Back = scope{ca: p.ca}.of(s, r)
		if page.Where, err = s.titleOf(r, p.ca); err != nil {
			return err
		}
	default:
		page.Back = scope{}.of(s, r)
	}
	var signers []templates.AdminChoice
	for _, x := range p.people {
		if x.Role == proofing.RoleSigner && x.Status == proofing.AppointmentActive {
			signers = append(signers, templates.AdminChoice{Value: x.ID, Title: x.Name})
		}
	}
	kinds := proofing.RoleSources(p.role)
	f := templates.AdminForm{Name: "propose", Action: s.Keep(r, path), Fields: []templates.AdminField{{Name: "name", Type: "text", Must: true, Max: 60}}}
	if len(kinds) > 0 {
		source := templates.AdminField{Name: "role_source", Type: "choice", Must: true}
		for _, kind := range kinds {
			source.Choices = append(source.Choices, templates.AdminChoice{Value: string(kind), Chosen: len(kinds) == 1})
		}
		f.Fields = append(f.Fields, source, templates.AdminField{Name: "source_reference", Type: "text", Must: true, Max: 120})
	}
	if warranted := slices.Contains(kinds, proofing.SourceSignerWarranty); warranted && len(signers) > 0 {
		f.Fields = append(f.Fields, templates.AdminField{Name: "source_signer", Type: "choice", Choices: signers})
	}
	if p.role == proofing.RoleApprover {
		if page.NoSigner = len(signers) == 0; !page.NoSigner {
			f.Fields = append(f.Fields, templates.AdminField{Name: "agreement", Type: "text", Max: 120}, templates.AdminField{Name: "agreement_version", Type: "text", Max: 60},
				templates.AdminField{Name: "agreement_signer", Type: "choice", Choices: slices.Clone(signers)}, templates.AdminField{Name: "agreement_until", Type: "date"})
		}
	}
	f.Fields = append(f.Fields, templates.AdminField{Name: "term", Type: "date"})
	fault := a.field
	if to := proposeFaults[fault]; to != "" {
		fault = to
	}
	fillForm(&f, wrong != nil, r.PostForm, fault, a.problem)
	if page.Form = f; !slices.ContainsFunc(f.Fields, func(x templates.AdminField) bool { return x.Bad != nil }) {
		page.Notice = a.problem
	}
	return s.Render(w, r, status, page)
}
