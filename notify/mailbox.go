package notify

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// Mailbox is the provider of the demo: it keeps the last messages in memory, for
// a page that shows them. It holds codes and addresses in plain text and sends
// nothing to anybody, so it has no place in production.
type Mailbox struct {
	now  func() time.Time
	size int

	mu   sync.Mutex
	kept []Delivered // oldest first
}

// MailboxConfig says which mailbox the provider "mailbox" fills. Channels may
// share one.
type MailboxConfig struct {
	Mailbox *Mailbox
}

func (c MailboxConfig) open() (Provider, error) {
	if c.Mailbox == nil {
		return nil, errors.New("no mailbox given")
	}
	return c.Mailbox, nil
}

// Delivered is one message as its reader sees it.
type Delivered struct {
	ID      string
	Channel proofing.Channel
	To      string
	Subject string
	Text    string
	HTML    string
	At      time.Time
}

// NewMailbox returns a mailbox that keeps the last size messages and reads the
// time from now.
func NewMailbox(size int, now func() time.Time) *Mailbox {
	return &Mailbox{now: now, size: max(size, 1)}
}

// Deliver implements Provider.
func (b *Mailbox) Deliver(ctx context.Context, m proofing.Message, r Rendered) (proofing.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return proofing.Receipt{}, notSent(reasonTimeout, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept = append(b.kept, Delivered{
		ID: m.ID, Channel: m.Channel, To: m.To.Reveal(),
		Subject: r.Subject, Text: r.Text, HTML: r.HTML, At: b.now(),
	})
	if over := len(b.kept) - b.size; over > 0 {
		b.kept = append([]Delivered(nil), b.kept[over:]...)
	}
	return proofing.Receipt{Provider: "mailbox", Reference: m.ID}, nil
}

// List returns the kept messages, newest first.
func (b *Mailbox) List() []Delivered {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]Delivered, 0, len(b.kept))
	for i := len(b.kept) - 1; i >= 0; i-- {
		list = append(list, b.kept[i])
	}
	return list
}

// Find returns the newest kept message with that id.
func (b *Mailbox) Find(id string) (Delivered, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := len(b.kept) - 1; i >= 0; i-- {
		if b.kept[i].ID == id {
			return b.kept[i], true
		}
	}
	return Delivered{}, false
}
