package web

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// proofs proves the first entries of a log, and says what it was asked.
type proofs struct{ covered int64 }

func (proofs) Stated(context.Context) (string, string, error) {
	return "proof.example.org/log\n17\n<root>\n", "proof.example.org/log+key", nil
}

func (p proofs) ProofFile(_ context.Context, place int64, leaf string) ([]byte, error) {
	if place >= p.covered {
		return nil, proofing.ErrNotFound
	}
	return json.Marshal(map[string]any{"index": place, "leaf": leaf})
}

// logged is the place of an object's last entry of a kind.
func (c *court) logged(object string, kind proofing.EntryKind) (place int64) {
	c.t.Helper()
	if err := c.svc.SequenceOnce(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	_, list, _, err := c.svc.LogOf(c.t.Context(), c.visits(c.one), object, 0, 100)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, e := range list {
		if e.Leaf.Kind == kind {
			return e.Place
		}
	}
	c.t.Fatalf("%s has no entry %s", object, kind)
	return 0
}

func TestTheLogIsReadLookedUpAndProved(t *testing.T) {
	c := newCourt(t)
	c.item(proofing.ItemDraft{Kind: proofing.ItemPlace, Value: "Secret <Street> 1", SourceKind: proofing.SourceLetter})
	place := c.logged(c.org.ID, proofing.OrganizationItem)
	c.want(c.one.get("/admin/log"), 200, "There is no checkpoint yet.", "Recorded in a dossier", "Signed in")
	c.svc.Prover = proofs{place + 1}
	c.want(c.one.get("/admin/log"), 200, "&lt;root&gt;", "proof.example.org/log&#43;key", `href="/admin/log/checkpoint"`, fmt.Sprintf(`href="/admin/log/%d"`, place), "Older ones")

	// What the log tells of an object, from its own page and by its id.
	of := "/admin/log?find=" + c.org.ID
	c.want(c.specialist.get(c.dossier()), 200, `href="`+of+`"`)
	c.want(c.specialist.get(of), 200, "Dossier opened", "Recorded in a dossier", "Secret &lt;Street&gt; 1", `href="`+c.dossier()+`"`, "<bdi>specialist</bdi>")
	c.want(c.one.get(personPath(c.office[c.approver].ID)), 200, `href="/admin/log?find=`+c.office[c.approver].ID+`"`)
	c.want(c.one.get("/admin/log?find=+"+c.office[c.approver].ID), 200, "Appointment proposed", "Appointment taken up", "Appointment confirmed")
	for _, find := range []string{"x", "0", "999999", "%3Cb%3E", c.org.ID + "x"} {
		page := c.approver.get("/admin/log?find=" + find) // entry 0 is not the approver's
		c.want(page, 200, "There is nothing of this id or number for you to see.")
	}
	entry := entryPath(place)
	if to := c.specialist.follow(c.specialist.get(fmt.Sprint("/admin/log?find=", place, "&lang=de"))); to != entry+"?lang=de" {
		t.Errorf("the number of an entry leads to %s", to)
	}

	// One entry with its proof.
	c.want(c.specialist.get(entry), 200, "Recorded in a dossier", "Secret &lt;Street&gt; 1", "&#34;kind&#34;: &#34;organization_item&#34;", "The proof as a file", "The entry before", "The entry after")
	w := c.specialist.get(entry + "/proof")
	var file struct {
		Index int64
		Leaf  string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &file); err != nil || file.Index != place || !strings.Contains(file.Leaf, c.org.ID) || strings.Contains(file.Leaf, "Street") {
		t.Errorf("the proof is %s (%v)", w.Body, err)
	}
	if got := w.Header().Get("Content-Disposition"); got != fmt.Sprintf(`attachment; filename="entry-%d-proof.json"`, place) || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("sent as %q, %q", got, w.Header().Get("Content-Type"))
	}
	w = c.approver.get("/admin/log/checkpoint")
	if w.Code != 200 || w.Body.String() != "proof.example.org/log\n17\n<root>\n" || w.Header().Get("Content-Disposition") != `attachment; filename="checkpoint.txt"` || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("the checkpoint: %d %s %v", w.Code, w.Body, w.Header())
	}
	c.svc.Prover = proofs{place}
	c.want(c.specialist.get(entry), 200, "No checkpoint covers this entry yet.")
	c.want(c.specialist.get(entry+"/proof"), 404)
	for _, path := range []string{"/admin/log/-1", "/admin/log/01", "/admin/log/x", "/admin/log/99999999", "/admin/log/x/proof", "/admin/log/9223372036854775808"} {
		c.want(c.one.get(path), 404)
	}

	// From page to page, each entry once.
	seen, at := map[string]int{}, "/admin/log"
	for at != "" {
		page := c.one.get(at).Body.String()
		for _, m := range regexp.MustCompile(`<h3><a href="/admin/log/(\d+)">`).FindAllStringSubmatch(page, -1) {
			seen[m[1]]++
		}
		at = ""
		if m := regexp.MustCompile(`<a href="([^"]*before=\d+)" rel="next"`).FindStringSubmatch(page); m != nil {
			at = html.UnescapeString(m[1])
		}
	}
	h, err := c.svc.LogHead(t.Context())
	if err != nil || int64(len(seen)) != h.Size {
		t.Errorf("%d of %d entries, %v", len(seen), h.Size, err)
	}
	for place, n := range seen {
		if n != 1 {
			t.Errorf("entry %s is there %d times", place, n)
		}
	}
}

