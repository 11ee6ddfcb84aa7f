package dns

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The rest of the tests ask a double, which can be made to answer anything. This one asks BIND, which is what many resolvers are.

// bindZone is the whole of the top-level domain "test" that it serves.
const bindZone = `$TTL 300
@ IN SOA ns.test. desk.test. 1 3600 600 86400 60
@ IN NS ns.test.
ns IN A 127.0.0.1
example IN CAA 0 issue "ca.example; accounturi=https://ca.example/acct/1"
example IN CAA 0 iodef "mailto:desk@example.test"
www.example IN A 192.0.2.1
critical.example IN CAA 128 tbs "unknown"
alias.bare IN CNAME example
far.bare IN CNAME alias.bare
to-none.bare IN CNAME www.example
bare IN A 192.0.2.1
`

// startBind starts a named on this machine that answers for the zone as it would for others.
func startBind(t *testing.T, zone string) *Resolver {
	t.Helper()
	program, err := exec.LookPath("named")
	if err != nil {
		program = "/usr/sbin/named"
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatal("no named: `sh tools/bind.sh` installs it")
	}
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddrPort(l.Addr().String())
	l.Close()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("test.zone", zone)
	write("named.conf", fmt.Sprintf(`options {
	directory %[1]q; pid-file none; session-keyfile none; managed-keys-directory %[1]q; lock-file none;
	listen-on port %[2]d { 127.0.0.1; }; listen-on-v6 { none; };
	recursion yes; allow-recursion { 127.0.0.1; }; allow-query { 127.0.0.1; }; dnssec-validation no; empty-zones-enable no; check-integrity no;
};
controls { };
zone "test" { type primary; file "test.zone"; };
zone "broken.test" { type primary; file "missing.zone"; };
`, dir, addr.Port()))
	said, err := os.Create(filepath.Join(dir, "said"))
	if err != nil {
		t.Fatal(err)
	}
	named := exec.Command(program, "-g", "-c", filepath.Join(dir, "named.conf"), "-n", "1")
	named.Stdout, named.Stderr = said, said
	if err := named.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = named.Process.Signal(syscall.SIGTERM)
		_ = named.Wait()
		said.Close()
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		r := New(Options{Servers: []netip.AddrPort{addr}})
		if _, err := r.CAA(t.Context(), "example.test"); err == nil {
			return r
		} else if time.Now().After(deadline) {
			text, _ := os.ReadFile(said.Name())
			t.Fatalf("named does not answer: %v\n%s", err, text)
		}
	}
}

func TestBINDIsUnderstood(t *testing.T) {
	t.Parallel()
	var many strings.Builder // more than fits into a datagram
	for n := range 60 {
		fmt.Fprintf(&many, "many IN CAA 0 issue \"ca-%02d.example; policy=%s\"\n", n, strings.Repeat("x", 40))
	}
	r := startBind(t, bindZone+many.String())
	found := `example.test: 0 issue "ca.example; accounturi=https://ca.example/acct/1", 0 iodef "mailto:desk@example.test"`
	for name, want := range map[string]string{
		"example.test":            found,
		"www.example.test":        found, // there, without records
		"a.b.c.example.test":      found, // not there
		"critical.example.test":   `critical.example.test: 128 tbs "unknown"`,
		"a.critical.example.test": `critical.example.test: 128 tbs "unknown"`,
		"bare.test":               ":",
		"alias.bare.test":         strings.Replace(found, "example.test:", "alias.bare.test:", 1),
		"far.bare.test":           strings.Replace(found, "example.test:", "far.bare.test:", 1),
		"to-none.bare.test":       ":", // the tree of what it stands for is not climbed
		"www.broken.test":         "www.broken.test: the resolver answers SERVFAIL",
	} {
		if got := lookup(r, name); got != want && !sameRecords(got, want) {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
	if got := lookup(r, "many.test"); strings.Count(got, " issue ") != 60 {
		t.Errorf("of 60 records there are %d: %.200s", strings.Count(got, " issue "), got)
	}
}

// sameRecords says whether two sets have the same records, in whichever order: a server rotates them.
func sameRecords(a, b string) bool {
	sorted := func(s string) map[string]bool {
		at, records, _ := strings.Cut(s, ": ")
		set := map[string]bool{at: true}
		for _, r := range strings.Split(records, ", ") {
			set[r] = true
		}
		return set
	}
	x, y := sorted(a), sorted(b)
	for r := range x {
		if !y[r] {
			return false
		}
	}
	return len(x) == len(y)
}
