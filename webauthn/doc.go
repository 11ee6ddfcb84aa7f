// Package webauthn is our relying party for Web Authentication Level 3: a
// ceremony goes in, facts come out. It says which key answered and what is known
// of the authenticator that holds it, and never at which level.
//
// It knows nobody: not people, not cases, not storage. Its caller keeps what Begin
// returns (the ceremony's state) and what Finish returns (the credential's record),
// and spends a state in the same change that takes the answer into account. Judging
// is pure apart from the clock, so that it may run inside that change.
//
// The bytes are parsed and the signatures verified by go-webauthn's protocol
// package, which nothing else of ours may import. What is our policy is here: exact
// origins, what a challenge binds, which attestations are trusted, and what FIDO's
// metadata says of a model today.
package webauthn
