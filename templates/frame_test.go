package templates

import (
	"reflect"
	"testing"
)

// A field of a page hides one of its frame that has the same name, and the frame then says of itself what the page is about.
func TestNoPageHidesWhatItsFrameSays(t *testing.T) {
	var names func(typ reflect.Type) []string // of what is embedded, however deep
	names = func(typ reflect.Type) (all []string) {
		for f := range typ.Fields() {
			if f.Anonymous && f.Type.Kind() == reflect.Struct {
				all = append(all, names(f.Type)...)
			} else {
				all = append(all, f.Name)
			}
		}
		return all
	}
	for name, s := range samples() {
		seen := map[string]bool{}
		for _, field := range names(reflect.TypeOf(s)) {
			if seen[field] {
				t.Errorf("%s (%T) has two fields %s", name, s, field)
			}
			seen[field] = true
		}
	}
}
