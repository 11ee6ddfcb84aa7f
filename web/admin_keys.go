package web

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// Keys for external account binding, the registry, and the authorities themselves, for those who run them.
const (
	keysPath        = proofing.AdminPath + "/keys"
	registryPath    = proofing.AdminPath + "/registry"
	authoritiesPath = proofing.AdminPath + "/authorities"
)

func (s *Site) keyRoutes() {
	s.mux.Handle("GET /admin/keys", s.look(s.console(s.showKeys)))
	s.mux.Handle("GET /admin/keys/{authority}", s.look(s.console(s.showKeys)))
	s.mux.Handle("GET /admin/keys/{authority}/{kid}", s.look(s.console(s.showKey)))
	s.mux.Handle("POST /admin/keys/{authority}/{kid}/revoke", s.act(s.console(s.revokeKey)))
	s.mux.Handle("GET /admin/keys/{authority}/{kid}/revoke", s.Serve(func(w http.ResponseWriter, r *http.Request) error { // where a page with a mistake stands
		s.see(w, r, keyPath(r.PathValue("authority"), r.PathValue("kid")))
		return nil
	}))
	s.mux.Handle("GET /admin/registry", s.look(s.console(s.showRegistry)))
	s.mux.Handle("GET /admin/registry/{authority}", s.look(s.console(s.showRegistry)))
	s.mux.Handle("GET /admin/authorities", s.look(s.console(s.showAuthorities)))
}

func keyPath(ca, kid string) string { return ofAuthority(keysPath, ca) + "/" + url.PathEscape(kid) }

// operatedPage is the frame of a page of what an authority has, or an organization there: of the one that the path names, or of the first that is the reader's.
func (s *Site) operatedPage(r *http.Request, o *officer, name, path string, b breadth) (p templates.AdminOperated, in scoped, err error) {
	if in, err = s.scoped(r, o, path, r.PathValue("authority"), b); err != nil {
		return p, in, err
	}
	p.CA, p.CAs = in.name, in.choice
	p.AdminFrame, p.Find = s.adminFrame(r, o, name, in.path), strings.TrimSpace(r.URL.Query().Get("find"))
	if p.Find != "" {
		p.Query = url.Values{"find": {p.Find}}
	}
	return p, in, nil
}

// turn says where the pages before and after this one are.
func (s *Site) turn(r *http.Request, p *templates.AdminOperated, next string) {
	if p.Find != "" || r.URL.Query().Get("after") != "" {
		p.First = s.Keep(r, p.Self)
	}
	if next != "" {
		p.Next = s.path(r, p.Self, "after", next)
	}
}

// listed says of an error of a list that the cursor is not of it: the answer leads to its beginning.
func (s *Site) listed(w http.ResponseWriter, r *http.Request, self string, err error) (elsewhere bool) {
	input, ok := errors.AsType[*proofing.InputError](err)
	if ok && input.Field == "cursor" {
		s.seeAt(w, r, s.Keep(r, self), "main")
		return true
	}
	return false
}

func (s *Site) showKeys(w http.ResponseWriter, r *http.Request, o *officer) error {
	p, in, err := s.operatedPage(r, o, "keys", keysPath, breadth{organizations: true})
	if err != nil {
		return err
	}
	page := templates.AdminKeys{AdminOperated: p, People: administers(o), Theirs: in.Organization != ""}
	if p.CA == "" {
		return s.Render(w, r, http.StatusOK, page)
	}
	var keys []*proofing.Key
	next := ""
	if p.Find != "" {
		keys, err = s.service.FindOperatedKeys(r.Context(), s.signedInAs(r), in.Scope, p.Find)
	} else {
		keys, next, err = s.service.OperatedKeys(r.Context(), s.signedInAs(r), in.Scope, r.URL.Query().Get("after"), listPage)
	}
	if s.listed(w, r, p.Self, err) {
		return nil
	}
	if err != nil {
		return err
	}
	slices.SortFunc(keys, func(a, b *proofing.Key) int { return b.Created.Compare(a.Created) })
	for _, k := range keys {
		page.Rows = append(page.Rows, s.viewKeyRow(r, p.CA, k))
	}
	s.turn(r, &page.AdminOperated, next)
	return s.Render(w, r, http.StatusOK, page)
}

