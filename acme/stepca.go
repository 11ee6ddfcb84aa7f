package acme

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// The dialect of step-ca (v0.30): a provisioner of it calls webhooks before it fills in a certificate's template and before it signs,
// and believes a 200 with "allow". Its calls name no account and no order; what they are about is found by the
// certificate's key, or, where the operator has said so for a hook, by its names.

const (
	// maxStepBody is for a call that has a CSR of 64 KiB in it, with everything that step-ca read from that beside it.
	maxStepBody = 256 << 10
	// stepWindow is how far the time within a call may be from ours. step-ca sends a call once more, one second later,
	// as it was; whoever replays one learns what step-ca has learned.
	stepWindow = proofing.ClockSkew + time.Minute
	// bySignature is a kind of credential, as the log has them.
	bySignature = "signature"
)

// stepAnswer is what step-ca takes: a denial without an error it would pass on as a fault of the server.
type stepAnswer struct {
	Allow bool        `json:"allow"`
	Data  *stepData   `json:"data,omitempty"`
	Error *stepDenial `json:"error,omitempty"`
}

// stepDenial reaches the ACME client as the detail of a problem "unauthorized", with a subproblem urn:smallstep:acme:error:<code>.
// step-ca writes it into its log.
type stepDenial struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Error implements error.
func (d *stepDenial) Error() string { return d.Code + ": " + d.Message }

func deny(code, format string, args ...any) *stepDenial {
	return &stepDenial{code, fmt.Sprintf(format, args...)}
}

// stepData is what a certificate's template may use: .Webhooks.<name of the hook>.
type stepData struct {
	Basis          proofing.Correlation `json:"basis"`
	Organization   *organization        `json:"organization"` // null: none was proved
	CommonName     string               `json:"common_name"`
	SANs           []stepSAN            `json:"sans"` // those that are authorized
	Authorizations []string             `json:"authorizations"`
	Levels         *stepLevels          `json:"levels"` // null: no grant speaks for all
	RecheckAfter   time.Time            `json:"recheck_after"`
	DomainControl  string               `json:"domain_control,omitempty"`
	Warnings       []subproblem         `json:"warnings,omitempty"` // what the profile leaves to the CA to weigh
}

type organization struct {
	Name string `json:"name"`
	// Number and Jurisdiction are those of its registration, where its dossier has them (CSBR 7.1.4.2.4 to 7.1.4.2.6).
	Number       string `json:"registration_number,omitempty"`
	Jurisdiction string `json:"jurisdiction,omitempty"`
}

// stepLevels is as much of an assessment as a certificate can show. A template needs nobody's address.
type stepLevels struct {
	Framework proofing.Framework `json:"framework"`
	IAL       *int               `json:"ial"`
	AAL       *int               `json:"aal"`
	FAL       *int               `json:"fal"`
}

// stepSAN is a name as step-ca's templates have them.
type stepSAN struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// stepHook answers a call of step-ca. Whatever it is refused for, the answer is a 200 that says so: anything else step-ca passes on
// as a fault of its own, which clients try again and again. A 5xx means that we cannot answer now.
func (a *api) stepHook() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		c := &call{Request: r, w: w}
		out, err := a.answerStep(c)
		ans, failed := a.stepAnswer(out, err)
		a.send(c, began, ans, failed)
	})
}

// stepAnswer is the answer to a call that ended so, with the cause if that is a fault of ours.
func (a *api) stepAnswer(out stepAnswer, err error) (answer, error) {
	denial, denied := errors.AsType[*stepDenial](err)
	if err != nil && !denied {
		p := problemOf(err, a.Service.Now())
		if p.crowded { // which is no word about the certificate
			p.Status = http.StatusServiceUnavailable
		}
		if p.Status >= 500 {
			return p.answer(), err
		}
		denial = deny(p.Type[strings.LastIndex(p.Type, ":")+1:], "%s", p.Detail)
	}
	if denial != nil {
		out = stepAnswer{Error: denial}
	}
	ans, err := jsonAnswer(http.StatusOK, out)
	if err != nil {
		return newProblem(typeServerInternal, "the fault is ours").answer(), err
	}
	if denial != nil {
		ans.problem = denial.Code
	}
	return ans, nil
}

