package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// TestALayoutIsTakenUnlessItIsOlder gives layouts of two halves, each with its owner and that one's epoch.
func TestALayoutIsTakenUnlessItIsOlder(t *testing.T) {
	type seen struct {
		low, high string // owners
		epochs    map[string]uint64
		after     time.Duration
		taken     bool
	}
	now := time.Now()
	for _, x := range []struct {
		what string
		seen []seen
	}{
		{"nothing has changed", []seen{{"a", "c", map[string]uint64{"a": 1, "c": 2}, 0, true}, {"a", "c", map[string]uint64{"a": 1, "c": 2}, 0, true}}},
		{"a failover", []seen{{"a", "c", map[string]uint64{"a": 1, "c": 2}, 0, true}, {"b", "c", map[string]uint64{"b": 3, "c": 2}, 0, true}}},
		{"and back", []seen{
			{"b", "c", map[string]uint64{"b": 3, "c": 2}, 0, true},
			{"a", "c", map[string]uint64{"a": 1, "c": 2}, time.Second, false},
			{"a", "c", map[string]uint64{"a": 4, "c": 2}, 2 * time.Second, true},
		}},
		{"a node that lags in the epoch of the owner alone", []seen{
			{"b", "c", map[string]uint64{"b": 5, "c": 2}, 0, true},
			{"b", "c", map[string]uint64{"b": 3, "c": 2}, 0, true},
			{"a", "c", map[string]uint64{"a": 4, "c": 2}, 0, false},
		}},
		{"an owner whose epoch is not known", []seen{{"a", "c", map[string]uint64{"a": 1, "c": 2}, 0, true}, {"b", "c", map[string]uint64{"c": 2}, 0, false}}},
		{"one half lags", []seen{{"a", "c", map[string]uint64{"a": 1, "c": 4}, 0, true}, {"b", "d", map[string]uint64{"b": 3, "d": 2}, 0, false}}},
		{"one half has no owner for a while", []seen{
			{"b", "c", map[string]uint64{"b": 3, "c": 2}, 0, true},
			{"", "c", map[string]uint64{"c": 2}, 0, true},
			{"a", "c", map[string]uint64{"a": 1, "c": 2}, 0, false},
		}},
		{"the cluster was made anew", []seen{
			{"a", "c", map[string]uint64{"a": 8, "c": 9}, 0, true},
			{"e", "f", map[string]uint64{"e": 1, "f": 2}, time.Second, false},
			{"e", "f", map[string]uint64{"e": 1, "f": 2}, doubtFor, false},
			{"e", "f", map[string]uint64{"e": 1, "f": 2}, doubtFor + time.Second, true},
		}},
		{"a node that lags, now and then", []seen{
			{"b", "c", map[string]uint64{"b": 3, "c": 2}, 0, true},
			{"a", "c", map[string]uint64{"a": 1, "c": 2}, time.Second, false},
			{"b", "c", map[string]uint64{"b": 3, "c": 2}, 2 * time.Second, true},
			{"a", "c", map[string]uint64{"a": 1, "c": 2}, time.Minute, false},
		}},
	} {
		var l layouts
		for i, s := range x.seen {
			layout := []redis.ClusterSlot{{Start: 8192, End: 16383, Nodes: []redis.ClusterNode{{ID: s.high}, {ID: "replica"}}}}
			if s.low != "" {
				layout = append(layout, redis.ClusterSlot{Start: 0, End: 8191, Nodes: []redis.ClusterNode{{ID: s.low}}})
			}
			if err := l.judge(s.epochs, layout, now.Add(s.after)); (err == nil) != s.taken || err != nil && !errors.Is(err, errLags) {
				t.Errorf("%s, layout %d: %v", x.what, i+1, err)
			}
		}
	}
}

func TestEpochsAreThoseOfMasters(t *testing.T) {
	text := "07c37dfe 127.0.0.1:30004@31004,host4 slave e7d1eecc 0 1426238317239 4 connected\n" +
		"67ed2db8 127.0.0.1:30002@31002 master - 0 1426238316232 2 connected 5461-10922\n" +
		"6ec23923 127.0.0.1:30003@31003 master,fail - 1426238316232 1426238315000 3 disconnected\n" +
		"e7d1eecc 127.0.0.1:30001@31001 myself,master - 0 0 11 connected 0-5460 [93-<-67ed2db8]\n"
	if got, want := fmt.Sprint(epochs(text)), "map[67ed2db8:2 6ec23923:3 e7d1eecc:11]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
