package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// Router is the proofing.Sender of the program: it renders a message and hands
// it to the provider of its channel.
type Router struct {
	renderer Renderer
	routes   map[proofing.Channel]*route
}

// route is one channel's provider with its bounds.
type route struct {
	name     string
	provider Provider
	turns    chan struct{}
	timeout  time.Duration
}

// NewRouter opens the provider of every channel. It reports every mistake at once.
func NewRouter(renderer Renderer, channels map[proofing.Channel]Config) (*Router, error) {
	r := &Router{renderer: renderer, routes: make(map[proofing.Channel]*route)}
	var mistakes []error
	for channel, c := range channels {
		route, err := newRoute(channel, c)
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("messages by %s: %w", channel, err))
			continue
		}
		r.routes[channel] = route
	}
	if len(mistakes) > 0 {
		return nil, errors.Join(append(mistakes, r.Close())...)
	}
	return r, nil
}

func newRoute(channel proofing.Channel, c Config) (*route, error) {
	entry, ok := providers[c.Provider]
	switch {
	case !ok:
		return nil, fmt.Errorf("there is no provider %q", c.Provider)
	case !slices.Contains(entry.channels, channel):
		return nil, fmt.Errorf("provider %q does not serve this channel", c.Provider)
	case c.Concurrency < 0 || c.Timeout < 0:
		return nil, errors.New("concurrency and timeout must not be negative")
	}
	p, err := entry.open(c)
	if err != nil {
		return nil, fmt.Errorf("provider %q: %w", c.Provider, err)
	}
	if c.Concurrency == 0 {
		c.Concurrency = defaultConcurrency
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	return &route{name: c.Provider, provider: p, turns: make(chan struct{}, c.Concurrency), timeout: c.Timeout}, nil
}

// Send implements proofing.Sender.
func (r *Router) Send(ctx context.Context, m proofing.Message) (proofing.Receipt, error) {
	route, ok := r.routes[m.Channel]
	if !ok {
		return proofing.Receipt{}, refused(reasonConfiguration, fmt.Errorf("no provider for messages by %s", m.Channel))
	}
	words, err := r.renderer.Render(m)
	if err != nil {
		return proofing.Receipt{}, refused(reasonConfiguration, fmt.Errorf("render %q: %w", m.Kind, err))
	}
	if err := route.wait(ctx); err != nil {
		return proofing.Receipt{}, err
	}
	defer func() { <-route.turns }()
	return route.deliver(ctx, m, words)
}

// wait takes a turn, which is given back by receiving from turns.
func (r *route) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	select {
	case r.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return notSent(reasonBusy, fmt.Errorf("wait for %s: %w", r.name, ctx.Err()))
	}
}

func (r *route) deliver(ctx context.Context, m proofing.Message, words Rendered) (proofing.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	receipt, err := r.provider.Deliver(ctx, m, words)
	if err == nil {
		return receipt, nil
	}
	var known *proofing.SendError
	if !errors.As(err, &known) {
		// A provider that does not say how sure it is has not earned a retry.
		return proofing.Receipt{}, unknown(reasonProvider, err)
	}
	return proofing.Receipt{}, known
}

// Callback returns the handler of the callbacks about messages of a channel, or
// nil if its provider makes none.
func (r *Router) Callback(channel proofing.Channel, report Report) http.Handler {
	route, ok := r.routes[channel]
	if !ok {
		return nil
	}
	if p, ok := route.provider.(Reporter); ok {
		return p.Callback(report)
	}
	return nil
}

// Close gives back what the providers hold, such as kept connections.
func (r *Router) Close() error {
	var errs []error
	for _, route := range r.routes {
		if c, ok := route.provider.(io.Closer); ok {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}
