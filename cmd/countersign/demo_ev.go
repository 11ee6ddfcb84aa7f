package main

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// The demo's second walk: an EV code signing certificate, from the request to the file of its evidence. The newcomer is the requester, the approver and
// the reviewer, one after the other, each with a passkey of their own. Whom it takes besides, the demo plays (demo_colleague.go).

const (
	demoEVPath    = "/demo/ev"
	demoEVProfile = "ev"
	demoEVName    = "Example Signing Ltd"
	demoEVNumber  = "HRB 1234"
	demoEVPlace   = "DE"
	demoEVFile    = "evidence.json"
)

// demoEVProfiles is the configuration of the profile: one approver, and one word for all certificates, so that each part is played once.
const demoEVProfiles = `  ev:
    title: EV code signing certificate
    identifiers: [organization]
    methods: [fido]
    require: {aal: 2, phishing_resistant: true}
    ev: true
    approvals: 1
    approve: pre-authorized
    csr: {purpose: code-signing}
`

// The parts that the newcomer plays, in their order.
var demoParts = []struct {
	role proofing.Role
	name string
}{
	{proofing.RoleRequester, "Requester"}, {proofing.RoleApprover, "Approver"}, {proofing.RoleReviewer, "Reviewer"},
}

// demoEV is how far the walk has come, as far as no record says it.
type demoEV struct {
	mu         sync.Mutex
	first      *colleague // administrators
	second     *colleague
	specialist *colleague
	signer     *colleague
	parts      map[proofing.Role]*proofing.Appointment // as they were proposed, with their links
	account    string                                  // the thumbprint
	request    string                                  // the id of the authorization
	link       string                                  // the path of its page
	certified  string                                  // the id of the certificate
}

// demoEVStep is where the walk stands: a code of "demo_ev", and the role that it is about.
type demoEVStep struct {
	code string
	role proofing.Role
}

// evSteps are all of them, in their order.
func evSteps() []demoEVStep {
	return []demoEVStep{
		{"stage", ""},
		{"join", proofing.RoleRequester}, {"confirm", proofing.RoleRequester}, {"prove", proofing.RoleRequester},
		{"join", proofing.RoleApprover}, {"confirm", proofing.RoleApprover}, {"approve", proofing.RoleApprover},
		{"vet", proofing.RoleSpecialist},
		{"join", proofing.RoleReviewer}, {"confirm", proofing.RoleReviewer}, {"review", proofing.RoleReviewer},
		{"issue", ""}, {"evidence", ""},
	}
}

// Why the walk cannot go on.
var (
	errDemoOver  = errors.New("the request has ended")
	errDemoTwice = errors.New("one person has two parts")
)

// stands says at which step the walk is, by what the records say.
func (d *demo) stands(ctx context.Context) (demoEVStep, error) {
	e := &d.ev
	if e.parts == nil {
		return demoEVStep{"stage", ""}, nil
	}
	if twice, err := d.twice(ctx); err != nil || twice {
		return demoEVStep{}, cmp.Or(err, errDemoTwice)
	}
	// held says what a part still takes: a person, or another one's confirmation; nothing once it is theirs.
	held := func(role proofing.Role) (string, error) {
		a, err := d.app.service.Appointments.Get(ctx, e.parts[role].ID)
		if err != nil {
			return "", err
		}
		switch a.Status {
		case proofing.AppointmentProposed:
			return "join", nil
		case proofing.AppointmentAccepted:
			return "confirm", nil
		}
		return "", nil
	}
	takes := func(role proofing.Role, then string) (demoEVStep, error) {
		code, err := held(role)
		if code == "" {
			code = then
		}
		return demoEVStep{code, role}, err
	}
	if e.request == "" {
		return takes(proofing.RoleRequester, "confirm")
	}
	c, err := d.app.service.Cases.Get(ctx, e.request)
	if err != nil {
		return demoEVStep{}, err
	}
	switch {
	case e.certified != "":
		return demoEVStep{"evidence", ""}, nil
	case c.Frozen != nil:
		return demoEVStep{}, errDemoOver
	case c.Status == proofing.CaseOpen:
		return demoEVStep{"prove", proofing.RoleRequester}, nil
	case c.Status == proofing.CaseGranted:
		return demoEVStep{"issue", ""}, nil
	case c.Status != proofing.CaseReview || c.Approval == nil:
		return demoEVStep{}, errDemoOver
	case c.Approval.Stage == proofing.StageSubmitted:
		return takes(proofing.RoleApprover, "approve")
	case c.Approval.Stage == proofing.StageVetting:
		return demoEVStep{"vet", proofing.RoleSpecialist}, nil
	}
	return takes(proofing.RoleReviewer, "review")
}

