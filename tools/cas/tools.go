//go:build tools

// Package cas pins the certificate authorities, and the clients of them, that the tests in e2e run beside countersign.
package cas

import (
	_ "github.com/letsencrypt/pebble/v2/cmd/pebble"
	_ "github.com/smallstep/certificates/cmd/step-ca"
	_ "github.com/smallstep/cli/cmd/step"
)
