package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/proofing"
)

// keptEvidence is a file that was made of a certificate on which three people have decided, and the key of the log that it is of
// (`go test ./proofing -run TheEvidence -keep` makes a new one).
func keptEvidence(t testing.TB) (file []byte, key audit.LogKey) {
	t.Helper()
	file, err := os.ReadFile("testdata/evidence.json")
	check(t, err)
	public, err := os.ReadFile("testdata/evidence-log-key.txt")
	check(t, err)
	key, err = audit.ParseLogKey(string(public))
	check(t, err)
	return file, key
}

func TestEvidenceThatWasKeptStillHolds(t *testing.T) {
	file, key := keptEvidence(t)
	e, err := audit.ParseEvidence(file)
	check(t, err)
	p, err := e.Verify(key)
	check(t, err)
	if len(p.Certificates) != 1 || len(p.Approvals) != 3 || p.Facts[0].Serial != "3a7f" || p.Cases[0].Assessment == nil {
		t.Errorf("it proves %+v", p)
	}
}

// TestEvidenceIsNeverMadeThatNobodyReads holds who writes and who reads to one size.
func TestEvidenceIsNeverMadeThatNobodyReads(t *testing.T) {
	of := func(filling int) *audit.Evidence {
		return &audit.Evidence{Type: audit.EvidenceType, Objects: []audit.EvidenceObject{{Entries: []audit.EvidenceEntry{{Logged: audit.Logged{Leaf: strings.Repeat("x", filling)}}}}}}
	}
	bare, err := of(0).Text()
	check(t, err)
	largest, err := of(audit.MostEvidence - len(bare)).Text()
	check(t, err)
	if _, err := audit.ParseEvidence(largest); err != nil || len(largest) != audit.MostEvidence {
		t.Errorf("one of %d bytes is not read: %v", len(largest), err)
	}
	over := of(audit.MostEvidence - len(bare) + 1)
	for what, err := range map[string]error{
		"written": over.Sign("proof.example.org/log", ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))),
		"read":    second(audit.ParseEvidence(append(largest, '\n'))),
	} {
		large, ok := errors.AsType[*audit.EvidenceSizeError](err)
		if !ok || large.Size != audit.MostEvidence+1 || !strings.Contains(err.Error(), "67108865 bytes") || !strings.Contains(err.Error(), "67108864 (64 MiB)") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// evidenceHolds says whether a file holds as it is.
func evidenceHolds(file []byte, key audit.LogKey) bool {
	if audit.Sealed(file, key) != nil { // VerifyEvidence refuses it then, and takes its time to say why
		return false
	}
	_, err := audit.VerifyEvidence(file, key)
	return err == nil
}

// edits are what may befall a file at one of its bytes.
var edits = []struct {
	what string
	at   func(file []byte, i int) []byte
}{
	{"has another bit", func(file []byte, i int) []byte { return flipped(file, i, 1) }},
	{"is of the other case", func(file []byte, i int) []byte { return flipped(file, i, 0x20) }},
	{"is gone", func(file []byte, i int) []byte { return slices.Delete(slices.Clone(file), i, i+1) }},
	{"has a space before it", func(file []byte, i int) []byte { return slices.Insert(slices.Clone(file), i, ' ') }},
}

func flipped(file []byte, i int, by byte) []byte {
	changed := slices.Clone(file)
	changed[i] ^= by
	return changed
}

// spoilt makes so many of the edits at each byte of a file, in turns, and reports what holds all the same.
func spoilt(t *testing.T, file []byte, key audit.LogKey, each int) {
	t.Helper()
	if !evidenceHolds(file, key) {
		t.Fatal("the whole file does not hold")
	}
	var next atomic.Int64
	var hands sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		hands.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(file); i = int(next.Add(1)) - 1 {
				for n := range each {
					if edit := edits[(i+n)%len(edits)]; evidenceHolds(edit.at(file, i), key) {
						t.Errorf("byte %d %s, and it holds: …%s…", i, edit.what, file[max(0, i-20):min(len(file), i+20)])
					}
				}
			}
		})
	}
	hands.Wait()
	for _, other := range [][]byte{nil, file[:len(file)-1], append(slices.Clone(file), '\n'), append(slices.Clone(file), file...)} {
		if evidenceHolds(other, key) {
			t.Errorf("a file of %d bytes holds", len(other))
		}
	}
}

func TestAnyByteOfEvidenceThatIsChangedIsFound(t *testing.T) {
	t.Run("a small file, each byte", func(t *testing.T) {
		w := newWorld(t)
		id := w.open(1)[0]
		w.sequence()
		chain, err := w.ChainOfCase(t.Context(), id)
		check(t, err)
		e, err := w.Tree.Evidence(t.Context(), chain, proofing.SubjectCase, id)
		check(t, err)
		file, err := e.Text()
		check(t, err)
		key, err := audit.ParseLogKey(w.head().Verifier)
		check(t, err)
		spoilt(t, file, key, len(edits))
	})
	t.Run("of a certificate, its requests, approvals and organization, each byte", func(t *testing.T) {
		file, key := keptEvidence(t)
		spoilt(t, file, key, len(edits))
	})
}

