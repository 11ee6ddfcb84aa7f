package audit

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is what the log states of itself (C2SP tlog-checkpoint): its name, how many leaves it has, and the root over them.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
}

// text is the body of the note.
func (c Checkpoint) text() string {
	return c.Origin + "\n" + strconv.FormatInt(c.Size, 10) + "\n" + base64.StdEncoding.EncodeToString(c.Root[:]) + "\n"
}

// parseCheckpoint reads what text wrote, and nothing else.
func parseCheckpoint(text string) (c Checkpoint, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 {
		return c, errors.New("a checkpoint has three lines: origin, size and root")
	}
	c.Origin = lines[0]
	if c.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return c, errors.New("the size is no number")
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return c, errors.New("the root is no hash")
	}
	if c.Root = tlog.Hash(root); c.text() != text || c.Size < 0 {
		return c, errors.New("it is not in its one form")
	}
	return c, nil
}

// signer is the log's key as a signer of notes.
type signer struct {
	note.Verifier
	key ed25519.PrivateKey
}

// Sign implements note.Signer.
func (s signer) Sign(text []byte) ([]byte, error) { return ed25519.Sign(s.key, text), nil }

// VerifierKey is how whoever checks the log knows its key: the form of golang.org/x/mod/sumdb/note, "<name>+<hash>+<key>".
func VerifierKey(origin string, key ed25519.PublicKey) (string, error) {
	text, err := note.NewEd25519VerifierKey(origin, key)
	if err != nil {
		return "", fmt.Errorf("key of the log: %w", err)
	}
	return text, nil
}

// Sign makes the note of a checkpoint. The same checkpoint always gets the same bytes.
func (c Checkpoint) Sign(key ed25519.PrivateKey) (string, error) {
	text, err := VerifierKey(c.Origin, key.Public().(ed25519.PublicKey))
	if err != nil {
		return "", err
	}
	v, err := note.NewVerifier(text)
	if err != nil {
		return "", fmt.Errorf("sign checkpoint: %w", err)
	}
	signed, err := note.Sign(&note.Note{Text: c.text()}, signer{v, key})
	if err != nil {
		return "", fmt.Errorf("sign checkpoint: %w", err)
	}
	return string(signed), nil
}

// OpenCheckpoint verifies a signed checkpoint by the log's verifier key.
func OpenCheckpoint(signed, verifierKey string) (Checkpoint, error) {
	k, err := ParseLogKey(verifierKey)
	if err != nil {
		return Checkpoint{}, err
	}
	c, err := openCheckpoint(signed, k.verifier)
	if err != nil {
		return c, fmt.Errorf("checkpoint: %w", err)
	}
	return c, nil
}

// openCheckpoint reads a checkpoint that the log has signed, and nobody beside it: in the one form in which it can be written.
func openCheckpoint(signed string, v note.Verifier) (Checkpoint, error) {
	text, err := openNote(signed, v)
	if err != nil {
		return Checkpoint{}, err
	}
	c, err := parseCheckpoint(text)
	if err == nil && c.Origin != v.Name() {
		err = fmt.Errorf("it is of the log %q, and the key is of %q", c.Origin, v.Name())
	}
	return c, err
}

// openNote reads a note (C2SP signed-note) that the key has signed, and nobody beside it: in the one form in which it can be written.
func openNote(signed string, v note.Verifier) (text string, err error) {
	n, err := note.Open([]byte(signed), note.VerifierList(v))
	if other, ok := errors.AsType[*note.UnverifiedNoteError](err); ok && len(other.Note.UnverifiedSigs) > 0 {
		by := other.Note.UnverifiedSigs[0]
		return "", fmt.Errorf("it is signed by the key %q %08x, and the one that it is checked by is %q %08x", by.Name, by.Hash, v.Name(), v.KeyHash())
	}
	if err != nil {
		return "", err
	}
	if len(n.Sigs) != 1 || len(n.UnverifiedSigs) > 0 {
		return "", errors.New("it has signatures of others")
	}
	// Base64 has more than one text for the same bytes, and the library takes them all.
	signature, err := base64.StdEncoding.Strict().DecodeString(n.Sigs[0].Base64)
	if err != nil || signed != n.Text+"\n— "+n.Sigs[0].Name+" "+base64.StdEncoding.EncodeToString(signature)+"\n" {
		return "", errors.New("its signature is not written as it should be")
	}
	return n.Text, nil
}
