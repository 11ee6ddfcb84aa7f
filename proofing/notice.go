package proofing

import (
	"context"
	"strings"
	"time"
	"unicode"
)

// The kinds of notices on what is a person's.
const (
	noticeBound     = "bound"
	noticeRemoved   = "removed"
	noticeRecovered = "recovered"
	noticeProofed   = "proofed"
	// noticeReactivated is of what a recovery had suspended.
	noticeReactivated = "reactivated"
	// maxNotices is the most addresses that hear of one change: SP 800-63B-4 4.6 asks for two where there are two.
	maxNotices = 5
	// changesDay is how often in a day a person changes what is told to all of their addresses, and textsDay how many
	// notices one number gets in a day: nobody has asked for them, and they cost money.
	changesDay = 20
	textsDay   = 3
)

// notifyPerson tells a person that something was added to what they have, or taken from it (SP 800-63B 6.1.2.1;
// SP 800-63B-4 4.1.2.1 and 4.6): all mailboxes that were theirs before, and a number if there is but
// one mailbox. Of has what the notice is about.
func (s *Service) notifyPerson(c *Case, had []Binding, kind string, of Binding, now time.Time) {
	ctx := s.messageContext(c)
	ctx.Lang = c.Lang
	told := 0
	tell := func(kind string, k Contact) {
		told++
		c.Outbox.Messages = append(c.Outbox.Messages, Outgoing{
			Message: Message{
				ID: c.ID + "." + NewToken().Reveal()[:12], Kind: kind, Channel: k.Channel, To: k.Address,
				Lang: c.Lang, Disown: c.DisownURL(s.Policy.Origin), Context: ctx, Thing: of.Contact.Channel, About: of.label(),
			},
			State: MessagePending, Since: now, Due: now, Expires: now.Add(72 * time.Hour),
		})
	}
	for _, ch := range []Channel{ChannelEmail, ChannelPhone} {
		for _, b := range had {
			if b.Contact.Channel != ch || b.ID == of.ID && kind == noticeBound || told >= maxNotices {
				continue
			}
			if ch == ChannelPhone {
				if told < 2 {
					tell("sms_"+kind, b.Contact)
				}
				continue
			}
			tell(kind, b.Contact)
		}
	}
}

// spendChange counts a change that everybody hears of. Errors: *LimitError, ErrUnavailable.
func (s *Service) spendChange(ctx context.Context, p *Person) error {
	return s.spendAll(ctx, []spend{{"changes", "own.changes." + p.ID, 1, changesDay, 24 * time.Hour}})
}

// mayNotify counts a notice by text message before it is first sent. What is too much is not sent: the
// mailboxes hear of everything.
func (s *Service) mayNotify(ctx context.Context, m *Outgoing) bool {
	if m.Code() || m.Channel != ChannelPhone || m.Sends > 1 || m.Kind == "sms_"+noticeProofed { // a label rests on the last
		return true
	}
	key := "notices.day." + s.Hasher.Hex("limit address", string(m.Channel), m.To.Reveal())
	n, _, err := s.Limiter.Add(ctx, key, 1, 24*time.Hour)
	return err != nil || n <= textsDay // one too many is better than none
}

// notifyProofed tells the person that their identity was proofed (SP 800-63A 4.4.1.6; SP 800-63A-4 3.10): each mailbox
// that the case confirmed, and a number if the record names it as the place of the notice.
func (s *Service) notifyProofed(c *Case, notice *ProofingNotice, now time.Time) {
	ctx := s.messageContext(c)
	ctx.Lang = c.Lang
	told := map[Secret]bool{}
	for _, k := range c.confirmed() {
		kind := noticeProofed
		if k.Channel == ChannelPhone {
			kind = "sms_" + noticeProofed
		}
		if named := notice != nil && notice.Address == k.Address; told[k.Address] || k.Channel != ChannelEmail && !named {
			continue
		}
		told[k.Address] = true
		c.Outbox.Messages = append(c.Outbox.Messages, Outgoing{
			Message: Message{
				ID: c.ID + "." + NewToken().Reveal()[:12], Kind: kind, Channel: k.Channel, To: k.Address,
				Lang: c.Lang, Disown: c.DisownURL(s.Policy.Origin), Context: ctx,
			},
			State: MessagePending, Since: now, Due: now, Expires: now.Add(72 * time.Hour),
		})
	}
}

// label is what people know it by: the name that they gave it, or else its masked form.
func (b Binding) label() string {
	if b.Name != "" {
		return b.Name
	}
	return b.Contact.Shown
}

// oneLine is text that somebody gave us as it may be shown: printable, without space around it, and cut.
func oneLine(text string, most int) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if r := []rune(text); len(r) > most {
		text = strings.TrimSpace(string(r[:most]))
	}
	return text
}
