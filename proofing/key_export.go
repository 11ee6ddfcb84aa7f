package proofing

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ExportKeys lists the keys, with their secrets, by which an account could be bound at a directory now: for an authority that keeps a list of keys
// of its own and asks nobody. They are those that VerifyKey would take from an account that is not bound yet, so what has ended is missing,
// and so is what is used up or has been replaced; so are those of profiles under which people decide, as in ReleaseKey. An empty directory stands for the only one; an *InputError "directory_unknown" if there are
// several, or none of that name.
func (s *Service) ExportKeys(ctx context.Context, ca *Authority, directory string) ([]*Key, error) {
	directory, err := ca.directory(directory)
	if err != nil {
		return nil, err
	}
	var keys []*Key
	for after := ""; ; {
		page, next, err := s.KeysOf(ctx, ca.Name, after, 500)
		if err != nil {
			return nil, fmt.Errorf("list keys: %w", err)
		}
		for _, k := range page {
			if !k.isFor(directory) || k.Status(s.now()) != KeyActive || k.ReplacedBy != "" || len(k.Accounts) >= k.MaxAccounts || !s.mayHave(ca, k) || s.Policy.Profiles[k.Profile].peopleDecide() {
				continue
			}
			switch _, err := s.keyGrant(ctx, k); {
			case errors.Is(err, ErrBinding):
			case err != nil:
				return nil, fmt.Errorf("look up what a key rests on: %w", err)
			default:
				keys = append(keys, k)
			}
		}
		if after = next; next == "" {
			break
		}
	}
	// Before anybody reads them: which ones left, and to whom, is in no other record.
	names := []string{}
	for _, k := range keys {
		names = append(names, k.ID)
	}
	slices.Sort(names)
	sum := sha256.Sum256([]byte(strings.Join(names, "\n")))
	return keys, s.noteAt(ctx, ca.Name, s.operator(), EntryKeysExported, map[string]any{"keys": len(keys), "ids_sha256": Octets(sum[:]).String()})
}
