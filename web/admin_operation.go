package web

import (
	"cmp"
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
	s.mux.Handle("POST /admin/messages/{authority}/resend", s.act(s.console(s.resendNotice)))
	for _, path := range []string{"replay", "resend"} { // where a page with a mistake stands
		s.mux.Handle("GET /admin/messages/{authority}/"+path, s.Serve(func(w http.ResponseWriter, r *http.Request) error {
			s.see(w, r, ofAuthority(messagesPath, r.PathValue("authority")))
			return nil
		}))
	}
}

// ofAuthority is the page at a path of an authority.
func ofAuthority(path, ca string) string { return path + "/" + url.PathEscape(ca) }

// operates says whether any authority is somebody's to run.
func operates(offices []*proofing.Appointment) bool {
	return slices.ContainsFunc(offices, func(a *proofing.Appointment) bool {
		return a.Role == proofing.RoleAdministrator || a.Role == proofing.RoleOperator
	})
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

// resendNotice has a notice sent again that was given up.
func (s *Site) resendNotice(w http.ResponseWriter, r *http.Request, o *officer) error {
	in := r.PathValue("authority")
	err := s.service.ResendNotice(r.Context(), s.signedInAs(r), proofing.Subject(r.PostForm.Get("of")), r.PostForm.Get("object"), r.PostForm.Get("message"))
	if err == nil {
		s.seeAt(w, r, s.Keep(r, ofAuthority(messagesPath, in)), "troubled-title")
		return nil
	}
	if err = s.asConsole(err); s.answerTo(err).problem == nil {
		return err
	}
	return s.renderMessages(w, r, o, in, err)
}

func (s *Site) renderMessages(w http.ResponseWriter, r *http.Request, o *officer, asked string, wrong error) error {
	here, err := s.scoped(r, o, messagesPath, asked, breadth{organizations: true, itself: true})
	if err != nil {
		return err
	}
	status, a := s.statusOf(w, mistake{err: wrong})
	page := templates.AdminMessages{AdminFrame: s.adminFrame(r, o, "messages", here.path), CAs: here.choice, CA: here.name, Whose: here.whose()}
	page.Notice = a.problem
	if here.name == "" {
		return s.Render(w, r, status, page)
	}
	after := r.URL.Query().Get("after")
	m, err := s.service.OperatedMessages(r.Context(), s.signedInAs(r), here.Scope, after, viewRows)
	if input, ok := errors.AsType[*proofing.InputError](err); ok && input.Field == "cursor" {
		s.seeAt(w, r, s.Keep(r, here.path), "main")
		return nil
	}
	if err != nil {
		return err
	}
	s.viewMessages(r, &page, m, here)
	if page.More = page.More || m.More || m.DeadMore; after != "" {
		page.First = s.Keep(r, here.path)
	}
	if m.Next != "" {
		page.Next = s.path(r, here.path, "after", m.Next)
	}
	if page.Whose == "authority" {
		if err := s.viewHook(r, &page); err != nil {
			return err
		}
	}
	if page.Replay != "" || m.Runs && len(m.Dead) > 0 {
		page.Stale, page.Confirm = !o.Fresh, s.confirmLink(r, here.path)
	}
	return s.Render(w, r, status, page)
}

// viewMessages draws messages on their way and those that did not arrive, of whatever record they are.
func (s *Site) viewMessages(r *http.Request, page *templates.AdminMessages, m proofing.OperatedMessages, here scoped) {
	now := s.service.Now()
	request := func(c *proofing.Case) string {
		if c.Approval == nil { // nobody decides about it in the console
			return ""
		}
		return s.Keep(r, adminCasePath(c.ID))
	}
	view := func(o proofing.Owed) (all []templates.DeskMessage) {
		href := cmp.Or(s.objectHref(r, o.Of, o.Object), s.logOf(r, o.Object))
		if o.Case != nil && o.Of == proofing.SubjectCase {
			href = request(o.Case)
		}
		for _, v := range viewOwed(s.service, o, now, href) {
			v.Name = o.Name
			all = append(all, v)
		}
		return all
	}
	for _, c := range m.Troubled {
		page.Troubled = append(page.Troubled, viewTroubles(c, now, request(c))...)
	}
	for _, o := range m.Dead {
		for _, v := range view(o) {
			if m.Runs {
				v.Resend = s.Keep(r, here.path+"/resend")
			}
			page.Troubled = append(page.Troubled, v)
		}
	}
	page.Troubled, page.More = newestTroubles(page.Troubled)
	for _, o := range m.Waiting {
		page.Waiting = append(page.Waiting, view(o)...)
	}
	slices.SortStableFunc(page.Waiting, func(a, b templates.DeskMessage) int { return a.At.Compare(b.At) })
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
