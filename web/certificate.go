package web

import (
	"net/http"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// showCertificate is the page of "this was not us". Opening it changes nothing.
func (s *Site) showCertificate(w http.ResponseWriter, r *http.Request) error {
	c, err := s.service.CertificateByLink(r.Context(), proofing.Secret(r.PathValue("ref")))
	if err != nil {
		return err
	}
	return s.renderCertificate(w, r, c, nil)
}

// disownCertificate takes somebody's word that a certificate is not theirs. The box must be ticked, as in disown.
func (s *Site) disownCertificate(w http.ResponseWriter, r *http.Request) error {
	ref := proofing.Secret(r.PathValue("ref"))
	if r.PostForm.Get("sure") != "yes" {
		c, err := s.service.CertificateByLink(r.Context(), ref)
		if err != nil {
			return err
		}
		return s.renderCertificate(w, r, c, errSure)
	}
	if _, err := s.service.DisownCertificate(r.Context(), ref); err != nil {
		return err
	}
	s.see(w, r, certificatePath(r.PathValue("ref")))
	return nil
}

func (s *Site) renderCertificate(w http.ResponseWriter, r *http.Request, c *proofing.Certificate, wrong error) error {
	title := c.CA
	if ca, err := s.service.Authority(r.Context(), c.CA); err == nil {
		title = ca.Title
	}
	ref := r.PathValue("ref")
	page := templates.DisownCertificate{
		Frame: s.Frame(r, certificatePath(ref)), CA: title, Subject: c.Subject, Serial: c.Serial, Issued: c.Reported, Ends: c.NotAfter,
		Action: s.Keep(r, certificatePath(ref)), Over: c.Over(s.service.Now()), Revoked: c.Revoked,
	}
	if c.Disowned != nil {
		page.Disowned, page.RevokeBy = true, c.Disowned.RevokeBy
	}
	status := http.StatusOK
	if wrong != nil {
		a := s.answerTo(wrong)
		status, page.Bad = a.status, a.problem
	}
	return s.Render(w, r, status, page)
}
