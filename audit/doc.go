// Package audit checks what is kept of decisions, as somebody does who was not there: with files and the log's public key, and
// without the server, its store and its word.
package audit
