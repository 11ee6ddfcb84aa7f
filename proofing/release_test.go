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
		_, err := w.ReleaseKey(t.Context(), w.ca, kid, staging)
		wantErr(t, "released", err, proofing.ErrNotFound)
		w.ca.Directories = append([]string{staging}, directories...)
		must[*proofing.ReleasedKey](t)(w.ReleaseKey(t.Context(), w.ca, kid, directories[0]))
	}
}

// Of several directories each is handed its own keys and those that are for any, and nothing is before it is said which one asks.
func TestOfSeveralDirectoriesEachIsHandedItsOwnKeys(t *testing.T) {
	const staging = "https://ca.example/staging/directory"
	w, _ := withKeys(t)
	w.released()
	production := w.ca.Directories[0]
	w.ca.Directories = append(w.ca.Directories, staging)
	keys := map[string]string{}
	for _, directory := range w.ca.Directories {
		keys[directory] = w.issued(w.ca, proofing.KeyRequest{Directory: directory}).Kid
	}
	for asks, hands := range map[string]string{production: staging, staging: production} {
		must[*proofing.ReleasedKey](t)(w.ReleaseKey(t.Context(), w.ca, keys[asks], asks))
		_, err := w.ReleaseKey(t.Context(), w.ca, keys[hands], asks)
		wantErr(t, "the other's", err, proofing.ErrNotFound)
	}
	for what, directory := range map[string]string{"none": "", "a foreign one": "https://other.example/directory"} {
		_, err := w.ReleaseKey(t.Context(), w.ca, keys[production], directory)
		wantInput(t, what, err, "directory_unknown")
	}
}

// Where the authority tells of no accounts, its report is all that is known of one: a rotation forgets it as little as it forgets accounts.
func TestARotatedKeyThatWasReportedIsInUse(t *testing.T) {
	w, c := withKeys(t)
	w.released()
	k := w.caseKey(c)
	must[*proofing.ReleasedKey](t)(w.ReleaseKey(t.Context(), w.ca, k.Kid, ""))
	must[*proofing.Key](t)(w.KeyReported(t.Context(), w.ca, k.Kid, true))
	next := must[*proofing.Key](t)(w.RotateKey(t.Context(), w.ca, k.Kid, time.Hour))
	_, _, err := w.CaseKey(t.Context(), visit(c, "b"), "")
	wantInput(t, "another one", err, "key_in_use")
	if next = must[*proofing.Key](t)(w.Key(t.Context(), w.ca.Name, next.Kid)); !next.Released.IsZero() || next.Reported.IsZero() {
		t.Errorf("the new key was released at %s and reported at %s", next.Released, next.Reported)
	}
}
