package notify_test

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/notify"
	"github.com/countersign-id/countersign/proofing"
)

func (h *mailHog) config() notify.SMTPConfig {
	return notify.SMTPConfig{
		Host: h.host, Port: h.port, TLS: "none",
		From: "noreply@id.example.org", FromName: "Prüfstelle Beispiel", ReplyTo: "help@example.org",
	}
}

func newSMTP(t *testing.T, c notify.SMTPConfig) *notify.SMTP {
	t.Helper()
	p, err := notify.NewSMTP(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func mailTo(id, to string) proofing.Message {
	return proofing.Message{
		ID: id, Kind: "email_code", Channel: proofing.ChannelEmail,
		To: proofing.Secret(to), Code: "314159", Minutes: 10,
	}
}

var mailWords = notify.Rendered{
	Subject: "Ihr Code für example.org – 認証コード, und noch einiges mehr, damit die Zeile gefaltet werden muss",
	Text:    "Ihr Code ist 314159.\n.\nGrüße\n" + strings.Repeat("lang ", 60) + "\n",
	HTML:    "<p>Ihr Code ist <b>314159</b>. Grüße</p>\n",
}

// parsed is a mail as its reader's program sees it.
type parsed struct {
	header     netmail.Header
	subject    string
	text, html string
}

func parseMail(t *testing.T, raw string) parsed {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	p := parsed{header: m.Header}
	if p.subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	if kind == "text/plain" {
		p.text = decoded(t, quotedprintable.NewReader(m.Body))
		return p
	}
	if kind != "multipart/alternative" {
		t.Fatalf("got a mail of %q", kind)
	}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := r.NextPart() // undoes quoted-printable
		if errors.Is(err, io.EOF) {
			return p
		}
		if err != nil {
			t.Fatal(err)
		}
		switch body := decoded(t, part); {
		case strings.HasPrefix(part.Header.Get("Content-Type"), "text/plain"):
			p.text = body
		default:
			p.html = body
		}
	}
}

func decoded(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

func TestMailArrivesAsWritten(t *testing.T) {
	h := startMailHog(t)
	p := newSMTP(t, h.config())
	receipt, err := p.Deliver(ctxFor(t, 30*time.Second), mailTo("msg-0001", "alice@example.com"), mailWords)
	if err != nil {
		t.Fatal(err)
	}
	if receipt.Provider != "smtp" || receipt.Reference == "" {
		t.Errorf("got receipt %+v", receipt)
	}
	mails := h.search(t, "alice@example.com")
	if len(mails) != 1 {
		t.Fatalf("MailHog has %d mails", len(mails))
	}
	if got := mails[0]; got.From != "noreply@id.example.org" || got.To != "alice@example.com" {
		t.Errorf("got an envelope from %q to %q", got.From, got.To)
	}
	got := parseMail(t, mails[0].Raw)
	for name, want := range map[string]string{
		"Message-Id":     "<msg-0001@id.example.org>",
		"Auto-Submitted": "auto-generated",
		"To":             "<alice@example.com>",
		"Reply-To":       "<help@example.org>",
		"Mime-Version":   "1.0",
		"User-Agent":     "",
		"X-Mailer":       "",
	} {
		if got.header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.header.Get(name), want)
		}
	}
	from, err := got.header.AddressList("From")
	if err != nil || len(from) != 1 || from[0].Name != "Prüfstelle Beispiel" || from[0].Address != "noreply@id.example.org" {
		t.Errorf("From is %v, %v", from, err)
	}
	if at, err := got.header.Date(); err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("Date is %v, %v", at, err)
	}
	if got.subject != mailWords.Subject || got.text != mailWords.Text || got.html != mailWords.HTML {
		t.Errorf("got %q, %q, %q", got.subject, got.text, got.html)
	}
}

func TestMailWithoutHTML(t *testing.T) {
	h := startMailHog(t)
	words := notify.Rendered{Subject: "Your code", Text: "314159"}
	p := newSMTP(t, h.config())
	// Several over one connection.
	for i := range 3 {
		if _, err := p.Deliver(ctxFor(t, 30*time.Second), mailTo(fmt.Sprintf("msg-%d", i), "bob@example.com"), words); err != nil {
			t.Fatal(err)
		}
	}
	mails := h.search(t, "bob@example.com")
	if len(mails) != 3 {
		t.Fatalf("MailHog has %d mails", len(mails))
	}
	if got := parseMail(t, mails[0].Raw); got.text != words.Text || got.html != "" {
		t.Errorf("got %q, %q", got.text, got.html)
	}
}

// TestMailSurvivesJim sends through MailHog while its chaos monkey drops
// connections and refuses people. What happens is random, so the test checks
// what must hold whatever happens.
func TestMailSurvivesJim(t *testing.T) {
	const mails, senders = 60, 4
	h := startMailHog(t, "-invite-jim", "-jim-accept", "0.95", "-jim-disconnect", "0.06",
		"-jim-reject-sender", "0.05", "-jim-reject-recipient", "0.1", "-jim-reject-auth", "0",
		"-jim-linkspeed-affect", "0.1", "-jim-linkspeed-min", "20000", "-jim-linkspeed-max", "100000")
	p := newSMTP(t, h.config())
	outcomes := make([]error, mails)
	var group sync.WaitGroup
	for s := range senders {
		group.Go(func() {
			for i := s; i < mails; i += senders {
				to := fmt.Sprintf("person-%d@example.com", i)
				_, outcomes[i] = p.Deliver(ctxFor(t, 30*time.Second), mailTo(fmt.Sprintf("msg-%d", i), to), mailWords)
			}
		})
	}
	group.Wait()
	time.Sleep(200 * time.Millisecond) // MailHog may still be storing a mail whose line is gone
	counts := map[proofing.Outcome]int{}
	for i, err := range outcomes {
		to := fmt.Sprintf("person-%d@example.com", i)
		kept := len(h.search(t, to))
		var e *proofing.SendError
		switch {
		case err == nil:
			counts["sent"]++
			if kept != 1 {
				t.Errorf("mail %d was reported sent, and %d are there", i, kept)
			}
		case !errors.As(err, &e):
			t.Errorf("mail %d: %v is not a SendError", i, err)
		default:
			counts[e.Outcome]++
			if e.Outcome != proofing.Unknown && kept != 0 {
				t.Errorf("mail %d was reported %s, and is there: %v", i, e.Outcome, err)
			}
			if strings.Contains(err.Error(), to) {
				t.Errorf("the error names the address: %v", err)
			}
		}
	}
	t.Logf("outcomes: %v", counts)
	if counts["sent"] == 0 {
		t.Error("Jim let nothing through: the run says nothing")
	}
}
