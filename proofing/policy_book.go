package proofing

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// PolicyBook is which policy is in force, and which one is proposed. There is one. A policy is the canonical text of the policy part of a
// configuration; what is in it, is for whoever reads configurations to say. What the book says is in force, in every process.
type PolicyBook struct {
	ID      string        `json:"id"`
	InForce PolicyVersion `json:"in_force"`
	// Before are the digests of those that were in force before, the newest last, and Refused those that were refused since the one that
	// is in force is: neither is proposed again by itself.
	Before  []string `json:"before,omitempty"`
	Refused []string `json:"refused,omitempty"`
	// Proposed waits for two administrators.
	Proposed *PolicyProposal `json:"proposed,omitempty"`
	// Settled are proposals that are decided, and not on their shelf yet (Service.PolicyProposals).
	Settled []PolicyProposal `json:"settled,omitempty"`
	// SettledFor is the digest of the last policy of which the requests have heard (Service.settlePolicy).
	SettledFor string  `json:"settled_for,omitempty"`
	Outbox     Outbox  `json:"outbox,omitempty"`
	Journal    Journal `json:"journal,omitempty"`
}

// PolicyVersion is a policy that is in force.
type PolicyVersion struct {
	Digest string    `json:"digest"` // PolicyDigest(Text)
	Text   string    `json:"text"`
	Since  time.Time `json:"since"`
	// Proposal is the one that it came by; empty for the first, which was adopted.
	Proposal string `json:"proposal,omitempty"`
}

// PolicyProposal is a policy that somebody wants, and what became of it.
type PolicyProposal struct {
	ID     string `json:"id"`
	Digest string `json:"digest"`
	// Text is there while it is proposed. Afterwards it follows from Changes, and what it was proposed against.
	Text string `json:"text,omitempty"`
	// Against is the digest of the policy in force, which it would take the place of.
	Against string `json:"against"`
	// Proposed is who has proposed it: the service, of which the configuration is read at a start or a reload, or the operator, by a command.
	Proposed  Act              `json:"proposed"`
	Changes   []PolicyChange   `json:"changes"`
	Decisions []PolicyDecision `json:"decisions,omitempty"`
	Outcome   PolicyOutcome    `json:"outcome,omitempty"` // empty while it waits
	Ended     time.Time        `json:"ended,omitzero"`
	// Look is when somebody looks whether what erased people have signed is still needed; zero: there is nothing of theirs.
	Look time.Time `json:"look,omitzero"`
}

// PolicyDecision is what one administrator has decided of a proposal.
type PolicyDecision struct {
	Nonce       string    `json:"nonce"` // of the document: what comes twice with it is one decision
	Refused     bool      `json:"refused,omitempty"`
	Reason      string    `json:"reason,omitempty"`
	Person      string    `json:"person"`
	Name        string    `json:"name"`
	Appointment string    `json:"appointment"`
	At          time.Time `json:"at"`
	Signature   Signature `json:"signature"`
	Entry       int64     `json:"entry"` // the number of its entry in the book's journal
	// Void is why it does not count any more: PolicyVoidGone and so on.
	Void string `json:"void,omitempty"`
	// Erased: who gave it is erased. Its name is gone, and so is what was signed once no evidence can need it (Service.workProposal).
	Erased bool `json:"erased,omitempty"`
}

// Why an approval of a policy counts no more.
const (
	PolicyVoidGone = "administrator_gone" // who gave it is no administrator now who can act
	PolicyVoidOld  = "expired"            // nobody has joined it in time
	PolicyVoidKey  = "passkey_gone"       // the passkey that signed it is its administrator's no more
)

// PolicyOutcome is what became of a proposal.
type PolicyOutcome string

// What becomes of proposals.
const (
	PolicyApproved PolicyOutcome = "approved"
	PolicyRefused  PolicyOutcome = "refused"
	PolicyReplaced PolicyOutcome = "replaced" // by a newer one
)

// PolicyChange is one setting that differs: what it was and what it would be. An empty side says that it was not there, or would not be.
type PolicyChange struct {
	Setting string `json:"setting"`
	Old     string `json:"old,omitempty"`
	New     string `json:"new,omitempty"`
}

