package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// mailHog is a running MailHog.
type mailHog struct {
	host string
	port int // of SMTP
	api  string
}

// buildMailHog builds the pinned MailHog once for all tests; go build finds out
// by itself whether there is anything to do.
var buildMailHog = sync.OnceValues(func() (string, error) {
	program, err := filepath.Abs(filepath.Join("..", "bin", "MailHog"))
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "-C", filepath.Join("..", "tools"), "build", "-o", program, "github.com/mailhog/MailHog").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build MailHog: %w: %s", err, out)
	}
	return program, nil
})

// startMailHog runs MailHog on free ports of this machine (by itself it would
// listen to the world) until the test ends. Its log holds whole mails and is dropped.
func startMailHog(t *testing.T, flags ...string) *mailHog {
	t.Helper()
	program, err := buildMailHog()
	if err != nil {
		t.Fatal(err)
	}
	smtpAddr, apiAddr := freeAddress(t), freeAddress(t)
	cmd := exec.Command(program, append([]string{
		"-smtp-bind-addr", smtpAddr, "-api-bind-addr", apiAddr, "-ui-bind-addr", apiAddr,
	}, flags...)...)
	cmd.Env = []string{"HOME=" + os.TempDir()} // none of its own variables
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	host, port := splitAddress(t, smtpAddr)
	h := &mailHog{host: host, port: port, api: "http://" + apiAddr}
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("tcp", smtpAddr); err == nil {
			_ = conn.Close()
			if res, err := http.Get(h.api + "/api/v1/messages"); err == nil {
				_ = res.Body.Close()
				return h
			}
		}
		if time.Since(start) > time.Minute {
			t.Fatal("MailHog does not come up")
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func splitAddress(t *testing.T, address string) (string, int) {
	t.Helper()
	a, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return a.IP.String(), a.Port
}

// stored is a mail as MailHog took it.
type stored struct {
	From, To string // of the envelope
	Raw      string
}

// search returns the mails that were sent to an address.
func (h *mailHog) search(t *testing.T, to string) []stored {
	t.Helper()
	var found struct {
		Items []struct {
			Raw struct {
				From string
				To   []string
				Data string
			}
		} `json:"items"`
	}
	h.get(t, "/api/v2/search?kind=to&limit=250&query="+url.QueryEscape(to), &found)
	var mails []stored
	for _, item := range found.Items {
		mails = append(mails, stored{From: item.Raw.From, To: strings.Join(item.Raw.To, ","), Raw: item.Raw.Data})
	}
	return mails
}

func (h *mailHog) get(t *testing.T, path string, into any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.api+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %d, %v", path, res.StatusCode, err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatal(err)
	}
}
