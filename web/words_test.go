package web

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/countersign-id/countersign/templates"
)

var quoted = regexp.MustCompile(`"([a-z_]+)"`)

// listed are the quoted words of the comment above a field of proofing: its
// closed lists stand there and nowhere else.
func listed(t *testing.T, file, after, before string) []string {
	t.Helper()
	src, err := os.ReadFile("../proofing/" + file)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(src), after)
	list, _, ok := strings.Cut(rest, before)
	var codes []string
	for _, m := range quoted.FindAllStringSubmatch(list, -1) {
		codes = append(codes, m[1])
	}
	if !ok || len(codes) < 6 {
		t.Fatalf("%s: no closed list between %q and %q", file, after, before)
	}
	return codes
}

func TestEveryClosedListHasWords(t *testing.T) {
	lists := map[string][]string{
		"limit":    listed(t, "error.go", "// Limit is from a closed list", "Limit string"),
		"reason":   listed(t, "error.go", "// Reason is from a closed list", "Reason string"),
		"delivery": listed(t, "attempt.go", `// Status is "waiting"`, "Status string"),
	}
	lists["delivery"] = append(lists["delivery"], "waiting")
	for _, row := range answers {
		lists["fault.title"] = append(lists["fault.title"], row.fault)
		if row.problem != "" {
			lists["error"] = append(lists["error"], row.problem)
		}
	}
	for family, codes := range lists {
		for _, code := range codes {
			if !templates.Says(family, code) {
				t.Errorf("no words for %s.%s", family, code)
			}
		}
	}
}

var inputCodes = regexp.MustCompile(`(?:InputError\{(?:Field: )?"[a-z_.]+", (?:Code: )?|bad\(|oidc[A-Z]\w* += )"([a-z_]+)"`)

// What a CA or an operator alone can do wrong has no page.
var forCAs = map[string]bool{
	"account_key_replaced": true, "account_deactivated": true, "account_key_taken": true, "contact_differs": true,
	"cursor_malformed": true, "oidc_not_bound": true, "token_spent": true, "pinned": true, "too_many": true,
	"lifetime_out_of_range": true, "accounts_out_of_range": true, "binding_ended": true,
	"training_until": true, "token_type": true, "token_ca": true, "token_csr": true, "token_levels": true, "domains_many": true, "organization_unknown": true, "organization_of_organization": true,
	"certificate_malformed": true, "certificate_mixed": true, "certificate_reported": true, "certificate_ungranted": true, "certificate_key": true, "certificate_csr": true, "csr_subject": true,
	"correlation": true, "hook_name": true, "hook_exists": true, "webhook_id": true, "secret": true, "eab_kid": true,
}

func TestEveryInputErrorHasWords(t *testing.T) {
	found := 0
	for _, pattern := range []string{"../proofing/*.go", "../challenges/*.go", "*.go"} {
		files, _ := filepath.Glob(pattern)
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			src, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range inputCodes.FindAllStringSubmatch(string(src), -1) {
				found++
				if !forCAs[m[1]] && !templates.Says("input", m[1]) {
					t.Errorf("%s: no words for input.%s", f, m[1])
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d codes found: the pattern misses them", found)
	}
}
