package templates

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	oldDigest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	newDigest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
)

// policyFrame is the frame of a page of policies: administrators alone have the link to them.
func policyFrame(self string) AdminFrame {
	f := adminFrame("", self)
	f.Nav = slices.Insert(f.Nav, len(f.Nav)-1, AdminLink{Name: "policy", Href: "/admin/policy", Here: true})
	return f
}

// adminPolicySamples are the pages of policies.
func adminPolicySamples() map[string]Screen {
	list := AdminPolicies{
		AdminFrame: policyFrame("/admin/policy"), Digest: oldDigest, Since: at, From: "/admin/policy/1",
		Waits: &AdminPolicyRow{Href: "/admin/policy/3", At: at.Add(time.Hour), By: "file", Status: "waiting", Changes: 4, Approved: 1, Needed: 2},
		Rows: []AdminPolicyRow{
			{Href: "/admin/policy/2", At: at, By: "operator", Status: "refused", Changes: 1}, {Href: "/admin/policy/1", At: at, By: "file", Status: "approved", Changes: 12, Approved: 2},
			{Href: "/admin/policy/0", At: at, By: "file", Status: "replaced", Changes: 2},
		},
		First: "/admin/policy", Next: "/admin/policy?after=x",
	}
	first := AdminPolicies{AdminFrame: policyFrame("/admin/policy"), Digest: oldDigest, Since: at}
	none := AdminPolicies{AdminFrame: policyFrame("/admin/policy"), None: true}
	one := AdminPolicy{
		AdminFrame: policyFrame("/admin/policy/3"), Back: "/admin/policy", By: "file", At: at, Status: "waiting", Needed: 2, Log: "/admin/log?find=3",
		PolicyMatter: PolicyMatter{Digest: newDigest, Against: oldDigest, Changes: []PolicyLine{
			{`issuers.staff.acr."https://refeds.org/profile/mfa".aal`, "2", "3"}, {"profiles.code-signing-ev.approvals", "2", "1"},
			{"profiles.code-signing-ev.title", "EV <code> signing", "Any code signing"}, {"profiles.device.identifiers", "", "[dns, ip]"}, {"profiles.old.methods", "[email]", ""},
		}},
		Decide: &AdminPolicyDecides{Action: "/admin/policy/3/decide", Number: 7, Agree: "first"},
	}
	stale := one
	stale.AdminAct, stale.By, stale.Approved = AdminAct{Stale: true, Confirm: "/me?method=fido", Notice: &Problem{Family: "input", Code: "policy_stale"}}, "operator", 1
	stale.Decide = &AdminPolicyDecides{Action: "/admin/policy/3/decide", Number: 8, Agree: "last"}
	stale.Decisions = []AdminPolicyDecision{
		{Name: "A. <Example>", At: at, Void: "expired"}, {Name: "B. Example", At: at, Void: "administrator_gone"}, {Name: "C. Example", At: at},
	}
	mine := one
	mine.Decide, mine.WhyNot, mine.Approved, mine.Decisions = nil, &Problem{Family: "input", Code: "policy_again"}, 1, stale.Decisions[2:]
	bad := one
	bad.Typed, bad.Bad = "because <I> say so", &Problem{Family: "input", Code: "reason_empty"}
	refused := one
	refused.Decide, refused.Status, refused.Ended, refused.Decisions = nil, "refused", at.Add(time.Hour), []AdminPolicyDecision{{Name: "A. <Example>", At: at, Refused: true, Reason: "too <weak>"}}
	return map[string]Screen{
		"admin-policies": list, "admin-policies-first": first, "admin-policies-none": none,
		"admin-policy": one, "admin-policy-stale": stale, "admin-policy-mine": mine, "admin-policy-bad": bad, "admin-policy-refused": refused,
	}
}

// What a policy changes is signed line by line, and no value looks like a line of its own.
func TestTheTextOfADecisionAboutAPolicySaysEverythingThatChanges(t *testing.T) {
	m := adminPolicySamples()["admin-policy"].(AdminPolicy).PolicyMatter
	m.Changes = append(m.Changes, PolicyLine{"profiles.x.title", "a", "b\n\nprofiles.y.ev: from true to false"})
	for _, lang := range Languages() {
		for _, refuse := range []bool{false, true} {
			text, err := PolicyVerdict{PolicyMatter: m, Refuse: refuse, Reason: "not\nours", Agree: "last"}.Text(lang)
			if err != nil {
				t.Fatal(err)
			}
			if lines := strings.Count(text, "\n") + 1; lines != 8+len(m.Changes)+strings.Count(text, "not ours") {
				t.Errorf("%s: %d lines in\n%s", lang, lines, text)
			}
			for _, c := range m.Changes {
				for _, part := range []string{c.Setting, c.Old, strings.Join(strings.Fields(c.New), " ")} {
					if !strings.Contains(text, part) {
						t.Errorf("%s: %q is not in\n%s", lang, part, text)
					}
				}
			}
			if !strings.Contains(text, oldDigest) || !strings.Contains(text, newDigest) || strings.Contains(text, "not ours") != refuse {
				t.Errorf("%s:\n%s", lang, text)
			}
		}
	}
}
