package e2e

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-id/countersign/store/redistest"
)

// onRedis are the settings of a store on those servers.
func onRedis(servers []*redistest.Server, more string) func(string) string {
	var addresses []string
	for _, s := range servers {
		addresses = append(addresses, fmt.Sprintf("%q", s.Addr))
	}
	settings := "kind: redis, redis: {addresses: [" + strings.Join(addresses, ", ") + "]" + more + "}"
	return func(string) string { return settings }
}

// TestKillOfOneOfTwoProcesses kills one of two processes that share a Redis, again and
// again; CAs and people come to the other.
func TestKillOfOneOfTwoProcesses(t *testing.T) {
	t.Parallel()
	p := newService(t, layout{processes: 2, store: onRedis([]*redistest.Server{redistest.Start(t, redistest.Durable()...)}, "")})
	running := []*exec.Cmd{p.cmd, p.others[0]}
	n := kills(15, 300)
	p.hold(n/2, func(func()) {
		for range n {
			time.Sleep(time.Duration(20+rand.IntN(400)) * time.Millisecond)
			which := rand.IntN(2)
			end(running[which], syscall.SIGKILL)
			time.Sleep(rand.N(300 * time.Millisecond))
			running[which] = p.process(which)
		}
	})
}

// TestKillOfTheRedisMasterUnderSentinels kills the master under two processes, which must
// follow the sentinels to the replica.
func TestKillOfTheRedisMasterUnderSentinels(t *testing.T) {
	t.Parallel()
	w := redistest.StartWatched(t, 2)
	p := newService(t, layout{processes: 2, store: onRedis(w.Sentinels, ", master_name: "+w.Name+", replicas: 1")})
	n := kills(2, 100)
	p.hold(2*n, func(progress func()) {
		for range n {
			progress()
			time.Sleep(rand.N(time.Second))
			was := w.Master()
			was.Kill()
			w.AwaitReplaced(was)
			was.Start()
			w.AwaitWhole()
		}
	})
}

// TestKillOfAClusterMaster kills a master of a cluster under two processes.
func TestKillOfAClusterMaster(t *testing.T) {
	t.Parallel()
	nodes := redistest.StartCluster(t, "--min-replicas-to-write", "1")
	p := newService(t, layout{processes: 2, store: onRedis(nodes, ", cluster: true, replicas: 1")})
	n := kills(2, 100)
	p.hold(2*n, func(progress func()) {
		for range n {
			progress()
			time.Sleep(rand.N(time.Second))
			was := redistest.AMaster(nodes)
			was.Kill()
			redistest.AwaitReplaced(nodes, was)
			was.Start()
			redistest.AwaitWhole(nodes)
		}
	})
}
