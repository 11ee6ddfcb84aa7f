package store

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// What the tests of the back ends, which stand outside the package, share with those inside.
var (
	Content      = content
	FillAtRandom = fillAtRandom
	NewTestRing  = newRing
	NewTestCopy  = newCopy
	NewTestFile  = newFile
	Same         = same
)

// ReadLayout has a cluster's layout read again, from a node by chance.
func (r *Redis) ReadLayout() { r.client.(*redis.ClusterClient).ReloadState(context.Background()) }

// SlotOf is the slot of a hash tag.
func SlotOf(tag string) int { return slotOf(tag) }
