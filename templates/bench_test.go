package templates

import (
	"bytes"
	"testing"
)

// BenchmarkPage draws each sample page; what a page costs beside that is what its case takes to read.
func BenchmarkPage(b *testing.B) {
	for _, name := range []string{"passkey", "me", "signin"} {
		s, ok := samples()[name]
		if !ok {
			b.Fatalf("there is no sample %q", name)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var out bytes.Buffer
			for b.Loop() {
				out.Reset()
				if err := Page(&out, "en", s); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(out.Len()))
		})
	}
}
