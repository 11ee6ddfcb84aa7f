package acme

import (
	"crypto/x509"

	"github.com/countersign-id/countersign/proofing"
)

// Routes lists method and path of every route.
func Routes() [][2]string {
	var list [][2]string
	for _, r := range (&api{}).routes() {
		list = append(list, [2]string{r.method, r.path})
	}
	return list
}

// ProblemTypes lists every type of problem that is answered.
func ProblemTypes() []string {
	var list []string
	for typ := range problemTypes {
		list = append(list, typ)
	}
	return list
}

// OpenAPI is the document as it is embedded.
var OpenAPI = openapiYAML

// ParseObject decodes strictly and says what is wrong; a nil error means that the
// body is one object without duplicate names.
func ParseObject(body []byte) error {
	m := &mistakes{}
	if _, err := readBody(body, m); err != nil {
		return err
	}
	return m.err()
}

// ReadBinding reads a question about an external account binding.
func ReadBinding(body []byte, newAccounts []string) (proofing.ExternalBinding, error) {
	return readBinding(body, newAccounts)
}

// IsJSON says whether a text is JSON, whatever else is wrong with it.
func IsJSON(body []byte) bool {
	_, err := parse(body, &mistakes{})
	return err == nil
}

// DescribeCSR reads a DER request as the rules see it, whoever signed it.
func DescribeCSR(der []byte) (*proofing.CSR, error) {
	r, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, err
	}
	return describeCSR(r), nil
}
