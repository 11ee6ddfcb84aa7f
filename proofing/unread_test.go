package proofing

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"
)

// TestWhatCannotBeReadIsSaidOnceAMinuteWithHowOften has a master away for two minutes, whose buckets are looked at ten times a second.
func TestWhatCannotBeReadIsSaidOnceAMinuteWithHowOften(t *testing.T) {
	var log bytes.Buffer
	var u unread
	to := slog.New(slog.NewJSONHandler(&log, nil))
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	u.add("00", nil)
	u.say(t.Context(), to, at)
	for i := range 1201 {
		u.add([]string{"17", "03"}[i%2], errors.New("the master is away"))
		u.add("00", nil)
		u.say(t.Context(), to, at.Add(time.Duration(i)*100*time.Millisecond))
	}
	type line struct {
		Msg, Error, Buckets string
		More                int
	}
	var got []line
	for d := json.NewDecoder(&log); d.More(); {
		var l line
		if err := d.Decode(&l); err != nil {
			t.Fatal(err)
		}
		got = append(got, l)
	}
	const msg, cause = "outbox cannot be read", "the master is away"
	want := []line{{msg, cause, "17", 0}, {msg, cause, "03 17", 599}, {msg, cause, "03 17", 599}}
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d: %v", len(got), len(want), got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("line %d: %+v, want %+v", i, got[i], want[i])
		}
	}
}
