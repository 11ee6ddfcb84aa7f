package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/countersign-id/countersign/web"
)

func TestSettingsAreShownWithTheirSourceAndWithoutSecrets(t *testing.T) {
	text := strings.Replace(configExample, "  host: ", "  # the next line is the test's\n  host: ", 1)
	c, r := readConfig("c.yaml", []byte(text), []string{"COUNTERSIGN_SMTP_PASSWORD=hidden-from-everybody", "COUNTERSIGN_SMTP_HOST=other.example.org", "COUNTERSIGN_SMS_COUNTRIES=GB,DE"}, readSecrets)
	by := map[string]web.Setting{}
	for _, s := range c.shown() {
		if _, twice := by[s.Path]; twice {
			t.Errorf("%s is shown twice", s.Path)
		}
		if by[s.Path] = s; strings.Contains(fmt.Sprint(s), "hidden-from-everybody") {
			t.Errorf("a secret is shown: %+v", s)
		}
	}
	for path, want := range map[string]web.Setting{
		"smtp.host":                     {Value: "other.example.org", Variable: "COUNTERSIGN_SMTP_HOST"},
		"smtp.password":                 {Value: "set", Secret: true, Variable: "COUNTERSIGN_SMTP_PASSWORD"},
		"sms.countries":                 {Value: "GB, DE", Variable: "COUNTERSIGN_SMS_COUNTRIES"},
		"store.redis.sentinel_password": {Secret: true},
	} {
		if want.Path = path; by[path] != want {
			t.Errorf("%+v, want %+v", by[path], want)
		}
	}
	lines := strings.Split(text, "\n")
	found := 0
	for _, s := range by {
		if s.Line == 0 {
			continue
		}
		found++
		name := s.Path[strings.LastIndex(s.Path, ".")+1:]
		if !strings.Contains(lines[s.Line-1], name) && !strings.Contains(lines[s.Line-2], name) {
			t.Errorf("%s is not in line %d: %s", s.Path, s.Line, lines[s.Line-1])
		}
	}
	if found < 10 || len(by) < 100 {
		t.Errorf("%d settings of the file, of %d: %v", found, len(by), r.findings)
	}
	// Each setting that there can be is among them, or something beneath it.
	for _, path := range settingPaths() {
		shown := false
		for have := range by {
			shown = shown || have == path || strings.HasPrefix(have, path+".")
		}
		if !shown && !strings.HasPrefix(path, "issuers") && !strings.HasPrefix(path, "profiles") && !strings.HasPrefix(path, "sms.prices") {
			t.Errorf("%s is not shown", path)
		}
	}
}
