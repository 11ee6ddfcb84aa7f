package proofing_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// toldOfConfigurations are the entries of the log that tell of configurations.
func (w *world) toldOfConfigurations() (leaves []proofing.Leaf, beside []string) {
	w.t.Helper()
	w.logged()
	p, err := w.LogPage(w.t.Context(), 1)
	for n := int64(2); err == nil; n++ {
		for _, e := range p.Entries {
			leaf, err := e.Said()
			if err != nil {
				w.t.Fatal(err)
			}
			if leaf.Of == proofing.SubjectConfiguration {
				leaves, beside = append(leaves, leaf), append(beside, string(e.Private))
			}
		}
		p, err = w.LogPage(w.t.Context(), n)
	}
	return leaves, beside
}

func TestEveryChangeOfTheConfigurationIsAnEntry(t *testing.T) {
	w := newWorld(t)
	settings := map[string]string{"limits.address_hour": "6", "people.sign_in": "fido", "providers.mail.password": "set"}
	use := func(s *proofing.Service, program, why string, want bool) {
		t.Helper()
		if told, err := s.UseConfiguration(t.Context(), proofing.ConfigurationUse{Settings: settings, Program: program, Why: why}); err != nil || told != want {
			t.Errorf("%s: told is %v, %v", why, told, err)
		}
	}
	digest := func() string { t.Helper(); return must[string](t)(proofing.ConfigurationDigest(settings)) }
	use(w.Service, "v1", proofing.UsedAtStart, true)
	first := digest()
	use(w.Service, "v1", proofing.UsedAtStart, false) // a restart
	use(w.beside(0), "v1", proofing.UsedAtStart, false)
	settings["limits.address_hour"], settings["sms.countries"] = "7", "GB"
	delete(settings, "people.sign_in")
	use(w.Service, "v1", proofing.UsedAtReload, true)
	second := digest()
	use(w.beside(0), "v2", proofing.UsedAtStart, true)
	settings["profiles.ev.title"] = "EV"
	use(w.Service, "v2", proofing.UsedApproved, true)

	leaves, beside := w.toldOfConfigurations()
	if len(leaves) != 4 {
		t.Fatalf("%d entries", len(leaves))
	}
	for i, want := range []struct {
		by, facts, beside string
	}{
		{"operator", `{"digest":"` + first + `","program":"v1","why":"start"}`, ""},
		{"operator", `{"before":"` + first + `","digest":"` + second + `","program":"v1","settings":3,"why":"reload"}`, `{"settings":["limits.address_hour","people.sign_in","sms.countries"]}`},
		{"operator", `{"before":"` + second + `","digest":"` + second + `","program":"v2","program_before":"v1","settings":0,"why":"start"}`, ""},
		{"service", `{"before":"` + second + `","digest":"` + digest() + `","program":"v2","settings":1,"why":"policy"}`, `{"settings":["profiles.ev.title"]}`},
	} {
		facts := must[[]byte](t)(json.Marshal(leaves[i].Facts))
		if l := leaves[i]; string(facts) != want.facts || l.Kind != proofing.ConfigurationChanged || l.By != (proofing.Actor{Kind: want.by}) || l.Number != int64(i+1) || !l.At.Equal(w.clock()) {
			t.Errorf("entry %d: %s, %+v", i, facts, l)
		}
		if beside[i] != want.beside {
			t.Errorf("beside entry %d: %s", i, beside[i])
		}
	}
	if j := must[proofing.Journal](t)(w.Journal(t.Context(), proofing.SubjectConfiguration, leaves[0].Object)); !j.Logged() || len(j.Places) != 4 {
		t.Errorf("its journal is %+v", j)
	}
}

func TestProcessesThatStartTogetherTellOfTheirConfigurationOnce(t *testing.T) {
	w := newWorld(t)
	processes := []*proofing.Service{w.Service, w.beside(0), w.beside(0)}
	for round := range 3 { // the first makes the record
		var all sync.WaitGroup
		var mu sync.Mutex
		told := 0
		for i := range 12 {
			all.Go(func() {
				did, err := processes[i%3].UseConfiguration(context.WithoutCancel(t.Context()), proofing.ConfigurationUse{Settings: map[string]string{"round": fmt.Sprint(round)}, Program: "v1", Why: proofing.UsedAtStart})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				if did {
					told++
				}
			})
		}
		all.Wait()
		if told != 1 {
			t.Errorf("round %d: %d have told of it", round, told)
		}
	}
	if leaves, _ := w.toldOfConfigurations(); len(leaves) != 3 {
		t.Errorf("%d entries", len(leaves))
	}
}

// The record that knows what was told has its bounds, and so has an entry.
func TestAConfigurationOfAnySizeIsToldOf(t *testing.T) {
	w := newWorld(t)
	settings := map[string]string{}
	use := func(n int, value string) {
		t.Helper()
		clear(settings)
		for i := range n {
			settings[fmt.Sprintf("profiles.%s-%04d.title", strings.Repeat("long", 12), i)] = value
		}
		if told, err := w.UseConfiguration(t.Context(), proofing.ConfigurationUse{Settings: settings, Program: "v1", Why: proofing.UsedAtReload}); err != nil || !told {
			t.Fatalf("%d settings: %v, %v", n, told, err)
		}
	}
	use(2000, "one")
	use(2000, "two")
	use(9000, "three")
	use(5, "four")
	use(4, "four")
	leaves, beside := w.toldOfConfigurations()
	if len(leaves) != 5 {
		t.Fatalf("%d entries", len(leaves))
	}
	var named struct{ Settings []string }
	if err := json.Unmarshal([]byte(beside[1]), &named); err != nil || len(named.Settings) != 200 || !slices.IsSorted(named.Settings) || leaves[1].Facts["settings"] != 2000.0 {
		t.Errorf("of 2000 that differ %d are named, and counted are %v: %v", len(named.Settings), leaves[1].Facts["settings"], err)
	}
	for i, n := range map[int]any{2: nil, 3: nil, 4: 1.0} {
		if got := leaves[i].Facts["settings"]; got != n || (n == nil) != (beside[i] == "") {
			t.Errorf("entry %d counts %v, and names %s", i, got, beside[i])
		}
	}
}
