package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// whatAnswers is a page of each listener that answers 200 if all is well.
var whatAnswers = map[string]string{listenPeople: "/", listenCAs: "/openapi.yaml", listenOperators: "/readyz"}

// checkListener finds the service at an address, or the address free for it, and judges
// the certificate that it shows.
func checkListener(ctx context.Context, l listener, now time.Time) []checkup {
	u, shown := checkAddress(ctx, l)
	if !l.tls.on() {
		return []checkup{u}
	}
	return []checkup{u, checkCertificate(l, shown, now)}
}

// checkAddress also returns what the service shows of itself, if it answers by TLS.
func checkAddress(ctx context.Context, l listener) (u checkup, shown *tls.ConnectionState) {
	u = checkup{part: l.name, detail: l.address + " is free: the service is not running"}
	free, err := net.Listen("tcp", l.address)
	if err == nil {
		u.err = free.Close()
		return u, nil
	}
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	resp, err2 := knock(ctx, l.address, l.tls, whatAnswers[l.name])
	if err2 != nil {
		u.err = fmt.Errorf("%s can neither be listened at (%w) nor answers (%w)", l.address, err, err2)
		return u, nil
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 1<<10)
	u.detail = l.address + " answers"
	if resp.StatusCode != http.StatusOK {
		u.err = fmt.Errorf("%s answers with %s", l.address, resp.Status)
	}
	return u, resp.TLS
}

// checkCertificate judges the files, and whether the service shows what is in them.
func checkCertificate(l listener, shown *tls.ConnectionState, now time.Time) checkup {
	u := checkup{part: l.name + "-tls"}
	p, err := l.tls.load()
	if err != nil {
		u.err = err
		return u
	}
	left, warning, err := remaining(p.Leaf, now)
	u.detail = fmt.Sprintf("the certificate in %s holds for %s, until %s", l.tls.CertFile, roughly(left), when(p.Leaf.NotAfter))
	switch {
	case err != nil:
		u.err = err
	case shown != nil && !shown.PeerCertificates[0].Equal(p.Leaf):
		u.err = fmt.Errorf("the service shows another certificate than %s has: its log says why it has not been taken up", l.tls.CertFile)
	case warning != nil:
		u.err, u.warn = warning, true
	}
	return u
}