func TestNothingOfTheLogIsSeenByOthers(t *testing.T) {
	c := newCourt(t)
	c.item(proofing.ItemDraft{Kind: proofing.ItemPlace, Value: "Secret Street", SourceKind: proofing.SourceLetter})
	k := c.submitted("signing")
	item, decided, admins := c.logged(c.org.ID, proofing.OrganizationItem), c.logged(k.ID, proofing.EntryOpened), c.logged(c.administrators()[0], proofing.AppointmentIsProposed)
	c.svc.Prover = proofs{1 << 40}
	people := c.strangers()
	get := func(path string) func(m *colleague) *httptest.ResponseRecorder {
		return func(m *colleague) *httptest.ResponseRecorder { return m.get(path) }
	}
	anybody := []string{"other organization", "other reviewer", "other operator", "operator", "administrator", "requester", "approver", "specialist", "reviewer", "away"}
	readers := everybody(200, "operator", "administrator", "requester", "approver", "specialist", "reviewer", "away")
	c.hold(people, "Secret Street", []call{
		{"an entry of the dossier", get(entryPath(item)), readers},
		{"its proof", get(entryPath(item) + "/proof"), readers},
		{"an entry of a request", get(entryPath(decided)), readers},
		{"an entry of an administrator", get(entryPath(admins)), everybody(200, "administrator")},
		{"its proof", get(entryPath(admins) + "/proof"), everybody(200, "administrator")},
		{"the log", get("/admin/log"), everybody(200, anybody...)},
		{"the checkpoint", get("/admin/log/checkpoint"), everybody(200, anybody...)},
	})
	for who, m := range people {
		if m.get("/admin/log").Code != 200 {
			continue
		}
		body := m.get("/admin/log?find="+c.org.ID).Body.String() + m.get("/admin/log").Body.String()
		if sees := strings.Contains(body, "Secret Street"); sees != (readers[who] != 0) {
			t.Errorf("%s sees the dossier's entries: %v", who, sees)
		}
		// What stands beside the leaf of a request's entry is not for the organization's people.
		page := m.get(entryPath(decided)).Body.String()
		if hidden := strings.Contains(page, "which is not yours to see"); readers[who] != 0 && hidden != (who == "approver" || who == "requester") {
			t.Errorf("%s: hidden is %v in:\n%s", who, hidden, page)
		}
	}
	before := c.stored(k)
	for _, path := range []string{"/admin/log", entryPath(item), entryPath(item) + "/proof", "/admin/log/checkpoint"} {
		c.one.send("HEAD", path, nil)
		if w := c.one.post(path); w.Code != 405 {
			t.Errorf("POST %s: %d", path, w.Code)
		}
	}
	if c.stored(k) != before {
		t.Error("looking at the log has changed a request")
	}
}

// TestWhatTheConsoleNamesHasWords finds the closed lists of the domain that the pages of dossiers, people and the log have words for.
func TestWhatTheConsoleNamesHasWords(t *testing.T) {
	all := map[string]*regexp.Regexp{
		"entry": regexp.MustCompile(`EntryKind = "([a-z_]+)"`), "subject": regexp.MustCompile(`Subject = "([a-z_]+)"`), "item_source": regexp.MustCompile(`\sSourceKind = "([a-z_]+)"`),
		"role_source": regexp.MustCompile(`RoleSourceKind = "([a-z_]+)"`), "appointment": regexp.MustCompile(`AppointmentStatus = "([a-z_]+)"`), "item_what": regexp.MustCompile(`ItemKind = "([a-z_]+)"`),
		"item": regexp.MustCompile(`ItemKind = "([a-z_]+)"`), "lack": regexp.MustCompile(`\bLack[A-Z]\w* += "([a-z_]+)"`), "move": regexp.MustCompile(`\bMove[A-Z]\w* += "([a-z_]+)"`),
		"move_what": regexp.MustCompile(`\bMove[A-Z]\w* += "([a-z_]+)"`), "move_do": regexp.MustCompile(`\bMove[A-Z]\w* += "([a-z_]+)"`), "item_need": regexp.MustCompile(`\bNeed = "([a-z_]+)"`),
		"role": regexp.MustCompile(`\bRole = "([a-z_]+)"`), "finding": regexp.MustCompile(`\bFinding[A-Z]\w* += "([a-z_]+)"`), "awaits": regexp.MustCompile(`Awaits\s+= "([a-z_]+)"`),
	}
	files, err := filepath.Glob("../proofing/*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for family, pattern := range all {
			for _, m := range pattern.FindAllStringSubmatch(string(src), -1) {
				if found[family]++; !templates.Says(family, m[1]) {
					t.Errorf("%s: no words for %s.%s", file, family, m[1])
				}
			}
		}
	}
	for family := range all {
		if found[family] < 4 {
			t.Errorf("%s: only %d found: the pattern misses them", family, found[family])
		}
	}
	for kind := range itemForms {
		if _, known := itemRule(kind); !known {
			t.Errorf("a form for %s, of which there is no rule", kind)
		}
	}
	for _, what := range []proofing.RoleEndKind{proofing.EndsTerm, proofing.EndsReconfirm, proofing.EndsAgreement} {
		for _, family := range []string{"office_ends", "office_ends_then", "office_ends_do"} {
			if !templates.Says(family, string(what)) {
				t.Errorf("no words for %s.%s", family, what)
			}
		}
	}
	for n := 1; n <= 7; n++ {
		if !templates.Says("key_method", fmt.Sprint(n)) {
			t.Errorf("no words for method %d", n)
		}
	}
}
