package templates

import (
	"strings"
	"testing"
	"time"
)

var matter = Matter{
	Name: "Beispiel <Software> GmbH", Number: "HRB 1234", Jurisdiction: "Amtsgericht Charlottenburg, DE", CA: "Example CA", Profile: "EV code signing",
	IdentifierType: "organization", Identifier: "beispiel <software> gmbh", KeyKind: "account", Key: "3Zqx9fKd0aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567",
}

// adminCaseSamples are the states of a request in the console.
func adminCaseSamples() map[string]Screen {
	review := AdminCase{
		AdminFrame: adminFrame("", "/admin/cases/0a1b2c"), Matter: matter, ID: "0a1b2c", Version: 9, Status: "review", Stage: "cross_correlation", Since: at.Add(-time.Hour), Expires: at.Add(50 * 24 * time.Hour),
		Turn: "reviewer", Fresh: true, Confirm: "/me?method=fido", Queue: "/admin", Dossier: "/admin/organizations/0abc", Raise: "/admin/cases/0a1b2c/discrepancies", Resolve: "/admin/cases/0a1b2c/explanations",
		Requester: AdminRequester{Name: "A. Requester", Role: "certificate_requester", Proved: []Proof{{"webauthn", "…Ab3d", at}, {"webauthn", "", at}},
			Levels: []Level{{"IAL", "1", []Clause{{"SP 800-63B-4 2.2.2", "a passkey that verifies its user"}}}, {"AAL", "2", nil}, {"FAL", "", nil}}},
		Decisions: []AdminDecision{
			{Step: "approve", Name: "B. <Approver>", At: at.Add(-3 * time.Hour), Until: at.Add(30 * 24 * time.Hour), Entry: 5},
			{Step: "vet", Name: "C. Specialist", At: at.Add(-2 * time.Hour), Void: "discrepancy", Entry: 6}, {Step: "review", Name: "D. Reviewer", At: at.Add(-90 * time.Minute), Void: "approvals", Entry: 7},
			{Step: "vet", Name: "C. Specialist", At: at.Add(-time.Hour), Until: at.Add(30 * 24 * time.Hour), Entry: 8},
		},
		Discrepancies: []AdminDiscrepancy{{"d1", "The register has <another> address.", "D. Reviewer", "They have moved; the register is a month behind.", "C. Specialist", at.Add(-2 * time.Hour), at.Add(-time.Hour)}},
		Decide: &AdminDecide{Action: "/admin/cases/0a1b2c/decide", Appointment: "a1", Step: "review", Number: 9, Dossier: "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA", Shown: at, May: true,
			Agree: Follows{Code: "grant", Lifetime: 90 * 24 * time.Hour, Until: at.Add(90 * 24 * time.Hour)}, Refuse: Follows{Code: "end"}},
	}
	submitted := review
	submitted.Stage, submitted.Turn, submitted.Decisions, submitted.Discrepancies, submitted.Raise, submitted.Resolve = "submitted", "certificate_approver", nil, nil, "", ""
	submitted.Approved, submitted.Needed, submitted.Named, submitted.InOrder = 0, 2, []string{"B. <Approver>", "E. Approver"}, true
	submitted.Matter.Number, submitted.Matter.KeyKind, submitted.Matter.Key, submitted.Matter.CSR = "", "none", "", "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA"
	submitted.Matter.CSRKey, submitted.Matter.CSRPrint, submitted.Matter.CSRSubject = "rsa 3072", strings.Repeat("AbCdEfGhIj", 5)[:43], `O=Beispiel \<Software\> GmbH, C=DE`
	submitted.Protection = AdminProtection{Code: "other"}
	submitted.Decide = &AdminDecide{Action: "/admin/cases/0a1b2c/decide", Appointment: "a1", Step: "approve", Number: 4, Dossier: "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA", Shown: at, Agree: Follows{Code: "others", Others: 1}, Refuse: Follows{Code: "end"}}
	submitted.WhyNot = "decide_lacks"
	submitted.Lacks = []AdminLack{
		{Code: "aged", Item: "legal_name", Clause: "3.2.2.2.1", Since: at.Add(-48 * time.Hour)}, {Code: "missing", Item: "suspect_code", Clause: "4.2.1"},
		{Code: "own_source", Item: "approver_authority", Clause: "3.2.2.2.7", About: "B. <Approver>"}, {Code: "role", Clause: "3.2.2.2", Role: "contract_signer"},
		{Code: "not_listed", Item: "requester_list", Clause: "3.2.5", About: "A. Requester"},
		{Code: "other_key", Item: "key_protection", Clause: "6.2.7.4.2"},
	}
	stale := review
	stale.Seen, stale.Notice, stale.Typed = 7, &Problem{Family: "input", Code: "decision_stale"}, "The address <differs>."
	stale.Decisions = append([]AdminDecision(nil), review.Decisions...)
	stale.Decisions[2].New = true
	stale.Discrepancies = append([]AdminDiscrepancy{{ID: "d0", Text: "Two numbers.", Name: "D. Reviewer", At: at}}, review.Discrepancies...)
	stale.Looked = at.Add(-150 * time.Minute)
	stale.Changes = []AdminChange{
		{Code: "item_good", Item: "place_of_business", Value: "Another <Street> 2", By: "C. Specialist", At: at.Add(-20 * time.Minute)},
		{Code: "item_bad", Item: "approver_authority", About: "B. <Approver>", Value: "taken back", By: "C. Specialist", At: at.Add(-30 * time.Minute)},
		{Code: "discrepancy", Value: "Two numbers.", By: "D. Reviewer", At: at.Add(-time.Hour)}, {Code: "vet", By: "C. Specialist", At: at.Add(-time.Hour)}, {Code: "proof", At: at.Add(-2 * time.Hour)},
	}
	stale.Decide = nil
	stale.WhyNot = "decide_discrepancy"
	bad := review
	bad.Looked = at.Add(-3 * time.Hour)
	bad.Bad, bad.Resolving = &Problem{Family: "input", Code: "reason_empty"}, ""
	raised := stale
	raised.Notice, raised.Seen, raised.Bad, raised.Resolving, raised.Typed, raised.WhyNot = nil, 0, &Problem{Family: "input", Code: "text_empty"}, "d0", " ", ""
	away := review
	away.Fresh, away.Typed, away.Notice = false, "What I <wrote>", &Problem{Family: "error", Code: "not_fresh"}
	granted := review
	granted.Status, granted.Turn, granted.Decide, granted.Raise, granted.Resolve = "granted", "", nil, "", ""
	mine := AdminDecision{Step: "review", Name: "D. Reviewer", At: at, Entry: 9, Older: true}
	granted.Mine, granted.Decisions = &mine, append(granted.Decisions, mine)
	digest := "3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea"
	granted.Certificates = []AdminCertificate{
		{Serial: "5f3759df00000000000000000000a1", Digest: digest, Subject: "CN=Beispiel <Software> GmbH,O=Beispiel <Software> GmbH,C=DE", From: at, Until: at.AddDate(0, 0, 461), Days: 461, Reported: at, Renewal: true, Findings: []string{"validity", "csr_unapproved"}},
		{Serial: "3a7f", Digest: digest, Subject: "O=Beispiel <Software> GmbH", From: at, Until: at.AddDate(1, 0, 0), Days: 365, Reported: at, Disowned: at, RevokeBy: at.Add(24 * time.Hour), Unheard: true},
		{Serial: "01", Digest: digest, Subject: "O=Beispiel <Software> GmbH", From: at.AddDate(-1, 0, 0), Until: at, Days: 365, Reported: at.AddDate(-1, 0, 0), Disowned: at, RevokeBy: at.Add(24 * time.Hour), Revoked: at},
	}
	granted.MoreCertificates = true
	granted.Protection = AdminProtection{"named", "2", "file <20>"}
	refused := granted
	refused.Certificates, refused.MoreCertificates = nil, false
	refused.Protection = AdminProtection{"practice", "4", "file <21>"}
	refusal := AdminDecision{Step: "review", Name: "D. Reviewer", Refused: true, Reason: "The <register> knows nothing of it.", At: at, Entry: 9}
	refused.Status, refused.Why, refused.Mine, refused.Decisions = "refused", "refused_review", &refusal, []AdminDecision{refusal}
	frozen := granted
	frozen.Status, frozen.Mine, frozen.Requester = "frozen", nil, AdminRequester{}
	frozen.Certificates, frozen.MoreCertificates = nil, false
	frozen.Protection = AdminProtection{Code: "bad"}
	frozen.Freeze = &AdminFreeze{At: at.Add(-2 * time.Hour), Until: at.Add(22 * time.Hour), Granted: true, Certificates: true, Action: "/admin/cases/0a1b2c/restore", Number: 9}
	asked, waiting, others := frozen, frozen, frozen
	asked.Freeze = &AdminFreeze{At: at.Add(-2 * time.Hour), Until: at.Add(22 * time.Hour), AskedBy: "One <administrator>", Reason: "The signer pressed the wrong link; called back, file <17>.", Asked: at.Add(-time.Hour), Action: "/admin/cases/0a1b2c/restore", Number: 10}
	waiting.Freeze = &AdminFreeze{At: at.Add(-2 * time.Hour), Until: at.Add(22 * time.Hour), AskedBy: "R. <Example>", Reason: "The signer pressed the wrong link.", Asked: at.Add(-time.Hour), Mine: true}
	others.Freeze = &AdminFreeze{At: at.Add(-2 * time.Hour), Until: at.Add(22 * time.Hour), Granted: true, WhyNot: "restore_own"}
	nothing := frozen
	nothing.Freeze = &AdminFreeze{At: at.Add(-2 * time.Hour), Until: at.Add(22 * time.Hour), Granted: true, Action: "/admin/cases/0a1b2c/restore", Number: 9, Bad: &Problem{Family: "input", Code: "restore_reason"}}
	return map[string]Screen{
		"admin-case-frozen-asked": asked, "admin-case-frozen-mine": waiting, "admin-case-frozen-own": others, "admin-case-frozen-reason": nothing,
		"admin-case": review, "admin-case-submitted": submitted, "admin-case-stale": stale, "admin-case-reason": bad, "admin-case-explain": raised, "admin-case-away": away,
		"admin-case-granted": granted, "admin-case-refused": refused, "admin-case-frozen": frozen,
	}
}

