package notify

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

// line is one connection to an SMTP server, used by one delivery at a time.
type line struct {
	raw    *boundedConn
	client *smtp.Client
	mails  int
	expiry *time.Timer // while it is kept
}

// guard cuts the line when ctx ends, in whatever phase it is then: go-mail takes
// a context for dialing only. The guard lasts until the returned function is called.
func (l *line) guard(ctx context.Context) func() bool {
	return context.AfterFunc(ctx, l.cut)
}

// cut ends the connection without a word.
func (l *line) cut() { _ = l.raw.Close() }

// quit ends the connection politely. Nothing depends on the answer.
func (l *line) quit() {
	_ = l.raw.SetDeadline(time.Now().Add(probeTimeout))
	_ = l.client.Quit()
	l.cut()
}

// alive says whether the server still answers on a line that was kept.
func (l *line) alive(ctx context.Context) bool {
	stop := l.guard(ctx)
	_ = l.raw.SetDeadline(time.Now().Add(probeTimeout))
	err := l.client.Reset()
	_ = l.raw.SetDeadline(time.Time{})
	return stop() && err == nil
}

// send sends one letter and returns the server's answer to it. Every error is a
// *proofing.SendError.
func (l *line) send(ctx context.Context, letter *letter) (answer string, err error) {
	defer l.guard(ctx)()
	l.raw.left = maxAnswers
	l.mails++
	if offered, _ := l.client.Extension("SMTPUTF8"); letter.utf8 && !offered {
		return "", refused(reasonRejectedAddress, errors.New("mail: the server takes no internationalized addresses"))
	}
	// Asked for on an ordinary mail, SMTPUTF8 could make it bounce further on.
	l.client.SkipSMTPUTF8(!letter.utf8)
	if err := l.client.Mail(letter.from); err != nil {
		return "", failure(ctx, "mail", err)
	}
	if err := l.client.Rcpt(letter.to); err != nil {
		return "", failure(ctx, "rcpt", err)
	}
	w, err := l.client.Data()
	if err != nil {
		return "", failure(ctx, "data", err)
	}
	if _, err := w.Write(letter.data); err != nil {
		// The final dot was never written, and the line is cut instead of ended
		// by QUIT (which would write it): no server may take this mail.
		return "", failure(ctx, "content", err)
	}
	if err := w.Close(); err != nil {
		return "", endFailure(ctx, err)
	}
	// From here on the mail is the server's. What the line does next changes nothing.
	if data, ok := w.(*smtp.DataCloser); ok {
		answer = data.ServerResponse()
	}
	return answer, nil
}

// maxAnswers is how much a server may say about one mail; go-mail reads lines of
// any length.
const maxAnswers = 1 << 20

// boundedConn is a connection that fails when its peer talks too much.
type boundedConn struct {
	net.Conn
	left int
}

func (c *boundedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errors.New("the server talks too much")
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}
