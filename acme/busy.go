package acme

import (
	"net/http"
	"time"
)

// Busy answers in the place of the API, when too much is in hand to look at the request.
func Busy(w http.ResponseWriter, _ *http.Request) {
	p := newProblem(typeUnavailable, "too many requests are in hand; nothing was done, try again")
	p.retryAfter = time.Second
	p.answer().write(w)
}
