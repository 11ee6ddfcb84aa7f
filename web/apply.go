package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// home says what this is, and offers what people may apply for by themselves.
func (s *Site) home(w http.ResponseWriter, r *http.Request) error {
	page := templates.Home{Frame: s.Frame(r, "/")}
	if s.service.Policy.Own != nil {
		page.Me = s.Keep(r, mePath)
	}
	var offered []*proofing.Profile
	for _, p := range s.service.Policy.Profiles {
		if p.SelfService {
			offered = append(offered, p)
		}
	}
	if len(offered) > 0 {
		slices.SortFunc(offered, func(a, b *proofing.Profile) int { return strings.Compare(a.Title, b.Title) })
		authorities, _, err := s.service.Authorities.List(r.Context(), proofing.Query{Index: "all", Below: "~"})
		if err != nil {
			return err
		}
		for _, ca := range authorities {
			for _, p := range offered {
				if ca.Revoked.IsZero() && ca.May(p.Name) {
					page.Applies = append(page.Applies, templates.Offer{CA: ca.Title, Profile: p.Title, Href: s.Keep(r, applyPath(ca.Name, p.Name))})
				}
			}
		}
	}
	return s.Render(w, r, http.StatusOK, page)
}

func applyPath(ca, profile string) string {
	return "/apply/" + url.PathEscape(ca) + "/" + url.PathEscape(profile)
}

func (s *Site) showApply(w http.ResponseWriter, r *http.Request) error {
	return s.renderApply(w, r, proofing.Identifier{}, nil)
}

// apply opens a case on a person's own word and leads to it.
func (s *Site) apply(w http.ResponseWriter, r *http.Request) error {
	id := proofing.Identifier{Type: r.PostForm.Get("type"), Value: r.PostForm.Get("value")}
	c, err := s.service.Apply(r.Context(), s.visit(r), r.PathValue("ca"), r.PathValue("profile"), id)
	if err == nil {
		s.see(w, r, c.CaseURL("").Reveal())
		return nil
	}
	if s.answerTo(err).problem == nil {
		return err
	}
	return s.renderApply(w, r, id, err)
}

func (s *Site) renderApply(w http.ResponseWriter, r *http.Request, typed proofing.Identifier, wrong error) error {
	ca, err := s.service.Authority(r.Context(), r.PathValue("ca"))
	if err != nil {
		return err
	}
	p := s.service.Policy.Profiles[r.PathValue("profile")]
	if p == nil || !p.SelfService || !ca.May(p.Name) {
		return proofing.ErrNotFound
	}
	path := applyPath(ca.Name, p.Name)
	page := templates.Apply{
		Frame: s.Frame(r, path), CA: ca.Title, Profile: p.Title, Action: s.Keep(r, path),
		Types: p.Identifiers, Type: typed.Type, Value: typed.Value, Terms: s.viewTerms(p, proofing.Identifier{}),
	}
	status := http.StatusOK
	if wrong != nil {
		a := s.answerTo(wrong)
		status = a.status
		s.retryAfter(w, a)
		switch a.field {
		case "identifier.type":
			page.TypeBad = a.problem
		case "identifier.value":
			page.ValueBad = a.problem
			if typed.Type == proofing.IdentifierEmail && a.problem.Code == "identifier_malformed" {
				page.ValueBad.Code = "email_malformed"
			}
		default:
			page.Notice = a.problem
		}
	}
	return s.Render(w, r, status, page)
}

// formError tells a form that is too large from one that cannot be read.
func formError(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return err
	}
	return &proofing.InputError{Field: "form", Code: "form_malformed"}
}
