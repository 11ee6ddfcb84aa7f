package dns

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestTheSystemsResolversAreThoseOfItsFile(t *testing.T) {
	for text, want := range map[string]string{
		"nameserver 192.0.2.53\noptions edns0\nnameserver 2001:db8::53\n":                                 "[192.0.2.53:53 [2001:db8::53]:53]",
		"# nameserver 192.0.2.1\nnameserver\nnameserver example.org\n nameserver\t192.0.2.53 # the first": "[192.0.2.53:53]",
		"nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4":          "[192.0.2.1:53 192.0.2.2:53 192.0.2.3:53]",
		"nameserver fe80::1%eth0": "[[fe80::1%eth0]:53]",
		"search example.org\n":    "[127.0.0.1:53]",
		"":                        "[127.0.0.1:53]",
	} {
		if got := fmt.Sprint(readResolvConf([]byte(text))); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestTheSystemsFileIsReadAgainAfterAWhile(t *testing.T) {
	path, c := filepath.Join(t.TempDir(), "resolv.conf"), newClock()
	s := &systemServers{path: path, now: c.now}
	if _, err := s.list(); err == nil {
		t.Error("there is no file, and nobody says so")
	}
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want string) {
		t.Helper()
		if got, err := s.list(); err != nil || fmt.Sprint(got) != want {
			t.Errorf("%v %v, want %s", got, err, want)
		}
	}
	write("nameserver 192.0.2.1")
	expect("[192.0.2.1:53]")
	write("nameserver 192.0.2.2")
	expect("[192.0.2.1:53]")
	c.pass(systemHolds)
	expect("[192.0.2.2:53]")
	c.pass(-time.Hour) // a clock that was set back
	write("nameserver 192.0.2.3")
	expect("[192.0.2.3:53]")
}

func TestAResolverIsReadWithItsPortOrWithout(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.53": "192.0.2.53:53", "192.0.2.53:5353": "192.0.2.53:5353", "2001:db8::53": "[2001:db8::53]:53", "[2001:db8::53]:5353": "[2001:db8::53]:5353",
		"example.org": "invalid AddrPort", "": "invalid AddrPort",
	} {
		if got, err := ParseServer(text); got.String() != want || (err != nil) != (want == "invalid AddrPort") {
			t.Errorf("%q: %s %v, want %s", text, got, err, want)
		}
	}
}
