package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign-id/countersign/proofing"
)

// contents are what the log says of the content of a record, by what it is of: digests and codes, a few bytes for each entry that says something. An empty one says that there is nothing any more.
type contents map[string]string

// What the log says something of.
const (
	ofKey         = "key"         // the digest of an authenticator's public key
	ofCertificate = "certificate" // the digest of a certificate
	ofPolicy      = "policy"      // that of the policy in force
	ofRule        = "rule"        // an organization's own rule
	ofDecision    = "decision "   // and the number of its entry: the digest of the document that was signed
	ofItem        = "item "       // and its id: itemWords or itemFacts
	ofNewest      = "newest "     // and kind and subject, or key: the id of what was recorded last, and must stay
)

// tell takes what an entry says of its record's content.
func (r *replay) tell(e *proofing.Entry, l *proofing.Leaf) {
	put := func(what, said string) {
		if r.content[l.Object] == nil {
			r.content[l.Object] = contents{}
		}
		r.content[l.Object][what] = said
	}
	switch l.Kind {
	case proofing.CaseDecided, proofing.PolicyIsDecided:
		put(ofDecision+strconv.FormatInt(l.Number, 10), textOf(l.Facts, proofing.FactDocument))
	case proofing.EntryEnrolled:
		put(ofKey, textOf(l.Facts, factKey))
	case proofing.EntryRemoved:
		put(ofKey, "")
	case proofing.EntryIssued, proofing.EntryRenewed:
		if l.Of == proofing.SubjectCertificate { // a request tells of its certificates, too
			put(ofCertificate, textOf(l.Facts, "certificate_sha256"))
		}
	case proofing.PolicyIsAdopted, proofing.PolicyIsInForce:
		put(ofPolicy, textOf(l.Facts, "digest"))
	case proofing.OrganizationRuleSet:
		put(ofRule, ruleText(ruleOf(l)))
	case proofing.OrganizationItem:
		id, kind := textOf(l.Facts, "item"), proofing.ItemKind(textOf(l.Facts, "kind"))
		put(ofItem+id, itemFacts(textOf(l.Facts, "kind"), textOf(l.Facts, "outcome"), textOf(l.Facts, "good_until")))
		if it := (proofing.Item{}); e.Private != nil && json.Unmarshal(e.Private, &it) == nil {
			put(ofItem+id, itemWords(it))
		}
		switch _, whole := l.Facts["method"]; {
		case kind == proofing.ItemDomain: // its subject is private
		case kind == proofing.ItemKeyProtection && !whole: // an older program did not say of which keys
		case kind == proofing.ItemKeyProtection && textOf(l.Facts, "outcome") == string(proofing.OutcomeGood): // it may go once it has aged
			id = ""
			fallthrough
		default:
			for _, name := range itemNames(*l) {
				put(ofNewest+name, id)
			}
		}
	}
}

// itemWords are all of an item by a digest, as its entry has it: who has recorded it by which name is not among it.
func itemWords(it proofing.Item) string {
	it.CollectedByName = ""
	text, err := proofing.Canonical(it)
	if err != nil {
		return "words that cannot be written"
	}
	return "words " + proofing.Digest(text)
}

// itemFacts are what is left of an item where its words were erased.
func itemFacts(kind, outcome, goodUntil string) string {
	return strings.Join([]string{"facts", kind, outcome, goodUntil}, " ")
}

func ruleText(rule proofing.ApprovalRule) string {
	return fmt.Sprintf("%d %v %v", rule.Needed, rule.InOrder, rule.Of)
}

// heldItems holds the items of a dossier against what the log says of each, and of which is the newest.
func (said contents) heldItems(o *proofing.Organization) error {
	for i := range o.Items {
		it := &o.Items[i]
		goodUntil := ""
		if until := it.GoodUntil(true); !until.IsZero() {
			goodUntil = jsonTime(until)
		}
		was, told := said[ofItem+it.ID]
		have := itemFacts(string(it.Kind), string(it.Outcome), goodUntil)
		if strings.HasPrefix(was, "words ") {
			have = itemWords(*it)
		} else if was == itemFacts(string(it.Kind), string(it.Outcome), "") { // an older program did not say until when it is good
			have = was
		}
		if !told || was != have {
			return fmt.Errorf("the dossier %s has an item %s of the kind %q with the outcome %q, which the log does not have as it is: %w", o.ID, it.ID, it.Kind, it.Outcome, errUntold)
		}
	}
	for what, id := range said {
		if strings.HasPrefix(what, ofNewest) && id != "" && !slices.ContainsFunc(o.Items, func(it proofing.Item) bool { return it.ID == id }) {
			return fmt.Errorf("the dossier %s has no item %s, which the log has as the newest of %q: %w", o.ID, id, strings.TrimPrefix(what, ofNewest), errUntold)
		}
	}
	rule, told := said[ofRule]
	if !told {
		rule = ruleText(proofing.ApprovalRule{Needed: 1})
	}
	if have := ruleText(o.Rule); have != rule {
		return fmt.Errorf("the rule of the dossier %s is (%s), and by the log (%s): %w", o.ID, have, rule, errUntold)
	}
	return nil
}

