package web

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// The dossiers of organizations: what is known of each, what it lacks, and who of it must approve.
const organizationsPath = proofing.AdminPath + "/organizations"

func organizationPath(id string) string { return proofing.AdminOrganizationPath + url.PathEscape(id) }

func (s *Site) dossierRoutes() {
	s.mux.Handle("GET /admin/organizations", s.look(s.console(s.showOrganizations)))
	s.mux.Handle("POST /admin/organizations", s.act(s.console(s.openOrganization)))
	s.mux.Handle("GET /admin/organizations/{organization}", s.look(s.console(s.showOrganization)))
	s.mux.Handle("POST /admin/organizations/{organization}/items", s.act(s.console(s.recordItem)))
	s.mux.Handle("POST /admin/organizations/{organization}/rule", s.act(s.console(s.setRule)))
	s.mux.Handle("POST /admin/organizations/{organization}/review", s.act(s.console(s.reviewDossier)))
	for _, path := range []string{"items", "rule", "review"} { // where a page with a mistake stands
		s.mux.Handle("GET /admin/organizations/{organization}/"+path, s.Serve(func(w http.ResponseWriter, r *http.Request) error {
			s.see(w, r, organizationPath(r.PathValue("organization")))
			return nil
		}))
	}
}

// listPage is how many things a page of a list has.
const listPage = 25

func (s *Site) showOrganizations(w http.ResponseWriter, r *http.Request, o *officer) error {
	return s.renderOrganizations(w, r, o, nil)
}

func (s *Site) openOrganization(w http.ResponseWriter, r *http.Request, o *officer) error {
	d, _, err := s.service.OpenOrganization(r.Context(), s.signedInAs(r), r.PostForm.Get("ca"), r.PostForm.Get("name"))
	if err == nil {
		s.see(w, r, organizationPath(d.ID))
		return nil
	}
	if err = s.asConsole(err); s.answerTo(err).problem == nil {
		return err
	}
	return s.renderOrganizations(w, r, o, err)
}

// asConsole is an error of a verb of the console as its pages tell it: whoever is there may look, and has not confirmed who they are lately.
func (s *Site) asConsole(err error) error {
	if errors.Is(err, proofing.ErrNotAdmitted) {
		return errStale
	}
	return err
}

// authoritiesOf are the names of the authorities whose dossiers and people somebody gets to see: an administrator those of all.
func (s *Site) authoritiesOf(r *http.Request, o *officer) (names []string, err error) {
	for _, a := range o.offices {
		if a.Role.Side() == proofing.SideAuthority && !slices.Contains(names, a.CA) {
			names = append(names, a.CA)
		}
	}
	if !slices.ContainsFunc(o.offices, func(a *proofing.Appointment) bool { return a.Role == proofing.RoleAdministrator }) {
		return names, nil
	}
	all, _, err := s.service.Authorities.List(r.Context(), proofing.Query{Index: "all", Below: "~"})
	if err != nil {
		return nil, err
	}
	names = nil
	for _, ca := range all {
		if ca.Revoked.IsZero() {
			names = append(names, ca.Name)
		}
	}
	return names, nil
}

