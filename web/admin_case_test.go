package web

import (
	"bytes"
	"encoding/base64"
	"html"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([a-z]+)" value="([^"]*)">`)

// form is the form of a page that decides in one way: its fields as the page has them.
func formOf(page, decision string) (pairs []string) {
	for part := range strings.SplitSeq(page, "<form ") {
		part, _, _ = strings.Cut(part, "</form>")
		if !strings.Contains(part, `name="decision" value="`+decision+`"`) {
			continue
		}
		for _, m := range hiddenField.FindAllStringSubmatch(part, -1) {
			if m[1] != sealField { // whoever sends it sends their own
				pairs = append(pairs, m[1], html.UnescapeString(m[2]))
			}
		}
	}
	return pairs
}

// decides makes a decision at the pages: the form, the text that is signed, and the passkey's answer. It returns the text.
func (c *court) decides(m *colleague, k *proofing.Case, decision, reason string) string {
	c.t.Helper()
	m.renew()
	page := "/admin/cases/" + k.ID
	form := formOf(m.get(page).Body.String(), decision)
	if form == nil {
		c.t.Fatalf("no form to %s in:\n%s", decision, m.get(page).Body)
	}
	if to := m.follow(m.post(page+"/decide", append(form, "reason", reason)...)); to != "/admin/sign" {
		c.t.Fatalf("led to %s", to)
	}
	text, answer := m.signs()
	if to := m.follow(m.post("/admin/sign", "case", k.ID, "response", answer)); to != page {
		c.t.Fatalf("after signing: %s", to)
	}
	c.work()
	return text
}

// signs reads the page at which somebody signs, and signs.
func (m *colleague) signs() (text, answer string) {
	m.t.Helper()
	page := m.get("/admin/sign")
	m.want(page, 200, "data-sign=", "Back, without deciding")
	_, rest, _ := strings.Cut(page.Body.String(), "<pre>")
	shown, _, _ := strings.Cut(rest, "</pre>")
	given, err := m.key.Get(m.session().Signing.Ask, origin)
	if err != nil {
		m.t.Fatal(err)
	}
	return html.UnescapeString(shown), string(given)
}

func TestARequestFromTheQueueToTheGrant(t *testing.T) {
	c := newCourt(t)
	c.collectAll()
	k := c.submitted("signing")
	page := "/admin/cases/" + k.ID
	c.approver.renew()
	c.want(c.approver.get(page), 200, "<h1><bdi>Example &lt;Corporation&gt;</bdi></h1>", "HRB 1234", ">DE<", "EV code signing", "Example CA", thumbprint, "<b><bdi>requester</bdi></b>", "Certificate Requester",
		"Nothing else is missing.", "Nobody has decided yet.", "I approve this request for my organization.", "Then the certificate authority checks", "This ends the request.", "Version "+strconv.FormatInt(k.Journal.Written, 10)+" ", "<b>2</b>")
	text := c.decides(c.approver, k, "approve", "")
	for _, said := range []string{"I approve this request for my organization.", "Full legal name: Example <Corporation>", "Organization: Example <Corporation>", "Registration number: HRB 1234", "Jurisdiction: DE", "Certificate authority: Example CA",
		"Certificate: EV code signing", "Account key: " + thumbprint, "Nothing is issued yet."} {
		if !strings.Contains(text, said) {
			t.Errorf("the text does not say %q:\n%s", said, text)
		}
	}
	c.want(c.approver.get(page), 200, "You have decided:", "approved for the organization", "Validation specialist")

	// What does not fit together brings it back, until it is explained.
	c.want(c.specialist.get("/admin"), 200, "Waits for you", page)
	c.decides(c.specialist, k, "approve", "")
	c.reviewer.renew()
	c.want(c.reviewer.get(page), 200, "I have reviewed everything", "for 90 days, until")
	c.want(c.reviewer.post(page+"/discrepancies", "text", " "), 422, `id="text-error"`)
	c.want(c.reviewer.post(page+"/discrepancies", "text", "Two <addresses>."), http.StatusSeeOther)
	c.specialist.renew()
	open := c.specialist.get(page)
	c.want(open, 200, "Two &lt;addresses&gt;.", "Not explained yet.", "Something does not fit together and is not explained yet.", "Counts no more")
	if formOf(open.Body.String(), "approve") != nil {
		t.Error("what is not explained can be agreed to")
	}
	id := regexp.MustCompile(`name="discrepancy" value="([^"]+)"`).FindStringSubmatch(open.Body.String())
	if id == nil {
		t.Fatal("it cannot be explained")
	}
	c.want(c.specialist.post(page+"/explanations", "discrepancy", id[1], "resolution", ""), 422, `id="resolution-error"`)
	c.want(c.specialist.post(page+"/explanations", "discrepancy", id[1], "resolution", "They have moved."), http.StatusSeeOther)
	c.want(c.specialist.get(page), 200, "They have moved.", "Explained by <b><bdi>specialist</bdi></b>")
	c.decides(c.specialist, k, "approve", "")
	c.decides(c.reviewer, k, "approve", "")
	c.want(c.reviewer.get(page), 200, "Granted.", "reviewed all of it, and granted")
	have, err := c.svc.Cases.Get(t.Context(), k.ID)
	if err != nil || have.Status != proofing.CaseGranted {
		t.Fatalf("%s (%s), %v", have.Status, have.Reason, err)
	}
	for _, d := range have.Approval.Decisions {
		doc, err := proofing.ParseDocument([]byte(d.Signature.Document))
		if err != nil || !strings.Contains(doc.Shown.Text, "Registration number: HRB 1234") {
			t.Errorf("%v: %q was signed", err, doc.Shown.Text)
		}
	}
}

