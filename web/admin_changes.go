package web

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// What others have changed of a request since somebody last looked at it. When that was their browser knows, by a cookie that says nothing to anybody else: looking
// at a page changes nothing here. In another browser what they last did about the request counts.

const (
	// lookingLasts is how long coming back to a page counts as looking at it still: what is new does not cease to be so because the page is loaded again.
	lookingLasts = 30 * time.Minute
	// mostLooks is of how many requests the cookie knows.
	mostLooks = 16
	lookAge   = 90 * 24 * 60 * 60 // seconds
)

// looked is one entry of the cookie: a keyed hash of who has looked at which request, since when changes are new to them, and when they last looked.
type looked struct {
	of          string
	since, last time.Time
}

func (s *Site) looksName() string { return s.cookieName() + "-looked" }

// looks are the entries of the cookie, the newest first. What is not ours is passed over: it would only change what its own browser marks.
func (s *Site) looks(r *http.Request) (all []looked) {
	c, err := r.Cookie(s.looksName())
	if err != nil {
		return nil
	}
	for entry := range strings.SplitSeq(c.Value, "~") {
		parts := strings.Split(entry, ".")
		if len(parts) != 3 || len(all) == mostLooks {
			continue
		}
		since, err1 := strconv.ParseInt(parts[1], 36, 64)
		last, err2 := strconv.ParseInt(parts[2], 36, 64)
		if err1 != nil || err2 != nil {
			continue
		}
		all = append(all, looked{parts[0], time.UnixMilli(since).UTC(), time.UnixMilli(last).UTC()})
	}
	return all
}

// lookedBefore is when the person had looked at a request before this visit; zero: never in this browser. It writes down that they look now.
func (s *Site) lookedBefore(w http.ResponseWriter, r *http.Request, o *officer, id string) (before time.Time) {
	sum, now := s.service.Hasher.Sum("looked", o.Person.ID, id), s.service.Now().UTC()
	of := base64.RawURLEncoding.EncodeToString(sum[:9])
	all := s.looks(r)
	mine := looked{of, now, now}
	if i := slices.IndexFunc(all, func(l looked) bool { return l.of == of }); i >= 0 {
		if mine.since, before = all[i].since, all[i].since; now.Sub(all[i].last) > lookingLasts {
			mine.since, before = all[i].last, all[i].last
		}
		all = slices.Delete(all, i, i+1)
	}
	all = append([]looked{mine}, all[:min(len(all), mostLooks-1)]...)
	var value []string
	for _, l := range all {
		value = append(value, l.of+"."+strconv.FormatInt(l.since.UnixMilli(), 36)+"."+strconv.FormatInt(l.last.UnixMilli(), 36))
	}
	http.SetCookie(w, &http.Cookie{
		Name: s.looksName(), Value: strings.Join(value, "~"), Path: "/", MaxAge: lookAge, Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	return before
}

// shownAt is when a page was made, as its form says; zero if it does not.
func shownAt(text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return at
}

// dossierDigest names the dossier that a page is made of.
func dossierDigest(d *proofing.Dossiered) string {
	if d.Organization == nil {
		return ""
	}
	return d.Organization.Digest()
}

// signedOlder says whether the dossier has changed since a decision was signed. The signature stays one over what it was shown.
func signedOlder(made proofing.Decision, o *proofing.Organization) bool {
	doc, err := proofing.ParseDocument([]byte(made.Signature.Document))
	return err == nil && o != nil && doc.Organization != nil && doc.Organization.Dossier != o.Digest()
}

// viewChanges draws what others have changed since the person looked, or last did something about the request, whichever is later.
func (s *Site) viewChanges(page *templates.AdminCase, o *officer, d *proofing.Dossiered) {
	me, a := o.Person.ID, d.Case.Approval
	acted := func(by string, at time.Time) {
		if by == me && at.After(page.Looked) {
			page.Looked = at
		}
	}
	for _, made := range a.Decisions {
		acted(made.Person, made.At)
	}
	for _, x := range a.Discrepancies {
		acted(x.By, x.At)
		acted(x.ResolvedBy, x.ResolvedAt)
	}
	if page.Looked.IsZero() {
		return
	}
	add := func(by string, v templates.AdminChange) {
		if by != me && v.At.After(page.Looked) {
			page.Changes = append(page.Changes, v)
		}
	}
	for _, made := range a.Decisions {
		code := string(made.Step)
		if made.Refused {
			code = "refuse"
		}
		add(made.Person, templates.AdminChange{Code: code, By: made.Name, At: made.At})
		if made.Void != "" {
			add("", templates.AdminChange{Code: "void", By: made.Name, At: made.VoidSince})
		}
	}
	for _, x := range a.Discrepancies {
		add(x.By, templates.AdminChange{Code: "discrepancy", Value: x.Text, By: x.Name, At: x.At})
		if !x.Open() {
			add(x.ResolvedBy, templates.AdminChange{Code: "explained", Value: x.Resolution, By: x.ResolvedName, At: x.ResolvedAt})
		}
	}
	for _, e := range d.Case.Evidence {
		add("", templates.AdminChange{Code: "proof", At: e.At})
	}
	if f := d.Case.Frozen; f != nil {
		add("", templates.AdminChange{Code: "frozen", At: f.At})
	}
	if d.Organization != nil {
		for _, it := range d.Organization.Items {
			code := "item_bad"
			if it.Outcome == proofing.OutcomeGood {
				code = "item_good"
			}
			v := templates.AdminChange{Code: code, Item: string(it.Kind), Value: it.Value, By: it.CollectedByName, At: it.RecordedAt}
			for _, p := range d.Appointments {
				if p.ID == it.Subject {
					v.About = p.Name
				}
			}
			add(it.CollectedBy, v)
		}
	}
	slices.SortStableFunc(page.Changes, func(a, b templates.AdminChange) int { return b.At.Compare(a.At) })
}
