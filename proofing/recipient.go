package proofing

import (
	"context"
	"slices"
)

// recipient is an address that hears of something.
type recipient struct {
	Contact
	person string // whose it is; empty: nobody's that is known
}

const (
	// mostBoxes is the most mailboxes of one person that hear of one thing, and mostNumbers the most numbers.
	mostBoxes, mostNumbers = 2, 1
	// mostTold is the most addresses that do.
	mostTold = 60
)

// boxes are the mailboxes of a person that hear of what concerns them; nobody has none.
func (p *Person) boxes() []recipient { return p.some(ChannelEmail, mostBoxes) }

// numbers are their numbers that do, by text message.
func (p *Person) numbers() []recipient { return p.some(ChannelPhone, mostNumbers) }

// Reachable says whether any notice reaches the person: they have confirmed a mailbox or a number.
func (p *Person) Reachable() bool { return len(p.boxes())+len(p.numbers()) > 0 }

func (p *Person) some(ch Channel, most int) (all []recipient) {
	for _, b := range p.of(ch) {
		if len(all) < most {
			all = append(all, recipient{b.Contact, p.ID})
		}
	}
	return all
}

// join adds addresses to those that are there, each once and as many as may be.
func join(told, more []recipient) []recipient {
	for _, r := range more {
		if len(told) < mostTold && !slices.ContainsFunc(told, func(have recipient) bool { return have.Address == r.Address }) {
			told = append(told, r)
		}
	}
	return told
}

// reach are the addresses of some persons: their mailboxes, which hear of everything, before any number.
func reach(persons []*Person) (told []recipient) {
	for _, p := range persons {
		told = join(told, p.boxes())
	}
	for _, p := range persons {
		told = join(told, p.numbers())
	}
	return told
}

// reachAll is reach for persons who are looked up by their ids.
func (s *Service) reachAll(ctx context.Context, ids []string) ([]recipient, error) {
	persons := make([]*Person, len(ids))
	for i, id := range ids {
		var err error
		if persons[i], err = s.person(ctx, id); err != nil {
			return nil, err
		}
	}
	return reach(persons), nil
}

// textKind is the kind of the text message that says the same as a mail.
func textKind(kind string) string { return "sms_" + kind }

// kindFor is the kind of a notice for an address.
func (r recipient) kindFor(kind string) string {
	if r.Channel == ChannelPhone {
		return textKind(kind)
	}
	return kind
}