const (
	// PolicyApprovals is how many administrators approve a policy, and PolicyApprovedFor how long the first one's word waits for the second's.
	PolicyApprovals   = 2
	PolicyApprovedFor = askedFor
	// mostPolicy is the size of a policy's text, in bytes as it is stored: the one in force, one that is proposed, and what is said of them, are one
	// record. Of mostPolicyChanges, in bytes, too, a person still reads every line before they sign.
	mostPolicy        = 60 << 10
	mostPolicyChanges = 10 << 10
	// mostPoliciesBefore is how many earlier policies are known by their digests.
	mostPoliciesBefore = 200
)

// PolicyDigest names a policy by its text.
func PolicyDigest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// PolicyChanges are the settings in which two policies differ, in the order of their names. A text is a JSON object of sections, with
// strings or lists of strings at their ends.
func PolicyChanges(before, after string) ([]PolicyChange, error) {
	had, err := policySettings(before)
	if err != nil {
		return nil, err
	}
	has, err := policySettings(after)
	if err != nil {
		return nil, err
	}
	var all []PolicyChange
	for _, name := range slices.Sorted(maps.Keys(had)) {
		if has[name] != had[name] {
			all = append(all, PolicyChange{name, had[name], has[name]})
		}
	}
	for name, value := range has {
		if _, there := had[name]; !there {
			all = append(all, PolicyChange{Setting: name, New: value})
		}
	}
	slices.SortFunc(all, func(a, b PolicyChange) int { return cmp.Compare(a.Setting, b.Setting) })
	return all, nil
}

// plainSetting is a name that can stand in a path as it is.
var plainSetting = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func policySettings(text string) (map[string]string, error) {
	var tree map[string]any
	if err := json.Unmarshal([]byte(text), &tree); err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	all := map[string]string{}
	var walk func(path string, v any) error
	walk = func(path string, v any) error {
		switch v := v.(type) {
		case map[string]any:
			for name, value := range v {
				if !plainSetting.MatchString(name) {
					name = strconv.Quote(name)
				}
				if path != "" {
					name = path + "." + name
				}
				if err := walk(name, value); err != nil {
					return err
				}
			}
			if len(v) == 0 && path != "" {
				all[path] = "{}"
			}
		case []any:
			items := make([]string, len(v))
			for i, item := range v {
				text, ok := item.(string)
				if !ok {
					return fmt.Errorf("read policy: %s has a member that is no text", path)
				}
				items[i] = plainly(text)
			}
			all[path] = "[" + strings.Join(items, ", ") + "]"
		case string:
			all[path] = plainly(v)
		default:
			return fmt.Errorf("read policy: %s is no text", path)
		}
		return nil
	}
	return all, walk("", tree)
}

// plainly is a value as somebody sees all of it: one with characters that are not seen, or turn the direction of writing, is quoted, with what they are.
func plainly(value string) string {
	if strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(value)
	}
	return value
}

// Indexes implements Record.
func (b *PolicyBook) Indexes() []Index {
	ix := append(b.Journal.index(), b.ledger().deadIndexes()...)
	if due, ok := b.Outbox.NextDue(); ok {
		ix = append(ix, Index{Name: "due", Value: stamp(due)})
	}
	return ix
}

// ExpiresAt implements Record.
func (*PolicyBook) ExpiresAt() time.Time { return time.Time{} }

// Indexes implements Record. Listings go up, so that the newest has the least value.
func (p *PolicyProposal) Indexes() []Index {
	ix := []Index{{Name: "newest", Value: fmt.Sprintf("%013d", max(9_999_999_999_999-p.Proposed.At.UnixMilli(), 0))}}
	if !p.Look.IsZero() {
		ix = append(ix, Index{Name: "due", Value: stamp(p.Look)})
	}
	return ix
}

// ExpiresAt implements Record: grants name what was decided, and are kept elsewhere for years.
func (*PolicyProposal) ExpiresAt() time.Time { return time.Time{} }

// policyBookID is in the bucket of the appointments, where the worker looks for what the console has brought about.
func (s *Service) policyBookID() string {
	return s.officeBucket() + FixedID(s.Hasher.Sum("policy book"))[2:]
}

// PolicyBook reads the book; ErrNotFound before there are administrators, who could approve anything.
func (s *Service) PolicyBook(ctx context.Context) (*PolicyBook, error) {
	return s.PolicyBooks.Get(ctx, s.policyBookID())
}

