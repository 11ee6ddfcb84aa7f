package redistest

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// replicated are the settings of servers that replace one another: a master that
// no replica follows takes no changes, so that one which is cut off makes none.
func replicated() []string {
	return append(Durable(), "--repl-diskless-sync-delay", "0", "--min-replicas-to-write", "1")
}

// StartCluster starts three masters with a replica each, and waits until they agree.
func StartCluster(t testing.TB, settings ...string) (nodes []*Server) {
	t.Helper()
	port := FreePorts(t, 6)
	create := []string{"--cluster", "create"}
	for i := range 6 {
		s := New(t, port+i, append(append(Durable(), "--repl-diskless-sync-delay", "0",
			"--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-node-timeout", "2000"), settings...)...)
		s.Start()
		nodes = append(nodes, s)
		create = append(create, s.Addr)
	}
	create = append(create, "--cluster-replicas", "1", "--cluster-yes")
	if out, err := exec.Command(tool(t, "redis-cli"), create...).CombinedOutput(); err != nil {
		t.Fatalf("redis-cli: %v\n%s", err, out)
	}
	AwaitWhole(nodes)
	return nodes
}

// AwaitWhole waits until all nodes of a cluster agree and every replica has caught up:
// a master that dies before is never replaced.
func AwaitWhole(nodes []*Server) {
	for _, s := range nodes {
		s.t.Helper()
		s.Await("cluster", "cluster_state:ok")
		for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
			text := s.Info("replication")
			if strings.Contains(text, "master_link_status:up") || strings.Contains(text, "role:master") && strings.Contains(text, "state=online") {
				break
			}
			if time.Now().After(deadline) {
				s.t.Fatalf("%s has no partner:\n%s", s.Addr, text)
			}
		}
	}
}

// AMaster is one of a cluster's masters, by chance.
func AMaster(nodes []*Server) *Server {
	for {
		if s := nodes[rand.IntN(len(nodes))]; s.IsMaster() {
			return s
		}
	}
}

// AwaitReplaced waits until three others are masters.
func AwaitReplaced(nodes []*Server, was *Server) {
	was.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		masters := 0
		for _, s := range nodes {
			if s != was && s.IsMaster() {
				masters++
			}
		}
		if masters == 3 {
			return
		}
		if time.Now().After(deadline) {
			was.t.Fatalf("nobody took the place of %s", was.Addr)
		}
	}
}

// Watched is a master with its replicas, and the sentinels that watch over them.
type Watched struct {
	Name      string // of the master, for sentinels
	Nodes     []*Server
	Sentinels []*Server
	t         testing.TB
}

// StartWatched starts a master, so many replicas, and three sentinels, and waits until
// all know one another.
func StartWatched(t testing.TB, replicas int) *Watched {
	t.Helper()
	w := &Watched{Name: "proofs", t: t}
	w.Nodes = append(w.Nodes, New(t, FreePorts(t, 1), replicated()...))
	w.Nodes[0].Start()
	host, port, _ := strings.Cut(w.Nodes[0].Addr, ":")
	for range replicas {
		s := New(t, FreePorts(t, 1), append(replicated(), "--replicaof", host+" "+port)...)
		s.Start()
		s.Await("replication", "master_link_status:up")
		w.Nodes = append(w.Nodes, s)
	}
	for range 3 {
		s := New(t, FreePorts(t, 1), "--sentinel", "monitor "+w.Name+" "+host+" "+port+" 2",
			"--sentinel", "down-after-milliseconds "+w.Name+" 1500", "--sentinel", "failover-timeout "+w.Name+" 6000")
		s.kind = []string{"--sentinel"}
		s.Start()
		w.Sentinels = append(w.Sentinels, s)
	}
	w.AwaitWhole()
	return w
}

// Master is the server that the sentinels name; nil while they name none that answers.
func (w *Watched) Master() *Server {
	for _, sentinel := range w.Sentinels {
		text, err := sentinel.Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", w.Name)
		if err != nil {
			continue
		}
		for _, s := range w.Nodes {
			if s.Addr == strings.Replace(text, "\n", ":", 1) && s.IsMaster() {
				return s
			}
		}
	}
	return nil
}

// AwaitReplaced waits until another is master.
func (w *Watched) AwaitReplaced(was *Server) {
	w.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if now := w.Master(); now != nil && now != was {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("nobody took the place of %s", was.Addr)
		}
	}
}

// AwaitWhole waits until one is master, all others follow it, and every sentinel knows them.
func (w *Watched) AwaitWhole() {
	w.t.Helper()
	why := ""
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if why = w.lacks(); why == "" {
			return
		}
	}
	w.t.Fatal("the sentinels' servers do not come together: ", why)
}

func (w *Watched) lacks() string {
	master := w.Master()
	if master == nil {
		return "no master"
	}
	if online := strings.Count(master.Info("replication"), "state=online"); online != len(w.Nodes)-1 {
		return fmt.Sprintf("%d replicas follow", online)
	}
	for _, sentinel := range w.Sentinels {
		text, err := sentinel.Do("SENTINEL", "MASTER", w.Name)
		fields := strings.Split(text, "\n")
		known := map[string]string{}
		for i := 0; i+1 < len(fields); i += 2 {
			known[fields[i]] = fields[i+1]
		}
		if err != nil || known["num-slaves"] != fmt.Sprint(len(w.Nodes)-1) || known["num-other-sentinels"] != "2" || known["flags"] != "master" || known["ip"]+":"+known["port"] != master.Addr {
			return fmt.Sprintf("%s sees %v %v", sentinel.Addr, known, err)
		}
	}
	return ""
}