func (a *api) answerStep(c *call) (stepAnswer, error) {
	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.Body, maxStepBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return stepAnswer{}, deny("malformed", "a call has at most %d bytes", maxStepBody)
	}
	if err != nil {
		return stepAnswer{}, deny("malformed", "the call could not be read")
	}
	hook, err := a.authenticateStep(c, body)
	if err != nil {
		return stepAnswer{}, err
	}
	back, err := a.Shares.take(c.ca.Name, c.Request)
	if err != nil {
		return stepAnswer{}, err
	}
	defer back()
	q, err := readStep(hook.Kind, body, a.Service.Now())
	if err != nil {
		return stepAnswer{}, err
	}
	if hook.Kind == proofing.StepNotifying {
		// What became of a request is nothing that we keep.
		a.Log.LogAttrs(c.Context(), slog.LevelInfo, "told by step-ca", slog.String("ca", c.ca.Name), slog.String("hook", hook.Name), slog.Bool("issued", !q.failed))
		return stepAnswer{Allow: true}, nil
	}
	data, err := a.judgeStep(c.Context(), c.ca, hook, q)
	return stepAnswer{Allow: err == nil, Data: data}, err
}

// authenticateStep finds the hook that is called, and makes sure that its authority calls. Whatever is
// wrong, the answer is the same.
func (a *api) authenticateStep(c *call, body []byte) (*proofing.StepHook, error) {
	stranger := deny("notAuthenticated", "this call is from no webhook that is registered at %s: the operator of the CA must connect it", a.Service.Policy.Origin)
	ca, err := a.Service.Authority(c.Context(), c.PathValue("ca"))
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	hook := &proofing.StepHook{}
	if ca != nil && err == nil {
		if found := ca.StepHook(c.PathValue("hook")); found != nil {
			hook = found
		}
	}
	mac := hmac.New(sha256.New, hook.Key())
	mac.Write(body)
	given, err := hex.DecodeString(c.Header.Get("X-Smallstep-Signature"))
	signed := err == nil && hmac.Equal(given, mac.Sum(nil))
	named := subtle.ConstantTimeCompare([]byte(hook.WebhookID), []byte(c.Header.Get("X-Smallstep-Webhook-ID"))) == 1
	if hook.WebhookID == "" || !named {
		return nil, stranger
	}
	c.by = bySignature
	if hook.Secret == "" {
		// A webhook that was written into ca.json has no secret, and anybody can make its signature.
		if signed, err = a.pinnedTo(c, ca); err != nil {
			return nil, err
		}
		c.by = byCertificate
	}
	if !signed {
		return nil, stranger
	}
	c.ca, c.hook = ca, hook.Name
	return hook, nil
}

// pinnedTo says whether the connection's client certificate is pinned to the authority and holds now.
func (a *api) pinnedTo(c *call, ca *proofing.Authority) (bool, error) {
	shown := shownCertificate(c.Request)
	if shown == nil {
		return false, nil
	}
	owner, err := a.Service.AuthorityByCertificate(c.Context(), *shown)
	if isNotFound(err) {
		return false, nil
	}
	return err == nil && owner.ID == ca.ID, err
}