func (s *Site) renderOrganizations(w http.ResponseWriter, r *http.Request, o *officer, wrong error) error {
	status, a := s.statusOf(w, mistake{err: wrong})
	page := templates.AdminOrganizations{AdminFrame: s.adminFrame(r, o, "organizations", organizationsPath), Find: templates.AdminFind{Action: proofing.AdminPath}, Name: r.PostForm.Get("name")}
	if page.NameBad = a.problem; a.problem != nil && a.problem.Family != "input" {
		page.Notice, page.NameBad = a.problem, nil
	}
	cas, err := s.authoritiesOf(r, o)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	here, asked := q.Get("ca"), q.Get("ca") != ""
	if here == "" {
		here = r.PostForm.Get("ca")
	}
	if here == "" && len(cas) > 0 {
		here = cas[0]
	}
	if here != "" && !slices.Contains(cas, here) {
		return proofing.ErrNotFound
	}
	for _, ca := range cas {
		title, err := s.titleOf(r, ca)
		if err != nil {
			return err
		}
		page.CAs = append(page.CAs, templates.AdminScope{Title: title, Href: s.path(r, organizationsPath, "ca", ca), Here: ca == here})
	}
	if asked {
		page.Query = url.Values{"ca": {here}}
	}
	if err := s.ownOrganizations(r, o, &page); err != nil {
		return err
	}
	if here != "" {
		found, next, err := s.service.OrganizationsOf(r.Context(), s.signedInAs(r), here, q.Get("after"), listPage)
		if input, ok := errors.AsType[*proofing.InputError](err); ok && input.Field == "cursor" {
			s.seeAt(w, r, s.path(r, organizationsPath, "ca", here), "main")
			return nil
		}
		if err != nil {
			return err
		}
		for _, d := range found {
			row, err := s.viewOrganizationRow(r, d)
			if err != nil {
				return err
			}
			page.Rows = append(page.Rows, row)
		}
		if q.Get("after") != "" {
			page.First = s.path(r, organizationsPath, "ca", here)
		}
		if next != "" {
			page.Next = s.path(r, organizationsPath, "ca", here, "after", next)
		}
		if proofing.Collects(o.offices, here) {
			page.Open, page.CA = s.Keep(r, organizationsPath), here
			page.Stale, page.Confirm = !o.Fresh, s.confirmLink(r, organizationsPath)
		}
	}
	return s.Render(w, r, status, page)
}

