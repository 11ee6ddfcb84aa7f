package store

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// everything is a record of every kind of field that records have.
type everything struct {
	Text     string
	Number   int64
	Flag     bool `json:",omitempty"`
	At       time.Time
	Gone     *time.Time
	Bytes    []byte
	Raw      json.RawMessage `json:"raw,omitempty"`
	List     []everyPart     `json:"list,omitempty"`
	Whole    []string
	Named    map[string]everyPart `json:"named,omitempty"`
	Counts   map[string]int
	Array    [2]everyPart
	Pointer  *everyPart
	Embedded everyPart
}

type everyPart struct {
	Words []string `json:"w,omitempty"`
	Level *int
}

func (*everything) Indexes() []proofing.Index { return nil }
func (*everything) ExpiresAt() time.Time      { return time.Time{} }

func TestACopyIsWhatTheWayThroughJSONWouldLeave(t *testing.T) {
	detach, err := detacherOf(reflect.TypeFor[everything]())
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 2000 {
		var v everything
		fill(random, reflect.ValueOf(&v).Elem())
		copied := v
		detach(reflect.ValueOf(&copied).Elem())
		text, err := json.Marshal(&v)
		if err != nil {
			t.Fatal(err)
		}
		var read everything
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(copied, read) {
			t.Fatalf("%d: a copy is\n%+v\nand through JSON it is\n%+v\nof %s", n, copied, read, text)
		}
		fill(random, reflect.ValueOf(&copied).Elem()) // nothing of it is the first one's
		scribble(reflect.ValueOf(&read).Elem())
		again, err := json.Marshal(&v)
		if err != nil || string(again) != string(text) {
			t.Fatalf("%d: the copy's changes show: %s, %v", n, again, err)
		}
	}
}

// fill puts random values everywhere; what can be left out sometimes is.
func fill(random *rand.Rand, v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Now().Add(time.Duration(random.Int64N(1e15))).UTC()))
		return
	case json.RawMessage:
		v.Set(reflect.ValueOf(json.RawMessage([][]byte{nil, []byte(`{"a":1}`), []byte(`[]`)}[random.IntN(3)])))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(random, v.Field(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(random, v.Index(i))
		}
	case reflect.Pointer:
		v.SetZero()
		if random.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(random, v.Elem())
		}
	case reflect.Slice:
		v.SetZero()
		if n := random.IntN(4); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n-1, n+2))
			for i := range n - 1 {
				fill(random, v.Index(i))
			}
		}
	case reflect.Map:
		v.SetZero()
		if n := random.IntN(4); n > 0 {
			v.Set(reflect.MakeMap(v.Type()))
			for i := range n - 1 {
				e := reflect.New(v.Type().Elem()).Elem()
				fill(random, e)
				v.SetMapIndex(reflect.ValueOf(fmt.Sprint(i)), e)
			}
		}
	case reflect.String:
		v.SetString(strings.Repeat("x<", random.IntN(3)))
	case reflect.Bool:
		v.SetBool(random.IntN(2) == 0)
	case reflect.Uint8:
		v.SetUint(random.Uint64N(256))
	default:
		v.SetInt(random.Int64N(1000))
	}
}

// scribble changes what a value refers to.
func scribble(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() != reflect.TypeFor[time.Time]() {
			for i := range v.NumField() {
				scribble(v.Field(i))
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			v.Elem().SetZero()
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			scribble(v.Index(i))
			v.Index(i).SetZero()
		}
	case reflect.Map:
		v.Clear()
	}
}

func TestARecordThatJSONWouldNotKeepIsRefused(t *testing.T) {
	for _, v := range []any{
		struct{ hidden []string }{}, struct {
			Left int `json:"-"`
		}{}, struct{ Any any }{}, struct{ Do func() }{},
	} {
		if _, err := detacherOf(reflect.TypeOf(v)); err == nil {
			t.Errorf("%T is taken for plain data", v)
		}
	}
}

// counted counts the reads of a back end.
type counted struct {
	KV
	gets atomic.Int64
}

func (c *counted) Get(ctx context.Context, bucket, name string, known uint64) (Item, error) {
	c.gets.Add(1)
	return c.KV.Get(ctx, bucket, name, known)
}

