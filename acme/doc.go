// Package acme is the side of countersign that certificate authorities see: an
// HTTP interface in the words of RFC 8555, the problem documents it answers
// with (RFC 9457), the statements it signs and the keys to verify them with, and
// the OpenAPI document that describes all of it.
//
// It translates and decides nothing: every question becomes one verb of
// proofing.Service, and every error of the domain one problem. The route table
// is at the top of api.go, the map of errors in problem.go, and the manual for
// integrators in openapi.yaml, which tests hold every route and answer against.
package acme
