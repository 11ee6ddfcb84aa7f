package web

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// makeKey makes the key that a case ends in, and shows it in this one answer: nothing leads back to it, and whoever loads
// the page again is asked whether to make another.
func (s *Site) makeKey(w http.ResponseWriter, r *http.Request) error {
	c, k, err := s.service.CaseKey(r.Context(), s.visit(r), r.PostFormValue("directory"))
	if err != nil {
		return s.afterwards(w, r, c, mistake{err: err})
	}
	page := s.viewOutcome(r, c, true)
	page.Frame = s.Frame(r, casePath(r.PathValue("ref")))
	if page.Token, err = s.viewToken(r, c); err != nil {
		return err
	}
	if page.Key, err = s.viewKeyPanel(r, c); err != nil {
		return err
	}
	page.Key.Kid, page.Key.Secret, page.Key.Algorithm, page.Key.Directory, page.Key.Until = k.Kid, k.Secret.Reveal(), k.Algorithm, k.Directory, k.UnusedUntil
	texts := k.Instructions(k.Directory)
	for _, client := range slices.SortedFunc(maps.Keys(texts), func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) }) {
		page.Key.Clients = append(page.Key.Clients, templates.ClientText{Name: client, Text: texts[client]})
	}
	return s.Render(w, r, http.StatusOK, page)
}

// viewKeyPanel is where a case ends in a key, before one is shown.
func (s *Site) viewKeyPanel(r *http.Request, c *proofing.Case) (*templates.EABKey, error) {
	v := &templates.EABKey{Make: s.Keep(r, casePath(r.PathValue("ref"))+"/key"), Before: len(c.Keys) > 0}
	ca, err := s.service.Authority(r.Context(), c.CA)
	if errors.Is(err, proofing.ErrNotFound) {
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	v.NotReady = !ca.TakesKeys()
	if len(ca.Directories) > 1 { // which of them they will register at is theirs to say
		v.Directories = ca.Directories
	}
	return v, nil
}

// viewToken is the way to an Authority Token for the account of a case; nil where there is none.
func (s *Site) viewToken(r *http.Request, c *proofing.Case) (*templates.AuthorityToken, error) {
	if !s.tokens {
		return nil, nil
	}
	payload, err := s.service.OffersToken(r.Context(), c, "SHA256 …")
	if err != nil || payload == "" {
		return nil, err
	}
	return &templates.AuthorityToken{URL: s.origin + proofing.TokenPath, Payload: payload, First: c.Applicant.Kind == proofing.ByNobody}, nil
}

// viewOwnKeys are the keys of who is signed in.
func (s *Site) viewOwnKeys(r *http.Request, session *proofing.Session) ([]templates.MyKey, error) {
	keys, err := s.service.OwnKeys(r.Context(), session)
	if err != nil {
		return nil, err
	}
	titles, several, now := map[string]string{}, map[string]bool{}, s.service.Now()
	var out []templates.MyKey
	for _, k := range keys {
		if _, known := titles[k.CA]; !known {
			titles[k.CA] = k.CA
			if ca, err := s.service.Authority(r.Context(), k.CA); err == nil {
				titles[k.CA], several[k.CA] = ca.Title, len(ca.Directories) > 1
			} else if !errors.Is(err, proofing.ErrNotFound) {
				return nil, err
			}
		}
		v := templates.MyKey{Kid: k.Kid, CA: titles[k.CA], Status: string(k.Status(now)), Accounts: len(k.Accounts), Made: k.Created, Until: k.Expires}
		if len(k.Identifiers) > 0 {
			v.Identifier = k.Identifiers[0].Value
		}
		if several[k.CA] {
			v.Directory = k.Directory
		}
		if v.Accounts == 0 {
			v.Until = k.UnusedUntil
		}
		out = append(out, v)
	}
	return out, nil
}
