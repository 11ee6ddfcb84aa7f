// Package twiliotest is a local double of Twilio's Messages API, for tests and
// for trying the service out without an account.
//
// It checks what a client must send, answers the magic numbers of Twilio's test
// credentials with Twilio's errors, keeps the messages it took, fails when it is
// told to, and fires signed delivery reports. It shares no code with Twilio's
// library, so that the library is checked against something other than itself.
package twiliotest

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// From is the one number that may send, as with Twilio's test credentials.
const From = "+15005550006"

// Message is a message that the double took.
type Message struct {
	SID              string
	From             string // empty if a messaging service was named instead
	MessagingService string
	To               string
	Body             string
	StatusCallback   string
	ValidityPeriod   string
}

// Failure is a way to fail that real services know. The zero Failure is none.
type Failure struct {
	Status     int    // answers with this status,
	Code       int    // this error code of Twilio's,
	Body       string // this body instead of Twilio's JSON,
	RetryAfter string // and this header
	// Take has the message taken before the failure shows.
	Take  bool
	Delay time.Duration // waits first
	Hang  bool          // does not answer until the client goes away
	Drop  bool          // closes the connection without an answer
}

// takes says whether the message is taken all the same.
func (f Failure) takes() bool { return f.Take || f.Status == 0 && !f.Hang && !f.Drop }

// Server is the double. It implements http.Handler.
type Server struct {
	accountSID, authToken string

	// Price, if set, is what a message costs, as Twilio writes it ("-0.00750", USD).
	Price string

	mu       sync.Mutex
	messages []Message
	failures []Failure
}

// New returns a double of one account.
func New(accountSID, authToken string) *Server {
	return &Server{accountSID: accountSID, authToken: authToken}
}

// Start serves the double on a free port of this machine. It returns the base
// URL and a function that ends it.
func (s *Server) Start() (baseURL string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	return "http://" + l.Addr().String(), func() { _ = server.Close() }, nil
}

// Fail makes the next requests fail, one for each failure given.
func (s *Server) Fail(failures ...Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, failures...)
}

// Messages returns what the double took, oldest first.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// Find returns a message by its SID.
func (s *Server) Find(sid string) (Message, bool) {
	for _, m := range s.Messages() {
		if m.SID == sid {
			return m, true
		}
	}
	return Message{}, false
}

func (s *Server) nextFailure() Failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.failures) == 0 {
		return Failure{}
	}
	f := s.failures[0]
	s.failures = s.failures[1:]
	return f
}

func (s *Server) take(m Message) Message {
	m.SID = "SM" + randomHex()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = append(s.messages, m)
	return m
}

func randomHex() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)
}

// authentic checks the account's own credentials.
func (s *Server) authentic(r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	return ok && user == s.accountSID && subtle.ConstantTimeCompare([]byte(password), []byte(s.authToken)) == 1
}

// Sign makes the X-Twilio-Signature of a form posted to a URL: the HMAC-SHA1,
// under the account's token, of the URL and then each name with its value in the
// order of names (https://www.twilio.com/docs/usage/security).
func (s *Server) Sign(target string, form url.Values) string {
	var signed strings.Builder
	signed.WriteString(target)
	for _, name := range slices.Sorted(maps.Keys(form)) {
		signed.WriteString(name)
		signed.WriteString(form.Get(name))
	}
	mac := hmac.New(sha1.New, []byte(s.authToken))
	_, _ = mac.Write([]byte(signed.String()))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// StatusForm is what Twilio posts to tell the status of a message; errorCode may
// be empty.
func (s *Server) StatusForm(m Message, status, errorCode string) url.Values {
	form := url.Values{
		"AccountSid":    {s.accountSID},
		"ApiVersion":    {apiVersion},
		"From":          {m.From},
		"MessageSid":    {m.SID},
		"MessageStatus": {status},
		"SmsSid":        {m.SID},
		"SmsStatus":     {status},
		"To":            {m.To},
	}
	if errorCode != "" {
		form.Set("ErrorCode", errorCode)
	}
	return form
}

// Report posts the status of a message to its callback URL, and returns the
// status of the answer.
func (s *Server) Report(ctx context.Context, sid, status, errorCode string) (int, error) {
	m, ok := s.Find(sid)
	if !ok || m.StatusCallback == "" {
		return 0, fmt.Errorf("no message %s that wants reports", sid)
	}
	form := s.StatusForm(m, status, errorCode)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.StatusCallback, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, fmt.Errorf("report: %w", err)
	}
	req.Header.Set("Content-Type", formType)
	req.Header.Set("X-Twilio-Signature", s.Sign(m.StatusCallback, form))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("report: %w", err)
	}
	return res.StatusCode, res.Body.Close()
}
