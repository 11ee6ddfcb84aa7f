package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// The log: what it tells, as far as it is the reader's, and the proof of each entry.
const logPath = proofing.AdminPath + "/log"

func (s *Site) logRoutes() {
	s.mux.Handle("GET /admin/log", s.look(s.console(s.showLog)))
	s.mux.Handle("GET /admin/log/checkpoint", s.look(s.console(s.sendCheckpoint)))
	s.mux.Handle("GET /admin/log/{place}", s.look(s.console(s.showEntry)))
	s.mux.Handle("GET /admin/log/{place}/proof", s.look(s.console(s.sendProof)))
}

func entryPath(place int64) string { return logPath + "/" + strconv.FormatInt(place, 10) }

// logOf is where the log's entries of an object are listed.
func (s *Site) logOf(r *http.Request, object string) string {
	return s.path(r, logPath, "find", object)
}

// logPage is how many entries a page of the log has.
const logPage = 50

// placeOf reads a place of the log; ErrNotFound for what is none.
func placeOf(text string) (int64, error) {
	place, err := strconv.ParseInt(text, 10, 64)
	if err != nil || place < 0 || strconv.FormatInt(place, 10) != text {
		return 0, proofing.ErrNotFound
	}
	return place, nil
}

func (s *Site) showLog(w http.ResponseWriter, r *http.Request, o *officer) error {
	q := r.URL.Query()
	asked := strings.TrimSpace(q.Get("find"))
	page := templates.AdminLog{AdminFrame: s.adminFrame(r, o, "log", logPath), Find: asked}
	if asked != "" {
		page.Query = url.Values{"find": {asked}}
	}
	before, _ := strconv.ParseInt(q.Get("before"), 10, 64) // anything else is the newest
	list, next, err := s.findInLog(w, r, &page, asked, before)
	switch {
	case errors.Is(err, errFound):
		return nil
	case errors.Is(err, proofing.ErrNotFound):
		page.Bad = &templates.Problem{Family: "input", Code: "log_nothing"}
	case err != nil:
		return err
	}
	for _, e := range list {
		page.Entries = append(page.Entries, s.viewEntry(r, e))
	}
	if before > 0 {
		page.First = s.path(r, logPath, "find", asked)
	}
	if next > 0 {
		page.Next = s.path(r, logPath, "find", asked, "before", strconv.FormatInt(next, 10))
	}
	page.Checkpoint, page.Key, err = s.service.LogStated(r.Context(), s.signedInAs(r))
	if err = ignore(err, proofing.ErrNotFound); err != nil {
		return err
	}
	page.CheckpointFile = s.Keep(r, logPath+"/checkpoint")
	return s.Render(w, r, http.StatusOK, page)
}

// errFound: what was looked for has a page of its own, and the answer leads there.
var errFound = errors.New("found elsewhere")

// findInLog is what the log tells of an object or, where nothing is looked for, its newest entries.
func (s *Site) findInLog(w http.ResponseWriter, r *http.Request, page *templates.AdminLog, asked string, before int64) (list []*proofing.Logged, next int64, err error) {
	if asked == "" {
		return s.service.LogView(r.Context(), s.signedInAs(r), before, logPage)
	}
	if place, err := placeOf(asked); err == nil {
		if _, err := s.service.LoggedAt(r.Context(), s.signedInAs(r), place); err != nil {
			return nil, 0, err
		}
		s.seeAt(w, r, s.Keep(r, entryPath(place)), "main")
		return nil, 0, errFound
	}
	of, list, next, err := s.service.LogOf(r.Context(), s.signedInAs(r), asked, before, logPage)
	if err == nil {
		page.Of, page.Object, page.ObjectHref = string(of), asked, s.objectHref(r, of, asked)
	}
	return list, next, err
}

// objectHref is the page of an object; empty for one that has none.
func (s *Site) objectHref(r *http.Request, of proofing.Subject, id string) string {
	switch of {
	case proofing.SubjectAppointment:
		return s.Keep(r, personPath(id))
	case proofing.SubjectOrganization:
		return s.Keep(r, organizationPath(id))
	case proofing.SubjectPolicy:
		return s.Keep(r, policiesPath)
	case proofing.SubjectConfiguration:
		return s.Keep(r, settingsPath)
	}
	return ""
}

