package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/countersign-id/countersign/store/redistest"
)

// chain is an EV code signing certificate on its way, with everybody whom it takes.
type chain struct {
	*program     // as the CA calls it
	t            testing.TB
	s            screen
	pictures     string
	one, two     *newcomer // administrators
	specialist   *newcomer
	reviewer     *newcomer
	signer       *newcomer
	requester    *newcomer
	approvers    [2]*newcomer
	dossier      string            // path of its page
	appointments map[string]string // their ids, by the names of their holders
	key          *ecdsa.PrivateKey
	csr          []byte
	ca           string // its name
}

const (
	chainName   = "Example Signing Ltd"
	approverOne = "Approver One"
	approverTwo = "Approver Two"
)

// TestAnEVCertificateFromTheFirstAdministratorToItsEvidence has everybody do their part in a browser of their own, with a passkey of their own, in the
// built program: two administrators, whom they appoint, who asks, who collects, who approves for the organization and who reviews for the CA. The CA is
// told no as long as anybody's word is missing, for the organization and then for the CSR; and in the end there is a file that
// convinces whoever has the log's key, until a byte of it is changed.
func TestAnEVCertificateFromTheFirstAdministratorToItsEvidence(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	c := newChain(t, p, screen{name: "desktop", width: 1280, height: 900, lang: "en"}, p.ca("chain", "https://chain.example/directory", "https://chain.example/new-account", "ev"), "chain",
		x509.CertificateRequest{Subject: pkix.Name{Organization: []string{chainName}, CommonName: chainName}})
	c.staff()
	c.collect()

	account := map[string]any{"url": "https://chain.example/acct/1", "thumbprint": thumbprint("chain")}
	organization := map[string]any{"type": "organization", "value": chainName}
	question := map[string]any{"account": account, "identifiers": []any{organization}, "profile": "ev", "csr": b64(c.csr)}
	opened := c.opens(map[string]any{"account": account, "identifier": organization, "profile": "ev"})
	c.decideAll(opened, func(words string) { c.refuses(question, words) })
	_, yes := c.call("POST", "/v1/authorize", question)
	if yes["allow"] != true {
		t.Fatalf("after the last decision the CA reads %v", yes)
	}
	c.ends(opened["id"].(string), c.issues())
	c.disowns(c.approvers[0], "approver", approverOne)
	c.refuses(question, "said that it was not them")
}

// The same with step-ca, which knows nothing of us but its webhooks, on either store, on desks and on telephones: it refuses the CSR until the second approver and then
// the reviewer have signed, and issues for it afterwards.
func TestStepCAIssuesAnEVCertificateAfterTheSecondApproval(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		screen
		store func(testing.TB) func(dir string) string
	}{
		{screen{name: "phone-dark-de", width: 390, height: 844, phone: true, dark: true, lang: "de"}, func(t testing.TB) func(string) string {
			return onRedis([]*redistest.Server{redistest.Start(t, redistest.Durable()...)}, "")
		}},
		{screen{name: "desktop-fr", width: 1280, height: 900, lang: "fr"}, func(testing.TB) func(string) string { return onFile }},
	} {
		t.Run(x.name, func(t *testing.T) { // one after the other: nine browsers each are enough for two processors
			r := newRoot(t)
			p := newService(t, layout{store: x.store(t), root: r})
			s := newStepCA(t, r)
			ca := p.ca("step", s.directory, s.newAccount, "ev")
			s.connect(ca, "step", "ev")
			s.manage("ca", "provisioner", "update", "acme", "--x509-template", filepath.Join("..", "contrib", "step-ca", "code-signing.tpl"))
			c := newChain(t, p, x.screen, ca, "step", x509.CertificateRequest{Subject: pkix.Name{Organization: []string{chainName}}, DNSNames: []string{"localhost"}})
			c.staff()
			c.collect()

			spki, err := x509.MarshalPKIXPublicKey(c.key.Public())
			if err != nil {
				t.Fatal(err)
			}
			opened := c.opens(map[string]any{"public_key": b64(spki), "identifier": map[string]any{"type": "organization", "value": chainName}, "profile": "ev"})
			finalize := s.ready()
			c.decideAll(opened, func(words string) {
				t.Helper()
				_, err := s.finalizeAgain(finalize, c.csr)
				refused(t, "step-ca", err, "unauthorized", words)
			})
			cert, err := s.finalizeAgain(finalize, c.csr)
			if err != nil {
				t.Fatal(err)
			}
			if got := cert.Subject.Organization; len(got) != 1 || got[0] != chainName {
				t.Errorf("the certificate is for %s", cert.Subject)
			}
			c.ends(opened["id"].(string), cert.Raw)
		})
	}
}

