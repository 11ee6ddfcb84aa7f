package proofing_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

const keyTerm = 14 * 31 * 24 * time.Hour // more than the 13 months of evidence of key protection

// token is evidence of one key, as long as an item may be.
func token(key int) proofing.ItemDraft {
	long := strings.Repeat("\U00020000", 300)
	return proofing.ItemDraft{
		Kind: proofing.ItemKeyProtection, SourceKind: proofing.SourceAttestation, Method: 2, Value: long, Source: long, Reference: long[:4*120], Keys: []string{keyPrint(key)},
	}
}

// Each token has another key, so that nothing takes the place of the evidence of the one before. What has aged goes where room is needed, and what is bad stays.
func TestADossierTakesTheEvidenceOfTokenAfterToken(t *testing.T) {
	c := newCourt(t)
	bad := token(0)
	bad.Outcome = proofing.OutcomeBad
	c.item(bad)
	c.logged()
	key := 0
	record := func() error {
		key++
		d := token(key)
		d.Outcome, d.CollectedAt = proofing.OutcomeGood, c.clock()
		c.specialist.renew()
		_, err := c.RecordItem(t.Context(), c.specialist.visit(), c.org.ID, d)
		c.logged()
		return err
	}
	for err := error(nil); err == nil; {
		if err = record(); err != nil {
			var full *proofing.LimitError
			if !errors.As(err, &full) || full.Limit != "dossier" || key < 10 {
				t.Fatalf("token %d: %v", key, err)
			}
		}
	}
	for year := range 2 {
		c.pass(keyTerm)
		for n := range 10 {
			if err := record(); err != nil {
				t.Fatalf("year %d, token %d: %v", year, n, err)
			}
		}
	}
	c.protects(4, proofing.OutcomeGood) // an audit of all keys
	if it := c.org.Protection(keyPrint(0), c.clock()); it == nil || it.Outcome != proofing.OutcomeBad {
		t.Errorf("of the key that was found to be bad the dossier has %+v", it)
	}
	if it := c.org.Protection(keyPrint(1), c.clock()); it == nil || it.Method != 4 {
		t.Errorf("of the oldest key the dossier has %+v", it)
	}
	if c.org.Current(proofing.ItemLegalName, "") == nil {
		t.Error("the legal name is gone")
	}
}

// What is bad does not age, and there is no end of keys that are: a dossier that is full of them takes the evidence of a good one all the same, and knows of each that it is bad.
func TestADossierThatIsFullOfRefutedKeysTakesAGoodOne(t *testing.T) {
	c := newCourt(t)
	const refuted = 120
	for key := range refuted {
		bad := token(key)
		bad.Outcome, bad.CollectedAt = proofing.OutcomeBad, c.clock()
		c.specialist.renew()
		if _, err := c.RecordItem(t.Context(), c.specialist.visit(), c.org.ID, bad); err != nil {
			t.Fatalf("key %d that is bad: %v", key, err)
		}
		c.logged()
	}
	c.protects(2, proofing.OutcomeGood, keyPrint(refuted))
	c.protects(4, proofing.OutcomeGood) // an audit of all keys
	for key := range refuted {
		if it := c.org.Protection(keyPrint(key), c.clock()); it == nil || it.Outcome != proofing.OutcomeBad {
			t.Fatalf("of the key %d that was found to be bad the dossier has %+v", key, it)
		}
	}
	if it := c.org.Protection(keyPrint(refuted), c.clock()); it == nil || it.Outcome != proofing.OutcomeGood {
		t.Errorf("of the good key the dossier has %+v", it)
	}
	if !slices.Contains(c.org.Collectors(c.clock()), c.specialist.person()) {
		t.Error("who has collected it may review it")
	}
	// Once one of them is found to be good, the others stay what they are.
	c.protects(2, proofing.OutcomeGood, keyPrint(3))
	if it := c.org.Protection(keyPrint(3), c.clock()); it == nil || it.Outcome != proofing.OutcomeGood {
		t.Errorf("of the key that is good again the dossier has %+v", it)
	}
	if it := c.org.Protection(keyPrint(4), c.clock()); it == nil || it.Outcome != proofing.OutcomeBad || len(it.Gathered) < 10 || it.Value != "" {
		t.Errorf("of another the dossier has %+v", it)
	}
}