// twice says whether one person has taken up several parts.
func (d *demo) twice(ctx context.Context) (bool, error) {
	var persons []string
	for _, p := range demoParts {
		a, err := d.app.service.Appointments.Get(ctx, d.ev.parts[p.role].ID)
		if err != nil {
			return false, err
		}
		if a.Person != "" && slices.Contains(persons, a.Person) {
			return true, nil
		}
		persons = append(persons, a.Person)
	}
	return false, nil
}

// evHome walks through it.
func (d *demo) evHome(w http.ResponseWriter, r *http.Request) {
	d.ev.mu.Lock()
	defer d.ev.mu.Unlock()
	screen, err := d.evScreen(r)
	d.show(w, r, screen, err)
}

func (d *demo) evScreen(r *http.Request) (templates.Screen, error) {
	e, keep := &d.ev, func(path string) string { return d.app.site.Keep(r, path) }
	now, err := d.stands(r.Context())
	why := ""
	switch {
	case errors.Is(err, errDemoOver):
		why = "over"
	case errors.Is(err, errDemoTwice):
		why = "twice"
	case err != nil:
		return nil, err
	}
	page := templates.DemoEV{
		Frame: d.app.site.Frame(r, demoEVPath), Back: keep("/"), CA: "Example CA", Organization: demoEVName, Next: keep(demoEVPath + "/next"), SignOut: keep(demoEVPath + "/sign-out"), Why: why,
	}
	if e.parts != nil {
		page.Again = keep(demoEVPath + "/again")
	}
	reached := false
	for _, s := range evSteps() {
		here := s == now && why == ""
		reached = reached || here
		page.Steps = append(page.Steps, templates.DemoStep{Code: s.code, Role: string(s.role), Here: here, Done: !reached && why == ""})
	}
	switch now.code {
	case "join":
		page.Link = keep(strings.TrimPrefix(e.parts[now.role].JoinURL(d.origin).Reveal(), d.origin))
	case "prove":
		page.Link = keep(e.link)
	case "approve", "review":
		page.Link = keep(proofing.AdminPath)
	case "evidence":
		page.Link, page.File = keep(demoEVPath+"/"+demoEVFile), demoEVFile
		h, err := d.app.tree.Head(r.Context())
		if err != nil {
			return nil, err
		}
		page.Key = h.Verifier
	}
	return page, nil
}