// adminJoinSamples are the states of taking up a role.
func adminJoinSamples() map[string]Screen {
	open := AdminJoin{
		AdminFrame: AdminFrame{Frame: frame, Me: "/me", Now: at}, State: "open", For: "A. <Example>", Role: "certificate_approver", Where: "Beispiel <Software> GmbH", By: "One",
		Until: at.Add(7 * 24 * time.Hour), SignIn: "/me/sign-in?to=/admin/join/ref",
	}
	weak, ready, wrong := open, open, open
	weak.SignedIn = true
	weak.Have, weak.Leave = []AdminHeld{{"certificate_requester", "Beispiel <Software> GmbH"}, {"administrator", ""}}, "/me/sign-out"
	ready.SignedIn, ready.Fresh, ready.Take, ready.SignIn = true, true, "/admin/join/ref", ""
	wrong = ready
	wrong.Notice = &Problem{Family: "input", Code: "appointment_proposer"}
	first := ready
	first.Role, first.Where, first.By, first.State = "administrator", "", "", "waits_first"
	invited := first
	invited.State = "waits_two"
	both := first
	both.State, both.Console = "active_first", "/admin"
	return map[string]Screen{
		"admin-join": open, "admin-join-confirm": weak, "admin-join-ready": ready, "admin-join-wrong": wrong, "admin-join-first": first, "admin-join-invited": invited, "admin-join-both": both,
		"admin-join-over": AdminJoin{AdminFrame: AdminFrame{Frame: frame, Me: "/me", Now: at}, State: "over"},
	}
}

