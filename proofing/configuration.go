package proofing

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Configuration is the configuration that a process of the service was last seen to go by, and what the log says of those before it (CA/Browser Forum Code
// Signing Baseline Requirements 5.4.1.1). There is one record, for all processes: those that have the same configuration say so once.
type Configuration struct {
	ID string `json:"id"`
	// Digest is that of all settings, and Program the release that went by them.
	Digest  string `json:"digest"`
	Program string `json:"program"`
	// Settings are digests of their values, by their names, so that the next entry can name those that differ. None are kept of too many.
	Settings map[string]string `json:"settings,omitempty"`
	Journal  Journal           `json:"journal,omitempty"`
}

// Indexes implements Record.
func (c *Configuration) Indexes() []Index { return c.Journal.index() }

// ExpiresAt implements Record.
func (*Configuration) ExpiresAt() time.Time { return time.Time{} }

// ConfigurationChanged is the entry of a configuration that a process goes by from now on.
const ConfigurationChanged EntryKind = "configuration_changed"

// ConfigurationUse is what a process goes by from now on.
type ConfigurationUse struct {
	// Settings are all that are in force, by their names, as text. No secret is among them: of one it says no more than whether there is one.
	Settings map[string]string
	Program  string // its release
	Why      string // UsedAtStart and so on
}

// Why a process goes by a configuration from now on.
const (
	UsedAtStart  = "start"
	UsedAtReload = "reload" // the file was read again
	UsedApproved = "policy" // two administrators have approved its policy part
)

const (
	// mostSettings is how many settings are told apart by name: the record that remembers them has its bounds. mostNamed of those that differ are named.
	mostSettings = 2000
	mostNamed    = 200
)

// ConfigurationDigest names a configuration by its settings.
func ConfigurationDigest(settings map[string]string) (string, error) {
	text, err := Canonical(settings)
	if err != nil {
		return "", fmt.Errorf("digest of the configuration: %w", err)
	}
	return Digest(text), nil
}

func (s *Service) configurationID() string {
	return s.officeBucket() + FixedID(s.Hasher.Sum("configuration"))[2:]
}

// UseConfiguration has the log tell what a process goes by from now on, if that is another configuration or another release than the one that was told of last. It is called
// before anybody is served by it, so that no change is without its entry. Who has changed it the service cannot know: whoever operates the machine. It may come
// again, and from several processes at once: one entry tells of it. Told says whether this call has written it.
func (s *Service) UseConfiguration(ctx context.Context, u ConfigurationUse) (told bool, err error) {
	digest, err := ConfigurationDigest(u.Settings)
	if err != nil {
		return false, err
	}
	next := &Configuration{ID: s.configurationID(), Digest: digest, Program: u.Program}
	if len(u.Settings) <= mostSettings {
		next.Settings = make(map[string]string, len(u.Settings))
		for name, value := range u.Settings {
			sum := sha256.Sum256([]byte(value))
			next.Settings[name] = base64.RawURLEncoding.EncodeToString(sum[:9])
		}
	}
	had, err := s.Configurations.Get(ctx, next.ID)
	if errors.Is(err, ErrNotFound) {
		first := *next
		first.tell(nil, u, s.now())
		if err = s.Configurations.Create(ctx, next.ID, &first); err == nil {
			return true, nil
		}
		if errors.Is(err, ErrExists) {
			had, err = s.Configurations.Get(ctx, next.ID)
		}
	}
	if err == nil && !had.is(next) {
		_, err = s.Configurations.Update(ctx, next.ID, func(c *Configuration) error {
			if told = !c.is(next); told {
				before := *c
				c.Digest, c.Program, c.Settings = next.Digest, next.Program, next.Settings
				c.tell(&before, u, s.now())
			}
			return nil
		})
	}
	if err != nil {
		return false, fmt.Errorf("tell of the configuration: %w", err)
	}
	return told, nil
}

// is says whether the log has told of another one, last.
func (c *Configuration) is(next *Configuration) bool {
	return c.Digest == next.Digest && c.Program == next.Program
}

// tell writes the entry. What the settings are called is beside the leaf: names of profiles, providers and CAs are among them.
func (c *Configuration) tell(before *Configuration, u ConfigurationUse, now time.Time) {
	facts := map[string]any{"digest": c.Digest, "program": c.Program, "why": u.Why}
	n := Note{Of: SubjectConfiguration, Object: c.ID, Kind: ConfigurationChanged, By: ByOperator, At: now, Facts: facts}
	if u.Why == UsedApproved {
		n.By = ByService
	}
	if before != nil {
		facts["before"] = before.Digest
		if before.Program != c.Program {
			facts["program_before"] = before.Program
		}
		if before.Settings != nil && c.Settings != nil {
			changed := settingsThatDiffer(before.Settings, c.Settings)
			facts["settings"] = len(changed)
			if len(changed) > 0 {
				n.Private = map[string]any{"settings": changed[:min(len(changed), mostNamed)]}
			}
		}
	}
	c.Journal.Write(n)
}

// settingsThatDiffer are the names of those that are not the same in both.
func settingsThatDiffer(before, after map[string]string) (names []string) {
	all := maps.Clone(before)
	maps.Copy(all, after)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		was, had := before[name]
		is, has := after[name]
		if had != has || was != is {
			names = append(names, name)
		}
	}
	return names
}
