package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-id/countersign/store/redistest"
)

// terminal is one bash that runs the commands of a page, one block after the other.
type terminal struct {
	t     testing.TB
	in    io.Writer
	lines chan string
	block int
}

func newTerminal(t testing.TB, dir string, env []string) *terminal {
	t.Helper()
	cmd := exec.Command("bash")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what it has started ends with it
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	x := &terminal{t: t, in: in, lines: make(chan string)}
	go func() {
		defer close(x.lines)
		for lines := bufio.NewScanner(read); lines.Scan(); {
			x.lines <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		go func() {
			for range x.lines {
			}
		}()
	})
	return x
}

// run runs a block and returns what it printed; the block ends the test where a command fails.
func (x *terminal) run(block string) string {
	x.t.Helper()
	x.block++
	end := fmt.Sprintf("block %d has come to its end", x.block)
	if _, err := fmt.Fprintf(x.in, "set -eo pipefail\n%s\necho %q\n", block, end); err != nil {
		x.t.Fatal(err)
	}
	var said strings.Builder
	late := time.After(10 * time.Minute)
	for {
		select {
		case line, ok := <-x.lines:
			if strings.HasSuffix(line, end) { // redis-cli leaves a colour behind
				return said.String()
			}
			if !ok {
				x.t.Fatalf("the block failed:\n%s\n%s", block, &said)
			}
			fmt.Fprintln(&said, line)
			fmt.Fprintln(logWriter{}, line)
		case <-late:
			x.t.Fatalf("the block does not end:\n%s\n%s", block, &said)
		}
	}
}

var shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// blocks are the commands of the page under the heading that begins so, with ports of this test's own.
func blocks(t testing.TB, page, heading string, ports *strings.Replacer) (all []string) {
	t.Helper()
	_, section, found := strings.Cut(page, "\n## "+heading)
	if !found {
		t.Fatalf("the page has no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	for _, m := range shellBlock.FindAllStringSubmatch(section, -1) {
		all = append(all, ports.Replace(m[1]))
	}
	if len(all) == 0 {
		t.Fatalf("the section %q has no commands", heading)
	}
	return all
}

// TestTheScalingPageDoesWhatItSays runs every command of docs/scaling.md: a store moves from the file to a cluster of
// three masters, two processes answer from it, and it comes back. A case that was begun before is completed after.
func TestTheScalingPageDoesWhatItSays(t *testing.T) {
	text, err := os.ReadFile("../docs/scaling.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	p := newProgram(t)
	const email, phone = "mover@example.org", "+447400123456"
	secret("a number", phone)
	begun := p.preauthorize("client", "begun", email)
	h := p.person(begun["case_url"].(string))
	h.prove("email", email)
	attempt, err := h.begin("sms", phone)
	if err != nil {
		t.Fatal(err)
	}
	code := p.codeAfter("sms", phone, 0)
	done := p.preauthorize("address", "done", "done@example.org")
	p.person(done["case_url"].(string)).prove("email", "done@example.org")
	id, doneID := begun["id"].(string), done["id"].(string)
	p.wantValid(doneID)

	people, cas, processes, ports := p.ports()
	x := newTerminal(t, p.dir, append(p.env(), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH")))
	t.Cleanup(func() { endServers(p.dir) })
	for _, block := range blocks(t, page, "1. Start Redis", ports) {
		x.run(block)
	}
	for _, name := range []string{"redis-password", "redis-admin-password"} {
		password, err := os.ReadFile(filepath.Join(p.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		secret("a password of Redis", strings.TrimSpace(string(password)))
	}
	p.writeExampleStore()
	move := blocks(t, page, "2. Move", ports)
	x.run(move[0])
	if out, err := p.attemptWith("countersign.yaml", "store", "copy", "--to", "cluster.yaml"); err == nil || !strings.Contains(out, "in use") {
		t.Errorf("a store that is served was moved: %v\n%s", err, out)
	}
	end(p.cmd, syscall.SIGTERM)
	for _, block := range move[1:] {
		if said := x.run(block); strings.Contains(said, "FAIL") || !strings.Contains(said, "all of it was read back") || strings.Count(said, "with fewer than 1 it takes no changes") != 3 {
			t.Errorf("the move:\n%s", said)
		}
	}
	if out, err := p.attemptWith("countersign.yaml", "ca", "list"); err == nil || !strings.Contains(out, "is not to be used") {
		t.Errorf("the file after the move: %v\n%s", err, out)
	}

	serve := blocks(t, page, "3. Serve", ports)
	for _, block := range serve {
		if said := x.run(block); strings.Count(said, `"ready"`) != 2 {
			t.Errorf("two processes:\n%s", said)
		}
	}
	stop := p.proxy(people, cas, processes)
	if status, _, err := h.answer(attempt, code); err != nil || status != http.StatusOK {
		t.Errorf("a code that was sent before the move: %d, %v", status, err)
	}
	p.wantValid(id)
	p.wantValid(doneID)
	wrong := p.preauthorize("address", "during", "during@example.org")
	p.person(wrong["case_url"].(string)).prove("email", "during@example.org")
	p.wantValid(wrong["id"].(string))
	stop()

	for _, block := range blocks(t, page, "4. And back", ports) {
		if said := x.run(block); strings.Contains(said, "FAIL") {
			t.Errorf("the way back:\n%s", said)
		}
	}
	p.run()
	p.wantValid(id)
	p.wantValid(doneID)
	p.wantValid(wrong["id"].(string))
}

func (p *program) wantValid(id string) {
	p.t.Helper()
	_, answer := p.call("GET", "/v1/preauthorizations/"+id+"?wait=60", nil)
	wantStatus(p.t, answer, "valid")
}

// ports replaces those of the page. The proxy gets those that the program has.
func (p *program) ports() (people, cas string, processes []string, r *strings.Replacer) {
	p.t.Helper()
	var pairs []string
	first := redistest.FreePorts(p.t, 6)
	for i := range 6 {
		pairs = append(pairs, strconv.Itoa(7001+i), strconv.Itoa(first+i))
	}
	for _, was := range []string{"9080", "9081", "9082", "9180", "9181", "9182"} {
		address := free(p.t)
		processes = append(processes, address)
		pairs = append(pairs, "127.0.0.1:"+was, address)
	}
	return strings.TrimPrefix(p.people, "http://localhost"), strings.TrimPrefix(p.api, "http://"), processes, strings.NewReplacer(pairs...)
}

// writeExampleStore writes the program's configuration with a store in the form of the example.
func (p *program) writeExampleStore() {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, "c.yaml"))
	if err == nil {
		store := fmt.Sprintf("store:\n  kind: sqlite\n  path: %s\n  key_ring: %s", filepath.Join(p.dir, "c.db"), filepath.Join(p.dir, "c.keys"))
		text = regexp.MustCompile(`(?m)^store: .*$`).ReplaceAll(text, []byte(store))
		err = os.WriteFile(filepath.Join(p.dir, "countersign.yaml"), text, 0o600)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *program) attemptWith(config string, args ...string) (string, error) {
	cmd := exec.Command(binary, append([]string{"--config", config}, args...)...)
	cmd.Dir, cmd.Env = p.dir, append(os.Environ(), p.env()...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// proxy shares requests out to the processes in turn, in the place of nginx, until stop is called.
func (p *program) proxy(people, cas string, processes []string) (stop func()) {
	p.t.Helper()
	var servers []*http.Server
	for address, to := range map[string][2]string{people: {processes[0], processes[3]}, cas: {processes[1], processes[4]}} {
		var turn atomic.Uint64
		handler := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: to[turn.Add(1)%2]})
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		}}
		if strings.HasPrefix(address, ":") {
			address = "127.0.0.1" + address
		}
		s := &http.Server{Addr: address, Handler: handler}
		servers = append(servers, s)
		go func() { _ = s.ListenAndServe() }()
		await(p.t, "the proxy", 10*time.Second, answers("http://"+address+"/"))
	}
	stop = func() {
		for _, s := range servers {
			_ = s.Close()
		}
	}
	p.t.Cleanup(stop)
	return stop
}

// endServers ends the servers of Redis that the page started, by the ids that they wrote down.
func endServers(dir string) {
	files, _ := filepath.Glob(filepath.Join(dir, "redis", "*", "redis.pid"))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
