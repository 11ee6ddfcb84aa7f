package proofing

import "strings"

// Instructions are commands that can be pasted to register an account with the key, by the name of their client. They have the
// key's secret in them. A directory that nobody knows has a name in its place.
//
// The options are those of certbot, lego 4, acme.sh 3, cert-manager 1.14 and later, and Caddy 2. An old certbot, as Debian's 2.1, knows
// no --eab-hmac-alg and takes HS256 for granted, so that a key of HS256 is given without it. The ACME client of step 0.30 registers
// without a binding.
func (k *Key) Instructions(directory string) map[string]string {
	if directory == "" {
		directory = "DIRECTORY_URL"
	}
	fill := strings.NewReplacer("{directory}", directory, "{kid}", k.Kid, "{hmac}", k.Secret.Reveal(), "{alg}", k.Algorithm)
	out := map[string]string{}
	for client, text := range keyInstructions {
		if k.Algorithm == "HS256" || !clientsOfHS256[client] {
			if client == "certbot" && k.Algorithm != "HS256" {
				text += " --eab-hmac-alg {alg}"
			}
			out[client] = fill.Replace(text)
		}
	}
	return out
}

// clientsOfHS256 know no other algorithm.
var clientsOfHS256 = map[string]bool{"lego": true, "acme.sh": true, "caddy": true, "cert-manager": true}

var keyInstructions = map[string]string{
	"certbot": "certbot register --agree-tos --no-eff-email --email YOU@EXAMPLE.ORG --server {directory} --eab-kid {kid} --eab-hmac-key {hmac}",
	"lego":    "lego --accept-tos --email YOU@EXAMPLE.ORG --server {directory} --eab --kid {kid} --hmac {hmac} --domains YOUR.NAME --http run",
	"acme.sh": "acme.sh --register-account --server {directory} --eab-kid {kid} --eab-hmac-key {hmac}",
	"cert-manager": `kubectl create secret generic eab --from-literal=secret={hmac}
# in spec.acme of the Issuer:
server: {directory}
externalAccountBinding:
  keyID: {kid}
  keySecretRef: {name: eab, key: secret}`,
	"caddy": `# in the global options of the Caddyfile:
acme_ca {directory}
acme_eab {
	key_id {kid}
	mac_key {hmac}
}`,
}
