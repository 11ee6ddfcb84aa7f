package web

import (
	"net/http"
	"strconv"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// What "this was not us" has frozen, and how two who run its authority give it back.

// mostFrozen is how many frozen requests the queue names.
const mostFrozen = 20

// viewFrozen are the frozen requests of the authorities that the reader runs.
func (s *Site) viewFrozen(r *http.Request) (rows []templates.AdminFrozen, more bool, err error) {
	all, more, err := s.service.FrozenCases(r.Context(), s.signedInAs(r), mostFrozen)
	for _, c := range all {
		rows = append(rows, templates.AdminFrozen{Name: c.Identifier.Value, CA: c.CATitle, Href: s.Keep(r, adminCasePath(c.ID)), Until: c.Frozen.Until, Asked: c.Frozen.Asked != nil})
	}
	return rows, more, err
}

// viewFreeze is what a freeze means, and what the reader may do about it.
func (s *Site) viewFreeze(r *http.Request, o *officer, c *proofing.Case, path string) *templates.AdminFreeze {
	may := c.Restorable(o.Person.ID, o.offices)
	v := &templates.AdminFreeze{At: c.Frozen.At, Until: c.Frozen.Until, Granted: c.Status == proofing.CaseGranted, Certificates: len(c.Disowned) > 0, WhyNot: may.Why, Mine: may.Mine, Number: c.Journal.Written}
	if a := c.Frozen.Asked; a != nil {
		v.AskedBy, v.Reason, v.Asked = a.Name, a.Reason, a.At
	}
	if may.Runs && may.Why == "" && !may.Mine {
		v.Action = s.Keep(r, path+"/restore")
	}
	return v
}

func (s *Site) restoreFrozen(w http.ResponseWriter, r *http.Request, o *officer) error {
	id, reason := r.PathValue("case"), r.PostForm.Get("reason")
	number, err := strconv.ParseInt(r.PostForm.Get("number"), 10, 64)
	if err != nil {
		return &proofing.InputError{Field: "number", Code: "form_malformed"}
	}
	_, err = s.service.RestoreFrozen(r.Context(), s.signedInAs(r), id, reason, number)
	return s.afterCase(w, r, o, id, typed{err: err, text: reason})
}
