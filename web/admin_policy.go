package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// Policies: which one is in force, which one is proposed, and the decisions of two administrators about it. For administrators alone.
const policiesPath = proofing.AdminPath + "/policy"

func policyPath(id string) string { return policiesPath + "/" + url.PathEscape(id) }

func (s *Site) policyRoutes() {
	s.mux.Handle("GET /admin/policy", s.look(s.console(s.showPolicies)))
	s.mux.Handle("GET /admin/policy/{proposal}", s.look(s.console(s.showPolicy)))
	s.mux.Handle("POST /admin/policy/{proposal}/decide", s.act(s.console(s.askPolicyDecision)))
	s.mux.Handle("GET /admin/policy/{proposal}/decide", s.Serve(func(w http.ResponseWriter, r *http.Request) error { // where a page with a mistake stands
		s.see(w, r, policyPath(r.PathValue("proposal")))
		return nil
	}))
}

func (s *Site) showPolicies(w http.ResponseWriter, r *http.Request, o *officer) error {
	after := r.URL.Query().Get("after")
	page := templates.AdminPolicies{AdminFrame: s.adminFrame(r, o, "policy", policiesPath)}
	book, decided, next, err := s.service.Policies(r.Context(), s.signedInAs(r), after, listPage)
	if input, ok := errors.AsType[*proofing.InputError](err); ok && input.Field == "cursor" {
		s.seeAt(w, r, s.path(r, policiesPath), "main")
		return nil
	}
	if errors.Is(err, proofing.ErrNotFound) && administers(o) {
		page.None = true
		return s.Render(w, r, http.StatusOK, page)
	}
	if err != nil {
		return err
	}
	page.Digest, page.Since = book.InForce.Digest, book.InForce.Since
	if id := book.InForce.Proposal; id != "" {
		page.From = s.Keep(r, policyPath(id))
	}
	if book.Proposed != nil {
		waits := s.viewPolicyRow(r, book.Proposed)
		page.Waits = &waits
	}
	for _, p := range decided {
		page.Rows = append(page.Rows, s.viewPolicyRow(r, p))
	}
	if after != "" {
		page.First = s.path(r, policiesPath)
	}
	if next != "" {
		page.Next = s.path(r, policiesPath, "after", next)
	}
	return s.Render(w, r, http.StatusOK, page)
}

// administers says whether somebody is an administrator.
func administers(o *officer) bool {
	return slices.ContainsFunc(o.offices, func(a *proofing.Appointment) bool { return a.Role == proofing.RoleAdministrator })
}

// viewWaitingPolicy is the policy that waits for administrators, for one of them.
func (s *Site) viewWaitingPolicy(r *http.Request, o *officer) (*templates.AdminPolicyRow, error) {
	if !administers(o) {
		return nil, nil
	}
	p, err := s.service.ProposedPolicy(r.Context(), s.signedInAs(r))
	if err != nil || p == nil {
		return nil, ignore(err, proofing.ErrNotFound)
	}
	row := s.viewPolicyRow(r, p)
	return &row, nil
}

func (s *Site) viewPolicyRow(r *http.Request, p *proofing.PolicyProposal) templates.AdminPolicyRow {
	return templates.AdminPolicyRow{
		Href: s.Keep(r, policyPath(p.ID)), At: p.Proposed.At, By: policyBy(p), Status: policyStatus(p), Changes: len(p.Changes), Approved: p.Approved(), Needed: proofing.PolicyApprovals,
	}
}

// policyBy is who has proposed a policy, as templates.AdminPolicyRow has it.
func policyBy(p *proofing.PolicyProposal) string {
	if p.Proposed.By.Kind == proofing.ByOperator.Kind {
		return "operator"
	}
	return "file"
}

func policyStatus(p *proofing.PolicyProposal) string {
	if p.Outcome == "" {
		return "waiting"
	}
	return string(p.Outcome)
}

func (s *Site) showPolicy(w http.ResponseWriter, r *http.Request, o *officer) error {
	return s.renderPolicy(w, r, o, r.PathValue("proposal"), typed{})
}

// policyMatter is what changes with a proposal.
func policyMatter(p *proofing.PolicyProposal) templates.PolicyMatter {
	m := templates.PolicyMatter{Digest: p.Digest, Against: p.Against}
	for _, c := range p.Changes {
		m.Changes = append(m.Changes, templates.PolicyLine(c))
	}
	return m
}

// policyAgree is what follows from agreeing to a proposal, as templates.AdminPolicyDecides has it.
func policyAgree(p *proofing.PolicyProposal) string {
	if p.Approved()+1 < proofing.PolicyApprovals {
		return "first"
	}
	return "last"
}

