package proofing

import (
	"strings"
	"testing"
)

func dnsName(value string) Identifier { return Identifier{IdentifierDNS, value} }

// caaRecords reads "tag value" and "! tag value", which is critical, one a line.
func caaRecords(lines ...string) (set CAASet) {
	set.At = "example.org"
	for _, line := range lines {
		r := CAARecord{}
		if rest, critical := strings.CutPrefix(line, "! "); critical {
			line, r.Flags = rest, caaCritical
		}
		r.Tag, r.Value, _ = strings.Cut(line, " ")
		set.Records = append(set.Records, r)
	}
	return set
}

func TestCAARecordsSayWhoMayIssue(t *testing.T) {
	const account, other = "https://ca.example/acct/1", "https://ca.example/acct/2"
	name, wild, mail, organization := dnsName("www.example.org"), dnsName("*.example.org"), Identifier{IdentifierEmail, "applicant@example.org"}, Identifier{IdentifierOrganization, "*.Example GmbH"}
	own := []string{"ca.example", "ca.example.net"}
	for _, c := range []struct {
		why     string
		id      Identifier
		records []string
		code    string
		words   string // that the detail has
	}{
		{"no records", name, nil, "", ""},
		{"ours", name, []string{"issue ca.example"}, "", ""},
		{"our other name, in upper case", name, []string{"ISSUE CA.Example.NET"}, "", ""},
		{"one of two", name, []string{"issue other.example", "issue ca.example"}, "", ""},
		{"another's", name, []string{"issue other.example"}, CAAForbidden, `let only "other.example" issue: add one with issue "ca.example"`},
		{"others', each named once", name, []string{"issue a.example", "issue A.example", "issue b.example; a=b"}, CAAForbidden, `only "a.example", "b.example" issue`},
		{"many others'", name, []string{"issue a.a", "issue b.b", "issue c.c", "issue d.d", "issue e.e", "issue f.f", "issue g.g"}, CAAForbidden, `"e.e" and 2 others issue`},
		{"what begins as ours", name, []string{"issue ca.example.com"}, CAAForbidden, ""},
		{"what ends as ours", name, []string{"issue other.ca.example"}, CAAForbidden, ""},
		{"nobody", name, []string{"issue ;"}, CAAForbidden, "let nobody issue"},
		{"nobody, and ours", name, []string{"issue ;", "issue ca.example"}, "", ""},
		{"nothing at all", name, []string{"issue "}, CAAForbidden, "let nobody issue"},
		{"malformed", name, []string{"issue ca.example; ="}, CAAForbidden, "malformed"},
		{"malformed, and ours", name, []string{"issue %%%%", "issue ca.example"}, "", ""},
		{"what is said of others alone", name, []string{"iodef mailto:desk-1@example.org", "issuewild ;", "issuemail ;", "tbs ;"}, "", ""},

		{"critical and unknown", name, []string{"issue ca.example", "! tbs x"}, CAAForbidden, `the property "tbs" with the critical flag`},
		{"critical and unknown for mail", mail, []string{"! tbs x"}, CAAForbidden, "critical"},
		{"critical and known", name, []string{"! issue ca.example", "! iodef x", "! IssueWild ;", "! issuemail ;"}, "", ""},

		{"a wildcard by its own", wild, []string{"issue ;", "issuewild ca.example"}, "", ""},
		{"a wildcard against its own", wild, []string{"issue ca.example", "issuewild ;"}, CAAForbidden, "nobody"},
		{"a wildcard without its own", wild, []string{"issue ca.example"}, "", ""},
		{"a wildcard without its own, by another", wild, []string{"issue other.example"}, CAAForbidden, "add one with issue "},
		{"an organization whose name begins like one", organization, []string{"issue ca.example", "issuewild ;"}, "", ""},

		{"mail", mail, []string{"issue ;", "issuemail ca.example"}, "", ""},
		{"mail by another", mail, []string{"issuemail other.example", "issue ca.example"}, CAAForbidden, `add one with issuemail "ca.example"`},
		{"nothing said of mail", mail, []string{"issue ;"}, "", ""},

		{"our account", name, []string{"issue ca.example; accounturi=" + account}, "", ""},
		{"our account, with blanks", name, []string{"issue  ca.example \t;\t AccountURI = " + account + " "}, "", ""},
		{"another account", name, []string{"issue ca.example; accounturi=" + other}, CAAForbidden, `write "` + account + `" there`},
		{"another account, and ours", name, []string{"issue ca.example; accounturi=" + other, "issue ca.example; accounturi=" + account}, "", ""},
		{"our account in other letters", name, []string{"issue ca.example; accounturi=" + strings.ToUpper(account)}, CAAForbidden, ""},
		{"two accounts in one", name, []string{"issue ca.example; accounturi=" + account + "; accounturi=" + account}, CAAForbidden, "once each"},
		{"an account of no name", name, []string{"issue ca.example; accounturi="}, CAAForbidden, ""},
		{"our account at another", name, []string{"issue other.example; accounturi=" + account}, CAAForbidden, "only"},

		{"a method", name, []string{"issue ca.example; validationmethods=dns-01,http-01"}, CAAParameters, `"validationmethods=dns-01,http-01"`},
		{"a method, or any", name, []string{"issue ca.example; validationmethods=dns-01", "issue ca.example"}, "", ""},
		{"no method", name, []string{"issue ca.example; validationmethods="}, CAAForbidden, "once each"},
		{"methods that are none", name, []string{"issue ca.example; validationmethods=dns-01,,http-01"}, CAAForbidden, "once each"},
		{"methods twice", name, []string{"issue ca.example; validationmethods=dns-01; validationmethods=dns-01"}, CAAForbidden, "once each"},
		{"a parameter of the CA's own", name, []string{"issue ca.example; policy=ev"}, CAAParameters, `"policy=ev"`},
		{"a method and another account", name, []string{"issue ca.example; validationmethods=dns-01; accounturi=" + other}, CAAForbidden, "other accounts alone"},
	} {
		t.Run(c.why, func(t *testing.T) {
			f := CAAClaim{c.id, own, account}.Judge(caaRecords(c.records...))
			switch {
			case f == nil && c.code != "":
				t.Errorf("nothing is found, want %s", c.code)
			case f != nil && (f.Code != c.code || !strings.Contains(f.Detail, c.words) || !strings.Contains(f.Detail, "example.org") || f.Identifier != c.id):
				t.Errorf("%s: %s", f.Code, f.Detail)
			}
		})
	}
}

