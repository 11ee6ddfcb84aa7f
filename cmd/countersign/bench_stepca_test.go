package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// benchSteps are the webhooks of step-ca that are waited for before each certificate; their names are those of the table's rows.
var benchSteps = []string{"enriching", "authorizing"}

const benchStepID = "webhook-of-the-bench"

var benchStepSecret = bytes.Repeat([]byte{7}, 64)

// benchStepKey is a key whose case somebody has proved, and what step-ca says of it.
type benchStepKey struct {
	spki, csr []byte
	email     string
}

// connectSteps registers the webhooks of the bench at its authority, as the operator of step-ca does.
func (x *bench) connectSteps() {
	x.b.Helper()
	printed := fmt.Sprintf("Webhook ID: %s\nSecret: %s\n", benchStepID, base64.StdEncoding.EncodeToString(benchStepSecret))
	for _, hook := range benchSteps {
		x.command("ca", "step-ca", "add", "hooks", hook, "--kind", strings.ToUpper(hook), "--profile", "client")
		x.commandWith(printed, "ca", "step-ca", "connect", "hooks", hook)
	}
}

// stepKeys has people prove their addresses for keys of certificates.
func (x *bench) stepKeys(n int) (keys []benchStepKey) {
	x.b.Helper()
	var bodies []string
	for i := range n {
		key, err := newSignerKey()
		if err != nil {
			x.b.Fatal(err)
		}
		k, err := benchStepKeyOf(key, fmt.Sprintf("step-%d@example.org", i))
		if err != nil {
			x.b.Fatal(err)
		}
		keys = append(keys, k)
		bodies = append(bodies, fmt.Sprintf(`{"public_key": %q, "profile": "client", "identifier": {"type": "email", "value": %q}}`, base64.RawURLEncoding.EncodeToString(k.spki), k.email))
	}
	x.provedCases(bodies)
	cas := x.to("cas", 1)[0]
	for _, hook := range benchSteps {
		for _, request := range stepRequests(hook, keys, time.Now()) {
			if r, err := cas.ask(request); err != nil || r.status != http.StatusOK || !strings.Contains(string(r.body), `"allow":true`) {
				x.b.Fatalf("%s: %d %v %s", hook, r.status, err, r.body)
			}
		}
	}
	return keys
}

func benchStepKeyOf(key *ecdsa.PrivateKey, email string) (k benchStepKey, err error) {
	k.email = email
	if k.spki, err = x509.MarshalPKIXPublicKey(&key.PublicKey); err != nil {
		return k, err
	}
	k.csr, err = x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{EmailAddresses: []string{email}}, key)
	return k, err
}

// stepRequests are calls of a webhook as step-ca v0.30.2 makes them at that time, one for each key. They are good for a few minutes.
func stepRequests(hook string, keys []benchStepKey, at time.Time) (requests [][]byte) {
	for _, k := range keys {
		told := map[string]any{"publicKey": k.spki, "publicKeyAlgorithm": "ECDSA", "subject": map[string]any{}}
		call := map[string]any{"timestamp": at.Format(time.RFC3339Nano)}
		if hook == "enriching" {
			told["emailAddresses"], told["signatureAlgorithm"], told["raw"] = []string{k.email}, "ECDSA-SHA256", k.csr
			call["x509CertificateRequest"] = told
		} else {
			told["sans"] = []map[string]string{{"type": "email", "value": k.email}}
			told["notBefore"], told["notAfter"] = at.Format(time.RFC3339), at.Add(24*time.Hour).Format(time.RFC3339)
			call["x509Certificate"] = told
		}
		body, err := json.Marshal(call)
		if err != nil {
			panic(err) // strings and bytes alone
		}
		mac := hmac.New(sha256.New, benchStepSecret)
		mac.Write(body)
		requests = append(requests, post("/step-ca/hooks/"+hook, "Content-Type: application/json\r\nX-Smallstep-Webhook-ID: "+benchStepID+"\r\nX-Smallstep-Signature: "+hex.EncodeToString(mac.Sum(nil))+"\r\n", string(body)))
	}
	return requests
}
