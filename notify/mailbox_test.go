package notify_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/notify"
	"github.com/countersign-id/countersign/proofing"
)

func TestMailboxKeepsTheLast(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	box := notify.NewMailbox(3, func() time.Time { return at })
	for i := range 5 {
		words := notify.Rendered{Subject: "s", Text: fmt.Sprint("text ", i), HTML: "<p>h</p>"}
		if _, err := box.Deliver(context.Background(), mailTo(fmt.Sprintf("msg-%d", i), "alice@example.com"), words); err != nil {
			t.Fatal(err)
		}
	}
	list := box.List()
	if len(list) != 3 || list[0].ID != "msg-4" || list[2].ID != "msg-2" {
		t.Errorf("got %+v", list)
	}
	want := notify.Delivered{
		ID: "msg-3", Channel: proofing.ChannelEmail, To: "alice@example.com", Subject: "s", Text: "text 3", HTML: "<p>h</p>", At: at,
	}
	if got, ok := box.Find("msg-3"); !ok || got != want {
		t.Errorf("got %+v", got)
	}
	if _, ok := box.Find("msg-0"); ok {
		t.Error("the oldest is still there")
	}
}

func TestMailboxIsSafeForMany(t *testing.T) {
	box := notify.NewMailbox(10, time.Now)
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			if _, err := box.Deliver(context.Background(), text(goodNumber), textWords); err != nil {
				t.Error(err)
			}
			if len(box.List()) > 10 {
				t.Errorf("delivery %d: too many are kept", i)
			}
		})
	}
	group.Wait()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := box.Deliver(gone, text(goodNumber), textWords)
	wantFailure(t, err, proofing.NotSent, "timeout")
}
