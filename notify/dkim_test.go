package notify_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"github.com/countersign-id/countersign/notify"
	"github.com/countersign-id/countersign/proofing"
)

func rsaKey(t *testing.T, bits int) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ed25519Key(t *testing.T) crypto.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func keyPEM(t *testing.T, key crypto.Signer) proofing.Secret {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return proofing.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// keyRecord is what the DNS says of a key.
func keyRecord(t *testing.T, key crypto.Signer) string {
	t.Helper()
	if public, ok := key.Public().(ed25519.PublicKey); ok {
		return "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public) // RFC 8463 4.2
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der)
}

// verifyDKIM has go-msgauth check a mail's one signature.
func verifyDKIM(t *testing.T, mail, record string) (*dkim.Verification, error) {
	t.Helper()
	found, err := dkim.VerifyWithOptions(strings.NewReader(mail), &dkim.VerifyOptions{
		LookupTXT: func(name string) ([]string, error) {
			if name != "mail2026._domainkey.id.example.org" {
				t.Errorf("looked for a key at %q", name)
			}
			return []string{record}, nil
		},
	})
	if err != nil || len(found) != 1 {
		t.Fatalf("found %d signatures, %v", len(found), err)
	}
	return found[0], found[0].Err
}

func TestMailIsSigned(t *testing.T) {
	for name, key := range map[string]crypto.Signer{
		"RSA, 2048 bits": rsaKey(t, 2048), "RSA, 4096 bits": rsaKey(t, 4096), "Ed25519": ed25519Key(t),
	} {
		t.Run(name, func(t *testing.T) {
			server := startMailServer(t, mailServerOptions{})
			config := server.config()
			config.FromName, config.ReplyTo = "Prüfstelle", "help@example.org"
			config.DKIM = &notify.DKIMConfig{Selector: "mail2026", Key: keyPEM(t, key)}
			p := newSMTP(t, config)
			// At once, since go-mail's signer must not be shared.
			var group sync.WaitGroup
			for range 4 {
				group.Go(func() {
					if _, err := p.Deliver(ctxFor(t, 30*time.Second), mailTo("msg-1", "alice@example.com"), mailWords); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			for _, mail := range server.take() {
				checkSignature(t, mail.data, keyRecord(t, key))
			}
		})
	}
}

func checkSignature(t *testing.T, mail, record string) {
	t.Helper()
	v, err := verifyDKIM(t, mail, record)
	if err != nil {
		t.Fatalf("%v in\n%s", err, mail)
	}
	if v.Domain != "id.example.org" {
		t.Errorf("signed by %q", v.Domain)
	}
	covered := "," + strings.ToLower(strings.Join(v.HeaderKeys, ",")) + ","
	// RFC 8823 3.1
	for _, field := range []string{
		"from", "sender", "reply-to", "to", "cc", "subject", "date", "in-reply-to", "references",
		"message-id", "auto-submitted", "content-type", "content-transfer-encoding",
	} {
		if !strings.Contains(covered, ","+field+",") {
			t.Errorf("%s is not covered", field)
		}
	}
	for line := range strings.SplitSeq(mail, "\r\n") {
		if len(line) > 998 {
			t.Errorf("a line has %d characters (RFC 5322 2.1.1)", len(line))
		}
	}
	for what, forged := range map[string]string{
		"another body":     strings.Replace(mail, "314159", "271828", 1),
		"another subject":  strings.Replace(mail, "\r\nSubject:", "\r\nSubject: Re:", 1),
		"a second subject": strings.Replace(mail, "\r\nSubject:", "\r\nSubject: x\r\nSubject:", 1),
		"a second from":    strings.Replace(mail, "From: ", "From: eve@example.net\r\nFrom: ", 1),
		"an added sender":  strings.Replace(mail, "From: ", "Sender: eve@example.net\r\nFrom: ", 1),
		"an added cc":      strings.Replace(mail, "From: ", "Cc: eve@example.net\r\nFrom: ", 1),
	} {
		if forged == mail {
			t.Errorf("%s: nothing was changed", what)
		}
		if _, err := verifyDKIM(t, forged, record); err == nil {
			t.Errorf("the signature holds for %s", what)
		}
	}
}
