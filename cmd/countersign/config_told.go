package main

import (
	"context"

	"github.com/countersign-id/countersign/proofing"
)

// told are the settings of which the log tells: all that are in force, of a secret no more than whether there is one. The policy part is as its text says it, so that a
// default that somebody writes out is no change.
func (c *Config) told() map[string]string {
	settings := map[string]string{}
	for _, s := range c.spelledOut().shown() {
		if s.Value != "" {
			settings[s.Path] = s.Value
		}
	}
	return settings
}

// tellConfiguration has the log tell by which configuration this process answers from now on.
func (a *app) tellConfiguration(ctx context.Context, why string) error {
	ctx, cancel := context.WithTimeout(ctx, policyTimeout)
	defer cancel()
	told, err := a.service.UseConfiguration(ctx, proofing.ConfigurationUse{Settings: a.config.told(), Program: programVersion(), Why: why})
	if told {
		a.log.Info("the log tells of this configuration", "why", why)
	}
	return err
}
