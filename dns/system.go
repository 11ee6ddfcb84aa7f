package dns

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"
)

const (
	resolvConf = "/etc/resolv.conf"
	// systemHolds is how long the system's list is taken to be as it was.
	systemHolds = 30 * time.Second
	// mostServers is how many of them count (resolv.conf(5)).
	mostServers = 3
	port        = 53
)

// systemServers are the resolvers that the system asks.
type systemServers struct {
	path string
	now  func() time.Time

	mu      sync.Mutex
	read    time.Time
	servers []netip.AddrPort
}

func (s *systemServers) list() ([]netip.AddrPort, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.servers != nil && s.now().Sub(s.read).Abs() < systemHolds {
		return s.servers, nil
	}
	text, err := os.ReadFile(s.path)
	if err != nil {
		return nil, fmt.Errorf("read which resolvers the system asks: %w", err)
	}
	s.read, s.servers = s.now(), readResolvConf(text)
	return s.servers, nil
}

// readResolvConf lists the resolvers of a resolv.conf(5). A file that names none means this machine.
func readResolvConf(text []byte) (servers []netip.AddrPort) {
	for line := range bytes.Lines(text) {
		words := bytes.Fields(line)
		if len(words) < 2 || string(words[0]) != "nameserver" || len(servers) == mostServers {
			continue
		}
		if ip, err := netip.ParseAddr(string(words[1])); err == nil {
			servers = append(servers, netip.AddrPortFrom(ip, port))
		}
	}
	if servers == nil {
		servers = []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)}
	}
	return servers
}

// ParseServer reads the address of a resolver, with a port or without.
func ParseServer(text string) (netip.AddrPort, error) {
	if ip, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(ip, port), nil
	}
	return netip.ParseAddrPort(text)
}
