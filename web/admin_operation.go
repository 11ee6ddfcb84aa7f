package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// What administrators and an authority's operators see of how it is served. The pages for operators have more, without a sign-in, for whoever reaches their
// listener: what is of the process and of nobody's authority stays there.

const messagesPath = proofing.AdminPath + "/messages"

func (s *Site) operationRoutes() {
	s.mux.Handle("GET /admin/messages", s.look(s.console(s.showMessages)))
	s.mux.Handle("GET /admin/messages/{authority}", s.look(s.console(s.showMessages)))
	s.mux.Handle("POST /admin/messages/{authority}/replay", s.act(s.console(s.replay)))
	s.mux.Handle("GET /admin/messages/{authority}/replay", s.Serve(func(w http.ResponseWriter, r *http.Request) error { // where a page with a mistake stands
		s.see(w, r, ofAuthority(messagesPath, r.PathValue("authority")))
		return nil
	}))
}

// ofAuthority is the page at a path of an authority.
func ofAuthority(path, ca string) string { return path + "/" + url.PathEscape(ca) }

// operates says whether any authority is somebody's to run.
func operates(offices []*proofing.Appointment) bool {
	return slices.ContainsFunc(offices, func(a *proofing.Appointment) bool {
		return a.Role == proofing.RoleAdministrator || a.Role == proofing.RoleOperator
	})
}

// operated are the authorities that somebody runs, as the page at a path chooses among them, and the one that is chosen: by name, or the first; empty if there
// is none at all. ErrNotFound for what is not theirs.
func (s *Site) operated(r *http.Request, o *officer, path, asked string) (here string, cas []templates.AdminScope, err error) {
	if !operates(o.offices) {
		return "", nil, proofing.ErrNotFound
	}
	names, err := s.authoritiesOf(r, o)
	if err != nil {
		return "", nil, err
	}
	names = slices.DeleteFunc(names, func(ca string) bool { return !proofing.Operates(o.offices, ca) })
	slices.Sort(names)
	here = asked
	if here == "" && len(names) > 0 {
		here = names[0]
	}
	if here != "" && !slices.Contains(names, here) {
		return "", nil, proofing.ErrNotFound
	}
	if len(names) < 2 {
		return here, nil, nil
	}
	for _, ca := range names {
		title, err := s.titleOf(r, ca)
		if err != nil {
			return "", nil, err
		}
		cas = append(cas, templates.AdminScope{Title: title, Href: s.Keep(r, ofAuthority(path, ca)), Here: ca == here})
	}
	return here, cas, nil
}

func (s *Site) showMessages(w http.ResponseWriter, r *http.Request, o *officer) error {
	return s.renderMessages(w, r, o, r.PathValue("authority"), nil)
}

func (s *Site) replay(w http.ResponseWriter, r *http.Request, o *officer) error {
	ca := r.PathValue("authority")
	_, err := s.service.ReplayOperated(r.Context(), s.signedInAs(r), ca)
	if err == nil {
		s.seeAt(w, r, s.Keep(r, ofAuthority(messagesPath, ca)), "webhook-title")
		return nil
	}
	if err = s.asConsole(err); s.answerTo(err).problem == nil {
		return err
	}
	return s.renderMessages(w, r, o, ca, err)
}

func (s *Site) renderMessages(w http.ResponseWriter, r *http.Request, o *officer, asked string, wrong error) error {
	here, cas, err := s.operated(r, o, messagesPath, asked)
	if err != nil {
		return err
	}
	status, a := s.statusOf(w, mistake{err: wrong})
	self := messagesPath
	if here != "" {
		self = ofAuthority(messagesPath, here)
	}
	page := templates.AdminMessages{AdminFrame: s.adminFrame(r, o, "messages", self), CAs: cas, CA: here}
	page.Notice = a.problem
	if here == "" {
		return s.Render(w, r, status, page)
	}
	after, now := r.URL.Query().Get("after"), s.service.Now()
	m, err := s.service.OperatedMessages(r.Context(), s.signedInAs(r), here, after, viewRows)
	if input, ok := errors.AsType[*proofing.InputError](err); ok && input.Field == "cursor" {
		s.seeAt(w, r, s.Keep(r, self), "main")
		return nil
	}
	if err != nil {
		return err
	}
	href := func(c *proofing.Case) string {
		if c.Approval == nil { // nobody decides about it in the console
			return ""
		}
		return s.Keep(r, adminCasePath(c.ID))
	}
	for _, c := range m.Troubled {
		page.Troubled = append(page.Troubled, viewTroubles(c, now, href(c))...)
	}
	for _, c := range m.Waiting {
		page.Waiting = append(page.Waiting, viewOutbox(s.service, c, now, href(c))...)
	}
	slices.SortStableFunc(page.Waiting, func(a, b templates.DeskMessage) int { return a.At.Compare(b.At) })
	if page.More = m.More; after != "" {
		page.First = s.Keep(r, self)
	}
	if m.Next != "" {
		page.Next = s.path(r, self, "after", m.Next)
	}
	if err := s.viewHook(r, &page); err != nil {
		return err
	}
	if page.Replay != "" {
		page.Stale, page.Confirm = !o.Fresh, s.confirmLink(r, self)
	}
	return s.Render(w, r, status, page)
}

// viewHook draws the webhook of the page's authority.
func (s *Site) viewHook(r *http.Request, page *templates.AdminMessages) error {
	ca, h, err := s.service.OperatedHook(r.Context(), s.signedInAs(r), page.CA)
	if err != nil || ca.Webhook == nil {
		return err
	}
	v := viewWebhook(ca, h)
	page.Hook, page.Lost = &v, int(h.Lost)
	for _, d := range slices.Backward(h.Dead) {
		page.Dead = append(page.Dead, templates.AdminDead{ID: d.Event.ID, Change: string(d.Event.Change), Status: string(d.Event.Status), At: d.Event.At, Since: d.At, Reason: d.Reason})
	}
	if state, _ := h.State(ca.Webhook); len(h.Dead) > 0 && state != proofing.HookOff || state == proofing.HookStopped {
		page.Replay = s.Keep(r, ofAuthority(messagesPath, page.CA)+"/replay")
	}
	return nil
}
