package templates

import "time"

// deskSamples are the pages for operators.
func deskSamples() map[string]Screen {
	frame := func(here string) Desk {
		d := Desk{Operator: "Example Operations", Self: "/", Now: at}
		for _, name := range []string{"overview", "messages", "spend", "brakes", "webhooks"} {
			d.Nav = append(d.Nav, DeskLink{Name: name, Href: "/" + name, Here: name == here})
		}
		return d
	}
	spent := []DeskSpent{
		{CA: "example", Title: "<b>Example</b> CA", State: "spent", Messages: "5000", MostMessages: "5000", LeftOver: "0", Money: "12.40", MostMoney: "100.00", LeftMoney: "87.60"},
		{CA: "other", Title: "Other CA", State: "near", Messages: "4100", MostMessages: "5000", LeftOver: "900", Money: "0.00", MostMoney: "100.00", LeftMoney: "100.00"},
		{CA: "third", Title: "Third CA", State: "fine", Messages: "0", MostMessages: "5000", LeftOver: "5000", Money: "0.00", MostMoney: "100.00", LeftMoney: "100.00"},
		{CA: "gone", Title: "Gone CA", State: "revoked", Messages: "0", MostMessages: "5000", LeftOver: "5000", Money: "0.00", MostMoney: "100.00", LeftMoney: "100.00"},
	}
	holds := DeskBrake{ID: "0a1b", Scope: "range", Place: "+44740012••••", State: "holds", Unanswered: 21, Usual: 60, Refused: 2, At: at, Until: at.Add(time.Hour)}
	reports := DeskBrake{ID: "0a1c", Scope: "country", Place: "GB", CA: "example", State: "reports", Unanswered: 240, Answered: 30, Usual: 71, Known: true, At: at, Until: at.Add(time.Hour)}
	lifted := holds
	lifted.State = "lifted"
	waits := DeskMessage{Of: "case", Case: "0a1b2c", Href: "/case?id=0a1b2c", CA: "example", Kind: "email_code", Shown: "a•••@example.org", State: "pending", Reason: "unreachable",
		At: at.Add(-5 * time.Minute), Age: 5 * time.Minute, Tries: 2, Next: at.Add(time.Minute), Bad: true}
	dead := DeskMessage{Of: "appointment", Case: "0a1b2e", CA: "example", Kind: "appointment", Shown: "b•••@example.org", State: "dead", Reason: "rejected_address", At: at.Add(-time.Hour), Age: time.Hour, Tries: 1, Bad: true}
	failed := DeskMessage{Of: "case", Case: "0a1b2d", Href: "/case?id=0a1b2d", CA: "example", Kind: "sms_code", Shown: "+44 ••• •56", State: "failed", Reason: "number_invalid", At: at, Tries: 1}
	return map[string]Screen{
		"desk-fine": DeskOverview{Desk: frame("overview"), Waiting: "0", Brakes: "0", Version: "v1", Started: at},
		"desk-wrong": DeskOverview{Desk: frame("overview"), Waiting: "50+", Brakes: "2", CAs: spent, Version: "v1", Started: at, Findings: []DeskFinding{
			{"waiting", "", "50+", "/messages", true}, {"failed", "", "3", "/messages", true}, {"dead", "", "1", "/messages", true}, {"brake", "+44740012••••", "", "/brakes", true},
			{"brake_report", "GB", "", "/brakes", false}, {"spent", "<b>Example</b> CA", "", "/spend", true}, {"near", "Other CA", "", "/spend", false}}},
		"desk-spend": DeskSpend{Desk: frame("spend"), CAs: spent, Next: "/spend?after=x"},
		"desk-messages": DeskMessages{Desk: frame("messages"), Waiting: []DeskMessage{waits}, Next: "/messages?after=x", Troubled: []DeskMessage{failed, dead}, More: true, Started: at,
			Outcomes: []DeskOutcome{{"email", "accepted", 12, at, ""}, {"phone", "refused", 2, at, "number_invalid"}}},
		"desk-case": DeskCase{Desk: frame(""), ID: "0a1b2c", CA: "example", Profile: "server", IdentifierType: "dns", Identifier: "www.example.com", Status: "open",
			Created: at, Expires: at.Add(48 * time.Hour), Messages: []DeskMessage{waits}, Brakes: []DeskBrake{holds},
			Why:    []DeskWhy{{Code: "brake", Method: "sms", Shown: "+44 ••• •56", Bad: true}, {Code: "waiting", Method: "email", Shown: "a•••@example.org", Reason: "unreachable", N: 2, At: at, Bad: true}},
			Limits: []DeskLimits{{"a•••@example.org", []DeskCount{{"address_hour", "5", "5", true, at.Add(time.Hour)}, {"failures", "0", "100", false, time.Time{}}}}}},
		"desk-brakes": DeskBrakes{Desk: frame("brakes"), Brakes: []DeskBrake{holds, reports, lifted}, More: true, Ranges: "enforce", Countries: "report"},
		"desk-webhooks": DeskWebhooks{Desk: frame("webhooks"), Next: "/webhooks?after=x", Hooks: []DeskWebhook{
			{CA: "example", Title: "<b>Example</b> CA", At: "https://ca.example", State: "failing", Since: at.Add(-time.Hour), Reason: "unreachable", Tries: 9, Again: at.Add(time.Minute), Dead: 3},
			{CA: "other", Title: "Other CA", At: "https://other.example", State: "stopped", Since: at, Reason: "gone"},
			{CA: "fourth", Title: "Fourth CA", At: "https://fourth.example", State: "off"},
			{CA: "third", Title: "Third CA", At: "https://third.example", State: "well", Late: 2}}},
		"desk-fault":       DeskFault{Desk: frame(""), Code: "not_found"},
		"desk-unavailable": DeskFault{Desk: frame(""), Code: "unavailable"},
	}
}
