package web

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// heldBy are the routes of the console by the test that holds each against everybody: of another role, another organization, another CA, and none. Who adds a page
// adds it to the table of such a test, and here.
var heldBy = map[string][]string{
	"TestAdministratorsAloneSeeTheSettings": {
		"GET /admin/settings",
	},
	"TestAnOrganizationsPeopleSeeItsKeysAlone": {
		"GET /admin/keys/{authority}",
		"GET /admin/keys/{authority}/{kid}",
		"POST /admin/keys/{authority}/{kid}/revoke",
	},
	"TestNothingOfARevocationIsSeenByOthers": {
		"GET /admin/revocations",
	},
	"TestNothingOfAnAuthoritysMessagesIsSeenOrDoneByOthers": {
		"GET /admin/messages/{authority}",
		"POST /admin/messages/{authority}/replay",
	},
	"TestNothingOfDossiersAndPeopleIsSeenOrDoneByOthers": {
		"GET /admin/organizations",
		"GET /admin/organizations/{organization}",
		"GET /admin/people",
		"GET /admin/people/{appointment}",
		"GET /admin/propose/{role}",
		"GET /admin/propose/{role}/{where}",
		"POST /admin/organizations",
		"POST /admin/organizations/{organization}/items",
		"POST /admin/organizations/{organization}/review",
		"POST /admin/organizations/{organization}/rule",
		"POST /admin/propose/{role}",
		"POST /admin/propose/{role}/{where}",
	},
	"TestNothingOfKeysRegistryAndAuthoritiesIsSeenOrDoneByOthers": {
		"GET /admin/authorities",
		"GET /admin/keys/{authority}",
		"GET /admin/keys/{authority}/{kid}",
		"GET /admin/registry/{authority}",
		"POST /admin/keys/{authority}/{kid}/revoke",
	},
	"TestNothingOfNoticesThatWereGivenUpIsSeenOrDoneByOthers": {
		"GET /admin/messages/{authority}",
		"POST /admin/messages/{authority}/resend",
	},
	"TestNothingOfPoliciesIsSeenOrDoneByOthers": {
		"GET /admin/policy",
		"GET /admin/policy/{proposal}",
		"POST /admin/policy/{proposal}/decide",
		"POST /admin/sign",
	},
	"TestNothingOfTheConsoleIsSeenOrDoneByOthers": {
		"GET /admin",
		"GET /admin/cases/{case}",
		"GET /admin/sign",
		"POST /admin/cases/{case}/decide",
		"POST /admin/cases/{case}/discrepancies",
		"POST /admin/cases/{case}/explanations",
		"POST /admin/sign",
	},
	"TestNothingOfTheLogIsSeenByOthers": {
		"GET /admin/log",
		"GET /admin/log/checkpoint",
		"GET /admin/log/{place}",
		"GET /admin/log/{place}/proof",
	},
	"TestNothingOfWhatIsSpentIsSeenByOthers": {
		"GET /admin/spend/{authority}",
	},
	"TestTwoWhoRunTheAuthorityGiveBackWhatWasFrozen": {
		"POST /admin/cases/{case}/restore",
	},
}

// ofFirst are routes that show what another shows, by the same handler, of the first authority that is the reader's: it is the other that is held.
var ofFirst = []string{"GET /admin/keys", "GET /admin/messages", "GET /admin/registry", "GET /admin/spend"}

// heldOf are the routes that a test holds, and with those of people all that can become of an appointment.
func heldOf(test string) []string {
	patterns := slices.Clone(heldBy[test])
	if test == "TestNothingOfDossiersAndPeopleIsSeenOrDoneByOthers" {
		for _, m := range moves {
			patterns = append(patterns, "POST /admin/people/{appointment}/"+m.path)
		}
	}
	return patterns
}

// holding has what is asked for count as held by the test, until it is let go. At the end of the test all that it is to hold must have been.
func (c *court) holding() (let func()) {
	c.t.Helper()
	if c.asked == nil {
		c.asked = map[string]bool{}
		c.t.Cleanup(func() {
			for _, pattern := range heldOf(c.t.Name()) {
				if !c.asked[pattern] {
					c.t.Errorf("%s is held against nobody", pattern)
				}
			}
		})
	}
	c.held = true
	return func() { c.held = false }
}

func TestEveryRouteOfTheConsoleIsHeldAgainstEverybody(t *testing.T) {
	h := consoleHouse(newHouse(t))
	nobody := h.browser()
	nobody.get("/")
	var held []string
	for test := range heldBy {
		for _, pattern := range heldOf(test) {
			if !slices.Contains(h.site.mux.patterns, pattern) {
				t.Errorf("%s holds %s, which is no route", test, pattern)
			}
			held = append(held, pattern)
		}
	}
	of, routes := regexp.MustCompile(`\{\w+\}`), 0
	for _, pattern := range h.site.mux.patterns {
		method, path, _ := strings.Cut(pattern, " ")
		if path != "/admin" && !strings.HasPrefix(path, "/admin/") {
			continue
		}
		routes++
		// A link to a role is opened by who has none yet: AcceptAppointment judges them.
		if slices.Contains(held, pattern) || slices.Contains(ofFirst, pattern) && slices.Contains(held, pattern+"/{authority}") || path == "/admin/join/{ref}" {
			continue
		}
		// Where a page with a mistake stands one may also come back to: it leads to that page, whoever one is.
		path = of.ReplaceAllString(path, "x")
		to, _, _ := strings.Cut(nobody.send(method, path, nil).Header().Get("Location"), "#")
		if method == "GET" && to != "" && strings.HasPrefix(path, to+"/") {
			continue
		}
		t.Errorf("%s: no test holds it against those whose it is not", pattern)
	}
	if routes < 60 {
		t.Errorf("only %d routes are found", routes)
	}
}
