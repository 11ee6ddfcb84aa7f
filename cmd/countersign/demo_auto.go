package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// demoNumber is of a range that libphonenumber gives as Britain's example.
const demoNumber = "+44 7400 123456"

// play does what a CA and a person do, over HTTP and through the pages' own
// forms: once for somebody new, and once more for the same person, because only a
// number that was bound before can authenticate.
func (d *demo) play(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for i, title := range []string{"Somebody new", "The same person, a second time"} {
		fmt.Fprintf(out, "== %d. %s\n\n", i+1, title)
		if err := d.playCase(ctx, out); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	}
	fmt.Fprintln(out, "The first code to a number only confirms it; a later one authenticates (AAL1, restricted).\nAn e-mail code confirms an address and authenticates nobody.")
	return nil
}

func (d *demo) playCase(ctx context.Context, out io.Writer) error {
	step := func(format string, args ...any) { fmt.Fprintf(out, "* "+format+"\n", args...) }
	request := demoRequest(demoThumbprint(), demoProfiles[0])
	status, body, err := d.ask(ctx, "POST", "/v1/preauthorizations", request)
	if err != nil || status != http.StatusCreated {
		return fmt.Errorf("open: %d %s %w", status, body, err)
	}
	var opened struct {
		ID      string
		Status  string
		CaseURL string `json:"case_url"`
	}
	if err := json.Unmarshal(body, &opened); err != nil {
		return err
	}
	step("Example CA calls POST /v1/preauthorizations: %d, %s", status, opened.Status)
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	person := &player{demo: d, page: opened.CaseURL, http: &http.Client{Jar: jar, Timeout: 20 * time.Second}}
	for _, m := range []struct{ method, channel, address string }{{"email", "email", demoIdentifier}, {"sms", "phone", demoNumber}} {
		if err := person.prove(ctx, m.method, m.channel, m.address); err != nil {
			return fmt.Errorf("%s: %w", m.method, err)
		}
		step("The person opens the page, asks for a code by %s, reads it in the mailbox and types it", m.method)
	}
	status, body, err = d.ask(ctx, "GET", "/v1/preauthorizations/"+opened.ID+"?wait=10", "")
	if err != nil || status != http.StatusOK {
		return fmt.Errorf("read: %d %w", status, err)
	}
	r, err := result(body)
	if err != nil {
		return err
	}
	step("Example CA reads GET /v1/preauthorizations/%s: %d, %s", opened.ID, status, r.Status)
	if r.Status != "valid" || r.Statement == "" {
		return fmt.Errorf("the case did not end as it should: %s", r.Authorization)
	}
	fmt.Fprintf(out, "\nThe statement, signed, decoded:\n%s\n%s\n\n", r.Header, r.Claims)
	return explain(out, body)
}

// explain prints the reasons that stand in the authorization beside the statement.
func explain(out io.Writer, authorization []byte) error {
	var a struct{ Assessment proofing.Assessment }
	if err := json.Unmarshal(authorization, &a); err != nil {
		return fmt.Errorf("decode the assessment: %w", err)
	}
	fmt.Fprintln(out, "Why, in the assessment beside it:")
	for _, e := range a.Assessment.Events {
		fmt.Fprintf(out, "  event %d: %s\n", e.Index+1, strings.Join(e.Flags, ", "))
		for _, r := range e.Reasons {
			fmt.Fprintf(out, "    %-22s %s\n", r.Clause, r.Text)
		}
	}
	for _, r := range a.Assessment.Reasons {
		fmt.Fprintf(out, "  %-24s %s\n", r.Clause, r.Text)
	}
	fmt.Fprintln(out)
	return nil
}

// player is a browser without a screen.
type player struct {
	demo *demo
	page string
	http *http.Client
}

var attemptField = regexp.MustCompile(`name="attempt" value="([^"]+)"`)

// prove asks for a code, finds it in the mailbox, and answers with it.
func (p *player) prove(ctx context.Context, method, channel, address string) error {
	if _, err := p.get(ctx); err != nil {
		return err
	}
	began := p.demo.app.now()
	page, err := p.post(ctx, "/begin", url.Values{"method": {method}, "address": {address}})
	if err != nil {
		return err
	}
	attempt := attemptField.FindStringSubmatch(page)
	if attempt == nil {
		return fmt.Errorf("the page has no field for a code: %s", visible(page))
	}
	code, err := p.code(ctx, channel, began)
	if err != nil {
		return err
	}
	_, err = p.post(ctx, "/answer", url.Values{"attempt": attempt[1:], "code": {code}})
	return err
}

// codes are found where a person finds them.
var codeIn = map[string]*regexp.Regexp{
	"email": regexp.MustCompile(`\b([0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4})\b`),
	"phone": regexp.MustCompile(`#([0-9]{8,10})\s*$`),
}

// code waits for the message with the code.
func (p *player) code(ctx context.Context, channel string, since time.Time) (string, error) {
	for {
		for _, m := range p.demo.app.mailbox.List() {
			if string(m.Channel) != channel || m.At.Before(since) {
				continue
			}
			if found := codeIn[channel].FindStringSubmatch(m.Text); found != nil {
				return found[1], nil
			}
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("no code came: %w", ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (p *player) get(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.page, nil)
	if err != nil {
		return "", err
	}
	return p.do(req)
}

func (p *player) post(ctx context.Context, action string, form url.Values) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.page+action, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return p.do(req)
}

func (p *player) do(req *http.Request) (string, error) {
	resp, err := p.http.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s: %s", req.Method, resp.Status, visible(string(text)))
	}
	return string(text), nil
}

var tags = regexp.MustCompile(`(?s)<[^>]*>`)

// visible is a page's text, for an error message.
func visible(page string) string {
	return strings.Join(strings.Fields(tags.ReplaceAllString(page, " ")), " ")
}