// evNext does what the demo's part in the walk is next. What it is, the records say: so pressed twice, it is done once.
func (d *demo) evNext(w http.ResponseWriter, r *http.Request) {
	d.ev.mu.Lock()
	defer d.ev.mu.Unlock()
	now, err := d.stands(r.Context())
	switch {
	case errors.Is(err, errDemoOver), errors.Is(err, errDemoTwice):
		err = nil // the page says so
	case err != nil:
	case now.code == "stage":
		err = d.stage(r.Context())
	case now.code == "confirm":
		err = d.confirmPart(r.Context(), now.role)
	case now.code == "vet":
		err = d.vet(r.Context())
	case now.code == "issue":
		err = d.issue(r.Context())
	}
	if err != nil {
		d.app.log.Error("demo of EV", slog.Any("error", err))
		http.Error(w, "the demo could not do its part: go back and try again", http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, d.app.site.Keep(r, demoEVPath)+"#here", http.StatusSeeOther)
}

// evAgain begins the walk anew, with other people. What has happened stays, as it does in every log; the CA takes back its request, so that nobody meets two of them.
func (d *demo) evAgain(w http.ResponseWriter, r *http.Request) {
	d.ev.mu.Lock()
	defer d.ev.mu.Unlock()
	if d.ev.request != "" {
		if _, _, err := d.ask(r.Context(), "POST", "/v1/preauthorizations/"+d.ev.request, `{"status": "deactivated"}`); err != nil { // it only stays in the queue
			d.app.log.Warn("demo of EV", slog.Any("error", err))
		}
	}
	d.ev.parts, d.ev.request, d.ev.certified = nil, "", ""
	http.Redirect(w, r, d.app.site.Keep(r, demoEVPath), http.StatusSeeOther)
}

// confirmPart has the second administrator confirm who has come. Once there is a requester, the CA opens the request.
func (d *demo) confirmPart(ctx context.Context, role proofing.Role) error {
	e, s := &d.ev, d.app.service
	a, err := s.Appointments.Get(ctx, e.parts[role].ID)
	if err != nil {
		return err
	}
	if a.Status == proofing.AppointmentAccepted {
		v, err := e.second.visit(ctx)
		if err != nil {
			return err
		}
		if _, err := s.ConfirmAppointment(ctx, v, a.ID, a.Journal.Written); err != nil {
			return err
		}
	}
	if role != proofing.RoleRequester {
		return nil
	}
	e.account = demoThumbprint()
	status, body, err := d.ask(ctx, "POST", "/v1/preauthorizations", fmt.Sprintf(`{"account": %s, "identifier": %s, "profile": "%s"}`, e.accountJSON(), demoOrganization, demoEVProfile))
	var opened struct {
		ID      string
		CaseURL string `json:"case_url"`
	}
	if err == nil && status != http.StatusCreated {
		err = fmt.Errorf("the call was answered with %d: %s", status, body)
	}
	if err = errors.Join(err, json.Unmarshal(body, &opened)); err != nil {
		return err
	}
	e.request, e.link = opened.ID, strings.TrimPrefix(opened.CaseURL, d.origin)
	return nil
}

const demoOrganization = `{"type": "organization", "value": "` + demoEVName + `"}`

func (e *demoEV) accountJSON() string {
	return fmt.Sprintf(`{"url": "https://ca.example/acct/%s", "thumbprint": "%s"}`, e.account[:6], e.account)
}

// verdict is what whoever decides about the demo's request is shown.
func (d *demo) verdict(c *proofing.Case, step proofing.Step, lang string) (string, error) {
	return templates.Verdict{
		Matter: templates.Matter{
			Name: demoEVName, Number: demoEVNumber, Jurisdiction: demoEVPlace, CA: c.CATitle, Profile: d.app.service.Policy.Profiles[demoEVProfile].Title,
			IdentifierType: c.Identifier.Type, Identifier: c.Identifier.Value, KeyKind: string(c.Applicant.Kind), Key: c.Applicant.Key(),
		},
		Step: string(step), Follows: templates.Follows{Code: "cross_correlation"},
	}.Text(lang)
}

// vet has the specialist sign that everything is collected.
func (d *demo) vet(ctx context.Context) error {
	s := d.app.service
	v, err := d.ev.specialist.visit(ctx)
	if err != nil {
		return err
	}
	c, err := s.Cases.Get(ctx, d.ev.request)
	if err != nil {
		return err
	}
	text, err := d.verdict(c, proofing.StepVet, v.Lang)
	if err != nil {
		return err
	}
	dossier, err := s.OrganizationOf(ctx, c.CA, c.Identifier.Value)
	if err != nil {
		return err
	}
	asked, err := s.AskDecision(ctx, v, proofing.DecisionRequest{
		Case: c.ID, Appointment: d.ev.specialist.office, Step: proofing.StepVet, Number: c.Journal.Written, Dossier: dossier.Digest(), Shown: proofing.DocumentShown{Language: v.Lang, Text: text},
	})
	if err != nil {
		return err
	}
	signed, err := d.ev.specialist.passkey.Get(asked.Ask, d.origin)
	if err != nil {
		return err
	}
	_, err = s.Decide(ctx, v, signed)
	return err
}

// issue is the CA's part: it asks whether the account may have the certificate, makes it, and tells of it.
func (d *demo) issue(ctx context.Context) error {
	e := &d.ev
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	subject := pkix.Name{Organization: []string{demoEVName}, CommonName: demoEVName}
	purposes, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 3}}) // codeSigning
	if err != nil {
		return err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject, ExtraExtensions: []pkix.Extension{
		{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Critical: true, Value: []byte{3, 2, 7, 0x80}}, // KeyUsage digitalSignature
		{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Value: purposes},
	}}, key)
	if err != nil {
		return err
	}
	request := base64.RawURLEncoding.EncodeToString(csr)
	status, body, err := d.ask(ctx, "POST", "/v1/authorize", fmt.Sprintf(`{"account": %s, "identifiers": [%s], "profile": "%s", "csr": "%s"}`, e.accountJSON(), demoOrganization, demoEVProfile, request))
	var said struct{ Allow bool }
	if err = errors.Join(err, json.Unmarshal(body, &said)); err != nil || !said.Allow {
		return fmt.Errorf("the CA was told %d: %s %w", status, body, err)
	}
	now := d.app.now()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: subject, NotBefore: now.Add(-time.Minute), NotAfter: now.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}, &x509.Certificate{Subject: pkix.Name{CommonName: "Example CA"}}, key.Public(), key)
	if err != nil {
		return err
	}
	status, body, err = d.ask(ctx, "POST", "/v1/certificates", fmt.Sprintf(`{"certificate": "%s", "csr": "%s", "authorizations": ["%s"], "order": "https://ca.example/order/1"}`,
		base64.RawURLEncoding.EncodeToString(der), request, e.request))
	var made struct{ ID string }
	if err = errors.Join(err, json.Unmarshal(body, &made)); err != nil || status != http.StatusCreated {
		return fmt.Errorf("the certificate was answered with %d: %s %w", status, body, err)
	}
	e.certified = made.ID
	return nil
}