func TestOfEvidenceOfKeysTheNewestThatNamesOneOfThemCounts(t *testing.T) {
	for name, x := range map[string]struct {
		items []string // the method or "bad", and the keys
		want  string
	}{
		"a set in place of one":         {[]string{"2 a", "2 ab"}, "1"},
		"one of a set":                  {[]string{"2 ab", "2 a"}, "0 1"},
		"each of a set":                 {[]string{"2 ab", "2 a", "6 b"}, "1 2"},
		"two sets for one":              {[]string{"2 ab", "2 ac", "6 bd"}, "1 2"},
		"one that was found to be bad":  {[]string{"2 a", "bad a"}, "1"},
		"one that is good again":        {[]string{"bad ab", "2 a"}, "0 1"},
		"two that are good again":       {[]string{"bad ab", "2 a", "2 b"}, "1 2"},
		"an audit beside what it names": {[]string{"bad a", "2 b", "4 "}, "0 1 2"},
		"another audit":                 {[]string{"4 ", "2 a", "4 "}, "1 2"},
	} {
		o := &proofing.Organization{}
		for i, text := range x.items {
			how, keys, _ := strings.Cut(text, " ")
			it := proofing.Item{Kind: proofing.ItemKeyProtection, Method: 2, Outcome: proofing.OutcomeBad, Entry: int64(i), CollectedBy: fmt.Sprint(i)}
			if how != "bad" {
				it.Method, it.Outcome = int(how[0]-'0'), proofing.OutcomeGood
			}
			for _, key := range keys {
				it.Keys = append(it.Keys, string(key))
			}
			it.Subject = strings.Join(it.Keys, " ")
			o.Items = append(o.Items, it)
		}
		var got []string
		for _, it := range o.Currents() {
			got = append(got, fmt.Sprint(it.Entry))
		}
		if text := strings.Join(got, " "); text != x.want {
			t.Errorf("%s: of %q count %s, want %s", name, x.items, text, x.want)
		}
		if barred := o.Collectors(time.Time{}); !slices.Equal(barred, got) {
			t.Errorf("%s: who collected %v are barred, want %v", name, barred, got)
		}
	}
}

// Of a dossier that is too full everything goes that says nothing of any key, and nothing else.
func TestWhatADossierThatIsTooFullLetsGoOf(t *testing.T) {
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	full := strings.Repeat("x", 100<<10)
	for name, x := range map[string]struct {
		items []string // "aged" is good, and has aged
		left  string
	}{
		"what has aged":           {[]string{"aged a", "good b"}, "1"},
		"what was found again":    {[]string{"bad a", "good a"}, "1"},
		"and has aged since":      {[]string{"bad a", "aged a"}, ""},
		"what is bad":             {[]string{"aged a", "bad a"}, "1"},
		"and is so for one":       {[]string{"bad ab", "good a"}, "0 1"},
		"found again for the one": {[]string{"bad ab", "aged a"}, "0 1"}, // without the second an audit of all keys would not do for it
		"an audit before":         {[]string{"good ", "aged a"}, "0 1"},  // without the second the audit would do for it
		"an audit that has aged":  {[]string{"aged ", "aged a"}, "0"},
		"an audit after":          {[]string{"aged a", "good "}, "1"},
		"all that was bad":        {[]string{"bad ", "aged a", "good "}, "2"},
	} {
		o := &proofing.Organization{Items: []proofing.Item{{ID: "full", Kind: proofing.ItemDomain, Value: full}}}
		for i, text := range x.items {
			outcome, keys, _ := strings.Cut(text, " ")
			it := proofing.Item{ID: fmt.Sprint(i), Kind: proofing.ItemKeyProtection, Method: 4, Outcome: proofing.OutcomeGood, Subject: keys, CollectedAt: now.Add(-time.Hour)}
			if outcome == "bad" {
				it.Outcome = proofing.OutcomeBad
			} else if outcome == "aged" {
				it.Until = now
			}
			for _, key := range keys {
				it.Keys = append(it.Keys, string(key))
			}
			o.Items = append(o.Items, it)
		}
		if o.Trim(now) {
			t.Fatalf("%s: there is room", name)
		}
		var left []string
		for _, it := range o.Items[1:] {
			left = append(left, it.ID)
		}
		if got := strings.Join(left, " "); o.Items[0].ID != "full" || got != x.left {
			t.Errorf("%s: of %q stay %s, want %s", name, x.items, got, x.left)
		}
	}
}

