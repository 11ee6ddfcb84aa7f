package templates

// adminLogSamples are the pages of the log.
func adminLogSamples() map[string]Screen {
	one := AdminLogged{
		Place: "4711", Href: "/admin/log/4711", At: at, Kind: "organization_item", Of: "organization", Object: "0abc", ObjectHref: "/admin/organizations/0abc", ObjectLog: "/admin/log?find=0abc", Number: 3,
		Actor: "person", ActorID: "0person", Role: "validation_specialist", By: "V. <Specialist>", ByHref: "/admin/people/1",
		Facts: []AdminMember{{"ca", "example"}, {"kind", "legal_name"}, {"outcome", "good"}}, Beside: "shown", Private: []AdminMember{{"source", "Register <of> companies"}, {"value", "Example <Corporation>"}},
	}
	waits, hidden, erased := one, one, one
	waits.Place, waits.Href, waits.By, waits.ByHref = "", "", "", ""
	hidden.Place, hidden.Beside, hidden.Private, hidden.By, hidden.Kind, hidden.Of, hidden.ObjectHref = "4710", "hidden", nil, "", "case_decided", "case", ""
	erased.Place, erased.Beside, erased.Private, erased.Actor, erased.ActorID, erased.Role, erased.By, erased.Kind, erased.Facts = "4709", "erased", nil, "service", "", "", "", "a_new_kind", nil
	plain := erased
	plain.Beside, plain.Actor = "none", "operator"
	list := AdminLog{
		AdminFrame: adminFrame("log", "/admin/log"), Entries: []AdminLogged{one, hidden, erased, plain}, First: "/admin/log", Next: "/admin/log?before=4708",
		Checkpoint: "proof.example.org/log\n4712\nqINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=\n\n— proof.example.org/log Az3grlgtz<signature>\n", CheckpointFile: "/admin/log/checkpoint", Key: "proof.example.org/log+59dc1b8f+AQ<key>",
	}
	object, nothing, further := list, list, list
	object.Of, object.Object, object.ObjectHref, object.Find, object.Entries = "organization", "0abc", "/admin/organizations/0abc", "0abc", []AdminLogged{waits, one}
	nothing.Find, nothing.Bad, nothing.Entries, nothing.Next, nothing.First, nothing.Checkpoint = "<0abc>", &Problem{Family: "input", Code: "log_nothing"}, nil, "", "", ""
	further.Entries = nil
	entry := AdminEntry{
		AdminFrame: adminFrame("log", "/admin/log/4711"), Back: "/admin/log?find=0abc", Log: "/admin/log", Earlier: "/admin/log/4710", Later: "/admin/log/4712", Entry: one,
		Leaf: "{\n  \"at\": \"2026-11-23T10:00:00Z\",\n  \"kind\": \"organization_item\"\n}", Proof: "{\n  \"index\": 4711,\n  \"path\": [\"<hash>\"]\n}", ProofFile: "/admin/log/4711/proof",
	}
	unproved := entry
	unproved.Proof, unproved.Earlier = "", ""
	return map[string]Screen{"admin-log": list, "admin-log-object": object, "admin-log-nothing": nothing, "admin-log-further": further, "admin-entry": entry, "admin-entry-unproved": unproved}
}
