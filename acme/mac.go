package acme

import (
	"net/http"
	"time"
)

// releasedMAC is what an authority gets that can only verify bindings by itself.
type releasedMAC struct {
	Kid       string `json:"kid"`
	HMACKey   string `json:"hmac_key"`
	Algorithm string `json:"algorithm"`
	// Expires is when the key ends, and RecheckAfter how long this answer may be kept.
	Expires      time.Time `json:"expires"`
	RecheckAfter time.Time `json:"recheck_after"`
}

// readMAC hands out a MAC key, where the operator has released them to the authority. contrib/acme2certifier asks so.
func (a *api) readMAC(c *call) (answer, error) {
	k, err := a.Service.ReleaseKey(c.Context(), c.ca, c.PathValue("kid"))
	if err != nil {
		return answer{}, err
	}
	return jsonAnswer(http.StatusOK, releasedMAC{k.Kid, k.Secret.Reveal(), k.Algorithm, k.Expires, k.RecheckAfter})
}
