package proofing

import (
	"encoding/json"
	"slices"
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
	return size <= mostOfItems
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