// judgeStep answers whether the certificate may be. Its names are those of identifier types that the profile serves, and authorized. The
// others are left out of what a template gets, and a certificate that has one is refused.
func (a *api) judgeStep(ctx context.Context, ca *proofing.Authority, hook *proofing.StepHook, q stepQuestion) (*stepData, error) {
	p := a.Service.Policy.Profiles[hook.Profile]
	if p == nil || !ca.May(hook.Profile) {
		return nil, deny("profileUnknown", "the profile %s of this webhook is not served any more: the operator of the CA must register it anew", hook.Profile)
	}
	if !hook.Answers() {
		return nil, deny("correlation", "a webhook of the kind %s finds no cases by identifier: the operator of the CA must register it anew, with --correlate key", hook.Kind)
	}
	if faults := p.CSR.JudgeKey(q.key, q.bits); len(faults) > 0 {
		return nil, deny("badCSR", "%s", faults[0].Detail)
	}
	if q.final && p.CodeSigning() {
		if err := q.judgeValidity(p); err != nil {
			return nil, err
		}
	}
	r := proofing.AuthorizeRequest{Applicant: q.applicant, Profile: p.Name, CSRDigest: q.csrDigest, Facts: q.csr, Find: !hook.Links, Final: q.final}
	data := &stepData{Basis: hook.Correlate, SANs: []stepSAN{}, Authorizations: []string{}}
	for _, san := range q.sans {
		typ := stepTypes[san.Type]
		undue := typ == proofing.IdentifierDNS && p.CSR.NoDomains()
		if undue && q.final {
			return nil, deny("rejectedIdentifier", "the certificate has a domain name, and one for code signing under the profile %s has none (CSBR 3.2.2.2.6): its template must leave it out", p.Name)
		}
		if q.final && typ == proofing.IdentifierDNS && strings.HasSuffix(san.Value, ".") {
			return nil, deny("rejectedIdentifier", "%s: a domain name in a certificate does not end with a dot (RFC 5280 4.2.1.6): the template must leave the dot out", cut(san.Value))
		}
		if slices.Contains(p.Identifiers, typ) {
			r.Identifiers = append(r.Identifiers, proofing.Identifier{Type: typ, Value: san.Value})
			if !undue { // it is authorized all the same, as a part of the order
				data.SANs = append(data.SANs, san)
			}
		} else if q.final {
			return nil, deny("nameNotProved", "the certificate has a name of the type %s, and the profile %s proves none: its template must leave it out", cut(san.Type), p.Name)
		}
	}
	if q.final && len(q.unproved) > 0 {
		return nil, deny("nameNotProved", "the certificate's subject has %s, which nobody has proved: its template must leave it out", q.unproved[0])
	}
	organizations, err := a.stepOrganizations(ctx, ca, hook, p, q)
	if err != nil {
		return nil, err
	}
	for _, o := range organizations {
		r.Identifiers = append(r.Identifiers, proofing.Identifier{Type: proofing.IdentifierOrganization, Value: o})
	}
	switch n := len(r.Identifiers); {
	case n == 0 && q.final:
		return nil, deny("nameNotProved", "the certificate names nothing that the profile %s proves: its template must put in what the hook of the kind %s answered", p.Name, proofing.StepEnriching)
	case n == 0:
		return nil, deny("userActionRequired", "nobody has shown who is behind this key, or it is over: have %s open a request (profile %s) for the key of this CSR, finish it at %s, and order again",
			ca.Title, p.Name, a.Service.Policy.Origin)
	case n > maxIdentifiers:
		return nil, deny("malformed", "a certificate has at most %d names", maxIdentifiers)
	}
	if q.final && len(q.registered) > 0 {
		registered, err := a.Service.RegistrationOf(ctx, ca, p, r.Identifiers)
		if err != nil {
			return nil, err
		}
		if faults := registered.Judge(q.registered); len(faults) > 0 {
			return nil, deny("nameNotProved", "%s", faults[0].Detail)
		}
	}
	var v proofing.Verdict
	if hook.Correlate == proofing.CorrelateIdentifier {
		v, err = a.Service.AuthorizeNames(ctx, ca, p.Name, r.Identifiers, q.csrDigest)
	} else {
		v, err = a.Service.Authorize(ctx, ca, r)
	}
	if err != nil {
		return nil, err
	}
	a.logCAA(ctx, ca, p.Name, v)
	if !v.Allow {
		return nil, a.stepRefusal(ca, hook, v)
	}
	forCSRs := func(one proofing.Authorization) bool { return p.HoldsToCSRs(one.Case) }
	if q.final && !ca.ShowsCSRs(p.Name) && slices.ContainsFunc(v.Authorizations, forCSRs) {
		// Whoever has the key would get a certificate for any CSR of theirs.
		return nil, deny("csrUnseen", "what was granted is for certain CSRs alone, and none is shown to us: the operator of the CA must connect a webhook of the kind %s under the profile %s, too", proofing.StepEnriching, p.Name)
	}
	if err := data.fill(v, q, p.CSR.NoDomains()); err != nil || data.Organization == nil {
		return data, err
	}
	data.Organization, err = a.organization(ctx, ca, p.Name, data.Organization.Name)
	return data, err
}

// stepOrganizations are the organizations that the certificate names, or that it can name.
func (a *api) stepOrganizations(ctx context.Context, ca *proofing.Authority, hook *proofing.StepHook, p *proofing.Profile, q stepQuestion) ([]string, error) {
	serves := hook.Correlate == proofing.CorrelateKey && slices.Contains(p.Identifiers, proofing.IdentifierOrganization)
	switch {
	case q.final && len(q.organizations) > 0 && !serves:
		return nil, deny("nameNotProved", "the certificate's subject names an organization, which this webhook proves nothing of: its template must leave it out")
	case q.final, serves && len(q.organizations) == 1:
		return q.organizations, nil
	case !serves:
		return nil, nil
	case len(q.organizations) > 1:
		return nil, deny("rejectedIdentifier", "the CSR names several organizations: name one")
	}
	standing, err := a.Service.Organizations(ctx, ca, q.applicant, p.Name)
	if err != nil {
		return nil, err
	}
	granted := slices.DeleteFunc(slices.Clone(standing), func(c *proofing.Case) bool { return c.Status != proofing.CaseGranted })
	switch {
	case len(granted) > 1:
		return nil, deny("rejectedIdentifier", "this key has %d organizations: name one in the subject of the CSR", len(granted))
	case len(granted) == 1:
		return []string{granted[0].Identifier.Value}, nil
	case len(standing) > 0:
		return []string{standing[0].Identifier.Value}, nil
	}
	return nil, nil
}

