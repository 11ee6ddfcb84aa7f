package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/redis/go-redis/v9"
)

// replicaError says that the master has a change, and fewer replicas than must.
type replicaError struct{ have, want int }

// Error implements error.
func (e replicaError) Error() string {
	return fmt.Sprintf("%d of %d replicas have the change", e.have, e.want)
}

// passing are the words of a server that is there and not ready yet: it loads its log, or a
// failover or the forming of a cluster is under way.
var passing = []string{"LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "READONLY", "NOREPLICAS"}

// OutOfReach says whether a store could not be opened for a reason that may pass by itself: the
// server cannot be reached, or is not ready. Everything else is a matter of settings (a
// password, a certificate, a right, a promise that the server does not make), and stays
// as it is however long one waits.
func OutOfReach(err error) bool {
	if slices.ContainsFunc(passing, func(word string) bool { return redis.HasErrorPrefix(err, word) }) {
		return true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return false
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Op != "remote error" // a TLS alert: it is there, and does not want us
	}
	if errors.Is(err, errReplica) || errors.Is(err, errReplaced) || errors.Is(err, errLags) {
		return true
	}
	_, noName := errors.AsType[*net.DNSError](err)
	_, alone := errors.AsType[replicaError](err)
	return noName || alone || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
