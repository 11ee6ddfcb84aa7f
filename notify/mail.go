package notify

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"
	"time"
	"unicode"

	"github.com/wneessen/go-mail"

	"github.com/countersign-id/countersign/proofing"
)

// mailWriter makes the bytes of mails, signed if it has a key.
type mailWriter struct {
	from    netmail.Address
	replyTo *netmail.Address
	domain  string // of from
	dkim    *dkimKey
	now     func() time.Time
}

// letter is a mail ready to go.
type letter struct {
	from, to string // of the envelope, in angle brackets
	// utf8 says that an address cannot be written without SMTPUTF8 (RFC 6531).
	utf8      bool
	messageID string
	data      []byte
}

// dkimKey is what it takes to sign (RFC 6376).
type dkimKey struct {
	domain, selector string
	key              crypto.Signer
}

// dkimHeaders are the fields that RFC 8823 3.1 wants covered. A field that a mail
// does not have is signed as absent, so that nobody can add it on the way.
var dkimHeaders = []string{
	"From", "Sender", "Reply-To", "To", "Cc", "Subject", "Date", "In-Reply-To", "References",
	"Message-ID", "Auto-Submitted", "Content-Type", "Content-Transfer-Encoding",
}

// dkimOnce are the fields that a mail has and must not get a second time.
var dkimOnce = []string{"From", "To", "Subject", "Date", "Content-Type"}

func newMailWriter(c SMTPConfig) (*mailWriter, error) {
	from, err := parseAddress(c.From)
	if err != nil {
		return nil, fmt.Errorf("from: %w", err)
	}
	if err := oneLine(c.FromName); err != nil {
		return nil, fmt.Errorf("from name: %w", err)
	}
	from.Name = c.FromName
	w := &mailWriter{from: *from, domain: from.Address[strings.LastIndexByte(from.Address, '@')+1:], now: time.Now}
	if c.ReplyTo != "" {
		if w.replyTo, err = parseAddress(c.ReplyTo); err != nil {
			return nil, fmt.Errorf("reply-to: %w", err)
		}
	}
	if c.DKIM != nil {
		if w.dkim, err = newDKIMKey(*c.DKIM, w.domain); err != nil {
			return nil, fmt.Errorf("dkim: %w", err)
		}
	}
	return w, nil
}

func newDKIMKey(c DKIMConfig, fromDomain string) (*dkimKey, error) {
	if c.Domain == "" {
		c.Domain = fromDomain
	}
	key, err := mail.PrivKeyFromPEM([]byte(c.Key.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	if k, ok := key.(*rsa.PrivateKey); ok && k.N.BitLen() < 2048 {
		return nil, fmt.Errorf("an RSA key of %d bits is too short (RFC 8301 3.2)", k.N.BitLen())
	}
	for _, name := range []string{c.Domain, c.Selector} {
		if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == ';' || r == ':' }) {
			return nil, errors.New("domain and selector must be plain domain names")
		}
	}
	if err := mail.NewDKIMSigner(c.Domain, c.Selector, key).ValidateConfig(); err != nil {
		return nil, err
	}
	return &dkimKey{domain: c.Domain, selector: c.Selector, key: key}, nil
}

// write makes a letter. Its error is about the message and quotes none of it.
func (w *mailWriter) write(m proofing.Message, r Rendered) (*letter, error) {
	to, err := parseAddress(m.To.Reveal())
	if err != nil {
		return nil, refused(reasonRejectedAddress, err)
	}
	if err := errors.Join(checkID(m.ID), oneLine(r.Subject)); err != nil {
		return nil, refused(reasonConfiguration, err)
	}
	if r.Subject == "" || r.Text == "" {
		return nil, refused(reasonConfiguration, errors.New("a mail needs a subject and a text"))
	}
	id := m.ID + "@" + w.domain
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	msg.FromMailAddress(&w.from)
	msg.ToMailAddress(to)
	if w.replyTo != nil {
		msg.ReplyToMailAddress(w.replyTo)
	}
	msg.Subject(r.Subject)
	msg.SetDateWithValue(w.now())
	msg.SetMessageIDWithValue(id)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 5
	msg.SetBodyString(mail.TypeTextPlain, r.Text)
	if r.HTML != "" {
		msg.AddAlternativeString(mail.TypeTextHTML, r.HTML)
	}
	var data bytes.Buffer
	if _, err := msg.WriteTo(&data); err != nil {
		return nil, refused(reasonConfiguration, fmt.Errorf("write the mail: %w", err))
	}
	l := &letter{from: bare(&w.from), to: bare(to), messageID: id, data: data.Bytes()}
	l.utf8 = !isASCII(l.from) || !isASCII(l.to)
	if w.dkim != nil {
		if l.data, err = w.dkim.sign(l.data, w.now); err != nil {
			return nil, refused(reasonConfiguration, fmt.Errorf("sign the mail: %w", err))
		}
	}
	return l, nil
}

// sign puts a DKIM-Signature above a mail.
func (k *dkimKey) sign(data []byte, now func() time.Time) ([]byte, error) {
	header, body, ok := bytes.Cut(data, []byte("\r\n\r\n"))
	if !ok {
		return nil, errors.New("no end of header")
	}
	// A signer of its own for each mail: go-mail's remembers its algorithm on
	// first use without a lock.
	s := mail.NewDKIMSigner(k.domain, k.selector, k.key)
	s.SignHeaders(dkimHeaders...)
	s.OversignHeaders(dkimOnce...)
	s.NowFunc = now
	field, err := s.Sign(header, body)
	if err != nil {
		return nil, err
	}
	return append([]byte(refold(field)), data...), nil
}

// refold folds a DKIM-Signature between its tags. go-mail folds every 76
// characters and thereby splits a long list of headers in the middle of a name,
// which breaks the signature; what it signs is the field unfolded.
func refold(field string) string {
	field = strings.ReplaceAll(strings.TrimSuffix(field, "\r\n"), "\r\n ", "")
	return strings.ReplaceAll(field, "; ", ";\r\n ") + "\r\n"
}

// parseAddress reads a bare address: no name, no list, nothing that ends a line.
func parseAddress(s string) (*netmail.Address, error) {
	if oneLine(s) != nil {
		return nil, errors.New("address has a control character")
	}
	a, err := netmail.ParseAddress(s)
	if err != nil {
		return nil, errors.New("not an address") // the cause would quote it
	}
	if s != a.Address && "<"+s+">" != bare(a) {
		return nil, errors.New("not a bare address")
	}
	return &netmail.Address{Address: a.Address}, nil
}

// bare is the form of an address that SMTP commands take.
func bare(a *netmail.Address) string {
	return (&netmail.Address{Address: a.Address}).String()
}

// oneLine refuses text that could end a header field and begin another.
func oneLine(s string) error {
	if strings.ContainsFunc(s, unicode.IsControl) || strings.ContainsAny(s, "\u2028\u2029") {
		return errors.New("text for one line has a control character")
	}
	return nil
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}
