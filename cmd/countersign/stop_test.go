package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestWhileItDrainsItServesAndIsNotReady(t *testing.T) {
	t.Parallel()
	const drain = 10 * time.Second
	a := newDesk(t).appWith(io.Discard, func(c *Config) { c.Listeners.Drain = drain })
	ctx, stop := context.WithCancel(t.Context())
	people := localListener(t)
	ended := make(chan error, 1)
	go func() { ended <- a.serve(ctx, []endpoint{{name: "people", listener: people, handler: a.people()}}) }()
	eventually(t, "it does not serve", func() bool { return a.phase.Load() == serving })
	operators := a.operators()
	began := time.Now()
	stop()
	eventually(t, "it is ready for ever", func() bool { code, _ := probe(t, operators, "/readyz"); return code == http.StatusServiceUnavailable })
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if resp, err := fresh.Get("http://" + people.Addr().String() + "/.well-known/jwks.json"); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("a new connection after %v: %v", time.Since(began), err)
	} else {
		resp.Body.Close()
	}
	if err := <-ended; err != nil || time.Since(began) < drain {
		t.Errorf("it ended after %v: %v", time.Since(began), err)
	}
	if _, err := net.Dial("tcp", people.Addr().String()); err == nil {
		t.Error("it still listens")
	}
}

func TestADrainHasBounds(t *testing.T) {
	d := newDesk(t)
	for value, code := range map[string]int{"0s": exitOK, "30s": exitOK, "31s": exitUsage, "-1s": exitUsage} {
		if got, _, said := call(t, []string{"COUNTERSIGN_LISTENERS_DRAIN=" + value}, "", "--config", d.config, "config", "check"); got != code {
			t.Errorf("%s: exit %d\n%s", value, got, said)
		}
	}
}

// TestAStopHasAnEnd tells a program to stop that has a request in hand whose body does not come.
func TestAStopHasAnEnd(t *testing.T) {
	d := newDesk(t)
	token := d.addCA("alpha")
	var environ []string
	var cas net.Listener
	for _, name := range []string{"PEOPLE", "OPERATORS", "CAS"} {
		cas = localListener(t)
		cas.Close()
		environ = append(environ, "COUNTERSIGN_LISTENERS_"+name+"="+cas.Addr().String())
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	said, exited, code := &syncBuffer{}, make(chan int, 1), make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"--config", d.config, "serve"}, &globals{
			environ: environ, stdin: strings.NewReader(""), stdout: io.Discard, stderr: said, now: time.Now,
			exit: func(code int) { exited <- code }, stopMost: 300 * time.Millisecond,
		})
	}()
	eventually(t, "it does not listen", func() bool { return strings.Contains(said.String(), `"for":"cas"`) })
	conn, err := net.Dial("tcp", cas.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/preauthorizations HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n", token)
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("the request is not in hand: %q, %v", line, err)
	}
	stop()
	select {
	case c := <-exited:
		if c != exitFailure {
			t.Errorf("exit %d", c)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits for ever")
	}
	contains(t, said.String(), "stopping takes too long")
	conn.Close()
	<-code
}
