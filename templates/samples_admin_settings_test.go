package templates

import "net/url"

// adminSettingsSamples are the pages of the settings.
func adminSettingsSamples() map[string]Screen {
	page := AdminSettings{AdminFrame: adminFrame("settings", "/admin/settings"), All: "/admin/settings", Policy: "/admin/policy", Sections: []AdminSection{
		{"origin", []AdminSetting{{Path: "origin", Value: "https://proof.example.org", Line: 7}}},
		{"people", []AdminSetting{{Path: "people.cooling", Value: "24h", Approved: true}}},
		{"smtp", []AdminSetting{
			{Path: "smtp.host", Value: "mail.example.org", Variable: "COUNTERSIGN_SMTP_HOST"}, {Path: "smtp.port", Value: "587"}, {Path: "smtp.password", Value: "set", Secret: true, Line: 41},
			{Path: "smtp.dkim.key", Secret: true}, {Path: "smtp.from", Value: "Example <noreply@example.org>", Line: 43}, {Path: "smtp.dkim.selector"},
		}},
	}}
	found := page
	found.Find, found.Query, found.Sections = "host", url.Values{"find": {"host"}}, []AdminSection{{"smtp", page.Sections[2].Settings[:1]}}
	none := page
	none.Sections, none.Find, none.Query = nil, "<x>", url.Values{"find": {"<x>"}}
	return map[string]Screen{"admin-settings": page, "admin-settings-found": found, "admin-settings-none": none}
}
