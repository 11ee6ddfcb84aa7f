package templates

import "time"

// adminPeopleSamples are the pages of appointments.
func adminPeopleSamples() map[string]Screen {
	rows := []AdminPersonRow{
		{"/admin/people/1", "A. <Example>", "administrator", "", "active", "", at.AddDate(0, -2, 0), ""},
		{"/admin/people/2", "B. Example", "validation_specialist", "Example CA", "accepted", "one", at, ""},
		{"/admin/people/6", "F. Example", "administrator", "", "accepted", "two", at, ""},
		{"/admin/people/3", "C. Example", "certificate_approver", "Example <Corporation>", "suspended", "", at, "resume"},
		{"/admin/people/4", "D. Example", "contract_signer", "Example <Corporation>", "account_recovered", "", time.Time{}, "end"},
		{"/admin/people/5", "E. Example", "reviewer", "Example CA", "ended", "", at, ""},
	}
	list := AdminPeople{
		AdminFrame: adminFrame("people", "/admin/people"),
		Scopes:     []AdminScope{{Title: "", Href: "/admin/people", Here: true}, {Title: "Example CA", Href: "/admin/people?ca=example", Here: false}, {Title: "Example <Corporation>", Href: "/admin/people?organization=1", Here: false}},
		Statuses:   []AdminStatus{{"", "/admin/people", true}, {"proposed", "/admin/people?status=proposed", false}, {"accepted", "/admin/people?status=accepted", false}, {"active", "/admin/people?status=active", false}, {"suspended", "/admin/people?status=suspended", false}, {"ended", "/admin/people?status=ended", false}},
		Rows:       rows, Proposals: []AdminProposal{{"administrator", "/admin/propose/administrator"}}, First: "/admin/people", Next: "/admin/people?after=x",
	}
	none := list
	none.Scopes, none.Rows, none.Proposals, none.First, none.Next = nil, nil, nil, "", ""

	sources := []AdminChoice{{Value: "professional_letter"}, {Value: "corporate_resolution", Chosen: true}, {Value: "signer_warranty"}}
	signers := []AdminChoice{{Value: "s1", Title: "C. <Example>"}}
	propose := AdminPropose{
		AdminFrame: adminFrame("people", "/admin/propose/certificate_approver/1"), Back: "/admin/people?organization=1", Role: "certificate_approver", Where: "Example <Corporation>", Signers: true,
		Form: AdminForm{Name: "propose", Action: "/admin/propose/certificate_approver/1", Once: "once", Fields: adminFields("propose",
			AdminField{Name: "name", Type: "text", Must: true, Max: 60, Value: "<F. Example>"},
			AdminField{Name: "role_source", Type: "choice", Must: true, Choices: sources, Bad: &Problem{Family: "input", Code: "appointment_source"}},
			AdminField{Name: "source_reference", Type: "text", Must: true, Max: 120}, AdminField{Name: "source_signer", Type: "choice", Choices: signers},
			AdminField{Name: "agreement", Type: "text", Max: 120}, AdminField{Name: "agreement_version", Type: "text", Max: 60},
			AdminField{Name: "agreement_signer", Type: "choice", Choices: signers}, AdminField{Name: "agreement_until", Type: "date"}, AdminField{Name: "term", Type: "date"})},
	}
	administrator := AdminPropose{
		AdminFrame: adminFrame("people", "/admin/propose/administrator"), AdminAct: AdminAct{Stale: true, Confirm: "/me?method=fido"}, Back: "/admin/people", Role: "administrator", NoSigner: true,
		Form: AdminForm{Name: "propose", Action: "/admin/propose/administrator", Once: "once", Fields: adminFields("propose", AdminField{Name: "name", Type: "text", Must: true, Max: 60})},
	}

	move := func(what, field string) AdminMove {
		m := AdminMove{What: what, Form: AdminForm{Name: what, Action: "/admin/people/1/" + what, Hidden: []Choice{{"seen", "3"}}}}
		if field != "" {
			m.Form.Fields = adminFields(what, AdminField{Name: field, Type: "text", Must: true, Max: 300})
		}
		return m
	}
	proposed := []AdminActed{{"proposed", "person", "O. <Example>", at, ""}}
	waiting := AdminPerson{
		AdminFrame: adminFrame("people", "/admin/people/1"), Back: "/admin/people", Name: "A. <Example>", Role: "certificate_approver", Where: "Example <Corporation>", WhereHref: "/admin/organizations/1",
		Status: "proposed", LinkUntil: at.Add(7 * 24 * time.Hour), Waits: true, History: proposed, Log: "/admin/log?object=1",
		Basis:       AdminBasis{Kind: "signer_warranty", Reference: "file <17>", Signer: "C. <Example>", At: at, Agreement: &AdminAgreement{"contract <5>", "2", "C. <Example>", at.AddDate(1, 0, 0)}},
		Until:       at.AddDate(2, 0, 0),
		ReconfirmBy: at.AddDate(1, 1, 3), Unheard: true,
	}
	withdraw := move("withdraw", "reason")
	withdraw.Bad = true
	waiting.Moves = []AdminMove{withdraw}
	shown := waiting
	shown.Link = "https://proof.example.org/admin/join/0abc.SECRET"
	come := waiting
	come.Status, come.Awaits, come.Waits, come.Passkey, come.Known = "accepted", "one", false, &AdminPasskey{"Security key <5>", at, true, false}, []Thing{{Kind: "email", Shown: "a•••@example.org"}, {Kind: "passkey", Shown: "…Ab3d"}}
	come.History = append(proposed, AdminActed{"accepted", "person", "A. <Example>", at, ""})
	come.Moves = []AdminMove{move("confirm", ""), withdraw}
	denied := come
	denied.Awaits = "second"
	denied.Passkey = &AdminPasskey{"Phone", at, false, true}
	denied.Moves = []AdminMove{{What: "confirm", Deny: &Problem{Family: "input", Code: "appointment_proposer"}}, withdraw}
	denied.Notice, denied.Stale, denied.Confirm = &Problem{Family: "input", Code: "appointment_changed"}, true, "/me?method=fido"
	active := come
	active.Status, active.Awaits = "active", ""
	suspend, end, reconfirm := move("suspend", "reason"), move("end", "reason"), move("reconfirm", "record")
	suspend.Bad, end.Bad, end.Fold, reconfirm.Fold = true, true, true, true
	active.Moves = []AdminMove{suspend, reconfirm, end}
	suspended := come
	suspended.Status, suspended.Awaits = "suspended", ""
	suspended.Asked = &AdminAsked{"resume", "O. <Example>", "found <it> again", at}
	suspended.History = append(come.History, AdminActed{"suspended", "person", "O. <Example>", at, "lost <a key>"}, AdminActed{"asked_resume", "person", "O. <Example>", at, "found <it> again"})
	suspended.Moves = []AdminMove{move("resume_second", ""), {What: "end", Fold: true, Deny: &Problem{Family: "input", Code: "appointment_asked"}}}
	recovered := active
	recovered.Status, recovered.Role, recovered.Where, recovered.WhereHref, recovered.Basis, recovered.Until, recovered.ReconfirmBy = "account_recovered", "administrator", "", "", AdminBasis{}, time.Time{}, time.Time{}
	recovered.History = []AdminActed{{"proposed", "operator", "", at, ""}, {"confirmed", "operator", "", at, ""}}
	recovered.Asked = &AdminAsked{"end", "O. <Example>", "left", at}
	end2 := move("end_second", "")
	end2.Bad = true
	recovered.Moves = []AdminMove{end2, move("resign", "")}
	ended := waiting
	ended.Status, ended.Waits, ended.Moves = "ended", false, nil
	ended.History = append(proposed, AdminActed{"ended", "service", "", at, "link_expired"})
	return map[string]Screen{
		"admin-people": list, "admin-people-none": none, "admin-propose": propose, "admin-propose-administrator": administrator, "admin-person": waiting, "admin-person-link": shown,
		"admin-person-come": come, "admin-person-denied": denied, "admin-person-active": active, "admin-person-suspended": suspended, "admin-person-recovered": recovered, "admin-person-ended": ended,
	}
}
