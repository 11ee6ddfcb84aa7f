package store

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var day = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func newTestRing(t *testing.T) *Ring {
	t.Helper()
	r, err := NewRing(day)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRingComesBackFromItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ring.json")
	r := newTestRing(t)
	wantNil(t, r.Create(path))
	if err := r.Create(path); !errors.Is(err, os.ErrExist) {
		t.Errorf("create over a ring: %v", err)
	}
	sealed := r.seal("07", "r/k/07a", []byte("text"))
	wantNil(t, r.Rotate(day.Add(time.Hour))) // the file follows
	l, err := LoadRing(path)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := l.open("07", "r/k/07a", sealed); err != nil || string(plain) != "text" {
		t.Errorf("%q, %v", plain, err)
	}
	if now, err := l.current(r.seal("07", "n", nil)); !now || err != nil {
		t.Errorf("the loaded ring has another current key: %v", err)
	}
	a, aErr := r.Hasher()
	b, bErr := l.Hasher()
	if aErr != nil || bErr != nil || a.Hex("p", "x") != b.Hex("p", "x") {
		t.Error("the loaded ring hashes otherwise")
	}
	want, got := r.SigningKeys(), l.SigningKeys()
	if len(got) != 2 || !got[0].Retired.IsZero() || !got[1].Retired.Equal(day.Add(time.Hour)) || !got[1].Created.Equal(day) {
		t.Fatalf("signing keys: %v", got)
	}
	for i := range got {
		if got[i].ID != want[i].ID || !got[i].Private().Equal(want[i].Private()) {
			t.Errorf("signing key %d is another", i)
		}
	}
	wantNames(t, filepath.Dir(path), "ring.json")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// TestThumbprint takes the key of RFC 7515 A.3.
func TestThumbprint(t *testing.T) {
	point := []byte{4}
	for _, half := range []string{"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"} {
		b, err := base64.RawURLEncoding.DecodeString(half)
		wantNil(t, err)
		point = append(point, b...)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	wantNil(t, err)
	if id, err := thumbprint(key); err != nil || id != "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U" {
		t.Errorf("%q, %v", id, err)
	}
}

func TestLoadRingRefuses(t *testing.T) {
	good, err := newTestRing(t).encode()
	if err != nil {
		t.Fatal(err)
	}
	edit := func(change func(f *ringFile)) []byte {
		var f ringFile
		wantNil(t, json.Unmarshal(good, &f))
		change(&f)
		text, err := json.Marshal(f)
		wantNil(t, err)
		return text
	}
	other, err := newTestRing(t).encode()
	wantNil(t, err)
	for _, x := range []struct {
		name, want string
		text       []byte
		mode       os.FileMode
	}{
		{"a file that the group can read", "only its owner", good, 0o640},
		{"a file that everybody can read", "only its owner", good, 0o604},
		{"text", "not a key ring", []byte("secret words"), 0o600},
		{"another JSON", "not a key ring", []byte(`{"secret": "words"}`), 0o600},
		{"an empty object", "not a key ring", []byte(`{}`), 0o600},
		{"a newer ring", "newer version", edit(func(f *ringFile) { f.Version = 2 }), 0o600},
		{"a short index secret", "not a key ring", edit(func(f *ringFile) { f.Index = f.Index[1:] }), 0o600},
		{"no sealing key", "without a key", edit(func(f *ringFile) { f.Sealing = nil }), 0o600},
		{"no signing key", "without a key", edit(func(f *ringFile) { f.Signing = nil }), 0o600},
		{"a short sealing key", "malformed", edit(func(f *ringFile) { f.Sealing[0].Key = f.Sealing[0].Key[1:] }), 0o600},
		{"a sealing key twice", "twice", edit(func(f *ringFile) { f.Sealing = append(f.Sealing, f.Sealing[0]) }), 0o600},
		{"a signing key that is no PEM", "malformed", edit(func(f *ringFile) { f.Signing[0].Key = "secret words" }), 0o600},
		{"a signing key that is no key", "malformed", edit(func(f *ringFile) {
			f.Signing[0].Key = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("secret words")}))
		}), 0o600},
		{"a signing key under another's id", "thumbprint", edit(func(f *ringFile) {
			var g ringFile
			wantNil(t, json.Unmarshal(other, &g))
			f.Signing[0].Key = g.Signing[0].Key
		}), 0o600},
	} {
		t.Run(x.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ring.json")
			wantNil(t, os.WriteFile(path, x.text, x.mode))
			wantNil(t, os.Chmod(path, x.mode)) // whatever the umask
			_, err := LoadRing(path)
			if err == nil || !strings.Contains(err.Error(), x.want) || strings.Contains(err.Error(), "secret words") {
				t.Errorf("got %v, want %q", err, x.want)
			}
		})
	}
	if _, err := LoadRing(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestPrintingShowsNoKey(t *testing.T) {
	r := newTestRing(t)
	key := r.SigningKeys()[0]
	scalar, err := key.Private().Bytes()
	wantNil(t, err)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "ring", r, "key", key)
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "ring", r, "key", key)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&log, verb+verb+verb, r, key, []any{r, key})
	}
	if _, err := json.Marshal(r); err == nil {
		t.Error("a ring was encoded")
	}
	for _, secret := range [][]byte{r.index, r.sealing[0].key, scalar} {
		for _, form := range []string{string(secret), fmt.Sprintf("%x", secret), fmt.Sprint(secret), strings.Trim(fmt.Sprint(secret[:8]), "[]")} {
			if strings.Contains(log.String(), form) {
				t.Errorf("a key shows in %s", log.String())
			}
		}
	}
}

