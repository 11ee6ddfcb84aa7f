// Package webauthntest has the other side of Web Authentication for tests: an
// authenticator with its browser in one, and an authority that vouches for it in the
// form of FIDO's metadata. It does as it is told, also what no honest one would do.
//
// It shares no code with what it tests: it writes its own CBOR and its own signatures.
package webauthntest
