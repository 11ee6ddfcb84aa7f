package store_test

import (
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/countersign-id/countersign/store/redistest"
)

// redisServer is a server of this test's own, with a client to look at it past the store.
type redisServer struct{ *redistest.Server }

// durableArgs are what the store demands.
var durableArgs = redistest.Durable()

// startRedis starts a server on a free port of this machine.
func startRedis(t testing.TB, args ...string) *redisServer {
	t.Helper()
	return &redisServer{redistest.Start(t, args...)}
}

func (s *redisServer) client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: s.Addr, MaxRetries: -1, DialerRetries: 1, Protocol: 2, DisableIdentity: true})
}
