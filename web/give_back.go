package web

import (
	"errors"
	"net/http"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// How the person of a request gives back what "this was not me" has frozen.

// viewGiveBack shows on the page of a frozen case how its person gives it back, if they may.
func (s *Site) viewGiveBack(r *http.Request, c *proofing.Case, page *templates.Outcome) error {
	if c.Frozen == nil {
		return nil
	}
	session, err := s.service.Session(r.Context(), s.signedInAs(r))
	if errors.Is(err, proofing.ErrNotFound) {
		session, err = nil, nil
	}
	if err != nil {
		return err
	}
	may, now, err := s.service.MayRestoreOwn(r.Context(), c, session)
	if err != nil || !may {
		return err
	}
	page.GiveBack, page.Me = true, s.Keep(r, mePath)
	if now {
		page.Restore = s.Keep(r, casePath(r.PathValue("ref"))+"/restore")
	}
	return nil
}

func (s *Site) giveBack(w http.ResponseWriter, r *http.Request) error {
	ref := s.visit(r).Link
	c, err := s.service.RestoreOwn(r.Context(), s.signedInAs(r), ref)
	if errors.Is(err, proofing.ErrNotFound) { // nobody has signed in, or somebody else
		s.see(w, r, casePath(r.PathValue("ref")))
		return nil
	}
	return s.afterwards(w, r, c, mistake{err: err})
}