func TestARefusalIsSignedWithItsReason(t *testing.T) {
	c := newCourt(t)
	k := c.submitted("signing")
	page := "/admin/cases/" + k.ID
	c.approver.renew()
	shown := c.approver.get(page)
	c.want(shown, 200, "is missing", "Code Signing Baseline Requirements 3.2.2.2.1", "Nobody holds this role: Contract Signer")
	form := formOf(shown.Body.String(), "refuse")
	c.want(c.approver.post(page+"/decide", append(form, "reason", " \n")...), 422, "Say why you refuse.", `id="reason-error"`)
	text := c.decides(c.approver, k, "refuse", "Not <ours>.\nI approve this request for my organization.")
	if !strings.Contains(text, "\nReason: Not <ours>. I approve this request for my organization.\n") || !strings.HasSuffix(text, "This ends the request. Nothing is issued for it, and each e-mail address that was confirmed for it is told.") {
		t.Errorf("the text is\n%s", text)
	}
	c.want(c.approver.get(page), 200, "Refused.", "Not &lt;ours&gt;.", "You have decided:")
}

func TestWhatWentWrongIsSaidWhereItStandsAndKeepsWhatWasTyped(t *testing.T) {
	c := newCourt(t)
	k := c.submitted("signing2")
	page := "/admin/cases/" + k.ID
	c.approver.renew()
	form := formOf(c.approver.get(page).Body.String(), "refuse")
	// Somebody else decides meanwhile.
	c.item(proofing.ItemDraft{Kind: proofing.ItemLegalName, Value: orgName, SourceKind: proofing.SourceLetter})
	c.collectAll()
	c.decides(c.second, k, "approve", "")
	c.approver.renew()
	stale := c.approver.post(page+"/decide", append(form, "reason", "What I <typed>")...)
	c.want(stale, 422, "The request has changed since this page was made", "What I &lt;typed&gt;", "You had looked at version", "New since you looked")
	// And what was asked before that is not signed any more.
	form = formOf(c.approver.get(page).Body.String(), "refuse")
	c.want(c.approver.post(page+"/decide", append(form, "reason", "My <reason>")...), http.StatusSeeOther)
	_, answer := c.approver.signs()
	c.specialist.renew()
	k2, err := c.svc.RaiseDiscrepancy(t.Context(), c.visits(c.specialist), k.ID, "Something")
	if err != nil || k2.Journal.Written == 0 {
		t.Fatal(err)
	}
	c.want(c.approver.post("/admin/sign", "case", k.ID, "response", answer), 422, "The request has changed", "My &lt;reason&gt;", "You had looked at version")

	// Another passkey's signature is none, and the page says so where it can be tried again.
	form = formOf(c.approver.get(page).Body.String(), "refuse")
	c.want(c.approver.post(page+"/decide", append(form, "reason", "no")...), http.StatusSeeOther)
	c.want(c.approver.post("/admin/sign", "case", k.ID, "response", "nonsense"), 422, "could not be read", "data-sign=")
	other := webauthntest.New()
	if _, err := other.Get(c.approver.session().Signing.Ask, origin); err == nil {
		t.Fatal("a passkey answers for another one")
	}
	_, answer = c.approver.signs()
	c.want(c.approver.post("/admin/sign", "case", k.ID, "response", answer), http.StatusSeeOther)
	for range 2 { // the same once more leads to where it can be seen
		if to := c.approver.follow(c.approver.post("/admin/sign", "case", k.ID, "response", answer)); to != page {
			t.Errorf("sent again: %s", to)
		}
	}
	if to := c.approver.follow(c.approver.get("/admin/sign")); to != "/admin" {
		t.Errorf("where nothing is to be signed: %s", to)
	}
	if to := c.approver.follow(c.approver.get(page + "/decide")); to != page {
		t.Errorf("where a page with a mistake stands: %s", to)
	}

	// Time goes by between looking and deciding.
	k = c.submitted("signing")
	page = "/admin/cases/" + k.ID
	c.approver.renew()
	form = formOf(c.approver.get(page).Body.String(), "refuse")
	c.wait(11 * time.Minute)
	away := c.approver.post(page+"/decide", append(form, "reason", "Long <thought>")...)
	c.want(away, 403, "Long &lt;thought&gt;", "first confirm with your passkey", `href="/me?method=fido&amp;to=%2Fadmin%2Fcases%2F`+k.ID+`"`)
	if formOf(away.Body.String(), "refuse") != nil {
		t.Error("who must confirm first is shown forms")
	}
	s := c.approver.session()
	c.want(c.approver.get("/me?method=fido&to=/admin/cases/"+k.ID), 200)
	own := "/c/" + s.ID + "." + s.LinkSecret.Reveal()
	c.want(c.approver.post(own+"/begin", "method", "fido"), http.StatusSeeOther)
	if to := c.approver.signIn(own); to != page {
		t.Errorf("after confirming: %s", to)
	}
	c.want(c.approver.get(page), 200, `name="reason"`)
	// What can be signed ends by itself.
	form = formOf(c.approver.get(page).Body.String(), "refuse")
	c.want(c.approver.post(page+"/decide", append(form, "reason", "no")...), http.StatusSeeOther)
	c.wait(6 * time.Minute)
	c.want(c.approver.get("/admin/sign"), 200, "Five minutes have passed")
}

