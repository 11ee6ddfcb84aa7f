package client_test

import (
	"context"
	"strings"
	"testing"

	"github.com/countersign-id/countersign/client"
)

func TestACertificateIsToldUntilItIsAnswered(t *testing.T) {
	c, d := newDouble(t, client.Config{}, problem(503, client.Unavailable, ""),
		answer{status: 201, body: `{"id":"c1","serial":"3a7f","not_after":"2028-03-01T10:00:00Z","authorizations":["a1"],"warnings":[]}`})
	made, err := c.CertificateIssued(context.Background(), client.IssuedCertificate{Certificate: client.DER{0x30, 0x00}, Authorizations: []string{"a1"}, Replaces: "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"})
	if err != nil || made.Serial != "3a7f" {
		t.Fatalf("%+v, %v", made, err)
	}
	calls := d.calls()
	if len(calls) != 2 || calls[0].key == "" || calls[0].key != calls[1].key || calls[0].body != calls[1].body {
		t.Errorf("it was told as %+v", calls)
	}
	if want := `{"certificate":"MAA","authorizations":["a1"],"replaces":"aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"}`; strings.TrimSpace(calls[0].body) != want {
		t.Errorf("the body is %s, want %s", calls[0].body, want)
	}
	if _, err := c.CertificateRevoked(context.Background(), "c1"); err != nil {
		t.Error(err)
	}
	if last := d.calls()[2]; last.uri != "/v1/certificates/c1" || strings.TrimSpace(last.body) != `{"status":"revoked"}` {
		t.Errorf("it was told as %+v", last)
	}
	if _, err := c.CertificateIssued(context.Background(), client.IssuedCertificate{Authorizations: []string{"a1"}}); err == nil {
		t.Error("nothing was told, and that is no error")
	}
}
