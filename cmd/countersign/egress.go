package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"github.com/countersign-id/countersign/notify"
)

// Whoever sets a URL that we call could have us call our own network with it, or have a name
// answer with one address when it is looked at and another when it is called. So
// the address is judged where the connection is made, after the name was resolved.

// forbidden are networks that nobody outside has a service in: RFC 6890 and what
// reaches them through IPv6.
var forbidden = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16",
	"fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)

var globalUnicast = netip.MustParsePrefix("2000::/3") // RFC 4291 2.4, as IANA gives it out

func prefixes(list ...string) (out []netip.Prefix) {
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// mayReach says whether a call may go to an address: to a public one, or into a
// network that the operator allows.
func mayReach(ip netip.Addr, allowed []netip.Prefix) bool {
	ip = ip.Unmap().WithZone("")
	for _, p := range allowed {
		if p.Contains(ip) {
			return true
		}
	}
	for _, p := range forbidden {
		if p.Contains(ip) {
			return false
		}
	}
	// Of IPv6 nothing else is in use: what is not there may be IPv4 in a form that somebody's network translates.
	return ip.IsGlobalUnicast() && (ip.Is4() || globalUnicast.Contains(ip))
}

const (
	egressDial      = 5 * time.Second
	egressIdle      = 90 * time.Second
	egressPerHost   = 16 // connections
	egressMaxHeader = 16 << 10
)

// newEgress is the client for URLs that others chose. It follows no redirects, since
// they would lead elsewhere, and obeys no proxy of the environment, behind which no
// address could be judged. Bounds on time are the callers'.
func newEgress(allowed []netip.Prefix) *http.Client {
	dialer := &net.Dialer{Timeout: egressDial, KeepAlive: 30 * time.Second, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !mayReach(at.Addr(), allowed) {
			return fmt.Errorf("call %s: %w", address, notify.ErrForbiddenAddress)
		}
		return nil
	}}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: egressDial,
			MaxIdleConnsPerHost: egressPerHost, MaxConnsPerHost: egressPerHost, IdleConnTimeout: egressIdle,
			MaxResponseHeaderBytes: egressMaxHeader, DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
