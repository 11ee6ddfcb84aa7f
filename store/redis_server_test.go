package store_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisServer is a server of this test's own, in a folder that goes with it.
type redisServer struct {
	t    *testing.T
	addr string
	dir  string
	args []string
	cmd  *exec.Cmd
}

// durableArgs are what the store demands.
var durableArgs = []string{"--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"}

func redisTool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not installed; run: sh tools/redis.sh", name)
	}
	return path
}

// startRedis starts a server on a free port of this machine.
func startRedis(t *testing.T, args ...string) *redisServer {
	t.Helper()
	s := newRedis(t, freePort(t, 1), args...)
	s.start()
	return s
}

func newRedis(t *testing.T, port int, args ...string) *redisServer {
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

// freePort finds n ports in a row that nobody listens at, below those that the system hands out.
func freePort(t *testing.T, n int) int {
	t.Helper()
search:
	for range 100 {
		port := 10000 + int(time.Now().UnixNano()/1000%10000)
		for i := range n {
			for _, p := range []int{port + i, port + i + 10000} { // a cluster's bus is 10000 above
				l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
				if err != nil {
					continue search
				}
				_ = l.Close()
			}
		}
		return port
	}
	t.Fatal("no free port")
	return 0
}
