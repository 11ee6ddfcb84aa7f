package main

import (
	"context"
	"html"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startDemo runs the demo with a temporary folder of its own, until stop.
func startDemo(t *testing.T, args ...string) (out, said *syncBuffer, dir string, stop func() int) {
	t.Helper()
	dir = t.TempDir()
	t.Setenv("TMPDIR", dir)
	out, said = &syncBuffer{}, &syncBuffer{}
	ctx, cancel := context.WithCancel(t.Context())
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, append([]string{"demo"}, args...), &globals{stdin: strings.NewReader(""), stdout: out, stderr: said, now: time.Now})
	}()
	stop = func() int {
		cancel()
		select {
		case c := <-code:
			return c
		case <-time.After(20 * time.Second):
			t.Fatal("the demo does not end")
			return 0
		}
	}
	return out, said, dir, stop
}

func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

var demoOrigin = regexp.MustCompile(`open (http://localhost:[0-9]+)/`)

// origin waits until the demo says where it is.
func origin(t *testing.T, out *syncBuffer) string {
	t.Helper()
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(10 * time.Millisecond) {
		if m := demoOrigin.FindStringSubmatch(out.String()); m != nil {
			return m[1]
		}
	}
	t.Fatalf("the demo does not say where it is: %s", out)
	return ""
}

func TestTheDemoTakesAFreePortAndLeavesNothing(t *testing.T) {
	if taken, err := net.Listen("tcp", demoListen); err == nil { // or else somebody has it already
		defer taken.Close()
	}
	out, said, dir, stop := startDemo(t)
	where := origin(t, out)
	contains(t, said.String(), "address already in use", "taking a free port")
	for _, path := range []string{"/", "/mailbox", "/openapi.yaml"} {
		resp, err := http.Get(where + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	if code := stop(); code != exitOK {
		t.Errorf("exit %d: %s", code, said)
	}
	nothingLeft(t, dir)
}

func TestTheDemoListensWhereItIsToldOrNowhere(t *testing.T) {
	taken := localListener(t)
	defer taken.Close()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	code, out, said := call(t, nil, "", "demo", "--listen", taken.Addr().String())
	if code != exitFailure || out != "" {
		t.Errorf("exit %d: %s", code, out)
	}
	contains(t, said, "the demo cannot listen where --listen says", taken.Addr().String(), "address already in use")
	nothingLeft(t, dir)
}

func TestTheDemoEndsWithItsTerminal(t *testing.T) {
	out, said, dir, stop := startDemo(t, "--listen", "127.0.0.1:0")
	origin(t, out)
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) == 0 {
			break
		}
		if time.Since(began) > time.Minute {
			t.Fatal("its folder stays")
		}
	}
	if code := stop(); code != exitOK {
		t.Errorf("exit %d: %s", code, said)
	}
}

func TestTheDemoSaysWhatItCannotListenAt(t *testing.T) {
	_, said, dir, stop := startDemo(t, "--listen", "nonsense")
	time.Sleep(50 * time.Millisecond)
	if code := stop(); code != exitUsage {
		t.Errorf("exit %d", code)
	}
	contains(t, said.String(), "nonsense")
	nothingLeft(t, dir)
}

func TestTheDemoPlaysItselfAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	code, out, said := call(t, nil, "", "demo", "--auto")
	if code != exitOK {
		t.Fatal(code, said)
	}
	contains(t, out, "200, valid", "AAL1, restricted")
	nothingLeft(t, dir)
}

func TestTheDemoLeadsFromStepToStepAndKeepsItsLanguage(t *testing.T) {
	out, _, _, stop := startDemo(t, "--listen", "127.0.0.1:0")
	defer stop()
	where := origin(t, out)
	page := func(path string) string {
		t.Helper()
		resp, err := http.Get(where + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return html.UnescapeString(string(text))
	}
	contains(t, page("/?lang=de"), `action="/demo/call?lang=de"`, demoNumber, `href="/mailbox?lang=de"`)
	once := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := once.Post(where+"/demo/call?lang=de", "application/x-www-form-urlencoded", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if to := resp.Header.Get("Location"); to != "/?lang=de#person" {
		t.Errorf("the call leads to %q", to)
	}
	home := page("/?lang=de")
	link := regexp.MustCompile(`class="button" href="(/c/[^"]+\?lang=de)" target="_blank" rel="noopener"`).FindStringSubmatch(home)
	if link == nil || strings.Contains(home, "<details open") {
		t.Fatalf("the person's page is not to be found:\n%s", home)
	}
	contains(t, page(link[1]), `href="/mailbox?lang=de" target="_blank" rel="noopener"`)
	contains(t, page("/mailbox?lang=de"), `class="demobar"`, link[1], `aria-current="page"`)
}
