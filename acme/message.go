package acme

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// maxBody is the most that a request may carry.
const maxBody = 64 << 10

// readRequestBody reads a body of JSON. A request without a body needs no
// Content-Type.
func readRequestBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength != 0 {
		media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		charset := params["charset"]
		if err != nil || media != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") {
			return nil, newProblem(typeMediaType, "send application/json in UTF-8")
		}
	}
	return readAll(w, r)
}

// readAll reads a body of any kind.
func readAll(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, newProblem(typeTooLarge, fmt.Sprintf("a body has at most %d bytes", maxBody))
	}
	if err != nil {
		return nil, malformed("the body could not be read")
	}
	return body, nil
}

// answer is what a request is answered with, ready to be sent or to be kept.
type answer struct {
	status  int
	header  map[string]string
	body    []byte
	problem string // the type, if the answer is one
}

// jsonAnswer is an answer with a JSON body.
func jsonAnswer(status int, v any) (answer, error) {
	body, err := encodeJSON(v)
	if err != nil {
		return answer{}, err
	}
	return answer{status: status, header: map[string]string{"Content-Type": "application/json"}, body: body}, nil
}

// encodeJSON writes characters as they are: the text is not for HTML.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return b.Bytes(), nil
}

// write sends the answer. Answers carry links that open a person's page: nobody
// on the way may keep them.
func (ans answer) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	for name, v := range ans.header {
		h.Set(name, v)
	}
	w.WriteHeader(ans.status)
	_, _ = w.Write(ans.body) // a caller that has gone away cannot be told
}

// answer is the problem as an application/problem+json answer (RFC 9457 3).
func (p *problem) answer() answer {
	body, err := encodeJSON(p)
	if err != nil {
		panic("acme: a problem is strings and numbers: " + err.Error())
	}
	header := map[string]string{"Content-Type": "application/problem+json"}
	for name, v := range p.header {
		header[name] = v
	}
	if p.retryAfter > 0 {
		header["Retry-After"] = strconv.Itoa(int((p.retryAfter + time.Second - 1) / time.Second))
	}
	return answer{status: p.Status, header: header, body: body, problem: p.Type}
}

// set gives the problem's answer a header.
func (p *problem) set(name, v string) {
	if p.header == nil {
		p.header = map[string]string{}
	}
	p.header[name] = v
}

func isNotFound(err error) bool { return errors.Is(err, proofing.ErrNotFound) }
