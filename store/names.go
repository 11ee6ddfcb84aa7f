package store

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// What a bucket holds, by name:
//
//	r/<kind>/<id>                      a record, sealed
//	i/<kind>/<index>/<value>!<id>      an index entry, empty
//	u/<kind>/<index>/<value>!          the claim on a unique value: the id of its holder
//	l/<key>                            a counter of the Limiter
//
// Values are escaped so that names are printable, "!" ends a value, and names
// sort as values do: "!" is below every byte of an escaped value, and an
// escaped byte begins with a quote if it is below all plain ones or with a tilde if it
// is above.
const recordPrefix = "r/"

func recordName(kind, id string) string { return recordPrefix + kind + "/" + id }

func indexPrefix(kind, index string) string { return "i/" + kind + "/" + index + "/" }

func indexName(kind, index, value, id string) string {
	return indexPrefix(kind, index) + escape(value) + "!" + id
}

func uniqueName(kind, index, value string) string {
	return "u/" + kind + "/" + index + "/" + escape(value) + "!"
}

func isUnique(entry string) bool { return entry[0] == 'u' }

// idOf is the id that ends the name of an index entry.
func idOf(entry string) string { return entry[strings.LastIndexByte(entry, '!')+1:] }

func escape(value string) string {
	var b strings.Builder
	for _, c := range []byte(value) {
		switch {
		case c <= '"':
			fmt.Fprintf(&b, `"%02x`, c)
		case c >= '~':
			fmt.Fprintf(&b, "~%02x", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// maxEntries lets one Apply put a record, remove all its old entries and add as many.
const maxEntries = (MaxOps - 1) / 2

// entriesOf lists the names of a record's index entries, sorted, each once. A
// unique value has a claim besides its entry, so that it can be listed too.
func entriesOf(kind, id string, indexes []proofing.Index) ([]string, error) {
	var entries []string
	for _, x := range indexes {
		if !isWord(x.Name) {
			return nil, fmt.Errorf("%w: index %q of %s", ErrInvalid, x.Name, kind)
		}
		entry := indexName(kind, x.Name, x.Value, id)
		if len(entry) > MaxName {
			return nil, fmt.Errorf("%w: index %q of %s: a value of %d bytes", ErrInvalid, x.Name, kind, len(x.Value))
		}
		entries = append(entries, entry)
		if x.Unique {
			entries = append(entries, uniqueName(kind, x.Name, x.Value))
		}
	}
	slices.Sort(entries)
	entries = slices.Compact(entries)
	if len(entries) > maxEntries {
		return nil, fmt.Errorf("%w: %s has %d index entries", ErrInvalid, kind, len(entries))
	}
	return entries, nil
}

// entryOp puts an entry. A claim is made only where nobody has one, unless it was this
// record's before.
func entryOp(entry, id string, expires time.Time, kept bool) Op {
	op := Op{Name: entry, If: Any, Expires: expires}
	if isUnique(entry) {
		op.Value = []byte(id)
		if !kept {
			op.If = Absent
		}
	}
	return op
}

// isWord says whether s can name a kind or an index.
func isWord(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 32
}

func allBuckets() []string {
	buckets := make([]string, proofing.Buckets)
	for n := range buckets {
		buckets[n] = fmt.Sprintf("%02d", n)
	}
	return buckets
}