// What is let go of changes neither which key a certificate may be for nor who may review, whatever is recorded afterwards.
func TestWhatADossierLetsGoOfChangesNothing(t *testing.T) {
	const seed, keys = 17, 25
	rnd, gone, spent, gathered := rand.New(rand.NewPCG(seed, seed)), 0, 0, 0
	long := strings.Repeat("x", 2000)
	stands := func(o *proofing.Organization, key string, now time.Time) bool {
		it := o.Protection(key, now)
		return it != nil && it.Outcome == proofing.OutcomeGood && now.Before(it.GoodUntil(true))
	}
	for round := range 12 {
		whole, trimmed, now := &proofing.Organization{}, &proofing.Organization{}, time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
		for n := range 120 {
			now = now.Add(time.Duration(rnd.IntN(40)) * 24 * time.Hour)
			it := proofing.Item{
				ID: fmt.Sprint(n), Kind: proofing.ItemKeyProtection, Method: 2, Outcome: proofing.OutcomeGood, CollectedAt: now, CollectedBy: fmt.Sprint(n), Entry: int64(n), Value: long,
			}
			if round%2 == 1 { // what one of them finds to be bad is gathered
				it.CollectedBy, it.Value = fmt.Sprint(n%3), strings.Repeat(long, 3)
			}
			for key := range keys {
				if rnd.IntN(keys) < 2 {
					it.Keys = append(it.Keys, fmt.Sprint(key))
				}
			}
			if len(it.Keys) == 0 {
				it.Method = 4
			}
			if rnd.IntN(4) == 0 || round%2 == 1 && rnd.IntN(8) > 0 {
				it.Outcome = proofing.OutcomeBad
			}
			if rnd.IntN(3) == 0 {
				it.Until = now.Add(time.Duration(1+rnd.IntN(60)) * 24 * time.Hour)
			}
			it.Subject = strings.Join(it.Keys, " ")
			whole.Items, trimmed.Items = append(whole.Items, it), append(trimmed.Items, it)
			before := slices.Clone(trimmed.Items)
			if !trimmed.Trim(now) {
				t.Fatalf("seed %d, round %d, item %d: %d are too much", seed, round, n, len(trimmed.Items))
			}
			was := &proofing.Organization{Items: before}
			for _, it := range was.Currents() {
				if !slices.ContainsFunc(trimmed.Items, func(kept proofing.Item) bool { return kept.ID == it.ID }) {
					spent++
				}
			}
			gone += len(before) - len(trimmed.Items)
			for i := range trimmed.Items {
				gathered += min(len(trimmed.Items[i].Gathered), 1)
			}
			for key := range keys {
				key := fmt.Sprint(key)
				if a, b := stands(whole, key, now), stands(trimmed, key, now); a != b {
					t.Fatalf("seed %d, round %d, item %d: key %s is protected %v, and after something is let go of %v", seed, round, n, key, a, b)
				}
			}
			if a, b := slices.Sorted(slices.Values(whole.Collectors(now))), slices.Sorted(slices.Values(trimmed.Collectors(now))); !slices.Equal(a, b) {
				t.Fatalf("seed %d, round %d, item %d: %v are barred, and after something is let go of %v", seed, round, n, a, b)
			}
		}
	}
	if gone < 500 || spent < 20 || gathered < 20 {
		t.Errorf("only %d were let go of, and of them %d that nothing had taken the place of; %d are gathered", gone, spent, gathered)
	}
}

// Who has collected evidence that counts no more reviews again, and the file holds that has their review: online and offline are one.
func TestWhoHasCollectedEvidenceOfAKeyThatCountsNoMoreReviews(t *testing.T) {
	for name, x := range map[string]struct {
		until time.Duration // of the item that the reviewer has collected
		keys  []string
		then  func(c *court)
		bars  bool
	}{
		"as long as it counts":               {0, []string{keyPrint(0)}, func(*court) {}, true},
		"once it has aged":                   {time.Hour, []string{keyPrint(0)}, func(c *court) { c.pass(2 * time.Hour) }, false},
		"before it has aged":                 {3 * time.Hour, []string{keyPrint(0)}, func(c *court) { c.pass(2 * time.Hour) }, true},
		"another names the key among others": {0, []string{keyPrint(0)}, func(c *court) { c.protects(2, proofing.OutcomeGood, keyPrint(0), keyPrint(1)) }, false},
		"another names one of its keys":      {0, []string{keyPrint(0), keyPrint(1)}, func(c *court) { c.protects(2, proofing.OutcomeBad, keyPrint(1)) }, true},
		"an audit of all keys":               {0, []string{keyPrint(0)}, func(c *court) { c.protects(4, proofing.OutcomeGood) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCourt(t)
			tree := c.stated()
			c.adds(c.reviewer, c.one, c.two, draft(proofing.RoleSpecialist, "alpha", ""))
			c.reviewer.renew()
			d := proofing.ItemDraft{
				Kind: proofing.ItemKeyProtection, Source: "its maker", SourceKind: proofing.SourceAttestation, Method: 2, Keys: x.keys, Reference: "file 9", CollectedAt: c.clock(), Outcome: proofing.OutcomeGood,
			}
			if x.until > 0 {
				d.Until = c.clock().Add(x.until)
			}
			c.org = must[*proofing.Organization](t)(c.RecordItem(t.Context(), c.reviewer.visit(), c.org.ID, d))
			x.then(c)
			k := c.submitted("signing")
			must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
			must[*proofing.Case](t)(c.decides(c.specialist, k, proofing.StepVet, false))
			if c.org = c.dossierOf(k); c.org.MayReview(c.reviewer.person(), c.clock()) == x.bars {
				t.Errorf("they may review: %v", x.bars)
			}
			c.forges = x.bars
			if x.bars { // the store is made to forget who has collected it: the file does not
				if err := edit(c.Dossiers, c.org.ID, func(o *proofing.Organization) {
					for i := range o.Items {
						o.Items[i].CollectedBy = c.specialist.person()
					}
				}); err != nil {
					t.Fatal(err)
				}
			}
			must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false))
			const found = "has reviewed what they had collected"
			if _, err := c.fileOf(tree, k); (err != nil) != x.bars || err != nil && !strings.Contains(err.Error(), found) {
				t.Errorf("the file: %v", err)
			}
		})
	}
}
