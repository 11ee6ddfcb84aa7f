package main

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign-id/countersign/web"
)

// shown are the settings in the order of the manual, with where each came from, for administrators. Of a secret it says no more than whether there
// is one.
func (c *Config) shown() (all []web.Setting) {
	var where map[string]place
	if c.found != nil {
		where = c.found.where
	}
	add := func(path, value string, secret bool) {
		s := web.Setting{Path: path, Value: value, Secret: secret}
		switch p := where[path]; {
		case c.approved != nil && isPolicy(path):
			s.Approved = true
		case p.Variable != "":
			s.Variable = p.Variable
		case p.Line > 0:
			s.Line = p.Line
		}
		all = append(all, s)
	}
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		switch {
		case v.Kind() == reflect.Struct:
			for _, f := range settings(v.Type()) {
				walk(join(path, f.name), v.Field(f.index))
			}
		case v.Kind() == reflect.Map:
			byName := map[string]reflect.Value{}
			for _, key := range v.MapKeys() {
				byName[key.String()] = v.MapIndex(key)
			}
			for _, key := range slices.Sorted(maps.Keys(byName)) {
				walk(join(path, key), byName[key])
			}
		case v.Kind() == reflect.Slice && v.Len() > 0 && !isScalar(v.Type().Elem()):
			for i := range v.Len() {
				walk(join(path, strconv.Itoa(i)), v.Index(i))
			}
		case v.Kind() == reflect.Slice:
			var parts []string
			secret := v.Type().Elem() == secretType
			for i := range v.Len() {
				parts = append(parts, scalarText(v.Index(i)))
			}
			add(path, strings.Join(parts, ", "), secret)
		default:
			add(path, scalarText(v), v.Type() == secretType)
		}
	}
	walk("", reflect.ValueOf(c).Elem())
	return all
}

// scalarText is a value as it is written in the file; "set" of a secret that there is.
func scalarText(v reflect.Value) string {
	switch t := v.Type(); {
	case t == secretType && v.String() != "":
		return "set"
	case t == durationType:
		return formatDuration(time.Duration(v.Int()))
	}
	return fmt.Sprint(v.Interface())
}
