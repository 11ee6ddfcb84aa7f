package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// The desk of representatives, who record whose identity they have checked. Who is none gets the answer of a
// path that does not exist.
const deskPath = "/desk"

func (s *Site) recordRoutes() {
	s.mux.Handle("GET /desk", s.look(s.showDesk))
	s.mux.Handle("POST /desk/open", s.act(s.openAtDesk))
	s.mux.Handle("GET /desk/open", s.Serve(func(w http.ResponseWriter, r *http.Request) error {
		s.see(w, r, deskPath)
		return nil
	}))
	s.mux.Handle("GET /desk/{case}", s.look(s.showRecord))
	s.mux.Handle("POST /desk/{case}/save", s.act(s.saveRecord))
	s.mux.Handle("POST /desk/{case}/submit", s.act(s.submitRecord))
	s.mux.Handle("POST /desk/{case}/review", s.act(s.reviewRecord))
	for _, path := range []string{"save", "submit", "review"} { // where a page with a mistake stands
		s.mux.Handle("GET /desk/{case}/"+path, s.Serve(func(w http.ResponseWriter, r *http.Request) error {
			s.see(w, r, recordPath(r.PathValue("case")))
			return nil
		}))
	}
}

func recordPath(id string) string { return deskPath + "/" + url.PathEscape(id) }

// askInPerson shows an applicant the code for the representative.
func (s *Site) askInPerson(w http.ResponseWriter, r *http.Request) error {
	c, err := s.service.AskForRepresentative(r.Context(), s.visit(r))
	return s.afterwards(w, r, c, mistake{err: err})
}

// viewInPerson is the way to a representative, on the page of a case.
func (s *Site) viewInPerson(r *http.Request, c *proofing.Case) *templates.InPerson {
	v := &templates.InPerson{
		Ask: s.Keep(r, casePath(r.PathValue("ref"))+"/representative"), Code: inGroups(c.DeskCode), Nobody: c.Person == "", Waits: c.Waiting() != nil,
	}
	for _, past := range c.Proofings {
		if past.Status == proofing.RecordRefused || past.Status == proofing.RecordAccepted {
			v.Refused = past.Status == proofing.RecordRefused
		}
	}
	return v
}

// inGroups is a code as people read it out.
func inGroups(code string) string {
	if len(code) < 8 {
		return strings.ToUpper(code)
	}
	return strings.ToUpper(code[:4] + "-" + code[4:])
}

// atDesk is the session of the representative who asks. Done says that the answer is given: nobody is signed
// in, or not by a passkey.
func (s *Site) atDesk(w http.ResponseWriter, r *http.Request) (session *proofing.Session, done bool, err error) {
	v := s.signedInAs(r)
	if _, err := s.service.Session(r.Context(), v); errors.Is(err, proofing.ErrNotFound) {
		s.see(w, r, signInPath)
		return nil, true, nil
	}
	session, err = s.service.Desk(r.Context(), v)
	if errors.Is(err, proofing.ErrNotAdmitted) {
		return nil, true, s.changed(w, r, errNoPasskey)
	}
	if _, over := errors.AsType[*proofing.InputError](err); over {
		return nil, true, s.changed(w, r, err)
	}
	return session, err != nil, err
}

func (s *Site) showDesk(w http.ResponseWriter, r *http.Request) error {
	session, done, err := s.atDesk(w, r)
	if done {
		return err
	}
	return s.renderDesk(w, r, session, "", nil)
}

func (s *Site) openAtDesk(w http.ResponseWriter, r *http.Request) error {
	session, done, err := s.atDesk(w, r)
	if done {
		return err
	}
	code := r.PostForm.Get("code")
	c, err := s.service.FindAtDesk(r.Context(), s.signedInAs(r), code)
	if err != nil {
		if s.answerTo(err).problem == nil {
			return err
		}
		return s.renderDesk(w, r, session, code, err)
	}
	s.see(w, r, recordPath(c.ID))
	return nil
}

