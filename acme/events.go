package acme

import (
	"net/http"
	"strconv"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// event is a change of an object, as `GET /v1/events` and webhooks tell it: the
// envelope of Standard Webhooks 1.0 with an id and a number.
type event struct {
	ID        string    `json:"id"`
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	// Sequence numbers the events of one object: 1, 2, 3 …; 0 for a ping.
	Sequence int64     `json:"sequence"`
	Data     eventData `json:"data"`
}

// eventData is what has changed. Whoever wants to know more asks for the object.
type eventData struct {
	Preauthorization string  `json:"preauthorization,omitempty"`
	URL              string  `json:"url,omitempty"`
	Status           string  `json:"status,omitempty"`
	Challenge        string  `json:"challenge,omitempty"`
	Frozen           bool    `json:"frozen"`
	Reason           *string `json:"reason"`
	// Ends is when a grant ends of which something has given way.
	Ends *time.Time `json:"ends,omitempty"`
	// Certificate is the digest of a certificate that is to be revoked.
	Certificate string `json:"certificate_sha256,omitempty"`
	// Kid is the name of a key of external account bindings, for events of keys.
	Kid        string `json:"kid,omitempty"`
	Profile    string `json:"profile,omitempty"`
	ExternalID string `json:"external_id,omitempty"`
}

// EventBody returns the function that writes an event for webhooks. origin is that of Options.
func EventBody(origin string) func(proofing.Event) ([]byte, error) {
	return func(e proofing.Event) ([]byte, error) { return encodeJSON(showEvent(origin, e)) }
}

func showEvent(origin string, e proofing.Event) event {
	out := event{ID: e.ID, Type: eventType(e), Timestamp: e.At, Sequence: e.Sequence}
	if e.Change == proofing.ChangePing {
		return out
	}
	if e.Of == proofing.SubjectKey {
		out.Data = eventData{Kid: e.Kid, URL: origin + "/v1/eab/keys/" + e.Kid, Reason: &e.Reason, Profile: e.Profile}
		return out
	}
	out.Data = eventData{
		Preauthorization: e.Object, URL: origin + "/v1/preauthorizations/" + e.Object,
		Status: outside[e.Status], Challenge: e.Challenge, Frozen: e.Frozen, Profile: e.Profile, ExternalID: e.ExternalID, Certificate: e.Certificate,
	}
	if !e.Ends.IsZero() {
		out.Data.Ends = &e.Ends
	}
	if code := outwardReason(e.Reason, e.Frozen, e.Held); code != "" {
		out.Data.Reason = &code
	}
	return out
}

// eventType names an event. A status is called as RFC 8555 7.1.6 calls it, but
// for review, which is pending like what came before it.
func eventType(e proofing.Event) string {
	switch e.Change {
	case proofing.ChangePing:
		return "ping"
	case proofing.ChangeKeyRevoked:
		return "eab_key.revoked"
	case proofing.ChangeStatus:
		if e.Status == proofing.CaseReview {
			return "preauthorization.review"
		}
		return "preauthorization." + outside[e.Status]
	case proofing.ChangeChallenge:
		return "preauthorization.challenge_" + e.Challenge
	}
	return "preauthorization." + string(e.Change) // created, frozen, suspended, ending, restored, certificate_disowned
}

// eventsPage is a part of an authority's feed.
type eventsPage struct {
	Events []event `json:"events"`
	// Next is the cursor behind the last of them, for ?after=.
	Next string `json:"next"`
}

const (
	defaultEvents = 100
	mostEvents    = 500
)

// readEvents tells an authority what has changed, in the order in which it was listed.
func (a *api) readEvents(c *call) (answer, error) {
	q := c.URL.Query()
	for name, values := range q {
		if name != "after" && name != "limit" && name != "wait" || len(values) > 1 {
			return answer{}, malformed("the query has after, limit and wait, once each")
		}
	}
	limit := defaultEvents
	if given := q.Get("limit"); given != "" {
		n, err := strconv.ParseUint(given, 10, 16)
		if err != nil || n < 1 || n > mostEvents {
			return answer{}, malformed("limit is one whole number from 1 to " + strconv.Itoa(mostEvents))
		}
		limit = int(n)
	}
	wait, err := readWait(q["wait"])
	if err != nil {
		return answer{}, err
	}
	if wait > 0 {
		_ = http.NewResponseController(c.w).SetWriteDeadline(time.Now().Add(wait + 30*time.Second))
	}
	events, next, err := a.Service.Events(c.Context(), c.ca, q.Get("after"), limit, wait)
	if err != nil {
		return answer{}, err
	}
	out := eventsPage{Events: []event{}, Next: next}
	for _, e := range events {
		out.Events = append(out.Events, showEvent(a.Origin, e))
	}
	return jsonAnswer(http.StatusOK, out)
}
