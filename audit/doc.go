// Package audit makes of the log's pages what others can check it by, and checks what is kept of decisions as somebody does who was not
// there: with files and the log's public key, and without the server, its store and its word.
//
// The log is a Merkle tree (RFC 6962) in tiles, with checkpoints that the log's key has signed (C2SP tlog-checkpoint), proofs, and an export. All of
// that follows from the pages, which proofing makes: see docs/decisions/0031-the-log.md.
package audit