// viewKeyRow is a key as it is listed for what the path names.
func (s *Site) viewKeyRow(r *http.Request, in string, k *proofing.Key) templates.AdminKeyRow {
	return templates.AdminKeyRow{
		Kid: k.Kid, Href: s.Keep(r, keyPath(in, k.Kid)), Status: string(k.Status(s.service.Now())), Profile: s.profileTitle(k.Profile),
		Accounts: len(k.Accounts), Most: k.MaxAccounts, Made: k.Created, Until: k.Expires,
	}
}

// profileTitle is what people call a profile.
func (s *Site) profileTitle(name string) string {
	if p := s.service.Policy.Profiles[name]; p != nil {
		return cmp.Or(p.Title, name)
	}
	return name
}

func (s *Site) showKey(w http.ResponseWriter, r *http.Request, o *officer) error {
	return s.renderKey(w, r, o, nil)
}

func (s *Site) revokeKey(w http.ResponseWriter, r *http.Request, o *officer) error {
	ca, kid := r.PathValue("authority"), r.PathValue("kid")
	_, err := s.service.RevokeOperatedKey(r.Context(), s.signedInAs(r), ca, kid)
	if err == nil {
		s.see(w, r, keyPath(ca, kid))
		return nil
	}
	if err = s.asConsole(err); s.answerTo(err).problem == nil {
		return err
	}
	return s.renderKey(w, r, o, err)
}

func (s *Site) renderKey(w http.ResponseWriter, r *http.Request, o *officer, wrong error) error {
	name := r.PathValue("authority")
	in, err := scopeNamed(o, name)
	if err != nil {
		return err
	}
	k, err := s.service.OperatedKey(r.Context(), s.signedInAs(r), in, r.PathValue("kid"))
	if err != nil {
		return err
	}
	status, a := s.statusOf(w, mistake{err: wrong})
	self := keyPath(name, k.Kid)
	page := templates.AdminKey{
		AdminFrame: s.adminFrame(r, o, "keys", self), AdminKeyRow: s.viewKeyRow(r, name, k), Back: s.Keep(r, ofAuthority(keysPath, name)), Log: s.logOf(r, k.ID),
		Algorithm: k.Algorithm, Directory: k.Directory, Case: k.Case, Released: k.Released, Revoked: k.Revoked, Reason: k.Reason,
	}
	if page.CA, err = s.titleOf(r, k.CA); err != nil {
		return err
	}
	if administers(o) {
		page.Person = k.Person
	}
	if in.Organization == "" { // what an authority calls people is its own
		page.Subject = k.Subject
	}
	for _, id := range k.Identifiers {
		page.For = append(page.For, templates.AdminMember{Name: id.Type, Value: id.Value})
	}
	for _, b := range k.Accounts {
		page.Bound = append(page.Bound, templates.AdminBound{URL: b.URL, Thumbprint: b.Thumbprint, At: b.At, Off: !b.Deactivated.IsZero()})
	}
	if k.Unused() {
		page.Unused = k.UnusedUntil
	}
	if k.ReplacedBy != "" {
		page.Replaced, page.ReplacedHref = k.ReplacedBy, s.Keep(r, keyPath(name, k.ReplacedBy))
	}
	page.Notice = a.problem
	if k.Revoked.IsZero() && proofing.Operates(o.offices, k.CA) {
		page.End = s.Keep(r, keyPath(k.CA, k.Kid)+"/revoke") // also on the page of its organization, which ends none
		page.Stale, page.Confirm = !o.Fresh, s.confirmLink(r, self)
	}
	return s.Render(w, r, status, page)
}

