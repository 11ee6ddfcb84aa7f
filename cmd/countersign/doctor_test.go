package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// lines are what the doctor says, by part.
func (d *desk) doctor(wantCode int) map[string]string {
	d.t.Helper()
	out, _ := d.run(wantCode, "doctor")
	said := map[string]string{}
	for line := range strings.Lines(out) {
		if fields := strings.Fields(line); len(fields) > 1 {
			said[fields[1]] = strings.TrimSpace(line)
		}
	}
	return said
}

func (d *desk) expect(said map[string]string, part, mark, words string) {
	d.t.Helper()
	if line := said[part]; !strings.HasPrefix(line, mark) || !strings.Contains(line, words) {
		d.t.Errorf("%s: %q, want %s with %q", part, line, mark, words)
	}
}

// newPatient is a desk whose addresses nothing listens at.
func newPatient(t *testing.T) *desk {
	t.Helper()
	d := newDesk(t)
	text, err := os.ReadFile(d.config)
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"people: 127.0.0.1:8080", "cas: 127.0.0.1:8081"} {
		l := localListener(t)
		name, _, _ := strings.Cut(address, " ")
		text = bytes.Replace(text, []byte(address), []byte(name+" "+l.Addr().String()), 1)
		l.Close()
	}
	if err := os.WriteFile(d.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTheDoctorOnAProgramThatIsNotRunning(t *testing.T) {
	d := newPatient(t)
	d.expect(d.doctor(exitOK), "store", "warn", "is not there yet")
	d.addCA("alpha")
	said := d.doctor(exitOK)
	d.expect(said, "config", "ok", "c.yaml")
	d.expect(said, "store", "ok", "opens, writes and reads")
	d.expect(said, "email", "ok", "mailbox page")
	d.expect(said, "clock", "warn", "no configured part tells the time")
	d.expect(said, "people", "ok", "is free: the service is not running")
}

func TestTheDoctorOnAStoreWithoutItsKeys(t *testing.T) {
	d := newPatient(t)
	d.addCA("alpha")
	for _, c := range []struct {
		words string
		spoil func(ring string) error
	}{
		{"0600", func(ring string) error { return os.Chmod(ring, 0o644) }},
		{"key ring", func(ring string) error { return os.WriteFile(ring, []byte("{"), 0o600) }},
		{"is missing", os.Remove},
	} {
		if err := c.spoil(d.dir + "/s.keys"); err != nil {
			t.Fatal(err)
		}
		d.expect(d.doctor(exitFailure), "store", "FAIL", c.words)
		_ = os.Chmod(d.dir+"/s.keys", 0o600)
	}
}

func TestTheDoctorOnListeners(t *testing.T) {
	at := func(address, path string) listener { // of those that are told apart by what answers
		for name, p := range whatAnswers {
			if p == path {
				return listener{name: name, address: address}
			}
		}
		t.Fatal(path)
		return listener{}
	}
	check := func(address, path string) checkup {
		return checkListener(t.Context(), at(address, path), time.Now())[0]
	}
	l := localListener(t)
	address := l.Addr().String()
	if u := func() checkup { l.Close(); return check(address, "/") }(); u.err != nil || !strings.Contains(u.detail, "free") {
		t.Errorf("a free address: %+v", u)
	}
	l = localListener(t)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/openapi.yaml" {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprint(w, strings.Repeat("x", 5000))
	})}
	go func() { _ = s.Serve(l) }()
	defer s.Close()
	if u := check(l.Addr().String(), "/openapi.yaml"); u.err != nil || !strings.Contains(u.detail, "answers") {
		t.Errorf("one that answers: %+v", u)
	}
	if u := check(l.Addr().String(), "/"); u.err == nil || !strings.Contains(u.err.Error(), "404") {
		t.Errorf("another program: %+v", u)
	}
	mute := localListener(t)
	defer mute.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if u := checkListener(ctx, at(mute.Addr().String(), "/"), time.Now())[0]; u.err == nil || !strings.Contains(u.err.Error(), "neither") {
		t.Errorf("one that says nothing: %+v", u)
	}
	if u := check("nonsense", "/"); u.err == nil {
		t.Errorf("no address: %+v", u)
	}
}

