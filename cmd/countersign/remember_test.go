package main

import (
	"context"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

func TestAnIdleProcessForgetsItsVisitors(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	a := d.app(io.Discard)
	tables := 1 // of answers of the API
	for f := range reflect.TypeFor[proofing.Service]().Fields() {
		if strings.HasPrefix(f.Type.Name(), "Table[") {
			tables++
		}
	}
	if n := len(a.rememberers()); n < tables {
		t.Errorf("%d tables can forget; there are %d", n, tables)
	}
	ca, err := a.service.Authority(t.Context(), "example")
	if err == nil {
		_, _, err = a.service.Open(t.Context(), ca, proofing.OpenRequest{Applicant: proofing.Applicant{Kind: proofing.ByNobody}, Identifier: address, Profile: "client"})
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, text := probe(t, a.operators(), "/metrics"); a.remembered() == 0 || !strings.Contains(text, "countersign_remembered_bytes ") || strings.Contains(text, "countersign_remembered_bytes 0") {
		t.Errorf("%d bytes are remembered, and the figures do not say so:\n%s", a.remembered(), text)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); a.ageMemory(ctx, time.Millisecond) }()
	for deadline := time.Now().Add(time.Minute); a.remembered() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are still remembered", a.remembered())
		}
	}
	stop()
	<-ended
}