func (s *Site) showRegistry(w http.ResponseWriter, r *http.Request, o *officer) error {
	p, _, err := s.operatedPage(r, o, "registry", registryPath, breadth{})
	if err != nil {
		return err
	}
	page := templates.AdminRegistry{AdminOperated: p}
	if p.CA == "" {
		return s.Render(w, r, http.StatusOK, page)
	}
	var entries []*proofing.RegistryEntry
	next := ""
	if p.Find != "" {
		entries, err = s.service.FindOperatedRegistry(r.Context(), s.signedInAs(r), p.CA, p.Find)
	} else {
		entries, next, err = s.service.OperatedRegistry(r.Context(), s.signedInAs(r), p.CA, r.URL.Query().Get("after"), listPage)
	}
	if s.listed(w, r, p.Self, err) {
		return nil
	}
	if err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b *proofing.RegistryEntry) int {
		return cmp.Or(cmp.Compare(a.Identifier.Type, b.Identifier.Type), cmp.Compare(a.Identifier.Value, b.Identifier.Value))
	})
	for _, e := range entries {
		v := templates.AdminRegistered{Type: e.Identifier.Type, Value: e.Identifier.Value, Domains: e.Domains, Since: e.Created, Note: e.Note, Log: s.logOf(r, e.ID)}
		for _, h := range e.Holders {
			switch {
			case h.Organization != "":
				v.Holders = append(v.Holders, templates.AdminHolder{Shown: h.Organization, Organization: true})
			case h.Person == "":
				v.Holders = append(v.Holders, templates.AdminHolder{Shown: masked(s.service, h.Channel, h.Address)})
			case administers(o):
				v.Holders = append(v.Holders, templates.AdminHolder{Shown: h.Person, Person: true})
			default:
				v.Holders = append(v.Holders, templates.AdminHolder{Person: true})
			}
		}
		page.Rows = append(page.Rows, v)
	}
	s.turn(r, &page.AdminOperated, next)
	return s.Render(w, r, http.StatusOK, page)
}

func (s *Site) showAuthorities(w http.ResponseWriter, r *http.Request, o *officer) error {
	if !operates(o.offices) {
		return proofing.ErrNotFound
	}
	page := templates.AdminAuthorities{AdminFrame: s.adminFrame(r, o, "authorities", authoritiesPath)}
	names, err := s.authoritiesOf(r, o)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if !proofing.Operates(o.offices, name) {
			continue
		}
		ca, err := s.service.OperatedAuthority(r.Context(), s.signedInAs(r), name)
		if errors.Is(err, proofing.ErrNotFound) { // revoked since
			continue
		}
		if err != nil {
			return err
		}
		page.Rows = append(page.Rows, s.viewAuthority(r, ca))
	}
	return s.Render(w, r, http.StatusOK, page)
}

func (s *Site) viewAuthority(r *http.Request, ca *proofing.Authority) templates.AdminAuthority {
	v := templates.AdminAuthority{
		Name: ca.Name, Title: cmp.Or(ca.Title, ca.Name), Since: ca.Created, Directories: ca.Directories, CAA: ca.CAAIdentities,
		Pins: len(ca.Certificates), Step: len(ca.StepHooks), MAC: ca.Release != nil, TokenTypes: ca.TokenTypes,
	}
	for _, name := range ca.Profiles {
		v.Profiles = append(v.Profiles, s.profileTitle(name))
	}
	for _, t := range ca.Tokens {
		if t.Revoked.IsZero() {
			v.Tokens++
		}
	}
	for _, page := range []struct{ name, href string }{
		{"keys", s.Keep(r, ofAuthority(keysPath, ca.Name))}, {"registry", s.Keep(r, ofAuthority(registryPath, ca.Name))},
		{"messages", s.Keep(r, ofAuthority(messagesPath, ca.Name))}, {"log", s.logOf(r, ca.ID)},
	} {
		v.Links = append(v.Links, templates.AdminLink{Name: page.name, Href: page.href})
	}
	return v
}
