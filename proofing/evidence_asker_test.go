package proofing_test

import (
	"strings"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// Who asks is in the file: neither the record of their passkey can be left out, nor what names it.
func TestEvidenceDoesNotHoldWithoutWhoAsks(t *testing.T) {
	t.Parallel()
	f, _ := newForger(t)
	e, left := f.whole(), 0
	for i, o := range e.Objects {
		if o.Of != proofing.SubjectAuthenticator || strings.Contains(string(f.file), `"authenticator":"`+o.Object) {
			continue
		}
		left++
		forged := f.whole()
		forged.Objects = append(forged.Objects[:i:i], forged.Objects[i+1:]...)
		if err := f.holds(forged); err == nil || !strings.Contains(err.Error(), "whose passkey") {
			t.Errorf("without the passkey of who asks: %v", err)
		}
	}
	if left != 1 {
		t.Errorf("%d passkeys decide nothing", left)
	}
	fails(t, "whose passkey", func(c *court) *proofing.Case {
		k := c.submitted("signing")
		c.rewrites(k, func(k *proofing.Case) { struck(&k.Journal, "authenticator") })
		return c.decided(k)
	})
}
