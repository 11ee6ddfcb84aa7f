package proofing_test

import (
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// A person's key is good at one directory, like one that an authority has made: the only one, or the one that they have named.
func TestAPersonsKeyIsGoodAtTheDirectoryThatTheyRegisterAt(t *testing.T) {
	const live, staging, stagingAccount = "https://ca.example/acme/directory", "https://ca.example/staging/directory", "https://ca.example/staging/new-account"
	w, c := withKeys(t)
	set := func(directories, newAccounts []string) {
		w.ca = must[*proofing.Authority](t)(w.Authorities.Update(t.Context(), w.ca.ID, func(have *proofing.Authority) error {
			have.Directories, have.NewAccounts = directories, newAccounts
			return nil
		}))
	}
	if k := w.caseKey(c); k.Directory != live {
		t.Errorf("of the only directory the key is for %q", k.Directory)
	}
	set([]string{live, staging}, []string{newAccount, stagingAccount})
	for _, named := range []string{"", "https://elsewhere.example/directory", live + "/"} {
		_, _, err := w.CaseKey(t.Context(), visit(c, "b"), named)
		wantInput(t, "named is "+named, err, "directory_unknown")
	}
	_, k, err := w.CaseKey(t.Context(), visit(c, "b"), staging)
	if err != nil || k.Directory != staging {
		t.Fatalf("%+v, %v", k, err)
	}
	at := func(n int, url string) error {
		b := present(k, n)
		b.URL = url
		_, err := w.VerifyKey(t.Context(), w.ca, b)
		return err
	}
	wantErr(t, "at the other directory", at(1, newAccount), proofing.ErrBinding)
	if err := at(1, stagingAccount); err != nil {
		t.Errorf("at its own: %v", err)
	}
}

// An authority that has been removed takes no key: none is shown that works nowhere.
func TestNoKeyIsMadeForAnAuthorityThatIsGone(t *testing.T) {
	w, c := withKeys(t)
	must[*proofing.Authority](t)(w.Authorities.Update(t.Context(), w.ca.ID, func(have *proofing.Authority) error {
		have.Revoked = w.clock()
		return nil
	}))
	_, _, err := w.CaseKey(t.Context(), visit(c, "b"), "")
	wantErr(t, "of an authority that is gone", err, proofing.ErrClosed)
}
