package templates

import (
	"maps"
	"slices"
	"time"
)

var at = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

var frame = Frame{Operator: "Example Operations", Contact: "help@example.org", Self: "/c/ref", Home: "/"}

var request = Request{
	CA: "Example CA", IdentifierType: "dns", Identifier: "www.example.com", Profile: "Server certificate",
	KeyKind: "account", Fingerprint: "3Zqx 9fKd 0aBc", Disown: "/n/ref",
}

var terms = Terms{Methods: []string{"email", "sms"}, Channels: []string{"email", "phone"}, GrantLifetime: 30 * 24 * time.Hour, Retention: 90 * 24 * time.Hour}

var steps = []Step{
	{Code: "address", Detail: "email", State: "done"}, {Code: "address", Detail: "phone", State: "now"},
	{Code: "aal", Detail: "1", State: "todo"}, {Code: "answer", State: "todo"},
}

const clause = "SP 800-63B 5.2.10"

// work is the page of a case with one panel.
func work(p *Panel) Case {
	if p != nil {
		p.Begin, p.Answer, p.Resend = "/c/ref/begin", "/c/ref/answer", "/c/ref/resend"
	}
	todo := slices.Clone(steps)
	if p != nil && p.Method == "email" {
		todo[0].State, todo[1].State, todo[1].Href = "now", "todo", "/c/ref?method=sms"
	}
	if p != nil && p.Method == "sms" && p.Begun != nil {
		p.Begun.Shown = "+44 ••• •56"
	}
	return Case{Frame: frame, Request: request, Steps: todo, Panel: p, Terms: terms, Expires: at.Add(48 * time.Hour)}
}

func begun(delivery, reason string, tries int, over string) *Begun {
	return &Begun{
		Attempt: "attempt", Shown: "a•••@example.org", Delivery: delivery, Reason: reason, Tries: tries, Over: over,
		Expires: at.Add(24 * time.Hour), ResendAt: at.Add(30 * time.Second), ResendWait: 30 * time.Second,
	}
}

func outcome(status, reason string) Outcome {
	o := Outcome{Frame: frame, Request: request, Status: status, Reason: reason, At: at, Terms: terms}
	if status != "granted" && status != "review" {
		o.Disown = ""
	}
	if status == "held" {
		o.Me = "/me"
	}
	if status == "granted" {
		o.Until = at.Add(30 * 24 * time.Hour)
		o.Proved = []Proof{{"email_code", "a•••@example.org", at}, {"sms_code", "+44 ••• •56", at}}
		o.Levels = []Level{
			{"IAL", "1", []Clause{{"SP 800-63A 4.3", "no identity proofing is required"}}},
			{"AAL", "1", []Clause{{"SP 800-63B 5.1.3.3", "a code by text message"}}}, {"FAL", "", nil},
		}
		o.Restricted = true
	}
	return o
}