// The entries of the policy book in the log.
const (
	PolicyIsAdopted  EntryKind = "policy_adopted" // the first, with its whole text
	PolicyIsProposed EntryKind = "policy_proposed"
	PolicyIsDecided  EntryKind = "policy_decided"  // by one administrator
	PolicyIsInForce  EntryKind = "policy_in_force" // with its whole text
	PolicyIsReplaced EntryKind = "policy_replaced" // a proposal, by a newer one
)

func (b *PolicyBook) write(kind EntryKind, by Actor, at time.Time, facts, private map[string]any, persons ...string) {
	n := Note{Of: SubjectPolicy, Object: b.ID, Kind: kind, By: by, At: at, Facts: facts, Persons: persons}
	if private != nil {
		n.Private = private
	}
	b.Journal.Write(n)
}

// textsPending says whether a whole policy waits for the log: a second one would not fit into the record.
func (b *PolicyBook) textsPending() bool {
	return slices.ContainsFunc(b.Journal.Pending, func(e Entry) bool { return len(e.Private) > mostPolicyChanges })
}

// adoptPolicy makes the policy of this process the first one in force, once there are administrators. It may be called again, by any process: the first
// one counts. Where nobody has read a policy from a configuration there is none to adopt. The *InputError "policy_large" is for one that the book cannot hold.
func (s *Service) adoptPolicy(ctx context.Context) error {
	text := s.Policy.Text
	if text == "" {
		return nil
	}
	if err := CheckPolicySize(text); err != nil { // what is not in the book one person changes
		return fmt.Errorf("adopt policy: %w", err)
	}
	now := s.now()
	b := &PolicyBook{ID: s.policyBookID(), InForce: PolicyVersion{Digest: PolicyDigest(text), Text: text, Since: now}}
	b.SettledFor = b.InForce.Digest // nothing was approved by another one
	b.write(PolicyIsAdopted, ByService, now, map[string]any{"digest": b.InForce.Digest}, map[string]any{"text": text})
	if err := s.PolicyBooks.Create(ctx, b.ID, b); err != nil && !errors.Is(err, ErrExists) {
		return fmt.Errorf("adopt policy: %w", err)
	}
	return nil
}

