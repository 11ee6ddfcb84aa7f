package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestAnOpenLoopAsksAtItsRateThoughAnswersTakeLong has every second answer take longer than the whole load: those connections
// are of no use any more, and the others ask in their place.
func TestAnOpenLoopAsksAtItsRateThoughAnswersTakeLong(t *testing.T) {
	t.Parallel()
	const rate, lasts = 100, time.Second
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1)%2 == 0 {
			time.Sleep(3 * lasts / 2)
		}
		w.WriteHeader(http.StatusOK)
	}))
	defer server.Close()
	var wires []*wire
	for range 64 {
		w, err := dialWire(strings.TrimPrefix(server.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer w.close()
		wires = append(wires, w)
	}
	o := openLoop(wires, rate, lasts, http.StatusOK, func() []byte { return []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") })
	if o.bad > 0 || o.asked < 90 || o.asked > 100 {
		t.Errorf("%d asked, of 100, and %d bad: %s", o.asked, o.bad, o.first)
	}
	if got := o.askedRate(); got < 80 || got > 120 {
		t.Errorf("%.0f a second were asked, want %d", got, rate)
	}
	if o.took > 4*lasts {
		t.Errorf("the load took %s", o.took)
	}
}
