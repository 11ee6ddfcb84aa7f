package proofing

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Copied is what the record of an authenticator has of the signs that there is a copy of it: its signature counter did not rise (WebAuthn 6.1.1 and 7.2
// step 22). Nobody can show later that there is none, so it stays for as long as the authenticator is its person's.
type Copied struct {
	At   time.Time `json:"at"`   // of the first sign
	Last time.Time `json:"last"` // of the newest
	// Told is when its person last heard of it, and Use the event or nonce by which they are to hear of it, until that is stored.
	Told time.Time `json:"told,omitzero"`
	Use  string    `json:"use,omitempty"`
	// Due is when the worker tells of it, if nothing else has by then: what was to be made of the use was lost, or nothing may follow from it.
	Due time.Time `json:"due,omitzero"`
}

// copiedPatience is how long whoever is to tell of the sign of a copy has time to, and lateUse stands for the worker in Copied.Use.
const (
	copiedPatience = time.Minute
	lateUse        = "late"
)

// toldEvery is how often a person hears of one authenticator that there may be a copy of it.
const toldEvery = 24 * time.Hour

// Heard is an answer of an authenticator that its record knows of. The same answer may come again, because a reply was lost: it is not judged by what
// it has itself left there.
type Heard struct {
	Answer    string `json:"answer"` // see answerMark
	Regressed bool   `json:"regressed,omitempty"`
	Copied    bool   `json:"copied,omitempty"` // an earlier use showed a sign
}

// heardKept is how many answers a record knows: more than can be on their way at once.
const heardKept = 16

// answerMark tells an answer to a question from all others.
func answerMark(question string, response []byte) string {
	answer := sha256.Sum256(response)
	sum := sha256.Sum256(append([]byte(question+"\x00"), answer[:]...))
	return Octets(sum[:16]).String()
}

// hear judges an answer of a passkey by its record and stores there, in the same update, the counter and whether there is a sign of a copy. So of two answers
// with one counter the second is seen, whichever processes judge them, and the stored counter never falls. It comes before anything is made of the
// answer: the signature is the authenticator's, whatever becomes of the question. Nil for an answer that is not verified, which stores nothing, and for what
// is nobody's any more: who judges next says why.
func (s *Service) hear(ctx context.Context, known *Address, mark string, judge func(kept json.RawMessage) (*WebAuthnFacts, json.RawMessage, error)) (h *Heard, err error) {
	var unverified error
	heard, err := s.Addresses.Update(ctx, known.ID, func(a *Address) error {
		h, unverified = nil, nil
		if a.Person != known.Person || a.Kept == nil {
			return nil
		}
		if i := slices.IndexFunc(a.Heard, func(have Heard) bool { return have.Answer == mark }); i >= 0 {
			h = new(a.Heard[i])
			return nil
		}
		facts, kept, err := judge(a.Kept)
		if err != nil || facts == nil {
			unverified = err
			return err
		}
		now := s.now()
		h = &Heard{Answer: mark, Regressed: facts.SignCountRegressed, Copied: !a.Copied.At.IsZero()}
		if h.Regressed {
			if a.Copied.At.IsZero() {
				a.Copied.At = now
			}
			a.Copied.Last, a.Copied.Due = now, now.Add(copiedPatience)
		}
		a.Heard = append(a.Heard, *h)
		a.Heard = a.Heard[max(0, len(a.Heard)-heardKept):]
		a.Kept, a.KeptAt = kept, latest(a.KeptAt, now)
		return nil
	})
	if unverified != nil || errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("store use of passkey: %w", err)
	}
	if h != nil && h.Regressed { // sessions are judged by the list: from now on, whatever becomes of the use
		if _, _, err := s.listCopied(ctx, heard); err != nil {
			s.Log.WarnContext(ctx, "list of a copied passkey's person waits for the worker", "authenticator", known.ID, "error", err)
		}
	}
	return h, nil
}

// hearAnswer is hear for what answers an attempt.
func (s *Service) hearAnswer(ctx context.Context, a *Attempt, m Method, known *Address, contact Contact, answer Answer) (*Heard, error) {
	if known == nil || known.Kept == nil || contact.Channel != ChannelPasskey {
		return nil, nil
	}
	return s.hear(ctx, known, answerMark(a.ID, answer.Response), func(kept json.RawMessage) (*WebAuthnFacts, json.RawMessage, error) {
		answer.Kept = kept
		proof, err := m.Judge(a.State, a.Contact, answer)
		return proof.Evidence.WebAuthn, proof.Kept, err
	})
}

// put states in the facts of a use what its record knows of copies.
func (h *Heard) put(f *WebAuthnFacts) {
	if h != nil && f != nil {
		f.SignCountRegressed, f.CloneSuspected = h.Regressed, h.Copied
	}
}

