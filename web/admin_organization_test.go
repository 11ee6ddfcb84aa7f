package web

import (
	"fmt"
	"html"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// orgShown is the organization's name in a page.
var orgShown = html.EscapeString(orgName)

// dossier is the page of the court's organization.
func (c *court) dossier() string { return organizationPath(c.org.ID) }

// dossierNow is what is stored.
func (c *court) dossierNow() *proofing.Organization {
	c.t.Helper()
	o, err := c.svc.Dossiers.Get(c.t.Context(), c.org.ID)
	if err != nil {
		c.t.Fatal(err)
	}
	return o
}

// itemForm is the form of a kind of item, as the specialist sees it.
func (c *court) itemForm(kind proofing.ItemKind) *drawnForm {
	c.t.Helper()
	return formAt(c.t, c.specialist.get(c.dossier()).Body.String(), `name="kind" value="`+string(kind)+`"`)
}

func TestEveryKindOfItemIsRecordedByItsOwnForm(t *testing.T) {
	c := newCourt(t)
	signer := c.seat("signer", proofing.RoleSigner, "", c.org.ID)
	subjects := map[proofing.ItemKind][]string{
		proofing.ItemApprover: {c.office[c.approver].ID, c.office[c.second].ID}, proofing.ItemSigner: {c.office[signer].ID},
		proofing.ItemDenied: {"organization", c.office[c.approver].ID, c.office[c.second].ID, c.office[signer].ID},
	}
	before := c.specialist.get(c.dossier()).Body.String()
	for _, rule := range proofing.ItemRules() {
		f := c.itemForm(rule.Kind)
		kinds := rule.Sources
		if len(kinds) == 0 {
			kinds = proofing.SourceKinds()
		}
		for _, kind := range kinds {
			if !slices.Contains(f.offers["source_kind"], string(kind)) || len(f.offers["source_kind"]) != len(kinds) {
				t.Errorf("%s: sources %v, want %v", rule.Kind, f.offers["source_kind"], kinds)
			}
		}
		about := subjects[rule.Kind]
		if len(about) == 0 {
			about = []string{""}
		}
		if rule.Kind != proofing.ItemDenied && len(f.offers["subject"]) != len(subjects[rule.Kind]) || rule.Kind == proofing.ItemDenied && len(f.offers["subject"]) != 4 {
			t.Errorf("%s is about %v", rule.Kind, f.offers["subject"])
		}
		for _, subject := range about {
			c.specialist.renew()
			f := c.itemForm(rule.Kind)
			for name, kind := range f.kinds {
				switch kind {
				case "text":
					f.with(name, "Words of "+name+" <b>")
				case "date":
					f.with(name, c.now().Format(time.DateOnly))
				case "select", "checkbox":
					f.with(name, f.offers[name][0])
				case "radio":
					f.with(name, "good")
				default:
					t.Fatalf("%s: a field of type %q", rule.Kind, kind)
				}
			}
			if subject != "" {
				f.with("subject", subject)
			}
			if f.kinds["until"] != "" {
				f.with("until", c.now().AddDate(0, 2, 0).Format(time.DateOnly))
			}
			switch rule.Kind {
			case proofing.ItemLegalName:
				f.with("value", orgName)
			case proofing.ItemDomain:
				f.with("value", "example.com")
			case proofing.ItemKeyProtection:
				f.with("keys", strings.Repeat("ab", 32)+", "+strings.Repeat("A", 43)+"\t"+strings.Repeat("AB", 32))
			case proofing.ItemRequesterList:
				f.with("names", c.office[c.requester].ID)
			}
			if to := c.specialist.follow(c.specialist.sends(f)); to != c.dossier() {
				t.Fatalf("%s leads to %s", rule.Kind, to)
			}
		}
	}
	o := c.dossierNow()
	for _, rule := range proofing.ItemRules() {
		if !slices.ContainsFunc(o.Items, func(it proofing.Item) bool { return it.Kind == rule.Kind && it.Outcome == proofing.OutcomeGood }) {
			t.Errorf("%s is not recorded", rule.Kind)
		}
	}
	key, agreement, list := o.Protection("", c.now()), o.Current(proofing.ItemAgreement, ""), o.Current(proofing.ItemRequesterList, "")
	prints := []string{strings.Repeat("A", 43), "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s"} // of zeros, and of 0xab
	if key.Method != 1 || !slices.Equal(key.Keys, prints) || agreement.Signer != c.office[signer].ID || agreement.Version == "" || agreement.Until.IsZero() || len(list.Names) != 1 {
		t.Errorf("recorded %+v, %+v, %+v", key, agreement, list)
	}
	if !strings.Contains(before, "<b>Registration number</b> is missing") || !strings.Contains(before, "Nothing in the dossier ages.") {
		t.Errorf("before anything is known:\n%s", before)
	}
	page := c.specialist.get(c.dossier())
	c.want(page, 200, "Nothing is missing for an EV code signing certificate", "Words of value &lt;b&gt;", "by <bdi>specialist</bdi>", "1: The CA ships", "<dt>Fingerprints of the keys</dt>", `<code class="print">`+prints[1]+"</code>", "Used, and answered", "(29 days)",
		`<a href="#denied_list">Screening against denied lists</a> (<bdi>second</bdi>)`)
	c.want(c.specialist.get("/admin/organizations"), 200, "Nothing is missing", "Screening against denied lists")
	// Whoever collects nothing reads.
	for _, m := range []*colleague{c.one, c.reviewer, c.approver, c.requester, signer} {
		page := m.get(c.dossier())
		c.want(page, 200, "Words of value &lt;b&gt;")
		if strings.Contains(page.Body.String(), `name="kind"`) || strings.Contains(page.Body.String(), "It was used just now") {
			t.Errorf("%s is asked to record", m.session().Person)
		}
	}
	// A newer item takes its place, and the earlier one stays to be seen.
	c.specialist.renew()
	f := c.itemForm(proofing.ItemPlace).with("value", "Nowhere", "outcome", "bad", "source_kind", "qgis", "source", "a register", "collected", c.now().Format(time.DateOnly))
	c.want(c.specialist.sends(f), http.StatusSeeOther)
	c.want(c.specialist.get(c.dossier()), 200, "Nowhere", "1 earlier entry", "<b>Place of business</b> was refuted")
	// Evidence of the same keys in another set takes the place of the first.
	for _, keys := range [][]string{prints, {prints[0]}, {prints[1], strings.Repeat("01", 32)}} {
		c.item(proofing.ItemDraft{Kind: proofing.ItemKeyProtection, SourceKind: proofing.SourceAttestation, Method: 2, Keys: keys, Reference: "file 9"})
	}
	_, evidence, _ := strings.Cut(c.specialist.get(c.dossier()).Body.String(), `id="key_protection"`)
	if now, past, found := strings.Cut(evidence, "2 earlier entries"); !found || strings.Count(now, "<dt>Fingerprints of the keys</dt>") != 2 || strings.Count(past, "<dt>Fingerprints of the keys</dt>") != 2 {
		t.Errorf("of evidence in other sets of keys the page says:\n%s", evidence)
	}
}

func TestAMistakeInAnItemKeepsWhatWasTyped(t *testing.T) {
	c := newCourt(t)
	today := c.now().Format(time.DateOnly)
	for name, try := range map[string]struct {
		pairs []string
		said  []string
	}{
		"another name":     {[]string{"value", "Another <name>"}, []string{"This is not the name for which certificates are asked", `value="Another &lt;name&gt;"`, `id="legal_name-value-error"`, `aria-invalid="true"`, "<details open>"}},
		"no source":        {[]string{"source", " "}, []string{`id="legal_name-source-error"`, "Name a source"}},
		"a foreign source": {[]string{"source_kind", "applicant"}, []string{`id="legal_name-source-error"`}},
		"still to come":    {[]string{"collected", "2027-01-01"}, []string{`id="legal_name-collected-error"`, `value="2027-01-01"`}},
		"no day":           {[]string{"collected", "yesterday"}, []string{`id="legal_name-collected-error"`}},
		"no outcome":       {[]string{"outcome", "perhaps"}, []string{`id="legal_name-outcome-error"`}},
		"keys of a name":   {[]string{"keys", strings.Repeat("ab", 32)}, []string{"Name the keys that the evidence is about"}},
		"no such kind":     {[]string{"kind", "a"}, []string{"There is no such kind of entry"}},
		"another person":   {[]string{"subject", "x"}, []string{"Choose somebody of this organization"}},
		"no such item":     {[]string{"confirmed_item", "x", "confirmed_how", "called"}, []string{"Something newer has taken its place"}},
	} {
		c.specialist.renew()
		f := c.itemForm(proofing.ItemLegalName).with("value", orgName, "source", "the <register>", "source_kind", "qgis", "collected", today, "outcome", "good").with(try.pairs...)
		w := c.specialist.sends(f)
		c.want(w, 422, try.said...)
		if name == "another name" {
			c.want(w, 422, `value="the &lt;register&gt;"`, `<option value="qgis" selected>`, `value="good" required checked`)
		}
	}
	keys := c.itemForm(proofing.ItemKeyProtection).with("method", "2", "keys", "<ab>", "reference", "file 9", "source", "its maker", "source_kind", "key_proof", "collected", today, "outcome", "good")
	c.want(c.specialist.sends(keys), 422, `id="key_protection-keys-hint"`, `id="key_protection-keys-error"`, `value="&lt;ab&gt;"`)
	// Who has been away is told so, and loses nothing.
	c.wait(20 * time.Minute)
	f := c.itemForm(proofing.ItemLegalName).with("value", orgName, "source", "the <register>", "source_kind", "qgis", "collected", today, "outcome", "good")
	c.want(c.specialist.get(c.dossier()), 200, "To change something, first confirm once more", `href="/me?method=fido&amp;to=%2Fadmin%2Forganizations%2F`+c.org.ID)
	c.want(c.specialist.sends(f), 403, "First confirm once more that it is you", `value="the &lt;register&gt;"`)
	if n := len(c.dossierNow().Items); n != 0 {
		t.Fatalf("%d items by mistakes", n)
	}
	// The same form twice is one item, and another one is another.
	c.specialist.renew()
	for range 2 {
		c.want(c.specialist.sends(f), http.StatusSeeOther)
	}
	if n := len(c.dossierNow().Items); n != 1 {
		t.Errorf("%d items by one form", n)
	}
	c.want(c.specialist.sends(c.itemForm(proofing.ItemLegalName).with("value", orgName, "source", "the <register>", "source_kind", "qgis", "collected", today, "outcome", "good")), http.StatusSeeOther)
	if n := len(c.dossierNow().Items); n != 2 {
		t.Errorf("%d items by two forms", n)
	}
	for _, path := range []string{"/items", "/review", "/rule"} {
		if to := c.specialist.follow(c.specialist.get(c.dossier() + path)); to != c.dossier() {
			t.Errorf("GET %s leads to %s", path, to)
		}
	}
}

func TestAMeansOfCommunicationIsConfirmedByItsUse(t *testing.T) {
	c := newCourt(t)
	c.item(proofing.ItemDraft{Kind: proofing.ItemCommunication, Value: "+49 30 1234567", SourceKind: proofing.SourceQIIS})
	page := c.specialist.get(c.dossier()).Body.String()
	if !strings.Contains(page, "was not used to get an answer") || !strings.Contains(page, "Not used yet to get an answer") {
		t.Fatalf("nothing says that it is not confirmed:\n%s", page)
	}
	f := formAt(t, page, `name="confirmed_item"`)
	c.want(c.specialist.sends(f.with("confirmed_how", " ")), 422, "Say how it was used, and what answer came", "<details open>")
	c.want(c.specialist.sends(f.with("confirmed_how", "called; the <reception> answered")), http.StatusSeeOther)
	c.want(c.specialist.get(c.dossier()), 200, "Used, and answered", "called; the &lt;reception&gt; answered")
	if it := c.dossierNow().Current(proofing.ItemCommunication, ""); it.ConfirmedAt.IsZero() || it.Value != "+49 30 1234567" {
		t.Errorf("recorded %+v", it)
	}
	// By a page that was drawn before, nothing is confirmed again.
	c.want(c.specialist.sends(f.with("once", "", "confirmed_how", "called")), 422, "Something newer has taken its place")
}

func TestADossierIsReviewedByWhoHasCollectedNothing(t *testing.T) {
	c := newCourt(t)
	c.item(proofing.ItemDraft{Kind: proofing.ItemCommunication, Value: "+49 30 1234567", SourceKind: proofing.SourceQIIS})
	for _, m := range []*colleague{c.specialist, c.one, c.approver} {
		page := m.get(c.dossier())
		c.want(page, 200, "Nobody has reviewed this dossier yet")
		if page := page.Body.String(); strings.Contains(page, "It fits together") {
			t.Error("somebody may review who is no reviewer")
		}
	}
	f := formAt(t, c.reviewer.get(c.dossier()).Body.String(), "It fits together")
	c.item(proofing.ItemDraft{Kind: proofing.ItemPlace, Value: "Example Street 1", SourceKind: proofing.SourceLetter})
	c.reviewer.renew()
	c.want(c.reviewer.sends(f), 422, "Something was recorded in this dossier since this page was made")
	f = formAt(t, c.reviewer.get(c.dossier()).Body.String(), "It fits together")
	if to := c.reviewer.follow(c.reviewer.sends(f)); !strings.HasPrefix(to, c.dossier()) {
		t.Errorf("it leads to %s", to)
	}
	c.want(c.one.get(c.dossier()), 200, "Last reviewed as a whole by <bdi>reviewer</bdi>")
	c.item(proofing.ItemDraft{Kind: proofing.ItemPlace, Value: "Example Street 2", SourceKind: proofing.SourceLetter})
	page := c.one.get(c.dossier())
	c.want(page, 200, "Recorded since, and reviewed by nobody else", `<li><a href="#place_of_business">`, "held back")
	_, section, _ := strings.Cut(page.Body.String(), `<section id="review"`)
	section, _, _ = strings.Cut(section, "</section>")
	if strings.Contains(section, `"#communication"`) || !strings.Contains(section, `"#place_of_business"`) {
		t.Errorf("recorded since: %s", section)
	}
}

func TestNobodyIsOfferedToFillOrReviewTheDossierOfAnOrganizationThatTheyActFor(t *testing.T) {
	c := newCourt(t)
	c.item(proofing.ItemDraft{Kind: proofing.ItemCommunication, Value: "+49 30 1234567", SourceKind: proofing.SourceQIIS})
	both := c.seat("both", proofing.RoleSpecialist, "example", "")
	c.appoint(both, "both", proofing.RoleReviewer, "example", "")
	offers := []string{"/items\"", "It fits together"}
	for _, form := range offers {
		c.want(both.get(c.dossier()), 200, form)
	}
	c.appoint(both, "both", proofing.RoleSigner, "", c.org.ID)
	for _, form := range offers {
		if page := both.get(c.dossier()); page.Code != 200 || strings.Contains(page.Body.String(), form) {
			t.Errorf("%d, and they are offered %s", page.Code, form)
		}
	}
}

func TestAnApprovalRuleTakesTwo(t *testing.T) {
	c := newCourt(t)
	one, two := c.office[c.approver].ID, c.office[c.second].ID
	page := c.one.get(c.dossier()).Body.String()
	f := formAt(t, page, "/rule", `name="needed"`)
	offered := slices.Sorted(slices.Values(f.offers["of"])) // both were appointed in one moment
	if !slices.Equal(offered, slices.Sorted(slices.Values([]string{one, two}))) || !strings.Contains(page, "1 Certificate Approver, whoever it is.") {
		t.Errorf("it can name %v", f.offers["of"])
	}
	c.one.renew()
	f.values["of"] = []string{one, two}
	for needed, said := range map[string]string{"0": "At least one must approve", "3": "At least one must approve", "many": "At least one must approve", "1": "An order needs names"} {
		c.want(c.one.sends(f.with("needed", needed, "in_order", "yes")), 422, said, "<details open>", `value="`+one+`" checked`)
	}
	f.values["of"] = []string{one, c.office[c.reviewer].ID}
	c.want(c.one.sends(f.with("needed", "2")), 422, "Only Certificate Approvers of this organization can be named")
	f.values["of"] = []string{one, two}
	f.with("turn-"+one, "2", "turn-"+two, "1")
	c.want(c.one.sends(f), http.StatusSeeOther)
	c.want(c.one.get(c.dossier()), 200, "You proposed this. Somebody else has to set it.", "One after the other, in this order.", "1 Certificate Approver, whoever it is.")
	if o := c.dossierNow(); o.Rule.Needed != 1 || len(o.Rule.Of) != 0 {
		t.Fatal("one person has set a rule")
	}
	page = c.two.get(c.dossier()).Body.String()
	set := formAt(t, page, "Set this rule")
	if !slices.Equal(set.values["of"], []string{two, one}) || !strings.Contains(page, "<bdi>One</bdi>") {
		t.Fatalf("it would set %v", set.values)
	}
	c.want(c.one.sends(set), http.StatusSeeOther) // what was proposed, once more, by the same person
	if c.dossierNow().Proposed == nil {
		t.Fatal("one person has set a rule")
	}
	c.two.renew()
	for range 2 {
		c.want(c.two.sends(set), http.StatusSeeOther)
	}
	if o := c.dossierNow(); o.Rule.Needed != 2 || !o.Rule.InOrder || !slices.Equal(o.Rule.Of, []string{two, one}) || o.Proposed != nil {
		t.Errorf("the rule is %+v", o.Rule)
	}
	c.want(c.approver.get(c.dossier()), 200, "2 of these:", "In force")
}

func TestEverybodyFindsTheDossiersThatAreTheirs(t *testing.T) {
	c := newCourt(t)
	list := c.specialist.get("/admin/organizations")
	c.want(list, 200, orgShown, "Example CA", "things are missing")
	f := formAt(t, list.Body.String(), `name="ca"`)
	c.specialist.renew()
	c.want(c.specialist.sends(f.with("name", " ")), 422, `id="name-error"`)
	if to := c.specialist.follow(c.specialist.sends(f.with("name", orgName))); to != c.dossier() {
		t.Errorf("the name that is there leads to %s", to)
	}
	c.want(c.specialist.sends(f.with("name", "Third <GmbH>")), http.StatusSeeOther)
	c.want(c.specialist.get("/admin/organizations"), 200, "Third &lt;GmbH&gt;")
	c.want(c.specialist.sends(f.with("ca", "other")), 404)
	c.wait(20 * time.Minute)
	c.want(c.specialist.sends(f.with("ca", "example", "name", "Fourth <GmbH>")), 403, "First confirm once more", `value="Fourth &lt;GmbH&gt;"`)

	foreign := c.seat("foreign", proofing.RoleSpecialist, "other", "")
	for _, at := range []string{"/admin/organizations", "/admin/organizations?ca=other"} {
		page := foreign.get(at)
		c.want(page, 200, "There is no dossier here yet.")
		if strings.Contains(page.Body.String(), orgShown) {
			t.Error("another authority's dossier is listed")
		}
	}
	for _, m := range []*colleague{foreign, c.approver} {
		c.want(m.get("/admin/organizations?ca=example"), 404)
	}
	own := c.approver.get("/admin/organizations")
	c.want(own, 200, "Your organizations", orgShown)
	if strings.Contains(own.Body.String(), "Third") {
		t.Error("an approver sees another organization")
	}
	c.want(c.one.get("/admin/organizations"), 200, "Example CA", "Other CA")
	if page := c.one.get("/admin/organizations").Body.String(); strings.Contains(page, `name="ca"`) {
		t.Error("an administrator is asked to open a dossier")
	}

	for i := range listPage {
		if _, _, err := c.svc.OpenOrganization(t.Context(), c.visits(c.specialist), "example", fmt.Sprint("Company ", i)); err != nil {
			t.Fatal(err)
		}
	}
	first := c.specialist.get("/admin/organizations").Body.String()
	_, rest, _ := strings.Cut(first, `<p class="pages"><a href="`)
	next, _, _ := strings.Cut(rest, `"`)
	second := c.specialist.get(strings.ReplaceAll(next, "&amp;", "&"))
	c.want(second, 200, "Back to the first page")
	rows := func(page string) int { return strings.Count(page, `<th scope="row">`) }
	if n, m := rows(first), rows(second.Body.String()); n != listPage || m != 2 {
		t.Errorf("%d and %d rows", n, m)
	}
	if to := c.specialist.follow(c.specialist.get("/admin/organizations?after=x")); to != "/admin/organizations?ca=example" {
		t.Errorf("a cursor of nowhere leads to %s", to)
	}
}

// What of somebody's role ends is read with what ages, and leads to the page where it is confirmed again.
func TestADossierSaysWhatOfItsPeoplesRolesEnds(t *testing.T) {
	c := newCourt(t)
	id, signer := c.office[c.approver].ID, c.office[c.seat("signer", proofing.RoleSigner, "", c.org.ID)].ID
	if _, err := c.svc.Appointments.Update(t.Context(), id, func(a *proofing.Appointment) error {
		a.Until, a.ReconfirmBy = c.now().AddDate(0, 0, 90), c.now().AddDate(0, 0, 20)
		a.Agreement = &proofing.Agreement{Reference: "contract 4", Version: "2", Signer: signer, Until: c.now().Add(-time.Hour)}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*colleague{c.one, c.specialist, c.approver} {
		page := m.get(c.dossier())
		link := `<li><a href="` + personPath(id) + `">`
		c.want(page, 200, link+"Agreement of the pre-authorized approver</a>", "Over</strong> since", link+"Confirmation of the role</a>", "(20 days)", link+"Term of the role</a>", "(90 days)")
		body := page.Body.String()
		if over, soon, later := strings.Index(body, "Agreement of the pre-"), strings.Index(body, "Confirmation of the role"), strings.Index(body, "Term of the role"); over > soon || soon > later {
			t.Errorf("they are not in order: %d, %d, %d", over, soon, later)
		}
		c.want(m.get(personPath(id)), 200)
	}
}
