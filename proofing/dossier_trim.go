package proofing

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// trim lets go of what is too much. It says whether the rest is not.
func (o *Organization) trim(now time.Time) bool {
	size := 0
	sizes := make([]int, len(o.Items))
	for i := range o.Items {
		text, _ := json.Marshal(o.Items[i]) // plain data
		sizes[i] = len(text)
		size += sizes[i]
	}
	if size <= mostOfItems {
		return true
	}
	current := o.Currents()
	kept := o.Items[:0:0]
	for i := range o.Items {
		it := &o.Items[i]
		if size > mostOfItems && (!slices.Contains(current, it) || it.spent(now) && !o.covers(i, kept, now)) {
			size -= sizes[i]
			continue
		}
		kept = append(kept, *it)
	}
	o.Items = kept
	if size > mostOfItems {
		o.gather()
	}
	return o.sizeOfItems() <= mostOfItems
}

func (o *Organization) sizeOfItems() (size int) {
	for i := range o.Items {
		text, _ := json.Marshal(o.Items[i]) // plain data
		size += len(text)
	}
	return size
}

// gather makes one item of all those by which one person has found certain keys to be bad. That does not age, so that a dossier would be full of it one day, and take no
// evidence of a good key any more. The one says of the same keys that they are bad, and who is barred from reviewing; the words of each stay in the log.
func (o *Organization) gather() {
	into := map[string]int{} // the newest of each person
	for i := range o.Items {
		if o.Items[i].refutes() {
			into[o.Items[i].CollectedBy] = i
		}
	}
	var kept []Item
	named := map[string]*Item{}
	for i := range o.Items {
		it := &o.Items[i]
		if !it.refutes() || i != into[it.CollectedBy] {
			continue
		}
		one := *it
		one.Keys, one.Gathered = slices.Clone(it.Keys), o.gathered(it)
		named[it.CollectedBy] = &one
	}
	for i := range o.Items {
		it := &o.Items[i]
		if one := named[it.CollectedBy]; it.refutes() && i != into[it.CollectedBy] {
			one.Gathered = append(one.Gathered, o.gathered(it)...)
			for _, key := range it.Keys {
				if !o.namedAfter(i, key) && !slices.Contains(one.Keys, key) {
					one.Keys = append(one.Keys, key)
				}
			}
		}
	}
	for i := range o.Items {
		it := &o.Items[i]
		switch one := named[it.CollectedBy]; {
		case !it.refutes():
			kept = append(kept, *it)
		case i != into[it.CollectedBy]:
		case len(one.Gathered) == 1:
			kept = append(kept, *it)
		default:
			slices.Sort(one.Keys)
			slices.Sort(one.Gathered)
			one.Subject, one.Value, one.Reference = strings.Join(one.Keys, " "), "", ""
			kept = append(kept, *one)
		}
	}
	o.Items = kept
}

// gathered are the entries of which an item is made.
func (o *Organization) gathered(it *Item) []int64 {
	if len(it.Gathered) > 0 {
		return slices.Clone(it.Gathered)
	}
	return []int64{it.Entry}
}

// refutes says whether the item is about certain keys, and says that they are bad.
func (it *Item) refutes() bool {
	return it.Kind == ItemKeyProtection && len(it.Keys) > 0 && it.Outcome == OutcomeBad
}

// namedAfter says whether a newer item names a key.
func (o *Organization) namedAfter(i int, key string) bool {
	return slices.ContainsFunc(o.Items[i+1:], func(it Item) bool { return slices.Contains(it.Keys, key) })
}

// spent says whether the item is evidence of certain keys that has aged. Nothing need ever take its place: the next token has another key. What is bad does not age: a key that was
// found outside its module is not to become good again.
func (it *Item) spent(now time.Time) bool {
	return len(it.Keys) > 0 && it.Outcome == OutcomeGood && !it.good(true, now)
}

// covers says whether, without a good item, an older one that stays would speak of one of its keys: as bad, so that no audit of all keys does for it, though the key
// was found good since; or as good, though what was found last has aged.
func (o *Organization) covers(i int, older []Item, now time.Time) bool {
	rest, newer := &Organization{Items: older}, o.Items[i+1:]
	return slices.ContainsFunc(o.Items[i].Keys, func(key string) bool {
		if slices.ContainsFunc(newer, func(it Item) bool { return slices.Contains(it.Keys, key) }) {
			return false
		}
		p := rest.Protection(key, now)
		return p != nil && (p.Outcome == OutcomeBad && len(p.Keys) > 0 || p.Outcome == OutcomeGood && p.good(true, now))
	})
}
