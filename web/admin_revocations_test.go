package web

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// disowned is a certificate that rests on a request, and that somebody has said is not theirs.
func (c *court) disowned(k *proofing.Case, id, subject string) *proofing.Certificate {
	c.t.Helper()
	cert := &proofing.Certificate{
		ID: k.ID[:len(k.ID)-len(id)] + id, CA: k.CA, Digest: "digest" + id, Cases: []string{k.ID}, Applicant: k.Applicant, Profile: k.Profile, Organization: c.org.ID,
		CertificateFacts: proofing.CertificateFacts{Serial: "a1" + id, Subject: subject, NotBefore: c.now(), NotAfter: c.now().AddDate(1, 0, 0)}, Reported: c.now(), Links: []proofing.CertificateLink{{Secret: "secret", Channel: proofing.ChannelEmail, Person: c.office[c.approver].Person}},
	}
	if err := c.svc.Certificates.Create(c.t.Context(), cert.ID, cert); err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.svc.Cases.Update(c.t.Context(), k.ID, func(k *proofing.Case) error {
		k.Certificates = append(k.Certificates, cert.ID)
		return nil
	}); err != nil {
		c.t.Fatal(err)
	}
	cert, err := c.svc.DisownCertificate(c.t.Context(), proofing.Secret(cert.ID+".secret"))
	if err != nil {
		c.t.Fatal(err)
	}
	return cert
}

func TestTheConsoleShowsTheClockOfARevocation(t *testing.T) {
	c := newCourt(t)
	operator := c.seat("operator", proofing.RoleOperator, "example", "")
	k := c.submitted("signing")
	c.want(operator.get("/admin/revocations"), 200, "Nothing has to be revoked.")
	if body := operator.get("/admin").Body.String(); strings.Contains(body, "to be revoked") || !strings.Contains(body, `href="/admin/revocations"`) {
		t.Errorf("the queue without any:\n%s", body)
	}
	if body := c.reviewer.get("/admin").Body.String(); strings.Contains(body, "/admin/revocations") {
		t.Error("a reviewer is led to a page that is not theirs")
	}
	cert := c.disowned(k, "1", "O=Example <Corporation>")
	c.wait(time.Hour)
	c.disowned(k, "2", "O=Later")
	c.wait(2 * time.Hour)
	operator.renew()
	c.want(operator.get("/admin"), 200, "Certificates to be revoked: 2", "is to be revoked by")
	page := operator.get("/admin/revocations")
	c.want(page, 200, "O=Example &lt;Corporation&gt;", "20 hours left.", "POST /v1/certificates/"+cert.ID, "a11", "By the link that", "approver", "had by mail", "is frozen", "/admin/cases/"+k.ID, "/admin/log?find="+cert.ID)
	if body := page.Body.String(); strings.Index(body, "O=Example") > strings.Index(body, "O=Later") || strings.Contains(body, "secret") {
		t.Errorf("the order is wrong, or a secret is shown:\n%s", body)
	}
	c.approver.passkey(c.approver.follow(c.approver.post("/me/sign-in")), "begin")
	c.want(c.approver.get("/admin/revocations"), 200, "here is nothing to do for you")
	c.want(operator.get("/admin/log?find="+cert.ID), 200, cert.ID, "not theirs")
	c.wait(23 * time.Hour)
	operator.passkey(operator.follow(operator.post("/me/sign-in")), "begin")
	c.want(operator.get("/admin"), 200, "is late since")
	c.want(operator.get("/admin/revocations"), 200, "Late by 2 hours.")
	if _, err := c.svc.CertificateRevoked(t.Context(), c.ca, cert.ID); err != nil {
		t.Fatal(err)
	}
	if body := operator.get("/admin/revocations").Body.String(); strings.Contains(body, cert.ID) || !strings.Contains(body, "O=Later") {
		t.Errorf("after it was revoked:\n%s", body)
	}
	c.want(operator.get("/admin/revocations?after=x"), 303)
}

func TestNothingOfARevocationIsSeenByOthers(t *testing.T) {
	c := newCourt(t)
	cert := c.disowned(c.submitted("signing"), "1", "O=Secret Subject")
	people := c.strangers()
	get := func(path string) func(m *colleague) *httptest.ResponseRecorder {
		return func(m *colleague) *httptest.ResponseRecorder { return m.get(path) }
	}
	seers := []string{"operator", "administrator", "requester", "approver", "away"}
	c.hold(people, "Secret Subject", []call{
		{"what must be revoked", get("/admin/revocations"), and(everybody(200, seers...), everybody(200, "other organization", "other operator"))},
		{"by somebody else's appointment", get("/admin/revocations?as=" + c.office[people["operator"]].ID), everybody(200, "operator")},
	})
	for who, m := range people {
		sees := everybody(1, seers...)[who] != 0
		body := m.get("/admin/revocations").Body.String() + m.get("/admin").Body.String()
		if strings.Contains(body, "Secret Subject") != sees || strings.Contains(body, "Certificates to be revoked: 1") != sees {
			t.Errorf("%s sees it: %v", who, !sees)
		}
	}
	c.one.send("HEAD", "/admin/revocations", nil)
	if w := c.one.post("/admin/revocations"); w.Code != 405 {
		t.Errorf("it is posted to: %d", w.Code)
	}
	now, err := c.svc.Certificates.Get(t.Context(), cert.ID)
	if err != nil || !now.Revoked.IsZero() {
		t.Errorf("looking at it has changed it: %+v, %v", now, err)
	}
}

// Whoever looks at a request sees what was issued on it, and what is wrong with that; nobody else does.
func TestTheCertificatesOfARequestStandOnItsPage(t *testing.T) {
	c := newCourt(t)
	k := c.submitted("signing")
	page := adminCasePath(k.ID)
	if body := c.approver.get(page).Body.String(); strings.Contains(body, "certificates-title") {
		t.Error("a request without any has a list of certificates")
	}
	cert := c.disowned(k, "1", "O=Example <Corporation>")
	if _, err := c.svc.Certificates.Update(t.Context(), cert.ID, func(x *proofing.Certificate) error {
		x.Findings = []proofing.CertificateFinding{{Code: proofing.FindingValidity, Detail: "secret detail"}, {Code: proofing.FindingCSRUnapproved}}
		x.NotAfter = x.NotBefore.AddDate(0, 0, 461)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*colleague{c.approver, c.requester, c.specialist, c.reviewer, c.one} {
		m.renew()
		c.want(m.get(page), 200, "O=Example &lt;Corporation&gt;", "a11", "460 days", "Nobody has approved the certificate request", "To be revoked by", `href="#certificates-title"`, "(461 days)")
	}
	stranger := c.seat("stranger", proofing.RoleReviewer, "other", "")
	c.want(stranger.get(page), 404)
}
