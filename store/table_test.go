package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// note is the record of these tests.
type note struct {
	Text    string
	Indexed []string
}

func (n *note) Indexes() (indexes []proofing.Index) {
	for _, value := range n.Indexed {
		indexes = append(indexes, proofing.Index{Name: "word", Value: value})
	}
	return indexes
}

func (*note) ExpiresAt() time.Time { return time.Time{} }

func TestAnUpdatePutsRightWhatAnOlderProgramIndexed(t *testing.T) {
	ctx := t.Context()
	s, r := openTest(t, testPath(t), Options{}), newTestRing(t)
	older := NewTable[unindexed](s, r, "note")
	wantNil(t, older.Create(ctx, "07a", &unindexed{Text: "x", Indexed: []string{"new"}, Old: "old"}))
	table := NewTable[note](s, r, "note")
	if _, err := table.Update(ctx, "07a", func(*note) error { return nil }); err != nil {
		t.Fatal(err)
	}
	items, err := s.Scan(ctx, "07", "i/", "", 10)
	if err != nil || len(items) != 1 || items[0].Name != "i/note/word/new!07a" {
		t.Errorf("%v, %v", items, err)
	}
}

// unindexed is a note as a program knew it that indexed something else.
type unindexed struct {
	Text    string
	Indexed []string
	Old     string
}

func (n *unindexed) Indexes() []proofing.Index {
	return []proofing.Index{{Name: "old", Value: n.Old}}
}

func (*unindexed) ExpiresAt() time.Time { return time.Time{} }

// TestAnOlderProgramKeepsOffWhatANewerOneWrote: an update of it would drop what
// only the newer one knows.
func TestAnOlderProgramKeepsOffWhatANewerOneWrote(t *testing.T) {
	ctx := t.Context()
	s, r := openTest(t, testPath(t), Options{}), newTestRing(t)
	const bucket, id = "07", "07a"
	name := recordName("note", id)
	newer := []byte(`{"f": 1, "r": {"Text": "x", "New": "not to be lost"}}`)
	wantNil(t, s.Apply(ctx, bucket, []Op{{Name: name, If: Absent, Value: r.seal(bucket, name, newer)}}))
	table := NewTable[note](s, r, "note")
	_, read := table.Get(ctx, id)
	_, changed := table.Update(ctx, id, func(n *note) error { n.Text = "y"; return nil })
	for doing, err := range map[string]error{"get": read, "update": changed, "delete": table.Delete(ctx, id)} {
		if !errors.Is(err, proofing.ErrUnavailable) || !strings.Contains(err.Error(), "newer version") {
			t.Errorf("%s: %v", doing, err)
		}
	}
	item, err := s.Get(ctx, bucket, name, 0)
	wantNil(t, err)
	if plain, err := r.open(bucket, name, item.Value); err != nil || string(plain) != string(newer) {
		t.Errorf("it is %s, %v", plain, err)
	}
}

func TestTableRefusesWhatCannotBeAName(t *testing.T) {
	ctx := t.Context()
	s, r := openTest(t, testPath(t), Options{}), newTestRing(t)
	table := NewTable[note](s, r, "note")
	many := make([]string, maxEntries+1)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	for name, err := range map[string]error{
		"an id":            table.Create(ctx, "99a", &note{}),
		"a long value":     table.Create(ctx, "07a", &note{Indexed: []string{strings.Repeat("v", MaxName)}}),
		"too many entries": table.Create(ctx, "07a", &note{Indexed: many}),
		"too big a record": table.Create(ctx, "07a", &note{Text: strings.Repeat("t", MaxValue)}),
	} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, _, err := table.List(ctx, proofing.Query{Index: "a/b"})
	_, _, bucketErr := table.List(ctx, proofing.Query{Index: "word", Bucket: "99"})
	_, findErr := table.Find(ctx, "07", "", "x")
	for _, err := range []error{err, bucketErr, findErr} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("got %v", err)
		}
	}
	wantNil(t, table.Create(ctx, "07a", &note{Indexed: many[1:]}))
	if _, err := table.Update(ctx, "07a", func(n *note) error {
		for i := range n.Indexed {
			n.Indexed[i] += "x"
		}
		return nil
	}); err != nil {
		t.Errorf("moving the most entries there can be: %v", err)
	}
	for _, kind := range []string{"", "a/b", "Case", strings.Repeat("k", 33)} {
		func() {
			defer func() { _ = recover() }()
			NewTable[note](s, r, kind)
			t.Errorf("a table of kind %q was made", kind)
		}()
	}
}

// between is a back end that lets somebody act between two reads of a table: before is called,
// once, ahead of the next look at a record.
type between struct {
	KV
	before func()
}

func (b *between) Get(ctx context.Context, bucket, name string, known uint64) (Item, error) {
	if act := b.before; act != nil && strings.HasPrefix(name, recordPrefix) {
		b.before = nil
		act()
	}
	return b.KV.Get(ctx, bucket, name, known)
}