func (s *Site) renderDesk(w http.ResponseWriter, r *http.Request, session *proofing.Session, code string, wrong error) error {
	status, a := s.statusOf(w, mistake{err: wrong})
	all, err := s.service.AtDesk(r.Context(), s.signedInAs(r))
	if err != nil {
		return err
	}
	page := templates.Records{
		Frame: s.Frame(r, deskPath), Name: session.Person.Representative.Name, Find: s.Keep(r, deskPath+"/open"), Code: code, Bad: a.problem, Me: s.Keep(r, mePath),
		Recover: s.Keep(r, recoverPath), Ends: session.Person.Representative.TrainingEnds(s.service.Now()),
	}
	if page.Recoveries, err = s.recoveryRows(r); err != nil {
		return err
	}
	for _, c := range all {
		row := templates.RecordRow{Href: s.Keep(r, recordPath(c.ID)), CA: c.CATitle, Identifier: c.Identifier.Value, State: "draft"}
		record := c.Waiting()
		switch {
		case record == nil:
			record = c.Drafted(session.Person.ID)
		case record.Collector == session.Person.ID || c.Person == session.Person.ID:
			row.State = "mine"
		default:
			row.State = "review"
		}
		row.Collector, row.Since = record.CollectorName, record.Changed
		page.Rows = append(page.Rows, row)
	}
	return s.Render(w, r, status, page)
}

func (s *Site) showRecord(w http.ResponseWriter, r *http.Request) error {
	session, done, err := s.atDesk(w, r)
	if done {
		return err
	}
	return s.renderRecord(w, r, session, nil, nil)
}

func (s *Site) saveRecord(w http.ResponseWriter, r *http.Request) error {
	draft := readDraft(r.PostForm)
	_, err := s.service.SaveProofing(r.Context(), s.signedInAs(r), r.PathValue("case"), draft)
	return s.recorded(w, r, err, &draft)
}

func (s *Site) submitRecord(w http.ResponseWriter, r *http.Request) error {
	version, err := strconv.Atoi(r.PostForm.Get("version"))
	if err != nil {
		return &proofing.InputError{Field: "version", Code: "form_malformed"}
	}
	_, err = s.service.SubmitProofing(r.Context(), s.signedInAs(r), r.PathValue("case"), r.PostForm.Get("record"), version)
	return s.recorded(w, r, err, nil)
}

func (s *Site) reviewRecord(w http.ResponseWriter, r *http.Request) error {
	decision := r.PostForm.Get("decision")
	if decision != "accept" && decision != "refuse" {
		return &proofing.InputError{Field: "decision", Code: "form_malformed"}
	}
	_, err := s.service.ReviewProofing(r.Context(), s.signedInAs(r), r.PathValue("case"), proofing.Review{
		Record: r.PostForm.Get("record"), Accept: decision == "accept", Reason: r.PostForm.Get("reason"),
	})
	return s.recorded(w, r, err, nil)
}

// recorded answers a form on the page of a record: with a redirect to it, or with the page, the mistake, and what was typed.
func (s *Site) recorded(w http.ResponseWriter, r *http.Request, err error, typed *proofing.ProofingDraft) error {
	if err == nil {
		s.see(w, r, recordPath(r.PathValue("case")))
		return nil
	}
	return s.mistakenAtDesk(w, r, err, func(session *proofing.Session, wrong error) error {
		return s.renderRecord(w, r, session, wrong, typed)
	})
}

// mistakenAtDesk draws a page of the desk anew, with what was wrong with the form that was sent from there.
func (s *Site) mistakenAtDesk(w http.ResponseWriter, r *http.Request, wrong error, render func(*proofing.Session, error) error) error {
	session, done, err := s.atDesk(w, r)
	if done {
		return err
	}
	if errors.Is(wrong, proofing.ErrNotAdmitted) {
		wrong = errNotFresh
	}
	if s.answerTo(wrong).problem == nil {
		return wrong
	}
	return render(session, wrong)
}

