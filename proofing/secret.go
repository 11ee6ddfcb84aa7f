package proofing

import (
	"fmt"
	"log/slog"
)

// Secret is text that must not reach a log, a panic or an error message: a
// code, a token, a MAC key, a whole address. Printing, formatting with any verb
// and logging yield a mark in its place. Reveal is the one way out, so that a
// search for it finds every place where such text leaves the program.
//
// Records are sealed before they are stored, and a sealed record needs its
// secrets back. So a Secret is encoded in JSON as plain text, and JSON that leaves
// the program (an answer, a log line) must be built from types of its own.
type Secret string

// Redacted is what stands in a Secret's place wherever it is printed.
const Redacted = "[redacted]"

// Reveal returns the text itself.
func (s Secret) Reveal() string { return string(s) }

// String implements fmt.Stringer.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return Redacted
}

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return `proofing.Secret("` + s.String() + `")` }

// Format implements fmt.Formatter, so that no verb, %x and %q included, shows
// the text.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
