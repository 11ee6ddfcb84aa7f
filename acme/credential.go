package acme

import (
	"net/http"
	"strings"

	"github.com/countersign-id/countersign/proofing"
)

// The kinds of credential, as the log has them.
const (
	byToken       = "token"
	byCertificate = "certificate"
)

// authenticate finds the authority that calls, by a bearer token (RFC 6750 2.1), by the client
// certificate of the connection, or by both, which must then be of one authority. Nothing else
// in a request says who calls: a header that tells of a certificate could be anybody's.
func (a *api) authenticate(r *http.Request) (ca *proofing.Authority, by string, err error) {
	given, shown := r.Header.Values("Authorization"), shownCertificate(r)
	switch {
	case len(given) == 0 && shown == nil, len(given) > 1:
		p := newProblem(typeCredentialInvalid, "send one Authorization header with a bearer token, or show a client certificate that is pinned to you")
		p.set("WWW-Authenticate", `Bearer realm="countersign"`)
		return nil, "", p
	case len(given) == 0:
		ca, err = a.Service.AuthorityByCertificate(r.Context(), *shown)
		if isNotFound(err) { // whatever is wrong with it
			p := newProblem(typeCredentialInvalid, "the client certificate is pinned to nobody, or does not hold now")
			p.set("WWW-Authenticate", `Bearer realm="countersign"`)
			return nil, "", p
		}
		return ca, byCertificate, err
	}
	if ca, err = a.byToken(r, given[0]); err != nil {
		return nil, "", err
	}
	if shown != nil {
		if err := a.agree(r, ca, shown.Pin); err != nil {
			return nil, "", err
		}
	}
	return ca, byToken, nil
}

// shownCertificate is the client certificate of the connection itself. The handshake has checked that
// the client has its key; who issued it means nothing here.
func shownCertificate(r *http.Request) *proofing.ShownCertificate {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil
	}
	c := r.TLS.PeerCertificates[0]
	return &proofing.ShownCertificate{Pin: proofing.PinOf(c.RawSubjectPublicKeyInfo), NotBefore: c.NotBefore, NotAfter: c.NotAfter}
}

func (a *api) byToken(r *http.Request, header string) (*proofing.Authority, error) {
	scheme, token, _ := strings.Cut(header, " ")
	if strings.EqualFold(scheme, "Bearer") && token != "" && len(token) <= 512 {
		ca, err := a.Service.AuthorityByToken(r.Context(), proofing.Secret(token))
		if !isNotFound(err) {
			return ca, err
		}
	}
	return nil, refusedToken("the bearer token is not valid")
}

// agree refuses a token of one authority on a connection of another's: one of the two is not
// where it belongs. A certificate that is pinned to nobody says nothing beside a token.
func (a *api) agree(r *http.Request, ca *proofing.Authority, pin string) error {
	if ca.HasPinned(pin) {
		return nil
	}
	name, err := a.Service.PinnedTo(r.Context(), pin)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	// The record of the authority has the last word: a pin that is not in it opens nothing, and stands in nobody's way.
	owner, err := a.Service.Authority(r.Context(), name)
	if err != nil && !isNotFound(err) {
		return err
	}
	if err == nil && owner.Name != ca.Name && owner.HasPinned(pin) {
		return refusedToken("the bearer token and the client certificate are of different certificate authorities")
	}
	return nil
}

func refusedToken(detail string) *problem {
	p := newProblem(typeCredentialInvalid, detail)
	p.set("WWW-Authenticate", `Bearer realm="countersign", error="invalid_token"`)
	return p
}
