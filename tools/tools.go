//go:build tools

// Package tools pins the programs that tests and releases run, so that every machine
// builds the same ones from the same sources.
package tools

import (
	_ "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod"
	_ "github.com/mailhog/MailHog"
)