func TestWhoDecidesMuchInAFewMinutesIsAskedToPause(t *testing.T) {
	c := newCourt(t)
	k := c.submitted("signing")
	page := "/admin/cases/" + k.ID
	c.approver.renew()
	form := append(formOf(c.approver.get(page).Body.String(), "refuse"), "reason", "one more")
	for range 10 {
		c.want(c.approver.post(page+"/decide", form...), http.StatusSeeOther)
	}
	paused := c.approver.post(page+"/decide", form...)
	c.want(paused, http.StatusTooManyRequests, "Take a pause", "one more")
	if paused.Header().Get("Retry-After") == "" {
		t.Error("nobody says when it works again")
	}
}

// Under a profile that approves each certificate the text says what it is that is granted: the account, and then one request of it.
func TestWhereEachCertificateIsApprovedTheTextSaysSo(t *testing.T) {
	c := newCourt(t)
	c.collectAll()
	c.svc.Policy.Profiles["signing"].Approve = proofing.ApproveEach
	k := c.submitted("signing")
	c.decides(c.approver, k, "approve", "")
	c.decides(c.specialist, k, "approve", "")
	if text := c.decides(c.reviewer, k, "approve", ""); !strings.HasSuffix(text, "Each certificate still takes an approval of its own.") {
		t.Errorf("for the account:\n%s", text)
	}
	c.one.renew() // which has the log catch up: until then nothing is authorized
	digest := strings.Repeat("q", 43)
	got, err := c.svc.Authorize(t.Context(), c.ca, proofing.AuthorizeRequest{
		Applicant: k.Applicant, Identifiers: []proofing.Identifier{k.Identifier}, Profile: k.Profile, CSRDigest: digest, CSR: &proofing.CSR{Key: proofing.KeyRSA, Bits: 3072},
	})
	if err != nil || got.Allow || got.Authorizations[0].Problem != "issuance" {
		t.Fatalf("%+v, %v", got, err)
	}
	issuance := got.Authorizations[0].Case
	text := c.decides(c.approver, issuance, "approve", "")
	for _, said := range []string{"Digest of the certificate request (SHA-256): " + digest, "Key in the certificate request: rsa 3072", "Then somebody who has collected nothing of it reviews all of it."} {
		if !strings.Contains(text, said) {
			t.Errorf("for one request it does not say %q:\n%s", said, text)
		}
	}
	if text := c.decides(c.reviewer, issuance, "approve", ""); !strings.Contains(text, "for this certificate request, and for no other, until 21 February 2027.") {
		t.Errorf("for one request:\n%s", text)
	}
}