func TestAChangeStartsFromWhatThisProcessSawLast(t *testing.T) {
	ctx := t.Context()
	kv, r := &counted{KV: openTest(t, testPath(t), Options{})}, newTestRing(t)
	ours, others := NewTable[note](kv, r, "note"), NewTable[note](kv, r, "note")
	const id = "07a"
	wantNil(t, ours.Create(ctx, id, &note{Text: "0"}))
	kv.gets.Store(0)
	add := func(table *Table[note, *note], text string, reads int64) {
		t.Helper()
		kv.gets.Store(0)
		got, err := table.Update(ctx, id, func(n *note) error { n.Text += text; return nil })
		if err != nil {
			t.Fatal(err)
		}
		if n := kv.gets.Load(); n != reads {
			t.Errorf("adding %q took %d reads, want %d", text, n, reads)
		}
		got.Text = "the caller may do with it what it likes"
	}
	add(ours, "1", 0)
	add(others, "2", 1) // it has not seen it yet
	add(ours, "3", 1)   // it has seen another
	add(ours, "4", 0)
	got, err := others.Get(ctx, id)
	if err != nil || got.Text != "01234" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAnEditIsRefusedByWhatIsStoredAndNotByWhatWasSeen(t *testing.T) {
	ctx := t.Context()
	kv, r := openTest(t, testPath(t), Options{}), newTestRing(t)
	ours, others := NewTable[note](kv, r, "note"), NewTable[note](kv, r, "note")
	const id = "07a"
	wantNil(t, ours.Create(ctx, id, &note{Text: "closed"}))
	if _, err := others.Update(ctx, id, func(n *note) error { n.Text = "open"; return nil }); err != nil {
		t.Fatal(err)
	}
	_, err := ours.Update(ctx, id, func(n *note) error {
		if n.Text == "closed" {
			return proofing.ErrClosed
		}
		n.Text = "done"
		return nil
	})
	if err != nil {
		t.Errorf("an edit was refused by a record that was out of date: %v", err)
	}
	if got, err := ours.Update(ctx, id, func(n *note) error { return nil }); err != nil || got.Text != "done" {
		t.Errorf("an update without a change returns %+v, %v", got, err)
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	r := recent[note]{}
	for n := range 5 * recentMost {
		r.put(fmt.Sprint(n), &loaded[note]{value: &note{}, size: 100})
	}
	if n := len(r.young) + len(r.old); n > 2*recentMost+2 {
		t.Errorf("%d records are remembered", n)
	}
	for n := range 100 {
		r.put(fmt.Sprint(n), &loaded[note]{value: &note{}, size: recentBytes / 4})
	}
	if n := len(r.young) + len(r.old); n > 12 {
		t.Errorf("%d large records are remembered", n)
	}
}

func TestWhatNobodyAsksForIsForgottenWithTime(t *testing.T) {
	ctx := t.Context()
	table := NewTable[note](openTest(t, testPath(t), Options{}), newTestRing(t), "note")
	const asked, left = "07a", "07b"
	for _, id := range []string{asked, left} {
		wantNil(t, table.Create(ctx, id, &note{Text: "of " + id}))
	}
	both := table.Remembered()
	table.Age()
	if _, err := table.Get(ctx, asked); err != nil {
		t.Fatal(err)
	}
	table.Age()
	if table.recent.get(recordName("note", asked)) == nil || table.recent.get(recordName("note", left)) != nil {
		t.Errorf("of %d bytes %d are remembered, and not what was asked for alone", both, table.Remembered())
	}
	table.Age()
	table.Age()
	if n := table.Remembered(); both == 0 || n != 0 {
		t.Errorf("of %d bytes %d are remembered though nobody asks", both, n)
	}
	if got, err := table.Get(ctx, left); err != nil || got.Text != "of 07b" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestTheSizeOfWhatIsRememberedIsWhatIsThere(t *testing.T) {
	r := recent[note]{}
	random := rand.New(rand.NewPCG(3, 4))
	for n := range 20000 {
		name := fmt.Sprint(random.IntN(300))
		switch random.IntN(500) {
		case 0:
			r.age()
		case 1, 2, 3:
			r.forget(name)
		case 4, 5, 6:
			r.get(name)
		default:
			r.put(name, &loaded[note]{size: random.IntN(recentBytes / 200)})
		}
		sum := 0
		for _, generation := range []map[string]*loaded[note]{r.young, r.old} {
			for _, l := range generation {
				sum += l.size
			}
		}
		if got := r.bytes(); got != sum {
			t.Fatalf("step %d: %d bytes, and %d are there", n, got, sum)
		}
	}
}