// stepRefusal says why not and what to do, of the first name that nobody can cure, or else of the first.
func (a *api) stepRefusal(ca *proofing.Authority, hook *proofing.StepHook, v proofing.Verdict) error {
	refused := slices.DeleteFunc(slices.Clone(v.Authorizations), func(one proofing.Authorization) bool { return one.Problem == "" })
	for _, f := range v.CAA {
		if f.Blocks { // then every name is authorized
			sub := caaProblem(f)
			return deny(sub.Type[strings.LastIndex(sub.Type, ":")+1:], "%s: %s", cut(f.Identifier.Value), f.Detail)
		}
	}
	first := refused[0]
	for _, one := range refused {
		if one.Problem != "missing" && a.whyNot(one).Type != typeUserActionRequired {
			first = one
			break
		}
	}
	name, origin := cut(first.Identifier.Value), a.Service.Policy.Origin
	if more := len(refused) - 1; more > 0 {
		name = fmt.Sprintf("%s (and %d more)", name, more)
	}
	const code = "userActionRequired"
	switch {
	case first.Problem == "missing" && hook.Correlate == proofing.CorrelateIdentifier:
		return deny(code, "%s: nobody has shown who is behind this name, or it is over: have %s open a request for it, finish it at %s, and order again", name, ca.Title, origin)
	case first.Problem == "missing":
		return deny(code, "%s: nobody has shown who is behind this key, or it is over: have %s open a request for the key of this CSR, finish it at %s, and order again", name, ca.Title, origin)
	case first.Problem == "pending" && hook.Links:
		return deny(code, "%s: a person must show who they are: open %s, finish there, and order again", name, a.caseURL(first.Case))
	case first.Problem == "pending":
		return deny(code, "%s: a person must show who they are: open the link of the request %s that you were given, finish it at %s, and order again", name, first.Case.ID, origin)
	case first.Problem == "review":
		return deny(code, "%s: the request %s waits for the decision of an approver at %s; order again after it", name, first.Case.ID, origin)
	}
	sub := a.whyNot(first)
	return deny(sub.Type[strings.LastIndex(sub.Type, ":")+1:], "%s: %s", name, sub.Detail)
}

// fill puts in what a template may use.
func (d *stepData) fill(v proofing.Verdict, q stepQuestion, noDomains bool) error {
	var grants []*proofing.Grant
	authorized := q.common == ""
	for _, one := range v.Authorizations {
		undue := noDomains && one.Identifier.Type == proofing.IdentifierDNS
		if authorized = authorized || !undue && calledBy(one.Identifier, q.common); one.Identifier.Type == proofing.IdentifierOrganization && d.Organization == nil {
			d.Organization = &organization{Name: one.Identifier.Value}
		}
		if slices.Contains(d.Authorizations, one.Case.ID) {
			continue
		}
		d.Authorizations, grants = append(d.Authorizations, one.Case.ID), append(grants, one.Case.Grant)
		if s := domainControl(one.Identifier); s != "" {
			d.DomainControl = s
		}
	}
	d.RecheckAfter = v.RecheckAfter
	for _, f := range v.CAA {
		d.Warnings = append(d.Warnings, caaProblem(f))
	}
	switch {
	case q.final && !authorized:
		return deny("nameNotProved", "the certificate's common name is none of the names that were proved: its template must put one of them there, or nothing")
	case d.Organization != nil: // the rules of the CA/Browser Forum for code signing want its name there, and no domain's
		d.CommonName = d.Organization.Name
	case authorized:
		d.CommonName = q.common
	}
	if g := weakest(grants); g != nil {
		d.Levels = &stepLevels{g.Assessment.Framework, g.Assessment.IAL, g.Assessment.AAL, g.Assessment.FAL}
	}
	return nil
}

// calledBy says whether a common name is the identifier. In names of the DNS case does not count, of ASCII alone: other letters
// may turn into those of somebody else's name.
func calledBy(id proofing.Identifier, common string) bool {
	if id.Type == proofing.IdentifierDNS {
		common = strings.Map(func(r rune) rune {
			if 'A' <= r && r <= 'Z' {
				r += 'a' - 'A'
			}
			return r
		}, common)
	}
	return id.Value == common
}
