package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/notify/twiliotest"
)

// TestTheMainJob is the product in one test: a CA asks, a person proves an address
// and a number, and the CA reads an honest statement. Then the same person comes back.
func TestTheMainJob(t *testing.T) {
	mainJob(t, newProgram(t))
}

// TestTheMainJobOnRedis is the same on a real Redis that syncs every change.
func TestTheMainJobOnRedis(t *testing.T) {
	address, dir := free(t), t.TempDir()
	start(t, nil, "redis-server", "--bind", "127.0.0.1", "--port", port(t, address), "--dir", dir,
		"--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction", "--save", "")
	await(t, "redis-server", 10*time.Second, func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	p := newProgramOver(t, func(string) string { return "kind: redis, redis: {addresses: [\"" + address + "\"]}" })
	mainJob(t, p)
	if out := p.command("doctor"); strings.Contains(out, "FAIL") {
		t.Errorf("doctor on Redis:\n%s", out)
	}
}

func mainJob(t *testing.T, p *program) {
	t.Helper()
	const email, phone = "applicant@example.org", "+447400123456"
	secret("a number", phone)
	first := p.preauthorize("client", "first", email)
	wantStatus(t, first, "pending")
	h := p.person(first["case_url"].(string))
	h.prove("email", email)
	_, between := p.call("GET", "/v1/preauthorizations/"+first["id"].(string), nil)
	wantStatus(t, between, "pending")
	h.prove("sms", phone)
	_, done := p.call("GET", "/v1/preauthorizations/"+first["id"].(string)+"?wait=60", nil)
	wantStatus(t, done, "valid")
	if aal(done) != nil {
		t.Errorf("a first code earned AAL %v: it binds, and authenticates nobody", aal(done))
	}
	if claims := p.verified(done["statement"].(string)); claims["acr"] != "urn:countersign:acr:sp800-63-4:ial-none:aal-none" {
		t.Errorf("the statement says %v", claims["acr"])
	}
	_, allowed := p.call("POST", "/v1/authorize", map[string]any{
		"account": map[string]any{"thumbprint": thumbprint("first")}, "identifiers": []any{map[string]any{"type": "email", "value": email}}, "profile": "client",
	})
	if allowed["allow"] != true {
		t.Errorf("authorize: %v", allowed)
	}

	second := p.preauthorize("client", "second", email)
	h = p.person(second["case_url"].(string))
	h.prove("email", email)
	h.prove("sms", phone)
	_, done = p.call("GET", "/v1/preauthorizations/"+second["id"].(string)+"?wait=60", nil)
	wantStatus(t, done, "valid")
	assessment := done["assessment"].(map[string]any)
	if assessment["aal"] != 1.0 || assessment["restricted"] != true {
		t.Errorf("the second time: AAL %v, restricted %v; want 1 and true", assessment["aal"], assessment["restricted"])
	}
	await(t, "two codes and two notices by mail", 10*time.Second, func() bool { return len(p.mails(email)) >= 4 })
}

// verified checks a statement's signature against the published keys, with the
// program's own key set fetched over HTTP, and returns its claims.
func (p *program) verified(statement string) map[string]any {
	p.t.Helper()
	parts := strings.Split(statement, ".")
	if len(parts) != 3 {
		p.t.Fatalf("not a compact JWS: %s", statement)
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		p.t.Fatal(err)
	}
	if err := verifyES256(p.people+"/.well-known/jwks.json", statement); err != nil {
		p.t.Errorf("the statement's signature: %v", err)
	}
	var c map[string]any
	if err := json.Unmarshal(claims, &c); err != nil {
		p.t.Fatal(err)
	}
	if c["iss"] != p.people || c["aud"] != "example" {
		p.t.Errorf("iss %v, aud %v", c["iss"], c["aud"])
	}
	return c
}

// TestTheDemoPlaysItself runs `demo --auto`, which must end well within ten seconds of a processor. How long it takes on the wall says what else the machine does.
func TestTheDemoPlaysItself(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), slowest)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "demo", "--auto")
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out.String(), problems.String())
	}
	if took := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(); took > 10*time.Second {
		t.Errorf("it worked for %v", took)
	}
	for _, want := range []string{"urn:countersign:acr:sp800-63-4:ial-none:aal-none", "urn:countersign:acr:sp800-63-4:ial-none:aal-1", "SP 800-63B-4"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, out.String())
		}
	}
}

// TestProvidersFailInWords makes Twilio refuse in each way that its test credentials know,
// and reads what the person is told.
func TestProvidersFailInWords(t *testing.T) {
	p := newProgram(t)
	for code, words := range map[int]string{
		21211: "There is no such number.",
		21612: "The telephone cannot be reached.",
		21408: "Text messages to this country are not enabled.",
		21610: "This number has blocked messages from us.",
		21614: "This line cannot receive text messages.",
		21606: "The fault is ours",
		99999: "The provider refused the message.",
	} {
		a := p.preauthorize("client", fmt.Sprint("code ", code), fmt.Sprintf("n%d@example.org", code))
		h := p.person(a["case_url"].(string))
		p.twilio.Fail(twiliotest.Failure{Status: 400, Code: code})
		if _, err := h.begin("sms", fmt.Sprintf("+4474001%05d", code%60000+30000)); err != nil {
			t.Fatal(err)
		}
		var page string
		await(t, fmt.Sprintf("words for %d (%s) in: %s", code, words, visible(page)), 10*time.Second, func() bool {
			_, page, _ = h.get(h.page + "?method=sms")
			return strings.Contains(page, words)
		})
	}
}

// TestTheProvidersReportIsShown follows a message to its delivery.
func TestTheProvidersReportIsShown(t *testing.T) {
	p := newProgram(t)
	a := p.preauthorize("client", "report", "report@example.org")
	h := p.person(a["case_url"].(string))
	if _, err := h.begin("sms", "+447400123456"); err != nil {
		t.Fatal(err)
	}
	p.codeAfter("sms", "+447400123456", 0)
	m := p.twilio.Messages()[0]
	for _, status := range []string{"sent", "delivered"} {
		if code, err := p.twilio.Report(t.Context(), m.SID, status, ""); err != nil || code/100 != 2 {
			t.Fatalf("report %s: %d %v", status, code, err)
		}
	}
	await(t, "the page to say so", 5*time.Second, func() bool {
		_, page, _ := h.get(h.page + "?method=sms")
		return strings.Contains(page, `class="delivery delivered"`)
	})
	forged, err := http.PostForm(m.StatusCallback, map[string][]string{"MessageSid": {m.SID}, "MessageStatus": {"undelivered"}})
	if err != nil || forged.StatusCode != http.StatusForbidden {
		t.Errorf("a report without a signature: %v %v", forged.StatusCode, err)
	}
	forged.Body.Close()
}