func (s *Site) renderPolicy(w http.ResponseWriter, r *http.Request, o *officer, id string, t typed) error {
	status, a := s.statusOf(w, mistake{err: t.err})
	book, p, waits, err := s.service.PolicyInConsole(r.Context(), s.signedInAs(r), id)
	if err != nil {
		return err
	}
	path := policyPath(p.ID)
	page := templates.AdminPolicy{
		AdminFrame: s.adminFrame(r, o, "policy", path), PolicyMatter: policyMatter(p), Back: s.path(r, policiesPath), By: policyBy(p), At: p.Proposed.At, Ended: p.Ended,
		Status: policyStatus(p), Approved: p.Approved(), Needed: proofing.PolicyApprovals, Log: s.logOf(r, book.ID), Typed: t.text,
	}
	for _, d := range p.Decisions {
		page.Decisions = append(page.Decisions, templates.AdminPolicyDecision{Name: d.Name, Reason: d.Reason, Refused: d.Refused, At: d.At, Void: d.Void})
	}
	switch {
	case waits:
		page.Decide = &templates.AdminPolicyDecides{Action: s.Keep(r, path+"/decide"), Number: book.Journal.Written, Agree: policyAgree(p)}
		page.Stale, page.Confirm = !o.Fresh, s.confirmLink(r, path)
	case page.Status == "waiting":
		page.WhyNot = &templates.Problem{Family: "input", Code: "policy_again"}
	}
	if a.field == "reason" && page.Decide != nil && !page.Stale {
		page.Bad = a.problem
	} else {
		page.Notice = a.problem
	}
	return s.Render(w, r, status, page)
}

// askPolicyDecision makes the text that says what somebody would decide, and leads to where they sign it.
func (s *Site) askPolicyDecision(w http.ResponseWriter, r *http.Request, o *officer) error {
	id, form := r.PathValue("proposal"), r.PostForm
	_, p, _, err := s.service.PolicyInConsole(r.Context(), s.signedInAs(r), id)
	if err != nil {
		return err
	}
	number, err := strconv.ParseInt(form.Get("number"), 10, 64)
	decision := form.Get("decision")
	if err != nil || decision != proofing.DecideApprove && decision != proofing.DecideRefuse {
		return &proofing.InputError{Field: "decision", Code: "form_malformed"}
	}
	ask := proofing.PolicyRequest{Proposal: p.ID, Refuse: decision == proofing.DecideRefuse, Number: number}
	if ask.Refuse {
		ask.Reason = form.Get("reason")
	}
	lang, _ := language(r)
	text, err := templates.PolicyVerdict{PolicyMatter: policyMatter(p), Refuse: ask.Refuse, Reason: ask.Reason, Agree: policyAgree(p)}.Text(lang)
	if err != nil {
		return err
	}
	ask.Shown = proofing.DocumentShown{Language: lang, Text: text}
	if _, err := s.service.AskPolicyDecision(r.Context(), s.signedInAs(r), ask); err != nil {
		if err = notFresh(err); s.answerTo(err).problem == nil {
			return err
		}
		return s.renderPolicy(w, r, o, p.ID, typed{err: err, text: ask.Reason})
	}
	s.see(w, r, signPath)
	return nil
}

// decidePolicy takes the signature under a decision about a policy. The same one may come twice.
func (s *Site) decidePolicy(w http.ResponseWriter, r *http.Request, o *officer) error {
	id := r.PostForm.Get("policy")
	_, err := s.service.DecidePolicy(r.Context(), s.signedInAs(r), []byte(r.PostForm.Get("response")))
	if err == nil {
		s.see(w, r, policyPath(id))
		return nil
	}
	over, done, err := s.signingWrong(w, r, o, err)
	if done {
		return err
	}
	_, p, _, again := s.service.PolicyInConsole(r.Context(), s.signedInAs(r), id)
	if again != nil {
		return again
	}
	if over && slices.ContainsFunc(p.Decisions, func(d proofing.PolicyDecision) bool { return d.Person == o.Person.ID }) {
		s.see(w, r, policyPath(id)) // it was sent twice, and the first one has decided
		return nil
	}
	return s.renderPolicy(w, r, o, id, typed{err: err})
}

// proposalAsked is the id of the proposal that a document is about; empty if there is none any more.
func (s *Site) proposalAsked(r *http.Request, d proofing.Document) (string, error) {
	book, _, _, err := s.service.Policies(r.Context(), s.signedInAs(r), "", 1)
	if err != nil {
		return "", err
	}
	if p := book.Proposed; p != nil && p.Digest == d.Proposed {
		return p.ID, nil
	}
	for _, p := range slices.Backward(book.Settled) {
		if p.Digest == d.Proposed {
			return p.ID, nil
		}
	}
	return "", nil
}
