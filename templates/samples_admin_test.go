package templates

import (
	"maps"
	"net/url"
	"slices"
	"time"
)

// adminFrame is the frame of a page of the console.
func adminFrame(here, self string) AdminFrame {
	f := AdminFrame{Frame: frame, Reader: "R. <Example>", Me: "/me", SignOut: "/me/sign-out", Now: at}
	f.Self = self
	names := []string{"queue", "organizations", "people", "log"}
	if here != "" && !slices.Contains(names, here) { // of the pages that are not everybody's, only the page itself
		names = append(names, here)
	}
	for _, name := range names {
		f.Nav = append(f.Nav, AdminLink{Name: name, Href: "/admin/" + name, Here: name == here})
	}
	return f
}

// adminSamples are the pages of the console.
func adminSamples() map[string]Screen {
	queue := AdminQueue{
		Unheard:    true,
		AdminFrame: adminFrame("queue", "/admin"),
		As:         []AdminOffice{{"reviewer", "Example CA", "/admin?as=1", true}, {"certificate_approver", "Example <Corporation>", "/admin?as=2", false}, {"administrator", "", "/admin?as=3", false}},
		Stages:     []AdminTab{{"submitted", "50+", "/admin?as=1&stage=submitted", false}, {"vetting", "3", "/admin?as=1&stage=vetting", false}, {"cross_correlation", "4", "/admin?as=1&stage=cross_correlation", true}},
		Rows: []AdminRow{
			{Href: "/admin/cases/1", Name: "Example <Corporation> Gesellschaft für Beispiele mit beschränkter Haftung", CA: "Example CA", Profile: "EV code signing", Since: at.Add(-26 * time.Hour), Age: 26 * time.Hour, Turn: "reviewer", Mine: true},
			{Href: "/admin/cases/2", Name: "Another Corporation", CA: "Example CA", Profile: "EV code signing", Since: at.Add(-90 * 24 * time.Hour), Age: 90 * 24 * time.Hour, Turn: "reviewer", Unresolved: 1, More: 2,
				Lacks: []AdminLack{{Code: "aged", Item: "registration_number", Clause: "3.2.2.2.1", Since: at}, {Code: "role", Clause: "3.2.2.2", Role: "contract_signer"}}},
			{Href: "/admin/cases/3", Name: "Third Corporation", CA: "Example CA", Profile: "EV code signing", Since: at.Add(-3 * time.Minute), Age: 3 * time.Minute, Turn: "certificate_approver", Approved: 1, Needed: 2,
				Lacks: []AdminLack{{Code: "own_source", Item: "approver_authority", Clause: "3.2.2.2.7", About: "A. Example"}}},
			{Href: "/admin/cases/4", Name: "Fourth Corporation", CA: "Example CA", Profile: "EV code signing", Since: at, Turn: "reviewer", Frozen: true},
		},
		First: "/admin?as=1", Next: "/admin?as=1&after=x",
	}
	queue.Query = url.Values{"as": {"1"}, "stage": {"cross_correlation"}}
	queue.Policy = &AdminPolicyRow{Href: "/admin/policy/1", Approved: 1, Needed: 2}
	queue.Revoke = &AdminRevoke{N: "2", By: at.Add(-time.Hour), Late: true, Href: "/admin/revocations"}
	queue.Frozen, queue.FrozenMore = []AdminFrozen{{"Example <Corporation>", "Example CA", "/admin/cases/7", at.Add(3 * time.Hour), true}, {"Another Corporation", "Example CA", "/admin/cases/8", at.Add(20 * time.Hour), false}}, true
	queue.Find = AdminFind{Action: "/admin", Query: queue.Query}
	several := queue
	several.Find.Text, several.Find.More = "0a1b", true
	several.Find.Found = []AdminFound{{"/admin/cases/1", "Example <Corporation>", "Example CA", "1", "granted"}, {"/admin/cases/2", "Another Corporation", "Other CA", "2", "frozen"}, {"/admin/organizations/3", "Example <Corporation>", "Other CA", "", ""}}
	empty := queue
	empty.Revoke, empty.Policy, empty.Frozen, empty.FrozenMore = nil, nil, nil, false
	empty.As, empty.Rows, empty.First, empty.Next = nil, nil, "", ""
	empty.Stages = []AdminTab{{"submitted", "0", "/admin?stage=submitted", true}, {"vetting", "0", "/admin?stage=vetting", false}, {"cross_correlation", "0", "/admin?stage=cross_correlation", false}}
	empty.Idle, empty.Begin = "administrator", "/admin/people"
	reviews := empty
	reviews.Find.Text = "Nobody <Ltd>"
	reviews.Idle, reviews.Begin, reviews.Unheard = "reviewer", "", false
	soon := empty
	soon.Revoke = &AdminRevoke{N: "50+", By: at.Add(3 * time.Hour), Href: "/admin/revocations"}
	all := map[string]Screen{"admin-queue": queue, "admin-queue-empty": empty, "admin-queue-idle": reviews, "admin-queue-found": several, "admin-queue-revoke": soon}
	maps.Copy(all, adminRevocationSamples())
	maps.Copy(all, adminSettingsSamples())
	maps.Copy(all, adminOperationSamples())
	maps.Copy(all, adminMessagesSamples())
	maps.Copy(all, adminSpendSamples())
	maps.Copy(all, adminCaseSamples())
	maps.Copy(all, adminJoinSamples())
	return all
}
