package proofing_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

// entered is what the log has of a record: a word for each entry, with who it was by, and all of its private parts.
func (w *world) entered(of proofing.Subject, id string) (entries []string, leaves, private string) {
	w.t.Helper()
	w.logged()
	j := must[proofing.Journal](w.t)(w.Journal(w.t.Context(), of, id))
	if !j.Logged() {
		w.t.Fatalf("%s has entries that are not in the log", id)
	}
	for n, place := range j.Places {
		e, _, err := w.LogEntry(w.t.Context(), place)
		if err != nil {
			w.t.Fatal(err)
		}
		leaf := must[proofing.Leaf](w.t)(e.Said())
		if leaf.Of != of || leaf.Object != id || leaf.Number != int64(n+1) || len(e.Private) > 0 && !e.Opens() {
			w.t.Errorf("entry %d of %s is %+v", n+1, id, leaf)
		}
		entries = append(entries, string(leaf.Kind)+" by "+strings.TrimSuffix(leaf.By.Kind+":"+leaf.By.ID, ":"))
		leaves, private = leaves+e.Leaf, private+string(e.Private)
	}
	return entries, leaves, private
}

func wantEntries(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: the log has\n%s\nand not\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestWhatBecomesOfAKeyIsInTheLog(t *testing.T) {
	w, c := withKeys(t)
	w.released()
	w.Operator = "operator-one"
	k := w.caseKey(c)
	for range 2 { // an account that is bound asks again
		must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
	}
	next := must[*proofing.Key](t)(w.RotateKey(t.Context(), w.ca, k.Kid, time.Hour))
	for range 2 {
		must[*proofing.Key](t)(w.RevokeKeyByOperator(t.Context(), w.ca.Name, next.Kid))
	}
	got, leaves, private := w.entered(proofing.SubjectKey, k.ID)
	wantEntries(t, "the first key", got, "key_made by person:"+c.Person, "key_bound by ca:alpha", "key_rotated by ca:alpha", "key_revoked by operator")
	for _, is := range []string{k.Kid, "operator-one"} {
		if strings.Contains(leaves, is) || !strings.Contains(private, is) {
			t.Errorf("%s is not beside the leaves alone:\n%s\n%s", is, leaves, private)
		}
	}
	gotNext, leavesNext, privateNext := w.entered(proofing.SubjectKey, next.ID)
	wantEntries(t, "the next key", gotNext, "key_made by ca:alpha", "key_revoked by operator")
	if !strings.Contains(leavesNext, `"replaces":"`+k.ID) || !strings.Contains(leaves, `"replaced_by":"`+next.ID) {
		t.Errorf("the keys do not name each other:\n%s\n%s", leaves, leavesNext)
	}
	for _, secret := range []string{k.Secret.Reveal(), next.Secret.Reveal()} {
		if strings.Contains(leaves+private+leavesNext+privateNext, secret) {
			t.Error("the log has a secret")
		}
	}
	// A refused binding changes nothing, and is not there.
	_, err := w.VerifyKey(t.Context(), w.ca, present(next, 9))
	wantErr(t, "a revoked key", err, proofing.ErrBinding)
	if again, _, _ := w.entered(proofing.SubjectKey, next.ID); len(again) != len(gotNext) {
		t.Errorf("what was refused is in the log: %q", again)
	}
	// Whoever is erased takes along what is beside the leaves of their keys.
	p := must[*proofing.Person](t)(w.People.Get(t.Context(), c.Person))
	if err := w.EraseForTest(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	w.work()
	if _, _, private := w.entered(proofing.SubjectKey, k.ID); strings.Contains(private, k.Kid) {
		t.Errorf("the name of their key is still there: %s", private)
	}
}

// Records that were stored before they had a journal begin one with their next change.
func TestRecordsFromBeforeTheirJournalBeginOne(t *testing.T) {
	w, _ := withKeys(t)
	k := must[*proofing.Key](t)(w.IssueKey(t.Context(), w.ca, proofing.KeyRequest{Profile: "email"}))
	w.logged()
	old := *k
	var stored map[string]any
	text, err := json.Marshal(old)
	if err == nil {
		err = json.Unmarshal(text, &stored)
	}
	if err != nil {
		t.Fatal(err)
	}
	delete(stored, "journal")
	if text, err = json.Marshal(stored); err != nil {
		t.Fatal(err)
	}
	if err := w.Keys.Delete(t.Context(), k.ID); err != nil {
		t.Fatal(err)
	}
	before := &proofing.Key{}
	if err := json.Unmarshal(text, before); err != nil {
		t.Fatal(err)
	}
	before.ID = k.ID
	if err := w.Keys.Create(t.Context(), before.ID, before); err != nil {
		t.Fatal(err)
	}
	must[*proofing.Key](t)(w.RevokeKey(t.Context(), w.ca.Name, k.Kid, "test"))
	got, _, _ := w.entered(proofing.SubjectKey, k.ID)
	wantEntries(t, "a key from before", got, "key_revoked by ca:alpha")

	must[*proofing.Authority](t)(w.ChangeAuthority(t.Context(), w.ca.Name, func(a *proofing.Authority) error {
		a.CAAIdentities = []string{"ca.example"}
		return nil
	}))
	got, leaves, _ := w.entered(proofing.SubjectAuthority, w.ca.ID)
	wantEntries(t, "an authority from before", got, "authority_changed by operator")
	if !strings.Contains(leaves, `"changed":["caa_identities"]`) {
		t.Errorf("it does not say what has changed: %s", leaves)
	}
}

func TestWhatBecomesOfAnAuthorityIsInTheLog(t *testing.T) {
	w := newWorld(t)
	w.Operator = "operator-one"
	a := &proofing.Authority{ID: w.AuthorityID("gamma"), Name: "gamma", Title: "Gamma", Profiles: []string{"email"}, Created: w.clock()}
	first, token := a.NewToken(w.clock())
	if err := w.AddAuthority(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "a second one of that name", w.AddAuthority(t.Context(), &proofing.Authority{ID: a.ID, Name: "gamma"}), proofing.ErrExists)
	change := func(edit func(a *proofing.Authority) error) error {
		_, err := w.ChangeAuthority(t.Context(), "gamma", edit)
		return err
	}
	var second string
	var secret proofing.Secret
	for range 2 { // the second time nothing changes
		if err := change(func(a *proofing.Authority) error {
			if len(a.Tokens) == 1 {
				second, secret = a.NewToken(w.clock())
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	refused := change(func(a *proofing.Authority) error { a.Title = "x"; return proofing.ErrClosed })
	wantErr(t, "an edit that says no", refused, proofing.ErrClosed)
	if _, _, err := w.SetWebhook(t.Context(), "gamma", "https://ca.example/secret-path"); err != nil {
		t.Fatal(err)
	}
	if err := change(func(a *proofing.Authority) error { a.Revoked = w.clock(); return nil }); err != nil {
		t.Fatal(err)
	}
	got, leaves, private := w.entered(proofing.SubjectAuthority, a.ID)
	wantEntries(t, "the authority", got, "authority_added by operator", "authority_changed by operator", "authority_changed by operator", "authority_revoked by operator")
	for _, want := range []string{`"tokens":["` + first + `"]`, `"tokens":["` + first + `","` + second + `"]`, `"changed":["tokens"]`, `"changed":["webhook"]`, `"changed":["revoked"]`} {
		if !strings.Contains(leaves, want) {
			t.Errorf("%s is missing in %s", want, leaves)
		}
	}
	if !strings.Contains(private, "operator-one") || strings.Contains(leaves, "operator-one") {
		t.Errorf("who did it is not beside the leaves alone: %s %s", leaves, private)
	}
	for _, s := range []string{token.Reveal(), secret.Reveal(), "secret-path"} {
		if strings.Contains(leaves+private, s) {
			t.Error("the log has a secret")
		}
	}
}

func TestWhatBecomesOfTheRegistryIsInTheLog(t *testing.T) {
	w := newWorld(t)
	w.Operator = "operator-one"
	ctx := t.Context()
	name := proofing.Identifier{Type: "dns", Value: "host.example.org"}
	e := must[*proofing.RegistryEntry](t)(w.Register(ctx, "alpha", name, "a note", proofing.Holder{Channel: "email", Address: "admin@example.org"}))
	must[*proofing.RegistryEntry](t)(w.Register(ctx, "alpha", name, "", proofing.Holder{Person: "0person"}))
	if err := w.Unregister(ctx, "alpha", name); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "removing it again", w.Unregister(ctx, "alpha", name), proofing.ErrNotFound)
	if page, _, err := w.Registered(ctx, "alpha", "", 10); err != nil || len(page) != 0 {
		t.Errorf("what was removed is listed: %d, %v", len(page), err)
	}
	r := request("device")
	r.Identifier, r.Applicant.Thumbprint = name, "theirs"
	c, _, err := w.Open(ctx, w.ca, r)
	if err != nil {
		t.Fatal(err)
	}
	if c = w.prove(c, "b", "email", "admin@example.org"); c.Reason != "not_entitled" {
		t.Errorf("what was removed entitles: %s (%s)", c.Status, c.Reason)
	}
	again := must[*proofing.RegistryEntry](t)(w.Register(ctx, "alpha", name, "", proofing.Holder{Channel: "email", Address: "other@example.org"}))
	if page, _, err := w.Registered(ctx, "alpha", "", 10); err != nil || len(page) != 1 || len(again.Holders) != 1 || again.Holders[0].Address != "other@example.org" || again.Note != "" {
		t.Errorf("taken up again it is %+v (%d listed, %v)", again, len(page), err)
	}
	got, leaves, private := w.entered(proofing.SubjectRegistry, e.ID)
	wantEntries(t, "the entry", got, "registry_added by operator", "registry_added by operator", "registry_removed by operator", "registry_added by operator")
	for _, want := range []string{`"persons":["0person"]`, `"addresses":["`, `"ca":"alpha"`} {
		if !strings.Contains(leaves, want) {
			t.Errorf("%s is missing in %s", want, leaves)
		}
	}
	for _, secret := range []string{"host.example.org", "admin@example.org", "a note"} {
		if strings.Contains(leaves, secret) {
			t.Errorf("the leaves have %q: %s", secret, leaves)
		}
	}
	if !strings.Contains(private, "host.example.org") || !strings.Contains(private, "operator-one") || strings.Contains(private, "admin@example.org") {
		t.Errorf("beside the leaves is %s", private)
	}
}

// Who is entitled and what CAA says of them are one decision of the operator's: there is no moment with half of it, and one entry that says so.
func TestAnOrganizationAndItsDomainsAreRegisteredAtOnce(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	example, holder := proofing.Identifier{Type: "organization", Value: "Example GmbH"}, proofing.Holder{Channel: "email", Address: "admin@example.org"}
	e := must[*proofing.RegistryEntry](t)(w.RegisterOrganization(ctx, "alpha", example, "", []string{"Example.org", "example.org."}, holder, holder))
	e = must[*proofing.RegistryEntry](t)(w.RegisterOrganization(ctx, "alpha", example, "", []string{"example.net", "example.org"}, holder))
	if !slices.Equal(e.Domains, []string{"example.org", "example.net"}) || !slices.Equal(e.Holders, []proofing.Holder{holder}) {
		t.Errorf("it has %q and %v", e.Domains, e.Holders)
	}
	got, _, private := w.entered(proofing.SubjectRegistry, e.ID)
	wantEntries(t, "the entry", got, "registry_added by operator", "registry_added by operator")
	if !strings.Contains(private, "example.net") {
		t.Errorf("the domains are not in %s", private)
	}
	if err := w.Unregister(ctx, "alpha", example); err != nil {
		t.Fatal(err)
	}
	if e = must[*proofing.RegistryEntry](t)(w.RegisterOrganization(ctx, "alpha", example, "", []string{"example.com"}, holder)); !slices.Equal(e.Domains, []string{"example.com"}) {
		t.Errorf("taken up again it has %q", e.Domains)
	}
	name := proofing.Identifier{Type: "dns", Value: "host.example.org"}
	if _, err := w.RegisterOrganization(ctx, "alpha", name, "", []string{"example.org"}, holder); err == nil {
		t.Error("a name has domains")
	}
}

// BenchmarkAnEntryOnTheBindingOfAKey is what an entry costs the binding of an account to a key, on the embedded store: "%-more" than the same update of the
// key without it, which is one of two that a binding takes. The two take turns.
func BenchmarkAnEntryOnTheBindingOfAKey(b *testing.B) {
	w := newWorld(b)
	kv, err := store.OpenSQLite(b.Context(), filepath.Join(b.TempDir(), "b.db"), store.Options{Now: w.clock})
	if err != nil {
		b.Fatal(err)
	}
	defer kv.Close()
	w.over(kv)
	var spent [2]time.Duration
	var keys [2]*proofing.Key
	for n := range keys {
		keys[n] = must[*proofing.Key](b)(w.IssueKey(b.Context(), w.ca, proofing.KeyRequest{Profile: "email"}))
	}
	for b.Loop() {
		w.pass(time.Second)
		for n, k := range keys {
			if _, err := w.Keys.Update(b.Context(), k.ID, func(k *proofing.Key) error { k.Journal.Pending, k.Accounts = nil, nil; return nil }); err != nil {
				b.Fatal(err)
			}
			began := time.Now()
			_, err := w.Keys.Update(b.Context(), k.ID, func(k *proofing.Key) error {
				k.Accounts = append(k.Accounts, proofing.KeyAccount{Account: "07account", Thumbprint: "3Zqx9fKd0aBc", URL: "https://ca.example/acct/7", At: w.clock()})
				if n == 1 {
					k.Journal.Write(proofing.Note{
						Of: proofing.SubjectKey, Object: k.ID, Kind: proofing.EntryKeyBound, By: proofing.Actor{Kind: "ca", ID: "alpha"}, At: w.clock(),
						Facts: map[string]any{"account": "07account", "accounts": 1}, Private: map[string]any{"url": "https://ca.example/acct/7"},
					})
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			spent[n] += time.Since(began)
		}
	}
	b.ReportMetric(float64(spent[0].Microseconds())/float64(b.N), "µs-without")
	b.ReportMetric(float64(spent[1].Microseconds())/float64(b.N), "µs-with")
	b.ReportMetric(100*(float64(spent[1])/float64(spent[0])-1), "%-more")
}
