package templates

import "time"

// recordSamples are the pages of representatives, and what an applicant sees of them.
func recordSamples() map[string]Screen {
	desk := Records{
		Frame: frame, Name: "Desk <1>", Find: "/desk/open", Me: "/me",
		Rows: []RecordRow{
			{"/desk/1", "Example CA", "www.example.com", "draft", "Desk <1>", at},
			{"/desk/2", "Example CA", "a@example.org", "mine", "Desk <1>", at},
			{"/desk/3", "Example CA", "b@example.org", "review", "Desk 2", at.Add(-time.Hour)},
		},
	}
	desk.Recover = "/recoveries"
	desk.Recoveries = []RecoveryRow{{"/recoveries/1", "waits", "Desk <1>", at}, {"/recoveries/2", "given", "Desk 2", at}}
	none := desk
	none.Ends = at.Add(240 * time.Hour)
	none.Recoveries = nil
	none.Rows, none.Code, none.Bad = nil, "<0000>", &Problem{Family: "input", Code: "record_code"}
	pieces := []RecordPiece{
		{N: 1, Strength: "strong", Validated: "superior", Source: true, Proofed: true, Government: true, Portrait: true},
		{N: 2, Strength: "strong", Validated: "strong"}, {N: 3},
	}
	form := RecordForm{Type: "onsite_attended", Pieces: pieces, Strength: "strong", Pathway: "biometric", Biometric: true, Core: true, Address: "postal", Sent: "2026-11-02", Back: "2026-11-09", Notice: "e2"}
	blank := RecordForm{Type: "onsite_attended", Pieces: []RecordPiece{{N: 1}, {N: 2}, {N: 3}}}
	page := Record{
		Frame: frame, Request: request, Fresh: true, Confirm: "/me?method=fido", Desk: "/desk", Code: "4F3K-9Q2M",
		Addresses: []Choice{{"e1", "a•••@example.org"}, {"e2", "+44 ••• •56"}}, Form: &blank, ID: "record-1", Version: 3,
		Clauses: RecordClauses{"SP 800-63A-4 2.1.3", "SP 800-63A-4 2.4.1", "SP 800-63A-4 4.2.6", "SP 800-63A-4 4.1.5", "SP 800-63A-4 3.8", "SP 800-63A-4 3.10", "SP 800-63A-4 3.2.1"},
		Save:    "/desk/1/save", Submit: "/desk/1/submit", Review: "/desk/1/review",
	}
	page.Disown = ""
	worth := &Worth{IAL: "2", Reasons: []Clause{{"SP 800-63A-4 4.2", "The record has the evidence and verification of IAL2."}}}
	saved, lacking, review, mine, closed := page, page, page, page, page
	saved.Form, saved.Saved, saved.Worth = &form, true, worth
	lacking.Form, lacking.Saved, lacking.Fresh = &form, true, false
	lacking.Worth = &Worth{Reasons: worth.Reasons, Unmet: []Step{{Code: "ial", Detail: "2"}}}
	lacking.Notice = &Problem{Family: "input", Code: "record_worthless"}
	recorded := Recorded{RecordForm: form, Status: "submitted", Collector: "Desk 2", At: at, NoticeShown: "+44 ••• •56"}
	review.Form, review.Worth, review.Waiting = nil, worth, &recorded
	plain := Recorded{RecordForm: RecordForm{Type: "supervised_remote", Pieces: pieces[:2], Strength: "strong", Pathway: "non_biometric", Address: "e1"}, Status: "submitted", Collector: "Desk <1>", At: at, AddressShown: "a•••@example.org"}
	mine.Form, mine.Worth, mine.Waiting, mine.Mine = nil, worth, &plain, true
	closed.Form, closed.Closed = nil, true
	closed.Past = []Recorded{{Status: "refused", Collector: "Desk <1>", Reviewer: "Desk 2", Reason: "The <date> was not looked at", At: at}, {Status: "accepted", Collector: "Desk <1>", Reviewer: "Desk 2", At: at}}
	all := map[string]Screen{
		"records": desk, "records-none": none, "record": page, "record-saved": saved, "record-lacking": lacking, "record-review": review, "record-mine": mine, "record-closed": closed,
	}
	recovery := DeskRecovery{
		Frame: frame, Fresh: true, Confirm: "/me?method=fido", Desk: "/desk", State: "waits", Collector: "Desk <1>", At: at, Reference: "ledger <17>", Recorded: RecordForm{Type: "onsite_attended", Pieces: pieces[:1], Strength: "strong", Pathway: "biometric"},
		Things: []Thing{{Kind: "email", Shown: "a•••@example.org"}, {Kind: "passkey", Shown: "…Ab3d"}}, Agree: "/recoveries/1/agree",
	}
	stale, given, refused := recovery, recovery, recovery
	stale.Fresh, stale.Agree, stale.State, stale.Give, stale.Confirmer = false, "", "ready", "/recoveries/1/give", "Desk 2"
	given.Agree, given.State, given.Give, given.Confirmer = "", "given", "/recoveries/1/give", "Desk 2"
	given.Code, given.Where, given.CodeUntil = "0123-4567-89AB-CDEF-GHJK-MNPQ", "https://proof.example.org/me/regain", at.Add(10*time.Minute)
	refused.Agree, refused.State, refused.Refusal, refused.Confirmer = "", "refused", "The <document> was another's", ""
	start := DeskRecover{Frame: frame, Fresh: true, Confirm: "/me?method=fido", Desk: "/desk", Start: "/recoveries", Form: &blank, Clauses: page.Clauses}
	wrong, short := start, start
	short.Address, short.Reference, short.Form, short.Same, short.Notice = "applicant@example.org", "ledger <17>", &form, true, &Problem{Family: "input", Code: "recovery_short"}
	short.Short = &Worth{IAL: "3", Reasons: []Clause{{"SP 800-63A-4 4.3.3", "IAL3 needs a biometric sample that was collected and retained."}}}
	wrong.Fresh, wrong.Form, wrong.Address, wrong.Reference, wrong.AddressBad = false, &form, "<nobody@example.org>", "ledger <17>", &Problem{Family: "input", Code: "recovery_nobody"}
	all["desk-recovery"], all["desk-recovery-ready"], all["desk-recovery-given"], all["desk-recovery-refused"] = recovery, stale, given, refused
	all["desk-recover"], all["desk-recover-wrong"], all["desk-recover-short"] = start, wrong, short
	all["regain"], all["regain-wrong"] = Regain{Frame: frame, Start: "/me/regain"}, Regain{Frame: frame, Start: "/me/regain", Bad: &Problem{Family: "input", Code: "regain_wrong"}}
	for name, p := range map[string]InPerson{
		"nobody": {Nobody: true}, "ask": {Ask: "/c/ref/representative"}, "code": {Code: "4F3K-9Q2M"}, "waits": {Code: "4F3K-9Q2M", Waits: true}, "refused": {Code: "4F3K-9Q2M", Refused: true},
	} {
		c := work(nil)
		if name == "nobody" {
			c = work(&Panel{Method: "email"})
		}
		c.Steps = append([]Step{{Code: "ial", Detail: "2", State: "todo"}}, c.Steps...)
		c.InPerson = &p
		all["in-person-"+name] = c
	}
	return all
}