// Whoever leaves something out, or moves it, changes the file in a place that is well formed: the seal finds it.
func TestWhatIsLeftOutOfEvidenceIsFound(t *testing.T) {
	file, key := keptEvidence(t)
	for i := 0; ; i++ {
		e, err := audit.ParseEvidence(file)
		check(t, err)
		if i == len(e.Objects) {
			break
		}
		name := string(e.Objects[i].Of) + " " + e.Objects[i].Object
		for what, edit := range map[string]func(){
			"the object": func() { e.Objects = slices.Delete(e.Objects, i, i+1) },
			"its last entry": func() {
				o := &e.Objects[i]
				o.Entries = o.Entries[:len(o.Entries)-1]
			},
			"the private parts": func() {
				for n := range e.Objects[i].Entries {
					e.Objects[i].Entries[n].Salt, e.Objects[i].Entries[n].Private = "", nil
				}
			},
		} {
			e, err = audit.ParseEvidence(file)
			check(t, err)
			hadPrivate := slices.ContainsFunc(e.Objects[i].Entries, func(x audit.EvidenceEntry) bool { return x.Private != nil })
			edit()
			if text, err := e.Text(); err == nil && (hadPrivate || what != "the private parts") && evidenceHolds(text, key) {
				t.Errorf("%s: without %s it holds", name, what)
			}
		}
	}
}

func TestEvidenceOfAnotherLogDoesNotHold(t *testing.T) {
	file, key := keptEvidence(t)
	other := newSignedWorld(t).key
	if evidenceHolds(file, other) {
		t.Error("it holds by the key of another log")
	}
	e, err := audit.ParseEvidence(file)
	check(t, err)
	if _, err := e.Verify(other); err == nil || !strings.Contains(err.Error(), "it is signed by the key ") || !strings.Contains(err.Error(), other.Name()) {
		t.Errorf("it does not say whose it is: %v", err)
	}
	// A checkpoint is a note of the log's, too, and no seal.
	e.Seal = e.Checkpoint
	if _, err := e.Verify(key); err == nil || !strings.Contains(err.Error(), "seal") {
		t.Errorf("sealed by its checkpoint: %v", err)
	}
	for name, text := range map[string]string{
		"nothing": "", "no JSON": "evidence", "another type": `{"type":"countersign-approval-v1"}`, "an unknown member": `{"type":"countersign-evidence-v1","x":1}`,
		"a member in capitals": strings.Replace(string(file), `"made"`, `"Made"`, 1), "lines": strings.Replace(string(file), ",", ",\n", 1),
	} {
		if _, err := audit.ParseEvidence([]byte(text)); err == nil {
			t.Errorf("%s is read", name)
		}
	}
	if _, err := audit.ParseEvidence(bytes.Repeat([]byte(" "), 64<<20+1)); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a file without end: %v", err)
	}
}

func FuzzParseEvidence(f *testing.F) {
	file, key := keptEvidence(f)
	f.Add(file)
	f.Add([]byte(`{"type":"countersign-evidence-v1","objects":[{"entries":[{}]}],"cases":[{"approvals":[{}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := audit.ParseEvidence(text)
		if err != nil {
			return
		}
		if _, err := e.Verify(key); err == nil && !bytes.Equal(text, file) {
			t.Errorf("another file holds: %s", text)
		}
		if !json.Valid(text) {
			t.Error("what is read is no JSON")
		}
	})
}

// Of a member that is not its own, or that is there twice, two readers may take different ones: no object of a file has any.
func TestEvidenceWithMembersThatAreNotItsOwnDoesNotHold(t *testing.T) {
	file, key := keptEvidence(t)
	approval, err := os.ReadFile("testdata/approval.json")
	check(t, err)
	public, err := os.ReadFile("testdata/log-key.txt")
	check(t, err)
	other, err := audit.ParseLogKey(string(public))
	check(t, err)
	for name, x := range map[string]struct {
		file    []byte
		holds   func([]byte) bool
		objects int
	}{
		"evidence": {file, func(text []byte) bool { return evidenceHolds(text, key) }, 100},
		"an approval": {approval, func(text []byte) bool {
			a, err := audit.ParseApproval(text)
			if err == nil {
				_, err = a.Verify(other)
			}
			return err == nil
		}, 3},
	} {
		if !x.holds(x.file) {
			t.Fatalf("%s: the whole file does not hold", name)
		}
		objects, quoted := 0, false
		for i := 0; i < len(x.file); i++ {
			switch x.file[i] {
			case '\\':
				i++
				continue
			case '"':
				quoted = !quoted
				continue
			case '{':
			default:
				continue
			}
			if quoted { // a leaf, which is text here
				continue
			}
			objects++
			first := regexp.MustCompile(`^\{"[^"]*":`).Find(x.file[i:])
			if first == nil {
				continue
			}
			for what, put := range map[string]string{"a member that nobody knows": `" ":1,`, "a member twice": string(first[1:]) + `null,`, "a member in capitals": strings.ToUpper(string(first[1:])) + `null,`} {
				if x.holds(slices.Insert(slices.Clone(x.file), i+1, []byte(put)...)) {
					t.Errorf("%s: with %s at %d it holds: %s", name, what, i, x.file[i:min(len(x.file), i+60)])
				}
			}
		}
		if objects < x.objects {
			t.Errorf("%s: only %d objects were found", name, objects)
		}
	}
}
