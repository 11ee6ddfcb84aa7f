package main

import (
	"bytes"
	"fmt"
	"os"
	"time"
)

// secretUse says what a command wants of the secrets that a configuration refers to.
type secretUse int

const (
	readSecrets secretUse = iota
	// skipSecrets checks only how they are referred to.
	skipSecrets
	// storeSecrets reads those that open the store. Whoever administers it from a
	// shell needs no others, and often may not read them.
	storeSecrets
)

// loadConfig reads the file, lays the environment over it and judges the whole.
// The error is a configError, with every mistake at once, or says why the file
// cannot be read. The report has the warnings.
func loadConfig(path string, environ []string, use secretUse) (*Config, *report, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("read configuration: %w: name one with --config or %s; `countersign config example` prints one to begin with", err, envConfig)}
	}
	c, r := readConfig(path, text, environ, use)
	if r.failed() {
		return nil, r, configError{r}
	}
	return c, r, nil
}

// readConfig is loadConfig for a text that has been read already.
func readConfig(name string, text []byte, environ []string, use secretUse) (*Config, *report) {
	c := defaultConfig()
	d := decoder{report: newReport(name), secrets: secretReader{env: environment(environ), use: use}}
	if d.decode(bytes.NewReader(text), &c) {
		d.override(environ, &c)
		c.validate(d.report)
		if use == readSecrets { // who may not read those may not read a certificate's key
			c.validateCertificates(d.report, time.Now())
		}
	}
	c.where = d.where
	return &c, d.report
}
