package acme_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/countersign-id/countersign/acme"
	"github.com/countersign-id/countersign/proofing"
)

type eventsAnswer struct {
	Events []struct {
		ID, Type  string
		Timestamp time.Time
		Sequence  int64
		Data      map[string]any
	}
	Next string
}

func (w *world) events(t *testing.T, token, query string) (a eventsAnswer) {
	t.Helper()
	if err := w.SequenceOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := w.do(t, "GET", "/v1/events"+query, token, "")
	if r.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", query, r.Code, r.Body)
	}
	if err := json.Unmarshal(r.Body.Bytes(), &a); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAnAuthorityReadsWhatHasChanged(t *testing.T) {
	w := newWorld(t)
	if a := w.events(t, w.token, ""); len(a.Events) != 0 || a.Next == "" {
		t.Fatalf("before anything happens: %+v", a)
	}
	opened := w.do(t, "POST", "/v1/preauthorizations", w.token, `{"account": {"url": "https://ca.example/acct/1", "thumbprint": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
		"identifier": {"type": "email", "value": "me@example.org"}, "profile": "client", "external_id": "order-7"}`)
	if opened.Code != http.StatusCreated {
		t.Fatalf("open: %d %s", opened.Code, opened.Body)
	}
	var object map[string]any
	_ = json.Unmarshal(opened.Body.Bytes(), &object)
	first := w.events(t, w.token, "")
	if len(first.Events) != 1 || first.Events[0].Type != "preauthorization.created" || first.Events[0].Sequence != 1 {
		t.Fatalf("after opening: %+v", first)
	}
	data := first.Events[0].Data
	if data["preauthorization"] != object["id"] || data["status"] != "pending" || data["challenge"] != "pending" || data["external_id"] != "order-7" || data["reason"] != nil || data["frozen"] != false {
		t.Errorf("what has changed: %v", data)
	}
	url := data["url"].(string)
	if r := w.do(t, "GET", strings.TrimPrefix(url, apiOrigin), w.token, ""); r.Code != http.StatusOK {
		t.Errorf("the URL of an event answers %d", r.Code)
	}
	if strings.Contains(opened.Body.String(), "me@example.org") && strings.Contains(mustJSON(t, first), "me@example.org") {
		t.Error("an event has an address")
	}
	if r := w.do(t, "POST", strings.TrimPrefix(url, apiOrigin), w.token, `{"status":"deactivated"}`); r.Code != http.StatusOK {
		t.Fatal(r.Code, r.Body)
	}
	second := w.events(t, w.token, "?after="+first.Next)
	if len(second.Events) != 1 || second.Events[0].Type != "preauthorization.deactivated" || second.Events[0].Data["status"] != "deactivated" {
		t.Errorf("after the first cursor: %+v", second)
	}
	if all := w.events(t, w.token, "?limit=1"); len(all.Events) != 1 || all.Next != first.Next {
		t.Errorf("one at a time: %+v", all)
	}
	if none := w.events(t, w.stranger, ""); len(none.Events) != 0 {
		t.Errorf("a stranger reads %+v", none)
	}
	// A stranger's place in their own feed says nothing of ours.
	if r := w.do(t, "GET", "/v1/events?after="+second.Next, w.stranger, ""); r.Code != http.StatusBadRequest {
		t.Errorf("with another's cursor a stranger gets %d", r.Code)
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestQueriesOfEventsAreRead(t *testing.T) {
	w := newWorld(t)
	for query, want := range map[string]int{
		"?limit=0": 400, "?limit=501": 400, "?limit=x": 400, "?wait=61": 400, "?wait=-1": 400, "?after=nonsense": 400, "?since=1": 400, "?limit=1&limit=2": 400,
		"?limit=500&wait=0": 200, "?after=": 200,
	} {
		if r := w.do(t, "GET", "/v1/events"+query, w.token, ""); r.Code != want {
			t.Errorf("%s: %d, want %d: %s", query, r.Code, want, r.Body)
		}
	}
	if r := w.do(t, "GET", "/v1/events", "csca.alpha.x.y", ""); r.Code != http.StatusUnauthorized {
		t.Errorf("without a credential: %d", r.Code)
	}
}

func TestACursorIntoWhatIsGoneIsToldSo(t *testing.T) {
	w := newWorld(t)
	w.open(t, "client")
	if err := w.SequenceOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.pass(31 * 24 * time.Hour)
	r := w.do(t, "GET", "/v1/events?after="+proofing.Place{Page: 1}.Cursor(), w.token, "")
	if r.Code != http.StatusGone || !strings.Contains(r.Body.String(), "urn:countersign:error:eventsExpired") {
		t.Errorf("%d %s", r.Code, r.Body)
	}
}

// TestTheBodyOfAWebhookIsAsDocumented draws an event of every change in every status.
func TestTheBodyOfAWebhookIsAsDocumented(t *testing.T) {
	schema := newContract(t).doc.Components.Schemas["Event"].Value
	body := acme.EventBody(apiOrigin)
	known := schema.Properties["type"].Value.Description
	for _, change := range []proofing.Change{proofing.ChangeCreated, proofing.ChangeStatus, proofing.ChangeFrozen, proofing.ChangeRestored, proofing.ChangeChallenge, proofing.ChangePing} {
		for _, status := range []proofing.Status{proofing.CaseOpen, proofing.CaseReview, proofing.CaseGranted, proofing.CaseRefused, proofing.CaseWithdrawn, proofing.CaseExpired, proofing.CaseRevoked} {
			if change == proofing.ChangeStatus && status == proofing.CaseOpen || change == proofing.ChangeChallenge && status != proofing.CaseOpen {
				continue // no case gets there
			}
			text, err := body(proofing.Event{ID: "evt_07x_1", Object: "07x", Sequence: 1, At: time.Now(), Change: change, Profile: "email", Status: status, Challenge: "processing", Frozen: change == proofing.ChangeFrozen, Reason: "x"})
			if err != nil {
				t.Fatal(err)
			}
			var v map[string]any
			if err := json.Unmarshal(text, &v); err != nil {
				t.Fatal(err)
			}
			if err := schema.VisitJSON(v, openapi3.EnableJSONSchema2020()); err != nil {
				t.Errorf("%s %s: %v\n%s", change, status, err, text)
			}
			if name := strings.TrimPrefix(v["type"].(string), "preauthorization."); !strings.Contains(known, "`"+name+"`") {
				t.Errorf("the type %s is not documented", v["type"])
			}
		}
	}
}
