// Package redistest starts Redis servers for tests: one, several behind sentinels,
// or a cluster. They listen on this machine alone, on ports and in folders of
// their own, are set as the store demands, and end with their test. It needs a
// redis-server and a redis-cli, and the standard library alone.
package redistest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Durable are the settings that the store demands.
func Durable() []string {
	return []string{"--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"}
}

// Server is one process of a Redis server, or of a sentinel.
type Server struct {
	Addr string
	Dir  string // its folder, which goes with the test
	t    testing.TB
	kind []string
	cmd  *exec.Cmd
}

// Start starts a server on a free port, with settings in the form of its command line.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s := New(t, FreePorts(t, 1), settings...)
	s.Start()
	return s
}

// New writes a server's configuration without starting it. Sentinels and CONFIG
// REWRITE change that file, and a server that starts again goes by it.
func New(t testing.TB, port int, settings ...string) *Server {
	t.Helper()
	s := &Server{t: t, Addr: fmt.Sprintf("127.0.0.1:%d", port), Dir: t.TempDir()}
	all := append([]string{"--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--dir", s.Dir, "--save", `""`, "--logfile", filepath.Join(s.Dir, "log")}, settings...)
	text := ""
	for _, word := range all {
		if name, found := strings.CutPrefix(word, "--"); found {
			text += "\n" + name
		} else {
			text += " " + word
		}
	}
	s.configure(text)
	t.Cleanup(s.Kill)
	return s
}

func (s *Server) file() string { return filepath.Join(s.Dir, "redis.conf") }

func (s *Server) configure(text string) {
	s.t.Helper()
	if err := os.WriteFile(s.file(), []byte(text+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// Start starts the server and waits until it answers.
func (s *Server) Start() {
	s.t.Helper()
	s.cmd = exec.Command(tool(s.t, "redis-server"), append([]string{s.file()}, s.kind...)...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that what it has forked to write its files dies with it
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		_, err := s.Do("PING")
		// One that wants a password or a certificate, or has lost its master, is up too.
		if err == nil || strings.Contains(err.Error(), "NOAUTH") || strings.Contains(err.Error(), "MASTERDOWN") {
			return
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(s.Dir, "log"))
			s.t.Fatalf("redis-server does not answer: %v\n%s", err, log)
		}
	}
}

// Kill is kill -9: nothing is written any more.
func (s *Server) Kill() {
	if s.cmd != nil {
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// Signal stops the process, or lets it go on.
func (s *Server) Signal(what os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(what); err != nil {
		s.t.Fatal(err)
	}
}

// Do sends one command on a connection of its own and returns the answer as text, a
// list with a line for each element.
func (s *Server) Do(words ...string) (string, error) {
	conn, err := net.DialTimeout("tcp", s.Addr, time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	command := fmt.Sprintf("*%d\r\n", len(words))
	for _, word := range words {
		command += fmt.Sprintf("$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := io.WriteString(conn, command); err != nil {
		return "", err
	}
	return answer(bufio.NewReader(conn))
}

// answer reads one answer of the protocol (RESP2).
func answer(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", errors.New("an empty answer")
	}
	kind, rest := line[0], line[1:]
	if kind == '-' {
		return "", errors.New(rest)
	}
	if kind != '$' && kind != '*' {
		return rest, nil
	}
	n, err := strconv.Atoi(rest)
	if err != nil || n < 0 {
		return "", err
	}
	if kind == '$' {
		text := make([]byte, n+2)
		_, err := io.ReadFull(r, text)
		return string(text[:n]), err
	}
	var parts []string
	for range n {
		part, err := answer(r)
		if err != nil {
			return "", err
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "\n"), nil
}

// Info is what the server says of itself: a section of INFO, or "cluster" for CLUSTER INFO.
func (s *Server) Info(section string) string {
	words := []string{"INFO", section}
	if section == "cluster" {
		words = []string{"CLUSTER", "INFO"}
	}
	text, _ := s.Do(words...) // one that does not answer says nothing
	return text
}

// IsMaster says whether the server answers and takes itself for a master.
func (s *Server) IsMaster() bool { return strings.Contains(s.Info("replication"), "role:master") }

// Await waits until a section says so.
func (s *Server) Await(section, words string) {
	s.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !strings.Contains(s.Info(section), words); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("%s does not come to %q:\n%s", s.Addr, words, s.Info(section))
		}
	}
}

func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not installed; run: sh tools/redis.sh", name)
	}
	return path
}

// lastPort goes round below the ports that the system hands out itself.
var lastPort atomic.Int64

func init() { lastPort.Store(rand.Int64N(10000)) }

// FreePorts finds n ports in a row that nobody listens at, and returns the first.
func FreePorts(t testing.TB, n int) int {
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