// Whoever decides about a CSR sees whether there is evidence of its key (CSBR 6.2.7.4.2).
func TestTheRequestSaysWhetherItsKeyIsAmongThoseOfTheEvidence(t *testing.T) {
	const heading = "<dt>Protection of the private key</dt>"
	key := base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{0xab}, 32))
	const bad = "What was found of this key is bad, or too old."
	for name, x := range map[string]struct {
		method int
		keys   []string
		says   string
		lacks  bool
	}{
		"the key":       {2, []string{strings.Repeat("ab", 32), strings.Repeat("01", 32)}, "<dd>The evidence names this key.<br><small>2: The manufacturer’s certificate attests that the key is in its hardware crypto module. Document: <bdi>file &lt;9&gt;</bdi></small>", false},
		"another one":   {2, []string{strings.Repeat("01", 32)}, "There is no evidence for this key.", true},
		"the whole way": {7, nil, "The evidence is for all keys of the organization, and names none.<br><small>7: ", false},
		"the key, bad":  {-2, []string{strings.Repeat("ab", 32)}, bad, false},
		"the way, bad":  {-7, nil, bad, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCourt(t)
			outcome := proofing.OutcomeGood
			if x.method < 0 {
				x.method, outcome = -x.method, proofing.OutcomeBad
			}
			c.item(proofing.ItemDraft{Kind: proofing.ItemKeyProtection, SourceKind: proofing.SourceAttestation, Method: x.method, Keys: x.keys, Reference: "file <9>", Outcome: outcome})
			k := c.submitted("signing")
			c.reviewer.renew()
			if page := c.reviewer.get("/admin/cases/" + k.ID).Body.String(); strings.Contains(page, heading) {
				t.Error("something is said of a key that is not known")
			}
			if _, err := c.svc.Cases.Update(t.Context(), k.ID, func(k *proofing.Case) error {
				k.CSRDigest, k.CSR = strings.Repeat("q", 43), &proofing.CSRShown{Key: "p-256", SPKI: key}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			page := c.reviewer.get("/admin/cases/" + k.ID).Body.String()
			_, said, _ := strings.Cut(page, heading)
			said, _, _ = strings.Cut(said, "</dd>")
			if !strings.Contains(said, x.says) {
				t.Errorf("of its key the page says %q, want %q", said, x.says)
			}
			if lacks := strings.Contains(page, "is for another key"); lacks != x.lacks {
				t.Errorf("that it lacks evidence is said: %v", lacks)
			}
		})
	}
}

