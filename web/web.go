// Package web is the side that people see: it translates requests of browsers
// into verbs of proofing.Service, and cases into pages of package templates. It
// holds no rule and no word. Who may do what is decided by the service alone.
//
// GET and HEAD change nothing: mail scanners and prefetchers open every link. What a person
// does is a POST from a page of ours, by a browser that brings the cookie
// it got with the page, and is answered with a redirect to where it can be seen.
package web

import (
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// Errors of the edge itself.
var (
	errCrossSite = errors.New("sent by another site")
	errNoCookie  = errors.New("no browser cookie")
	errNoSeal    = errors.New("no form of this session")
	errMethod    = errors.New("method not allowed")
	errNotFresh  = errors.New("no fresh authentication at the desk")
	errNoPasskey = errors.New("at the desk without a passkey")
	errWeak      = errors.New("in the console without a passkey")
	errStale     = errors.New("no fresh authentication in the console")
	errSure      = &proofing.InputError{Field: "sure", Code: "sure"}
)

// answers is the one map from errors to what a browser gets. Fault is the page when there is
// no page of a case to show the problem on; Problem is the problem's code there.
var answers = []struct {
	err     error
	status  int
	fault   string
	problem string
}{
	{proofing.ErrNotFound, http.StatusNotFound, "not_found", ""},
	{proofing.ErrClock, http.StatusServiceUnavailable, "clock", ""}, // before ErrUnavailable, which it is
	{proofing.ErrUnavailable, http.StatusServiceUnavailable, "unavailable", ""},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "unavailable", ""},
	{context.Canceled, http.StatusServiceUnavailable, "unavailable", ""},
	{proofing.ErrWrongAnswer, http.StatusUnprocessableEntity, "conflict", "wrong_answer"},
	{proofing.ErrNoTries, http.StatusUnprocessableEntity, "conflict", "no_tries"},
	{proofing.ErrAttemptOver, http.StatusConflict, "conflict", "attempt_over"},
	{proofing.ErrBlocked, http.StatusForbidden, "conflict", "blocked"},
	{proofing.ErrClaimed, http.StatusForbidden, "conflict", "other_browser"},
	{proofing.ErrOtherBrowser, http.StatusForbidden, "conflict", "other_browser"},
	{proofing.ErrNotStarted, http.StatusConflict, "conflict", "not_started"},
	{proofing.ErrClosed, http.StatusConflict, "conflict", "closed"},
	{proofing.ErrFrozen, http.StatusConflict, "conflict", "frozen"},
	{proofing.ErrNotAdmitted, http.StatusForbidden, "conflict", "not_admitted"},
	{proofing.ErrOtherPerson, http.StatusForbidden, "conflict", "other_person"},
	{proofing.ErrNotRequester, http.StatusForbidden, "conflict", "not_requester"},
	{errNotFresh, http.StatusForbidden, "conflict", "not_fresh"},
	{errNoPasskey, http.StatusForbidden, "conflict", "no_passkey"},
	{errStale, http.StatusForbidden, "conflict", "stale"},
	{errWeak, http.StatusForbidden, "conflict", "weak_sign_in"},
	{errCrossSite, http.StatusForbidden, "cross_site", ""},
	{errNoCookie, http.StatusForbidden, "no_cookie", ""},
	{errNoSeal, http.StatusForbidden, "no_seal", ""},
	{errMethod, http.StatusMethodNotAllowed, "method", ""},
}

// answer is what an error means to a browser.
type answer struct {
	status  int
	fault   string             // the page that says no
	field   string             // the form field at fault; empty: none
	problem *templates.Problem // nil: the fault page alone can say it
	until   time.Time
}

