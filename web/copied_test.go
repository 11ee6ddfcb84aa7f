package web

import (
	"strings"
	"testing"
)

// What may have been copied is said on its person's own page, with what to do, and nothing is said of what never showed a sign.
func TestAPasskeyThatMayHaveBeenCopiedIsMarkedOnOnesOwnPage(t *testing.T) {
	h, _, _ := atDesk(t)
	owner := h.member("owner")
	if page := owner.get("/me").Body.String(); strings.Contains(page, "may have been copied") {
		t.Error("a passkey is said to be copied that is not")
	}
	again := &colleague{h.browser(), owner.key}
	again.key.Count = 0
	again.get("/me")
	again.passkey(again.follow(again.post("/me/sign-in")), "begin")
	again.want(again.get("/me"), 200, "This passkey may have been copied.", "Add another passkey below, and then remove this one")
}
