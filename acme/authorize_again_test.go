package acme_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// A question that comes twice, at once and at two processes, opens one case for each identifier and no more, and leads everybody to it: that is
// what an Idempotency-Key would be for. There is no header by which a CA could ask otherwise.
func TestAQuestionThatIsAskedManyTimesAtOnceOpensEachCaseOnce(t *testing.T) {
	_, public, _ := makeCSR(t)
	for applicant, body := range map[string]string{
		"an account":   question("client", "email:one@example.org", "email:two@example.org"),
		"a public key": `{"public_key":"` + public + `","identifiers":[{"type":"email","value":"one@example.org"},{"type":"email","value":"two@example.org"}],"profile":"client"}`,
	} {
		w := newWorld(t)
		_, beside := w.process(t)
		processes := []http.Handler{w.handler, beside}
		answers := make([]object, 20)
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() {
				r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/authorize", strings.NewReader(body))
				r.Header.Set("Authorization", "Bearer "+w.token)
				r.Header.Set("Content-Type", "application/json")
				if i%4 > 1 { // it changes nothing
					r.Header.Set("Idempotency-Key", "order-7")
				}
				answers[i] = decode(t, w.exchangeAt(t, processes[i%2], r, body))
			})
		}
		all.Wait()
		links := map[string]bool{}
		for _, a := range answers {
			for _, sub := range a.object("error").list("subproblems") {
				links[sub.object("identifier").text("value")+" "+sub.text("instance")] = true
			}
		}
		if n := w.countCases(t); n != 2 || len(links) != 2 {
			t.Errorf("%s: %d cases were opened, and the answers lead to %v", applicant, n, links)
		}
	}
}

// An answer is judged anew each time, whatever header comes with the question: a yes that was kept for a day would outlive what it rests on.
func TestNoIdempotencyKeyBringsAnEarlierAnswerBack(t *testing.T) {
	w := newWorld(t)
	key := []string{"Idempotency-Key", "order-7"}
	ask := func(body string) object { return w.want(t, 200, "POST", "/v1/authorize", body, key...) }
	body := question("client", "email:"+applicant)
	no := ask(body)
	w.prove(t, no.object("error").text("instance"), applicant)
	yes := ask(body)
	if no["allow"] != false || yes["allow"] != true {
		t.Fatalf("first %v, then %v", no, yes)
	}
	if _, err := w.Revoke(t.Context(), yes["authorizations"].([]any)[0].(string), "test"); err != nil {
		t.Fatal(err)
	}
	if again := ask(body); again["allow"] != false {
		t.Errorf("once the grant is revoked the answer is %v", again)
	}
	if other := ask(question("client", "email:other@example.org")); other["allow"] != false {
		t.Errorf("another question with the key is answered %v", other)
	}
}
