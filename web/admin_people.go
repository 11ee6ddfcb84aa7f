package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// People and their roles: who holds which, who is proposed, and what the reader may do about it.
const (
	peoplePath   = proofing.AdminPath + "/people"
	proposePages = proofing.AdminPath + "/propose/"
)

func personPath(id string) string { return peoplePath + "/" + url.PathEscape(id) }

// proposePath is where somebody is proposed for a role. Where is the authority or the organization; empty for the whole service.
func proposePath(role proofing.Role, where string) string {
	path := proposePages + url.PathEscape(string(role))
	if where != "" {
		path += "/" + url.PathEscape(where)
	}
	return path
}

func (s *Site) peopleRoutes() {
	s.mux.Handle("GET /admin/people", s.look(s.console(s.showPeople)))
	s.mux.Handle("GET /admin/people/{appointment}", s.look(s.console(s.showPerson)))
	for _, path := range []string{"/admin/propose/{role}", "/admin/propose/{role}/{where}"} {
		s.mux.Handle("GET "+path, s.look(s.console(s.showPropose)))
		s.mux.Handle("POST "+path, s.act(s.console(s.propose)))
	}
	for _, m := range moves {
		s.mux.Handle("POST /admin/people/{appointment}/"+m.path, s.act(s.console(s.move(m))))
		s.mux.Handle("GET /admin/people/{appointment}/"+m.path, s.Serve(func(w http.ResponseWriter, r *http.Request) error { // where a page with a mistake stands
			s.see(w, r, personPath(r.PathValue("appointment")))
			return nil
		}))
	}
}

// scope is a part of the people whom somebody gets to see: everybody, those of an authority, or those of an organization.
type scope struct{ ca, organization string }

// of is the path of a list of its people.
func (x scope) of(s *Site, r *http.Request, pairs ...string) string {
	return s.path(r, peoplePath, append([]string{"ca", x.ca, "organization", x.organization}, pairs...)...)
}

// scopesOf are the scopes of somebody, the widest first.
func (s *Site) scopesOf(r *http.Request, o *officer) (all []scope, err error) {
	if slices.ContainsFunc(o.offices, func(a *proofing.Appointment) bool { return a.Role == proofing.RoleAdministrator }) {
		all = append(all, scope{})
	}
	cas, err := s.authoritiesOf(r, o)
	for _, ca := range cas {
		all = append(all, scope{ca: ca})
	}
	for _, a := range o.offices {
		if x := (scope{organization: a.Organization}); a.Organization != "" && !slices.Contains(all, x) {
			all = append(all, x)
		}
	}
	return all, err
}

// title is what a scope is called; empty for everybody.
func (s *Site) scopeTitle(r *http.Request, x scope) (string, error) {
	switch {
	case x.organization != "":
		d, _, err := s.service.Organization(r.Context(), s.signedInAs(r), x.organization)
		if err != nil {
			return "", err
		}
		return legalName(d), nil
	case x.ca != "":
		return s.titleOf(r, x.ca)
	}
	return "", nil
}

// statuses are those by which the people are listed; the first is whatever has not ended.
var statuses = []proofing.AppointmentStatus{
	"", proofing.AppointmentProposed, proofing.AppointmentAccepted, proofing.AppointmentActive, proofing.AppointmentSuspended, proofing.AppointmentEnded,
}

func (s *Site) showPeople(w http.ResponseWriter, r *http.Request, o *officer) error {
	q := r.URL.Query()
	scopes, err := s.scopesOf(r, o)
	if err != nil {
		return err
	}
	here, status := scope{q.Get("ca"), q.Get("organization")}, proofing.AppointmentStatus(q.Get("status"))
	if here == (scope{}) {
		here = scopes[0]
	}
	if !slices.Contains(statuses, status) || here.ca != "" && here.organization != "" {
		return proofing.ErrNotFound
	}
	if !slices.Contains(scopes, here) { // an organization of an authority of theirs
		scopes = append(scopes, here)
	}
	rows, next, err := s.service.Roster(r.Context(), s.signedInAs(r), proofing.AppointmentsQuery{CA: here.ca, Organization: here.organization, Status: status, After: q.Get("after"), Limit: listPage})
	if input, ok := errors.AsType[*proofing.InputError](err); ok && input.Field == "cursor" {
		s.seeAt(w, r, here.of(s, r, "status", string(status)), "main")
		return nil
	}
	if err != nil {
		return err
	}
	page := templates.AdminPeople{AdminFrame: s.adminFrame(r, o, "people", peoplePath)}
	page.Query = url.Values{}
	for name, value := range map[string]string{"ca": here.ca, "organization": here.organization, "status": string(status)} {
		if value != "" {
			page.Query.Set(name, value)
		}
	}
	if len(scopes) > 1 {
		for _, x := range scopes {
			title, err := s.scopeTitle(r, x)
			if err != nil {
				return err
			}
			page.Scopes = append(page.Scopes, templates.AdminScope{Title: title, Href: x.of(s, r, "status", string(status)), Here: x == here})
		}
	}
	for _, st := range statuses {
		page.Statuses = append(page.Statuses, templates.AdminStatus{Status: string(st), Href: here.of(s, r, "status", string(st)), Here: st == status})
	}
	for _, row := range rows {
		where := row.Organization
		if where == "" && row.CA != "" {
			if where, err = s.titleOf(r, row.CA); err != nil {
				return err
			}
		}
		page.Rows = append(page.Rows, s.viewRosterRow(r, row, where))
	}
	if q.Get("after") != "" {
		page.First = here.of(s, r, "status", string(status))
	}
	if next != "" {
		page.Next = here.of(s, r, "status", string(status), "after", next)
	}
	page.Proposals, err = s.proposals(r, o, here)
	if err != nil {
		return err
	}
	return s.Render(w, r, http.StatusOK, page)
}

func (s *Site) viewRosterRow(r *http.Request, row proofing.Rostered, where string) templates.AdminPersonRow {
	v := templates.AdminPersonRow{Href: s.Keep(r, personPath(row.ID)), Name: row.Name, Role: string(row.Role), Where: where, Status: row.Falls, Awaits: string(row.Awaits)}
	if v.Status == "" {
		v.Status = string(row.Status)
	}
	if v.Status == string(row.Status) { // since when it falls for another reason nobody has written down
		v.Since = row.Since()
	}
	if row.Asked != nil {
		v.Asked = row.Asked.What
	}
	return v
}

// proposals lead to the forms for the roles that somebody may give in a scope.
func (s *Site) proposals(r *http.Request, o *officer, x scope) (all []templates.AdminProposal, err error) {
	side, ca, where := proofing.SideService, x.ca, ""
	switch {
	case x.organization != "":
		d, _, err := s.service.Organization(r.Context(), s.signedInAs(r), x.organization)
		if err != nil {
			return nil, err
		}
		side, ca, where = proofing.SideApplicant, d.CA, d.ID
	case x.ca != "":
		side, where = proofing.SideAuthority, x.ca
	}
	for _, role := range proofing.Roles() {
		if role.Side() == side && proofing.Governs(o.offices, role, ca) {
			all = append(all, templates.AdminProposal{Role: string(role), Href: s.Keep(r, proposePath(role, where))})
		}
	}
	return all, nil
}
