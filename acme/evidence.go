package acme

import (
	"net/http"

	"github.com/countersign-id/countersign/proofing"
)

// evidenceOIDC is the one type of evidence that can be handed in: a signed token of an identity provider.
const evidenceOIDC = "oidc"

// maxToken is the longest token that is looked at; one with a few groups in it has a tenth of that.
const maxToken = 32 << 10

// handIn takes a token that a client or a build system has got, and answers with the authorization as it stands then.
func (a *api) handIn(c *call) (answer, error) {
	m := &mistakes{}
	o, err := readBody(c.body, m)
	if err != nil {
		return answer{}, err
	}
	o.require("type")
	o.require("token")
	if typ := o.text("type", 32); typ != "" && typ != evidenceOIDC {
		o.mistake("type", `the only type of evidence that can be handed in is "oidc"`)
	}
	token := proofing.Secret(o.text("token", maxToken))
	o.closed()
	if err := m.err(); err != nil {
		return answer{}, err
	}
	id := c.PathValue("id")
	taken, err := a.Service.HandIn(c.Context(), c.ca, id, token, a.challengeURL(id))
	if err != nil {
		return answer{}, err
	}
	return a.show(c, http.StatusOK, taken)
}
