package web

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestAFormIsOfTheSessionThatItsPageWasDrawnFor(t *testing.T) {
	c := newCourt(t)
	member := c.keyholder()
	here := member.seal()
	if strings.Contains(member.cookie, here) {
		t.Error("the seal is in a cookie")
	}
	c.want(member.get("/me"), 200, `<input type="hidden" name="seal" value="`+here+`"></form>`)
	other := c.approver
	for name, seal := range map[string]string{
		"that is empty": "", "of another's session": other.seal(), "cut": here[:len(here)-1], "longer": here + "A",
		"of no session": seal(browserOf(member).Reveal(), ""),
	} {
		c.want(member.send("POST", "/me/sign-out", url.Values{"seal": {seal}}), 403, "This page belongs to another sign-in")
		if w := member.get("/me"); w.Code != 200 {
			t.Fatalf("with a seal %s: signed out", name)
		}
	}
	// In the address it does not count: an address is in histories and logs.
	c.want(member.send("POST", "/me/sign-out?seal="+here, url.Values{"seal": {""}}), 403)
	c.want(member.send("POST", "/me/sign-out", url.Values{"seal": {here}}), 303)
	if w := member.get("/me"); w.Code == 200 {
		t.Error("still signed in")
	}
	c.want(member.send("POST", "/me/sign-out", url.Values{"seal": {here}}), 303) // once more, in a tab that is left over
}

// Who has to authenticate again for what they have written does so in another tab, and sends it.
func TestAFormOutlivesAnotherAuthenticationOfItsSessionAndNoOtherSession(t *testing.T) {
	c := newCourt(t)
	m := c.approver
	before := m.seal()
	m.renew()
	if m.seal() != before {
		t.Error("what was written before is lost")
	}
	c.want(m.post("/me/sign-out", "seal", before), 303)
	page := m.follow(m.post("/me/sign-in"))
	c.want(m.post(page+"/begin", "method", "fido"), 303)
	m.signIn(page)
	c.want(m.post("/me/sign-out", "seal", before), 403, "another sign-in")
	c.want(m.get("/me"), 200)
}

// A form without a seal has its secret in its address, or came through somebody else who had to show one.
func TestWhereNoSealIsAskedForTheAddressIsASecret(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	without := regexp.MustCompile(`^"POST (/[cmnx]/\{ref\}(/\w+)?|/o/\{issuer\})", s\.actByLink\(`)
	with := regexp.MustCompile(`^"POST [^"]*"(\+[\w.]+)?, s\.(act|SignOut)\(`)
	routes := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if _, route, is := strings.Cut(line, "s.mux.Handle("); is && strings.HasPrefix(route, `"POST `) {
				if routes++; !with.MatchString(route) && !without.MatchString(route) {
					t.Errorf("%s: %s", file, line)
				}
			}
		}
	}
	if routes < 40 {
		t.Errorf("only %d routes are found", routes)
	}
}