func newChain(t testing.TB, p *program, s screen, ca *program, name string, asked x509.CertificateRequest) *chain {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &asked, key)
	if err != nil {
		t.Fatal(err)
	}
	return &chain{program: ca, t: t, s: s, pictures: "chain-" + s.name, ca: name, key: key, csr: csr, appointments: map[string]string{}}
}

// submits presses a button and waits for the page after it.
func submits(t testing.TB, n *newcomer, button, then string) {
	t.Helper()
	run(t, n, chromedp.WaitVisible(button, chromedp.ByQuery), chromedp.Evaluate(`document.body.dataset.before = "yes"`, nil))
	if n.keyboard {
		press(t, n, button)
	} else {
		run(t, n, chromedp.Click(button, chromedp.ByQuery))
	}
	run(t, n, chromedp.WaitVisible(`body:not([data-before]) `+then, chromedp.ByQuery))
}

// printsWell looks at a request as it is printed: without what leads elsewhere or can be pressed, and with what is folded away on the screen.
func printsWell(t testing.TB, n *newcomer) {
	t.Helper()
	var pressed, folded []string
	run(t, n, emulation.SetEmulatedMedia().WithMedia("print"),
		chromedp.Evaluate(`[...document.querySelectorAll('.tabs, .decide form, .raise')].filter(e => e.checkVisibility()).map(e => e.className || e.tagName)`, &pressed),
		chromedp.Evaluate(`[...document.querySelectorAll('details.clauses > :not(summary)')].filter(e => !e.checkVisibility({contentVisibilityAuto: true})).map(e => e.textContent)`, &folded), n.look)
	if len(pressed) > 0 || len(folded) > 0 {
		t.Errorf("printed it shows %q and leaves out %q", pressed, folded)
	}
}

// fills sets the fields of a form as a person does; the form is named by a selector.
func fills(t testing.TB, n *newcomer, form string, values map[string]string) {
	t.Helper()
	for field, value := range values {
		at := form + ` [name="` + field + `"]`
		if field == "outcome" {
			run(t, n, chromedp.Click(at+`[value="`+value+`"]`, chromedp.ByQuery))
			continue
		}
		run(t, n, chromedp.SetValue(at, value, chromedp.ByQuery))
	}
}

// staff names the first two administrators on the server, who name the people of the CA.
func (c *chain) staff() {
	c.t.Helper()
	links := joinLink.FindAllString(c.command("admin", "bootstrap", "Administrator One", "Administrator Two"), -1)
	if len(links) != 2 {
		c.t.Fatalf("%d links", len(links))
	}
	for i, n := range []**newcomer{&c.one, &c.two} {
		*n = newNewcomer(c.t, c.s)
		(*n).opensLink(c.t, links[i])
		(*n).signsUpForIt(c.t)
		(*n).takesItUp(c.t)
	}
	run(c.t, c.two, chromedp.WaitVisible(`a[href^="/admin"].button`, chromedp.ByQuery))
	trained := map[string]string{"source_reference": "training 2026-7"}
	c.specialist = c.appoints("validation_specialist", "ca="+c.ca, "Specialist", trained)
	c.reviewer = c.appoints("reviewer", "ca="+c.ca, "Reviewer", trained)
}