func (s *Site) answerTo(err error) answer {
	var input *proofing.InputError
	var limit *proofing.LimitError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &input):
		return answer{status: http.StatusUnprocessableEntity, fault: "other", field: input.Field, problem: &templates.Problem{Family: "input", Code: input.Code}}
	case errors.As(err, &limit):
		p := &templates.Problem{Family: "limit", Code: limit.Limit, Until: limit.Until, Wait: s.until(limit.Until)}
		return answer{status: http.StatusTooManyRequests, fault: "too_many", problem: p, until: limit.Until}
	case errors.As(err, &large):
		return answer{status: http.StatusRequestEntityTooLarge, fault: "too_large"}
	}
	for _, a := range answers {
		if errors.Is(err, a.err) {
			out := answer{status: a.status, fault: a.fault}
			if a.problem != "" {
				out.problem = &templates.Problem{Family: "error", Code: a.problem}
			}
			return out
		}
	}
	return answer{status: http.StatusInternalServerError, fault: "internal"}
}

// notCodes are the words for problems that are told differently where nobody types a code.
var notCodes = map[string]string{"wrong_answer": "not_proved", "no_tries": "not_proved", "attempt_over": "challenge_over"}

// until is the time until then in whole minutes, and at least one: people are
// told to come back when it works, not a moment before.
func (s *Site) until(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	minutes := math.Ceil(t.Sub(s.service.Now()).Minutes())
	return time.Duration(max(minutes, 1)) * time.Minute
}

// Serve turns a handler that returns an error into one that answers with it: a
// handler returns an error or writes a response, and never both.
func (s *Site) Serve(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.fault(w, r, err)
		}
	}
}

// fault answers with the page of an error, and logs it if it is ours.
func (s *Site) fault(w http.ResponseWriter, r *http.Request, err error) {
	a := s.answerTo(err)
	if a.status >= 500 {
		s.log.ErrorContext(r.Context(), "page failed", "pattern", r.Pattern, "error", err)
	}
	s.retryAfter(w, a)
	page := templates.Fault{Frame: s.Frame(r, "/"), Until: a.until, Wait: s.until(a.until)}
	if a.fault == "not_found" {
		if code, to := s.spentSignIn(r); code != "" {
			a.status, a.fault, page.Go, page.Back = http.StatusGone, code, code, s.Keep(r, to)
		} else if linkLike(r.URL.Path) {
			a.fault = "no_link"
		}
	}
	page.Code = a.fault
	if ref := r.PathValue("ref"); ref != "" && page.Back == "" && a.status != http.StatusNotFound {
		page.Back = s.Keep(r, backTo(r, ref))
	}
	if err := s.Render(w, r, a.status, page); err != nil {
		s.log.ErrorContext(r.Context(), "page cannot be drawn", "pattern", r.Pattern, "error", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
	}
}

// spentSignIn says of a page of a sign-in that this browser has finished, which its history still has, that it is signed in or was, and where to go on; empty for anything
// else, and for any other browser. If it cannot be found out the link leads nowhere.
func (s *Site) spentSignIn(r *http.Request) (code, to string) {
	v := s.visit(r)
	switch {
	case strings.HasPrefix(r.URL.Path, proofing.CasePath):
	case strings.HasPrefix(r.URL.Path, returnPath): // from a provider: the page, and the form on it
		if v.Link = proofing.Secret(r.URL.Query().Get("state")); r.Method == http.MethodPost {
			v.Link = proofing.Secret(r.PostForm.Get("state"))
		}
	default:
		return "", ""
	}
	if over, err := s.service.SignInOver(r.Context(), v); err != nil || !over {
		return "", ""
	}
	if _, err := s.service.Session(r.Context(), s.signedInAs(r)); err != nil {
		return "signed_out", signInPath
	}
	return "signed_in", mePath
}

// linkLike says whether a path looks like a link that we hand out: whoever has a broken one
// is told something else than whoever made a path up.
func linkLike(path string) bool {
	return slices.ContainsFunc([]string{proofing.CasePath, proofing.MessagePath, proofing.DisownPath, proofing.CertificatePath, proofing.JoinPath}, func(p string) bool {
		return strings.HasPrefix(path, p)
	})
}

func (s *Site) retryAfter(w http.ResponseWriter, a answer) {
	switch {
	case !a.until.IsZero():
		w.Header().Set("Retry-After", strconv.Itoa(int(s.until(a.until).Seconds())))
	case a.status == http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "30")
	}
}
