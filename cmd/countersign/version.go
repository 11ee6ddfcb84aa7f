package main

import (
	"cmp"
	"fmt"
	"runtime/debug"
)

type versionCommand struct{}

// Run prints one line: the version, the revision that it was built from, and
// with which compiler.
func (versionCommand) Run(g *globals) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	_, err := fmt.Fprintln(g.stdout, "countersign", describe(info))
	return err
}

// programVersion is the version of this program alone.
func programVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return versionOf(info)
}

func versionOf(info *debug.BuildInfo) string {
	return cmp.Or(info.Main.Version, "(unknown version)")
}

func describe(info *debug.BuildInfo) string {
	version := versionOf(info)
	of := make(map[string]string)
	for _, s := range info.Settings {
		of[s.Key] = s.Value
	}
	if revision := of["vcs.revision"]; revision != "" {
		version += " " + revision[:min(12, len(revision))]
		if of["vcs.modified"] == "true" {
			version += " with changes"
		}
		if at := of["vcs.time"]; at != "" {
			version += " of " + at
		}
	}
	if info.GoVersion != "" {
		version += ", " + info.GoVersion
	}
	return version
}
