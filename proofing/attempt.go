package proofing

import (
	"encoding/json"
	"slices"
	"time"
)

// AttemptStatus is where an attempt stands.
type AttemptStatus string

// The statuses of an attempt.
const (
	AttemptOpen   AttemptStatus = "open"
	AttemptPassed AttemptStatus = "passed"
	AttemptFailed AttemptStatus = "failed" // every code is spent
	AttemptOver   AttemptStatus = "over"   // replaced by a later one
)

// Attempt is one try of a person at one method with one address.
type Attempt struct {
	ID      string          `json:"id"`
	Method  string          `json:"method"`
	Contact Contact         `json:"contact"`
	Bound   bool            `json:"bound,omitempty"`  // to the person, when it began
	Enrol   bool            `json:"enrol,omitempty"`  // it is about a new authenticator
	Person  string          `json:"person,omitempty"` // whose it will be
	Browser string          `json:"browser"`          // hash of the browser that began it
	Status  AttemptStatus   `json:"status"`
	State   json.RawMessage `json:"state,omitempty"` // the method's own; erased at the end
	// Ask is what the page's script hands to the browser, and Away where the person goes.
	Ask  json.RawMessage `json:"ask,omitempty"`
	Away Secret          `json:"away,omitempty"`
	// Message carries the code in force. It is kept, sealed, so that a resend
	// sends the same code, and erased when the attempt ends.
	Message  *Message  `json:"message,omitempty"`
	Codes    int       `json:"codes"` // codes made so far
	Sends    int       `json:"sends"` // messages of the code in force
	Tries    int       `json:"tries"` // left for the code in force
	Began    time.Time `json:"began"`
	CodeAt   time.Time `json:"code_at"` // when the code in force was made
	Expires  time.Time `json:"expires"` // of the code in force
	NextSend time.Time `json:"next_send"`
	// Texts is when each of its text messages was counted as unanswered.
	Texts    []time.Time `json:"texts,omitempty"`
	Delivery Delivery    `json:"delivery"`
}

// Delivery is what is known of the message that carries the code in force.
type Delivery struct {
	// Status is "waiting", "sending", "accepted", "sent", "delivered",
	// "undelivered", "failed" or "unknown".
	Status string    `json:"status"`
	Reason string    `json:"reason,omitempty"` // SendError.Reason of a failure
	At     time.Time `json:"at"`
}

// erase forgets what an answer could be judged by.
func (a *Attempt) erase() { a.State, a.Ask, a.Away, a.Message = nil, nil, "", nil }

// attempt returns the attempt with that id.
func (c *Case) attempt(id string) *Attempt {
	i := slices.IndexFunc(c.Attempts, func(a Attempt) bool { return a.ID == id })
	if i < 0 {
		return nil
	}
	return &c.Attempts[i]
}

// Current is the open attempt of a method, if there is one.
func (c *Case) Current(method string) *Attempt {
	for i := len(c.Attempts) - 1; i >= 0; i-- {
		if a := &c.Attempts[i]; a.Method == method && a.Status == AttemptOpen {
			return a
		}
	}
	return nil
}

// Asked is when the person was asked last: when it began, or its newest code was made.
func (a *Attempt) Asked() time.Time {
	if a.CodeAt.After(a.Began) {
		return a.CodeAt
	}
	return a.Began
}

// workable says whether a person may go on with the case in that browser.
func (c *Case) workable(browser string) error {
	switch {
	case c.Frozen != nil:
		return ErrFrozen
	case c.Status != CaseOpen && !(c.Own() && c.Status == CaseGranted):
		return ErrClosed
	case !c.Started:
		return ErrNotStarted
	case c.Browser != "" && c.Browser != browser:
		return ErrClaimed
	}
	return nil
}

// answerable says whether an answer to the attempt may be judged now.
//
// What came by a link, from a script or from another site counts only in the browser that
// asked for it; a code may be typed into another.
func (c *Case) answerable(a *Attempt, browser string, sameBrowser bool, now time.Time) error {
	if err := c.workable(browser); err != nil {
		return err
	}
	switch {
	case a == nil || a.Status != AttemptOpen:
		return ErrAttemptOver
	case browser == "", sameBrowser && a.Browser != browser:
		return ErrOtherBrowser
	case !now.Before(a.Expires):
		return ErrAttemptOver
	case a.Tries <= 0 || a.State == nil:
		return ErrNoTries
	}
	return nil
}

// claim makes the case that browser's, or fails if it is another's.
func (c *Case) claim(browser string) error {
	if c.Browser != "" && c.Browser != browser {
		return ErrClaimed
	}
	c.Browser = browser
	return nil
}

// room says whether the case takes another attempt at a method. Those that were
// passed count by themselves, since a profile may ask for more than one.
func (c *Case) room(method string, l Limits) error {
	passed, other := 0, 0
	for _, a := range c.Attempts {
		switch {
		case a.Method != method:
		case a.Status == AttemptPassed:
			passed++
		default:
			other++
		}
	}
	most, limit := l.AttemptsPerCase, "attempts"
	if c.Own() { // who manages what is theirs, or decides for others, authenticates again and again
		most, limit = 4*most, "session"
	}
	if max(passed, other) >= most || len(c.Evidence) >= maxEvidence {
		return &LimitError{Limit: limit}
	}
	return nil
}

// replace ends an attempt because another took its place.
func (c *Case) replace(a *Attempt) {
	c.Outbox.settle(a.messageID())
	a.Status = AttemptOver
	a.erase()
}

// inForce says whether the attempt's code could still be right.
func (a *Attempt) inForce(now time.Time) bool {
	return a.State != nil && a.Tries > 0 && now.Before(a.Expires)
}

// sendable says whether another message may go out for the attempt now.
func (a *Attempt) sendable(now time.Time, l Limits) error {
	if now.Before(a.NextSend) {
		return &LimitError{Limit: "cooldown", Until: a.NextSend}
	}
	if a.Codes >= l.CodesPerAttempt && !a.inForce(now) {
		return &LimitError{Limit: "codes"}
	}
	return nil
}

// take puts a new code or challenge in force.
func (a *Attempt) take(o Opening, now time.Time) {
	a.State, a.Ask, a.Away, a.Message, a.Tries = o.State, o.Ask, o.Away, nil, o.Tries
	if o.Message.Kind != "" {
		a.Message = &o.Message
	}
	a.CodeAt, a.Expires = now, now.Add(o.Lifetime)
	a.Codes++
}

func (a *Attempt) messageID() string {
	if a.Message == nil {
		return ""
	}
	return a.Message.ID
}
