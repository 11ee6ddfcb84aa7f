package templates

import "time"

// meSamples are the pages of what is a person's own.
func meSamples() map[string]Screen {
	panel := &Panel{Method: "fido", Begin: "/c/ref/begin", Answer: "/c/ref/answer", Enrol: "/c/ref/enrol"}
	others := []Way{{"oidc", "/c/ref?method=oidc"}, {"sms", "/c/ref?method=sms"}, {"recovery", "/c/ref?method=email"}}
	me := Me{
		Frame: frame, Fresh: true, CodesLeft: 1, Until: at.Add(time.Hour),
		Things: []Thing{
			{ID: "p1", Kind: "passkey", Shown: "…Ab3d", Name: "My <key>", Added: at.Add(-48 * time.Hour)},
			{ID: "p2", Kind: "passkey", Shown: "…9x_Q", Added: at, Counts: at.Add(24 * time.Hour)},
			{ID: "e1", Kind: "email", Shown: "a•••@example.org", Added: at},
			{ID: "n1", Kind: "phone", Shown: "+44 ••• •56", Added: at, Restricted: true},
			{ID: "i1", Kind: "identity", Shown: "Example ID", Added: at},
		},
		Adds:   []Way{{"fido", "/me?method=fido"}, {"oidc", "/me?method=oidc"}, {"email", "/me?method=email"}, {"sms", "/me?method=sms"}},
		Levels: []Level{{"IAL", "", nil}, {"AAL", "2", nil}, {"FAL", "", nil}},
		Keys: []MyKey{
			{Kid: "cs2705zv3m8bkq6rt4xw1c9n", Identifier: "applicant@example.org", CA: "Example CA", Status: "active", Accounts: 1, Made: at, Until: at.Add(30 * 24 * time.Hour)},
			{Kid: "cs8n1c4xwrt6qkb8m3vz5072", Identifier: "www.example.com", CA: "Example CA", Status: "revoked", Directory: "https://ca.example/acme/directory", Made: at.Add(-48 * time.Hour), Until: at},
		},
		EndKey: "/me/keys/end", Rename: "/me/rename", Remove: "/me/remove", NewCodes: "/me/codes", SignOut: "/me/sign-out", Export: "/me/export", Erase: "/me/erase",
	}
	stale, codes := me, me
	stale.Fresh, stale.Panel, stale.CodesLeft = false, panel, 0
	stale.Keys, stale.ShowKeys = nil, "/me?keys=show#keys-title"
	stale.Notice = &Problem{Family: "error", Code: "not_admitted"}
	desk := me
	desk.Desk, desk.Console = "/desk", "/admin"
	codes.Codes, codes.CodesLeft = []string{"0123-4567-89AB-CDEF", "GHJK-MNPQ-RSTV-WXYZ"}, 2
	recovering, recovered := stale, me
	recovering.Notice, recovering.Recovering, recovering.StopRecovery = nil, true, "/me/recovery/stop"
	copied := me
	copied.Things = []Thing{{ID: "p1", Kind: "passkey", Shown: "…Ab3d", Added: at.Add(-48 * time.Hour), Copied: at}, me.Things[1]}
	recovering.Things = []Thing{{ID: "p1", Kind: "passkey", Shown: "…Ab3d", Added: at.Add(-48 * time.Hour), Suspended: at}, me.Things[1]}
	renewed := recovering
	renewed.Codes, renewed.CodesLeft, renewed.StopRecovery, renewed.Back = []string{"0123-4567-89AB-CDEF"}, 10, "", true
	renewed.Panel = &Panel{Method: "fido", Enrol: "/c/ref/enrol", Owned: true}
	added := renewed
	added.Codes, added.Panel, added.Cools = nil, nil, at.Add(24*time.Hour)
	recovered.Recovering, recovered.Reactivate, recovered.Things = true, "/me/reactivate", recovering.Things
	fresh := *panel
	fresh.New = true
	return map[string]Screen{
		"signin-new":     SignIn{New: true, Frame: frame, Start: "/me/sign-in", Regain: "/me/regain"},
		"signin-out":     SignIn{New: true, Out: true, Frame: frame, Start: "/me/sign-in", Regain: "/me/regain"},
		"signin-choose":  SignIn{New: true, Frame: frame, Panel: &fresh, Others: others[:1], Lost: "/c/ref/begin"},
		"signin-start":   SignIn{Frame: frame, Start: "/me/sign-in", Regain: "/me/regain"},
		"signin":         SignIn{Frame: frame, Panel: panel, Others: others[:2], Lost: "/c/ref/begin"},
		"signin-other":   SignIn{Frame: frame, Panel: &Panel{Method: "sms", Begin: "/c/ref/begin", Restricted: &Restricted{Clause: clause}}, Others: []Way{{"fido", "/c/ref?method=fido"}, {"recovery", "/c/ref?method=email"}}},
		"signin-recover": SignIn{Frame: frame, Recover: "/c/ref/recover", Others: others[:1]},
		"me":             me, "me-stale": stale, "me-codes": codes, "me-representative": desk, "me-recovering": recovering, "me-renewed": renewed, "me-added": added, "me-recovered": recovered, "me-copied": copied,
	}
}
