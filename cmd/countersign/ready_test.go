package main

import (
	"context"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-id/countersign/store/redistest"
)

// TestAClusterWithoutOneOfItsMastersIsReadyAndSaysSo takes each master away in turn, and then all.
func TestAClusterWithoutOneOfItsMastersIsReadyAndSaysSo(t *testing.T) {
	t.Parallel()
	nodes := redistest.StartCluster(t, "--cluster-require-full-coverage", "no")
	d := newDesk(t)
	d.at = time.Now()
	shared := d.nextOnRedis(nodes[0], "    cluster: true\n")
	shared.addCA("alpha")
	var log syncBuffer
	a := shared.app(&log)
	ctx, stop := context.WithCancel(t.Context())
	a.phase.Store(serving)
	ended := make(chan struct{})
	go func() { a.watchStore(ctx, 20*time.Millisecond); close(ended) }()
	defer func() { stop(); <-ended }()
	h := a.operators()
	await := func(code int, body, share string) {
		t.Helper()
		for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
			began := time.Now()
			got, said := probe(t, h, "/readyz")
			if took := time.Since(began); took > readyTimeout+10*time.Second {
				t.Fatalf("a probe was answered after %s", took)
			}
			_, all := probe(t, h, "/metrics")
			found := ""
			for line := range strings.Lines(all) {
				if figure, ok := strings.CutPrefix(line, "countersign_store_down_share "); ok {
					found = strings.TrimSpace(figure)
				}
			}
			right := found == share || share == "a third" && strings.HasPrefix(found, "0.3")
			if got == code && strings.TrimSpace(said) == body && right {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d %s and a figure of %q, want %d %s and %s", got, said, found, code, body, share)
			}
		}
	}
	const whole = `{"status":"ready"}`
	without := func(s *redistest.Server) string { return `{"parts_down":"` + s.Addr + `","status":"ready"}` }
	await(http.StatusOK, whole, "0")

	// One that is stopped and one that is dead, without an heir.
	masters, replicas := nodes[:3], nodes[3:]
	for _, s := range replicas {
		s.Kill()
	}
	masters[2].Signal(syscall.SIGSTOP)
	await(http.StatusOK, without(masters[2]), "a third")
	masters[2].Signal(syscall.SIGCONT)
	await(http.StatusOK, whole, "0")
	masters[0].Kill()
	await(http.StatusOK, without(masters[0]), "a third")
	masters[0].Start()
	await(http.StatusOK, whole, "0")

	for _, s := range masters {
		s.Kill()
	}
	await(http.StatusServiceUnavailable, `{"status":"store_down"}`, "1")
	contains(t, log.String(), "part of the store is down", masters[2].Addr, masters[0].Addr, "all of the store answers again")
}
