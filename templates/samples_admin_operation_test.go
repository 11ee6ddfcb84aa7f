package templates

import (
	"net/url"
	"time"
)

// adminOperationSamples are the pages of what an authority has.
func adminOperationSamples() map[string]Screen {
	of := func(name string) AdminOperated {
		return AdminOperated{
			AdminFrame: adminFrame(name, "/admin/"+name+"/example"), CA: "example",
			CAs:  []AdminScope{{Title: "Example CA", Href: "/admin/" + name + "/example", Here: true}, {Title: "Other <CA>", Href: "/admin/" + name + "/other"}},
			Next: "/admin/" + name + "/example?after=x",
		}
	}
	row := AdminKeyRow{Kid: "cs7n2q9d4kz0m5xw8r1tb6vj", Href: "/admin/keys/example/cs7n2q9d4kz0m5xw8r1tb6vj", Status: "active", Profile: "Client certificate", Accounts: 1, Most: 5, Made: at.Add(-50 * time.Hour), Until: at.AddDate(0, 3, 0)}
	over := row
	over.Kid, over.Status, over.Profile = "cs<old>", "revoked", "Server <certificate>"
	keys := AdminKeys{AdminOperated: of("keys"), People: true, Rows: []AdminKeyRow{row, over}}
	theirs := AdminKeys{AdminOperated: of("keys"), Theirs: true, Rows: []AdminKeyRow{row}}
	theirs.CAs, theirs.Next = []AdminScope{{Title: "Example <Corporation>", Href: "/admin/keys/-0org", Here: true}, {Title: "Other SARL", Href: "/admin/keys/-0other"}}, ""
	none := AdminKeys{AdminOperated: of("keys")}
	none.CAs, none.Next, none.Find, none.First = nil, "", "<kid>", "/admin/keys/example"
	none.Query = url.Values{"find": {"<kid>"}}
	nowhere := AdminKeys{AdminOperated: AdminOperated{AdminFrame: adminFrame("keys", "/admin/keys")}}
	key := AdminKey{
		AdminFrame: adminFrame("keys", row.Href), AdminKeyRow: row, Back: "/admin/keys/example", Log: "/admin/log?find=0key", CA: "Example CA", Algorithm: "HS256", Directory: "https://ca.example/acme/directory",
		For: []AdminMember{{"dns", "www.example.com"}, {"permanent-identifier", "device <17>"}}, Case: "0case", CaseHref: "/admin/cases/0case", Subject: "5f3a", Person: "0person", Released: at.Add(-time.Hour),
		Bound: []AdminBound{{"https://ca.example/acct/<7>", "", at.Add(-40 * time.Hour), false}, {"", "3Zqx9fKd0aBc", at.Add(-30 * time.Hour), true}}, End: row.Href + "/revoke",
	}
	key.Stale, key.Confirm = true, "/me?method=fido"
	ended := AdminKey{
		AdminFrame: adminFrame("keys", row.Href), AdminKeyRow: over, Back: "/admin/keys/example", Log: "/admin/log?find=0key", CA: "Example CA", Algorithm: "HS256",
		Unused: at, Revoked: at.Add(-time.Hour), Reason: "key_revoked_by_operator", Replaced: row.Kid, ReplacedHref: row.Href,
	}
	registry := AdminRegistry{AdminOperated: of("registry"), Rows: []AdminRegistered{
		{Type: "dns", Value: "www.example.com", Holders: []AdminHolder{{Shown: "a•••@example.org"}, {Shown: "0person", Person: true}, {Shown: "Example <Corporation>", Organization: true}}, Since: at.AddDate(0, -2, 0), Note: "ticket <7>", Log: "/admin/log?find=0entry"},
		{Type: "organization", Value: "Example <Corporation>", Holders: []AdminHolder{{Person: true}}, Domains: []string{"example.org", "example.net"}, Since: at, Log: "/admin/log?find=0other"},
	}}
	nobody := AdminRegistry{AdminOperated: of("registry")}
	nobody.CAs, nobody.Next = nil, ""
	links := []AdminLink{{Name: "keys", Href: "/admin/keys/example"}, {Name: "registry", Href: "/admin/registry/example"}, {Name: "messages", Href: "/admin/messages/example"}, {Name: "log", Href: "/admin/log?find=0ca"}}
	cas := AdminAuthorities{AdminFrame: adminFrame("authorities", "/admin/authorities"), Rows: []AdminAuthority{
		{Name: "example", Title: "Example <CA>", Since: at.AddDate(-1, 0, 0), Directories: []string{"https://ca.example/acme/directory"}, Profiles: []string{"EV code signing", "Client certificate"}, CAA: []string{"ca.example"}, Tokens: 2, Pins: 1, Step: 1, MAC: true, TokenTypes: []string{"permanent-identifier", "hardware-module"}, Links: links},
		{Name: "other", Title: "Other CA", Since: at, Directories: []string{"https://other.example/directory"}, Profiles: []string{"Client certificate"}, Links: links},
	}}
	return map[string]Screen{
		"admin-keys": keys, "admin-keys-organization": theirs, "admin-keys-none": none, "admin-keys-nowhere": nowhere, "admin-key": key, "admin-key-ended": ended,
		"admin-registry": registry, "admin-registry-none": nobody, "admin-authorities": cas, "admin-authorities-none": AdminAuthorities{AdminFrame: adminFrame("authorities", "/admin/authorities")},
	}
}
