package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

const (
	// readyTimeout bounds the look into the store; a probe that waits longer learns nothing more.
	readyTimeout = 3 * time.Second
	// restTimeout is for the other masters of a cluster once one has answered: one that hangs
	// does not have the others taken for away as well, by whoever gives up the probe.
	restTimeout = time.Second
)

// storeAnswers makes a durable write on each master that has a part of the store: one that can only be read
// cannot serve. In a cluster they fail by themselves, and who is away keeps nobody from what lies on the
// others: down names them. The error is for when none answers.
func (a *app) storeAnswers(ctx context.Context) (down string, err error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	parts := []store.Part{{Buckets: []string{proofing.BucketOf([]byte("ready"))}}} // of a file
	if a.storage.shared != nil {
		if parts, err = a.storage.shared.Parts(ctx); err != nil {
			a.meters.storeDown.Set(1)
			return "", err
		}
	}
	errs := a.askParts(ctx, parts)
	var away []string
	share := 0
	for i, err := range errs {
		if err != nil {
			away, share = append(away, parts[i].Addr), share+len(parts[i].Buckets)
		}
	}
	err = errors.Join(errs...)
	if share == 0 || len(parts) == 1 {
		a.meters.storeDown.Set(float64(len(away)))
	} else {
		a.meters.storeDown.Set(float64(share) / proofing.Buckets)
	}
	down = strings.Join(away, ", ")
	a.notePartsDown(down, len(away) == len(parts), err)
	if len(away) < len(parts) {
		err = nil
	}
	return down, err
}

// askParts has all parts asked at once, and returns the error of each.
func (a *app) askParts(ctx context.Context, parts []store.Part) []error {
	type answer struct {
		part int
		err  error
	}
	answers := make(chan answer, len(parts))
	errs := make([]error, len(parts))
	for i, part := range parts {
		errs[i] = fmt.Errorf("%s does not answer in time", part.Addr)
		go func() {
			_, _, err := a.storage.kv.Add(ctx, part.Buckets[0], "l/ready", 1, time.Second)
			answers <- answer{i, err}
		}()
	}
	var late <-chan time.Time
	for range parts {
		select {
		case one := <-answers:
			if errs[one.part] = one.err; one.err == nil && late == nil {
				late = time.After(restTimeout)
			}
		case <-late:
			return errs
		}
	}
	return errs
}

// notePartsDown says in the log, once each time, that part of a cluster is away, and when all of it is back. That
// all of it is away is said by whoever asks.
func (a *app) notePartsDown(down string, all bool, err error) {
	before := a.partsDown.Swap(&down)
	switch {
	case before != nil && *before == down || before == nil && down == "":
	case down == "":
		a.log.Info("all of the store answers again")
	case !all:
		a.log.Warn("part of the store is down", "servers", down, "error", err)
	}
}
