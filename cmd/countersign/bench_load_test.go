package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// The load generator shares its processors with what it measures, so it does no more than it
// must: requests are whole texts written to connections that stay open, and of
// an answer it reads the status, three headers and the length.

// reply is what the generator reads of an answer.
type reply struct {
	status int
	body   []byte // valid until the connection's next request
	nonce  string // of an ACME server, for the next request
}

// wire is one connection that stays open.
type wire struct {
	address string
	conn    net.Conn
	in      *bufio.Reader
	body    []byte
}

func dialWire(address string) (*wire, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &wire{address: address, conn: c, in: bufio.NewReaderSize(c, 8<<10)}, nil
}

func (w *wire) close() { _ = w.conn.Close() }

var errEnded = errors.New("the server ended the connection")

// ask sends one request and reads its answer.
func (w *wire) ask(request []byte) (reply, error) {
	if _, err := w.conn.Write(request); err != nil {
		return reply{}, err
	}
	line, err := w.in.ReadSlice('\n')
	if err != nil {
		return reply{}, err
	}
	if len(line) < 12 {
		return reply{}, fmt.Errorf("status line %q", line)
	}
	r := reply{}
	if r.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return reply{}, err
	}
	length, chunked, ends := 0, false, false
	for {
		line, err := w.in.ReadSlice('\n')
		if err != nil {
			return reply{}, err
		}
		if len(line) <= 2 {
			break
		}
		switch line[0] {
		case 'C', 'T', 'R':
			name, value, _ := bytes.Cut(line, []byte(": "))
			value = bytes.TrimRight(value, "\r\n")
			switch string(name) {
			case "Content-Length":
				if length, err = strconv.Atoi(string(value)); err != nil {
					return reply{}, err
				}
			case "Transfer-Encoding":
				chunked = true
			case "Connection":
				ends = string(value) == "close"
			case "Replay-Nonce":
				r.nonce = string(value)
			}
		}
	}
	if chunked {
		err = w.chunks()
	} else {
		w.body = slices.Grow(w.body[:0], length)[:length]
		_, err = io.ReadFull(w.in, w.body)
	}
	r.body = w.body
	if err == nil && ends {
		err = errEnded
	}
	return r, err
}

func (w *wire) chunks() error {
	w.body = w.body[:0]
	for {
		line, err := w.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 16, 31)
		if err != nil {
			return err
		}
		from := len(w.body)
		w.body = slices.Grow(w.body, int(n)+2)[:from+int(n)+2]
		if _, err := io.ReadFull(w.in, w.body[from:]); err != nil {
			return err
		}
		w.body = w.body[:from+int(n)]
		if n == 0 {
			return nil
		}
	}
}

// outcome is what a load came to.
type outcome struct {
	took    time.Duration
	asking  time.Duration // until the last request went out; what is in hand then is still answered
	asked   int64
	good    int64
	refused int64 // with 503, or with 429 as more than one CA may have in hand
	bad     int64 // anything else, with the first of it
	first   string
	late    []time.Duration // of the good, sorted: latencies from when they should have begun
}

func (o *outcome) rate() float64 { return float64(o.good) / o.took.Seconds() }

// askedRate is how many requests a second went out while any did.
func (o *outcome) askedRate() float64 { return float64(o.asked) / o.asking.Seconds() }

// at is a percentile of the latencies.
func (o *outcome) at(p float64) time.Duration {
	if len(o.late) == 0 {
		return 0
	}
	return o.late[min(int(p*float64(len(o.late))), len(o.late)-1)]
}

// tally collects what the connections of one load count.
type tally struct {
	mu sync.Mutex
	outcome
}

func (t *tally) add(o outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked, t.good, t.refused, t.bad = t.asked+o.asked, t.good+o.good, t.refused+o.refused, t.bad+o.bad
	if t.first == "" {
		t.first = o.first
	}
	t.late = append(t.late, o.late...)
	t.asking = max(t.asking, o.asking)
}

func (o *outcome) count(r reply, err error, want int, late time.Duration) {
	o.asked++
	switch {
	case err == nil && r.status == want:
		o.good++
		o.late = append(o.late, late)
	case err == nil && (r.status == 503 || r.status == 429):
		o.refused++
	default:
		o.bad++
		if o.first == "" {
			o.first = fmt.Sprintf("%d %v %.300s", r.status, err, r.body)
		}
	}
}

// closedLoop has each of n callers run turn again and again, as fast as answers come, until
// the time is over or turn says that there is no more.
func closedLoop(n int, most time.Duration, turn func(caller int, count *outcome) (more bool)) outcome {
	var all sync.WaitGroup
	var t tally
	began := time.Now()
	for caller := range n {
		all.Go(func() {
			o := outcome{}
			for time.Since(began) < most && turn(caller, &o) {
			}
			t.add(o)
		})
	}
	all.Wait()
	t.took = time.Since(began)
	t.asking = t.took
	slices.Sort(t.late)
	return t.outcome
}

// openLoop sends rate requests a second, whatever becomes of those before: each as it is due, over the first
// wire that is free. A request that had to wait for one counts from when it should have begun. What is still
// to be sent when the time is over is not, so that no load outlasts its time by more than what is in hand.
func openLoop(wires []*wire, rate float64, lasts time.Duration, want int, next func() []byte) outcome {
	var all sync.WaitGroup
	var t tally
	gap := float64(time.Second) / rate
	began := time.Now().Add(20 * time.Millisecond)
	var turn atomic.Int64
	for _, w := range wires {
		all.Go(func() {
			o := outcome{}
			for {
				due := began.Add(time.Duration(gap * float64(turn.Add(1)-1)))
				if due.Sub(began) >= lasts {
					break
				}
				time.Sleep(time.Until(due))
				sent := time.Since(began)
				if sent >= lasts {
					break
				}
				request := next()
				if request == nil {
					break
				}
				o.asking = sent
				r, err := w.ask(request)
				o.count(r, err, want, time.Since(due))
				if err != nil {
					break
				}
			}
			t.add(o)
		})
	}
	all.Wait()
	t.took = time.Since(began)
	slices.Sort(t.late)
	return t.outcome
}
