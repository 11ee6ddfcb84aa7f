package templates

import "time"

// adminMessagesSamples are the pages of an authority's messages and webhook.
func adminMessagesSamples() map[string]Screen {
	page := AdminMessages{
		AdminFrame: adminFrame("messages", "/admin/messages/example"), CA: "example",
		CAs:      []AdminScope{{Title: "Example CA", Href: "/admin/messages/example", Here: true}, {Title: "Other <CA>", Href: "/admin/messages/other"}},
		Troubled: []DeskMessage{{Case: "0case", Href: "/admin/cases/0case", CA: "example", Kind: "email_code", Shown: "a•••@example.org", State: "failed", Reason: "rejected_address", At: at.Add(-time.Hour), Age: time.Hour, Tries: 1}},
		Waiting:  []DeskMessage{{Case: "0other", CA: "example", Kind: "sms_code", Shown: "+44 ••• •56", State: "pending", At: at.Add(-5 * time.Minute), Age: 5 * time.Minute, Tries: 2, Next: at.Add(time.Minute), Bad: true}},
		More:     true, Next: "/admin/messages/example?after=x",
		Hook:   &DeskWebhook{CA: "example", Title: "Example CA", At: "https://ca.example/•••", State: "stopped", Since: at.Add(-time.Hour), Reason: "gone", Late: 2, Dead: 3},
		Dead:   []AdminDead{{"evt_0case_3", "status", "granted", at.Add(-80 * time.Hour), at.Add(-8 * time.Hour), "timeout"}, {"evt_<0case>_2", "certificate_disowned", "granted", at.Add(-81 * time.Hour), at.Add(-9 * time.Hour), "unreachable"}},
		Lost:   1,
		Replay: "/admin/messages/example/replay",
	}
	page.Stale, page.Confirm = true, "/me/confirm"
	quiet, plain, nowhere := page, page, page
	quiet.AdminAct, quiet.CAs, quiet.Troubled, quiet.Waiting, quiet.More, quiet.Next, quiet.Dead, quiet.Lost, quiet.Replay = AdminAct{}, nil, nil, nil, false, "", nil, 0, ""
	plain = quiet
	quiet.Hook, plain.Hook = &DeskWebhook{CA: "example", Title: "Example CA", At: "https://ca.example/•••", State: "well"}, nil
	nowhere.AdminAct, nowhere.CAs, nowhere.CA = AdminAct{}, nil, ""
	return map[string]Screen{"admin-messages": page, "admin-messages-quiet": quiet, "admin-messages-plain": plain, "admin-messages-nowhere": nowhere}
}
