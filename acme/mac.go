package acme

import (
	"errors"
	"net/http"
	"time"

	"github.com/countersign-id/countersign/proofing"
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

// errDirectory is a call that does not say for which of the authority's directories it asks.
var errDirectory = errors.New("the directory that asks is not named")

// releaseKey hands out the key of the path, for the directory of the query: whoever verifies by themselves sees of no key which directory it is for.
func (a *api) releaseKey(c *call) (*proofing.ReleasedKey, error) {
	asked := c.URL.Query()["directory"]
	if len(asked) > 1 {
		return nil, errDirectory
	}
	directory := ""
	if len(asked) == 1 {
		if directory = asked[0]; directory == "" {
			return nil, errDirectory
		}
	}
	k, err := a.Service.ReleaseKey(c.Context(), c.ca, c.PathValue("kid"), directory)
	if _, unknown := errors.AsType[*proofing.InputError](err); unknown {
		return nil, errDirectory
	}
	return k, err
}

// readMAC hands out a MAC key, where the operator has released them to the authority. contrib/acme2certifier asks so.
func (a *api) readMAC(c *call) (answer, error) {
	k, err := a.releaseKey(c)
	if err != nil {
		return answer{}, err
	}
	return jsonAnswer(http.StatusOK, releasedMAC{k.Kid, k.Secret.Reveal(), k.Algorithm, k.Expires, k.RecheckAfter})
}
