package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/countersign-id/countersign/conformance"
	"github.com/countersign-id/countersign/proofing"
)

type conformanceCommand struct {
	EAB conformanceEABCommand `cmd:"" name:"eab" help:"Ask how a server treats external account bindings, and pre-authorizations if it serves them. It makes accounts and deactivates them."`
}

type conformanceEABCommand struct {
	Directory   string   `arg:"" name:"url" help:"The URL of the server's directory."`
	Kid         string   `required:"" help:"A key identifier of the CA, good for one account more." placeholder:"KID"`
	HMACKey     string   `name:"hmac-key" required:"" help:"Its MAC key in base64url, or - to read it from standard input, where no list of processes shows it." placeholder:"KEY"`
	Identifier  string   `help:"What the account may be pre-authorized for, if the server serves newAuthz. The account gives it up at the end." placeholder:"TYPE:VALUE"`
	OtherKid    string   `name:"other-kid" help:"Another key of the same algorithm, for an account that must not have what the first one has. Not needed if no binding is required." placeholder:"KID"`
	OtherHMAC   string   `name:"other-hmac-key" help:"Its MAC key, or - to read it from standard input, on a line after the first." placeholder:"KEY"`
	Alg         string   `help:"The algorithm of the key." enum:"HS256,HS384,HS512" default:"HS256"`
	CAFile      string   `name:"ca-file" help:"Certificates to believe the server by, in PEM, instead of the system's." type:"path" placeholder:"FILE"`
	Contact     []string `help:"A contact of the accounts, for servers that demand one." placeholder:"mailto:ADDRESS"`
	AgreeTerms  bool     `help:"Agree to the terms of service that the directory names."`
	MaxAccounts int      `help:"How many accounts may be made; what would make more is not asked." default:"5" placeholder:"N"`
	JSON        bool     `name:"json" help:"For machines."`
}

// maxCAFile and maxMACKeys bound what is read of a file and of standard input.
const (
	maxCAFile  = 1 << 20
	maxMACKeys = 8 << 10
)

func (c *conformanceEABCommand) Run(g *globals) error {
	if c.MaxAccounts < conformance.LeastAccounts {
		return usagef("--max-accounts: %d are the least that show anything", conformance.LeastAccounts)
	}
	lines := bufio.NewReader(io.LimitReader(g.stdin, maxMACKeys))
	key, err := macKey("--hmac-key", c.HMACKey, lines)
	if err != nil {
		return err
	}
	var otherKey []byte
	if c.OtherKid != "" || c.OtherHMAC != "" {
		if otherKey, err = macKey("--other-hmac-key", c.OtherHMAC, lines); err != nil {
			return err
		}
		if c.OtherKid == "" {
			return usagef("--other-hmac-key: it is a key without --other-kid")
		}
	}
	identifier, err := c.identifier()
	if err != nil {
		return err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if transport.TLSClientConfig, err = c.trust(); err != nil {
		return err
	}
	defer transport.CloseIdleConnections()
	run, err := conformance.EAB{
		Directory: c.Directory, Kid: c.Kid, Key: key, Algorithm: c.Alg, Identifier: identifier, OtherKid: c.OtherKid, OtherKey: otherKey, Contact: c.Contact, AgreeTerms: c.AgreeTerms, MaxAccounts: c.MaxAccounts,
		HTTP: &http.Client{Transport: transport}, Now: g.now,
	}.Prepare(g.ctx)
	switch {
	case errors.Is(err, conformance.ErrTerms):
		return usagef("%w: read them, and say --agree-terms", err)
	case err != nil:
		return fmt.Errorf("prepare: %w", err)
	}
	fmt.Fprintf(g.stderr, "asking %s: about %d requests, five minutes at most. A server that is right makes %s, one that is wrong up to %d; they are deactivated at the end.\n",
		c.Directory, run.Requests(), accounts(run.Leaves()), c.MaxAccounts)
	return c.conclude(g, run.Do(g.ctx))
}

// conclude prints a report, and fails unless every MUST was seen to hold.
func (c *conformanceEABCommand) conclude(g *globals, r *conformance.Report) error {
	if err := c.print(g, r); err != nil {
		return err
	}
	if !r.Passed() {
		return exitError(exitFailure)
	}
	return nil
}

func accounts(n int) string {
	if n == 1 {
		return "1 account"
	}
	return fmt.Sprintf("%d accounts", n)
}

// macKey reads a MAC key: the word itself, or the next line if it is -. No error repeats it.
func macKey(option, word string, lines *bufio.Reader) ([]byte, error) {
	text := proofing.Secret(word)
	if word == "-" {
		line, err := lines.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read the MAC key: %w", err)
		}
		text = proofing.Secret(strings.TrimSpace(line))
	}
	key, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text.Reveal(), "="))
	if err != nil || len(key) == 0 {
		return nil, usagef("%s: the MAC key is not in base64url (A-Z, a-z, 0-9, - and _), as RFC 8555 7.3.4 has it given out", option)
	}
	return key, nil
}