func (s *Site) showEntry(w http.ResponseWriter, r *http.Request, o *officer) error {
	place, err := placeOf(r.PathValue("place"))
	if err != nil {
		return err
	}
	e, err := s.service.LoggedAt(r.Context(), s.signedInAs(r), place)
	if err != nil {
		return err
	}
	path := entryPath(place)
	page := templates.AdminEntry{
		AdminFrame: s.adminFrame(r, o, "log", path), Back: s.logOf(r, e.Object), Log: s.Keep(r, logPath), Entry: s.viewEntry(r, e), Leaf: indented(e.Entry.Leaf),
	}
	proof, err := s.service.LogProof(r.Context(), s.signedInAs(r), place)
	switch {
	case errors.Is(err, proofing.ErrNotFound):
	case err != nil:
		return err
	default:
		page.Proof, page.ProofFile = string(proof), s.Keep(r, path+"/proof")
	}
	if place > 0 {
		page.Earlier = s.Keep(r, entryPath(place-1))
	}
	page.Later = s.Keep(r, entryPath(place+1))
	return s.Render(w, r, http.StatusOK, page)
}

// sendProof sends the proof of an entry as a file.
func (s *Site) sendProof(w http.ResponseWriter, r *http.Request, _ *officer) error {
	place, err := placeOf(r.PathValue("place"))
	if err != nil {
		return err
	}
	proof, err := s.service.LogProof(r.Context(), s.signedInAs(r), place)
	if err != nil {
		return err
	}
	return sendFile(w, "application/json", fmt.Sprintf("entry-%d-proof.json", place), proof)
}

// sendCheckpoint sends what the log states of itself as a file, to be kept outside.
func (s *Site) sendCheckpoint(w http.ResponseWriter, r *http.Request, _ *officer) error {
	checkpoint, _, err := s.service.LogStated(r.Context(), s.signedInAs(r))
	if err != nil {
		return err
	}
	return sendFile(w, "text/plain; charset=utf-8", "checkpoint.txt", []byte(checkpoint))
}

func sendFile(w http.ResponseWriter, kind, name string, content []byte) error {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	_, _ = w.Write(content) // the browser has gone: nobody is left to tell
	return nil
}

// indented is JSON with its members each on a line.
func indented(text string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(text), "", "  ") != nil {
		return text
	}
	return b.String()
}

func (s *Site) viewEntry(r *http.Request, e *proofing.Logged) templates.AdminLogged {
	v := templates.AdminLogged{
		At: e.Leaf.At, Kind: string(e.Leaf.Kind), Of: string(e.Leaf.Of), Object: e.Object, ObjectHref: s.objectHref(r, e.Leaf.Of, e.Object), ObjectLog: s.logOf(r, e.Object), Number: e.Number,
		Actor: e.Leaf.By.Kind, ActorID: e.Leaf.By.ID, Role: string(e.Leaf.By.Role), By: e.By, Facts: viewMembers(e.Leaf.Facts),
	}
	if e.Place >= 0 {
		v.Place, v.Href = strconv.FormatInt(e.Place, 10), s.Keep(r, entryPath(e.Place))
	}
	if e.By != "" {
		v.ByHref = s.Keep(r, personPath(e.Leaf.By.Appointment))
	}
	var private map[string]any
	switch {
	case e.Leaf.Commitment == "":
		v.Beside = "none"
	case !e.Shown:
		v.Beside = "hidden"
	case e.Erased():
		v.Beside = "erased"
	default:
		v.Beside = "shown"
		_ = json.Unmarshal(e.Private, &private) // an object, by which the entry was written
		v.Private = viewMembers(private)
	}
	return v
}

// viewMembers are the members of a JSON object, by name.
func viewMembers(members map[string]any) (all []templates.AdminMember) {
	for name, value := range members {
		text, ok := value.(string)
		if !ok {
			b, _ := json.Marshal(value) // it was JSON
			text = string(b)
		}
		all = append(all, templates.AdminMember{Name: name, Value: text})
	}
	slices.SortFunc(all, func(a, b templates.AdminMember) int { return strings.Compare(a.Name, b.Name) })
	return all
}
