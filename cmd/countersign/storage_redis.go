package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/countersign-id/countersign/store"
)

// place is where the store is, for people.
func (c StoreConfig) place() string {
	if c.Kind == storeRedis {
		return "redis at " + strings.Join(c.Redis.Addresses, ", ")
	}
	return c.Path
}

// errNothingStored: the server answers, and nobody has used it as our store.
var errNothingStored = errors.New("there is nothing in it")

// openRedis is openStore for Redis. A store is made by leaving the mark of its key ring in it.
func openRedis(ctx context.Context, c StoreConfig, makeIt bool, now func() time.Time) (_ *storage, err error) {
	o, err := c.Redis.options()
	if err != nil {
		return nil, err
	}
	kv, err := store.OpenRedis(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, kv.Close())
		}
	}()
	empty, err := kv.Empty(ctx)
	if err != nil {
		return nil, err
	}
	if empty && !makeIt {
		return nil, usageError{fmt.Errorf("there is no store at %s: check store.redis in the configuration, its prefix too; `countersign ca add` makes the store when it adds the first CA (%w)", c.place(), errNothingStored)}
	}
	ring, err := openRing(c, empty, now)
	if err != nil {
		return nil, err
	}
	presence, err := store.Enter(ctx, kv, processName())
	if err != nil {
		return nil, c.unfit(err)
	}
	note := keepNote(presence)
	if err := claim(ctx, c, presence, ring); err != nil {
		note.leave()
		return nil, err
	}
	return &storage{kv: presence, ring: ring, made: empty, shared: kv, note: note}, nil
}

func (c RedisConfig) options() (store.RedisOptions, error) {
	o := store.RedisOptions{
		Addresses: c.Addresses, Master: c.MasterName, Cluster: c.Cluster,
		Username: c.Username, Password: c.Password.Reveal(),
		SentinelUsername: c.SentinelUsername, SentinelPassword: c.SentinelPassword.Reveal(),
		Prefix: c.Prefix, Replicas: c.Replicas, AcceptLessDurable: c.AcceptLessDurable,
	}
	if !c.TLS.Enabled {
		return o, nil
	}
	o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLS.CAFile != "" {
		text, err := os.ReadFile(c.TLS.CAFile)
		if err != nil {
			return o, usagef("store.redis.tls.ca_file: %v", err)
		}
		o.TLS.RootCAs = x509.NewCertPool()
		if !o.TLS.RootCAs.AppendCertsFromPEM(text) {
			return o, usagef("store.redis.tls.ca_file: there is no certificate in %s", c.TLS.CAFile)
		}
	}
	if c.TLS.CertFile != "" {
		shows, err := c.TLS.shows()
		if err != nil {
			return o, usagef("store.redis.tls.cert_file and key_file: %v", err)
		}
		o.TLS.GetClientCertificate = shows
	}
	return o, nil
}

// shows is what a connection shows the server. The files are read for each, since they are renewed while we run;
// a pair that is no good, or half replaced, leaves the one before.
func (c RedisTLSConfig) shows() (func(*tls.CertificateRequestInfo) (*tls.Certificate, error), error) {
	first, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, err
	}
	var last atomic.Pointer[tls.Certificate]
	last.Store(&first)
	return func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile); err == nil {
			last.Store(&pair)
		}
		return last.Load(), nil
	}, nil
}

func (c *Config) validateStore(r *report) {
	s := c.Store
	oneOf(r, "store.kind", s.Kind, storeSQLite, storeRedis)
	if s.Kind == storeSQLite {
		need(r, "store.path", s.Path)
		if s.Path != "" && s.Path == s.KeyRing {
			r.mistake("store.key_ring", "must be a file of its own, not the store's")
		}
	}
	need(r, "store.key_ring", s.KeyRing)
	if s.Kind == storeRedis || r.given("store.redis") {
		s.Redis.validate(r)
	}
	if s.Kind == storeSQLite && len(s.Redis.Addresses) > 0 { // whoever writes where Redis is means it
		if r.given("store.kind") {
			r.warning("store.redis", "is not used: store.kind is %s, and everything is kept in the file %s", storeSQLite, s.Path)
		} else {
			r.mistake("store.kind", "is not set, though store.redis is: write \"kind: %s\" to use it, or \"kind: %s\" to keep everything in the file %s", storeRedis, storeSQLite, s.Path)
		}
	}
}

var redisPrefix = regexp.MustCompile(`^[a-z0-9:_-]{1,32}$`)

const mostReplicas = 16

func (c RedisConfig) validate(r *report) {
	if len(c.Addresses) == 0 && !faulty(r, "store.redis.addresses") {
		r.mistake("store.redis.addresses", "is missing")
	}
	for i, address := range c.Addresses {
		path := "store.redis.addresses[" + strconv.Itoa(i) + "]"
		host, port, err := net.SplitHostPort(address)
		switch {
		case err != nil || host == "" || !isPort(port):
			r.mistake(path, "must be host:port, such as 127.0.0.1:6379, not %q", address)
		case !isLoopback(host) && !c.TLS.Enabled && !c.AllowPlaintext:
			r.mistake(path, "would be reached without TLS: set tls.enabled, since whoever reads the password on its way can change every record")
		}
	}
	switch {
	case c.MasterName != "" && c.Cluster:
		r.mistake("store.redis.cluster", "is not for sentinels: set either master_name or cluster")
	case len(c.Addresses) > 1 && c.MasterName == "" && !c.Cluster:
		r.mistake("store.redis.addresses", "are several: set master_name if they are sentinels, or cluster if they are its nodes")
	}
	if c.Username != "" && c.Password == "" && !faulty(r, "store.redis.password") {
		r.mistake("store.redis.username", "needs a password")
	}
	if c.SentinelUsername != "" && c.SentinelPassword == "" && !faulty(r, "store.redis.sentinel_password") {
		r.mistake("store.redis.sentinel_username", "needs a sentinel_password")
	}
	if c.SentinelPassword != "" && c.MasterName == "" {
		r.mistake("store.redis.sentinel_password", "is for sentinels: set master_name")
	}
	c.TLS.validate(r)
	if !redisPrefix.MatchString(c.Prefix) {
		r.mistake("store.redis.prefix", "must be 1 to 32 of a-z, 0-9, colon, hyphen and underscore, not %q", c.Prefix)
	}
	if (c.Replicas < 0 || c.Replicas > mostReplicas) && !faulty(r, "store.redis.replicas") {
		r.mistake("store.redis.replicas", "must be 0 to %d, not %d", mostReplicas, c.Replicas)
	}
	if c.Replicas == 0 && (c.MasterName != "") != c.Cluster && !faulty(r, "store.redis.replicas") {
		r.warning("store.redis.replicas", "is 0 where another server takes over: what a master acknowledged and no replica had when it died is lost; a spent code may be good again, and a grant unknown")
	}
	if c.AcceptLessDurable {
		r.warning("store.redis.accept_less_durable", "the store may forget what it has acknowledged: a spent code may be good again after a crash")
	}
}

func (c RedisTLSConfig) validate(r *report) {
	if (c.CertFile == "") != (c.KeyFile == "") {
		path := "store.redis.tls.cert_file"
		if c.KeyFile == "" {
			path = "store.redis.tls.key_file"
		}
		r.mistake(path, "cert_file and key_file go together: set both or neither")
	}
	if !c.Enabled && c.CAFile+c.CertFile+c.KeyFile != "" && !faulty(r, "store.redis.tls.enabled") {
		r.mistake("store.redis.tls.enabled", "must be true for the files to be used")
	}
}
