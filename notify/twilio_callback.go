package notify

import (
	"cmp"
	"errors"
	"mime"
	"net/http"
	"path"
	"strconv"

	"github.com/countersign-id/countersign/proofing"
)

const maxTwilioCallback = 16 << 10

// The statuses of a Report.
const (
	statusAccepted    = "accepted"
	statusSent        = "sent"
	statusDelivered   = "delivered"
	statusUndelivered = "undelivered"
)

// ourStatus maps Twilio's statuses of an outbound message to those of a Report.
var ourStatus = map[string]string{
	"accepted":    statusAccepted,
	"scheduled":   statusAccepted,
	"queued":      statusAccepted,
	"sending":     statusAccepted,
	"sent":        statusSent,
	"delivered":   statusDelivered,
	"read":        statusDelivered,
	"undelivered": statusUndelivered,
	"failed":      statusUndelivered,
	"canceled":    statusUndelivered,
}

// Callback implements Reporter: the handler of the URLs that StatusCallback
// makes, whose last element is the id of the message. A callback that Twilio did
// not sign for the URL of just this message is answered with 403.
func (t *Twilio) Callback(report Report) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(t.callback(w, r, report))
	})
}

// callback handles one callback and returns the status of the answer.
func (t *Twilio) callback(w http.ResponseWriter, r *http.Request, report Report) int {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return http.StatusMethodNotAllowed
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return http.StatusUnsupportedMediaType
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxTwilioCallback)
	if err := r.ParseForm(); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return http.StatusRequestEntityTooLarge
		}
		return http.StatusBadRequest
	}
	id := path.Base(r.URL.Path)
	if !t.signed(r, id) {
		return http.StatusForbidden
	}
	status, known := ourStatus[r.PostForm.Get("MessageStatus")]
	if !known {
		return http.StatusNoContent // Twilio has learned a word that we have not
	}
	err := report(r.Context(), id, status, undelivered(status, r.PostForm.Get("ErrorCode")))
	if err != nil && !errors.Is(err, proofing.ErrNotFound) {
		return http.StatusServiceUnavailable
	}
	return http.StatusNoContent
}

// undelivered is the reason, in our words, why a message did not arrive; empty
// for one that may yet, or did.
func undelivered(status, errorCode string) string {
	if status != statusUndelivered {
		return ""
	}
	code, err := strconv.Atoi(errorCode)
	if err != nil {
		return reasonProvider
	}
	return cmp.Or(twilioReason(code), reasonProvider)
}

// signed says whether Twilio signed this form for the URL of that message. The
// signature joins names and values without separators, so the values that bound
// the ones we use must have their exact form.
func (t *Twilio) signed(r *http.Request, id string) bool {
	if t.config.StatusCallback == nil || checkID(id) != nil {
		return false
	}
	params := make(map[string]string, len(r.PostForm))
	for name, values := range r.PostForm {
		if len(values) != 1 {
			return false // the library's validator would see only one of them
		}
		params[name] = values[0]
	}
	return params["AccountSid"] == t.config.AccountSID && messageSID.MatchString(params["MessageSid"]) &&
		t.validator.Validate(t.config.StatusCallback(id), params, r.Header.Get("X-Twilio-Signature"))
}
