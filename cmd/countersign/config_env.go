package main

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// envPrefix begins the name of every variable that is ours. All of them must mean
// something: a mistyped override would otherwise pass in silence.
const envPrefix = "COUNTERSIGN_"

// envConfig names the configuration file itself.
const envConfig = envPrefix + "CONFIG"

// envBy names who runs a command.
const envBy = envPrefix + "BY"

// override lays the environment over the configuration. It shares the decoder of the
// file, so that a value means the same in both and a mistake reads the same; a
// library for this would bring a second set of rules and messages.
func (d *decoder) override(environ []string, c *Config) {
	values := make(map[string]string)
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok && strings.HasPrefix(name, envPrefix) {
			values[name] = value
		}
	}
	overridable("", reflect.ValueOf(c).Elem(), func(path string, v reflect.Value) {
		name := variable(path)
		text, ok := values[name]
		delete(values, name)
		if !ok || text == "" { // compose files pass empty ones for what nobody set
			return
		}
		d.where[path] = place{Variable: name}
		switch {
		case v.Kind() == reflect.Slice:
			d.overrideList(path, text, v)
		case v.Type() == secretType && !isReference(text):
			v.SetString(text) // the environment is where an env: reference would look
		default:
			d.scalar(path, text, v)
		}
	})
	delete(values, envConfig)
	delete(values, envBy)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(d.secrets.used, name) {
			d.findings = append(d.findings, finding{place{Variable: name}, "", "is no setting; a variable is named for a setting's path, as COUNTERSIGN_SMTP_HOST for smtp.host", false})
		}
	}
}

func (d *decoder) overrideList(path, text string, v reflect.Value) {
	parts := strings.Split(text, ",")
	v.Set(reflect.MakeSlice(v.Type(), len(parts), len(parts)))
	for i, p := range parts {
		d.scalar(path, strings.TrimSpace(p), v.Index(i))
	}
}

// variable is the name of the variable that overrides a path.
func variable(path string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// overridable visits every setting but those under names that the operator chooses.
func overridable(path string, v reflect.Value, visit func(path string, v reflect.Value)) {
	for _, f := range settings(v.Type()) {
		field, at := v.Field(f.index), join(path, f.name)
		switch field.Kind() {
		case reflect.Struct:
			overridable(at, field, visit)
		case reflect.Map:
		default:
			visit(at, field)
		}
	}
}
