package proofing

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// mostKeys is the most keys that an item of key protection names.
const mostKeys = 20

// methodsOfPractice are the methods by which an organization shows how it keeps whatever keys it has (CSBR 6.2.7.4.2): an IT audit of what it makes them in (4),
// a report of how its cloud service is configured (5), and an agreement that it uses a Signing Service (7). They are those whose verification may be used again (CSBR 4.2.1).
// The others are about the making of certain key pairs: in the module that the CA ships (1), attested by the module's maker (2), with what the CA prescribes (3), or
// before a witness (6).
var methodsOfPractice = []int{4, 5, 7}

// About says whether an item of key protection is about a key: one that it names, or any if it names none and is of a method of the organization's practice. What is
// bad without naming a key is so of all.
func (it *Item) About(key string) bool {
	if len(it.Keys) > 0 {
		return slices.Contains(it.Keys, key)
	}
	return it.Outcome == OutcomeBad || slices.Contains(methodsOfPractice, it.Method)
}

// Protection is the newest item that is about how a key is protected; nil if there is none. One that names the key and is bad stays that until one that names it is good: what
// an organization does with all of its keys says nothing of one that was found elsewhere. As long as no key is known (it is empty), it is the newest that does for
// some key, or else the newest.
func (o *Organization) Protection(key string, now time.Time) *Item {
	if key == "" {
		return o.anyProtection(now)
	}
	var newest *Item
	for i := len(o.Items) - 1; i >= 0; i-- {
		it := &o.Items[i]
		if it.Kind != ItemKeyProtection || !it.About(key) {
			continue
		}
		if newest == nil {
			newest = it
		}
		if len(it.Keys) > 0 {
			if it.Outcome == OutcomeBad {
				return it
			}
			break
		}
	}
	return newest
}

// anyProtection is the newest item that does for some key, or else the newest.
func (o *Organization) anyProtection(now time.Time) (newest *Item) {
	for i := len(o.Items) - 1; i >= 0; i-- {
		it := &o.Items[i]
		if it.Kind != ItemKeyProtection {
			continue
		}
		if o.does(it, now) {
			return it
		}
		if newest == nil {
			newest = it
		}
	}
	return newest
}

// does says whether an item is good evidence of how some key is protected.
func (o *Organization) does(it *Item, now time.Time) bool {
	return it.Kind == ItemKeyProtection && it.Outcome == OutcomeGood && it.good(true, now) && o.counts(it, now)
}

// protectedBy says whether there is such evidence among what was recorded up to an entry of the dossier.
func (o *Organization) protectedBy(entry int64, now time.Time) bool {
	for i := range o.Items {
		if it := &o.Items[i]; it.Entry <= entry && o.does(it, now) {
			return true
		}
	}
	return false
}

// counts says whether no newer item has taken the place of one of key protection, for one of its keys at least.
func (o *Organization) counts(it *Item, now time.Time) bool {
	if len(it.Keys) == 0 {
		return o.Current(it.Kind, "") == it
	}
	return slices.ContainsFunc(it.Keys, func(key string) bool { return o.Protection(key, now) == it })
}

// lacksKey is what of the dossier stands against a certificate for a key.
func (o *Organization) lacksKey(key string, now time.Time) []Lack {
	return o.lacks(*ItemKeyProtection.rule(), "", nil, key, true, nil, now)
}

// SubjectKey is the key that a certificate of the case is for, as the SHA-256 of its SubjectPublicKeyInfo in base64url; empty as long as it is not known.
func (c *Case) SubjectKey() string {
	if key := c.csrKey(); key != "" {
		return key
	}
	if c.Applicant.Kind == ByPublicKey {
		return c.Applicant.SPKI
	}
	return ""
}

// readKeys reads the keys that somebody names, in base64url as pages show them or in hexadecimal, into their one form; false if one is no SHA-256.
func readKeys(texts []string) (keys []string, ok bool) {
	for _, text := range texts {
		raw, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
		if err != nil || len(raw) != 32 {
			raw, err = base64.RawURLEncoding.Strict().DecodeString(text)
		}
		if err != nil || len(raw) != 32 {
			return nil, false
		}
		keys = append(keys, Octets(raw).String())
	}
	slices.Sort(keys)
	return slices.Compact(keys), true
}

// namesKeys says whether an item of key protection names the keys that it must.
func (it *Item) namesKeys() bool {
	needs := it.Outcome == OutcomeGood && !slices.Contains(methodsOfPractice, it.Method)
	return len(it.Keys) <= mostKeys && (len(it.Keys) > 0 || !needs)
}
