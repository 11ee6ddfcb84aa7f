package main

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// listenAsSupervisor is a socket as systemd has it for a service of Type=notify.
func listenAsSupervisor(t *testing.T, name string) (heard func() string) {
	t.Helper()
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return func() string {
		t.Helper()
		_ = l.SetReadDeadline(time.Now().Add(time.Minute))
		word := make([]byte, 256)
		n, err := l.Read(word)
		if err != nil {
			t.Fatal(err)
		}
		return string(word[:n])
	}
}

// socketDir is short: the name of a socket has room for about a hundred characters.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestTheSupervisorHearsWhenWeServeAndWhenWeStop(t *testing.T) {
	d := newDesk(t)
	a := d.app(io.Discard)
	name := filepath.Join(socketDir(t), "notify")
	heard := listenAsSupervisor(t, name)
	a.supervisor = newSupervisor([]string{"NOTIFY_SOCKET=" + name})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- a.serve(ctx, []endpoint{{name: "operators", listener: localListener(t), handler: a.operators()}})
	}()
	if word := heard(); word != "READY=1" || a.phase.Load() != serving {
		t.Errorf("%q in phase %d", word, a.phase.Load())
	}
	stop()
	if word := heard(); word != "STOPPING=1" {
		t.Error(word)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestASupervisorThatIsNotThere(t *testing.T) {
	if err := newSupervisor(nil).tell(sayReady); err != nil {
		t.Error(err)
	}
	err := newSupervisor([]string{"NOTIFY_SOCKET=/nowhere/notify"}).tell(sayReady)
	if err == nil || !strings.Contains(err.Error(), "READY=1") {
		t.Error(err)
	}
}
