package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

type caStepCommand struct {
	Add     caStepAddCommand     `cmd:"" help:"Register a webhook, and print the command that makes it in step-ca."`
	Connect caStepConnectCommand `cmd:"" help:"Give a webhook the id and the secret that step-ca printed; it is answered from then on."`
	List    caStepListCommand    `cmd:"" help:"List the webhooks of a CA."`
	Remove  caStepRemoveCommand  `cmd:"" help:"Answer a webhook no longer. step-ca then issues nothing at its provisioner until it is removed there too."`
}

type caStepAddCommand struct {
	Name        string `arg:"" help:"The CA."`
	Hook        string `arg:"" help:"How the webhook is called, here and in step-ca. The templates in contrib/step-ca know the enriching one as countersign."`
	Kind        string `enum:"ENRICHING,AUTHORIZING,SCEPCHALLENGE,NOTIFYING" default:"ENRICHING" help:"What it asks: ${enum}."`
	Profile     string `required:"" help:"The profile under which it asks." placeholder:"NAME"`
	Correlate   string `enum:"key,identifier" default:"key" help:"How the case is found: by the certificate's key, or by a name in it, whoever's the case is (${enum})."`
	Links       bool   `help:"Open a case where there is none, and put the person's link into the refusal. step-ca writes refusals into its log, and clients into theirs: whoever reads those can open the link."`
	Provisioner string `default:"acme" help:"The provisioner in step-ca, for the command that is printed." placeholder:"NAME"`
}

func (c *caStepAddCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		if !shellWord.MatchString(c.Provisioner) {
			return usagef("--provisioner %q: the printed command takes letters, digits, and . _ @ + -", c.Provisioner)
		}
		ca, err := a.living(c.Name)
		if err != nil {
			return err
		}
		if !ca.May(c.Profile) {
			return usagef("the CA %s may not ask for the profile %q: it may ask for %s", c.Name, c.Profile, strings.Join(ca.Profiles, ", "))
		}
		p := a.service.Policy.Profiles[c.Profile]
		if p == nil {
			return usagef("the configuration has no profile %q any more", c.Profile)
		}
		hook := proofing.StepHook{
			Name: c.Hook, Kind: proofing.StepKind(c.Kind), Profile: c.Profile, Correlate: proofing.Correlation(c.Correlate), Links: c.Links, Created: a.time(),
		}
		err = a.editCA(c.Name, func(ca *proofing.Authority) error { return ca.AddStepHook(hook, p) })
		if input, ok := errors.AsType[*proofing.InputError](err); ok {
			return usagef("%s", input.Detail)
		}
		if err != nil {
			return err
		}
		at := a.config.stepURL(c.Name, c.Hook)
		a.say("registered the webhook %s of %s; it is answered once it is connected. Run this where step-ca is managed:", c.Hook, c.Name)
		if _, err := fmt.Fprintf(a.stdout, "step ca provisioner webhook add %s %s --url %s --kind %s --cert-type X509\n", c.Provisioner, c.Hook, at, c.Kind); err != nil {
			return err
		}
		a.say("and give what it prints to `countersign ca step-ca connect %s %s`", c.Name, c.Hook)
		if hook.Kind == proofing.StepEnriching {
			a.say("what this webhook answers reaches a certificate by a template alone: `step ca provisioner update %s --x509-template code-signing.tpl` (contrib/step-ca)", c.Provisioner)
		}
		if (hook.Kind == proofing.StepEnriching || hook.Kind == proofing.StepSCEPChallenge) && !ca.SeesCertificates(c.Profile) {
			a.say("%s", unseenCertificates(c.Name, c.Profile))
		}
		if hook.Kind == proofing.StepAuthorizing && !ca.ShowsCSRs(c.Profile) {
			a.say("step-ca shows no CSR to this webhook: connect one of the kind %s under the profile %s at the same provisioner, or nothing that is for certain CSRs alone is allowed", proofing.StepEnriching, c.Profile)
		}
		if !strings.HasPrefix(at, "https://") {
			a.say("step-ca calls https alone: set listeners.cas_tls, or listeners.cas_origin to where a proxy with TLS is")
		}
		return nil
	})
}

// unseenCertificates is what an operator is told who has webhooks that are asked before there is a certificate, and none that sees it.
func unseenCertificates(ca, profile string) string {
	return fmt.Sprintf("nobody looks at the certificates of the profile %s at %s: step-ca's template can put in anything, and its default one puts in every name of the request; connect a webhook of the kind %s under that profile at the same provisioner, too",
		profile, ca, proofing.StepAuthorizing)
}

// shellWord needs no quotes in a shell.
var shellWord = regexp.MustCompile(`^[A-Za-z0-9._@+][A-Za-z0-9._@+-]*$`)

// stepURL is where step-ca calls a hook.
func (c *Config) stepURL(ca, hook string) string {
	return c.apiOrigin() + "/step-ca/" + url.PathEscape(ca) + "/" + url.PathEscape(hook)
}

// editCA changes the record of a CA.
func (a *admin) editCA(name string, edit func(*proofing.Authority) error) error {
	_, err := a.service.ChangeAuthority(a.ctx, name, edit)
	return err
}

