package audit_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/countersign-id/countersign/audit"
)

// FuzzApproval has files. None may panic or have a second text, and of all that are not the one that was kept none holds.
func FuzzApproval(f *testing.F) {
	kept, err := os.ReadFile("testdata/approval.json")
	check(f, err)
	public, err := os.ReadFile("testdata/log-key.txt")
	check(f, err)
	key, err := audit.ParseLogKey(string(public))
	check(f, err)
	f.Add(kept)
	f.Add(bytes.Replace(kept, []byte(`"index":5`), []byte(`"index":-5`), 1))
	f.Add([]byte(`{"type":"countersign-approval-v1"}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		a, err := audit.ParseApproval(file)
		if err != nil {
			return
		}
		if again, err := a.Text(); err != nil || !bytes.Equal(again, file) {
			t.Errorf("%q is read, and is written %q: %v", file, again, err)
		}
		if _, err := a.Verify(key); err == nil && !bytes.Equal(file, kept) {
			t.Errorf("%q holds", file)
		}
	})
}