// ownOrganizations are those of which somebody is one.
func (s *Site) ownOrganizations(r *http.Request, o *officer, page *templates.AdminOrganizations) error {
	var seen []string
	for _, a := range o.offices {
		if a.Role.Side() != proofing.SideApplicant || slices.Contains(seen, a.Organization) {
			continue
		}
		seen = append(seen, a.Organization)
		d, _, err := s.service.Organization(r.Context(), s.signedInAs(r), a.Organization)
		if errors.Is(err, proofing.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		row, err := s.viewOrganizationRow(r, d)
		if err != nil {
			return err
		}
		page.Own = append(page.Own, row)
	}
	return nil
}

func (s *Site) viewOrganizationRow(r *http.Request, d *proofing.Organization) (row templates.AdminOrganizationRow, err error) {
	standing, err := s.service.PeopleOf(r.Context(), d.ID)
	if err != nil {
		return row, err
	}
	row = templates.AdminOrganizationRow{Href: s.Keep(r, organizationPath(d.ID)), Name: legalName(d), Lacks: len(d.Lacks(true, standing, s.service.Now()))}
	if row.CA, err = s.titleOf(r, d.CA); err != nil {
		return row, err
	}
	if ages := d.Ages(); len(ages) > 0 {
		row.AgesKind, row.Ages = string(ages[0].Item.Kind), ages[0].Until
	}
	return row, nil
}

func (s *Site) showOrganization(w http.ResponseWriter, r *http.Request, o *officer) error {
	return s.renderOrganization(w, r, o, "", nil)
}

func (s *Site) recordItem(w http.ResponseWriter, r *http.Request, o *officer) error {
	draft := readItem(r.PostForm)
	kind := string(draft.Kind)
	_, err := s.service.RecordItem(r.Context(), s.signedInAs(r), r.PathValue("organization"), draft)
	if err == nil {
		if kind == "" {
			kind = string(proofing.ItemCommunication)
		}
		s.seeAt(w, r, s.Keep(r, organizationPath(r.PathValue("organization"))), url.PathEscape(kind))
		return nil
	}
	if draft.ConfirmedItem != "" {
		kind = confirmForm(draft.ConfirmedItem)
	}
	return s.dossierWrong(w, r, o, kind, err)
}

func (s *Site) setRule(w http.ResponseWriter, r *http.Request, o *officer) error {
	rule, err := readRule(r.PostForm)
	if err == nil {
		_, err = s.service.SetApprovalRule(r.Context(), s.signedInAs(r), r.PathValue("organization"), rule)
	}
	if err == nil {
		s.seeAt(w, r, s.Keep(r, organizationPath(r.PathValue("organization"))), "rule")
		return nil
	}
	return s.dossierWrong(w, r, o, ruleForm, err)
}

// reviewForm is the name of the form by which somebody says that a dossier fits together.
const reviewForm = "review"

func (s *Site) reviewDossier(w http.ResponseWriter, r *http.Request, o *officer) error {
	number, _ := strconv.ParseInt(r.PostForm.Get("number"), 10, 64) // what is no number is none that a page had: it is stale
	_, err := s.service.ReviewDossier(r.Context(), s.signedInAs(r), r.PathValue("organization"), number)
	if err == nil {
		s.seeAt(w, r, s.Keep(r, organizationPath(r.PathValue("organization"))), "review")
		return nil
	}
	return s.dossierWrong(w, r, o, reviewForm, err)
}

// viewReview is what a page says of the reviews of a dossier.
func (s *Site) viewReview(r *http.Request, o *officer, d *proofing.Organization, people []*proofing.Appointment) (v templates.AdminReview) {
	if d.Review != nil {
		v.By, v.At = d.Review.Name, d.Review.At
	}
	for _, it := range d.Unreviewed() {
		v.Since = append(v.Since, viewLack(proofing.Lack{Kind: it.Kind, Subject: it.Subject}, people))
	}
	if now := s.service.Now(); proofing.Reviews(o.offices, d.CA) && !proofing.SidesWith(people, d, o.Person.ID, now) {
		v.Save, v.Number = s.Keep(r, organizationPath(d.ID)+"/review"), d.Version()
		v.Collected = !d.MayReview(o.Person.ID, now)
	}
	return v
}

func (s *Site) dossierWrong(w http.ResponseWriter, r *http.Request, o *officer, form string, err error) error {
	if err = s.asConsole(err); s.answerTo(err).problem == nil {
		return err
	}
	return s.renderOrganization(w, r, o, form, err)
}

// renderOrganization draws a dossier. Form is the one that was sent, and what is wrong with it.
func (s *Site) renderOrganization(w http.ResponseWriter, r *http.Request, o *officer, form string, wrong error) error {
	status, a := s.statusOf(w, mistake{err: wrong})
	d, people, err := s.service.Organization(r.Context(), s.signedInAs(r), r.PathValue("organization"))
	if err != nil {
		return err
	}
	standing, err := s.service.PeopleOf(r.Context(), d.ID)
	if err != nil {
		return err
	}
	path, now := organizationPath(d.ID), s.service.Now()
	v := dossierView{
		Organization: d, people: people, now: now, collects: proofing.Collects(o.offices, d.CA) && !proofing.SidesWith(people, d, o.Person.ID, now), governs: proofing.Governs(o.offices, proofing.RoleApprover, d.CA),
		items: s.Keep(r, path+"/items"), rule: s.Keep(r, path+"/rule"), me: o.Person.ID, sent: form, typed: r.PostForm, answer: a,
	}
	page := templates.AdminOrganization{
		AdminFrame: s.adminFrame(r, o, "organizations", path), Back: s.path(r, organizationsPath), Name: legalName(d), Known: d.Name, Since: d.Created,
		AllPeople: s.path(r, peoplePath, "organization", d.ID), Log: s.logOf(r, d.ID),
	}
	if page.CA, err = s.titleOf(r, d.CA); err != nil {
		return err
	}
	page.Review = s.viewReview(r, o, d, people)
	if placed := form == reviewForm && a.problem != nil && a.problem.Family == "input"; placed {
		page.Review.Bad = a.problem
	} else if a.problem != nil && !v.placed() {
		page.Notice = a.problem
	}
	if v.collects || v.governs || page.Review.Save != "" {
		page.Stale, page.Confirm = !o.Fresh, s.confirmLink(r, path)
	}
	for _, l := range d.Lacks(true, standing, now) {
		page.Lacks = append(page.Lacks, viewLack(l, people))
	}
	for _, age := range d.Ages() {
		page.Ages = append(page.Ages, templates.AdminAge{Kind: string(age.Item.Kind), About: v.about(age.Item), Until: age.Until, Over: !now.Before(age.Until), Left: age.Until.Sub(now), Unheard: age.Unheard})
	}
	for _, person := range people { // what of their roles ends by itself is read with it: grants rest on both
		for _, e := range person.Ends() {
			page.Ages = append(page.Ages, templates.AdminAge{Kind: string(e.What), Href: s.Keep(r, personPath(person.ID)), About: person.Name, Until: e.At, Over: !now.Before(e.At), Left: e.At.Sub(now), Unheard: e.Unheard})
		}
	}
	slices.SortStableFunc(page.Ages, func(a, b templates.AdminAge) int { return a.Until.Compare(b.Until) })
	for _, rule := range proofing.ItemRules() {
		page.Items = append(page.Items, v.item(rule))
	}
	page.Rule = v.rules()
	rows, _, err := s.service.Roster(r.Context(), s.signedInAs(r), proofing.AppointmentsQuery{Organization: d.ID, Limit: dossierPeople})
	if err != nil {
		return err
	}
	for _, row := range rows {
		page.People = append(page.People, s.viewRosterRow(r, row, page.Name))
	}
	if err := s.viewRequests(r, &page, d.ID); err != nil {
		if input, ok := errors.AsType[*proofing.InputError](err); ok && input.Field == "cursor" {
			s.seeAt(w, r, organizationPath(d.ID), "requests")
			return nil
		}
		return err
	}
	return s.Render(w, r, status, page)
}

// stateOf is what has become of a request, in the words of the console.
func stateOf(c *proofing.Case) string {
	if c.Frozen != nil {
		return "frozen"
	}
	return string(c.Status)
}

// viewRequests are the requests of an organization, whatever has become of them.
func (s *Site) viewRequests(r *http.Request, page *templates.AdminOrganization, organization string) error {
	after := r.URL.Query().Get("after")
	requests, next, err := s.service.RequestsOf(r.Context(), s.signedInAs(r), organization, after, listPage)
	if err != nil {
		return err
	}
	for _, c := range requests {
		v := templates.AdminRequest{Href: s.Keep(r, adminCasePath(c.ID)), ID: c.ID, Profile: c.Profile, At: c.Created, Status: stateOf(c), Issuance: c.Parent != ""}
		if p := s.profile(c); p != nil {
			v.Profile = p.Title
		}
		page.Requests = append(page.Requests, v)
	}
	path := organizationPath(organization)
	if after != "" {
		page.First = s.path(r, path) + "#requests"
	}
	if next != "" {
		page.Next = s.path(r, path, "after", next) + "#requests"
	}
	return nil
}

// dossierPeople is how many appointments the page of a dossier looks at; the page of its people has all.
const dossierPeople = 100

// readRule is the rule that a form says. Where they go in order, the turns say in which.
func readRule(form url.Values) (rule proofing.ApprovalRule, err error) {
	rule.Of, rule.InOrder = slices.Clone(form["of"]), form.Get("in_order") == "yes"
	if rule.Needed, err = strconv.Atoi(form.Get("needed")); err != nil {
		return rule, &proofing.InputError{Field: "needed", Code: "rule_needed"}
	}
	if !rule.InOrder {
		return rule, nil
	}
	turn := func(id string) int {
		n, err := strconv.Atoi(form.Get("turn-" + id))
		if err != nil {
			return len(rule.Of) + 1
		}
		return n
	}
	slices.SortStableFunc(rule.Of, func(a, b string) int { return cmp.Compare(turn(a), turn(b)) })
	return rule, nil
}
