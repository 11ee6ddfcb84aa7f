package main

import (
	"context"
	"fmt"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// colleague is somebody whom the demo plays. They do all of it by the verbs of the service, as people do by its pages, with a passkey that
// is kept in memory.
type colleague struct {
	d       *demo
	passkey *webauthntest.Authenticator
	signed  proofing.Visit
	until   time.Time // for how long they need not show the passkey again
	office  string    // the appointment of theirs
}

func (d *demo) newColleague() *colleague {
	return &colleague{d: d, passkey: webauthntest.New()}
}

// visit is theirs, with their passkey just shown.
func (c *colleague) visit(ctx context.Context) (proofing.Visit, error) {
	now := c.d.app.now()
	if now.Before(c.until) {
		return c.signed, nil
	}
	s, origin := c.d.app.service, c.d.origin
	v := proofing.Visit{Browser: proofing.NewToken(), Client: "127.0.0.1", Lang: "en"}
	k, err := s.OpenOwn(ctx, v)
	if err != nil {
		return v, err
	}
	at := func() proofing.Visit {
		v.Link = proofing.Secret(k.ID + "." + k.LinkSecret.Reveal())
		return v
	}
	if len(c.passkey.Keys) == 0 {
		_, a, err := s.Enrol(ctx, at(), "fido")
		if err != nil {
			return v, err
		}
		answer, err := c.passkey.Create(a.Ask, origin)
		if err != nil {
			return v, err
		}
		if k, _, err = s.Respond(ctx, at(), a.ID, answer); err != nil {
			return v, err
		}
	}
	_, a, err := s.Begin(ctx, at(), "fido", "")
	if err != nil {
		return v, err
	}
	answer, err := c.passkey.Get(a.Ask, origin)
	if err != nil {
		return v, err
	}
	if k, _, err = s.Respond(ctx, at(), a.ID, answer); err != nil {
		return v, err
	}
	c.signed, c.until = at(), now.Add(5*time.Minute)
	return c.signed, nil
}

// takes has them take up what was proposed.
func (c *colleague) takes(ctx context.Context, a *proofing.Appointment) error {
	v, err := c.visit(ctx)
	if err != nil {
		return err
	}
	c.office = a.ID
	_, err = c.d.app.service.AcceptAppointment(ctx, v, proofing.Secret(a.ID+"."+a.Link.Reveal()))
	return err
}

// stage names the administrators, who appoint the others, has the specialist collect what is to be known of the organization, and
// proposes whom the newcomer plays.
func (d *demo) stage(ctx context.Context) error {
	e, s := &d.ev, d.app.service
	if e.first == nil {
		e.first, e.second, e.specialist, e.signer = d.newColleague(), d.newColleague(), d.newColleague(), d.newColleague()
		first, err := s.Bootstrap(ctx, [2]string{"First administrator", "Second administrator"}, false)
		if err != nil {
			return err
		}
		for i, c := range []*colleague{e.first, e.second} {
			if err := c.takes(ctx, first[i]); err != nil {
				return err
			}
		}
	}
	if e.specialist.office == "" {
		if err := d.appoint(ctx, e.specialist, proofing.AppointmentDraft{Name: "Specialist", Role: proofing.RoleSpecialist, CA: demoCA, Source: proofing.RoleSource{Kind: proofing.SourceTraining, Reference: "training 2026-7"}}); err != nil {
			return err
		}
	}
	v, err := e.specialist.visit(ctx)
	if err != nil {
		return err
	}
	o, _, err := s.OpenOrganization(ctx, v, demoCA, demoEVName)
	if err != nil {
		return err
	}
	authority := proofing.RoleSource{Kind: proofing.SourceResolution, Reference: "file 17"}
	if e.signer.office == "" {
		if err := d.appoint(ctx, e.signer, proofing.AppointmentDraft{Name: "Contract signer", Role: proofing.RoleSigner, Organization: o.ID, Source: authority}); err != nil {
			return err
		}
	}
	administrator, err := e.first.visit(ctx)
	if err != nil {
		return err
	}
	parts := map[proofing.Role]*proofing.Appointment{}
	for _, p := range demoParts {
		draft := proofing.AppointmentDraft{Name: p.name, Role: p.role, Organization: o.ID, Source: authority}
		if p.role.Side() == proofing.SideAuthority {
			draft.CA, draft.Organization, draft.Source = demoCA, "", proofing.RoleSource{Kind: proofing.SourceTraining, Reference: "training 2026-8"}
		}
		if p.role == proofing.RoleApprover { // whose one word is for later certificates, too
			draft.Agreement = &proofing.Agreement{Reference: "contract 3", Version: "1", Signer: e.signer.office, Until: s.Now().AddDate(1, 0, 0)}
		}
		if parts[p.role], err = s.ProposeAppointment(ctx, administrator, draft); err != nil {
			return fmt.Errorf("propose the %s: %w", p.role, err)
		}
	}
	if err := d.collect(ctx, v, o.ID, parts[proofing.RoleApprover].ID); err != nil {
		return err
	}
	e.parts = parts
	return nil
}

// appoint has one administrator propose a colleague, who takes it up, and the other one confirm it.
func (d *demo) appoint(ctx context.Context, c *colleague, draft proofing.AppointmentDraft) error {
	v, err := d.ev.first.visit(ctx)
	if err != nil {
		return err
	}
	a, err := d.app.service.ProposeAppointment(ctx, v, draft)
	if err != nil {
		return fmt.Errorf("propose the %s: %w", draft.Role, err)
	}
	if err := c.takes(ctx, a); err != nil {
		return err
	}
	if v, err = d.ev.second.visit(ctx); err != nil {
		return err
	}
	if a, err = d.app.service.Appointments.Get(ctx, a.ID); err != nil {
		return err
	}
	_, err = d.app.service.ConfirmAppointment(ctx, v, a.ID, a.Journal.Written)
	return err
}

// collect fills the dossier with all that a certificate for EV takes (CSBR 3.2.2.2), found out today.
func (d *demo) collect(ctx context.Context, v proofing.Visit, organization, approver string) error {
	now, signer := d.app.now(), d.ev.signer.office
	for _, item := range []proofing.ItemDraft{
		{Kind: proofing.ItemLegalName, Value: demoEVName, SourceKind: proofing.SourceAgency},
		{Kind: proofing.ItemRegistration, Value: demoEVNumber, SourceKind: proofing.SourceAgency},
		{Kind: proofing.ItemJurisdiction, Value: demoEVPlace, SourceKind: proofing.SourceAgency},
		{Kind: proofing.ItemPlace, Value: "Example Street 1, Berlin", SourceKind: proofing.SourceAgency},
		{Kind: proofing.ItemCommunication, Value: "+49 30 1234", SourceKind: proofing.SourceQIIS, ConfirmedHow: "a call, answered by the office"},
		{Kind: proofing.ItemOperational, SourceKind: proofing.SourceAgency},
		{Kind: proofing.ItemApprover, Subject: approver, SourceKind: proofing.SourceIndependent},
		{Kind: proofing.ItemSigner, Subject: signer, SourceKind: proofing.SourceIndependent},
		{Kind: proofing.ItemAgreement, Version: "3", Signer: signer, SourceKind: proofing.SourceSignedByThem},
		{Kind: proofing.ItemDenied, List: "sanctions", ListVersion: now.Format(time.DateOnly), SourceKind: proofing.SourceList},
		{Kind: proofing.ItemDenied, Subject: approver, List: "sanctions", ListVersion: now.Format(time.DateOnly), SourceKind: proofing.SourceList},
		{Kind: proofing.ItemDenied, Subject: signer, List: "sanctions", ListVersion: now.Format(time.DateOnly), SourceKind: proofing.SourceList},
		{Kind: proofing.ItemSuspect, List: "suspect code", ListVersion: now.Format(time.DateOnly), SourceKind: proofing.SourceList},
		{Kind: proofing.ItemKeyProtection, Method: 4, Reference: "file 20", SourceKind: proofing.SourceAttestation},
	} {
		item.Source, item.CollectedAt, item.Outcome = "as its file has it", now, proofing.OutcomeGood
		if _, err := d.app.service.RecordItem(ctx, v, organization, item); err != nil {
			return fmt.Errorf("record the item %s: %w", item.Kind, err)
		}
	}
	return nil
}
