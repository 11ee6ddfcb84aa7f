package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

const (
	keptEvidence       = "../../audit/testdata/evidence.json"
	keptEvidenceLogKey = "../../audit/testdata/evidence-log-key.txt"
)

func verifyEvidence(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"evidence", "verify"}, args...), &globals{stdin: strings.NewReader(stdin), stdout: &out, stderr: &errs})
	return code, out.String(), errs.String()
}

func TestEvidenceIsToldToAnAuditorInPlainWords(t *testing.T) {
	code, out, errs := verifyEvidence(t, "", keptEvidence, "--log-key", keptEvidenceLogKey)
	if code != exitOK || errs != "" {
		t.Fatalf("exit %d, %s", code, errs)
	}
	for _, want := range []string{
		"The evidence holds. All ", "in the log proof.example.org/log", // what it rests on
		"Certificate serial number 3a7f, SHA-256 ", "for CN=Example Corporation,O=Example Corporation", "(460 days)", "order: https://ca.example/order/9", // which
		"for organization Example Corporation under the profile signing", "for the account https://ca.example/acct/9, key Ev0", // for whom
		"Proved      fido (webauthn), bound before, by requester (person ", "AAL2", "SP 800-63B-4 2.2.1: ", "judged anew by the rules", // how strongly, with clauses
		"Approved    for the organization, by approver (person ", "as certificate approver", "Approved    what was collected, by specialist", "Approved    in the final review, by reviewer", // who approved
		"  | Example Corporation asks for a certificate.", "for Example Corporation, number HRB 1234, DE", // what
		"which was enrolled for this person at ", "appointment confirmed by Two (person ", // with which key, by what right
		"Dossier     of Example Corporation", "registration number: HRB 1234 (good)", "method 4 of CSBR 6.2.7.4.2", "list sanctions, version 2026-11-20", "approver authority of approver (person ",
		"Role        certificate requester of requester (person ", "by requester list, reference file 17", "Role        contract signer of signer (person ", "by professional letter, reference file 17", // who else acts
		"Not shown by this file", "unless the finding not valid says so",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
}

func TestEvidenceThatProvesNothingSaysWhatIsWrong(t *testing.T) {
	file, err := os.ReadFile(keptEvidence)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, stdin string
		args        []string
		code        int
		want        string
	}{
		{"another name", strings.Replace(string(file), "Example Corporation", "Example Corporatiom", 1), []string{"-", "--log-key", keptEvidenceLogKey}, exitFailure, "the seal is of another file"},
		{"another form of the same", strings.Replace(string(file), `","`, `", "`, 1), []string{"-", "--log-key", keptEvidenceLogKey}, exitFailure, "canonical form (RFC 8785), so something was changed in it: first at byte "},
		{"a line more", string(file) + "\n", []string{"-", "--log-key", keptEvidenceLogKey}, exitFailure, "white space before or after it"},
		{"a line feed less", strings.TrimSpace(string(file)), []string{"-", "--log-key", keptEvidenceLogKey}, exitFailure, "white space before or after it"},
		{"no evidence", "{}", []string{"-", "--log-key", keptEvidenceLogKey}, exitFailure, "the type is"},
		{"the key of another log", "", []string{keptEvidence, "--log-key", keptLogKey}, exitFailure, "seal"},
		{"a key that is none", "", []string{keptEvidence, "--log-key", "nowhere.txt"}, exitUsage, "no such file"},
		{"no such file", "", []string{"nowhere.json", "--log-key", keptEvidenceLogKey}, exitUsage, "countersign: open nowhere.json: no such file"},
		{"no key", "", []string{keptEvidence}, exitUsage, "--log-key"},
	} {
		code, out, errs := verifyEvidence(t, c.stdin, c.args...)
		if code != c.code || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("%s: exit %d, says %q and prints %q; want exit %d and %q", c.name, code, errs, out, c.code, c.want)
		}
	}
}

// mailed keeps what was sent.
type mailed struct{ codes map[string]proofing.Secret }

func (m *mailed) Send(_ context.Context, one proofing.Message) (proofing.Receipt, error) {
	if one.Code != "" {
		m.codes[one.To.Reveal()] = one.Code
	}
	return proofing.Receipt{Provider: "test"}, nil
}

