package web

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// What must be revoked: the clock of 24 hours that begins when somebody says that a certificate is not theirs.
const revocationsPath = proofing.AdminPath + "/revocations"

func (s *Site) revocationRoutes() {
	s.mux.Handle("GET /admin/revocations", s.look(s.console(s.showRevocations)))
}

func (s *Site) showRevocations(w http.ResponseWriter, r *http.Request, o *officer) error {
	scopes := proofing.RevocationScopes(o.offices)
	if len(scopes) == 0 {
		return proofing.ErrNotFound
	}
	q := r.URL.Query()
	as, chosen := scopes[0], ""
	if id := q.Get("as"); id != "" {
		if as = officeFor(scopes, id); as == nil {
			return proofing.ErrNotFound
		}
	}
	page := templates.AdminRevocations{AdminFrame: s.adminFrame(r, o, "revocations", revocationsPath)}
	if len(scopes) > 1 {
		chosen = as.ID
		page.Query = url.Values{"as": {as.ID}}
		for _, a := range scopes {
			title, err := s.whereOf(r, a)
			if err != nil {
				return err
			}
			page.Scopes = append(page.Scopes, templates.AdminScope{Title: title, Href: s.path(r, revocationsPath, "as", a.ID), Here: a == as})
		}
	}
	rows, next, err := s.service.Revocations(r.Context(), s.signedInAs(r), as.ID, q.Get("after"), listPage)
	if input, ok := errors.AsType[*proofing.InputError](err); ok && input.Field == "cursor" {
		s.seeAt(w, r, s.path(r, revocationsPath, "as", chosen), "main")
		return nil
	}
	if err != nil {
		return err
	}
	for _, row := range rows {
		v, err := s.viewRevocation(r, row)
		if err != nil {
			return err
		}
		v.Theirs = as.Role.Side() == proofing.SideApplicant
		page.Rows = append(page.Rows, v)
	}
	if q.Get("after") != "" {
		page.First = s.path(r, revocationsPath, "as", chosen)
	}
	if next != "" {
		page.Next = s.path(r, revocationsPath, "as", chosen, "after", next)
	}
	return s.Render(w, r, http.StatusOK, page)
}

func (s *Site) viewRevocation(r *http.Request, row proofing.Revocation) (v templates.AdminRevocation, err error) {
	c, now := row.Certificate, s.service.Now()
	v = templates.AdminRevocation{
		ID: c.ID, Subject: c.Subject, Serial: c.Serial, Profile: s.profileTitle(c.Profile), Ends: c.NotAfter, Ended: now.After(c.NotAfter),
		Said: c.Disowned.At, By: c.Disowned.RevokeBy, Left: c.Disowned.RevokeBy.Sub(now), Late: now.After(c.Disowned.RevokeBy),
		Frozen: !c.Disowned.Spread.IsZero(), Told: string(row.Told), Whose: row.Whose, Channel: string(c.Disowned.Channel), Log: s.logOf(r, c.ID),
	}
	if v.Late {
		v.Left = -v.Left
	}
	if c.Organization != "" { // otherwise nobody decides about it in the console
		v.Request = s.Keep(r, adminCasePath(c.Cases[0]))
	}
	v.CA, err = s.titleOf(r, c.CA)
	return v, err
}

// viewRevoke says in the queue that something must be revoked; nil if nothing must be.
func (s *Site) viewRevoke(r *http.Request) (*templates.AdminRevoke, error) {
	count, by, err := s.service.RevocationCount(r.Context(), s.signedInAs(r), queuePage)
	if err != nil || count.N == 0 {
		return nil, err
	}
	return &templates.AdminRevoke{N: atLeast(count.N, count.More), By: by, Late: s.service.Now().After(by), Href: s.path(r, revocationsPath)}, nil
}