func (s *Site) renderRecord(w http.ResponseWriter, r *http.Request, session *proofing.Session, wrong error, typed *proofing.ProofingDraft) error {
	status, a := s.statusOf(w, mistake{err: wrong})
	c, err := s.service.CaseAtDesk(r.Context(), s.signedInAs(r), r.PathValue("case"))
	if err != nil {
		return err
	}
	me, path := session.Person.ID, recordPath(c.ID)
	page := templates.Record{
		Frame: s.Frame(r, path), Request: s.viewRequest(r, c), Notice: a.problem, Fresh: session.Fresh, Confirm: s.meLink(r, "fido"), Desk: s.Keep(r, deskPath),
		Code: inGroups(c.DeskCode), Closed: c.Status != proofing.CaseOpen || c.Frozen != nil, Clauses: recordClauses[s.profile(c).Framework == proofing.R4],
		Reason: r.PostForm.Get("reason"), Save: s.Keep(r, path+"/save"), Submit: s.Keep(r, path+"/submit"), Review: s.Keep(r, path+"/review"),
	}
	page.Request.Disown = "" // that is the applicant's to say
	for _, e := range c.Addresses() {
		page.Addresses = append(page.Addresses, templates.Choice{Name: e.ID, Title: addressShown(c, e.ID)})
	}
	for _, past := range c.Proofings {
		if past.Status != proofing.RecordDraft && past.Status != proofing.RecordSubmitted {
			page.Past = append(page.Past, viewRecorded(c, past))
		}
	}
	saved := c.Drafted(me)
	switch waits := c.Waiting(); {
	case page.Closed:
	case waits != nil:
		v := viewRecorded(c, *waits)
		page.Waiting, page.Mine, page.ID = &v, waits.Collector == me || c.Person == me, waits.ID
		err = s.viewWorth(&page, c, waits)
	default:
		draft := proofing.ProofingDraft{Type: proofing.OnsiteAttended}
		if saved != nil {
			draft = saved.Draft
		}
		if typed != nil {
			draft = *typed
		} else if saved != nil {
			page.Saved, page.ID, page.Version = true, saved.ID, saved.Version
			err = s.viewWorth(&page, c, saved)
		}
		form := viewForm(draft)
		page.Form = &form
	}
	if err != nil {
		return err
	}
	return s.Render(w, r, status, page)
}

// viewWorth asks the rules what a record would earn.
func (s *Site) viewWorth(page *templates.Record, c *proofing.Case, record *proofing.RecordedProofing) error {
	worth, err := s.service.PreviewProofing(c, record)
	if err != nil {
		return err
	}
	v := &templates.Worth{}
	if worth.Assessed.IAL != nil {
		v.IAL = strconv.Itoa(*worth.Assessed.IAL)
	}
	v.Reasons = proofingReasons(worth.Assessed.Reasons)
	for _, m := range worth.Unmet {
		v.Unmet = append(v.Unmet, templates.Step{Code: m.Code, Detail: m.Detail})
	}
	page.Worth = v
	return nil
}

// proofingReasons are those that speak of proofing: the others say that it authenticates nobody.
func proofingReasons(all []proofing.Reason) (reasons []templates.Clause) {
	for _, reason := range all {
		if strings.Contains(reason.Clause, "63A") {
			reasons = append(reasons, templates.Clause{Clause: reason.Clause, Text: reason.Text})
		}
	}
	return reasons
}

// recordClauses are where each revision speaks of the parts of a record; revision 4 is true.
var recordClauses = map[bool]templates.RecordClauses{
	false: {
		Type: "SP 800-63A 4.4.1.5, 5.3.3", Pieces: "SP 800-63A 5.2", Verification: "SP 800-63A 5.3.1", Core: "SP 800-63A 4.4.1.3",
		Address: "SP 800-63A 4.4.1.6", Notice: "SP 800-63A 4.4.1.6", Review: "SP 800-63A 4.2",
	},
	true: {
		Type: "SP 800-63A-4 2.1.3", Pieces: "SP 800-63A-4 2.4.1", Verification: "SP 800-63A-4 4.2.6", Core: "SP 800-63A-4 4.1.5",
		Address: "SP 800-63A-4 3.8", Notice: "SP 800-63A-4 3.10", Review: "SP 800-63A-4 3.2.1",
	},
}

