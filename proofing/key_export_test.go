package proofing_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// exported are the kids of what is exported for the authority.
func (w *world) exported() (kids []string) {
	w.t.Helper()
	for _, k := range must[[]*proofing.Key](w.t)(w.ExportKeys(w.t.Context(), w.ca, "")) {
		kids = append(kids, k.Kid)
		if k.Secret == "" {
			w.t.Errorf("%s comes without its secret", k.Kid)
		}
	}
	slices.Sort(kids)
	return kids
}

func (w *world) issued(ca *proofing.Authority, r proofing.KeyRequest) *proofing.Key {
	w.t.Helper()
	r.Profile = "email"
	return must[*proofing.Key](w.t)(w.IssueKey(w.t.Context(), ca, r))
}

func TestOnlyKeysThatCouldBindAnAccountAreExported(t *testing.T) {
	w, c := withKeys(t)
	ctx := t.Context()
	proofOf, given := w.caseKey(c), w.issued(w.ca, proofing.KeyRequest{})
	w.issued(w.other, proofing.KeyRequest{})
	want := func(when string, keys ...*proofing.Key) {
		t.Helper()
		var kids []string
		for _, k := range keys {
			kids = append(kids, k.Kid)
		}
		slices.Sort(kids)
		if got := w.exported(); !slices.Equal(got, kids) {
			t.Errorf("%s: exported are %v, want %v", when, got, kids)
		}
	}
	want("both are good", proofOf, given)

	// The person has lost the key of their proof, and made another one.
	lost := proofOf
	proofOf = w.caseKey(c)
	want(lost.Kid+" was lost", proofOf, given)

	next := must[*proofing.Key](t)(w.RotateKey(ctx, w.ca, given.Kid, time.Hour))
	want(given.Kid+" was rotated", proofOf, next)

	must[*proofing.VerifiedKey](t)(w.VerifyKey(ctx, w.ca, present(next, 1)))
	want(next.Kid+" is used up", proofOf)

	brief := w.issued(w.ca, proofing.KeyRequest{ExpiresIn: time.Minute})
	want("a brief one", proofOf, brief)
	w.pass(time.Minute)
	want("its minute is over", proofOf)

	revoked := w.issued(w.ca, proofing.KeyRequest{})
	must[*proofing.Key](t)(w.RevokeKey(ctx, w.ca.Name, revoked.Kid, "key_revoked"))
	want("it was revoked", proofOf)

	must[*proofing.Case](t)(w.Revoke(ctx, c.ID, "for_a_test"))
	want("the proof was revoked")
}

func TestKeysOfAFrozenCaseAreNotExported(t *testing.T) {
	w, c := withKeys(t)
	k := w.caseKey(c)
	must[*proofing.Case](t)(w.Cases.Update(t.Context(), c.ID, func(c *proofing.Case) error {
		c.Frozen = &proofing.Freeze{At: w.clock(), Until: w.clock().Add(time.Hour)}
		return nil
	}))
	if got := w.exported(); len(got) > 0 {
		t.Errorf("exported are %v, and %s is frozen", got, k.Kid)
	}
}

func TestKeysAreExportedForOneDirectory(t *testing.T) {
	w, c := withKeys(t)
	const staging = "https://ca.example/staging/directory"
	w.ca.Directories = append(w.ca.Directories, staging)
	w.ca.NewAccounts = append(w.ca.NewAccounts, "https://ca.example/staging/new-account")
	must[*proofing.Authority](t)(w.Authorities.Update(t.Context(), w.ca.ID, func(have *proofing.Authority) error {
		have.Directories, have.NewAccounts = w.ca.Directories, w.ca.NewAccounts
		return nil
	}))
	live := w.ca.Directories[0]
	_, proofOf, err := w.CaseKey(t.Context(), visit(c, "b"), live)
	if err != nil {
		t.Fatal(err)
	}
	here := w.issued(w.ca, proofing.KeyRequest{Directory: staging})
	// One of an authority that had no directory yet is good at any.
	anywhere := must[*proofing.Key](t)(w.Keys.Update(t.Context(), w.issued(w.ca, proofing.KeyRequest{Directory: live}).ID, func(k *proofing.Key) error {
		k.Directory = ""
		return nil
	}))
	for directory, want := range map[string][]string{staging: {anywhere.Kid, here.Kid}, live: {anywhere.Kid, proofOf.Kid}} {
		var got []string
		for _, k := range must[[]*proofing.Key](t)(w.ExportKeys(t.Context(), w.ca, directory)) {
			got = append(got, k.Kid)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("for %s exported are %v, want %v", directory, got, want)
		}
	}
	for _, directory := range []string{"", "https://ca.example/none"} {
		_, err := w.ExportKeys(t.Context(), w.ca, directory)
		if input, ok := errors.AsType[*proofing.InputError](err); !ok || input.Code != "directory_unknown" {
			t.Errorf("directory %q: %v", directory, err)
		}
	}
}
