package main

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientAddress puts the address of the client that a request comes from in the
// place of the proxy's. Only a trusted proxy is believed, and of its X-Forwarded-For only
// what trusted proxies have added, read from the right: the rest is whatever
// the client wrote.
func (a *app) clientAddress(next http.Handler) http.Handler {
	var trusted []netip.Prefix
	for _, p := range a.config.Listeners.TrustedProxies {
		if prefix, err := netip.ParsePrefix(p); err == nil { // validate has read it
			trusted = append(trusted, prefix)
		}
	}
	isTrusted := func(ip netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(ip) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !isTrusted(peer.Addr().Unmap()) {
			next.ServeHTTP(w, r)
			return
		}
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		client := peer.Addr().Unmap()
		for _, hop := range slices.Backward(hops) {
			ip, ok := parseHop(strings.TrimSpace(hop))
			if !ok {
				break
			}
			if client = ip; !isTrusted(client) {
				break
			}
		}
		r = r.Clone(r.Context())
		r.RemoteAddr = net.JoinHostPort(client.String(), "0")
		next.ServeHTTP(w, r)
	})
}

// parseHop reads one element of X-Forwarded-For: an address, which some proxies
// write with a port, and an IPv6 one with brackets.
func parseHop(hop string) (netip.Addr, bool) {
	if withPort, err := netip.ParseAddrPort(hop); err == nil {
		return withPort.Addr().Unmap().WithZone(""), true
	}
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(hop, "["), "]"))
	return ip.Unmap().WithZone(""), err == nil
}
