package store

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// detacher makes a value that was copied by assignment one of its own: whatever it refers
// to is copied too. It leaves a value as its way through JSON would.
type detacher func(v reflect.Value)

// detacherOf is the detacher of a type; nil if its values refer to nothing. Records are plain data, so that
// there is an error for what is not: JSON would lose it.
func detacherOf(t reflect.Type) (detacher, error) { return (&detachers{}).of(t) }

type detachers struct{ within []reflect.Type }

func (d *detachers) of(t reflect.Type) (detacher, error) {
	if slices.Contains(d.within, t) {
		return nil, fmt.Errorf("%s contains itself", t)
	}
	d.within = append(d.within, t)
	defer func() { d.within = d.within[:len(d.within)-1] }()
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return nil, nil
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return func(v reflect.Value) { // of one clock reading and no other
				if at := v.Addr().Interface().(*time.Time); !at.IsZero() {
					*at = at.Round(0)
				}
			}, nil
		}
		return d.ofStruct(t)
	case reflect.Pointer:
		inner, err := d.of(t.Elem())
		return func(v reflect.Value) {
			if v.IsNil() {
				return
			}
			n := reflect.New(t.Elem())
			n.Elem().Set(v.Elem())
			if inner != nil {
				inner(n.Elem())
			}
			v.Set(n)
		}, err
	case reflect.Slice:
		inner, err := d.of(t.Elem())
		return func(v reflect.Value) {
			if v.IsNil() {
				return
			}
			n := reflect.MakeSlice(t, v.Len(), v.Len())
			reflect.Copy(n, v)
			if inner != nil {
				for i := range n.Len() {
					inner(n.Index(i))
				}
			}
			v.Set(n)
		}, err
	case reflect.Array:
		inner, err := d.of(t.Elem())
		if inner == nil {
			return nil, err
		}
		return func(v reflect.Value) {
			for i := range v.Len() {
				inner(v.Index(i))
			}
		}, err
	case reflect.Map:
		return d.ofMap(t)
	}
	return nil, fmt.Errorf("%s is not plain data", t)
}

func (d *detachers) ofStruct(t reflect.Type) (detacher, error) {
	type field struct {
		index    int
		optional bool // nothing and empty are the same
		detach   detacher
	}
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		if !f.IsExported() || tag == "-" {
			return nil, fmt.Errorf("%s.%s would be lost", t, f.Name)
		}
		inner, err := d.of(f.Type)
		if err != nil {
			return nil, err
		}
		optional := strings.Contains(tag, ",omitempty") && (f.Type.Kind() == reflect.Slice || f.Type.Kind() == reflect.Map)
		if inner != nil {
			fields = append(fields, field{i, optional, inner})
		}
	}
	if len(fields) == 0 {
		return nil, nil
	}
	return func(v reflect.Value) {
		for _, f := range fields {
			at := v.Field(f.index)
			if f.optional && at.Len() == 0 {
				at.SetZero()
				continue
			}
			f.detach(at)
		}
	}, nil
}

func (d *detachers) ofMap(t reflect.Type) (detacher, error) {
	if t.Key().Kind() != reflect.String {
		return nil, fmt.Errorf("%s is not plain data", t)
	}
	inner, err := d.of(t.Elem())
	return func(v reflect.Value) {
		if v.IsNil() {
			return
		}
		n := reflect.MakeMapWithSize(t, v.Len())
		for each := v.MapRange(); each.Next(); {
			e := reflect.New(t.Elem()).Elem()
			e.Set(each.Value())
			if inner != nil {
				inner(e)
			}
			n.SetMapIndex(each.Key(), e)
		}
		v.Set(n)
	}, err
}
