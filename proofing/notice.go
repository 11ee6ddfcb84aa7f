package proofing

import (
	"context"
	"errors"
	"slices"
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
	// noticeCopied is of a passkey that there may be a copy of.
	noticeCopied = "copied"
	// noticeDeskRecovery and noticeDeskRecovered are of a recovery before a representative: it was started, and somebody came in.
	noticeDeskRecovery  = "desk_recovery"
	noticeDeskRecovered = "desk_recovered"
	// changesDay is how often in a day a person changes what is told to all of their addresses, other than by adding and taking away, and textsDay how many
	// notices one number gets in a day: nobody has asked for them, and they cost money.
	changesDay = 20
	textsDay   = 3
)

// notifyPerson tells a person that something was added to what they have, or taken from it (SP 800-63B 6.1.2.1;
// SP 800-63B-4 4.1.2.1 and 4.6): all mailboxes that were theirs before, and numbers if there are not two of these. Of has what the notice is about.
func (s *Service) notifyPerson(c *Case, had []Binding, kind string, of Binding, now time.Time) {
	ctx := s.messageContext(c)
	if ctx.Lang = c.Lang; kind == noticeForgetting {
		ctx.Ends = c.Expires
	}
	told, mailed := 0, false
	// Of a recovery, and of what may be in other hands, everybody hears who can be reached (SP 800-63B 6.2; SP 800-63B-4 4.6).
	everybody := slices.Contains([]string{noticeCopied, noticeRecovered, noticeDeskRecovery, noticeDeskRecovered, noticeCodesFreed, noticeCodesVoid, noticeErased, noticeForgetting}, kind)
	disown := c.DisownURL(s.Policy.Origin)
	if c.Disown == "" { // nothing of it is theirs to take back
		disown = ""
	}
	tell := func(kind string, k Contact) {
		told++
		c.Outbox.owe(c.ID, Message{
			Kind: kind, Channel: k.Channel, To: k.Address, Lang: c.Lang, Disown: disown, Context: ctx, Thing: of.Contact.Channel, About: of.label(),
			Waits: k.Channel == ChannelPhone && (everybody || !mailed), // else a mailbox hears of it
		}, c.Person, now)
	}
	for _, ch := range []Channel{ChannelEmail, ChannelPhone} {
		for _, b := range had {
			if b.Contact.Channel != ch || b.ID == of.ID && kind == noticeBound {
				continue
			}
			if ch == ChannelPhone {
				if told < 2 || everybody {
					tell(textKind(kind), b.Contact)
				}
				continue
			}
			tell(kind, b.Contact)
			mailed = true
		}
	}
}

// spendChange counts a change that everybody hears of and that can be made again and again: new codes, or what is said to be theirs still. Errors: *LimitError, ErrUnavailable.
func (s *Service) spendChange(ctx context.Context, p *Person) error {
	return s.spendAll(ctx, []spend{{"changes", "own.changes." + p.ID, 1, changesDay, 24 * time.Hour}})
}

// alwaysSent are the notices by text message that go out whatever has been sent: a label rests on the one, and the others are of a recovery, which
// nobody brings about without a code or a representative. They are counted all the same.
var alwaysSent = []string{"sms_" + noticeProofed, "sms_" + noticeRecovered, "sms_" + noticeDeskRecovery, "sms_" + noticeDeskRecovered}

// mayNotify counts a notice by text message before it is first sent, at an authority or, where the name is empty, at the service: for the number, and in the day's budget
// like every other message. What is too much, or goes where a brake stands against it, is not sent, and the program's log says so: it is tried again later if it Waits, and dropped
// where a mailbox hears of the same.
func (s *Service) mayNotify(ctx context.Context, ca string, m *Outgoing) (may bool) {
	defer func() {
		if !may {
			s.Log.WarnContext(ctx, "notice by text message held back", "message", m.ID, "kind", m.Kind, "reason", "limit")
		}
	}()
	contact := Contact{Channel: m.Channel, Address: m.To}
	if sms := s.Methods["sms"]; sms != nil { // with the country, by which it is priced
		known, err := sms.Check(m.To.Reveal())
		if err == nil {
			contact = known
		} else if !slices.Contains(alwaysSent, m.Kind) {
			return false // text messages do not go there any more
		}
	}
	spends, err := s.budgetSpends(ctx, ca, contact)
	if err != nil {
		return true // one too many is better than none
	}
	if slices.Contains(alwaysSent, m.Kind) {
		s.addEach(ctx, spends)
		return true
	}
	// As with codes, a number that is somebody's passes any brake.
	if bound, err := s.address(ctx, contact); err == nil {
		if _, err := s.held(ctx, ca, contact, bound != nil); isLimit(err) {
			return false
		}
	}
	key := "notices.day." + s.Hasher.Hex("limit address", string(m.Channel), m.To.Reveal())
	return !isLimit(s.spendAll(ctx, append([]spend{{"address", key, 1, textsDay, 24 * time.Hour}}, spends...)))
}

// isLimit says whether an error is that of a limit.
func isLimit(err error) bool {
	_, limited := errors.AsType[*LimitError](err)
	return limited
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
			kind = textKind(noticeProofed)
		}
		if named := notice != nil && notice.Address == k.Address; told[k.Address] || k.Channel != ChannelEmail && !named {
			continue
		}
		told[k.Address] = true
		c.Outbox.owe(c.ID, Message{Kind: kind, Channel: k.Channel, To: k.Address, Lang: c.Lang, Disown: c.DisownURL(s.Policy.Origin), Context: ctx}, c.Person, now)
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
