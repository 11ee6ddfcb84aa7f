package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// pump asks for codes to one range until one is refused, and answers none.
func (d *desk) pump(ca, prefix string, most int) {
	d.t.Helper()
	for i := range most {
		c := d.open(ca, "client", address)
		d.service(func(s *proofing.Service) {
			v := visit(c)
			v.Client = fmt.Sprintf("192.0.2.%d", i)
			if _, _, err := s.Begin(d.t.Context(), v, "sms", fmt.Sprintf("%s%04d", prefix, i)); err != nil {
				if !strings.Contains(err.Error(), "brake") {
					d.t.Fatal(err)
				}
			}
		})
	}
}

func TestABrakeIsListedAndLifted(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	out, _ := d.run(exitOK, "limits", "brake", "list", "--json")
	contains(t, out, "[]")
	d.pump("example", "+44740012", 22)
	out, _ = d.run(exitOK, "limits", "brake", "list")
	contains(t, out, "range  +44740012••••", "holds", "60% answered (assumed)")
	out, _ = d.run(exitOK, "limits", "brake", "list", "--json")
	var views []brakeView
	if err := json.Unmarshal([]byte(out), &views); err != nil || len(views) != 1 || !views[0].Holds || views[0].Unanswered != 21 || views[0].Refused != 2 {
		t.Fatalf("%v\n%s", err, out)
	}
	_, said := d.run(exitOK, "limits", "brake", "lift", views[0].ID)
	contains(t, said, "lifted the brake on the range +44740012••••")
	_, said = d.run(exitUsage, "limits", "brake", "lift", views[0].ID)
	contains(t, said, "does not hold any more")
	_, said = d.run(exitUsage, "limits", "brake", "lift", "GB")
	contains(t, said, `there is no brake "GB"`)
	out, _ = d.run(exitOK, "limits", "brake", "list")
	contains(t, out, "lifted")
	d.at = d.at.Add(8 * 24 * time.Hour)
	out, _ = d.run(exitOK, "limits", "brake", "list", "--json")
	contains(t, out, "[]")
}

func TestFiguresOfTextMessagesNameConfiguredCountriesAlone(t *testing.T) {
	a := newDesk(t).app(io.Discard)
	for _, country := range []string{"DE", "GB", "XX", "YY"} {
		a.service.Watch("counted", country)
	}
	_, figures := probe(t, a.operators(), "/metrics")
	for _, want := range []string{`countersign_sms_codes_total{country="DE",event="counted"} 1`, `countersign_sms_codes_total{country="other",event="counted"} 2`} {
		if !strings.Contains(figures, want) {
			t.Errorf("no %s in the figures", want)
		}
	}
}
