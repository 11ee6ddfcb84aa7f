package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/store"
)

// serveCommand runs `serve` as a process would, until the test ends or stop is called.
func (d *desk) serveCommand(environ ...string) (log *syncBuffer, stop context.CancelFunc, code chan int) {
	d.t.Helper()
	ctx, stop := context.WithCancel(d.t.Context())
	log, code = &syncBuffer{}, make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"--config", d.config, "serve"}, &globals{environ: environ, stdin: strings.NewReader(""), stdout: io.Discard, stderr: log, now: time.Now})
	}()
	d.t.Cleanup(stop)
	return log, stop, code
}

// ready is what /readyz says.
func ready(address string) (code int, said string) {
	resp, err := http.Get("http://" + address + "/readyz")
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

func unused(t *testing.T) string {
	t.Helper()
	l := localListener(t)
	defer l.Close()
	return l.Addr().String()
}

func TestServeWaitsForAStoreThatIsOutOfReachAndSaysSo(t *testing.T) {
	t.Parallel()
	certs, redis, operators := certificates(t), unused(t), unused(t)
	d := newPatient(t)
	d.onRedis(redis, certs, "")
	environ := []string{"COUNTERSIGN_LISTENERS_OPERATORS=" + operators}

	log, stop, code := d.serveCommand(environ...)
	eventually(t, "it does not say what it waits for", func() bool {
		status, said := ready(operators)
		return status == http.StatusServiceUnavailable && strings.Contains(said, `"status":"starting"`) && strings.Contains(said, `"waits_for":"store"`)
	})
	if resp, err := http.Get("http://" + operators + "/healthz"); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("it is not alive: %v", err)
	}
	c, _, err := loadConfig(d.config, environ, readSecrets)
	if err != nil {
		t.Fatal(err)
	}
	if conn, err := net.Dial("tcp", c.Listeners.People); err == nil {
		conn.Close()
		t.Error("people are let in before there is a store")
	}
	contains(t, log.String(), "the store is out of reach; waiting for it", "connection refused")
	stop()
	if got := <-code; got != exitOK {
		t.Errorf("told to stop while it waits: exit %d\n%s", got, log)
	}

	log, stop, code = d.serveCommand(environ...)
	eventually(t, "it does not wait", func() bool { return strings.Contains(log.String(), "waiting for it") })
	startRedisAt(t, redis, certs, "--appendfsync", "always")
	eventually(t, "it does not go on once the store is there", func() bool { status, _ := ready(operators); return status == http.StatusOK })
	contains(t, log.String(), `"msg":"the store is there"`)
	stop()
	if got := <-code; got != exitOK {
		t.Errorf("exit %d\n%s", got, log)
	}
}

func TestServeDoesNotWaitForAStoreThatIsWrong(t *testing.T) {
	t.Parallel()
	certs := certificates(t)
	durable, forgetful := startRedis(t, certs, "--appendfsync", "always"), startRedis(t, certs, "--appendfsync", "no")
	first := newPatient(t)
	first.onRedis(durable, certs, "")
	first.addCA("alpha")
	for what, prepare := range map[string]func(d *desk) (want string){
		"a server that may forget": func(d *desk) string {
			d.onRedis(forgetful, certs, "")
			return `its appendfsync is \"no\" and must be \"always\"`
		},
		"a password that is refused": func(d *desk) string {
			d.onRedis(durable, certs, "")
			if err := os.WriteFile(filepath.Join(d.dir, "redis-password"), []byte("wrong\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			return "WRONGPASS"
		},
		"a server that nobody vouches for": func(d *desk) string {
			d.onRedis(durable, certificates(t), "")
			return "certificate"
		},
		"another's key ring": func(d *desk) string {
			elsewhere := newDesk(t)
			elsewhere.addCA("beta")
			copyFile(t, filepath.Join(elsewhere.dir, "s.keys"), filepath.Join(d.dir, "s.keys"))
			d.onRedis(durable, certs, "")
			return "is not the key ring of the store"
		},
		"a key ring that everybody can read": func(d *desk) string {
			copyFile(t, filepath.Join(first.dir, "s.keys"), filepath.Join(d.dir, "s.keys"))
			if err := os.Chmod(filepath.Join(d.dir, "s.keys"), 0o644); err != nil {
				t.Fatal(err)
			}
			d.onRedis(durable, certs, "")
			return "0600"
		},
	} {
		d := newPatient(t)
		want := strings.ReplaceAll(prepare(d), `\"`, `"`)
		log, _, code := d.serveCommand("COUNTERSIGN_LISTENERS_OPERATORS=" + unused(t))
		select {
		case got := <-code:
			if got == exitOK || !strings.Contains(log.String(), want) {
				t.Errorf("%s: exit %d: %s", what, got, log)
			}
		case <-time.After(time.Minute):
			t.Errorf("%s: it waits: %s", what, log)
		}
	}
}

func TestAnErrorOfAFileIsNoReasonToWait(t *testing.T) {
	_, err := os.Open(filepath.Join(t.TempDir(), "none"))
	for what, err := range map[string]error{"a file that is not there": err, "nothing": nil, "any other": errors.New("x")} {
		if store.OutOfReach(fmt.Errorf("open: %w", err)) {
			t.Errorf("%s is waited for", what)
		}
	}
	_, err = net.Dial("tcp", unused(t))
	if err == nil || !store.OutOfReach(fmt.Errorf("open: %w", err)) {
		t.Errorf("%v is not waited for", err)
	}
}
