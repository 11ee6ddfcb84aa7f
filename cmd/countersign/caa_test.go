package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/countersign-id/countersign/proofing"
)

// nameServer answers for every name with the records that are at it, and as if they were resolved for others.
func nameServer(t *testing.T, records ...string) (address string) {
	t.Helper()
	zone := map[string][]dns.RR{}
	for _, line := range records {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}
		zone[rr.Header().Name] = append(zone[rr.Header().Name], rr)
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	s := &dns.Server{PacketConn: conn, NotifyStartedFunc: func() { close(ready) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		a := new(dns.Msg).SetReply(q)
		a.RecursionAvailable, a.Answer = true, zone[q.Question[0].Name]
		_ = w.WriteMsg(a)
	})}
	go func() { _ = s.ActivateAndServe() }()
	<-ready
	t.Cleanup(func() { _ = s.Shutdown() })
	return conn.LocalAddr().String()
}

func TestTheProgramAsksTheResolversOfItsConfiguration(t *testing.T) {
	d := newDesk(t)
	d.rewrite("resolvers: []", fmt.Sprintf("resolvers: [%q]", nameServer(t, `example.org. 60 IN CAA 0 issue "ca.example"`)))
	c, _, err := loadConfig(d.config, nil, readSecrets)
	if err != nil {
		t.Fatal(err)
	}
	a, err := newApp(t.Context(), c, newLog(io.Discard, c.Log), time.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.close() })
	next, err := a.with(c, c) // as after a reload
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = next.router.Close() })
	for _, one := range []*app{a, next} {
		set, err := one.service.CAA.CAA(t.Context(), "www.example.org")
		if err != nil || set.At != "example.org" || len(set.Records) != 1 || set.Records[0] != (proofing.CAARecord{Tag: "issue", Value: "ca.example"}) {
			t.Errorf("%+v %v", set, err)
		}
	}
	if _, err := a.service.CAA.CAA(t.Context(), "example.com"); err != nil {
		t.Error(err)
	}
	w := httptest.NewRecorder()
	a.operators().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	contains(t, w.Body.String(), `countersign_caa_lookup_seconds_count{outcome="found"} 2`, `countersign_caa_lookup_seconds_count{outcome="none"} 1`)
}

func TestTheDoctorAsksTheResolvers(t *testing.T) {
	d := newPatient(t)
	d.run(exitOK, "ca", "add", "example", "--directory", "https://ca.example/dir", "--profile", "client")
	if said := d.doctor(exitOK); said["dns"] != "" || said["caa"] != "" {
		t.Errorf("nobody wants to know, and it says %q %q", said["dns"], said["caa"])
	}
	d.rewrite("resolvers: []", fmt.Sprintf("resolvers: [%q]", nameServer(t, `localhost. 60 IN CAA 0 issue "ca.example"`)))
	d.rewrite("caa: off", "caa: warn")
	d.run(exitOK, "ca", "add", "signing", "--directory", "https://ca.example/dir", "--profile", "code-signing")
	said := d.doctor(exitOK)
	d.expect(said, "dns", "ok", "the CAA records of localhost are at localhost")
	d.expect(said, "caa", "warn", "`countersign ca set signing --caa-identity NAME`")
	d.run(exitOK, "ca", "set", "signing", "--caa-identity", "ca.example")
	if said := d.doctor(exitOK); said["caa"] != "" {
		t.Error(said["caa"])
	}
	text, _ := os.ReadFile(d.config)
	begin := bytes.Index(text, []byte("resolvers: ["))
	address := string(text[begin : begin+bytes.IndexByte(text[begin:], '\n')])
	d.rewrite(address, "resolvers: ['127.0.0.1:1']")
	d.expect(d.doctor(exitOK), "dns", "warn", "127.0.0.1:1")
	d.rewrite("caa: warn", "caa: block")
	d.expect(d.doctor(exitFailure), "dns", "FAIL", "127.0.0.1:1")
}

func TestMistakesInWhatIsAskedOfCAA(t *testing.T) {
	for section, want := range map[string][]string{
		"    caa: off\n": nil, "    caa: warn\n": nil, "    caa: block\n": nil,
		"    caa: yes\n": {`c.yaml:9: profiles.device.caa: must be one of off, warn, block, not "yes"`},
		"dns: {resolvers: [192.0.2.53, '[2001:db8::53]:5353'], timeout: 8s}\n": nil,
		"dns: {resolvers: [resolver.example.org, '192.0.2.53:0'], timeout: 9s}\n": {
			`c.yaml:9: dns.resolvers[0]: must be an address such as 192.0.2.53 or [2001:db8::53]:5353, not "resolver.example.org"`,
			`c.yaml:9: dns.resolvers[1]: must be an address`, `c.yaml:9: dns.timeout: must be 1s to 8s, not 9s`},
		"dns: {resolvers: [192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4]}\n": {`c.yaml:9: dns.resolvers: has 4`},
	} {
		_, got := read(whole + section)
		slices.Sort(got)
		slices.Sort(want)
		t.Run(section, func(t *testing.T) { wantLines(t, got, want...) })
	}
	c, got := read(whole + "    caa: off\n")
	wantLines(t, got)
	if p := c.Profiles["device"].resolve("device", proofing.R4); p.CAA != proofing.CAAOff {
		t.Errorf("off is %q", p.CAA)
	}
	for mode, want := range map[string][]string{"block": {"warning: profiles.device.caa: blocks an organization by the domains of its registry entry alone"}, "warn": nil} {
		_, got = read(strings.Replace(whole, "[dns]", "[organization]", 1) + "    caa: " + mode + "\n")
		wantLines(t, got, want...)
	}
	_, got = read(strings.Replace(whole, "[dns]", "[permanent-identifier]", 1) + "    caa: block\n")
	wantLines(t, got, "warning: profiles.device.caa: does nothing")
}