// suspectsCopy has a use that showed a sign of a copy, or came after one, reach its person: their list says so from then on, and they are told, of one
// authenticator once in a day. It may be called again: the same use tells again, until what it tells is stored and toldOfCopy says so.
func (s *Service) suspectsCopy(ctx context.Context, person, id, use string, at time.Time) (r effected) {
	a, err := s.Addresses.Get(ctx, id)
	if err != nil || a.Person != person || a.Copied.At.IsZero() {
		return effected{failed: ignoreNotFound(err)}
	}
	p, b, err := s.listCopied(ctx, a)
	if err != nil || b == nil {
		return effected{failed: err}
	}
	tells := false
	if _, err := s.Addresses.Update(ctx, id, func(a *Address) error {
		k := &a.Copied
		if tells = k.Use == use; !tells && a.Person == person && k.Last.After(k.Told) && at.Sub(k.Told) >= toldEvery {
			k.Told, k.Use, k.Due, tells = at, use, s.now().Add(copiedPatience), true
		}
		if !tells && k.Use == "" && !k.Last.After(at) {
			k.Due = time.Time{} // they were told today
		}
		return nil
	}); err != nil || !tells {
		return effected{failed: ignoreNotFound(err)}
	}
	return effected{copied: b, copiedBy: use, had: p.Bindings}
}

// listCopied has the list of a passkey's person say what its record says. Nil if it is not in theirs, or there is nobody any more.
func (s *Service) listCopied(ctx context.Context, a *Address) (p *Person, b *Binding, err error) {
	i := -1
	p, err = s.People.Update(ctx, a.Person, func(p *Person) error {
		if i = slices.IndexFunc(p.Bindings, func(b Binding) bool { return b.ID == a.ID && b.Gone.IsZero() }); i >= 0 {
			p.Bindings[i].Copied = a.Copied.At
		}
		return nil
	})
	if err != nil || i < 0 {
		return nil, nil, ignoreNotFound(err)
	}
	return p, &p.Bindings[i], nil
}

// toldOfCopy notes that what a use has to tell of a copy is stored.
func (s *Service) toldOfCopy(ctx context.Context, id, use string) error {
	_, err := s.Addresses.Update(ctx, id, func(a *Address) error {
		if k := &a.Copied; k.Use == use {
			k.Use, k.Due = "", time.Time{}
		}
		return nil
	})
	return ignoreNotFound(err)
}

// workCopied tells a person of a sign of a copy that nothing else has told of in time: the process died once the sign was stored, or it was in a session of which
// somebody said that it was not them, from which nothing follows. What it tells is stored before it is noted: a crash between the two tells too much and not too
// little.
func (s *Service) workCopied(ctx context.Context, id string) error {
	a, err := s.Addresses.Get(ctx, id)
	if err != nil {
		return ignoreNotFound(err)
	}
	now := s.now()
	if a.Copied.Due.IsZero() || now.Before(a.Copied.Due) {
		return nil
	}
	p, b, err := s.listCopied(ctx, a)
	if err != nil {
		return err
	}
	tells := false
	if _, err = s.Addresses.Update(ctx, id, func(a *Address) error {
		k := &a.Copied
		if tells = false; k.Due.IsZero() || now.Before(k.Due) {
			return nil
		}
		if tells = b != nil && (k.Use != "" || now.Sub(k.Told) >= toldEvery); tells {
			k.Told, k.Use, k.Due = now, lateUse, now.Add(copiedPatience)
		} else {
			k.Use, k.Due = "", time.Time{}
		}
		return nil
	}); err != nil || !tells {
		return ignoreNotFound(err)
	}
	if err := s.tellPerson(ctx, p, noticeCopied, *b, time.Time{}); err != nil {
		return err
	}
	return s.toldOfCopy(ctx, id, lateUse)
}

// withCopies is evidence as it is to be judged in a session: whoever has signed in by a passkey before a copy of it was seen is not trusted with more than whoever signs
// in by it now. It says whether that changes anything.
func (s *Service) withCopies(evidence []Evidence, p *Person) (all []Evidence, changed bool) {
	if p == nil || !slices.ContainsFunc(p.Bindings, func(b Binding) bool { return !b.Copied.IsZero() }) {
		return evidence, false
	}
	all = slices.Clone(evidence)
	for i, e := range all {
		if e.WebAuthn == nil || e.WebAuthn.copied() {
			continue
		}
		id := s.addressID(e.Contact())
		if slices.ContainsFunc(p.Bindings, func(b Binding) bool { return b.ID == id && !b.Copied.IsZero() }) {
			facts := *e.WebAuthn
			facts.CloneSuspected, all[i].WebAuthn, changed = true, &facts, true
		}
	}
	return all, changed
}