// appoints has one administrator propose somebody, the person take it up in a browser of their own, and the other administrator
// confirm who has come.
func (c *chain) appoints(role, where, name string, fields map[string]string) *newcomer {
	c.t.Helper()
	run(c.t, c.one, chromedp.Navigate(c.people+"/admin/people?"+where), chromedp.WaitVisible(`[data-page="adminpeople"]`, chromedp.ByQuery))
	submits(c.t, c.one, `a[href*="/admin/propose/`+role+`"]`, `[data-page="adminpropose"]`)
	c.one.keepsFresh(c.t, `[data-page="adminpropose"]`)
	fills(c.t, c.one, `main form`, map[string]string{"name": name})
	fills(c.t, c.one, `main form`, fields)
	submits(c.t, c.one, `main form button`, `[data-page="adminperson"] [data-join]`)
	link := joinLink.FindString(text(c.t, c.one))
	if link == "" {
		c.t.Fatalf("no link is shown for %s:\n%s", name, text(c.t, c.one))
	}
	n := newNewcomer(c.t, c.s)
	n.opensLink(c.t, link)
	n.signsUpForIt(c.t)
	n.takesItUp(c.t)

	run(c.t, c.two, chromedp.Navigate(c.people+"/admin/people?status=accepted"), chromedp.WaitVisible(`[data-page="adminpeople"] table a`, chromedp.ByQuery))
	submits(c.t, c.two, `[data-page="adminpeople"] table a`, `[data-page="adminperson"]`)
	c.two.keepsFresh(c.t, `[data-page="adminperson"]`)
	run(c.t, c.two, chromedp.WaitVisible(`form[action*="/confirm"] button`, chromedp.ByQuery))
	if said := text(c.t, c.two); !strings.Contains(said, name) {
		c.t.Errorf("who waits is not %s:\n%s", name, said)
	}
	look(c.t, c.two, c.pictures+"-confirm-"+role)
	submits(c.t, c.two, `form[action*="/confirm"] button`, `[data-page="adminperson"] .seal.granted`)
	var at string
	run(c.t, c.two, chromedp.Evaluate(`location.pathname`, &at))
	c.appointments[name] = at[strings.LastIndex(at, "/")+1:]
	return n
}

