package webauthn

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// The options as browsers read them with parseCreationOptionsFromJSON and
// parseRequestOptionsFromJSON (WebAuthn 5.1.8, 5.1.9).

type creationOptions struct {
	RP                     entity       `json:"rp"`
	User                   userEntity   `json:"user"`
	Challenge              string       `json:"challenge"`
	PubKeyCredParams       []parameter  `json:"pubKeyCredParams"`
	Timeout                int64        `json:"timeout"`
	ExcludeCredentials     []descriptor `json:"excludeCredentials"`
	AuthenticatorSelection selection    `json:"authenticatorSelection"`
	Attestation            string       `json:"attestation"`
	Extensions             extensions   `json:"extensions"`
}

type requestOptions struct {
	Challenge        string           `json:"challenge"`
	Timeout          int64            `json:"timeout"`
	RPID             string           `json:"rpId"`
	AllowCredentials []descriptor     `json:"allowCredentials"`
	UserVerification UserVerification `json:"userVerification"`
}

type entity struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type userEntity struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
}

type parameter struct {
	Type string `json:"type"`
	Alg  int64  `json:"alg"`
}

type descriptor struct {
	Type       string   `json:"type"`
	ID         string   `json:"id"`
	Transports []string `json:"transports,omitempty"`
}

type selection struct {
	ResidentKey        string           `json:"residentKey"`
	RequireResidentKey bool             `json:"requireResidentKey"`
	UserVerification   UserVerification `json:"userVerification"`
}

type extensions struct {
	CredProps bool `json:"credProps"`
}

const publicKey = "public-key"

func descriptors(credentials []Credential) ([]descriptor, [][]byte) {
	list, ids := make([]descriptor, 0, len(credentials)), make([][]byte, 0, len(credentials))
	for _, c := range credentials {
		list = append(list, descriptor{Type: publicKey, ID: encode(c.ID), Transports: c.Transports})
		ids = append(ids, c.ID)
	}
	return list, ids
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func optionsJSON(options any) (json.RawMessage, error) {
	b, err := json.Marshal(options)
	if err != nil {
		return nil, fmt.Errorf("webauthn: write the options: %w", err)
	}
	return b, nil
}
