package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

func TestTheListenerForOperatorsHasPagesOnceItServes(t *testing.T) {
	a := newDesk(t).app(io.Discard)
	h := a.operators()
	if code, body := probe(t, h, "/"); code != 503 || !strings.Contains(body, "starting") {
		t.Errorf("while it starts: %d %s", code, body)
	}
	a.phase.Store(serving)
	a.meters.outcomes.add(proofing.ChannelEmail, "accepted", nil, time.Now())
	a.meters.outcomes.add(proofing.ChannelPhone, "refused", &proofing.SendError{Outcome: proofing.Refused, Reason: "number_blocked", Err: errors.New("no")}, time.Now())
	for path, want := range map[string]string{"/": "Nothing needs you", "/messages": "the number has blocked us", "/spend": "countersign ca add", "/brakes": "There was none"} {
		if code, body := probe(t, h, path); code != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d without %q\n%s", path, code, want, body)
		}
	}
}
