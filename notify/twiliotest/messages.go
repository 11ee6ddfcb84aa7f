package twiliotest

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

const (
	apiVersion = "2010-04-01"
	formType   = "application/x-www-form-urlencoded"
	maxBody    = 64 << 10
)

// refusal is an error of Twilio's.
type refusal struct {
	status, code int
	message      string
}

// The magic numbers of Twilio's test credentials
// (https://www.twilio.com/docs/iam/test-credentials).
var (
	magicFrom = map[string]refusal{
		"+15005550001": {400, 21212, "The 'From' number is not valid."},
		"+15005550007": {400, 21606, "The 'From' number is not owned by this account or cannot send messages."},
		"+15005550008": {400, 21611, "The 'From' number has too many messages queued."},
	}
	magicTo = map[string]refusal{
		"+15005550001": {400, 21211, "The 'To' number %s is not valid."},
		"+15005550002": {400, 21612, "The 'To' number %s is not reachable from this 'From' number."},
		"+15005550003": {400, 21408, "No permission to send messages to the region of %s."},
		"+15005550004": {400, 21610, "The recipient %s has unsubscribed."},
		"+15005550009": {400, 21614, "The 'To' number %s cannot receive messages."},
	}
	notOwned = refusal{400, 21606, "The 'From' number is not owned by this account or cannot send messages."}
)

var (
	numberForm  = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	serviceForm = regexp.MustCompile(`^MG[0-9a-f]{32}$`)
)

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	form, no := s.check(w, r)
	if no == nil {
		no = checkMessage(form)
	}
	f := s.nextFailure()
	var taken Message
	if no == nil && f.takes() {
		taken = s.take(messageOf(form))
	}
	select {
	case <-time.After(f.Delay):
	case <-r.Context().Done():
		return
	}
	switch {
	case f.Hang:
		<-r.Context().Done()
	case f.Drop:
		panic(http.ErrAbortHandler) // net/http's way to close without an answer
	case f.Status != 0:
		answerFailure(w, f)
	case no != nil:
		answerRefusal(w, *no)
	default:
		s.answerTaken(w, taken)
	}
}

// check reads the request and refuses what Twilio would refuse before it looks
// at the message.
func (s *Server) check(w http.ResponseWriter, r *http.Request) (url.Values, *refusal) {
	// The body is read to its end even if it is refused, so that Drop and Hang
	// come after the request was written.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, &refusal{http.StatusRequestEntityTooLarge, 20413, "The request is too large."}
	}
	account, found := strings.CutPrefix(r.URL.Path, "/"+apiVersion+"/Accounts/")
	account, ok := strings.CutSuffix(account, "/Messages.json")
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	form, parseErr := url.ParseQuery(string(body))
	switch {
	case !s.authentic(r):
		return nil, &refusal{http.StatusUnauthorized, 20003, "Authenticate"}
	case !found || !ok:
		return nil, &refusal{http.StatusForbidden, 20008, "Resource not accessible with Test Account Credentials"}
	case account != s.accountSID:
		return nil, &refusal{http.StatusNotFound, 20404, "The requested resource was not found."}
	case r.Method != http.MethodPost:
		return nil, &refusal{http.StatusMethodNotAllowed, 20004, "Method not allowed"}
	case kind != formType || parseErr != nil:
		return nil, &refusal{http.StatusBadRequest, 20001, "The body is not a form."}
	}
	return form, nil
}

// checkMessage refuses what the magic numbers stand for, and what no client may
// leave out.
func checkMessage(form url.Values) *refusal {
	from, to, service := form.Get("From"), form.Get("To"), form.Get("MessagingServiceSid")
	magic, isMagicFrom := magicFrom[from]
	no, isMagicTo := magicTo[to]
	switch {
	case to == "":
		return &refusal{400, 21604, "A 'To' phone number is required."}
	case form.Get("Body") == "":
		return &refusal{400, 21602, "Message body is required."}
	case len([]rune(form.Get("Body"))) > 1600:
		return &refusal{400, 21617, "The message body exceeds the 1600 character limit."}
	case from == "" && service == "":
		return &refusal{400, 21603, "A 'From' phone number is required."}
	case service != "" && !serviceForm.MatchString(service):
		return &refusal{400, 21701, "The messaging service does not exist."}
	case isMagicFrom:
		return &magic
	case from != "" && from != From:
		return &notOwned
	case isMagicTo:
		no.message = fmt.Sprintf(no.message, to)
		return &no
	case !numberForm.MatchString(to):
		return &refusal{400, 21211, fmt.Sprintf("The 'To' number %s is not valid.", to)}
	}
	return nil
}

func messageOf(form url.Values) Message {
	return Message{
		From: form.Get("From"), MessagingService: form.Get("MessagingServiceSid"), To: form.Get("To"),
		Body: form.Get("Body"), StatusCallback: form.Get("StatusCallback"), ValidityPeriod: form.Get("ValidityPeriod"),
	}
}

func (s *Server) answerTaken(w http.ResponseWriter, m Message) {
	status := "queued"
	if m.MessagingService != "" {
		status = "accepted"
	}
	answer := map[string]any{
		"account_sid": s.accountSID, "api_version": apiVersion, "body": m.Body, "sid": m.SID,
		"to": m.To, "from": orNull(m.From), "messaging_service_sid": orNull(m.MessagingService),
		"status": status, "direction": "outbound-api", "num_segments": "1", "num_media": "0",
		"error_code": nil, "error_message": nil, "price": orNull(s.Price), "price_unit": "USD",
		"uri": "/" + apiVersion + "/Accounts/" + s.accountSID + "/Messages/" + m.SID + ".json",
	}
	answerJSON(w, http.StatusCreated, answer)
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func answerFailure(w http.ResponseWriter, f Failure) {
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	if f.Body != "" {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(f.Status)
		_, _ = io.WriteString(w, f.Body)
		return
	}
	answerRefusal(w, refusal{f.Status, f.Code, http.StatusText(f.Status)})
}

// answerRefusal writes an error as Twilio does.
func answerRefusal(w http.ResponseWriter, no refusal) {
	answerJSON(w, no.status, map[string]any{
		"code": no.code, "message": no.message, "status": no.status,
		"more_info": fmt.Sprintf("https://www.twilio.com/docs/errors/%d", no.code),
	})
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}
