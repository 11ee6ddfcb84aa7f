package proofing

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestAJournalSaysEverythingOnce(t *testing.T) {
	var j Journal
	at := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for range 3 {
		j.Write(Note{Of: SubjectCase, Object: "07x", Kind: "seen", By: Actor{Kind: "person", ID: "p"}, At: at, Facts: map[string]any{"n": 1}, Private: map[string]string{"name": "somebody"}})
	}
	if j.Written != 3 || len(j.Pending) != 3 || j.Logged() || len(j.index()) != 1 || j.index()[0].Value != stamp(at) {
		t.Fatalf("%+v", j)
	}
	j.settle(map[int64]int64{2: 8}) // out of turn
	if len(j.Pending) != 3 {
		t.Error("an entry was settled before the one that precedes it")
	}
	for range 2 { // it may come twice
		j.settle(map[int64]int64{1: 7, 2: 8})
	}
	if len(j.Pending) != 1 || j.Pending[0].Number != 3 || len(j.Places) != 2 || j.Places[1] != 8 {
		t.Errorf("%+v", j)
	}
	j.settle(map[int64]int64{3: 12})
	if !j.Logged() || j.index() != nil || j.Written != 3 {
		t.Errorf("%+v", j)
	}
}

// TestALeafHasTheMembersOfItsType holds what is written by hand against what encoding/json makes of the type.
func TestALeafHasTheMembersOfItsType(t *testing.T) {
	at := time.Date(2026, 11, 26, 12, 0, 0, 120e6, time.UTC)
	for _, n := range []Note{
		{Of: SubjectCase, Object: "07x", Kind: "seen", By: ByService, At: at},
		{Of: SubjectSession, Object: "07x", Kind: "seen", By: Actor{Kind: "person", ID: "p", Role: RoleReviewer, Appointment: "a", Session: "s"}, At: at, Facts: map[string]any{"n": 1, "at": at, "deep": map[string]any{"b": true}}, Private: map[string]string{"<": ">"}},
	} {
		var j Journal
		j.Write(n)
		leaf, err := j.Pending[0].Said()
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(leaf)
		if err != nil {
			t.Fatal(err)
		}
		want, err := Canonicalize(text)
		if err != nil || string(want) != j.Pending[0].Leaf {
			t.Errorf("written %s, want %s (%v)", j.Pending[0].Leaf, want, err)
		}
		if !j.Pending[0].at().Equal(at) {
			t.Errorf("of %s, want %s", j.Pending[0].at(), at)
		}
	}
}

func TestALeafCommitsToWhatItDoesNotSay(t *testing.T) {
	var j Journal
	for range 2 {
		j.Write(Note{Of: SubjectCase, Object: "07x", Kind: "seen", By: ByService, At: time.Now(), Private: map[string]string{"name": "somebody"}})
	}
	e := j.Pending[0]
	if !e.Opens() || strings.Contains(e.Leaf, "somebody") {
		t.Fatalf("%s", e.Leaf)
	}
	var one, two Leaf
	if json.Unmarshal([]byte(e.Leaf), &one) != nil || json.Unmarshal([]byte(j.Pending[1].Leaf), &two) != nil || one.Commitment == two.Commitment {
		t.Error("two commitments to the same words are alike: whoever guesses the words can see that they are right")
	}
	for name, changed := range map[string]func(*Entry){
		"the words": func(e *Entry) { e.Private = json.RawMessage(`{"name":"somebody else"}`) },
		"the salt":  func(e *Entry) { e.Salt = j.Pending[1].Salt },
		"nothing":   func(e *Entry) { e.Salt, e.Private = "", nil },
		"the leaf":  func(e *Entry) { e.Leaf = j.Pending[1].Leaf },
	} {
		other := e
		changed(&other)
		if other.Opens() {
			t.Errorf("with %s changed it still opens", name)
		}
	}
	if canonical, err := Canonicalize([]byte(e.Leaf)); err != nil || string(canonical) != e.Leaf {
		t.Errorf("a leaf is not in its canonical form: %s", e.Leaf)
	}
}

func BenchmarkJournalWrite(b *testing.B) {
	at := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for b.Loop() {
		var j Journal
		j.Write(Note{Of: SubjectCase, Object: "07x", Kind: "status", By: Actor{Kind: "person", ID: "07person"}, At: at, Facts: map[string]any{"from": "open", "to": "granted"}, Private: map[string]any{"client": "192.0.2.7"}, Persons: []string{"07person"}})
		if len(j.index()) != 1 {
			b.Fatal("no entry")
		}
	}
}

// TestWhatEntriesCarryHasACanonicalForm looks at the types whose values go into private parts whole: one that has none would stop
// the change that it rides on.
func TestWhatEntriesCarryHasACanonicalForm(t *testing.T) {
	var walk func(path string, of reflect.Type)
	walk = func(path string, of reflect.Type) {
		switch of.Kind() {
		case reflect.Pointer, reflect.Slice:
			walk(path, of.Elem())
		case reflect.Struct:
			if of == reflect.TypeFor[time.Time]() {
				return
			}
			for i := range of.NumField() {
				walk(path+"."+of.Field(i).Name, of.Field(i).Type)
			}
		case reflect.Map:
			walk(path+"[]", of.Key())
			walk(path+"{}", of.Elem())
		case reflect.String, reflect.Bool, reflect.Int, reflect.Int64, reflect.Uint8:
		default:
			t.Errorf("%s is a %s", path, of)
		}
	}
	walk("Evidence", reflect.TypeFor[Evidence]())
	walk("Contact", reflect.TypeFor[Contact]())
}
