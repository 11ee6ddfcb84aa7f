package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// healthcheckCommand asks the running service how it is, for what goes by an exit code: the image
// has no other program that could ask.
type healthcheckCommand struct {
	Alive bool `help:"Ask whether the process lives (/healthz), and not whether it can serve (/readyz)."`
}

// healthcheckTimeout is longer than the service takes to find its store down.
const healthcheckTimeout = readyTimeout + 2*time.Second

// Run prints the service's own word and exits with 1 if it is not well. It needs the
// configuration for the address alone, so it reads no secrets.
func (c *healthcheckCommand) Run(g *globals) error {
	config, _, err := loadConfig(g.configFile, g.environ, skipSecrets)
	if err != nil {
		return err
	}
	if config.Listeners.Operators == "" {
		return usagef("listeners.operators is not set in %s: it is where the service says how it is", g.configFile)
	}
	path := "/readyz"
	if c.Alive {
		path = "/healthz"
	}
	ctx, cancel := context.WithTimeout(g.ctx, healthcheckTimeout)
	defer cancel()
	resp, err := knock(ctx, config.Listeners.Operators, config.Listeners.OperatorsTLS, path)
	if err != nil {
		return fmt.Errorf("the service does not answer: %w", err)
	}
	defer resp.Body.Close()
	var said struct {
		Status string `json:"status"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<10)).Decode(&said); err != nil || said.Status == "" {
		return fmt.Errorf("what answers at %s is not countersign: %s", config.Listeners.Operators, resp.Status)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the service answers, and is not well: %q", said.Status)
	}
	_, err = fmt.Fprintln(g.stdout, said.Status)
	return err
}

// knock asks one of our own listeners, from the same machine. Whoever gets the answer closes its body.
// It goes to an address and not to a name, so that it takes whatever certificate it is shown.
func knock(ctx context.Context, address string, c ListenerTLSConfig, path string) (*http.Response, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1" // and not localhost, which takes a file that an image may lack
	}
	scheme := "http://"
	if c.on() {
		scheme = "https://"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return nil, err
	}
	direct := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // a proxy of the environment is not ours to ask
	return direct.Do(req)
}