func TestListLeavesOutWhatChangedMeanwhile(t *testing.T) {
	ctx := t.Context()
	s, r := openTest(t, testPath(t), Options{}), newTestRing(t)
	direct := NewTable[note](s, r, "note")
	for what, act := range map[string]func() error{
		"changed": func() error {
			_, err := direct.Update(ctx, "07a", func(n *note) error { n.Indexed = []string{"y"}; return nil })
			return err
		},
		"deleted": func() error { return direct.Delete(ctx, "07a") },
	} {
		wantNil(t, direct.Create(ctx, "07a", &note{Indexed: []string{"x"}}))
		table := NewTable[note](&between{s, func() { wantNil(t, act()) }}, r, "note")
		page, next, err := table.List(ctx, proofing.Query{Index: "word", Value: "x"})
		if err != nil || len(page) != 0 || next != "" {
			t.Errorf("%s: %v, %q, %v", what, page, next, err)
		}
		if what == "changed" {
			wantNil(t, direct.Delete(ctx, "07a"))
		}
	}
}

// TestListLeavesOutADamagedRecordForWhoAsksToBeTold has others around it. A key ring that lacks a key is no damage.
func TestListLeavesOutADamagedRecordForWhoAsksToBeTold(t *testing.T) {
	ctx := t.Context()
	s, r := openTest(t, testPath(t), Options{}), newTestRing(t)
	direct := NewTable[note](s, r, "note")
	for _, id := range []string{"07a", "07b", "07c"} {
		wantNil(t, direct.Create(ctx, id, &note{Indexed: []string{"x"}}))
	}
	wantNil(t, s.Apply(ctx, "07", []Op{{Name: recordName("note", "07b"), If: Any, New: 9, Value: []byte("damaged")}}))
	for _, merged := range []bool{false, true} {
		q := proofing.Query{Index: "word", Value: "x", Merged: merged}
		if _, _, err := direct.List(ctx, q); !errors.Is(err, proofing.ErrUnreadable) {
			t.Errorf("merged %v: who does not ask hears %v", merged, err)
		}
		var told []string
		q.Unreadable = func(id string, err error) {
			if !errors.Is(err, proofing.ErrUnreadable) {
				t.Errorf("merged %v: %s: %v", merged, id, err)
			}
			told = append(told, id)
		}
		page, next, err := direct.List(ctx, q)
		if err != nil || len(page) != 2 || next != "" || !slices.Equal(told, []string{"07b"}) {
			t.Errorf("merged %v: %d records, cursor %q, told of %q, %v", merged, len(page), next, told, err)
		}
		if page, _, err := NewTable[note](s, newTestRing(t), "note").List(ctx, q); err == nil || errors.Is(err, proofing.ErrUnreadable) {
			t.Errorf("merged %v: without the key %d records, %v", merged, len(page), err)
		}
	}
}

func TestFindFollowsAValueThatMovesMeanwhile(t *testing.T) {
	ctx := t.Context()
	s, r := openTest(t, testPath(t), Options{}), newTestRing(t)
	direct := NewTable[claim](s, r, "claim")
	wantNil(t, direct.Create(ctx, "07a", &claim{ID: "07a", Value: "x"}))
	wantNil(t, direct.Create(ctx, "07b", &claim{ID: "07b", Value: "y"}))
	table := NewTable[claim](&between{s, func() {
		for _, move := range [][2]string{{"07a", "z"}, {"07b", "x"}} {
			_, err := direct.Update(ctx, move[0], func(c *claim) error { c.Value = move[1]; return nil })
			wantNil(t, err)
		}
	}}, r, "claim")
	if c, err := table.Find(ctx, "07", "value", "x"); err != nil || c.ID != "07b" {
		t.Errorf("%+v, %v", c, err)
	}
}

// claim is a record with a unique value.
type claim struct{ ID, Value string }

func (c *claim) Indexes() []proofing.Index {
	return []proofing.Index{{Name: "value", Value: c.Value, Unique: true}}
}
func (*claim) ExpiresAt() time.Time { return time.Time{} }

func TestAnUpdateGivesUpOnARecordThatNeverRests(t *testing.T) {
	s, r := openTest(t, testPath(t), Options{}), newTestRing(t)
	direct := NewTable[note](s, r, "note")
	wantNil(t, direct.Create(t.Context(), "07a", &note{}))
	_, err := direct.Update(t.Context(), "07a", func(n *note) error {
		_, err := direct.Update(t.Context(), "07a", func(n *note) error { n.Text += "x"; return nil })
		return errors.Join(err, nil)
	})
	wantNil(t, err) // it changes nothing itself, and so meets nobody
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = direct.Update(ctx, "07a", func(n *note) error {
		n.Text = "mine"
		_, err := direct.Update(context.WithoutCancel(ctx), "07a", func(n *note) error { n.Text += "x"; return nil })
		return err
	})
	if !errors.Is(err, proofing.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestNamesSortAsValuesDo(t *testing.T) {
	alphabet := []byte("\x00 !\"#/a}~\x7f\xff")
	value := func() string {
		b := make([]byte, rand.IntN(4))
		for i := range b {
			b[i] = alphabet[rand.IntN(len(alphabet))]
		}
		return string(b)
	}
	for range 20_000 {
		a, b := value(), value()
		x, y := indexName("k", "i", a, "07z"), indexName("k", "i", b, "07z")
		if strings.Compare(a, b) != strings.Compare(x, y) {
			t.Fatalf("%q and %q sort otherwise than %q and %q", a, b, x, y)
		}
		if strings.ContainsFunc(x, func(r rune) bool { return r < '!' || r > '~' }) || idOf(x) != "07z" {
			t.Fatalf("%q became %q", a, x)
		}
	}
}
