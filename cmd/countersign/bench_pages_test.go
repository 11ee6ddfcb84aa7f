package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// benchPages name the rows of the table of pages in docs/performance.md: a case that asks for a passkey, where
// people sign in, and what is theirs, each of somebody else for each caller.
var benchPages = []string{"echo", "case", "sign-in", "me"}

const keyedConfig = benchConfig + `  keyed: {title: Code signing, identifiers: [email], methods: [fido, email], require: {aal: 2, confirmed_addresses: [email]}}
`

// BenchmarkPages prints how fast pages are that wait for nobody.
func BenchmarkPages(b *testing.B) {
	onLoadedStores(b, func(b *testing.B, name, fsync string) {
		x := startServer(b, keyedConfig, []string{"client", "keyed"}, name, fsync, waiters)
		requests := x.visitors()
		rows := []waited{{name: benchPages[0], listener: "echo", requests: again(x.echoRequest())}}
		for _, page := range benchPages[1:] {
			rows = append(rows, waited{name: page, listener: "people", requests: again(requests[page]...)})
		}
		x.waits(b, name, "page", rows)
	})
}

// visitors has a person register a passkey and sign in with it in as many browsers as there are callers, and returns what
// each of them asks for, by page.
func (x *bench) visitors() map[string][][]byte {
	x.b.Helper()
	requests := map[string][][]byte{}
	first := newKeyed(x.b, "http://"+x.at["people"], "http://localhost:8080", clientOf(1))
	refs := x.openKeyed(x.callers + 1)
	first.enrol(refs[0])
	for n := range x.callers {
		k := first.again(clientOf(n + 2))
		k.signIn()
		headers := "Host: localhost\r\nAccept-Language: en\r\nX-Forwarded-For: " + k.client + "\r\nCookie: " + k.cookies() + "\r\n\r\n"
		for page, path := range map[string]string{"case": refs[n+1], "sign-in": "/me/sign-in", "me": "/me"} {
			requests[page] = append(requests[page], []byte("GET "+path+" HTTP/1.1\r\n"+headers))
		}
		if n == 0 {
			if page := k.get(refs[1]); !strings.Contains(page, "data-begin") {
				x.b.Fatalf("the case does not ask for a passkey: %s", page)
			}
		}
	}
	return requests
}

// openKeyed opens cases that ask for a passkey and returns where their pages are.
func (x *bench) openKeyed(n int) (paths []string) {
	x.b.Helper()
	wire := x.to("cas", 1)[0]
	for i := range n {
		body := fmt.Sprintf(`{"account": {"url": "https://ca.example/acct/k%d", "thumbprint": "%s"}, "identifier": {"type": "email", "value": "keyed-%d@example.org"}, "profile": "keyed"}`, i, benchThumbprint(), i)
		r, err := wire.ask(post("/v1/preauthorizations", x.caHeaders(i), body))
		if err != nil || r.status != http.StatusCreated {
			x.b.Fatalf("open: %d %v %s", r.status, err, r.body)
		}
		c, err := opened(r.body)
		if err != nil {
			x.b.Fatal(err)
		}
		paths = append(paths, "/c/"+c.ref)
	}
	return paths
}
