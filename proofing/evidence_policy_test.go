package proofing_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/proofing"
)

const (
	evPolicy    = `{"profiles":{"signing":{"approvals":"1","approve":"pre-authorized"},"signing2":{"approvals":"2","approve":"pre-authorized"}}}`
	laterPolicy = `{"profiles":{"signing":{"approvals":"2","approve":"pre-authorized"},"signing2":{"approvals":"2","approve":"pre-authorized"}}}`
)

// governed is a court with a log and a policy that its administrators have approved.
func governed(t testing.TB, text string) (*court, *audit.Tree) {
	t.Helper()
	c := newCourt(t)
	tree := c.stated()
	c.Policy.Text, c.Policy.Digest = text, proofing.PolicyDigest(text)
	c.offers(text)
	c.logged()
	return c, tree
}

// fileOf is the evidence of a case, as it is read again.
func (c *court) fileOf(tree *audit.Tree, k *proofing.Case) (*audit.Evidence, error) {
	c.t.Helper()
	c.logged()
	chain, err := c.ChainOfCase(c.t.Context(), k.ID)
	if err != nil {
		return nil, err
	}
	return tree.Evidence(c.t.Context(), chain, proofing.SubjectCase, k.ID)
}

// A grant is held to what the policy demands that it names, of which the log has the text: no program can leave out a decision, and none of the others' policies
// is told.
func TestEvidenceHasThePolicyThatAGrantWasMadeBy(t *testing.T) {
	c, tree := governed(t, evPolicy)
	k := c.granted()
	c.logged()
	c.offers(laterPolicy)
	must[*proofing.PolicyBook](t)(c.one.decidesPolicy(false))
	must[*proofing.PolicyBook](t)(c.two.decidesPolicy(false))
	e, err := c.fileOf(tree, k)
	if err != nil {
		t.Fatal(err)
	}
	p := e.Cases[0].Policy
	if p == nil || p.Digest != proofing.PolicyDigest(evPolicy) || p.Approvals != 1 || p.Approve != proofing.ApprovePre || p.Entry != 1 {
		t.Errorf("the policy of the grant: %+v", p)
	}
	text := string(must[[]byte](t)(e.Text()))
	if strings.Count(text, `\"approvals\":\"1\"`) != 1 || strings.Count(text, `\"approvals\":\"2\"`) != 1 || strings.Contains(text, `"changes"`) {
		t.Error("what was proposed later is told")
	}
	for _, o := range e.Objects {
		for _, entry := range o.Entries {
			if o.Of == proofing.SubjectPolicy && (entry.Private != nil) != strings.Contains(entry.Leaf, `"policy_adopted"`) {
				t.Errorf("%s says %s", entry.Leaf, entry.Private)
			}
		}
	}
	key, _ := logKey(t, tree)
	f := &forger{t, tree, key, []byte(text)}
	for name, edit := range map[string]func(e *audit.Evidence){
		"another number of approvals": func(e *audit.Evidence) { e.Cases[0].Policy.Approvals = 2 },
		"no policy":                   func(e *audit.Evidence) { e.Cases[0].Policy = nil },
		"another entry":               func(e *audit.Evidence) { e.Cases[0].Policy.Entry = 4 },
		"another text": func(e *audit.Evidence) {
			for i := range e.Objects {
				if o := &e.Objects[i]; o.Of == proofing.SubjectPolicy {
					o.Entries[0].Private = []byte(strings.Replace(string(o.Entries[0].Private), `\"1\"`, `\"0\"`, 1))
				}
			}
		},
	} {
		forged := f.whole()
		edit(forged)
		if err := f.holds(forged); err == nil {
			t.Errorf("%s holds", name)
		}
	}

	// What is granted from now on is held to the later one.
	c.Policy.Text, c.Policy.Digest = laterPolicy, proofing.PolicyDigest(laterPolicy)
	r := c.asks("signing")
	r.Applicant.URL, r.Applicant.Thumbprint = r.Applicant.URL+"9", accountKey(9)
	next, _, err := c.Open(t.Context(), c.ca, r)
	if err != nil {
		t.Fatal(err)
	}
	next = c.decided(must[*proofing.Case](t)(c.use(visit(next, "requester"), c.requester.key)))
	if _, err := c.fileOf(tree, next); err == nil || !strings.Contains(err.Error(), "with the approval of 1, and its policy "+c.Policy.Digest+" demands 2") {
		t.Errorf("a program that asked one where the policy demands two: %v", err)
	}
}