type caStepConnectCommand struct {
	Name          string `arg:"" help:"The CA."`
	Hook          string `arg:"" help:"The webhook."`
	WithoutSecret bool   `help:"The webhook is written in ca.json, where it has no secret: believe a client certificate that is pinned to the CA ('ca cert add') instead."`
	ID            string `name:"id" help:"The webhook's id, with --without-secret. Otherwise what step-ca printed is read from standard input." placeholder:"ID"`
}

func (c *caStepConnectCommand) Run(g *globals) error {
	if c.WithoutSecret != (c.ID != "") {
		return usagef("--id and --without-secret go together; otherwise id and secret are read from standard input, as step-ca prints them")
	}
	id, secret := c.ID, proofing.Secret("")
	if !c.WithoutSecret {
		var err error
		if id, secret, err = g.readStepSecret(); err != nil {
			return err
		}
	}
	return g.administer(false, func(a *admin) error {
		ca, err := a.living(c.Name)
		if err != nil {
			return err
		}
		err = a.editCA(c.Name, func(ca *proofing.Authority) error { return ca.ConnectStepHook(c.Hook, id, secret, a.time()) })
		if input, ok := errors.AsType[*proofing.InputError](err); ok {
			return usagef("%s", input.Detail)
		}
		if err != nil {
			return noSuchHook(err, c.Name, c.Hook)
		}
		a.say("the webhook %s of %s is answered from now on", c.Hook, c.Name)
		if c.WithoutSecret && len(ca.Certificates) == 0 {
			a.say("no client certificate is pinned to %s: until `countersign ca cert add` does, every call is refused", c.Name)
		}
		return nil
	})
}

// readStepSecret reads what `step ca provisioner webhook add` prints: a line with the id, and one with the secret.
func (g *globals) readStepSecret() (id string, secret proofing.Secret, err error) {
	if f, ok := g.stdin.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			g.say("paste the two lines that `step ca provisioner webhook add` printed, and end with Ctrl-D:")
		}
	}
	text, err := io.ReadAll(io.LimitReader(g.stdin, 4<<10))
	if err != nil {
		return "", "", fmt.Errorf("read standard input: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		name, v, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch v = strings.TrimSpace(v); name {
		case "Webhook ID":
			id = v
		case "Secret":
			secret = proofing.Secret(v)
		}
	}
	if id == "" || secret == "" {
		return "", "", usagef("standard input must have the two lines that `step ca provisioner webhook add` prints: \"Webhook ID: …\" and \"Secret: …\"")
	}
	return id, secret, nil
}

func noSuchHook(err error, ca, hook string) error {
	if errors.Is(err, proofing.ErrNotFound) {
		return usagef("the CA %s has no webhook %q: `countersign ca step-ca list %s` shows those that there are", ca, hook, ca)
	}
	return err
}

type caStepListCommand struct {
	Name string `arg:"" help:"The CA."`
	JSON bool   `name:"json" help:"For machines."`
}

// stepHookView is a hook without its secret.
type stepHookView struct {
	Name      string    `json:"name"`
	Kind      string    `json:"kind"`
	Profile   string    `json:"profile"`
	Correlate string    `json:"correlate"`
	Links     bool      `json:"links"`
	URL       string    `json:"url"`
	Created   time.Time `json:"created"`
	WebhookID string    `json:"webhook_id,omitempty"`
	Connected time.Time `json:"connected,omitzero"`
	By        string    `json:"by,omitempty"` // how its calls are known: "signature" or "certificate"
}

func (a *admin) viewStepHook(ca string, h proofing.StepHook) stepHookView {
	v := stepHookView{
		Name: h.Name, Kind: string(h.Kind), Profile: h.Profile, Correlate: string(h.Correlate), Links: h.Links, URL: a.config.stepURL(ca, h.Name),
		Created: h.Created, WebhookID: h.WebhookID, Connected: h.Connected,
	}
	switch {
	case h.WebhookID == "":
	case h.Secret == "":
		v.By = "certificate"
	default:
		v.By = "signature"
	}
	return v
}

func (v stepHookView) row() []string {
	state := "not connected"
	if v.By != "" {
		state = "by " + v.By + " since " + when(v.Connected)
	}
	links := "no"
	if v.Links {
		links = "yes"
	}
	return []string{v.Name, v.Kind, v.Profile, v.Correlate, links, state, v.URL}
}

func (c *caStepListCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		ca, err := a.authority(c.Name)
		if err != nil {
			return err
		}
		var views []stepHookView
		for _, h := range ca.StepHooks {
			views = append(views, a.viewStepHook(ca.Name, h))
		}
		return list(g, c.JSON, views, []string{"NAME", "KIND", "PROFILE", "FOUND BY", "LINKS", "ANSWERED", "URL"}, stepHookView.row)
	})
}

type caStepRemoveCommand struct {
	Name string `arg:"" help:"The CA."`
	Hook string `arg:"" help:"The webhook."`
}

func (c *caStepRemoveCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		if _, err := a.authority(c.Name); err != nil {
			return err
		}
		if err := a.editCA(c.Name, func(ca *proofing.Authority) error { return ca.RemoveStepHook(c.Hook) }); err != nil {
			return noSuchHook(err, c.Name, c.Hook)
		}
		a.say("the webhook %s of %s is answered no longer: step-ca issues nothing at its provisioner until it is removed there too", c.Hook, c.Name)
		return nil
	})
}