// collect has the specialist open the organization's dossier and fill it, with the people whom the administrators name.
func (c *chain) collect() {
	c.t.Helper()
	n, today := c.specialist, time.Now().UTC().Format(time.DateOnly)
	run(c.t, n, chromedp.Navigate(c.people+"/admin/organizations"))
	n.keepsFresh(c.t, `[data-page="adminorganizations"]`)
	run(c.t, n, chromedp.WaitVisible(`input[name="name"]`, chromedp.ByQuery))
	fills(c.t, n, `main .panel form`, map[string]string{"name": chainName})
	submits(c.t, n, `main .panel form button`, `[data-page="adminorganization"]`)
	look(c.t, n, c.pictures+"-dossier-empty")
	run(c.t, n, chromedp.Evaluate(`location.pathname`, &c.dossier))
	where := "organization=" + c.dossier[strings.LastIndex(c.dossier, "/")+1:]

	authority := map[string]string{"role_source": "corporate_resolution", "source_reference": "file 17"}
	c.signer = c.appoints("contract_signer", where, "Signer", authority)
	c.approvers[0] = c.appoints("certificate_approver", where, approverOne, map[string]string{
		"role_source": "corporate_resolution", "source_reference": "file 18",
		"agreement": "file 19", "agreement_version": "2026-1", "agreement_signer": c.appointments["Signer"], "agreement_until": time.Now().AddDate(0, 6, 0).Format(time.DateOnly),
	})
	c.approvers[1] = c.appoints("certificate_approver", where, approverTwo, authority)
	c.requester = c.appoints("certificate_requester", where, "Requester", authority)
	c.approvers[0].keepsMailbox(c.t, c.program, c.mailbox("approver"))

	run(c.t, n, chromedp.Navigate(c.people+c.dossier), chromedp.WaitVisible(`[data-page="adminorganization"]`, chromedp.ByQuery))
	records := func(kind string, values map[string]string) {
		c.t.Helper()
		n.keepsFresh(c.t, `[data-page="adminorganization"]`)
		form := `#` + kind + ` form:has(input[name="kind"])`
		run(c.t, n, chromedp.Click(`#`+kind+` > details:not(.past) > summary`, chromedp.ByQuery), chromedp.WaitVisible(form, chromedp.ByQuery))
		fills(c.t, n, form, map[string]string{"outcome": "good", "source": "as its file has it", "collected": today})
		fills(c.t, n, form, values)
		if kind == "communication" {
			look(c.t, n, c.pictures+"-dossier-form")
		}
		submits(c.t, n, form+` button`, `#`+kind+` .fact`)
	}
	const register = "registration_agency"
	records("legal_name", map[string]string{"value": chainName, "source_kind": register})
	records("registration_number", map[string]string{"value": "HRB 1234", "source_kind": register})
	records("jurisdiction", map[string]string{"value": "DE", "source_kind": register})
	records("place_of_business", map[string]string{"value": "Example Street 1, Berlin", "source_kind": register})
	records("communication", map[string]string{"value": "+49 30 1234", "source_kind": "qiis", "confirmed_how": "a call, answered by the office"})
	records("operational_existence", map[string]string{"source_kind": register})
	for _, name := range []string{approverOne, approverTwo} {
		records("approver_authority", map[string]string{"subject": c.appointments[name], "source_kind": "independent_confirmation"})
		records("denied_list", map[string]string{"subject": c.appointments[name], "list": "sanctions", "list_version": today, "source_kind": "list"})
	}
	records("signer_authority", map[string]string{"subject": c.appointments["Signer"], "source_kind": "independent_confirmation"})
	for _, subject := range []string{"organization", c.appointments["Signer"]} {
		records("denied_list", map[string]string{"subject": subject, "list": "sanctions", "list_version": today, "source_kind": "list"})
	}
	records("subscriber_agreement", map[string]string{"version": "3", "signer": c.appointments["Signer"]})
	records("suspect_code", map[string]string{"list": "suspect code", "list_version": today})
	if run(c.t, n, chromedp.WaitNotPresent(`#missing .seal.granted`, chromedp.ByQuery)); !strings.Contains(text(c.t, n), "6.2.7.4.2") {
		c.t.Error("nothing is missed although nobody knows where the key is")
	}
	attested := c.keyPrint()
	records("key_protection", map[string]string{"method": "2", "keys": hex.EncodeToString(attested[:]), "reference": "file 20", "source_kind": "key_proof"})
	run(c.t, n, chromedp.WaitVisible(`#missing .seal.granted`, chromedp.ByQuery))
	look(c.t, n, c.pictures+"-dossier-whole")
}

// keyPrint is the SHA-256 of the public key that the certificate is for.
func (c *chain) keyPrint() [32]byte {
	c.t.Helper()
	csr, err := x509.ParseCertificateRequest(c.csr)
	if err != nil {
		c.t.Fatal(err)
	}
	return sha256.Sum256(csr.RawSubjectPublicKeyInfo)
}

// mailbox is an address of somebody in the chain.
func (c *chain) mailbox(who string) string { return who + "-" + c.ca + "@example.org" }

// opens has the CA open the authorization.
func (c *chain) opens(request map[string]any) map[string]any {
	c.t.Helper()
	status, opened := c.call("POST", "/v1/preauthorizations", request)
	if status != http.StatusCreated {
		c.t.Fatal(status, opened)
	}
	secret("the link of a case", strings.TrimPrefix(opened["case_url"].(string), c.people))
	return opened
}