func TestAGrantWithoutTheDecisionsOfItsPolicyIsFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lies func(c *court)
		want string
	}{
		"nobody was asked": {func(c *court) {
			free := *c.Policy.Profiles["signing"]
			free.EV, free.Approvals, free.Approve = false, 0, ""
			c.Policy.Profiles["signing"] = &free
		}, "with the approval of 0"},
		"a policy that nobody approved": {func(c *court) { c.Policy.Digest = proofing.PolicyDigest(laterPolicy) }, "which was not in force"},
		"a profile that it does not have": {func(c *court) {
			other := *c.Policy.Profiles["signing"]
			other.Name = "other"
			c.Policy.Profiles["other"] = &other
			c.ca.Profiles = append(c.ca.Profiles, "other")
		}, `has no profile "other"`},
	} {
		t.Run(name, func(t *testing.T) {
			w, tree := governed(t, evPolicy)
			c.lies(w)
			w.pass(time.Hour) // the policy has been in force for longer than clocks differ
			profile := "signing"
			if strings.Contains(c.want, "other") {
				profile = "other"
			}
			k, _, err := w.Open(t.Context(), w.ca, w.asks(profile))
			if err != nil {
				t.Fatal(err)
			}
			k = must[*proofing.Case](t)(w.use(visit(k, "requester"), w.requester.key))
			if k.Status != proofing.CaseGranted {
				k = w.decided(k)
			}
			if _, err := w.fileOf(tree, k); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// What people decided about the key stands for the account that it binds, as its policy has it.
func TestThePolicyOfABoundAccountIsMetByTheDecisionsAboutItsKey(t *testing.T) {
	c, tree := governed(t, evPolicy)
	first, _ := c.boundByKey()
	c.logged()
	account := proofing.Applicant{Kind: proofing.ByAccount, Thumbprint: accountKey(1)}
	bound, _, err := c.Open(t.Context(), c.ca, proofing.OpenRequest{Applicant: account, Identifier: first.Identifier, Profile: first.Profile})
	if err != nil {
		t.Fatal(err)
	}
	e, err := c.fileOf(tree, bound)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range e.Cases {
		if k.Policy == nil || k.Policy.Approvals != 1 || (len(k.Approvals) == 0) != (k.Object == bound.ID) {
			t.Errorf("case %s: %d decisions, policy %+v", k.Object, len(k.Approvals), k.Policy)
		}
	}
}

// What people decided about a key is no decision about an account that it binds if they decided about one CSR, and no more decisions than they were.
func TestDecisionsAboutAKeyMeetNoPolicyThatDemandsOthers(t *testing.T) {
	for name, c := range map[string]struct {
		csr  string
		lies func(c *court)
		want string
	}{
		"they decided about one CSR": {"csr-1", func(c *court) {
			free := *c.Policy.Profiles["signing"]
			free.Approvals, free.Approve = 0, ""
			c.Policy.Profiles["signing"] = &free
		}, "with the approval of 0"},
		"the policy demands more by now": {"", func(c *court) {
			c.offers(laterPolicy)
			must[*proofing.PolicyBook](c.t)(c.one.decidesPolicy(false))
			must[*proofing.PolicyBook](c.t)(c.two.decidesPolicy(false))
			c.Policy.Text, c.Policy.Digest = laterPolicy, proofing.PolicyDigest(laterPolicy)
		}, "with the approval of 1"},
	} {
		t.Run(name, func(t *testing.T) {
			w, tree := governed(t, evPolicy)
			first, _ := w.boundByKeyFor(c.csr)
			w.logged()
			c.lies(w)
			account := proofing.Applicant{Kind: proofing.ByAccount, Thumbprint: accountKey(1)}
			bound, _, err := w.Open(t.Context(), w.ca, proofing.OpenRequest{Applicant: account, Identifier: first.Identifier, Profile: first.Profile})
			if err != nil {
				t.Fatal(err)
			}
			if bound.Status != proofing.CaseGranted {
				t.Fatalf("the lie is %s", bound.Status)
			}
			if _, err := w.fileOf(tree, bound); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// A process that goes on by a policy which is not in force any more is told, and a change of it within what clocks differ by is nobody's fault.
func TestAGrantByAPolicyThatWasReplacedIsTold(t *testing.T) {
	for name, later := range map[string]time.Duration{"at once": 0, "an hour later": time.Hour} {
		t.Run(name, func(t *testing.T) {
			c, tree := governed(t, evPolicy)
			k := c.submitted("signing")
			must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
			must[*proofing.Case](t)(c.decides(c.specialist, k, proofing.StepVet, false))
			c.offers(laterPolicy)
			must[*proofing.PolicyBook](t)(c.one.decidesPolicy(false))
			must[*proofing.PolicyBook](t)(c.two.decidesPolicy(false))
			c.pass(later)
			k = must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false))
			e, err := c.fileOf(tree, k)
			if err != nil {
				t.Fatal(err)
			}
			if p := e.Cases[0].Policy; p == nil || p.Digest != proofing.PolicyDigest(evPolicy) || (p.Replaced > 0) != (later > 0) {
				t.Errorf("the policy of the grant: %+v", p)
			}
		})
	}
}

// A grant that was made by the file's policy moments before another one was adopted is as good as it was.
func TestAGrantJustBeforeThePolicyWasAdoptedHolds(t *testing.T) {
	c := newCourt(t)
	tree := c.stated()
	c.Policy.Text, c.Policy.Digest = laterPolicy, proofing.PolicyDigest(laterPolicy)
	c.logged()
	k := c.granted()
	c.Policy.Text, c.Policy.Digest = evPolicy, proofing.PolicyDigest(evPolicy)
	c.offers(evPolicy)
	if _, err := c.fileOf(tree, k); err != nil {
		t.Error(err)
	}
}

// Whoever has the log's key can enter that a policy is in force, and not that two administrators have approved it.
func TestAPolicyThatNobodyApprovedIsNotInForce(t *testing.T) {
	const freePolicy = `{"profiles":{"signing":{"approvals":"0","approve":""}}}`
	c, tree := governed(t, evPolicy)
	c.forges = true
	book := must[*proofing.PolicyBook](t)(c.PolicyBook(t.Context()))
	for name, kind := range map[string]proofing.EntryKind{"in force": proofing.PolicyIsInForce, "adopted": proofing.PolicyIsAdopted} {
		digest := proofing.PolicyDigest(freePolicy + strings.Repeat(" ", len(name)))
		if err := edit(c.PolicyBooks, book.ID, func(b *proofing.PolicyBook) {
			b.Journal.Write(proofing.Note{
				Of: proofing.SubjectPolicy, Object: b.ID, Kind: kind, By: proofing.ByService, At: c.clock(), Facts: map[string]any{"digest": digest},
				Private: map[string]any{"text": freePolicy + strings.Repeat(" ", len(name))},
			})
		}); err != nil {
			t.Fatal(err)
		}
		c.logged()
		c.demands(0, "")
		c.Policy.Profiles["signing"].EV, c.Policy.Digest = false, digest
		r := c.asks("signing")
		r.Applicant.URL, r.Applicant.Thumbprint = r.Applicant.URL+name[:1], accountKey(len(name))
		k, _, err := c.Open(t.Context(), c.ca, r)
		if err != nil {
			t.Fatal(err)
		}
		k = must[*proofing.Case](t)(c.use(visit(k, "requester"), c.requester.key))
		if _, err := c.fileOf(tree, k); k.Status != proofing.CaseGranted || err == nil || !strings.Contains(err.Error(), "and 0 have approved it") {
			t.Errorf("%s: %s, %v", name, k.Status, err)
		}
	}
}

// A certificate under a policy that takes an approval for each CSR has one, or says that it has none; unless another policy came meanwhile, by which it takes none.
func TestACertificateHasTheApprovalThatThePolicyOfItsCaseTakes(t *testing.T) {
	eachPolicy := strings.Replace(evPolicy, "pre-authorized", "each-certificate", 1)
	for name, c := range map[string]struct {
		approve proofing.ApproveMode // by which the program goes
		later   bool                 // another policy is in force by then
		takenUp bool                 // and the program says that it goes by that
		want    string
	}{
		"it says that it has none":                  {proofing.ApproveEach, false, false, ""},
		"it says nothing":                           {proofing.ApprovePre, false, false, "takes an approval for each CSR"},
		"another policy takes none":                 {proofing.ApprovePre, true, true, ""},
		"another policy is not what it was told by": {proofing.ApprovePre, true, false, "takes an approval for each CSR"},
	} {
		t.Run(name, func(t *testing.T) {
			w, tree := governed(t, eachPolicy)
			w.demands(1, proofing.ApproveEach)
			k := w.granted()
			if c.later {
				w.offers(evPolicy)
				must[*proofing.PolicyBook](t)(w.one.decidesPolicy(false))
				must[*proofing.PolicyBook](t)(w.two.decidesPolicy(false))
			}
			if c.takenUp {
				w.Policy.Text, w.Policy.Digest = evPolicy, proofing.PolicyDigest(evPolicy)
			}
			w.demands(1, c.approve)
			w.certificate(k, 1)
			if _, err := w.fileOf(tree, k); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
