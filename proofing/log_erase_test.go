package proofing_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

func TestWhatIsErasedIsErasedInTheLog(t *testing.T) {
	w := newWorld(t)
	c := w.prove(w.open("email"), "b", "email", "")
	w.prove(w.openAs("email", "second", "two@example.org"), "b", "email", "")
	w.sequenceAll()
	w.pass(time.Minute)
	var before []string
	for _, e := range w.log() {
		before = append(before, e.Leaf)
	}
	p, err := w.People.Get(t.Context(), c.Person)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.EraseForTest(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	w.sequenceAll()
	whole := 0
	for i, e := range w.log() {
		if i < len(before) && e.Leaf != before[i] {
			t.Errorf("leaf %d has changed", i)
		}
		if strings.Contains(string(e.Private), "applicant@example.org") || strings.Contains(string(e.Private), c.Person) {
			t.Errorf("entry %d still says who it was: %s", i, e.Private)
		}
		if strings.Contains(string(e.Private), "two@example.org") {
			whole++
		}
	}
	if whole < 2 {
		t.Error("what is said of somebody else is gone too")
	}
}

func TestAPersonsExportHasWhatTheLogTellsOfThem(t *testing.T) {
	w := withPasskeys(t)
	session := w.signUp(webauthntest.New())
	w.sequenceAll()
	_, err := w.Session(t.Context(), ownVisit(session))
	if err != nil {
		t.Fatal(err)
	}
	w.prove(w.openAs("email", "second", "two@example.org"), "c", "email", "")
	w.sequenceAll()
	out, err := w.Export(t.Context(), ownVisit(session))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(out.Log)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"opened", "evidence", "signed_in"} {
		if !strings.Contains(string(text), fmt.Sprintf(`"kind":%q`, kind)) {
			t.Errorf("no entry of kind %s: %s", kind, text)
		}
	}
	if !strings.Contains(string(text), "applicant@example.org") || strings.Contains(string(text), "two@example.org") {
		t.Errorf("the export: %s", text)
	}
}

func TestWhatIsPendingIsErasedToo(t *testing.T) {
	w := newWorld(t)
	c := w.prove(w.open("email"), "b", "email", "")
	p, err := w.People.Get(t.Context(), c.Person)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.EraseForTest(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	w.sequenceAll()
	for i, e := range w.log() {
		if len(e.Private) > 0 {
			t.Errorf("entry %d still says %s", i, e.Private)
		}
	}
}

// TestADamagedRecordHoldsUpNoErasure has a record that cannot be read, with something for the log, beside what is erased.
func TestADamagedRecordHoldsUpNoErasure(t *testing.T) {
	w := newWorld(t)
	u := &unreadable{KV: w.kv}
	w.over(u)
	log := &bytes.Buffer{}
	w.Log = slog.New(slog.NewJSONHandler(log, nil))
	beside := w.begin("email", 7, "email", "")
	c := w.prove(w.open("email"), "b", "email", "")
	p, err := w.People.Get(t.Context(), c.Person)
	if err != nil {
		t.Fatal(err)
	}
	u.id = beside.ID
	if err := w.EraseForTest(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), beside.ID) {
		t.Errorf("nothing is said of the damaged record:\n%s", log)
	}
	if c := w.reload(c); slices.ContainsFunc(c.Journal.Pending, func(e proofing.Entry) bool { return len(e.Private) > 0 }) {
		t.Errorf("it still says %+v", c.Journal.Pending)
	}
}

// TestWhatIsErasedWhileItIsListedIsErasedInTheLog erases between what a sequencer reads and the page that it makes of it.
func TestWhatIsErasedWhileItIsListedIsErasedInTheLog(t *testing.T) {
	w := newWorld(t)
	c := w.prove(w.open("email"), "b", "email", "")
	paused := &pausedKV{KV: w.kv, at: "r/log_page/", reached: make(chan bool), on: make(chan bool)}
	slow := w.process(paused)
	done := make(chan error)
	go func() { done <- slow.SequenceOnce(context.WithoutCancel(t.Context())) }()
	<-paused.reached
	p, err := w.People.Get(t.Context(), c.Person)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.EraseForTest(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	close(paused.on)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	w.sequenceAll()
	for i, e := range w.log() {
		if len(e.Private) > 0 {
			t.Errorf("entry %d still says %s", i, e.Private)
		}
	}
}

func TestPrivatePartsAreKeptForAsLongAsThePolicySays(t *testing.T) {
	w := newWorld(t)
	w.Policy.LogRetention = 30 * 24 * time.Hour
	w.open("email")
	w.sequenceAll()
	w.pass(20 * 24 * time.Hour)
	w.openMany("key-", 1)
	w.sequenceAll()
	w.pass(11 * 24 * time.Hour)
	w.sequenceAll()
	if all := w.log(); len(all[0].Private) > 0 || len(all[1].Private) == 0 {
		t.Errorf("after 31 and 11 days: %q, %q", all[0].Private, all[1].Private)
	}
}

// What no person is told of, and stays true until somebody changes it, is kept however old it is: the text of a policy and the name of an organization.
func TestThePolicyInForceStaysReadableHoweverOldItIs(t *testing.T) {
	w, _, _ := ruled(t)
	w.Policy.LogRetention = 30 * 24 * time.Hour
	w.logged()
	w.pass(31 * 24 * time.Hour)
	w.openMany("key-", 1)
	w.logged()
	w.pass(11 * 24 * time.Hour)
	w.logged()
	kept, erased := 0, 0
	for _, e := range w.log() { // roles count still: see TestWhatStillCountsIsKeptInTheLogHoweverOldItIs
		switch leaf := must[proofing.Leaf](t)(e.Said()); {
		case leaf.Kind == proofing.PolicyIsAdopted && len(e.Private) > 0:
			kept++
		case leaf.Of == proofing.SubjectSession && leaf.Commitment != "" && len(e.Private) == 0:
			erased++
		}
	}
	if kept != 1 || erased == 0 {
		t.Errorf("%d texts of a policy are kept, and the private parts of %d entries of sessions have gone", kept, erased)
	}
}
