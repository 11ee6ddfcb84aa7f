package proofing_test

import (
	"testing"
	"time"

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

// Where the authority tells of no accounts, its report is all that is known of one: a rotation forgets it as little as it forgets accounts.
func TestARotatedKeyThatWasReportedIsInUse(t *testing.T) {
	w, c := withKeys(t)
	w.released()
	k := w.caseKey(c)
	must[*proofing.ReleasedKey](t)(w.ReleaseKey(t.Context(), w.ca, k.Kid))
	must[*proofing.Key](t)(w.KeyReported(t.Context(), w.ca, k.Kid, true))
	next := must[*proofing.Key](t)(w.RotateKey(t.Context(), w.ca, k.Kid, time.Hour))
	_, _, err := w.CaseKey(t.Context(), visit(c, "b"), "")
	wantInput(t, "another one", err, "key_in_use")
	if next = must[*proofing.Key](t)(w.Key(t.Context(), w.ca.Name, next.Kid)); !next.Released.IsZero() || next.Reported.IsZero() {
		t.Errorf("the new key was released at %s and reported at %s", next.Released, next.Reported)
	}
}
