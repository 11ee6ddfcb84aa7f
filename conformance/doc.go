// Package conformance asks an ACME server whether it does what RFC 8555 demands of external account bindings (7.3.4) and, where it serves
// them, of pre-authorizations (7.4.1), and says of each demand what it saw.
//
// It believes nothing that it can ask, and imports nothing of ours: its JWS are its own, of the standard library, so that a mistake of the
// service cannot be one of the kit as well. Every check sends a newAccount request that is right but for one thing, with an account key of its own,
// because a server must answer a key that it knows with its account whatever the request says (7.3.1).
//
//   - Bad bindings are sent first and the one good one last: a key may be good for one account, and a server that takes a bad one shows it either way.
//   - A refusal counts only if the good binding is taken in the end. Otherwise the key may have been what was refused, and nothing was shown.
//   - A server need not verify bindings at all (7.3.4); it may not reflect what it did not verify. So what it took in silence is held against
//     it only if it reflected the good one, or refused other bad ones: then it does verify.
//
// Accounts that a server makes are deactivated at the end (7.3.6), and no more than a ceiling are made.
package conformance
