package webauthn

import (
	"errors"
	"strings"
	"testing"
)

func TestAPanicOfTheLibraryIsAMalformedAnswer(t *testing.T) {
	err := guarded(func() error {
		var none []byte
		_ = none[7]
		return nil
	})
	if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "index out of range") {
		t.Errorf("got %v", err)
	}
}
