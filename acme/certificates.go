package acme

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// certificate is one that was reported, as it is recorded.
type certificate struct {
	ID             string               `json:"id"`
	Digest         string               `json:"certificate_sha256"`
	Serial         string               `json:"serial"`
	NotBefore      time.Time            `json:"not_before"`
	NotAfter       time.Time            `json:"not_after"`
	Renewal        bool                 `json:"renewal"`
	Authorizations []string             `json:"authorizations"`
	Warnings       []certificateWarning `json:"warnings"`
	// RevokeBy is until when it must be revoked, since somebody has said that it is not theirs, and Revoked when it was.
	RevokeBy *time.Time `json:"revoke_by,omitempty"`
	Revoked  *time.Time `json:"revoked_at,omitempty"`
}

// certificateWarning is what the authority has issued and should not have.
type certificateWarning struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// certificateIssued records a certificate that the authority has issued.
func (a *api) certificateIssued(c *call) (answer, error) {
	r, err := readCertificateReport(c.body)
	if err != nil {
		return answer{}, err
	}
	made, err := a.Service.CertificateIssued(c.Context(), c.ca, r)
	if err != nil {
		return answer{}, err
	}
	return showCertificate(made, http.StatusCreated)
}

// changeCertificate records that the authority has revoked a certificate, which is all that it can say of one.
func (a *api) changeCertificate(c *call) (answer, error) {
	m := &mistakes{}
	o, err := readBody(c.body, m)
	if err != nil {
		return answer{}, err
	}
	o.require("status")
	if status := o.text("status", 32); status != "" && status != "revoked" {
		o.mistake("status", `the only status that can be told is "revoked"`)
	}
	o.closed()
	if err := m.err(); err != nil {
		return answer{}, err
	}
	made, err := a.Service.CertificateRevoked(c.Context(), c.ca, c.PathValue("id"))
	if err != nil {
		return answer{}, err
	}
	return showCertificate(made, http.StatusOK)
}

func showCertificate(made *proofing.Certificate, status int) (answer, error) {
	out := certificate{
		ID: made.ID, Digest: made.Digest, Serial: made.Serial, NotBefore: made.NotBefore, NotAfter: made.NotAfter,
		Renewal: made.Renewal, Authorizations: made.Cases, Warnings: []certificateWarning{},
	}
	for _, f := range made.Findings {
		out.Warnings = append(out.Warnings, certificateWarning{f.Code, f.Detail})
	}
	if made.Disowned != nil {
		out.RevokeBy = &made.Disowned.RevokeBy
	}
	if !made.Revoked.IsZero() {
		out.Revoked = &made.Revoked
	}
	return jsonAnswer(status, out)
}

func readCertificateReport(body []byte) (r proofing.CertificateReport, err error) {
	m := &mistakes{}
	o, err := readBody(body, m)
	if err != nil {
		return r, err
	}
	o.require("certificate")
	if text := o.text("certificate", maxBody); text != "" {
		if r.DER, err = decode64(text); err != nil {
			o.mistake("certificate", err.Error())
		}
	}
	r.Order, r.Replaces = o.text("order", 2048), o.text("replaces", 256)
	if u, err := url.Parse(r.Order); r.Order != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "") {
		o.mistake("order", "must be the absolute URL of the order")
	}
	var request *csr
	if o.has("authorizations") {
		request = readCSR(o, "csr")
		r.Cases = readIDs(o, "authorizations")
		for _, name := range []string{"account", "public_key", "identifiers", "profile"} {
			if _, given := o.ask(name); given {
				o.mistake(name, fmt.Sprintf("the authorizations say it already: leave %q out, or leave them out", name))
			}
		}
	} else {
		who := readApplicant(o, false)
		r.Applicant, request = who.Applicant, who.csr
		o.require("profile")
		o.require("identifiers")
		r.Profile, r.Identifiers = o.text("profile", 64), readIdentifiers(o, "identifiers")
	}
	if request != nil {
		r.CSRDigest, r.CSRKey = request.digest, spkiDigest(request.spki)
	}
	o.closed()
	return r, m.err()
}

// readIDs reads a list of ids, each once.
func readIDs(o *object, name string) (ids []string) {
	v, ok := o.member(name, isArray)
	if !ok {
		return nil
	}
	if n := len(v.items); n == 0 || n > maxIdentifiers {
		o.mistake(name, fmt.Sprintf("1 to %d ids", maxIdentifiers))
		return nil
	}
	for i, item := range v.items {
		if item.kind != isText || item.text == "" || len(item.text) > 64 {
			o.m.add(typeMalformed, join(join(o.at, name), fmt.Sprint(i)), "an id must be a string of 1 to 64 bytes")
		} else if !slices.Contains(ids, item.text) {
			ids = append(ids, item.text)
		}
	}
	return ids
}