// samples are the pages as the golden files show them.
func samples() map[string]Screen {
	siblings := work(&Panel{Method: "email"})
	siblings.Siblings = []Sibling{{"dns", "mail.example.com"}, {"ip", "192.0.2.7"}}
	waiting, stuck, notice := work(nil), work(nil), work(&Panel{Method: "email"})
	waiting.Waiting, stuck.Stuck = true, true
	notice.Notice = &Problem{Family: "limit", Code: "client", Until: at.Add(time.Hour), Wait: time.Hour}
	braked := work(&Panel{Method: "sms"})
	braked.Notice = &Problem{Family: "limit", Code: "brake", Until: at.Add(time.Hour), Wait: time.Hour, Other: "email", OtherHref: "/c/ref?method=email"}
	blocked := work(&Panel{Method: "email"})
	blocked.Notice = &Problem{Family: "error", Code: "blocked"}
	link := Link{Frame: frame, Request: request, Method: "email", Action: "/m/ref", Shown: "a•••@example.org", Expires: at.Add(time.Hour)}
	mode := func(mode string) Link { l := link; l.Mode = mode; return l }
	retry := mode("retype")
	retry.CodeBad = &Problem{Family: "error", Code: "wrong_answer", Tries: 4}
	passed := mode("passed")
	passed.Case = "/c/ref"
	demo, bar := frame, DemoBar{Call: "/#call", Mailbox: "/mailbox", Answer: "/#answer"}
	demo.Self, demo.Mailbox, demo.Demo = "/", "/mailbox", true
	barAfter, barMailbox := bar, bar
	barAfter.Person, barMailbox.Person, barMailbox.At = "/c/ref", "/c/ref", "mailbox"
	tried := work(&Panel{Method: "sms"})
	tried.Frame.Mailbox, tried.Demo = "/mailbox", true
	over := Disown{Frame: frame, Request: request, Over: true}
	all := map[string]Screen{
		"home":            Home{Frame: frame, Me: "/me", Applies: []Offer{{"Example CA", "Client certificate", "/apply/example/client"}}},
		"case":            siblings,
		"waiting":         waiting,
		"stuck":           stuck,
		"notice":          notice,
		"offered":         work(&Panel{Method: "email", Offered: "a•••@example.org"}),
		"bad-email":       work(&Panel{Method: "email", Address: "<nobody>", AddressBad: &Problem{Family: "input", Code: "email_malformed"}}),
		"code":            work(&Panel{Method: "email", Begun: begun("accepted", "", 5, "")}),
		"wrong":           work(&Panel{Method: "email", Begun: begun("delivered", "", 2, ""), CodeBad: &Problem{Family: "error", Code: "wrong_answer", Tries: 2}}),
		"spent":           work(&Panel{Method: "email", Begun: begun("delivered", "", 0, "tries")}),
		"failed":          work(&Panel{Method: "sms", Begun: begun("failed", "number_unreachable", 5, "")}),
		"sms":             work(&Panel{Method: "sms", Restricted: &Restricted{Clause: clause}}),
		"sms-code":        work(&Panel{Method: "sms", Begun: begun("sent", "", 1, ""), Restricted: &Restricted{Clause: clause, Authenticates: true}}),
		"foreign":         work(&Panel{Method: "sms", Again: &Again{Foreign: true, Attempt: "attempt", Shown: "+44 ••• •56", AAL: "1"}, Restricted: &Restricted{Clause: clause, Authenticates: true}}),
		"again":           work(&Panel{Method: "sms", Again: &Again{Attempt: "attempt", Shown: "+44 ••• •56", AAL: "1"}, Restricted: &Restricted{Clause: clause, Authenticates: true, Alternatives: []string{"fido"}}}),
		"passkey":         work(&Panel{Method: "fido", Enrol: "/c/ref/enrol"}),
		"passkey-get":     work(&Panel{Method: "fido", Enrol: "/c/ref/enrol", Use: &Use{Attempt: "attempt", Kind: "get", Ask: `{"challenge": "<&>"}`, Expires: at.Add(5 * time.Minute)}}),
		"passkey-create":  work(&Panel{Method: "fido", Enrol: "/c/ref/enrol", Owned: true, Use: &Use{Attempt: "attempt", Kind: "create", Ask: `{"challenge": "abc"}`, Expires: at.Add(5 * time.Minute)}}),
		"passkey-created": work(&Panel{Method: "fido", Enrol: "/c/ref/enrol", Owned: true, Created: true}),
		"passkey-expired": work(&Panel{Method: "fido", Use: &Use{Attempt: "attempt", Kind: "get", Over: "expired", Expires: at}}),
		"identity":        work(&Panel{Method: "oidc", Choices: []Choice{{"example", "Example ID"}, {"other", "Other <ID>"}}}),
		"identity-away":   work(&Panel{Method: "oidc", Choices: []Choice{{"example", "Example ID"}, {"other", "Other <ID>"}}, Use: &Use{Attempt: "attempt", Kind: "away", Away: "https://id.example/auth?state=a.b.c", Shown: "Example ID", Expires: at.Add(10 * time.Minute)}}),
		"returned":        Returned{Frame: frame, Action: "/o/example", Fields: []Field{{"code", "<c>"}, {"state", "s"}}},
		"blocked":         blocked,
		"braked":          braked,
		"claimed":         Claimed{frame, request},
		"confirm":         mode("confirm"), "retype": retry, "passed": passed, "link-over": mode("over"),
		"disown":      Disown{Frame: frame, Request: request, Action: "/n/ref", Bad: &Problem{Family: "input", Code: "sure"}, Certificates: true},
		"disown-over": over,
		"disowned":    Disowned{Frame: frame, Request: request, Until: at.Add(24 * time.Hour)},
		"disown-own":  Disown{Frame: frame, Request: request, Action: "/n/ref", Own: true}, "disown-own-over": Disown{Frame: frame, Request: request, Over: true, Own: true},
		"disowned-own": Disowned{Frame: frame, Request: request, Until: at.Add(24 * time.Hour), Own: true},
		"x":            DisownCertificate{Frame: frame, CA: "Example CA", Subject: "O=<Example> Corporation,C=DE", Serial: "3a7f", Issued: at, Ends: at.Add(460 * 24 * time.Hour), Action: "/x/ref", Bad: &Problem{Family: "input", Code: "sure"}},
		"x-over":       DisownCertificate{Frame: frame, CA: "Example CA", Subject: "O=Example,C=DE", Serial: "3a7f", Issued: at, Ends: at, Over: true},
		"x-done":       DisownCertificate{Frame: frame, CA: "Example CA", Subject: "O=Example,C=DE", Serial: "3a7f", Issued: at, Ends: at, Disowned: true, RevokeBy: at.Add(24 * time.Hour)},
		"x-revoked":    DisownCertificate{Frame: frame, CA: "Example CA", Subject: "O=Example,C=DE", Serial: "3a7f", Issued: at, Ends: at, Disowned: true, RevokeBy: at.Add(24 * time.Hour), Revoked: at.Add(time.Hour), Over: true},
		"apply": Apply{Frame: frame, CA: "Example CA", Profile: "Client certificate", Action: "/apply/example/client",
			Types: []string{"email", "dns"}, Type: "dns", Value: "*.example.com", Terms: terms, ValueBad: &Problem{Family: "input", Code: "identifier_rejected"}},
		"fault-link":      Fault{Frame: frame, Code: "no_link"},
		"fault-signed-in": Fault{Frame: frame, Code: "signed_in", Back: "/me", Go: "signed_in"}, "fault-signed-out": Fault{Frame: frame, Code: "signed_out", Back: "/me/sign-in", Go: "signed_out"},
		"fault":      Fault{Frame: frame, Code: "not_found"},
		"too-many":   Fault{Frame: frame, Code: "too_many", Until: at.Add(10 * time.Minute), Wait: 10 * time.Minute, Back: "/c/ref"},
		"demo-start": DemoHome{Frame: demo, Bar: &bar, CA: "Example CA", Identifier: "www.example.com", Start: "/demo", EV: "/demo/ev", Profiles: []string{"client", "staff", "signing"}},
		"demo-done": DemoHome{Frame: demo, Bar: &barAfter, CA: "Example CA", Identifier: "www.example.com", Start: "/demo", EV: "/demo/ev", Profiles: []string{"client", "staff", "signing"},
			Call:   &DemoCall{Profile: "client", Curl: "curl …", Request: `{"profile": "client"}`, Response: `{"status": "pending"}`, Case: "/c/ref"},
			Result: &DemoResult{Status: "valid", Authorization: `{"status": "valid"}`, Statement: "a.b.c", Header: `{"alg": "ES256"}`, Claims: `{"aud": "example"}`}},
		"demo-ev-stage":    evSample("stage", ""),
		"demo-ev-join":     evSample("join", "certificate_approver"),
		"demo-ev-prove":    evSample("prove", "certificate_requester"),
		"demo-ev-evidence": evSample("evidence", ""),
		"demo-ev-over":     evSample("over", ""),
		"demo-case":        tried,
		"mailbox": Mailbox{Frame: demo, Bar: &barMailbox, Origin: "https://proof.example.org", Query: "?lang=de", Mails: []Mail{
			{"phone", "+44 7400 123456", "", at, "12345 67890 is your code."},
			{"email", "a@example.org", "Your code", at, "Open https://proof.example.org/m/ref now, not https://evil.example/ or <b>"}}},
		"mailbox-empty": Mailbox{Frame: frame},
	}
	maps.Copy(all, deskSamples())
	maps.Copy(all, meSamples())
	maps.Copy(all, recordSamples())
	maps.Copy(all, signSamples())
	maps.Copy(all, adminSamples())
	maps.Copy(all, adminOrganizationSamples())
	maps.Copy(all, adminPeopleSamples())
	maps.Copy(all, adminPolicySamples())
	maps.Copy(all, adminLogSamples())
	strong := outcome("granted", "")
	strong.Proved = []Proof{{"webauthn_new", "…Ab3d", at}, {"webauthn", "…Ab3d", at}, {"oidc", "Example ID", at}}
	strong.Levels[1], strong.Levels[2] = Level{"AAL", "2", nil}, Level{"FAL", "2", nil}
	strong.Restricted, strong.PhishingResistant, strong.Terms.Channels = false, true, nil
	all["outcome-strong"] = strong
	recorded := outcome("granted", "")
	recorded.KeyKind, recorded.Fingerprint = "none", ""
	recorded.Levels, recorded.Restricted, recorded.Later = []Level{{Name: "IAL"}, {Name: "AAL"}, {Name: "FAL"}}, false, 1
	recorded.Key = &EABKey{Make: "/c/ref/key"}
	all["outcome-recorded"] = recorded
	several := recorded
	several.Key = &EABKey{Make: "/c/ref/key", Directories: []string{"https://ca.example/acme/directory", "https://ca.example/staging/directory"}}
	all["outcome-key-directories"] = several
	lost := recorded
	lost.Key = &EABKey{Make: "/c/ref/key", Before: true, NotReady: true}
	all["outcome-key-before"] = lost
	shown := recorded
	shown.Key = &EABKey{
		Make: "/c/ref/key", Kid: "cs2705zv3m8bkq6rt4xw1c9n", Secret: "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA", Algorithm: "HS256", Directory: "https://ca.example/acme/directory", Until: at.Add(7 * 24 * time.Hour),
		Clients: []ClientText{{"certbot", "certbot register --server https://ca.example/acme/directory --eab-kid <kid>"}, {"Caddy", "acme_eab {\n\tkey_id cs2705\n}"}},
	}
	all["outcome-key"] = shown
	token := shown
	token.Token = &AuthorityToken{URL: "https://proof.example.org/v1/authority-tokens", Payload: `{"atc":{"fingerprint":"SHA256 …","tktype":"email","tkvalue":"<a>@example.org"},"authority":"example","profile":"client"}`, First: true}
	all["outcome-token"] = token
	ending := outcome("granted", "authenticator_removed")
	ending.Ending, ending.Until = true, at.Add(72*time.Hour)
	all["outcome-ending"] = ending
	for _, s := range []string{"review", "granted", "refused", "expired", "withdrawn", "revoked", "frozen", "held"} {
		all["outcome-"+s] = outcome(s, map[string]string{"review": "approvals", "refused": "not_entitled"}[s])
	}
	first := outcome("frozen", "")
	first.GiveBack, first.Me = true, "/me"
	back := first
	back.Restore = "/c/ref/restore"
	all["outcome-frozen-sign-in"], all["outcome-frozen-give-back"] = first, back
	return all
}