func TestSealedValueOpensNowhereElse(t *testing.T) {
	r := newTestRing(t)
	plain := []byte("text")
	sealed := r.seal("07", "r/case/07a", plain)
	if again := r.seal("07", "r/case/07a", plain); bytes.Equal(again, sealed) {
		t.Error("the same value is sealed to the same bytes twice")
	}
	if got, err := r.open("07", "r/case/07a", sealed); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("%q, %v", got, err)
	}
	for _, place := range [][2]string{{"08", "r/case/07a"}, {"07", "r/case/07b"}, {"07", "r/person/07a"}, {"07", "r/case/07a "}} {
		if _, err := r.open(place[0], place[1], sealed); err == nil {
			t.Errorf("it opens at %v", place)
		}
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := r.open("07", "r/case/07a", changed); err == nil {
			t.Errorf("it opens with byte %d changed", i)
		}
		if _, err := r.open("07", "r/case/07a", sealed[:i]); err == nil {
			t.Errorf("it opens cut to %d bytes", i)
		}
	}
	if _, err := newTestRing(t).open("07", "r/case/07a", sealed); err == nil || !strings.Contains(err.Error(), "lacks") {
		t.Errorf("under another ring: %v", err)
	}
}

func TestAnUnknownKeyIsLookedForInTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ring.json")
	command := newTestRing(t)
	wantNil(t, command.Create(path))
	server, err := LoadRing(path)
	if err != nil {
		t.Fatal(err)
	}
	wantNil(t, command.Rotate(day.Add(time.Hour)))
	if plain, err := server.open("07", "n", command.seal("07", "n", []byte("text"))); err != nil || string(plain) != "text" {
		t.Fatalf("%q, %v", plain, err)
	}
	if now, err := command.current(server.seal("07", "n", nil)); !now || err != nil {
		t.Errorf("the server goes on sealing under the old key: %v", err)
	}
	other, err := LoadRing(path)
	wantNil(t, err)
	wantNil(t, command.Rotate(day.Add(2*time.Hour)))
	if err := other.Rotate(day.Add(3 * time.Hour)); err == nil || !strings.Contains(err.Error(), "load it again") {
		t.Errorf("two rotations from one state: %v", err)
	}
	wantNil(t, other.Reload())
	wantNil(t, other.Rotate(day.Add(3*time.Hour)))
}

