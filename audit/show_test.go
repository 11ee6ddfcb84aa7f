package audit_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/proofing"
)

func TestAProofFileHoldsByTheKeyThatIsStated(t *testing.T) {
	w := newWorld(t)
	if _, _, err := w.Stated(t.Context()); !errors.Is(err, proofing.ErrNotFound) {
		t.Errorf("before the first checkpoint: %v", err)
	}
	if _, err := w.ProofFile(t.Context(), 0, "{}"); !errors.Is(err, proofing.ErrNotFound) {
		t.Errorf("before the first entry: %v", err)
	}
	w.open(5)
	w.sequence()
	var p proofing.Prover = w.Tree
	checkpoint, key, err := p.Stated(t.Context())
	if err != nil || checkpoint != w.head().Checkpoint {
		t.Fatalf("%q, %v", checkpoint, err)
	}
	file, err := p.ProofFile(t.Context(), 3, w.leaf(3))
	if err != nil {
		t.Fatal(err)
	}
	var in audit.Inclusion
	if err := json.Unmarshal(file, &in); err != nil || in.Leaf != w.leaf(3) || in.Checkpoint != checkpoint {
		t.Fatalf("%s, %v", file, err)
	}
	if c, err := in.Verify(key); err != nil || c.Size != w.head().Size {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := p.ProofFile(t.Context(), w.head().Size, "{}"); !errors.Is(err, proofing.ErrNotFound) {
		t.Errorf("beyond the checkpoint: %v", err)
	}
}