func TestTheDoctorOnCertificates(t *testing.T) {
	p := newPKI(t)
	d := newPatient(t)
	d.addCA("alpha")
	d.at = time.Now()
	files := p.write("doctor", p.fresh())
	text, err := os.ReadFile(d.config)
	if err == nil {
		err = os.WriteFile(d.config, bytes.Replace(text, []byte("listeners:\n"), fmt.Appendf(nil, "listeners:\n  operators_tls: {cert_file: %s, key_file: %s}\n", files.CertFile, files.KeyFile), 1), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	d.expect(d.doctor(exitOK), "operators-tls", "ok", "holds for 89 days")
	p.write("doctor", p.issue(newKey(t), -80*day, 5*day+time.Hour))
	d.expect(d.doctor(exitOK), "operators-tls", "warn", "in 5 days")
	p.write("doctor", p.issue(newKey(t), -80*day, -time.Hour))
	d.expect(d.doctor(exitFailure), "operators-tls", "FAIL", "has expired")

	s := d.serveTLS(p)
	l := listener{name: listenPeople, address: s.people, tls: s.config.Listeners.PeopleTLS}
	all := checkListener(t.Context(), l, time.Now())
	for deadline := time.Now().Add(20 * time.Second); len(all) > 0 && all[0].err != nil && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		all = checkListener(t.Context(), l, time.Now()) // a busy machine opens it late
	}
	if len(all) != 2 || all[0].err != nil || all[1].err != nil || !strings.Contains(all[1].detail, "holds for 89 days") {
		t.Errorf("one that serves: %+v", all)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	shown := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{p.fresh().Leaf}}
	if u := checkCertificate(l, shown, time.Now()); u.err == nil || !strings.Contains(u.err.Error(), "shows another certificate") {
		t.Errorf("one that shows another: %+v", u)
	}
}

func TestTheDoctorOnProviders(t *testing.T) {
	closed := localListener(t)
	host, port, _ := net.SplitHostPort(closed.Addr().String())
	closed.Close()
	c, lines := read(smtp(fmt.Sprintf("host: %s\n  port: %s", host, port)))
	if c == nil {
		t.Fatal(lines)
	}
	c.Providers.Email, c.SMTP.Host, c.SMTP.TLS, c.SMTP.AllowPlaintext = "smtp", host, "none", true
	_, _ = fmt.Sscan(port, &c.SMTP.Port)
	found := false
	for _, u := range checkProviders(t.Context(), c, time.Now) {
		if u.part == "email" {
			found = true
			if u.err == nil {
				t.Errorf("a mail server that is not there: %+v", u)
			}
		}
	}
	if !found {
		t.Error("nothing is said of the mail server")
	}
}

func TestTheDoctorOnTheClock(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for skew, fine := range map[time.Duration]bool{0: true, 30 * time.Second: true, -30 * time.Second: true, 31 * time.Second: false, -time.Hour: false} {
		if u := checkClock(now.Add(skew), now, "a provider"); (u.err == nil) != fine {
			t.Errorf("%v away: %+v", skew, u)
		}
	}
}

// Without a newAccount URL no binding is good.
func TestTheDoctorOnACAThatTakesNoKeys(t *testing.T) {
	d := newPatient(t)
	d.run(exitOK, "ca", "add", "alpha", "--directory", "https://ca.example/directory", "--profile", "client")
	d.expect(d.doctor(exitOK), "eab", "ok", "`countersign ca set alpha --new-account URL`")
	d.service(func(s *proofing.Service) {
		ca, err := s.Authority(t.Context(), "alpha")
		if err == nil {
			_, err = s.IssueKey(t.Context(), ca, proofing.KeyRequest{Profile: "client"})
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	d.expect(d.doctor(exitOK), "eab", "warn", "there are keys for it")
	d.run(exitOK, "ca", "set", "alpha", "--new-account", "https://ca.example/new-account")
	if said := d.doctor(exitOK); said["eab"] != "" {
		t.Error(said["eab"])
	}
}

func TestTheDoctorOnALogThatLacksAPage(t *testing.T) {
	d := newPatient(t)
	d.addCA("example")
	d.enter("one@example.org")
	d.expect(d.doctor(exitOK), "log", "ok", "entries as of")
	a := d.app(io.Discard)
	a.service.Recorder = nil // it stops before the tree has taken this in
	d.open("example", "client", proofing.Identifier{Type: "email", Value: "two@example.org"})
	err := a.service.SequenceOnce(t.Context())
	h, headErr := a.service.LogHead(t.Context())
	if err := errors.Join(err, headErr); err != nil {
		t.Fatal(err)
	}
	last := h.Next - 1
	if err := a.service.LogPages.Delete(t.Context(), proofing.FixedID(a.service.Hasher.Sum("log page", strconv.FormatInt(last, 10)))); err != nil {
		t.Fatal(err)
	}
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	d.expect(d.doctor(exitFailure), "log", "FAIL", fmt.Sprintf("page %d is missing: the store has lost", last))
}
