package store

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	errSilent = errors.New("the server does not answer in time")
	errGate   = errors.New("the server has not answered the last calls")
)

const (
	gateAfter = 3                      // calls in a row without an answer, after which callers need not wait for theirs
	gatePause = 100 * time.Millisecond // between two calls that look whether the server is back
)

// gate spares callers the wait for a server that is known not to answer. Without it
// every request would hold its connection, its place and its memory for the
// whole patience. While it is shut one call at a time goes through to look, and its
// answer, whatever it says, opens it.
type gate struct {
	mu     sync.Mutex
	silent int // calls in a row without an answer
	asking bool
	next   time.Time
}

// enter says whether a call may be made, and whether it is the one that looks.
func (g *gate) enter() (look, open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.silent < gateAfter {
		return false, true
	}
	if g.asking || time.Now().Before(g.next) {
		return false, false
	}
	g.asking = true
	return true, true
}

// heard is what a call has shown of its server.
type heard int

const (
	nothing heard = iota // its caller left first
	answer               // whatever it said
	silence
)

// leave tells what became of a call.
func (g *gate) leave(look bool, h heard) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if look {
		g.asking = false
	}
	switch h {
	case answer:
		g.silent = 0
	case silence:
		g.silent++
		g.next = time.Now().Add(gatePause)
	}
}

// heardBy is what an error shows of a server that was given its whole time to answer,
// or less of it by a caller in a hurry.
func heardBy(err error, hurried bool) heard {
	var network net.Error // a context's deadline is one too
	switch {
	case errors.Is(err, context.Canceled), hurried && errors.As(err, &network) && network.Timeout():
		return nothing
	case isSilence(err):
		return silence
	}
	return answer
}

// isSilence says whether an error is the want of an answer. What a server says is
// none, even if it is no.
func isSilence(err error) bool {
	return isNetwork(err) || errors.Is(err, redis.ErrPoolTimeout)
}

func isNetwork(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
