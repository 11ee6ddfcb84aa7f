package main

import (
	"fmt"
	"io"
	"log/slog"
	"reflect"
)

// newLog writes to w as the configuration has it. Every handler of the program is made here.
func newLog(w io.Writer, c LogConfig) *slog.Logger { return newLogAt(w, c, new(slog.LevelVar)) }

// newLogAt is a log whose level can be changed while it is used.
func newLogAt(w io.Writer, c LogConfig, level *slog.LevelVar) *slog.Logger {
	_ = level.UnmarshalText([]byte(c.Level)) // validate has read it
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: redact}
	if c.Format == "text" {
		return slog.New(slog.NewTextHandler(w, o))
	}
	return slog.New(slog.NewJSONHandler(w, o))
}

// redact lets into the log what is text, a number, a time or an error, and what says itself how it
// is to be shown. Of anything else only the type is named: a record encodes its
// secrets in JSON, where the store seals them (see proofing.Secret), and the log's handler would
// encode it in the same way.
func redact(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() != slog.KindAny {
		return a
	}
	switch v := a.Value.Any().(type) {
	case nil, error, []string, *slog.Source:
		return a
	case fmt.Stringer:
		return slog.String(a.Key, v.String())
	}
	if v := reflect.ValueOf(a.Value.Any()); v.Kind() == reflect.String { // a word of a closed list, such as a proofing.Channel
		return slog.String(a.Key, v.String())
	}
	return slog.String(a.Key, fmt.Sprintf("[redacted %T]", a.Value.Any()))
}
