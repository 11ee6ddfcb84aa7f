// Package linkio slows a reader or a writer down to the speed of a given link.
//
// MailHog imports a module of this path that can no longer be fetched. This is
// our stand-in for it, written from the calls that MailHog makes: enough for
// its chaos monkey to serve mail over a bad line.
package linkio

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Throughput is a speed in bytes per second.
type Throughput int64

// BytePerSecond is the unit of Throughput. MailHog multiplies by it twice, so
// any other value than one would make the link faster than it was told.
const BytePerSecond Throughput = 1

// String implements fmt.Stringer.
func (t Throughput) String() string { return fmt.Sprintf("%d B/s", int64(t)) }

// Link is a line of limited speed, shared by all that is read and written over it.
type Link struct {
	speed Throughput

	mu   sync.Mutex
	free time.Time // when the bytes sent so far have passed
}

// NewLink returns a link of that speed; a speed of zero or less is no limit.
func NewLink(speed Throughput) *Link { return &Link{speed: speed} }

// NewLinkReader returns r as it is read over the link.
func (l *Link) NewLinkReader(r io.Reader) io.Reader { return reader{l, r} }

// NewLinkWriter returns w as it is written to over the link.
func (l *Link) NewLinkWriter(w io.Writer) io.Writer { return writer{l, w} }

// pass waits for as long as n bytes take, behind those already on their way.
func (l *Link) pass(n int) {
	if l.speed <= 0 || n <= 0 {
		return
	}
	l.mu.Lock()
	if now := time.Now(); l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(time.Duration(n) * time.Second / time.Duration(l.speed))
	wait := time.Until(l.free)
	l.mu.Unlock()
	time.Sleep(wait)
}

type reader struct {
	link *Link
	from io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	r.link.pass(n)
	return n, err
}

type writer struct {
	link *Link
	to   io.Writer
}

func (w writer) Write(p []byte) (int, error) {
	w.link.pass(len(p))
	return w.to.Write(p)
}