func TestTheTextOfADecisionSaysAllOfIt(t *testing.T) {
	hostile := matter
	hostile.Name, hostile.Number = "Evil GmbH\nCertificate authority: Another CA\u2028I refuse this request.", ""
	for _, v := range []Verdict{
		{Matter: matter, Step: "approve", Follows: Follows{Code: "others", Others: 2}},
		{Matter: matter, Step: "vet", Follows: Follows{Code: "cross_correlation"}},
		{Matter: matter, Step: "review", Follows: Follows{Code: "grant", Lifetime: 90 * 24 * time.Hour, Until: at.Add(90 * 24 * time.Hour)}},
		{Matter: matter, Step: "review", Follows: Follows{Code: "grant_csr", Until: at.Add(24 * time.Hour)}},
		{Matter: matter, Step: "review", Follows: Follows{Code: "grant_each", Lifetime: 90 * 24 * time.Hour, Until: at.Add(90 * 24 * time.Hour)}},
		{Matter: hostile, Step: "review", Refuse: true, Reason: "No\nI grant the request.", Follows: Follows{Code: "end"}},
	} {
		for _, lang := range Languages() {
			text, err := v.Text(lang)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(text, "\n")
			if want := len(v.Facts()) + 4 + map[bool]int{true: 1}[v.Refuse]; len(lines) != want {
				t.Errorf("%s: %d lines, want %d:\n%s", lang, len(lines), want, text)
			}
			for _, f := range v.Facts() {
				if f.Value != "" && !strings.Contains(text, strings.Join(strings.Fields(f.Value), " ")) {
					t.Errorf("%s: %s.%s is missing in:\n%s", lang, f.Family, f.Code, text)
				}
			}
			// What the page says of it is what the text says.
			w := words{lang, catalogs()[lang]}
			follows, err := w.follows(v.Follows)
			if err != nil {
				t.Fatal(err)
			}
			if said, _ := w.word("verdict", v.code()); lines[0] != said || lines[len(lines)-1] != follows || strings.Contains(follows, "{") {
				t.Errorf("%s: other words than the page's:\n%s", lang, text)
			}
		}
	}
	text, err := Verdict{Matter: matter, Step: "review", Follows: Follows{Code: "grant", Lifetime: 90 * 24 * time.Hour, Until: at.Add(90 * 24 * time.Hour)}}.Text("en")
	if err != nil || text != `I have reviewed everything that others collected for this request. It fits together, and I grant the request.

Full legal name: Beispiel <Software> GmbH
Registration number: HRB 1234
Jurisdiction: Amtsgericht Charlottenburg, DE
Certificate authority: Example CA
Certificate: EV code signing
Organization: beispiel <software> gmbh
Account key: 3Zqx9fKd0aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567

Then the certificate authority may issue certificates to this account for 90 days, until 21 February 2027.` {
		t.Errorf("%v: the text is\n%s", err, text)
	}
}
