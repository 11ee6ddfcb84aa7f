package twiliotest_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/notify/twiliotest"
)

const (
	account = "AC0123456789abcdef0123456789abcdef"
	token   = "0123456789abcdef0123456789abcdef"
	path    = "/2010-04-01/Accounts/" + account + "/Messages.json"
)

// TestSignature has the example of Twilio's documentation
// (https://www.twilio.com/docs/usage/security).
func TestSignature(t *testing.T) {
	got := twiliotest.New("", "12345").Sign("https://mycompany.com/myapp.php?foo=1&bar=2", url.Values{
		"CallSid": {"CA1234567890ABCDE"}, "Caller": {"+14158675309"}, "Digits": {"1234"},
		"From": {"+14158675309"}, "To": {"+18005551212"},
	})
	if want := "RSOYDt4T1cUTdK1PDd93/VVr8B8="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestRefusals: what a client gets wrong is refused, in Twilio's form.
func TestRefusals(t *testing.T) {
	double := twiliotest.New(account, token)
	base, stop, err := double.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	good := func(change func(url.Values)) url.Values {
		form := url.Values{"To": {"+15005550010"}, "From": {twiliotest.From}, "Body": {"x"}}
		change(form)
		return form
	}
	asIs := good(func(url.Values) {})
	for _, c := range []struct {
		name         string
		method, path string
		password     string
		kind         string
		form         url.Values
		status, code int
	}{
		{"all is well", "POST", path, token, "", asIs, 201, 0},
		{"a wrong token", "POST", path, "x", "", asIs, 401, 20003},
		{"another account's path", "POST", strings.Replace(path, "0123", "3210", 1), token, "", asIs, 404, 20404},
		{"another resource", "POST", strings.Replace(path, "Messages", "Calls", 1), token, "", asIs, 403, 20008},
		{"by GET", "GET", path, token, "", nil, 405, 20004},
		{"as JSON", "POST", path, token, "application/json", asIs, 400, 20001},
		{"without To", "POST", path, token, "", good(func(f url.Values) { f.Del("To") }), 400, 21604},
		{"without Body", "POST", path, token, "", good(func(f url.Values) { f.Del("Body") }), 400, 21602},
		{"without From", "POST", path, token, "", good(func(f url.Values) { f.Del("From") }), 400, 21603},
		{"too long", "POST", path, token, "", good(func(f url.Values) { f.Set("Body", strings.Repeat("ü", 1601)) }), 400, 21617},
		{"too large", "POST", path, token, "", good(func(f url.Values) { f.Set("Body", strings.Repeat("x", 1<<17)) }), 413, 20413},
		{"no number", "POST", path, token, "", good(func(f url.Values) { f.Set("To", "0800 1234") }), 400, 21211},
		{"no such service", "POST", path, token, "", good(func(f url.Values) { f.Del("From"); f.Set("MessagingServiceSid", "MG1") }), 400, 21701},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			r, err := http.NewRequestWithContext(ctx, c.method, base+c.path, strings.NewReader(c.form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			if c.kind == "" {
				c.kind = "application/x-www-form-urlencoded"
			}
			r.Header.Set("Content-Type", c.kind)
			r.SetBasicAuth(account, c.password)
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = res.Body.Close() }()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			var answer struct {
				Code, Message, Status any
				MoreInfo              string `json:"more_info"`
			}
			if err := json.Unmarshal(body, &answer); err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != c.status {
				t.Errorf("got %d, want %d: %s", res.StatusCode, c.status, body)
			}
			if c.code != 0 && (answer.Code != float64(c.code) || answer.Status != float64(c.status) || answer.MoreInfo == "") {
				t.Errorf("got %s, want code %d", body, c.code)
			}
		})
	}
	if n := len(double.Messages()); n != 1 {
		t.Errorf("the double took %d messages", n)
	}
}
