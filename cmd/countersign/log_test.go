package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// TestWhatIsLoggedByMistakeShowsNoSecrets logs records whole, as somebody in a hurry might.
func TestWhatIsLoggedByMistakeShowsNoSecrets(t *testing.T) {
	const secret = "not-to-be-seen"
	c := &proofing.Case{ID: "07case", LinkSecret: secret, Evidence: []proofing.Evidence{{Address: secret}}}
	for _, format := range []string{"json", "text"} {
		var out strings.Builder
		log := newLog(&out, LogConfig{Level: "info", Format: format})
		for _, v := range []any{
			c, *c, []*proofing.Case{c}, map[string]*proofing.Case{"a": c}, struct{ C any }{c}, proofing.Message{Code: secret}, &proofing.Contact{Address: secret},
			proofing.Secret(secret), []proofing.Secret{secret}, map[string]proofing.Secret{"a": secret}, fmt.Errorf("wrapped: %v", c), slog.GroupValue(slog.Any("inner", c)),
			proofing.Case{LinkSecret: secret}, []byte(secret),
		} {
			log.Info("by mistake", "value", v)
			log.With("value", v).WithGroup("g").Info("by mistake", "again", v)
		}
		if strings.Contains(out.String(), secret) {
			t.Errorf("%s: the log shows a secret:\n%s", format, &out)
		}
		if n := strings.Count(out.String(), "[redacted *proofing.Case]"); n < 4 {
			t.Errorf("%s: %d lines name the type, want at least 4:\n%s", format, n, &out)
		}
	}
}

func TestTheLogSaysWhatItIsMeantToSay(t *testing.T) {
	var out strings.Builder
	newLog(&out, LogConfig{Level: "debug", Format: "json"}).Debug("all kinds",
		"text", "words", "number", 7, "truth", true, "for", 3*time.Second, "at", time.Unix(0, 0).UTC(), "error", errors.New("broke"),
		"list", []string{"a", "b"}, "address", netip.MustParseAddr("192.0.2.1"), "level", slog.LevelWarn, "kind", proofing.ChannelEmail)
	for _, want := range []string{
		`"text":"words"`, `"number":7`, `"truth":true`, `"for":3000000000`, `"at":"1970-01-01T00:00:00Z"`, `"error":"broke"`, `"list":["a","b"]`, `"address":"192.0.2.1"`, `"level":"WARN"`, `"kind":"email"`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in %s", want, &out)
		}
	}
}

// TestEveryLogIsMadeInOnePlace keeps handlers that do not redact out of the program.
func TestEveryLogIsMadeInOnePlace(t *testing.T) {
	made := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, word := range []string{"slog.NewJSONHandler(", "slog.NewTextHandler(", "slog.Default()", "slog.Info(", "slog.Warn(", "slog.Error("} {
			if n := strings.Count(string(source), word); n > 0 {
				if made += n; filepath.Base(path) != "log.go" {
					t.Errorf("%s: %s", path, word)
				}
			}
		}
		return err
	})
	if err != nil || made != 2 {
		t.Errorf("%d handlers are made, %v", made, err)
	}
}
