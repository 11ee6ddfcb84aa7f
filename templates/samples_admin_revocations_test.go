package templates

import (
	"net/url"
	"time"
)

// adminRevocationSamples are the pages of what must be revoked.
func adminRevocationSamples() map[string]Screen {
	one := AdminRevocation{
		ID: "0cert", Subject: "CN=Example <Corporation>,O=Example <Corporation>,C=DE", Serial: "3a7f00c1", CA: "Example CA", Profile: "EV code signing", Ends: at.AddDate(1, 0, 0),
		Said: at.Add(-21 * time.Hour), By: at.Add(3 * time.Hour), Left: 3 * time.Hour, Frozen: true, Told: "called", Whose: "B. <Approver>", Channel: "email", Log: "/admin/log?find=0cert", Request: "/admin/cases/0case",
	}
	late, fresh, theirs := one, one, one
	late.Said, late.By, late.Left, late.Late, late.Told, late.Ends, late.Ended = at.Add(-99*time.Hour), at.Add(-75*time.Hour), 75*time.Hour, true, "dead", at.Add(-time.Hour), true
	fresh.Said, fresh.By, fresh.Left, fresh.Frozen, fresh.Told, fresh.Whose, fresh.Request = at.Add(-time.Minute), at.Add(24*time.Hour-time.Minute), 24*time.Hour-time.Minute, false, "not", "", ""
	theirs.Theirs, theirs.Told, theirs.Channel = true, "listed", "phone"
	page := AdminRevocations{
		AdminFrame: adminFrame("revocations", "/admin/revocations"), Rows: []AdminRevocation{late, one, fresh}, First: "/admin/revocations?as=1", Next: "/admin/revocations?as=1&after=x",
		Scopes: []AdminScope{{Title: "Example CA", Href: "/admin/revocations?as=1", Here: true}, {Title: "Other <CA>", Href: "/admin/revocations?as=2"}},
	}
	page.Query = url.Values{"as": {"1"}}
	own, none := page, page
	own.Rows, own.Scopes, own.First, own.Next, own.Query = []AdminRevocation{theirs}, nil, "", "", nil
	none.Rows, none.Scopes, none.First, none.Next, none.Query = nil, nil, "", "", nil
	return map[string]Screen{"admin-revocations": page, "admin-revocations-own": own, "admin-revocations-none": none}
}
