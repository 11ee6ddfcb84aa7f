package web

import (
	"fmt"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// The log of the console tells administrators which settings differ in the configuration that the service goes by, and leads to the settings; nobody else sees that there is
// such an entry.
func TestTheConsolesLogTellsAdministratorsOfTheConfiguration(t *testing.T) {
	c := newCourt(t)
	settings := map[string]string{"limits.address_hour": "6", "people.sign_in": "fido"}
	use := func(why string) {
		t.Helper()
		if told, err := c.svc.UseConfiguration(t.Context(), proofing.ConfigurationUse{Settings: settings, Program: "v1", Why: why}); err != nil || !told {
			t.Fatalf("told is %v, %v", told, err)
		}
	}
	use(proofing.UsedAtStart)
	settings["limits.address_hour"], settings["sms.countries"] = "7", "GB"
	use(proofing.UsedAtReload)
	if err := c.svc.SequenceOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	h, err := c.svc.LogHead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	object, place, visit := "", int64(-1), c.visits(c.one)
	for at := int64(0); at < h.Size; at++ {
		e, err := c.svc.LoggedAt(t.Context(), visit, at)
		if err != nil {
			t.Fatal(err)
		}
		if e.Leaf.Kind == proofing.ConfigurationChanged {
			object, place = e.Leaf.Object, at
		}
	}
	if place < 0 {
		t.Fatal("there is no such entry")
	}
	digest, err := proofing.ConfigurationDigest(settings)
	if err != nil {
		t.Fatal(err)
	}
	c.want(c.one.get("/admin/log"), 200, "Configuration changed", fmt.Sprintf(`href="/admin/log/%d"`, place))
	c.want(c.one.get(entryPath(place)), 200, "Configuration changed", "limits.address_hour", "sms.countries", digest, "reload", `href="/admin/settings"`, "&#34;kind&#34;: &#34;configuration_changed&#34;")
	c.want(c.one.get("/admin/log?find="+object), 200, "Configuration changed")
	for lang, words := range map[string]string{"de": "Konfiguration geändert", "fr": "Configuration modifiée"} {
		c.want(c.one.get(entryPath(place)+"?lang="+lang), 200, words)
	}
	for _, m := range []*colleague{c.approver, c.specialist} {
		c.want(m.get(entryPath(place)), 404)
		c.want(m.get("/admin/log?find="+object), 200, "There is nothing of this id or number for you to see.")
	}
}
