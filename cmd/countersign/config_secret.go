package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

// secretReader follows references to secrets.
type secretReader struct {
	env  func(name string) (string, bool)
	use  secretUse
	used []string // the variables that references name
}

// unread stands for a secret that nobody asked for.
const unread proofing.Secret = "(not read)"

// maxSecret bounds the file of a secret; the largest is a private key in PEM form.
const maxSecret = 64 << 10

func isReference(text string) bool {
	return strings.HasPrefix(text, "file:") || strings.HasPrefix(text, "env:")
}

// resolve returns the secret that the reference of a setting leads to. No error repeats the
// text of a setting: it may be a secret that somebody wrote where it must not be.
func (s *secretReader) resolve(path, text string) (proofing.Secret, error) {
	if name, ok := strings.CutPrefix(text, "env:"); ok {
		return s.fromEnv(name, s.wants(path))
	}
	if file, ok := strings.CutPrefix(text, "file:"); ok {
		if !s.wants(path) {
			return unread, nil
		}
		return secretFile(file)
	}
	return "", errors.New("a secret does not belong in this file: put it into a file of its own (chmod 600) and write file:/path/to/it, or into a variable and write env:NAME")
}

// wants says whether somebody asked for the secret of that setting.
func (s *secretReader) wants(path string) bool {
	return s.use == readSecrets || s.use == storeSecrets && strings.HasPrefix(path, "store.")
}

func (s *secretReader) fromEnv(name string, wanted bool) (proofing.Secret, error) {
	s.used = append(s.used, name)
	if !wanted {
		return unread, nil
	}
	value, ok := s.env(name)
	if !ok || value == "" {
		return "", fmt.Errorf("the environment variable %q is not set: set it where the service runs", name)
	}
	return proofing.Secret(value), nil
}

func secretFile(path string) (_ proofing.Secret, err error) {
	if !filepath.IsAbs(path) {
		return "", fmt.Errorf("the secret's file %q must be an absolute path, as in file:/etc/countersign/secret", path)
	}
	// A named pipe would block the opening for ever, so look first.
	if info, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("the secret's file cannot be read: %w", err)
	} else if !info.Mode().IsRegular() {
		return "", fmt.Errorf("the secret's file %s must be a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("the secret's file cannot be read: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("the secret's file cannot be read: %w", err)
	}
	if !store.Private(info) {
		return "", fmt.Errorf("the secret's file %s can be read by others than its owner (mode %04o): run chmod 600 on it", path, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("the secret's file cannot be read: %w", err)
	case len(text) > maxSecret:
		return "", fmt.Errorf("the secret's file %s is larger than %d bytes", path, maxSecret)
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if value == "" {
		return "", fmt.Errorf("the secret's file %s is empty", path)
	}
	return proofing.Secret(value), nil
}

// environment makes a look-up of a list as os.Environ returns it.
func environment(environ []string) func(name string) (string, bool) {
	return func(name string) (string, bool) {
		i := slices.IndexFunc(environ, func(entry string) bool { return strings.HasPrefix(entry, name+"=") })
		if i < 0 || name == "" {
			return "", false
		}
		return environ[i][len(name)+1:], true
	}
}
