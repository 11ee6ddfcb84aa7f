package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// person is a browser without a screen, and the eyes that read its mails.
type person struct {
	p    *program
	http *http.Client
	page string // the case's URL
}

func (p *program) person(caseURL string) *person {
	p.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return &person{p: p, page: caseURL, http: &http.Client{Jar: jar, Timeout: 2 * time.Minute}}
}

var attemptField = regexp.MustCompile(`name="attempt" value="([^"]+)"`)

// get and submit return the status and the page that the redirect led to.
func (h *person) get(u string) (int, string, error) {
	resp, err := h.http.Get(u)
	return read(resp, err)
}

func (h *person) submit(u string, form url.Values) (int, string, error) {
	req, err := http.NewRequest(http.MethodPost, u, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return read(h.http.Do(req))
}

func read(resp *http.Response, err error) (int, string, error) {
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if resp.Request.URL.Query().Has("said") { // what was wrong is told by the page that a redirect led to
		return http.StatusUnprocessableEntity, string(text), err
	}
	return resp.StatusCode, string(text), err
}

// begin asks for a code and returns the attempt's id.
func (h *person) begin(method, address string) (attempt string, err error) {
	if _, _, err := h.get(h.page); err != nil {
		return "", err
	}
	status, page, err := h.submit(h.page+"/begin", url.Values{"method": {method}, "address": {address}})
	if err != nil {
		return "", err
	}
	found := attemptField.FindStringSubmatch(page)
	if status != http.StatusOK || found == nil {
		return "", fmt.Errorf("begin: %d: %s", status, visible(page))
	}
	return found[1], nil
}

func (h *person) answer(attempt, code string) (int, string, error) {
	return h.submit(h.page+"/answer", url.Values{"attempt": {attempt}, "code": {code}})
}

// prove does all of one method.
func (h *person) prove(method, address string) {
	h.p.t.Helper()
	seen := map[string]int{"email": len(codeMails(h.p.mails(address))), "sms": len(h.p.texts(address))}[method]
	attempt, err := h.begin(method, address)
	if err != nil {
		h.p.t.Fatal(err)
	}
	code := h.p.codeAfter(method, address, seen)
	if status, page, err := h.answer(attempt, code); err != nil || status != http.StatusOK {
		h.p.t.Fatalf("answer: %d %v %s", status, err, visible(page))
	}
}

// codeAfter waits for a further message to the address and returns its code.
func (p *program) codeAfter(method, address string, seen int) (code string) {
	p.t.Helper()
	await(p.t, "a code by "+method, 15*time.Second, func() bool {
		switch method {
		case "email":
			if mails := codeMails(p.mails(address)); len(mails) > seen {
				code = emailCode.FindString(mails[len(mails)-1].body)
			}
		case "sms":
			if texts := p.texts(address); len(texts) > seen {
				code = strings.TrimPrefix(smsCode.FindString(texts[len(texts)-1]), "#")
			}
		}
		return code != ""
	})
	secret("a code", code)
	secret("a code", strings.ReplaceAll(code, "-", ""))
	return code
}

var (
	emailCode = regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}\b`)
	smsCode   = regexp.MustCompile(`#[0-9]{8,10}$`)
	linkIn    = regexp.MustCompile(`http://localhost:[0-9]+(/[mnx]/[^\s]+)`)
)

// mail is one mail as MailHog has it.
type mail struct{ id, to, subject, body string }

// mails reads what MailHog holds for an address, the oldest first.
func (p *program) mails(address string) []mail {
	p.t.Helper()
	resp, err := http.Get(p.mail + "/api/v2/search?kind=to&limit=200&query=" + url.QueryEscape(address))
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	var found struct {
		Items []struct {
			Content struct {
				Headers map[string][]string
				Body    string
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&found); err != nil {
		p.t.Fatal(err)
	}
	var mails []mail
	for i := len(found.Items) - 1; i >= 0; i-- {
		c := found.Items[i].Content
		body, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(plainPart(c.Body))))
		if err != nil {
			p.t.Fatalf("a mail's body: %v", err)
		}
		m := mail{to: address, body: string(body)}
		if h := c.Headers["Message-ID"]; len(h) > 0 {
			m.id = h[0]
		}
		if h := c.Headers["Subject"]; len(h) > 0 {
			m.subject = h[0]
		}
		for _, link := range linkIn.FindAllStringSubmatch(m.body, -1) {
			secret("a link in a mail", link[1])
		}
		mails = append(mails, m)
	}
	return mails
}

// plainPart is the text part of a multipart body.
func plainPart(body string) string {
	_, rest, found := strings.Cut(body, "Content-Type: text/plain")
	if !found {
		return body
	}
	_, rest, _ = strings.Cut(rest, "\r\n\r\n")
	text, _, _ := strings.Cut(rest, "\r\n--")
	return text
}

// codeMails are the mails that carry a code.
func codeMails(mails []mail) (with []mail) {
	for _, m := range mails {
		if emailCode.MatchString(m.body) {
			with = append(with, m)
		}
	}
	return with
}

// texts are the text messages that the double took for a number.
func (p *program) texts(number string) (bodies []string) {
	for _, m := range p.twilio.Messages() {
		if m.To == strings.ReplaceAll(number, " ", "") {
			bodies = append(bodies, m.Body)
		}
	}
	return bodies
}

var tags = regexp.MustCompile(`(?s)<[^>]*>`)

// visible is a page's text, for failures.
func visible(page string) string {
	_, main, found := strings.Cut(page, "<main")
	if !found {
		main = page
	}
	return strings.Join(strings.Fields(tags.ReplaceAllString("<main"+main, " ")), " ")
}

// aal is the level that the CA reads.
func aal(answer map[string]any) any {
	assessment, _ := answer["assessment"].(map[string]any)
	return assessment["aal"]
}

func wantStatus(t testing.TB, answer map[string]any, want string) {
	t.Helper()
	if answer["status"] != want {
		t.Fatalf("the CA reads %v, want %s: %v", answer["status"], want, answer)
	}
}
