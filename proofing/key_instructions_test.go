package proofing_test

import (
	"strings"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// An old certbot knows no --eab-hmac-alg, and most clients know no algorithm but HS256: nobody is told to paste what cannot work.
func TestInstructionsNameAnAlgorithmOnlyWhereTheyMust(t *testing.T) {
	for _, c := range []struct {
		algorithm, certbot string
		clients            int
	}{{"HS256", "", 5}, {"HS512", "--eab-hmac-alg HS512", 1}} {
		k := &proofing.Key{Kid: "cs-1", Algorithm: c.algorithm, Secret: "c2VjcmV0"}
		all := k.Instructions("https://ca.example/dir")
		if len(all) != c.clients {
			t.Errorf("%s: there are %d clients, want %d", c.algorithm, len(all), c.clients)
		}
		if _, option, has := strings.Cut(all["certbot"], " --eab-hmac-key c2VjcmV0"); strings.TrimSpace(option) != c.certbot || !has {
			t.Errorf("%s: certbot is told %q", c.algorithm, all["certbot"])
		}
		for client, text := range all {
			if !strings.Contains(text, "https://ca.example/dir") || !strings.Contains(text, k.Kid) || strings.ContainsAny(text, "{}") && client != "caddy" && client != "cert-manager" {
				t.Errorf("%s: %s is told %q", c.algorithm, client, text)
			}
		}
	}
}