// evEvidence sends what `countersign evidence` writes.
func (d *demo) evEvidence(w http.ResponseWriter, r *http.Request) {
	d.ev.mu.Lock()
	id := d.ev.certified
	d.ev.mu.Unlock()
	if id == "" {
		http.NotFound(w, r)
		return
	}
	text, err := d.evidence(r.Context(), id)
	for deadline := time.Now().Add(10 * time.Second); errors.Is(err, proofing.ErrUnlogged) && time.Now().Before(deadline); text, err = d.evidence(r.Context(), id) {
		time.Sleep(200 * time.Millisecond)
	}
	if err != nil {
		d.app.log.Error("demo of EV", slog.Any("error", err))
		http.Error(w, "the evidence cannot be written now: go back and try again", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="`+demoEVFile+`"`)
	_, _ = w.Write(text) // the browser has gone: nobody is left to tell
}

func (d *demo) evidence(ctx context.Context, id string) ([]byte, error) {
	s := d.app.service
	c, err := s.Certificates.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	chain, err := s.ChainOfCertificate(ctx, c)
	if err != nil {
		return nil, err
	}
	e, err := d.app.tree.Evidence(ctx, chain, proofing.SubjectCertificate, id)
	if err != nil {
		return nil, err
	}
	return e.Text()
}