// refuses has the CA ask, and wants a no with these words.
func (c *chain) refuses(question map[string]any, words string) {
	c.t.Helper()
	status, no := c.call("POST", "/v1/authorize", question)
	problem, _ := no["error"].(map[string]any)
	subs, _ := problem["subproblems"].([]any)
	if status != http.StatusOK || no["allow"] != false || len(subs) != 1 || !strings.Contains(subs[0].(map[string]any)["detail"].(string), words) {
		c.t.Fatalf("the CA reads %d %v, want a no that says %q", status, no, words)
	}
}

// decideAll brings a request from its opening to the approval of its CSR. Before each word that is still missing the CA asks, and must be told
// no with the words that refused is called with.
func (c *chain) decideAll(opened map[string]any, refused func(words string)) {
	c.t.Helper()
	refused("a person must show who they are")
	c.asks(opened["case_url"].(string))
	const waits, csrWaits = "waits for the decision of an approver", "this CSR waits for the decision of an approver"
	refused(waits)
	await(c.t, "word that something waits", 10*time.Second, func() bool {
		for _, m := range c.mails(c.mailbox("approver")) {
			if strings.Contains(m.body, "/admin") && strings.Contains(m.body, chainName) {
				return true
			}
		}
		return false
	})
	c.decides(c.approvers[0], "1-approver-one")
	refused(waits)
	c.decides(c.approvers[1], "2-approver-two")
	refused(waits)
	c.decides(c.specialist, "3-specialist")
	refused(waits)
	c.reviewer.keyboard = true // they never touch the mouse
	c.decides(c.reviewer, "4-reviewer")
	_, granted := c.call("GET", "/v1/preauthorizations/"+opened["id"].(string)+"?wait=60", nil)
	wantStatus(c.t, granted, "valid")

	refused(csrWaits)
	c.decides(c.approvers[0], "5-csr-approver-one")
	refused(csrWaits)
	c.decides(c.approvers[1], "6-csr-approver-two")
	refused(csrWaits)
	c.decides(c.reviewer, "7-csr-reviewer")
}

// asks has the requester show who they are.
func (c *chain) asks(link string) {
	c.t.Helper()
	n := c.requester
	run(c.t, n, chromedp.Navigate(link), chromedp.WaitVisible(`.panel form[action*="/begin"] button`, chromedp.ByQuery))
	look(c.t, n, c.pictures+"-0-request")
	run(c.t, n, chromedp.Click(`.panel form[action*="/begin"] button`, chromedp.ByQuery), chromedp.WaitVisible(`input[name="address"]`, chromedp.ByQuery),
		chromedp.SendKeys(`input[name="address"]`, c.mailbox("requester"), chromedp.ByQuery), chromedp.Submit(`.panel form[action*="/begin"]`, chromedp.ByQuery), chromedp.WaitVisible(`input[name="code"]`, chromedp.ByQuery),
		typeCode(c.program, "email", c.mailbox("requester")), chromedp.WaitNotPresent(`input[name="code"]`, chromedp.ByQuery), chromedp.WaitVisible(`main`, chromedp.ByQuery))
	look(c.t, n, c.pictures+"-0-submitted")
}

// decides has somebody find what waits for them in the queue, read it, and sign that they agree.
func (c *chain) decides(n *newcomer, picture string) {
	c.t.Helper()
	picture = c.pictures + "-" + picture
	run(c.t, n, chromedp.Navigate(c.people+"/admin"))
	n.readsWhatWaits(c.t, picture)
	wants := []string{chainName, "HRB 1234"}
	if strings.Contains(picture, "-csr-") {
		csr, err := x509.ParseCertificateRequest(c.csr)
		if err != nil {
			c.t.Fatal(err)
		}
		sum := sha256.Sum256(csr.RawTBSCertificateRequest)
		wants = append(wants, b64(sum[:]), "p-256", "O="+chainName)
	}
	for _, want := range wants {
		if said := text(c.t, n); !strings.Contains(said, want) {
			c.t.Errorf("what is signed does not say %q:\n%s", want, said)
		}
	}
	n.signs(c.t, picture)
}