var message = MessageData{
	CA: "Example CA", Identifier: "www.example.com", Profile: "Server certificate", Fingerprint: "3Zqx 9fKd 0aBc",
	Operator: "Example Operations", Contact: "https://example.org/help", Origin: "https://proof.example.org", Code: "ABCDEFGH",
	Link: "https://proof.example.org/m/ref", Disown: "https://proof.example.org/n/ref", Minutes: "1440",
	Reason: "authenticator_removed", Ends: at.Add(72 * time.Hour),
}

// evSample is the demo's page of EV at a step.
func evSample(code, role string) DemoEV {
	p := DemoEV{Frame: Frame{Operator: "countersign demo", Self: "/demo/ev", Home: "/", Demo: true}, Back: "/", CA: "Example CA", Organization: "Example Signing Ltd", Next: "/demo/ev/next", SignOut: "/demo/ev/sign-out", Link: "/next-place", File: "evidence.json", Key: "localhost/log+1+key", Again: "/demo/ev/again"}
	if code == "over" {
		p.Why = code
	}
	reached := false
	for _, s := range []DemoStep{
		{Code: "stage"}, {Code: "join", Role: "certificate_requester"}, {Code: "confirm", Role: "certificate_requester"}, {Code: "prove", Role: "certificate_requester"},
		{Code: "join", Role: "certificate_approver"}, {Code: "confirm", Role: "certificate_approver"}, {Code: "approve", Role: "certificate_approver"}, {Code: "vet", Role: "validation_specialist"},
		{Code: "join", Role: "reviewer"}, {Code: "confirm", Role: "reviewer"}, {Code: "review", Role: "reviewer"}, {Code: "issue"}, {Code: "evidence"},
	} {
		s.Here = s.Code == code && s.Role == role
		reached = reached || s.Here
		s.Done = !reached && p.Why == ""
		p.Steps = append(p.Steps, s)
	}
	return p
}