func TestWhatIsNotKnownOfTheCAGivesItNothing(t *testing.T) {
	for records, want := range map[string]string{
		"issue ca.example": "its operator must register it",
		"issue ;":          "its operator must register it",
	} {
		if f := (CAAClaim{Identifier: dnsName("example.org")}).Judge(caaRecords(records)); f == nil || f.Code != CAAForbidden || !strings.Contains(f.Detail, want) {
			t.Errorf("%s: %+v", records, f)
		}
	}
	if f := (CAAClaim{Identifier: dnsName("example.org")}).Judge(caaRecords()); f != nil {
		t.Errorf("where nobody is kept out: %+v", f)
	}
	unknown := CAAClaim{dnsName("example.org"), []string{"ca.example"}, ""}
	for _, value := range []string{"https://ca.example/acct/1", ""} {
		if f := unknown.Judge(caaRecords("issue ca.example; accounturi=" + value)); f == nil || f.Code != CAAForbidden || !strings.Contains(f.Detail, "account.url") {
			t.Errorf("an account that is not known for %q: %+v", value, f)
		}
	}
}

// TestCAAValuesAreReadByTheLetter is the grammar of RFC 8659 4.2.
func TestCAAValuesAreReadByTheLetter(t *testing.T) {
	for _, good := range []string{
		"", " ", ";", " ; ", "ca.example", "\tca.example ", "ca.example;", "ca.example ; ", "localhost", "a--b.example", "1.2",
		"ca.example;a=b", "ca.example ;\ta = b ;\tc-d=e", "ca.example; a=", "ca.example; a==", `ca.example; a=!"#$~`, ";a=b", "ca.example; A1=b",
	} {
		if _, ok := parseCAAValue(good); !ok {
			t.Errorf("%q is well formed", good)
		}
	}
	for _, bad := range []string{
		".", "ca.example.", ".ca.example", "ca..example", "-ca.example", "ca-.example", "ca_1.example", "ca.exämple", "ca example", "ca.example a=b", "ca.example\n", "ca.example\x00",
		"ca.example; a", "ca.example; =b", "ca.example; a b=c", "ca.example; a=b c", "ca.example; a=b;", "ca.example;; a=b", "ca.example; a=b;;c=d", "ca.example; -a=b", "ca.example; a-=b",
		"ca.example; a=ä", "ca.example; a=\x7f", "ca.example; a=b\r", "ca.example, other.example",
	} {
		if _, ok := parseCAAValue(bad); ok {
			t.Errorf("%q is malformed", bad)
		}
	}
}

// FuzzCAAValue writes what was read down again: it is the same, and lets the same issue.
func FuzzCAAValue(f *testing.F) {
	for _, seed := range []string{"", ";", "ca.example", "ca.example; accounturi=https://ca.example/acct/1; validationmethods=dns-01", " ca.example ;\ta = b", "ca.example; a=b;", "ca..example", "\x00", "ca.example; a==;b=\"c\""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		claim := CAAClaim{dnsName("example.org"), []string{"ca.example"}, "https://ca.example/acct/1"}
		found := claim.Judge(CAASet{"example.org", []CAARecord{{Tag: "issue", Value: value}}})
		v, ok := parseCAAValue(value)
		if !ok || v.issuer == "" {
			if found == nil || found.Code != CAAForbidden {
				t.Fatalf("%q lets somebody issue", value)
			}
			return
		}
		again := v.issuer
		for i, p := range v.parameters {
			if again += "; "; i == 0 && strings.ContainsAny(p.tag+p.value, "; \t") {
				t.Fatalf("%q has %+v", value, p)
			}
			again += p.tag + "=" + p.value
		}
		w, ok := parseCAAValue(again)
		if !ok || w.issuer != v.issuer || len(w.parameters) != len(v.parameters) {
			t.Fatalf("%q was written as %q, and read as %+v", value, again, w)
		}
		for i := range w.parameters {
			if w.parameters[i] != v.parameters[i] {
				t.Fatalf("%q was written as %q", value, again)
			}
		}
		if found == nil && !strings.EqualFold(v.issuer, "ca.example") {
			t.Fatalf("%q lets us issue", value)
		}
	})
}