// certified proves a mailbox for an account, and has a certificate issued for it.
func (d *desk) certified(address string, serial int64) (c *proofing.Case, made *proofing.Certificate) {
	d.t.Helper()
	fatal := func(err error) {
		if err != nil {
			d.t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fatal(err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "me"}, NotBefore: d.at, NotAfter: d.at.Add(time.Hour)},
		&x509.Certificate{Subject: pkix.Name{CommonName: "CA"}}, &key.PublicKey, key)
	fatal(err)
	ctx := d.t.Context()
	fatal(d.globals(&bytes.Buffer{}, &bytes.Buffer{}).administer(false, func(a *admin) error {
		s, post := a.service, &mailed{map[string]proofing.Secret{}}
		s.Sender, s.Recorder = post, a.storage.tree(a.config, s, a.now)
		s.Policy.Profiles["client"] = &proofing.Profile{
			Name: "client", Framework: proofing.R4, Identifiers: []string{"email"}, Methods: []string{"email"}, CaseLifetime: time.Hour, GrantLifetime: 24 * time.Hour, Retention: time.Hour,
			Require: proofing.Requirement{ConfirmedAddresses: []proofing.Channel{proofing.ChannelEmail}},
		}
		ca, err := s.Authority(ctx, "example")
		fatal(err)
		c, _, err = s.Open(ctx, ca, proofing.OpenRequest{
			Applicant:  proofing.Applicant{Kind: proofing.ByAccount, URL: "https://ca.example/acct/1", Thumbprint: strings.Repeat("A", 43)},
			Identifier: proofing.Identifier{Type: "email", Value: address}, Profile: "client",
		})
		fatal(err)
		v := proofing.Visit{Link: proofing.Secret(c.ID + "." + c.LinkSecret.Reveal()), Browser: "b", Client: "192.0.2.7", Lang: "en"}
		_, attempt, err := s.Begin(ctx, v, "email", address)
		fatal(err)
		_, err = s.WorkOnce(ctx)
		fatal(err)
		_, _, err = s.Answer(ctx, v, attempt.ID, post.codes[address])
		fatal(err)
		made, err = s.CertificateIssued(ctx, ca, proofing.CertificateReport{DER: der, Cases: []string{c.ID}})
		fatal(err)
		return s.SequenceOnce(ctx)
	}))
	return c, made
}

func TestEvidenceIsWrittenByEveryNameAndCheckedWithoutTheStore(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	c, made := d.certified("me@example.org", 0x3a7f)
	key, _ := d.run(exitOK, "audit", "key")
	for _, name := range []string{c.ID, "3a7f", "3A:7F", made.Digest, hexDigest(made.Digest)} {
		file := filepath.Join(d.dir, "evidence-"+strings.ReplaceAll(name, ":", "_")+".json")
		_, said := d.run(exitOK, "evidence", "--out", file, "--", name)
		contains(t, said, "wrote the evidence of the ", "evidence verify "+file)
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
		code, out, errs := verifyEvidence(t, "", file, "--log-key", strings.TrimSpace(key))
		if code != exitOK {
			t.Fatalf("%s: exit %d, %s", name, code, errs)
		}
		contains(t, out, "The evidence holds.", "serial number 3a7f", "Proved      email (email code), which confirmed it", "with no IAL, no AAL, no FAL", "order: (not told)")
		_, said = d.run(exitUsage, "evidence", "--out", file, "--", name)
		contains(t, said, "is there already")
	}
	_, said := d.run(exitUsage, "evidence", "4711", "--out", filepath.Join(d.dir, "no.json"))
	contains(t, said, "there is no request and no certificate")
	d.certified("you@example.org", 0x3a7f) // the CA uses its numbers twice
	_, said = d.run(exitUsage, "evidence", "3a7f", "--out", filepath.Join(d.dir, "no.json"))
	contains(t, said, "several certificates with the serial number", hexDigest(made.Digest))
	opened := d.open("example", "client", proofing.Identifier{Type: "email", Value: "other@example.org"})
	_, said = d.run(exitFailure, "evidence", opened.ID, "--out", filepath.Join(d.dir, "no.json"))
	contains(t, said, "not everything is in the log yet", "try again")
	if _, err := os.Stat(filepath.Join(d.dir, "no.json")); err == nil {
		t.Error("a file is left of what failed")
	}

	_, said = d.run(exitUsage, "evidence", "approvals", c.ID, "--out", d.dir)
	contains(t, said, "nobody has decided about the request "+c.ID)
	_, said = d.run(exitUsage, "evidence", "approvals", "4711", "--out", d.dir)
	contains(t, said, "there is no request")
}