// TestAPreparedRotationLeavesNoMachineBehind has two machines with files of their own: what
// the first seals after the rotation, the second reads before it gets the file.
func TestAPreparedRotationLeavesNoMachineBehind(t *testing.T) {
	dir := t.TempDir()
	here, there := filepath.Join(dir, "here"), filepath.Join(dir, "there")
	bring := func() {
		text, err := os.ReadFile(here)
		wantNil(t, err)
		wantNil(t, os.WriteFile(there, text, 0o600))
	}
	first := newTestRing(t)
	wantNil(t, first.Create(here))
	bring()
	second, err := LoadRing(there)
	wantNil(t, err)
	wantNil(t, first.Prepare(day.Add(time.Hour)))
	if err := first.Prepare(day.Add(time.Hour)); !errors.Is(err, ErrPrepared) {
		t.Errorf("prepared twice: %v", err)
	}
	next, ok := first.NextSigningKey()
	if old, err := second.current(first.seal("07", "n", nil)); !ok || !old || err != nil || first.SigningKeys()[0].ID == next.ID {
		t.Errorf("what is prepared is used already: %v, %v", ok, err)
	}
	bring()
	wantNil(t, second.Reload())
	wantNil(t, first.Rotate(day.Add(2*time.Hour)))
	if first.SigningKeys()[0].ID != next.ID || len(first.SigningKeys()) != 2 || !first.SigningKeys()[1].Retired.Equal(day.Add(2*time.Hour)) {
		t.Errorf("it signs with %v", first.SigningKeys())
	}
	if _, ok := first.NextSigningKey(); ok {
		t.Error("the next keys are still next")
	}
	if plain, err := second.open("07", "n", first.seal("07", "n", []byte("text"))); err != nil || string(plain) != "text" {
		t.Errorf("the other machine reads %q, %v", plain, err)
	}
	if plain, err := first.open("07", "n", second.seal("07", "n", []byte("text"))); err != nil || string(plain) != "text" {
		t.Errorf("and the first what that one writes: %q, %v", plain, err)
	}
	bring()
	wantNil(t, second.Reload())
	if now, err := second.current(first.seal("07", "n", nil)); !now || err != nil {
		t.Errorf("with the file it does not follow: %v", err)
	}
	// What is next stays through a prune.
	wantNil(t, second.Prepare(day.Add(3*time.Hour)))
	s := openTest(t, testPath(t), Options{})
	wantNil(t, second.Prune(t.Context(), s, day.Add(4*time.Hour)))
	if _, ok := second.NextSigningKey(); !ok || len(second.sealing) != 1 {
		t.Error("a prune forgets the next keys")
	}
}

func TestRotationBesideWriters(t *testing.T) {
	ctx := t.Context()
	s := openTest(t, testPath(t), Options{})
	r := newTestRing(t)
	table := NewTable[note](s, r, "note")
	const records = 3 * reseals
	id := func(i int) string { return fmt.Sprintf("%02dn%d", i%2, i) }
	for i := range records {
		wantNil(t, table.Create(ctx, id(i), &note{Text: "0"}))
	}
	mortal := Op{Name: "r/note/63m", If: Absent, Value: r.seal("63", "r/note/63m", nil), Expires: time.Now().Add(time.Hour)}
	wantNil(t, s.Apply(ctx, "63", []Op{mortal}))
	wantNil(t, r.Rotate(day.Add(time.Hour)))
	if err := r.Prune(ctx, s, day.Add(2*time.Hour)); err == nil || !strings.Contains(err.Error(), fmt.Sprint(records+1)) {
		t.Errorf("prune before resealing: %v", err)
	}
	var all sync.WaitGroup
	for w := range 2 {
		all.Go(func() {
			for i := w; i < records; i += 5 {
				_, err := table.Update(ctx, id(i), func(n *note) error { n.Text += "1"; return nil })
				wantNil(t, err)
			}
		})
	}
	resealed, err := Reseal(ctx, s, r)
	wantNil(t, err)
	all.Wait()
	if resealed == 0 || resealed > records+1 {
		t.Errorf("%d of %d records were resealed", resealed, records)
	}
	if again, err := Reseal(ctx, s, r); again != 0 || err != nil {
		t.Errorf("a second time: %d, %v", again, err)
	}
	if item, err := s.Get(ctx, "63", mortal.Name, 0); err != nil || !item.Expires.Equal(mortal.Expires.Truncate(time.Millisecond)) {
		t.Errorf("after resealing it expires %v, %v; want %v", item.Expires, err, mortal.Expires)
	}
	wantNil(t, r.Prune(ctx, s, day.Add(2*time.Hour)))
	if len(r.sealing) != 1 || len(r.SigningKeys()) != 1 {
		t.Errorf("%d sealing keys, %d signing keys are left", len(r.sealing), len(r.SigningKeys()))
	}
	for i := range records {
		want := "0"
		if i%5 < 2 {
			want = "01"
		}
		if n, err := table.Get(ctx, id(i)); err != nil || n.Text != want {
			t.Fatalf("record %d: %+v, %v; want %q", i, n, err, want)
		}
	}
}

func TestPruneKeepsSigningKeysThatStatementsNeed(t *testing.T) {
	s, r := openTest(t, testPath(t), Options{}), newTestRing(t)
	for n := 1; n <= 3; n++ {
		wantNil(t, r.Rotate(day.Add(time.Duration(n)*time.Hour)))
	}
	wantNil(t, r.Prune(t.Context(), s, day.Add(2*time.Hour)))
	keys := r.SigningKeys()
	if len(keys) != 3 || !keys[2].Retired.Equal(day.Add(2*time.Hour)) {
		t.Errorf("left: %v", keys)
	}
}
