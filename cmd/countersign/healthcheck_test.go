package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// setOperators puts the desk's listener for operators at an address.
func (d *desk) setOperators(line string) {
	d.t.Helper()
	text, err := os.ReadFile(d.config)
	if err == nil {
		err = os.WriteFile(d.config, []byte(strings.Replace(string(text), "operators: 127.0.0.1:8082", line, 1)), 0o600)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

func TestAHealthcheckRepeatsWhatTheServiceSays(t *testing.T) {
	d := newDesk(t)
	l := localListener(t)
	address := l.Addr().String()
	d.setOperators("operators: " + address)
	a := d.app(io.Discard)
	server := &http.Server{Handler: a.operators()}
	go server.Serve(l)
	t.Cleanup(func() { _ = server.Close() })
	_, said := d.run(exitFailure, "healthcheck")
	contains(t, said, `not well: "starting"`)
	a.phase.Store(serving)
	if out, _ := d.run(exitOK, "healthcheck"); out != "ready\n" {
		t.Error(out)
	}
	if err := a.storage.kv.Close(); err != nil {
		t.Fatal(err)
	}
	_, said = d.run(exitFailure, "healthcheck")
	contains(t, said, `not well: "store_down"`)
	if out, _ := d.run(exitOK, "healthcheck", "--alive"); out != "alive\n" {
		t.Error(out)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	_, said = d.run(exitFailure, "healthcheck", "--alive")
	contains(t, said, "does not answer")
}

func TestAHealthcheckAsksAListenerThatSpeaksTLS(t *testing.T) {
	p := newPKI(t)
	d := newDesk(t)
	l := localListener(t)
	files := p.write("operators", p.fresh())
	d.setOperators("operators: " + l.Addr().String() + "\n  operators_tls: {cert_file: " + files.CertFile + ", key_file: " + files.KeyFile + "}")
	l.Close()
	a := d.app(io.Discard)
	all, err := a.endpoints()
	if err != nil {
		t.Fatal(err)
	}
	stop, err := a.serveOperators(all[listenOperators], func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	a.phase.Store(serving)
	if out, _ := d.run(exitOK, "healthcheck"); out != "ready\n" {
		t.Error(out)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestAHealthcheckIsNotTakenInByAnother(t *testing.T) {
	d := newDesk(t)
	l := localListener(t)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "welcome") })}
	go server.Serve(l)
	t.Cleanup(func() { _ = server.Close() })
	// 0.0.0.0 is where it listens; from this machine it is reached at 127.0.0.1.
	d.setOperators("operators: " + strings.Replace(l.Addr().String(), "127.0.0.1", "0.0.0.0", 1))
	_, said := d.run(exitFailure, "healthcheck")
	contains(t, said, "is not countersign")
}

func TestAHealthcheckNeedsTheListenerForOperatorsAndNoSecrets(t *testing.T) {
	d := newDesk(t)
	d.setOperators("# nothing listens")
	_, said := d.run(exitUsage, "healthcheck")
	contains(t, said, "listeners.operators is not set")
	d.setOperators("operators: 127.0.0.1:1")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := knock(ctx, "127.0.0.1", ListenerTLSConfig{}, "/"); err == nil {
		t.Error("an address without a port is knocked at")
	}
}
