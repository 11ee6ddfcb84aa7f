package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"regexp"

	"github.com/countersign-id/countersign/proofing"
)

var (
	errNoStartTLS  = errors.New("the server does not offer STARTTLS")
	errNoMechanism = errors.New("the server offers no mechanism that may be used on this connection")
)

// failure is what an error means before the end of the message was sent: the
// server has certainly not taken it. Server's prose may quote the address, so
// only its numbers are passed on.
func failure(ctx context.Context, phase string, err error) *proofing.SendError {
	if reply := replyIn(err); reply != nil {
		return replyFailure(phase, reply)
	}
	cause := fmt.Errorf("%s: %w", phase, withoutProse(err))
	var (
		certificate *tls.CertificateVerificationError
		wrongName   x509.HostnameError
		notTLS      tls.RecordHeaderError
	)
	switch {
	case timedOut(ctx, err):
		return notSent(reasonTimeout, cause)
	case errors.As(err, &certificate), errors.As(err, &wrongName), errors.As(err, &notTLS),
		errors.Is(err, errNoStartTLS), phase == "auth" && !brokenLine(err):
		// Ours or the server's to set right, and perhaps an attack that passes:
		// the mail can still go out later.
		return notSent(reasonConfiguration, cause)
	}
	return notSent(reasonUnreachable, cause)
}

// endFailure is what an error means after the end of the message was sent: only
// a clear "no" says that it was not taken.
func endFailure(ctx context.Context, err error) *proofing.SendError {
	if reply := replyIn(err); reply != nil && reply.Code >= 400 && reply.Code < 600 {
		return replyFailure("end of data", reply)
	}
	cause := fmt.Errorf("end of data: no clear answer: %w", withoutProse(err))
	if timedOut(ctx, err) {
		return unknown(reasonTimeout, cause)
	}
	return unknown(reasonUnreachable, cause)
}

// replyFailure is what a server's reply of 4xx or 5xx means (RFC 5321 4.2.1).
func replyFailure(phase string, reply *textproto.Error) *proofing.SendError {
	cause := fmt.Errorf("%s: %w", phase, withoutProse(reply))
	switch {
	case reply.Code < 500 || reply.Code > 599:
		return notSent(reasonBusy, cause)
	case phase == "auth" || phase == "starttls" || reply.Code == 530 || reply.Code == 535:
		return refused(reasonConfiguration, cause)
	case phase == "rcpt" && aboutAddress(reply):
		return refused(reasonRejectedAddress, cause)
	}
	return refused(reasonProvider, cause)
}

// aboutAddress says whether a refused RCPT is about the address. Enhanced codes
// of class 7 are about us: a policy, a reputation, a relay that is not ours.
func aboutAddress(reply *textproto.Error) bool {
	switch reply.Code {
	case 501, 550, 551, 552, 553:
		enhanced := enhancedCode.FindString(reply.Msg)
		return len(enhanced) < 4 || enhanced[:4] != "5.7."
	}
	return false
}

// enhancedCode is the code of RFC 3463 at the start of a reply's text.
var enhancedCode = regexp.MustCompile(`^[245]\.\d{1,3}\.\d{1,3}\b`)

func replyIn(err error) *textproto.Error {
	var reply *textproto.Error
	if errors.As(err, &reply) {
		return reply
	}
	return nil
}

// withoutProse keeps the numbers of a server's reply, and errors that are not one.
func withoutProse(err error) error {
	var nonsense textproto.ProtocolError
	if errors.As(err, &nonsense) {
		return errors.New("the answer is not SMTP")
	}
	reply := replyIn(err)
	if reply == nil {
		return err
	}
	if enhanced := enhancedCode.FindString(reply.Msg); enhanced != "" {
		return fmt.Errorf("the server answered %d %s", reply.Code, enhanced)
	}
	return fmt.Errorf("the server answered %d", reply.Code)
}

// brokenLine says that an error came from the connection and not from what was
// said over it.
func brokenLine(err error) bool {
	var n net.Error
	return errors.As(err, &n) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

func timedOut(ctx context.Context, err error) bool {
	var n net.Error
	return ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}
