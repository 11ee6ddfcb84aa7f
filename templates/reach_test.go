package templates

import "testing"

func TestAPageKeepsWhatItsLayoutLeadsToAlone(t *testing.T) {
	pages := drawn().pages["en"]
	for page, has := range map[string]struct{ yes, no string }{
		"home":      {"mark", "desk"},
		"admincase": {"admin-lack", "desk-brakes"},
		"deskspend": {"desk-spent", "panel"},
		"sign":      {"sign", "admin-form"},
	} {
		if pages[page].Lookup(has.yes) == nil || pages[page].Lookup(has.no) != nil {
			t.Errorf("the page %s: has %s %v, has %s %v", page, has.yes, pages[page].Lookup(has.yes) != nil, has.no, pages[page].Lookup(has.no) != nil)
		}
	}
}