// readsWhatWaits opens what waits for somebody in the queue, and goes on to what they would sign.
func (n *newcomer) readsWhatWaits(t testing.TB, picture string) {
	t.Helper()
	run(t, n, chromedp.WaitVisible(`[data-page="adminqueue"]`, chromedp.ByQuery))
	look(t, n, picture+"-queue")
	submits(t, n, `tr.mine a`, `[data-page="admincase"]`)
	look(t, n, picture+"-case")
	printsWell(t, n)
	n.keepsFresh(t, `[data-page="admincase"]`)
	submits(t, n, `form[aria-labelledby="agree-title"] button`, `form[data-sign] button`)
}

// signs has them sign it.
func (n *newcomer) signs(t testing.TB, picture string) {
	t.Helper()
	look(t, n, picture+"-sign")
	submits(t, n, `form[data-sign] button`, `[data-page="admincase"]`)
	look(t, n, picture+"-signed")
}

// issues makes the certificate that a CA would.
func (c *chain) issues() []byte {
	c.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(0x3a7f), Subject: pkix.Name{Organization: []string{chainName}, CommonName: chainName}, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}, &x509.Certificate{Subject: pkix.Name{CommonName: "CA of a test"}}, c.key.Public(), c.key)
	if err != nil {
		c.t.Fatal(err)
	}
	return der
}

