package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// serviceItself is what the service is called where the name of an authority would stand, and with an id behind it an organization: none begins like that.
const serviceItself = "-"

// breadth is what a page can be of besides an authority that its reader runs: an organization of theirs, and for administrators the service itself.
type breadth struct{ organizations, itself bool }

// scoped is what a page is of, among what its reader may choose.
type scoped struct {
	proofing.Scope
	name   string // in the path; empty: there is nothing to choose
	path   string // of the page
	choice []templates.AdminScope
}

// whose says what kind of scope it is: "authority", "organization" or "service".
func (in scoped) whose() string {
	switch {
	case in.Organization != "":
		return "organization"
	case in.CA != "":
		return "authority"
	}
	return "service"
}

// scoped is what the page at a path is of: by name, or the first that its reader may choose. ErrNotFound for what is not theirs.
func (s *Site) scoped(r *http.Request, o *officer, path, asked string, b breadth) (scoped, error) {
	none := scoped{path: path}
	offices := proofing.Organizations(o.offices)
	if !b.organizations {
		offices = nil
	}
	if !operates(o.offices) && len(offices) == 0 {
		return none, proofing.ErrNotFound
	}
	names, err := s.authoritiesOf(r, o)
	if err != nil {
		return none, err
	}
	slices.Sort(names)
	var all []scoped
	for _, ca := range names {
		if proofing.Operates(o.offices, ca) {
			all = append(all, scoped{Scope: proofing.Scope{CA: ca}, name: ca, path: ofAuthority(path, ca)})
		}
	}
	for _, a := range offices {
		name := serviceItself + a.Organization
		all = append(all, scoped{Scope: proofing.Scope{CA: a.CA, Organization: a.Organization}, name: name, path: ofAuthority(path, name)})
	}
	if b.itself && administers(o) {
		all = append(all, scoped{name: serviceItself, path: ofAuthority(path, serviceItself)})
	}
	i := slices.IndexFunc(all, func(in scoped) bool { return asked == "" || in.name == asked })
	switch {
	case i < 0 && asked != "":
		return none, proofing.ErrNotFound
	case i < 0:
		return none, nil
	case len(all) == 1:
		return all[i], nil
	}
	here := all[i]
	for n, in := range all {
		v := templates.AdminScope{Href: s.Keep(r, in.path), Here: n == i, Service: in.name == serviceItself}
		if in.Organization != "" {
			v.Title, err = s.service.OrganizationName(r.Context(), &proofing.Appointment{Organization: in.Organization})
		} else if !v.Service {
			v.Title, err = s.titleOf(r, in.CA)
		}
		if err != nil {
			return none, err
		}
		here.choice = append(here.choice, v)
	}
	return here, nil
}

// scopeNamed is what a path names, for who has these appointments; ErrNotFound for an organization that is not theirs. Whether they may look at it is for the verb to say.
func scopeNamed(o *officer, name string) (proofing.Scope, error) {
	id, marked := strings.CutPrefix(name, serviceItself)
	if !marked {
		return proofing.Scope{CA: name}, nil
	}
	for _, a := range proofing.Organizations(o.offices) {
		if a.Organization == id {
			return proofing.Scope{CA: a.CA, Organization: id}, nil
		}
	}
	return proofing.Scope{}, proofing.ErrNotFound
}
