package proofing_test

import (
	"errors"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// FuzzLinks gives the service links that nobody made. None may open anything, and none
// may break anything.
func FuzzLinks(f *testing.F) {
	w := newWorld(f)
	c, _, err := w.Open(f.Context(), w.ca, request("email"))
	if err != nil {
		f.Fatal(err)
	}
	right := c.ID + "." + c.LinkSecret.Reveal()
	for _, s := range []string{right, right[:len(right)-1], c.ID + ".", "." + right, c.ID + ".a.b", "../../etc", "00\x00", "é.é.é", "99zzzz.x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref := proofing.Secret(s)
		if _, err := w.CaseByLink(t.Context(), ref); err == nil != (s == right) || err != nil && !errors.Is(err, proofing.ErrNotFound) {
			t.Errorf("case link %q: %v", s, err)
		}
		if _, _, err := w.AttemptByLink(t.Context(), ref); !errors.Is(err, proofing.ErrNotFound) {
			t.Errorf("message link %q: %v", s, err)
		}
		if _, err := w.DisownedCase(t.Context(), ref); !errors.Is(err, proofing.ErrNotFound) {
			t.Errorf("disown link %q: %v", s, err)
		}
		if err := w.Delivered(t.Context(), s, "sent", ""); err != nil && !errors.Is(err, proofing.ErrNotFound) {
			t.Errorf("message id %q: %v", s, err)
		}
	})
}