// addressShown is the masked address that an event of the case confirmed.
func addressShown(c *proofing.Case, event string) string {
	i := slices.IndexFunc(c.Evidence, func(e proofing.Evidence) bool { return e.ID == event })
	if i < 0 {
		return ""
	}
	if shown := shown(c, c.Evidence[i]); shown != "" {
		return shown
	}
	return "•••" // it was confirmed in another request of the same account
}

func viewRecorded(c *proofing.Case, r proofing.RecordedProofing) templates.Recorded {
	return templates.Recorded{
		RecordForm: viewForm(r.Draft), Status: string(r.Status), Collector: r.CollectorName, Reviewer: r.ReviewerName, Reason: r.Reason, At: r.Changed,
		AddressShown: addressShown(c, r.Draft.Address), NoticeShown: addressShown(c, r.Draft.Notice),
	}
}

// formPieces is how many pieces of evidence the form has room for.
const formPieces = 3

func viewForm(d proofing.ProofingDraft) templates.RecordForm {
	f := templates.RecordForm{
		Type: string(d.Type), Strength: string(d.Verification.Strength), Pathway: string(d.Verification.Pathway), Biometric: d.Verification.BiometricCollected,
		Core: d.CoreAttributesValidated, Address: d.Address, Notice: d.Notice, Sent: dayOf(d.LetterSent), Back: dayOf(d.LetterBack),
	}
	for n := range formPieces {
		piece := templates.RecordPiece{N: n + 1}
		if n < len(d.Pieces) {
			p := d.Pieces[n]
			piece.Strength, piece.Validated = string(p.Strength), string(p.ValidatedStrength)
			piece.Source, piece.Proofed, piece.Government, piece.Portrait = p.IssuingSourceValidated, p.IssuerProofed, p.GovernmentIdentifier, p.PortraitOrDigital
		}
		f.Pieces = append(f.Pieces, piece)
	}
	return f
}

// readDraft is what the form says. What it says wrongly, the service refuses.
func readDraft(form url.Values) proofing.ProofingDraft {
	yes := func(name string) bool { return form.Get(name) == "yes" }
	d := proofing.ProofingDraft{
		Type: proofing.ProofingType(form.Get("type")),
		Verification: proofing.IdentityVerification{
			Strength: proofing.Strength(form.Get("verification")), Pathway: proofing.Pathway(form.Get("pathway")), BiometricCollected: yes("biometric"),
		},
		CoreAttributesValidated: yes("core"), Address: form.Get("address"), Notice: form.Get("notice"),
		LetterSent: readDay(form.Get("sent")), LetterBack: readDay(form.Get("back")),
	}
	for n := 1; n <= formPieces; n++ {
		i := strconv.Itoa(n)
		piece := proofing.IdentityPiece{
			Strength: proofing.Strength(form.Get("strength" + i)), ValidatedStrength: proofing.Strength(form.Get("validated" + i)),
			IssuingSourceValidated: yes("source" + i), IssuerProofed: yes("proofed" + i), GovernmentIdentifier: yes("government" + i), PortraitOrDigital: yes("portrait" + i),
		}
		if piece != (proofing.IdentityPiece{}) {
			d.Pieces = append(d.Pieces, piece)
		}
	}
	return d
}

func dayOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.DateOnly)
}

// readDay is a day as browsers write it. One that cannot be read is none, which a letter with its other day misses.
func readDay(s string) time.Time {
	t, _ := time.Parse(time.DateOnly, s)
	return t
}
