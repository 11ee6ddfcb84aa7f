package client

// Identifier is what a certificate is asked for (RFC 8555 7.1.3).
type Identifier struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// DNS is the identifier for a name.
func DNS(name string) Identifier { return Identifier{Type: "dns", Value: name} }
