package acme

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// docsHTML is the template of the manual's page. It has no script, loads
// nothing, and its one style sheet is named by hash in the policy.
//
//go:embed docs.html
var docsHTML string

// manual serves the OpenAPI document as a page, drawn once.
func manual() http.Handler {
	page, policy, err := drawManual()
	if err != nil { // an embedded text that is wrong: no request can meet it
		panic("acme: the manual: " + err.Error())
	}
	serve := document("text/html; charset=utf-8", page)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Frame-Options", "DENY")
		serve.ServeHTTP(w, r)
	})
}

// drawManual returns the page and the Content-Security-Policy that it needs.
func drawManual() (page []byte, policy string, err error) {
	doc := &openapi{}
	if err := yaml.Unmarshal(openapiYAML, doc); err != nil {
		return nil, "", err
	}
	t, err := template.New("docs").Funcs(template.FuncMap{
		"prose": prose, "json": inOrder, "rows": rows, "kind": kindOf, "parameter": doc.parameter,
		"response": doc.response, "example": doc.example, "header": doc.header, "join": strings.Join,
	}).Parse(docsHTML)
	if err != nil {
		return nil, "", err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, doc); err != nil {
		return nil, "", err
	}
	style := styleOf(b.String())
	sum := sha256.Sum256([]byte(style))
	policy = "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	return b.Bytes(), policy, nil
}

// styleOf is the text of the page's one style element, as a browser hashes it.
func styleOf(page string) string {
	_, rest, _ := strings.Cut(page, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	return style
}

// Operations are a tag's operations, in the order of the document.
func (d *openapi) Operations(tag string) []operation {
	var list []operation
	for _, p := range slices.Concat(d.Paths, d.callsBack()) {
		for _, m := range []struct {
			method string
			op     *operation
		}{{"GET", p.Value.Get}, {"POST", p.Value.Post}} {
			if m.op != nil && slices.Contains(m.op.Tags, tag) {
				op := *m.op
				op.Method, op.Path = m.method, p.Name
				op.Parameters = slices.Concat(p.Value.Parameters, op.Parameters)
				list = append(list, op)
			}
		}
	}
	return list
}

// callsBack are the requests that we make, under the words that stand for their URL.
func (d *openapi) callsBack() (list ordered[pathItem]) {
	for _, w := range d.Webhooks {
		list = append(list, named[pathItem]{Name: "your webhook", Value: w.Value})
	}
	return list
}

// parameter, header, response and example follow a reference into the components.
func (d *openapi) parameter(p parameter) parameter {
	if p.Ref != "" {
		return d.Components.Parameters.at(refName(p.Ref))
	}
	return p
}

func (d *openapi) header(p parameter) parameter {
	if p.Ref != "" {
		return d.Components.Headers.at(refName(p.Ref))
	}
	return p
}

func (d *openapi) response(r response) response {
	if r.Ref != "" {
		return d.Components.Responses.at(refName(r.Ref))
	}
	return r
}

func (d *openapi) example(e example) example {
	if e.Ref != "" {
		return d.Components.Examples.at(refName(e.Ref))
	}
	return e
}

// row is one member of an object, with the path to it.
type row struct {
	Name     string
	Required bool
	Schema   schema
}

// rows lists the members of a schema and of the unnamed objects within it.
func rows(s schema) []row { return appendRows(nil, "", s) }

func appendRows(list []row, path string, s schema) []row {
	for _, p := range s.Properties {
		name := path + p.Name
		list = append(list, row{name, slices.Contains(s.Required, p.Name), p.Value})
		list = appendRows(list, name+".", p.Value)
		if p.Value.Items != nil {
			list = appendRows(list, name+"[].", *p.Value.Items)
		}
	}
	if s.Items != nil && path == "" {
		list = appendRows(list, "[].", *s.Items)
	}
	return list
}

// part is a piece of what is said of a schema's kind; Ref links to a schema.
type part struct{ Text, Ref string }

// kindOf says in few words what a value is.
func kindOf(s schema) []part {
	switch {
	case s.Ref != "":
		return []part{{refName(s.Ref), refName(s.Ref)}}
	case s.Const != nil:
		return []part{{Text: fmt.Sprint(s.Const)}}
	case s.Items != nil:
		return append([]part{{Text: "array of "}}, kindOf(*s.Items)...)
	case len(s.Enum) > 0:
		return []part{{Text: strings.Join(s.Enum, " | ")}}
	case len(s.Type) > 0:
		text := strings.Join(s.Type, " | ")
		if s.Format != "" {
			text += ", " + s.Format
		}
		return []part{{Text: text}}
	}
	var parts []part
	for i, one := range slices.Concat(s.OneOf, s.AnyOf) {
		if i > 0 {
			parts = append(parts, part{Text: " | "})
		}
		parts = append(parts, kindOf(one)...)
	}
	return parts
}

var (
	code = regexp.MustCompile("`([^`]+)`")
	bold = regexp.MustCompile(`\*\*([^*]+)\*\*`)
)

// prose draws the little Markdown that the document uses: paragraphs, lists, bold, code.
func prose(text string) template.HTML {
	var b strings.Builder
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		if strings.HasPrefix(block, "- ") {
			b.WriteString("<ul>")
			for item := range strings.SplitSeq("\n"+block, "\n- ") {
				if item != "" {
					b.WriteString("<li>" + inline(item) + "</li>")
				}
			}
			b.WriteString("</ul>")
		} else {
			b.WriteString("<p>" + inline(block) + "</p>")
		}
	}
	return template.HTML(b.String()) // everything in it was escaped by inline
}

func inline(text string) string {
	text = template.HTMLEscapeString(text)
	return bold.ReplaceAllString(code.ReplaceAllString(text, "<code>$1</code>"), "<strong>$1</strong>")
}
