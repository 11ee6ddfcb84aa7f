package webauthn

import (
	"errors"
	"fmt"
	"strconv"
)

// What can be wrong with an answer. Every error of FinishRegistration and
// FinishAssertion is one of these, with the details around it; callers tell them
// apart with errors.Is. None of them is a fault of the service.
var (
	ErrMalformed         = errors.New("malformed")
	ErrState             = errors.New("not a state of this ceremony")
	ErrExpired           = errors.New("ceremony expired")
	ErrType              = errors.New("wrong type of ceremony")
	ErrChallenge         = errors.New("wrong challenge")
	ErrOrigin            = errors.New("wrong origin")
	ErrCrossOrigin       = errors.New("made inside a page of another origin")
	ErrRPID              = errors.New("made for another relying party")
	ErrUserPresence      = errors.New("user was not present")
	ErrUserVerification  = errors.New("user was not verified")
	ErrBackupFlags       = errors.New("backup flags contradict each other or the registration")
	ErrAlgorithm         = errors.New("algorithm was not offered")
	ErrKey               = errors.New("public key is not acceptable")
	ErrRegistered        = errors.New("credential is registered already")
	ErrUnknownCredential = errors.New("unknown credential")
	ErrUser              = errors.New("credential of another user")
	ErrSignature         = errors.New("signature does not verify")
	ErrAttestation       = errors.New("attestation does not verify")
	ErrPolicy            = errors.New("authenticator is not acceptable here")
)

// shown is text from outside as it may stand in an error: quoted, and cut.
func shown(s string) string {
	const most = 80
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strconv.QuoteToASCII(s)
}

// guarded turns a panic of the library over bytes from outside into an error: its
// parsers read hostile input, and a person's answer must not end a request.
func guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: the library gave up: %v", ErrMalformed, p)
		}
	}()
	return f()
}