// Whom no notice reaches is told so, where they look for what waits.
func TestWhoeverHasNoAddressIsToldThatNothingReachesThem(t *testing.T) {
	c := newCourt(t)
	const words = "Nothing reaches you."
	c.reviewer.renew()
	c.want(c.reviewer.get("/admin"), 200, words) // they have made a passkey, and no more
	if _, err := c.svc.People.Update(t.Context(), c.office[c.reviewer].Person, func(p *proofing.Person) error {
		p.Bindings = append(p.Bindings, proofing.Binding{ID: "x", Contact: proofing.Contact{Channel: proofing.ChannelEmail, Address: "reviewer@example.org"}, BoundAt: c.now()})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if page := c.reviewer.get("/admin").Body.String(); strings.Contains(page, words) {
		t.Error("somebody who has an address is told that nothing reaches them")
	}
}

// Whoever decides signs for what was collected, and gets there from the request.
func TestARequestLeadsToWhatWasCollected(t *testing.T) {
	c := newCourt(t)
	k := c.submitted("signing")
	dossier := "/admin/organizations/" + c.org.ID
	for name, who := range map[string]*colleague{"requester": c.requester, "approver": c.approver, "specialist": c.specialist, "reviewer": c.reviewer} {
		who.renew()
		if page := who.get("/admin/cases/" + k.ID).Body.String(); !strings.Contains(page, `href="`+dossier+`"`) {
			t.Errorf("the page of the %s does not lead there", name)
		}
		c.want(who.get(dossier), 200, "What is known")
	}
}

// What a clock that was set back keeps people from deciding is said as what it is, with the status of something that will pass.
func TestAClockThatWasSetBackIsSaidToWhoeverDecides(t *testing.T) {
	c := newCourt(t)
	c.collectAll()
	c.wait(time.Hour)
	k := c.submitted("signing")
	c.wait(-proofing.ClockSkew - 10*time.Second)
	c.approver.renew()
	page := "/admin/cases/" + k.ID
	form := formOf(c.approver.get(page).Body.String(), "approve")
	c.want(c.approver.post(page+"/decide", form...), 503, "The clock of this service is wrong", "Nothing was decided")
	if c.approver.session().Signing != nil {
		t.Error("something is to be signed")
	}
}

// What follows is what would follow by now: of what the policy demands today, and of what counts.
func TestWhatFollowsFromADecisionIsWhatWouldFollowByNow(t *testing.T) {
	c := newCourt(t)
	c.collectAll()
	demands := func(n int) {
		p := *c.svc.Policy.Profiles["signing"]
		p.Approvals, p.EV = n, false
		c.svc.Policy.Profiles["signing"] = &p
	}
	const (
		more      = "Then 1 more approval of the organization is needed."
		collected = "Then the certificate authority checks what is collected"
		reviewed  = "Then somebody who has collected nothing of it reviews all of it."
		issues    = "Then the certificate authority may issue certificates"
	)
	demands(1)
	k := c.submitted("signing")
	page := "/admin/cases/" + k.ID
	demands(2)
	c.approver.renew()
	c.want(c.approver.get(page), 200, more, "0 of 2 have approved")
	c.want(c.approver.get("/admin"), 200, "0 of 2 have approved")
	demands(1)
	for _, x := range []struct {
		by      *colleague
		demands int
		says    string
	}{
		{c.approver, 1, collected}, {c.specialist, 1, reviewed}, {c.reviewer, 2, more}, // too few have approved by now
		{c.second, 2, reviewed}, // the specialist's word still counts
		{c.reviewer, 2, issues},
	} {
		demands(x.demands)
		x.by.renew()
		c.want(x.by.get(page), 200, x.says)
		if text := c.decides(x.by, k, "approve", ""); !strings.Contains(text, x.says) {
			t.Errorf("%q is not in what was signed:\n%s", x.says, text)
		}
	}
	if k, err := c.svc.Cases.Get(t.Context(), k.ID); err != nil || k.Status != proofing.CaseGranted {
		t.Errorf("after all of them: %s, %v", k.Status, err)
	}
}
