package main

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/countersign-id/countersign/notify"
)

func TestWhereWebhooksMayLead(t *testing.T) {
	allowed := []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16")}
	for address, want := range map[string]bool{
		"93.184.216.34": true, "2606:2800:220:1::1": true, "10.20.3.4": true, "::ffff:10.20.3.4": true,
		"10.21.3.4": false, "127.0.0.1": false, "127.8.8.8": false, "0.0.0.0": false, "169.254.169.254": false, "172.16.0.1": false,
		"172.31.255.255": false, "172.32.0.1": true, "192.168.1.1": false, "100.64.0.1": false, "100.128.0.1": true, "198.18.0.1": false,
		"224.0.0.1": false, "255.255.255.255": false, "::": false, "::1": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd00:ec2::254": false,
		"ff02::1": false, "::ffff:127.0.0.1": false, "::ffff:169.254.169.254": false, "::127.0.0.1": false, "64:ff9b::7f00:1": false, "64:ff9b:1::1": false,
		"2002:7f00:1::": false, "2001::1": false, "2001:db8::1": false, "2001:4860:4860::8888": true,
	} {
		if got := mayReach(netip.MustParseAddr(address), allowed); got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
}

// TestTheAddressIsJudgedWhereItIsCalled uses names, which are judged by what they stand for at that moment.
func TestTheAddressIsJudgedWhereItIsCalled(t *testing.T) {
	called := false
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }))
	defer s.Close()
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "0x7f.1", "017700000001"} {
		res, err := newEgress(nil).Get("http://" + host + ":" + port)
		if err == nil {
			res.Body.Close()
		}
		if err == nil || called {
			t.Errorf("%s was reached", host)
		}
		if (host == "127.0.0.1" || host == "localhost") && !errors.Is(err, notify.ErrForbiddenAddress) {
			t.Errorf("%s: %v", host, err)
		}
	}
	res, err := newEgress([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}).Get(s.URL)
	if err != nil || !called {
		t.Fatalf("an allowed network is not reached: %v", err)
	}
	res.Body.Close()
}

// TestNoProxyStandsBetween sets one, behind which no address could be judged.
func TestNoProxyStandsBetween(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:9")
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:9")
	if newEgress(nil).Transport.(*http.Transport).Proxy != nil {
		t.Error("calls go through whatever proxy the environment names")
	}
}
