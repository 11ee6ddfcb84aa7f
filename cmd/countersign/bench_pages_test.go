package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// benchPages name the rows of the table of pages in docs/performance.md: a case that asks for a passkey, where
// people sign in, and what is theirs, each of somebody else for each caller.
var benchPages = []string{"echo", "case", "sign-in", "me"}

// pageCallers is how many look at pages at once.
const pageCallers = 64

const keyedConfig = benchConfig + `  keyed: {title: Code signing, identifiers: [email], methods: [fido, email], require: {aal: 2, confirmed_addresses: [email]}}
`

// BenchmarkPages prints how fast pages are that wait for nobody: as fast as answers come, in which each caller asks for the
// next page as soon as it has the last; and at half that rate, where a page counts from when it was due.
func BenchmarkPages(b *testing.B) {
	for _, s := range benchStores[:len(benchLoaded)] {
		b.Run(s.name, func(b *testing.B) {
			for range b.N {
				benchPagesOf(b, s.name, s.fsync)
			}
		})
	}
}

func benchPagesOf(b *testing.B, name, fsync string) {
	rounds, lasts := benchLength()
	x := startServer(b, keyedConfig, []string{"client", "keyed"}, name, fsync, pageCallers)
	requests := x.visitors()
	type figures struct{ ratio, rate, cost, late, halfLate, foreign []float64 }
	all := map[string]*figures{}
	for round := range rounds + 1 { // what is met first costs more
		var echo float64
		for _, page := range benchPages {
			listener, text := "people", requests[page]
			if page == "echo" {
				listener, text = "echo", [][]byte{x.echoRequest()}
			}
			wires := x.to(listener, x.callers)
			before := x.usage()
			profiled := x.profile(name+"-page-"+page, round, lasts)
			fast := closedLoop(x.callers, lasts, func(caller int, o *outcome) bool {
				began := time.Now()
				r, err := wires[caller].ask(text[caller%len(text)])
				o.count(r, err, http.StatusOK, time.Since(began))
				return err == nil
			})
			u := x.usage().since(before)
			<-profiled
			turns := make(chan int, pageCallers)
			for n := range pageCallers {
				turns <- n
			}
			half := openLoop(wires, fast.rate()/2, lasts, http.StatusOK, func() []byte {
				n := <-turns
				turns <- n
				return text[n%len(text)]
			})
			if bad := fast.bad + half.bad + fast.refused + half.refused; bad > 0 {
				b.Errorf("%s: %d bad or refused: %s%s", page, bad, fast.first, half.first)
			}
			if page == "echo" {
				echo = fast.rate()
			}
			if round == 0 {
				all[page] = &figures{}
				continue
			}
			f := all[page]
			f.ratio, f.rate, f.cost = append(f.ratio, fast.rate()/echo), append(f.rate, fast.rate()), append(f.cost, u.app*1e6/float64(max(fast.good, 1)))
			f.late, f.halfLate = append(f.late, milliseconds(fast.at(.99))), append(f.halfLate, milliseconds(half.at(.99)))
			f.foreign = append(f.foreign, u.foreign/fast.took.Seconds())
		}
	}
	for _, page := range benchPages {
		f := all[page]
		fmt.Printf("%s%.3f | %.0f | %.0f | %.1f | %.1f | %.2f |\n", benchRow(name, page), median(f.ratio), median(f.rate), median(f.cost), median(f.late), median(f.halfLate), median(f.foreign))
		b.ReportMetric(median(f.late), page+"-p99-ms")
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

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
