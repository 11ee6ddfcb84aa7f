package audit_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/proofing"
)

// What the log tells of the configuration is in an export as everything else is: digests in the leaf, and the names of the settings that differ beside it. It counts there
// to the last byte, and the log without an export has it, too.
func TestAnExportHasWhatTheLogTellsOfTheConfiguration(t *testing.T) {
	w := newWorld(t)
	settings := map[string]string{"limits.address_hour": "6", "providers.mail.password": "set"}
	use := func(why string) string {
		t.Helper()
		if told, err := w.UseConfiguration(t.Context(), proofing.ConfigurationUse{Settings: settings, Program: "v1", Why: why}); err != nil || !told {
			t.Fatalf("told is %v, %v", told, err)
		}
		digest, err := proofing.ConfigurationDigest(settings)
		check(t, err)
		return digest
	}
	first := use(proofing.UsedAtStart)
	settings["limits.address_hour"] = "7"
	second := use(proofing.UsedAtReload)
	w.open(1)
	w.sequence()
	dir := filepath.Join(t.TempDir(), "log")
	_, err := w.Tree.Export(t.Context(), dir)
	check(t, err)
	key := w.head().Verifier
	if v, err := audit.VerifyExport(dir, key); err != nil || v.Entries != 3 || v.Erased != 0 {
		t.Fatalf("%+v, %v", v, err)
	}
	entries, beside := "", ""
	for _, name := range files(t, dir) {
		text, err := os.ReadFile(name)
		check(t, err)
		switch rel, _ := filepath.Rel(dir, name); {
		case strings.HasPrefix(rel, "private"):
			beside += string(text)
		case strings.Contains(rel, "entries"):
			entries += string(text)
		}
	}
	for _, want := range []string{`"kind":"configuration_changed"`, `"why":"start"`, `"before":"` + first + `","digest":"` + second + `"`, `"why":"reload"`} {
		if !strings.Contains(entries, want) {
			t.Errorf("the leaves of the export lack %s", want)
		}
	}
	if !strings.Contains(beside, `{"settings":["limits.address_hour"]}`) || strings.Contains(entries, "address_hour") {
		t.Errorf("the settings that differ are to be beside the leaf alone: %s", beside)
	}
	if strings.Contains(entries+beside, `"7"`) {
		t.Error("it has the value of a setting")
	}
	for _, name := range files(t, dir) {
		whole, err := os.ReadFile(name)
		check(t, err)
		for old, other := range map[string]string{second: first, "limits.address_hour": "limits.address_dayx", `"why":"reload"`: `"why":"policyy"`} {
			if !strings.Contains(string(whole), old) {
				continue
			}
			check(t, os.WriteFile(name, []byte(strings.ReplaceAll(string(whole), old, other)), 0o600))
			if _, err := audit.VerifyExport(dir, key); err == nil {
				t.Errorf("with %s in the place of %s it holds", other, old)
			}
			check(t, os.WriteFile(name, whole, 0o600))
		}
	}
}
