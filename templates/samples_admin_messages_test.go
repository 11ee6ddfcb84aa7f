package templates

import (
	"slices"
	"time"
)

// adminMessagesSamples are the pages of an authority's messages and webhook.
func adminMessagesSamples() map[string]Screen {
	page := AdminMessages{
		AdminFrame: adminFrame("messages", "/admin/messages/example"), CA: "example", Whose: "authority",
		CAs: []AdminScope{{Title: "Example CA", Href: "/admin/messages/example", Here: true}, {Title: "Other <CA>", Href: "/admin/messages/other"}},
		Troubled: []DeskMessage{
			{Of: "case", Case: "0case", Href: "/admin/cases/0case", CA: "example", Kind: "email_code", Shown: "a•••@example.org", State: "failed", Reason: "rejected_address", At: at.Add(-time.Hour), Age: time.Hour, Tries: 1},
			{Of: "certificate", Case: "0cert", Href: "/admin/log?find=0cert", Name: "a1b2c3", CA: "example", Message: "0cert.m", Kind: "issued", Text: true, Shown: "+44 ••• •56", State: "dead", Reason: "number_invalid", At: at.Add(-2 * time.Hour), Age: 2 * time.Hour, Tries: 1, Bad: true, Resend: "/admin/messages/example/resend"},
			{Of: "organization", Case: "0org", Href: "/admin/organizations/0org", Name: "Example <Corporation>", CA: "example", Message: "0org.m", Kind: "dossier_ages", Shown: "b•••@example.org", State: "expired", Reason: "unreachable", At: at.Add(-30 * time.Hour), Age: 30 * time.Hour, Tries: 40, Bad: true, Resend: "/admin/messages/example/resend"},
		},
		Waiting: []DeskMessage{{Of: "case", Case: "0other", CA: "example", Kind: "sms_code", Shown: "+44 ••• •56", State: "pending", At: at.Add(-5 * time.Minute), Age: 5 * time.Minute, Tries: 2, Next: at.Add(time.Minute), Bad: true}},
		More:    true, Next: "/admin/messages/example?after=x",
		Hook:   &DeskWebhook{CA: "example", Title: "Example CA", At: "https://ca.example/•••", State: "stopped", Since: at.Add(-time.Hour), Reason: "gone", Late: 2, Dead: 3},
		Dead:   []AdminDead{{"evt_0case_3", "status", "granted", at.Add(-80 * time.Hour), at.Add(-8 * time.Hour), "timeout"}, {"evt_<0case>_2", "certificate_disowned", "granted", at.Add(-81 * time.Hour), at.Add(-9 * time.Hour), "unreachable"}},
		Lost:   1,
		Replay: "/admin/messages/example/replay",
	}
	page.Stale, page.Confirm = true, "/me/confirm"
	theirs := page
	theirs.AdminAct, theirs.CA, theirs.Whose, theirs.Next, theirs.More = AdminAct{}, "-0org", "organization", "", false
	theirs.CAs, theirs.Troubled, theirs.Waiting = nil, slices.Clone(page.Troubled[1:]), nil
	for i := range theirs.Troubled {
		theirs.Troubled[i].Resend = ""
	}
	service := theirs
	service.CA, service.Whose = "-", "service"
	service.CAs = []AdminScope{{Title: "Example CA", Href: "/admin/messages/example"}, {Service: true, Href: "/admin/messages/-", Here: true}}
	service.Troubled = []DeskMessage{
		{Of: "session", Case: "0session", Href: "/admin/log?find=0session", Message: "0session.m", Kind: "recovered", Shown: "a•••@example.org", State: "dead", Reason: "rejected_address", At: at.Add(-time.Hour), Age: time.Hour, Tries: 1, Bad: true, Resend: "/admin/messages/-/resend"},
	}
	service.Waiting = []DeskMessage{{Of: "policy", Case: "0policy", Href: "/admin/policy", Kind: "policy", Shown: "b•••@example.org", State: "pending", Reason: "unreachable", At: at.Add(-5 * time.Minute), Age: 5 * time.Minute, Tries: 2, Next: at.Add(time.Minute), Bad: true}}
	quiet, plain, nowhere := page, page, page
	quiet.AdminAct, quiet.CAs, quiet.Troubled, quiet.Waiting, quiet.More, quiet.Next, quiet.Dead, quiet.Lost, quiet.Replay = AdminAct{}, nil, nil, nil, false, "", nil, 0, ""
	plain = quiet
	quiet.Hook, plain.Hook = &DeskWebhook{CA: "example", Title: "Example CA", At: "https://ca.example/•••", State: "well"}, nil
	nowhere.AdminAct, nowhere.CAs, nowhere.CA, nowhere.Whose = AdminAct{}, nil, "", ""
	return map[string]Screen{"admin-messages": page, "admin-messages-quiet": quiet, "admin-messages-plain": plain, "admin-messages-nowhere": nowhere, "admin-messages-organization": theirs, "admin-messages-service": service}
}
