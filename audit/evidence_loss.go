package audit

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// Loss is a loss of the log that an operator has accepted: it goes on from what a restored backup had of it, or with another history than it had stated.
type Loss struct {
	Index int64 // of the entry that says so
	At    time.Time
	Size  int64  // how many entries the log had then, and goes on from
	Was   int64  // how many it had by a checkpoint of its own
	Root  string // of that checkpoint (base64)
	By    string // the name that the operator gave; empty if none, or if it was erased
	// Before and After are how many entries of the file are older than where the log goes on, and newer. Where Was is no more than Size, also what is
	// older may be of another history than was stated.
	Before, After int
}

// lossOf reads what an entry says of a loss.
func lossOf(l proofing.Leaf) (loss Loss, err error) {
	number := func(name string) int64 {
		f, ok := l.Facts[name].(float64)
		if !ok || f < 0 || f != math.Trunc(f) || f > 1<<53 {
			err = fmt.Errorf("its %s is no number of entries", name)
			return 0
		}
		return int64(f)
	}
	loss = Loss{At: l.At, Size: number("size"), Was: number("was"), Root: textOf(l.Facts, "root")}
	if raw, bad := base64.StdEncoding.DecodeString(loss.Root); bad != nil || len(raw) != 32 {
		err = errors.New("its root is no root of a tree")
	}
	return loss, err
}

// verifyLog says whether what the log tells of itself can be: there is one record of it, and who goes on from so many entries enters that after them.
func (r *reading) verifyLog() error {
	var faults []error
	seen := ""
	for _, o := range r.Objects {
		if o.Of != proofing.SubjectLog {
			continue
		}
		if seen != "" {
			faults = append(faults, fmt.Errorf("there are two records of the log itself, %s and %s", seen, o.Object))
		}
		seen = o.Object
		for i, l := range r.object(o.Of, o.Object).leaves {
			if l.Kind != proofing.EntryLoss {
				continue
			}
			loss, err := lossOf(l)
			if err == nil && o.Entries[i].Index < loss.Size {
				err = fmt.Errorf("it is entry %d of the log, and says that there were %d before it", o.Entries[i].Index, loss.Size)
			}
			if err != nil {
				faults = append(faults, fmt.Errorf("%s, entry %d: a loss of the log: %w", objectName(o.Of, o.Object), l.Number, err))
			}
		}
	}
	return errors.Join(faults...)
}

// losses are those that the file tells of, in their order.
func (r *reading) losses() (all []Loss) {
	for _, o := range r.Objects {
		if o.Of != proofing.SubjectLog {
			continue
		}
		k := r.object(o.Of, o.Object)
		for i, l := range k.leaves {
			loss, err := lossOf(l)
			if l.Kind != proofing.EntryLoss || err != nil { // which verifyLog has said
				continue
			}
			loss.Index, loss.By = o.Entries[i].Index, textOf(k.private[i], "operator")
			loss.Before, loss.After = r.around(loss.Size)
			all = append(all, loss)
		}
	}
	return all
}

// around is how many entries of the file are before a place in the log and how many are not, those apart that the log has of itself.
func (r *reading) around(place int64) (before, after int) {
	for _, o := range r.Objects {
		for _, e := range o.Entries {
			switch {
			case o.Of == proofing.SubjectLog:
			case e.Index < place:
				before++
			default:
				after++
			}
		}
	}
	return before, after
}
