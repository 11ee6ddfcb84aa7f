package challenges

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"

	"github.com/countersign-id/countersign/proofing"
)

const (
	tries = 5 // answers to one code

	// crockford leaves out I, L, O and U. Eight characters are 40 bits: enough for
	// every kind of code that SP 800-63A 4.6 and SP 800-63A-4 3.8 know.
	crockford   = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	emailLength = 8

	// A number not seen before gets ten digits, since SP 800-63A 4.4.1.6 wants the
	// entropy of six alphanumeric characters (31 bits); a bound one eight,
	// where SP 800-63B 5.1.3.2 wants 20 bits.
	newNumberLength   = 10
	boundNumberLength = 8
)

// codes is what methods with a one-time code share.
type codes struct{ hasher proofing.Hasher }

// codeState is what is kept of an opening: no code, only keyed hashes.
type codeState struct {
	MAC  string `json:"mac"`
	Link string `json:"link,omitempty"`
}

// mac binds a code to the attempt and to the case's key authorization (RFC 8555
// 8.1), so that it answers nothing else.
func (k codes) mac(attempt string, keyAuth [32]byte, code string) string {
	sum := k.hasher.Sum("code", attempt, string(keyAuth[:]), code)
	return hex.EncodeToString(sum[:])
}

func (k codes) linkMAC(attempt string, keyAuth [32]byte, link proofing.Secret) string {
	sum := k.hasher.Sum("link", attempt, string(keyAuth[:]), link.Reveal())
	return hex.EncodeToString(sum[:])
}

// open is an opening with that code.
func (k codes) open(b proofing.Beginning, code string) (proofing.Opening, error) {
	s := codeState{MAC: k.mac(b.Attempt, b.KeyAuth, code)}
	if b.Link != "" {
		s.Link = k.linkMAC(b.Attempt, b.KeyAuth, b.Link)
	}
	state, err := json.Marshal(s)
	return proofing.Opening{State: state, Tries: tries}, err
}

// check compares in constant time. A code that cannot be one costs no try.
func (k codes) check(state json.RawMessage, a proofing.Answer, normal func(string) (string, bool)) error {
	var s codeState
	if err := json.Unmarshal(state, &s); err != nil {
		return fmt.Errorf("read state of attempt: %w", err)
	}
	var want, got string
	if a.Link != "" {
		want, got = s.Link, k.linkMAC(a.Attempt, a.KeyAuth, a.Link)
	} else {
		code, ok := normal(a.Code.Reveal())
		if !ok {
			return &proofing.InputError{Field: "code", Code: "code_malformed"}
		}
		want, got = s.MAC, k.mac(a.Attempt, a.KeyAuth, code)
	}
	if want == "" || !hmac.Equal([]byte(want), []byte(got)) {
		return proofing.ErrWrongAnswer
	}
	return nil
}

// randomCode draws each character evenly from the alphabet.
func randomCode(alphabet string, length int) string {
	most := big.NewInt(int64(len(alphabet)))
	b := make([]byte, length)
	for i := range b {
		n, err := rand.Int(rand.Reader, most)
		if err != nil { // crypto/rand does not fail on a sane system
			panic("challenges: no randomness: " + err.Error())
		}
		b[i] = alphabet[n.Int64()]
	}
	return string(b)
}

// normalBase32 reads a code as people type it: any case, with spaces and hyphens, and
// with the letters that Crockford's alphabet takes for digits.
func normalBase32(typed string) (string, bool) {
	if len(typed) > 64 {
		return "", false
	}
	var b strings.Builder
	for _, r := range strings.ToUpper(typed) {
		switch r {
		case ' ', '-', '\u00a0', '\u2010', '\u2011', '\u2013', '\t', '\r', '\n':
			continue
		case 'O':
			r = '0'
		case 'I', 'L':
			r = '1'
		}
		if !strings.ContainsRune(crockford, r) {
			return "", false
		}
		b.WriteRune(r)
	}
	return b.String(), b.Len() == emailLength
}

// normalDigits reads a code of digits. Both lengths are judged, so that the
// form does not tell whether a number was known.
func normalDigits(typed string) (string, bool) {
	if len(typed) > 64 {
		return "", false
	}
	var b strings.Builder
	for _, r := range typed {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case strings.ContainsRune(" -\u00a0\u2010\u2011\u2013\t\r\n", r):
		default:
			return "", false
		}
	}
	return b.String(), b.Len() == boundNumberLength || b.Len() == newNumberLength
}