// identifier reads TYPE:VALUE; none is none.
func (c *conformanceEABCommand) identifier() (conformance.Identifier, error) {
	kind, value, ok := strings.Cut(c.Identifier, ":")
	if c.Identifier != "" && (!ok || kind == "" || value == "") {
		return conformance.Identifier{}, usagef("--identifier: %q is not like dns:name.example", c.Identifier)
	}
	return conformance.Identifier{Type: kind, Value: value}, nil
}

// trust is whose certificates are believed.
func (c *conformanceEABCommand) trust() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile == "" {
		return config, nil
	}
	f, err := os.Open(c.CAFile)
	if err != nil {
		return nil, usagef("--ca-file: %w", err)
	}
	defer f.Close()
	pem, err := io.ReadAll(io.LimitReader(f, maxCAFile))
	if err != nil {
		return nil, fmt.Errorf("--ca-file: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, usagef("--ca-file: there is no certificate in %s", c.CAFile)
	}
	return config, nil
}

// conformanceView is a report as machines read it.
type conformanceView struct {
	*conformance.Report
	Passed bool `json:"passed"`
}

func (c *conformanceEABCommand) print(g *globals, r *conformance.Report) error {
	if c.JSON {
		return writeJSON(g.stdout, conformanceView{r, r.Passed()})
	}
	var rows [][]string
	for _, k := range r.Checks {
		rows = append(rows, []string{k.Check, string(k.Level), string(k.Outcome), k.Clause, k.Saw})
	}
	if err := g.table([]string{"CHECK", "LEVEL", "OUTCOME", "CLAUSE", "THE SERVER'S ANSWER"}, rows); err != nil {
		return err
	}
	fmt.Fprintln(g.stdout)
	for _, k := range r.Checks {
		if k.Outcome == conformance.Broken {
			fmt.Fprintf(g.stdout, "%s: %s %s: %s\n", k.Check, k.Clause, k.Level, k.Demand)
		}
	}
	for _, l := range []conformance.Level{conformance.Must, conformance.Should} {
		fmt.Fprintf(g.stdout, "%s: %d held, %d broken, %d undecided, %d not applicable\n", l,
			r.Count(l, conformance.Held), r.Count(l, conformance.Broken), r.Count(l, conformance.Undecided), r.Count(l, conformance.NotApplicable))
	}
	fmt.Fprintf(g.stdout, "made %s, %d not deactivated", accounts(r.Made), len(r.Left))
	if r.Unsure > 0 {
		fmt.Fprintf(g.stdout, "; up to %d more may have been made", r.Unsure)
	}
	fmt.Fprintln(g.stdout)
	for _, url := range r.Left {
		fmt.Fprintf(g.stdout, "left: %s\n", url)
	}
	return nil
}
