package proofing_test

import (
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// An authority that verifies by itself is not told which directory a key is for: one whose directory is gone binds nobody here, and is not handed out.
func TestNoKeyIsReleasedForADirectoryThatIsGone(t *testing.T) {
	const staging = "https://ca.example/staging/directory"
	w, c := withKeys(t)
	w.released()
	kids := []string{w.caseKey(c).Kid, w.issued(w.ca, proofing.KeyRequest{}).Kid}
	directories := w.ca.Directories
	for _, kid := range kids {
		w.ca.Directories = []string{staging}
		_, err := w.ReleaseKey(t.Context(), w.ca, kid)
		wantErr(t, "released", err, proofing.ErrNotFound)
		w.ca.Directories = append([]string{staging}, directories...)
		must[*proofing.ReleasedKey](t)(w.ReleaseKey(t.Context(), w.ca, kid))
	}
}
