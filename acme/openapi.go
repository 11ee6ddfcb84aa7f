package acme

import (
	_ "embed"
	"encoding/json"
	"net/http"

	"go.yaml.in/yaml/v3"
)

// openapiYAML describes every route and every answer. It is written by hand and
// is the product's manual for integrators; tests hold the code against it.
//
//go:embed openapi.yaml
var openapiYAML []byte

// documentMaxAge is short: a new version of the program may bring a new document.
const documentMaxAge = "public, max-age=300"

// document serves an embedded text.
func document(contentType string, body []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serveCached(w, r, contentType, documentMaxAge, body)
	})
}

// openapiJSON is the document for tools that read JSON alone.
func openapiJSON() []byte {
	var doc map[string]any
	if err := yaml.Unmarshal(openapiYAML, &doc); err != nil {
		panic("acme: openapi.yaml: " + err.Error())
	}
	body, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		panic("acme: openapi.yaml: " + err.Error())
	}
	return body
}
