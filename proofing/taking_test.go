package proofing

import (
	"testing"
	"time"
)

// What was taken away, bound anew and proved again may be taken away again: by then what was proved in between has gone, too.
func TestWhatIsTakenAwayAgainIsGoneAgain(t *testing.T) {
	at := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	var c Case
	c.take("mailbox", at)
	c.take("number", at)
	c.take("mailbox", at.Add(time.Hour))
	c.take("mailbox", at.Add(time.Minute)) // heard late
	if len(c.Taken) != 2 || !c.Taken[0].At.Equal(at.Add(time.Hour)) || !c.Taken[1].At.Equal(at) {
		t.Errorf("%+v", c.Taken)
	}
}
