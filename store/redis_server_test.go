package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisServer is a server of this test's own, in a folder that goes with it.
type redisServer struct {
	t    testing.TB
	addr string
	dir  string
	args []string
	cmd  *exec.Cmd
}

// durableArgs are what the store demands.
var durableArgs = []string{"--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"}

func redisTool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not installed; run: sh tools/redis.sh", name)
	}
	return path
}

// startRedis starts a server on a free port of this machine.
func startRedis(t testing.TB, args ...string) *redisServer {
	t.Helper()
	s := newRedis(t, freePort(t, 1), args...)
	s.start()
	return s
}

func newRedis(t testing.TB, port int, args ...string) *redisServer {
	t.Helper()
	s := &redisServer{t: t, addr: fmt.Sprintf("127.0.0.1:%d", port), dir: t.TempDir()}
	s.args = append([]string{"--bind", "127.0.0.1", "--port", fmt.Sprint(port), "--dir", s.dir, "--save", "",
		"--logfile", filepath.Join(s.dir, "log")}, args...)
	t.Cleanup(s.kill)
	return s
}

func (s *redisServer) start() {
	s.t.Helper()
	s.cmd = exec.Command(redisTool(s.t, "redis-server"), s.args...)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	client := s.client()
	defer client.Close()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := client.Ping(context.Background()).Err()
		// One that wants a password or a certificate is up too.
		if err == nil || strings.Contains(err.Error(), "NOAUTH") {
			return
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.t.Fatalf("redis-server does not answer: %v\n%s", err, log)
		}
	}
}

// client is a plain client, to look at the server past the store.
func (s *redisServer) client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: s.addr, MaxRetries: -1, DialerRetries: 1, Protocol: 2, DisableIdentity: true})
}

// kill is kill -9: nothing is written any more.
func (s *redisServer) kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// lastPort goes round below the ports that the system hands out itself.
var lastPort atomic.Int64

func init() { lastPort.Store(rand.Int64N(10000)) }

// freePort finds n ports in a row that nobody listens at.
func freePort(t testing.TB, n int) int {
	t.Helper()
search:
	for range 100 {
		last := 10000 + int(lastPort.Add(int64(n))%10000)
		first := last - n + 1
		for p := first; p <= last; p++ {
			for _, port := range []int{p, p + 10000} { // a cluster's nodes speak to one another 10000 above
				l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
				if err != nil {
					continue search
				}
				_ = l.Close()
			}
		}
		return first
	}
	t.Fatal("no free port")
	return 0
}
