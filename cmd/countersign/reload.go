package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"reflect"
	"slices"
	"sync/atomic"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/web"
)

// reloads is how the configuration is read again while the service runs: on SIGHUP, as a whole, or
// not at all. What answers requests is put together anew and then taken into use in one
// step, so that each request is answered by one configuration from its beginning to its end.
type reloads struct {
	asked       chan os.Signal
	approved    chan struct{} // another policy is in force than policy
	policy      atomic.Value  // the digest of the one that requests are answered by
	read        func() (*Config, *report, error)
	level       *slog.LevelVar
	people, cas shownHandler
	operators   atomic.Pointer[web.Operators]
}

// operatorsPages are those of the configuration in force; an app that reads none again has its own.
func (r *reloads) operatorsPages(a *app) *web.Operators {
	if r != nil {
		if shown := r.operators.Load(); shown != nil {
			return shown
		}
	}
	return a.pages
}

// signal tells when somebody asks; never where nothing can be read again.
func (r *reloads) signal() <-chan os.Signal {
	if r == nil {
		return nil
	}
	return r.asked
}

// policies tells when a policy was approved; never where nothing can be read again.
func (r *reloads) policies() <-chan struct{} {
	if r == nil {
		return nil
	}
	return r.approved
}

// show has requests answered by an app from now on.
func (r *reloads) show(a *app) {
	if r == nil {
		return
	}
	people, cas := a.people(), a.authorities()
	r.people.shown.Store(&people)
	r.cas.shown.Store(&cas)
	r.operators.Store(a.pages)
	r.policy.Store(a.service.Policy.Digest)
}

// shownHandler is the handler of now.
type shownHandler struct{ shown atomic.Pointer[http.Handler] }

// ServeHTTP implements http.Handler.
func (h *shownHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(*h.shown.Load()).ServeHTTP(w, r)
}

// reload reads the configuration again. It returns the app that is in use from now on, or nil if nothing was
// changed: the log has said why.
func (a *app) reload(ctx context.Context, r *reloads) *app {
	next, err := a.readAgain(ctx, r)
	a.meters.reloaded(err, a.now())
	if err == nil {
		return next
	}
	var c configError
	if !errors.As(err, &c) {
		a.log.Error("configuration not read again; what was in force stays", "error", err)
		return nil
	}
	for _, f := range c.sorted() {
		if !f.Warning {
			a.log.Error("configuration not read again; what was in force stays", "error", f.in(c.file))
		}
	}
	return nil
}

func (a *app) readAgain(ctx context.Context, r *reloads) (*app, error) {
	read, report, err := r.read()
	if err != nil {
		return nil, err
	}
	report.warn(a.log)
	c := *read
	c.keepWhatStays(a.config)
	waiting := changedSettings(&c, read)
	if len(waiting) > 0 {
		// What waits for a restart and what does not were judged together; they must fit apart as well.
		mixed := *report
		mixed.findings = nil
		if c.validate(&mixed); mixed.failed() {
			a.log.Error("configuration cannot be taken into use in part", "wait_for_restart", waiting)
			return nil, configError{&mixed}
		}
	}
	c.found = report
	ruled, err := c.ruled(ctx, a.service, a.config)
	if err != nil {
		return nil, err
	}
	before := a.config
	if ruled != &c {
		before = before.spelledOut()
	}
	changed := changedSettings(before, ruled)
	next, err := a.with(ruled, &c)
	if err != nil {
		return nil, err
	}
	if err := next.tellConfiguration(ctx, proofing.UsedAtReload); err != nil { // no change without its entry
		return nil, errors.Join(err, next.router.Close())
	}
	_ = r.level.UnmarshalText([]byte(c.Log.Level)) // validate has read it
	r.show(next)
	said := []any{"in_force", changed, "wait_for_restart", waiting}
	if ruled != &c {
		said = append(said, "wait_for_approval", slices.DeleteFunc(changedSettings(ruled, c.spelledOut()), func(path string) bool { return !isPolicy(path) }))
	}
	a.log.Info("configuration read again", said...)
	next.offer(ctx)
	return next, nil
}

// keepWhatStays takes over from the configuration before what only a restart changes: what the listeners,
// the store and those who were told of our address have been opened with.
func (c *Config) keepWhatStays(before *Config) {
	proxies := c.Listeners.TrustedProxies
	c.Listeners = before.Listeners
	c.Listeners.TrustedProxies = proxies
	c.Passkeys, c.AuthorityTokens = before.Passkeys, before.AuthorityTokens
	c.Origin, c.Store, c.Telemetry, c.Log.Format = before.Origin, before.Store, before.Telemetry, before.Log.Format
}

// changedSettings are the paths of the settings that differ. Of secrets, too, it says no more.
func changedSettings(before, after *Config) []string {
	changed := []string{}
	var walk func(path string, x, y reflect.Value)
	walk = func(path string, x, y reflect.Value) {
		switch x.Kind() {
		case reflect.Struct:
			for _, f := range settings(x.Type()) {
				walk(join(path, f.name), x.Field(f.index), y.Field(f.index))
			}
		case reflect.Map:
			keys := map[string]bool{}
			for _, key := range append(x.MapKeys(), y.MapKeys()...) {
				keys[key.String()] = true
			}
			for _, key := range slices.Sorted(maps.Keys(keys)) {
				xv, yv := x.MapIndex(reflect.ValueOf(key)), y.MapIndex(reflect.ValueOf(key))
				if !xv.IsValid() || !yv.IsValid() {
					changed = append(changed, join(path, key))
				} else {
					walk(join(path, key), xv, yv)
				}
			}
		default:
			if !reflect.DeepEqual(x.Interface(), y.Interface()) {
				changed = append(changed, path)
			}
		}
	}
	walk("", reflect.ValueOf(before).Elem(), reflect.ValueOf(after).Elem())
	return changed
}