// signedDecision is a decision as a record has it.
type signedDecision struct {
	document, nonce, step, person string
	refused                       bool
	entry                         int64
}

// heldDecision holds a decision against the document that was signed, and that against its entry: of the record that the document is about, which is another one where it was decided about the
// request whose key binds an account.
func (r *replay) heldDecision(ctx context.Context, s *proofing.Service, object string, made signedDecision) error {
	d, err := proofing.ParseDocument([]byte(made.document))
	if err != nil {
		return fmt.Errorf("%s has a decision of entry %d whose document cannot be read: %w", object, made.entry, err)
	}
	if d.Nonce != made.nonce || d.Step != made.step || d.By.Person != made.person || (d.Decision == proofing.DecideRefuse) != made.refused {
		return fmt.Errorf("%s has a decision of entry %d that is not the one that was signed: %w", object, made.entry, errUntold)
	}
	of, digest := d.Subject.Object, proofing.Digest([]byte(made.document))
	was, told := r.content[of][ofDecision+strconv.FormatInt(made.entry, 10)]
	if !told && of != object && made.entry > int64(len(r.places[of])) {
		switch j, err := s.Journal(ctx, proofing.SubjectCase, of); {
		case err != nil && !errors.Is(err, proofing.ErrNotFound):
			return fmt.Errorf("record of %s: %w", of, err)
		case err == nil && made.entry <= j.Written: // it is on its way
			return nil
		}
	}
	if was != digest {
		return fmt.Errorf("%s has a decision of entry %d by the document %s, and the log %q: %w", object, made.entry, digest, was, errUntold)
	}
	return nil
}

// heldCase holds the decisions of a request against their entries.
func (r *replay) heldCase(ctx context.Context, s *proofing.Service, c *proofing.Case) error {
	if c.Approval == nil {
		return nil
	}
	for _, d := range c.Approval.Decisions {
		if err := r.heldDecision(ctx, s, c.ID, signedDecision{d.Signature.Document, d.Nonce, string(d.Step), d.Person, d.Refused, d.Entry}); err != nil {
			return err
		}
	}
	return nil
}

// heldCertificate holds a certificate against its entry.
func (r *replay) heldCertificate(c *proofing.Certificate) error {
	if was := r.content[c.ID][ofCertificate]; was != c.Digest || was != proofing.Digest(c.DER) {
		return fmt.Errorf("the record of the certificate %s is of the certificate %s, and the log has it as %q: %w", c.ID, proofing.Digest(c.DER), was, errUntold)
	}
	return nil
}

// heldKey holds the public key of an authenticator against the entry of its enrolment; a process without its method cannot read it.
func (r *replay) heldKey(s *proofing.Service, a *proofing.Address) error {
	was, told := r.content[a.ID][ofKey]
	if !told {
		return nil
	}
	key, readable, err := s.KeptKey(a)
	if err != nil {
		return fmt.Errorf("the public key of the authenticator %s cannot be read: %w", a.ID, err)
	}
	if readable && key != was {
		return fmt.Errorf("the authenticator %s has the public key %q, and by the log %q: %w", a.ID, key, was, errUntold)
	}
	return nil
}

// heldPolicies holds the policy in force, and the decisions about what is proposed, against their entries.
func (r *replay) heldPolicies(ctx context.Context, s *proofing.Service, b *proofing.PolicyBook) error {
	if was := r.content[b.ID][ofPolicy]; was != b.InForce.Digest || was != proofing.PolicyDigest(b.InForce.Text) {
		return fmt.Errorf("the policy in force is %s with a text of the digest %s, and by the log %q: %w", b.InForce.Digest, proofing.PolicyDigest(b.InForce.Text), was, errUntold)
	}
	if b.Proposed == nil {
		return nil
	}
	for _, d := range b.Proposed.Decisions {
		if err := r.heldDecision(ctx, s, b.ID, signedDecision{d.Signature.Document, d.Nonce, proofing.StepPolicy, d.Person, d.Refused, d.Entry}); err != nil {
			return err
		}
	}
	return nil
}