// alone runs the program where there is neither a configuration nor a store.
func alone(t testing.TB, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// ends has the CA tell of the certificate, and checks the evidence of it as an auditor does: with the file and the log's key alone.
func (c *chain) ends(id string, der []byte) {
	t := c.t
	t.Helper()
	status, made := c.call("POST", "/v1/certificates", map[string]any{"certificate": b64(der), "csr": b64(c.csr), "authorizations": []any{id}, "order": "https://ca.example/order/1"})
	if warnings, _ := made["warnings"].([]any); status != http.StatusCreated || len(warnings) > 0 {
		t.Fatalf("the certificate is answered with %d %v", status, made)
	}
	for _, who := range []string{"requester", "approver"} {
		await(t, "the notice of the certificate to the "+who, 10*time.Second, func() bool {
			for _, m := range c.mails(c.mailbox(who)) {
				if strings.Contains(m.body, made["serial"].(string)) {
					return true
				}
			}
			return false
		})
	}
	key := strings.TrimSpace(c.output("", "audit", "key"))
	sum, attested := sha256.Sum256(der), c.keyPrint()
	files := t.TempDir()
	for name, file := range map[string]string{hex.EncodeToString(sum[:]): filepath.Join(files, "certificate.json"), id: filepath.Join(files, "case.json")} {
		await(t, "all of it to be in the log", 10*time.Second, func() bool { _, err := c.attempt("evidence", name, "--out", file); return err == nil })
		said, err := alone(t, "evidence", "verify", file, "--log-key", key)
		if err != nil {
			t.Fatalf("the evidence of %s: %v\n%s", name, err, said)
		}
		for _, want := range []string{"The evidence holds.", chainName, "HRB 1234", "AAL2", approverOne, approverTwo, "Specialist", "Reviewer", "Requester", "Administrator One", "https://ca.example/order/1", "method 2 of CSBR 6.2.7.4.2", "of the keys " + b64(attested[:]),
			"that policy demands the approval of 2 or more for the organization (each-certificate)"} {
			if !strings.Contains(said, want) {
				t.Errorf("the evidence of %s does not say %q:\n%s", name, want, said)
			}
		}
		if n := strings.Count(said, "which was enrolled for this person at"); n != 7 {
			t.Errorf("the evidence of %s has %d decisions, want those of the request and of the CSR, 7:\n%s", name, n, said)
		}
		edited(t, file, key, "evidence", "verify")
	}

	decisions := filepath.Join(files, "decisions")
	if out := c.command("evidence", "approvals", id, "--out", decisions); strings.Count(out, "wrote ") != 4 {
		t.Errorf("evidence approvals says:\n%s", out)
	}
	approvals, err := filepath.Glob(filepath.Join(decisions, id+"-*.json"))
	if err != nil || len(approvals) != 4 {
		t.Fatalf("there are the approvals %v, %v", approvals, err)
	}
	for _, file := range approvals {
		said, err := alone(t, "verify-approval", file, "--log-key", key)
		if err != nil || !strings.Contains(said, "The approval holds") || !strings.Contains(said, "organization: "+chainName+", number HRB 1234") {
			t.Errorf("%s: %v\n%s", file, err, said)
		}
	}
	edited(t, approvals[0], key, "verify-approval")
	c.command("audit", "verify")
}

// disowns has somebody follow the link in the notice of the certificate, and an administrator read whose it was.
func (c *chain) disowns(n *newcomer, mailbox, name string) {
	t := c.t
	t.Helper()
	var link string
	for _, m := range c.mails(c.mailbox(mailbox)) {
		if found := linkIn.FindStringSubmatch(m.body); found != nil && strings.HasPrefix(found[1], "/x/") {
			link = found[1]
		}
	}
	if link == "" {
		t.Fatal("the notice of the certificate has no link")
	}
	page := `[data-page="disowncertificate"]`
	run(t, n, chromedp.Navigate(c.people+link), chromedp.WaitVisible(page, chromedp.ByQuery))
	look(t, n, c.pictures+"-disown")
	run(t, n, chromedp.Click("#sure", chromedp.ByQuery))
	submits(t, n, page+` button.danger`, page+`:not(:has(form))`)
	look(t, n, c.pictures+"-disowned")
	run(t, c.one, chromedp.Navigate(c.people+"/admin/revocations"), chromedp.WaitVisible(`[data-page="adminrevocations"]`, chromedp.ByQuery))
	if said := text(t, c.one); !strings.Contains(said, "By the link that "+name+" had by mail.") {
		t.Errorf("the page of revocations says:\n%s", said)
	}
	look(t, c.one, c.pictures+"-revocations")
}

// edited wants a file refused once something of it was changed, whatever that is.
func edited(t testing.TB, file, key string, verify ...string) {
	t.Helper()
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string][]byte{
		"another name":            bytes.Replace(whole, []byte("Example Signing Ltd"), []byte("Example Signing Inc"), 1),
		"one digit":               bytes.Replace(whole, []byte("1234"), []byte("1235"), 1),
		"a space more":            bytes.Replace(whole, []byte(`":"`), []byte(`": "`), 1),
		"its end":                 whole[:len(whole)-2],
		"one more member":         bytes.Replace(whole, []byte(`{"`), []byte(`{"added":"","`), 1),
		"another of a signature":  flipped(whole, `"signature":"`),
		"another of the log's":    flipped(whole, `"checkpoint":"`),
		"another of a public key": flipped(whole, `"public_key":"`),
	} {
		other := filepath.Join(t.TempDir(), "edited.json")
		if bytes.Equal(text, whole) {
			t.Errorf("%s: nothing was changed", what)
		}
		if err := os.WriteFile(other, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if said, err := alone(t, append(append([]string{}, verify...), other, "--log-key", key)...); err == nil || !strings.Contains(said, "proves nothing") {
			t.Errorf("%s: %v\n%s", what, err, said)
		}
	}
}

// flipped is a text with another character after the first that.
func flipped(whole []byte, that string) []byte {
	i := bytes.Index(whole, []byte(that))
	if i < 0 {
		return whole
	}
	text := bytes.Clone(whole)
	if at := i + len(that) + 4; text[at] == 'A' {
		text[at] = 'B'
	} else {
		text[at] = 'A'
	}
	return text
}
