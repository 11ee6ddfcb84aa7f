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

// The console: what waits for people who decide about requests. Whoever has no role gets the answer of a path that
// does not exist, and so does whoever asks for what is not theirs.

func (s *Site) adminRoutes() {
	s.mux.Handle("GET /admin", s.look(s.console(s.showQueue)))
	s.mux.Handle("GET /admin/cases/{case}", s.look(s.console(s.showCaseInConsole)))
	s.mux.Handle("POST /admin/cases/{case}/decide", s.act(s.console(s.askDecision)))
	s.mux.Handle("POST /admin/cases/{case}/discrepancies", s.act(s.console(s.raise)))
	s.mux.Handle("POST /admin/cases/{case}/explanations", s.act(s.console(s.resolve)))
	s.mux.Handle("GET /admin/sign", s.look(s.console(s.showSigning)))
	s.mux.Handle("POST /admin/sign", s.act(s.console(s.decide)))
	s.mux.Handle("GET /admin/join/{ref}", s.look(s.showJoin))
	s.mux.Handle("POST /admin/join/{ref}", s.act(s.join))
	s.mux.Handle("POST /admin/cases/{case}/restore", s.act(s.console(s.restoreFrozen)))
	for _, path := range []string{"decide", "discrepancies", "explanations", "restore"} { // where a page with a mistake stands
		s.mux.Handle("GET /admin/cases/{case}/"+path, s.Serve(func(w http.ResponseWriter, r *http.Request) error {
			s.see(w, r, adminCasePath(r.PathValue("case")))
			return nil
		}))
	}
	s.dossierRoutes()
	s.peopleRoutes()
	s.logRoutes()
	s.policyRoutes()
	s.revocationRoutes()
	s.operationRoutes()
	s.spendRoutes()
	s.keyRoutes()
	s.settingRoutes()
}

// adminPages are the pages that the bar of each leads to, in its order. Each has its route in adminRoutes, or in its own file's.
var adminPages = []struct{ name, path string }{
	{"queue", proofing.AdminPath}, {"revocations", revocationsPath}, {"organizations", organizationsPath}, {"people", peoplePath}, {"policy", policiesPath}, {"log", logPath}, {"messages", messagesPath}, {"spend", spendPath},
	{"keys", keysPath}, {"registry", registryPath}, {"authorities", authoritiesPath}, {"settings", settingsPath},
}

// adminPagesOf say of those of them that are not everybody's in the console whose they are.
var adminPagesOf = map[string]func(offices []*proofing.Appointment) bool{
	"revocations": func(offices []*proofing.Appointment) bool { return len(proofing.RevocationScopes(offices)) > 0 },
	"messages":    operatesOrBelongs,
	"spend":       operates,
	"keys":        operatesOrBelongs,
	"registry":    operates,
	"authorities": operates,
	"policy":      onlyAdministrators,
	"settings":    onlyAdministrators,
}

// operatesOrBelongs says whether somebody runs an authority or is of an organization: what is theirs they see.
func operatesOrBelongs(offices []*proofing.Appointment) bool {
	return operates(offices) || len(proofing.Organizations(offices)) > 0
}

func onlyAdministrators(offices []*proofing.Appointment) bool {
	return administers(&officer{offices: offices})
}

// officer is who looks at a page of the console, by which appointments.
type officer struct {
	*proofing.Session
	offices []*proofing.Appointment
}

// console is a page of the console: for who holds an appointment, and has signed in by something that cannot be phished.
func (s *Site) console(h func(http.ResponseWriter, *http.Request, *officer) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		if _, err := s.service.Session(r.Context(), s.signedInAs(r)); errors.Is(err, proofing.ErrNotFound) {
			s.seeAt(w, r, s.path(r, signInPath, "to", pageOf(r)), "work")
			return nil
		}
		session, offices, err := s.service.Console(r.Context(), s.signedInAs(r))
		if errors.Is(err, proofing.ErrNotAdmitted) {
			return s.tooWeak(w, r)
		}
		if errors.Is(err, proofing.ErrNotFound) && r.Method == http.MethodGet {
			return s.tooEarly(w, r)
		}
		if err != nil {
			return err
		}
		return h(w, r, &officer{session, offices})
	}
}

// tooEarly tells somebody who has taken up a role that does not count yet what it waits for; for anybody else there is no console.
func (s *Site) tooEarly(w http.ResponseWriter, r *http.Request) error {
	pending, err := s.service.Pending(r.Context(), s.signedInAs(r))
	if errors.Is(err, proofing.ErrNotAdmitted) {
		return s.tooWeak(w, r)
	}
	if err != nil {
		return err
	}
	if len(pending) == 0 {
		return proofing.ErrNotFound
	}
	session, err := s.service.Session(r.Context(), s.signedInAs(r))
	if err != nil {
		return err
	}
	page := templates.AdminJoin{AdminFrame: s.adminFrame(r, nil, "", proofing.AdminPath)}
	if err := s.viewJoin(r, &page, pending[0], session); err != nil {
		return err
	}
	return s.Render(w, r, http.StatusOK, page)
}