// OfferPolicy says which policy a configuration has that was read. Before there are administrators it returns nil: the configuration
// is in force. With them the one in the book is, and another one is proposed, once: one that was refused, and one that was in force before,
// only with insist, by which an operator says so. It may come again, from any process. The first policy to be offered is adopted. Errors: the
// *InputError codes "policy_large" and "policy_changes" (more than a person reads), besides ErrUnavailable.
func (s *Service) OfferPolicy(ctx context.Context, text string, insist bool) (*PolicyBook, error) {
	_, completed, err := s.Began(ctx)
	if errors.Is(err, ErrNotFound) || err == nil && completed.IsZero() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b, err := s.PolicyBook(ctx)
	if errors.Is(err, ErrNotFound) {
		if err = s.adoptPolicy(ctx); err == nil {
			b, err = s.PolicyBook(ctx)
		}
		if errors.Is(err, ErrNotFound) {
			return nil, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("look up policy: %w", err)
	}
	digest := PolicyDigest(text)
	if !b.proposes(digest, insist) {
		return b, nil
	}
	if err := CheckPolicySize(text); err != nil {
		return b, err
	}
	if err := s.shelvePolicies(ctx, b); err != nil {
		return b, err
	}
	told, err := s.concerned(ctx, &Appointment{Role: RoleAdministrator})
	if err != nil {
		return b, err
	}
	by := ByService
	if insist {
		by = ByOperator
	}
	id := NewID(s.officeHome())
	b, err = s.PolicyBooks.Update(ctx, b.ID, func(have *PolicyBook) error {
		if !have.proposes(digest, insist) { // another process has been before us
			return nil
		}
		changes, err := PolicyChanges(have.InForce.Text, text)
		if err != nil {
			return err
		}
		if size := storedSize(changes); size > mostPolicyChanges {
			return &InputError{Field: "policy", Code: "policy_changes", Detail: fmt.Sprintf("%d settings of %d bytes differ, more than %d bytes", len(changes), size, mostPolicyChanges)}
		}
		now := s.now()
		have.Settled = slices.DeleteFunc(have.Settled, func(p PolicyProposal) bool {
			return slices.ContainsFunc(b.Settled, func(shelved PolicyProposal) bool { return shelved.ID == p.ID })
		})
		if p := have.Proposed; p != nil {
			have.write(PolicyIsReplaced, by, now, map[string]any{"digest": p.Digest, "by_digest": digest}, nil)
			have.settle(PolicyReplaced, now)
		}
		have.Proposed = &PolicyProposal{ID: id, Digest: digest, Text: text, Against: have.InForce.Digest, Proposed: Act{By: by, At: now}, Changes: changes}
		have.write(PolicyIsProposed, by, now, map[string]any{"digest": digest, "against": have.InForce.Digest}, map[string]any{"changes": changes})
		s.tellOfPolicy(have, told, "", Act{At: now}, "proposed")
		return nil
	})
	if err != nil {
		return b, fmt.Errorf("propose policy: %w", err)
	}
	s.rouseOffices()
	return b, nil
}

// CheckPolicySize is the *InputError "policy_large" for a policy that no book could hold: nobody could approve it, nor be asked for a change of it.
func CheckPolicySize(text string) error {
	if size := storedSize(text); size > mostPolicy {
		return &InputError{Field: "policy", Code: "policy_large", Detail: fmt.Sprintf("%d bytes, more than %d", size, mostPolicy)}
	}
	return nil
}

// storedSize is how long a value is as a record has it, in bytes.
func storedSize(v any) int {
	text, err := json.Marshal(v)
	if err != nil { // of text and lists of text there is none
		return math.MaxInt
	}
	return len(text)
}

// proposes says whether a policy is to be proposed by itself, or with insist by an operator's word.
func (b *PolicyBook) proposes(digest string, insist bool) bool {
	switch {
	case digest == b.InForce.Digest, b.Proposed != nil && b.Proposed.Digest == digest:
		return false
	case slices.Contains(b.Refused, digest), slices.Contains(b.Before, digest):
		return insist
	}
	return true
}

// settle takes the proposal out of what waits.
func (b *PolicyBook) settle(outcome PolicyOutcome, now time.Time) {
	p := *b.Proposed
	p.Outcome, p.Ended, p.Text = outcome, now, ""
	b.Settled, b.Proposed = append(b.Settled, p), nil
}

// shelvePolicies gives each proposal that was decided a record of its own. It may be called again.
func (s *Service) shelvePolicies(ctx context.Context, b *PolicyBook) error {
	for _, p := range b.Settled {
		if err := s.PolicyProposals.Create(ctx, p.ID, &p); err != nil && !errors.Is(err, ErrExists) {
			return fmt.Errorf("keep proposal of a policy: %w", err)
		}
	}
	return nil
}

// ListPolicies are the policy book and the proposals that were decided, the newest first, page by page with the cursor of the next one. For the
// operator on the server; ErrNotFound before there are administrators.
func (s *Service) ListPolicies(ctx context.Context, after string, limit int) (b *PolicyBook, decided []*PolicyProposal, next string, err error) {
	if b, err = s.PolicyBook(ctx); err != nil {
		return nil, nil, "", err
	}
	shelf, next, err := s.PolicyProposals.List(ctx, Query{Index: "newest", Below: "\x7f", Bucket: s.officeBucket(), After: after, Limit: limit})
	if err != nil {
		return nil, nil, "", fmt.Errorf("list policies: %w", err)
	}
	if after == "" {
		for _, p := range slices.Backward(b.Settled) {
			if !slices.ContainsFunc(shelf, func(have *PolicyProposal) bool { return have.ID == p.ID }) {
				decided = append(decided, &p)
			}
		}
	}
	return b, append(decided, shelf...), next, nil
}

// policyProposal is one proposal; ErrNotFound if there is none of that id.
func (s *Service) policyProposal(ctx context.Context, b *PolicyBook, id string) (*PolicyProposal, error) {
	if b.Proposed != nil && b.Proposed.ID == id {
		return b.Proposed, nil
	}
	if i := slices.IndexFunc(b.Settled, func(p PolicyProposal) bool { return p.ID == id }); i >= 0 {
		return &b.Settled[i], nil
	}
	if _, ok := IDBucket(id); !ok {
		return nil, ErrNotFound
	}
	return s.PolicyProposals.Get(ctx, id)
}
