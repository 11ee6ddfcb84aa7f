// Package client is how a certificate authority written in Go asks countersign who is behind an ACME account, and what
// it may have.
//
// A yes is a value and anything else is an error. There is no answer that could be taken for a yes by mistake: a refusal, a
// service that cannot be reached, an answer that is cut off or that is about another account are errors all, and [ACMEProblem]
// turns every one of them into what the authority may tell its ACME client.
//
// Calls are tried again where that can help: after a broken connection, a 429, 500, 502, 503 or 504, with Retry-After honoured.
// That is safe, since whatever creates carries an Idempotency-Key, and everything else may be repeated by contract. How long all of it may take is
// the context's to say.
//
// Whoever holds an ACME account is no authority and has no credential of one: a [Holder] asks by the account's key, for the one thing that it may
// have, an Authority Token (RFC 9447).
//
// A Client is for many goroutines at once. The package needs nothing but the standard library.
package client