// tooWeak tells somebody who has signed in by less than the console takes what to do, on their own page.
func (s *Site) tooWeak(w http.ResponseWriter, r *http.Request) error {
	session, err := s.service.Session(r.Context(), s.signedInAs(r))
	if err != nil {
		return err
	}
	s.comeBackTo(w, pageOf(r))
	return s.renderMe(w, r, session, mistake{err: errWeak, method: "fido"}, nil)
}

// path is a path of ours with the chosen language and with parameters: a name and a value by turns. Empty ones are left out.
func (s *Site) path(r *http.Request, path string, pairs ...string) string {
	query := url.Values{}
	if _, chosen := language(r); chosen != "" {
		query.Set("lang", chosen)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// adminFrame is the frame of a page of the console. Self is the path of the page, and here its name among adminPages.
func (s *Site) adminFrame(r *http.Request, o *officer, here, self string) templates.AdminFrame {
	f := templates.AdminFrame{Frame: s.Frame(r, self), Me: s.Keep(r, mePath), Now: s.service.Now().UTC()}
	if o == nil {
		return f
	}
	f.Reader, f.SignOut = o.offices[0].Name, s.Keep(r, "/me/sign-out")
	for _, page := range adminPages {
		if of := adminPagesOf[page.name]; of != nil && !of(o.offices) {
			continue
		}
		f.Nav = append(f.Nav, templates.AdminLink{Name: page.name, Href: s.Keep(r, page.path), Here: page.name == here})
	}
	return f
}

// queuePage is how many requests a page of the queue has.
const queuePage = 50

// stages are those of the queue, in their order, each with the role that it waits for.
var stages = []proofing.Stage{proofing.StageSubmitted, proofing.StageVetting, proofing.StageCorrelation}

func (s *Site) showQueue(w http.ResponseWriter, r *http.Request, o *officer) error {
	q := r.URL.Query()
	as := officeFor(o.offices, q.Get("as"))
	if as == nil {
		return proofing.ErrNotFound
	}
	find := strings.TrimSpace(q.Get("find"))
	look := templates.AdminFind{Action: proofing.AdminPath, Text: find}
	if find != "" {
		f, err := s.service.FindInConsole(r.Context(), s.signedInAs(r), find)
		if err != nil {
			return err
		}
		if look.Found, err = s.viewFound(r, f); err != nil {
			return err
		}
		if look.More = f.More; len(look.Found) == 1 && !f.More {
			s.seeAt(w, r, look.Found[0].Href, "work")
			return nil
		}
	}
	stage := proofing.Stage(cmp.Or(q.Get("stage"), string(stageOf(as.Role))))
	rows, next, err := s.service.DocketWithGrounds(r.Context(), s.signedInAs(r), proofing.DocketQuery{Stage: stage, By: as.ID, After: q.Get("after"), Limit: queuePage})
	if input, ok := errors.AsType[*proofing.InputError](err); ok && input.Field == "cursor" {
		s.seeAt(w, r, s.path(r, proofing.AdminPath, "as", as.ID, "stage", string(stage)), "main")
		return nil
	}
	if err != nil {
		return err
	}
	page := templates.AdminQueue{AdminFrame: s.adminFrame(r, o, "queue", proofing.AdminPath)}
	page.Query, page.Unheard = url.Values{"stage": {string(stage)}}, !o.Person.Reachable()
	page.Find, page.Find.Query = look, page.Query
	chosen := ""
	if len(o.offices) > 1 {
		chosen = as.ID
		page.Query.Set("as", as.ID)
		for _, a := range o.offices {
			where, err := s.whereOf(r, a)
			if err != nil {
				return err
			}
			page.As = append(page.As, templates.AdminOffice{Role: string(a.Role), Where: where, Href: s.path(r, proofing.AdminPath, "as", a.ID), Here: a == as})
		}
	}
	counts, err := s.service.DocketCounts(r.Context(), s.signedInAs(r), as.ID, queuePage, stages...)
	if err != nil {
		return err
	}
	if page.Revoke, err = s.viewRevoke(r); err != nil {
		return err
	}
	if page.Policy, err = s.viewWaitingPolicy(r, o); err != nil {
		return err
	}
	if page.Frozen, page.FrozenMore, err = s.viewFrozen(r); err != nil {
		return err
	}
	for i, g := range stages {
		tab := templates.AdminTab{Stage: string(g), Here: g == stage, Href: s.path(r, proofing.AdminPath, "as", chosen, "stage", string(g))}
		tab.N = atLeast(counts[i].N, counts[i].More)
		page.Stages = append(page.Stages, tab)
	}
	if !slices.ContainsFunc(counts, func(c proofing.DocketCount) bool { return c.N > 0 }) {
		page.Idle, page.Begin = string(as.Role), s.begins(r, as.Role)
	}
	slices.SortStableFunc(rows, func(a, b proofing.Docketed) int { return cmp.Compare(rank(a.Waits), rank(b.Waits)) })
	for _, row := range rows {
		page.Rows = append(page.Rows, s.viewRow(r, row))
	}
	if q.Get("after") != "" {
		page.First = s.path(r, proofing.AdminPath, "as", chosen, "stage", string(stage))
	}
	if next != "" {
		page.Next = s.path(r, proofing.AdminPath, "as", chosen, "stage", string(stage), "after", next)
	}
	return s.Render(w, r, http.StatusOK, page)
}

// viewFound is what somebody may have meant.
func (s *Site) viewFound(r *http.Request, f proofing.Found) ([]templates.AdminFound, error) {
	var all []templates.AdminFound
	for _, c := range f.Cases {
		all = append(all, templates.AdminFound{Href: s.Keep(r, adminCasePath(c.ID)), Name: c.Identifier.Value, CA: c.CA, Case: c.ID, State: stateOf(c)})
	}
	for _, o := range f.Organizations {
		all = append(all, templates.AdminFound{Href: s.Keep(r, organizationPath(o.ID)), Name: o.Name, CA: o.CA})
	}
	for i := range all {
		title, err := s.titleOf(r, all[i].CA)
		if err != nil {
			return nil, err
		}
		all[i].CA = title
	}
	return all, nil
}

// begins is the page where somebody in a role prepares what comes before a request; empty: a request comes to them.
func (s *Site) begins(r *http.Request, role proofing.Role) string {
	switch role {
	case proofing.RoleAdministrator:
		return s.Keep(r, peoplePath)
	case proofing.RoleOperator, proofing.RoleSpecialist, proofing.RoleSigner, proofing.RoleApprover:
		return s.Keep(r, organizationsPath)
	}
	return ""
}

// officeFor is the appointment that somebody has chosen, or the first by which they decide; nil for one that is not theirs.
func officeFor(offices []*proofing.Appointment, id string) *proofing.Appointment {
	for _, a := range offices {
		if a.ID == id || id == "" && decides(a.Role) {
			return a
		}
	}
	if id == "" {
		return offices[0]
	}
	return nil
}

// decides says whether a stage waits for a role.
func decides(role proofing.Role) bool {
	return slices.ContainsFunc(stages, func(g proofing.Stage) bool { return g.Step().Role() == role })
}

// stageOf is the stage that somebody in a role wants to see first.
func stageOf(role proofing.Role) proofing.Stage {
	for _, g := range stages {
		if g.Step().Role() == role {
			return g
		}
	}
	return stages[0]
}

// whereOf is where an appointment is held, as people call it; empty: everywhere.
func (s *Site) whereOf(r *http.Request, a *proofing.Appointment) (string, error) {
	switch a.Role.Side() {
	case proofing.SideAuthority:
		return s.titleOf(r, a.CA)
	case proofing.SideApplicant:
		return s.service.OrganizationName(r.Context(), a)
	}
	return "", nil
}

// titleOf is what people call an authority.
func (s *Site) titleOf(r *http.Request, name string) (string, error) {
	ca, err := s.service.Authority(r.Context(), name)
	if err != nil {
		return name, ignore(err, proofing.ErrNotFound)
	}
	return cmp.Or(ca.Title, ca.Name), nil
}

// ignore is an error without one that is expected.
func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

// rowLacks is how many things that are missing a row names.
const rowLacks = 2

func (s *Site) viewRow(r *http.Request, row proofing.Docketed) templates.AdminRow {
	c, now := row.Case, s.service.Now()
	v := templates.AdminRow{
		Href: s.Keep(r, adminCasePath(c.ID)), Name: c.Identifier.Value, CA: c.CATitle, Profile: s.profile(c).Title, Since: c.Approval.Since, Age: now.Sub(c.Approval.Since),
		Turn: string(c.Approval.Stage.Step().Role()), Frozen: c.Frozen != nil, Mine: row.Waits,
	}
	if row.Organization != nil {
		v.Name = legalName(row.Organization)
	}
	if rule := s.service.RuleOf(c); c.Approval.Stage == proofing.StageSubmitted && rule.Needed > 1 {
		v.Approved, v.Needed = len(c.Approval.Approved(now)), rule.Needed
	}
	for _, d := range c.Approval.Discrepancies {
		if d.Open() {
			v.Unresolved++
		}
	}
	for _, l := range row.Lacks {
		if len(v.Lacks) == rowLacks {
			v.More++
			continue
		}
		v.Lacks = append(v.Lacks, viewLack(l, nil))
	}
	return v
}

// legalName is the full legal name of an organization: what its dossier says, or what it was asked for by.
func legalName(o *proofing.Organization) string {
	if it := o.Current(proofing.ItemLegalName, ""); it != nil && it.Outcome == proofing.OutcomeGood && it.Value != "" {
		return it.Value
	}
	return o.Name
}

// viewLack says what is missing. The people are those that it may be about.
func viewLack(l proofing.Lack, people []*proofing.Appointment) templates.AdminLack {
	v := templates.AdminLack{Code: l.Code, Item: string(l.Kind), Clause: l.Clause, Since: l.Since}
	if l.Code == proofing.LackRole {
		v.Role = l.Subject
	}
	for _, a := range people {
		if a.ID == l.Subject {
			v.About = a.Name
		}
	}
	return v
}

func adminCasePath(id string) string { return proofing.AdminCasePath + url.PathEscape(id) }
