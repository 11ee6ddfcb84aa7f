package proofing_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// certified is a mailbox and a number under which a certificate was issued that lasts so long.
func (w *world) certified(lasts time.Duration) (*proofing.Case, *proofing.Certificate) {
	w.t.Helper()
	k := w.prove(w.open("email"), "b", "email", "")
	c := must[*proofing.Certificate](w.t)(w.CertificateIssued(w.t.Context(), w.ca, proofing.CertificateReport{DER: issued(w.t, "X", 7, w.clock(), lasts), Cases: []string{k.ID}}))
	w.work()
	return k, c
}

func disowns(c *proofing.Certificate) proofing.Secret {
	return proofing.Secret(c.ID + "." + c.Links[0].Secret.Reveal())
}

// toBeRevoked are the certificates that must be revoked within a scope.
func (w *world) toBeRevoked(scope string) []*proofing.Certificate {
	w.t.Helper()
	all, _, err := w.Certificates.List(w.t.Context(), proofing.Query{Index: "revoke", Prefix: scope})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func TestThoseWhoAnswerForACertificateAreToldOfIt(t *testing.T) {
	c := newCourt(t)
	k := c.granted()
	first := must[*proofing.Certificate](t)(c.CertificateIssued(t.Context(), c.ca, proofing.CertificateReport{DER: issued(t, orgName, 0xa1, c.clock(), time.Hour), Cases: []string{k.ID}}))
	report := proofing.CertificateReport{DER: issued(t, orgName, 0xa2, c.clock(), time.Hour), Cases: []string{k.ID}}
	for range 2 { // the CA says it twice
		must[*proofing.Certificate](t)(c.CertificateIssued(t.Context(), c.ca, report))
	}
	c.work()
	for kind, serial := range map[string]string{"issued": "a1", "renewed": "a2"} {
		var told []string
		for _, m := range c.post.all(kind) {
			told = append(told, m.To.Reveal())
			if m.About != serial || m.Context.Identifier != orgName || !strings.HasPrefix(m.Disown.Reveal(), "https://proof.example.org/x/") {
				t.Errorf("%s: %+v", kind, m)
			}
		}
		slices.Sort(told)
		if want := []string{"approver@example.org", "requester@example.org", "signer@example.org"}; !slices.Equal(told, want) {
			t.Errorf("%s: told are %q, want %q", kind, told, want)
		}
	}
	// Each has a link of their own, which says whose it is.
	links := map[string]string{}
	for _, m := range c.post.all("issued") {
		links[m.To.Reveal()] = strings.TrimPrefix(m.Disown.Reveal(), "https://proof.example.org"+proofing.CertificatePath)
	}
	approver := c.approver.person()
	said := must[*proofing.Certificate](t)(c.DisownCertificate(t.Context(), proofing.Secret(links["approver@example.org"])))
	if said.ID != first.ID || said.Disowned.Person != approver || said.Disowned.Channel != proofing.ChannelEmail {
		t.Errorf("it was disowned by the link of %q: %+v", approver, said.Disowned)
	}
	if again := must[*proofing.Certificate](t)(c.DisownCertificate(t.Context(), proofing.Secret(links["signer@example.org"]))); again.Disowned.Person != approver {
		t.Errorf("who said it first is forgotten: %+v", again.Disowned)
	}
	c.work()
	c.logged()
	e, _, err := c.LogEntry(t.Context(), must[proofing.Journal](t)(c.Journal(t.Context(), proofing.SubjectCertificate, first.ID)).Places[1])
	if err != nil {
		t.Fatal(err)
	}
	if facts := must[proofing.Leaf](t)(e.Said()).Facts; facts["link_of"] != approver || facts["channel"] != "email" {
		t.Errorf("the log says %v", facts)
	}
	c.one.renew()
	_, held, err := c.Console(t.Context(), c.one.visit())
	if err != nil {
		t.Fatal(err)
	}
	// What they are called at another authority is not for those of this one.
	elsewhere := &proofing.Appointment{ID: c.office[c.approver].ID[:2] + "zz-elsewhere", CA: "beta", Role: proofing.RoleOperator, Person: approver, Name: "another name", Status: proofing.AppointmentActive, Proposed: proofing.Act{At: c.clock()}}
	if err := c.Appointments.Create(t.Context(), elsewhere.ID, elsewhere); err != nil {
		t.Fatal(err)
	}
	list, _, err := c.Revocations(t.Context(), c.one.visit(), held[0].ID, "", 10)
	if err != nil || len(list) != 1 || list[0].Whose != "approver" {
		t.Errorf("the console says %+v, %v", list, err)
	}
}

// linksOf are the "this was not us" of the notices of a kind, by whom they went to.
func (c *court) linksOf(kind string) map[string]proofing.Secret {
	c.t.Helper()
	links := map[string]proofing.Secret{}
	for _, m := range c.post.all(kind) {
		to := strings.TrimSuffix(m.To.Reveal(), "@example.org")
		if links[to] != "" {
			c.t.Errorf("%s: %s is told twice", kind, to)
		}
		links[to] = proofing.Secret(strings.TrimPrefix(m.Disown.Reveal(), "https://proof.example.org"+proofing.CertificatePath))
	}
	return links
}

// One approves the authorization, and another one the CSR: both answer for the certificate.
func TestWhoeverApprovedTheCSRHearsOfTheCertificateToo(t *testing.T) {
	c := newCourt(t)
	one := *c.Policy.Profiles["signing"]
	one.Approve = proofing.ApproveEach
	c.Policy.Profiles["signing"] = &one
	k := c.granted()
	c.logged()
	v, err := c.Authorize(t.Context(), c.ca, proofing.AuthorizeRequest{
		Applicant: k.Applicant, Identifiers: []proofing.Identifier{k.Identifier}, Profile: k.Profile, CSRDigest: "csr-1", CSR: &proofing.CSR{Digest: "csr-1", Key: proofing.KeyP256},
	})
	if err != nil || v.Authorizations[0].Problem != "issuance" {
		t.Fatal(v, err)
	}
	i := v.Authorizations[0].Case
	must[*proofing.Case](t)(c.decides(c.second, i, proofing.StepApprove, false))
	must[*proofing.Case](t)(c.decides(c.reviewer, i, proofing.StepReview, false))
	certs := map[string]*proofing.Certificate{}
	replaces := ""
	for serial, kind := range []string{"issued", "renewed"} {
		certs[kind] = must[*proofing.Certificate](t)(c.CertificateIssued(t.Context(), c.ca, proofing.CertificateReport{
			DER: issued(t, orgName, int64(serial+1), c.clock(), time.Duration(90+serial)*someDay), Cases: []string{k.ID}, CSRDigest: "csr-1", Replaces: replaces,
		}))
		replaces = certs[kind].Serial
	}
	c.work()
	persons := map[string]string{"approver": c.approver.person(), "second": c.second.person(), "requester": c.requester.person(), "signer": c.signer.person()}
	for kind, cert := range certs {
		links := c.linksOf(kind)
		if len(links) != len(persons) || len(cert.Links) != len(persons) || !slices.Equal(cert.Approvals, []string{i.ID}) {
			t.Errorf("%s: told are %d by %d links, under the approvals %v", kind, len(links), len(cert.Links), cert.Approvals)
		}
		for name, person := range persons {
			by := must[*proofing.Certificate](t)(c.CertificateByLink(t.Context(), links[name]))
			if !slices.ContainsFunc(by.Links, func(l proofing.CertificateLink) bool {
				return l.Person == person && strings.HasSuffix(links[name].Reveal(), "."+l.Secret.Reveal())
			}) || by.ID != cert.ID {
				t.Errorf("%s: the link of %s is not theirs", kind, name)
			}
		}
	}
	c.pass(62 * someDay) // the second one has taken the place of the first
	c.work()
	var told []string
	for _, m := range c.post.all("certificate_ends") {
		told = append(told, strings.TrimSuffix(m.To.Reveal(), "@example.org"))
	}
	if slices.Sort(told); !slices.Equal(told, slices.Sorted(maps.Keys(persons))) {
		t.Errorf("of the end are told %q", told)
	}
	for kind, name := range map[string]string{"issued": "approver", "renewed": "second"} {
		said := must[*proofing.Certificate](t)(c.DisownCertificate(t.Context(), c.linksOf(kind)[name]))
		if said.Disowned == nil || said.Disowned.Person != persons[name] {
			t.Errorf("by the link of %s it was disowned by %+v", name, said.Disowned)
		}
	}
}

// Whom the organization has named answers for its certificates, whoever has decided; as long as the role stands.
func TestWhoeverIsNamedToApproveHearsOfCertificates(t *testing.T) {
	c := newCourt(t)
	must[*proofing.Organization](t)(c.Dossiers.Update(t.Context(), c.org.ID, func(o *proofing.Organization) error {
		o.Rule = proofing.ApprovalRule{Needed: 1, Of: []string{c.office[c.approver].ID, c.office[c.second].ID}}
		return nil
	}))
	k := c.granted()
	report := func(serial int64) *proofing.Certificate {
		t.Helper()
		cert := must[*proofing.Certificate](t)(c.CertificateIssued(t.Context(), c.ca, proofing.CertificateReport{DER: issued(t, orgName, serial, c.clock(), 90*someDay), Cases: []string{k.ID}}))
		c.work()
		return cert
	}
	report(1)
	links := c.linksOf("issued")
	if got := slices.Sorted(maps.Keys(links)); !slices.Equal(got, []string{"approver", "requester", "second", "signer"}) {
		t.Errorf("told are %q", got)
	}
	c.one.renew()
	must[*proofing.Appointment](t)(c.SuspendAppointment(t.Context(), c.one.visit(), c.office[c.second].ID, "a doubt"))
	report(2)
	if got := slices.Sorted(maps.Keys(c.linksOf("renewed"))); !slices.Equal(got, []string{"approver", "requester", "signer"}) {
		t.Errorf("after one of them was suspended are told %q", got)
	}
	if said := must[*proofing.Certificate](t)(c.DisownCertificate(t.Context(), links["second"])); said.Disowned == nil || said.Disowned.Person != c.second.person() {
		t.Errorf("by the link of the one who has not decided: %+v", said.Disowned)
	}
}

func TestWhoeverAnswersForACertificateIsToldByTextMessageToo(t *testing.T) {
	w := newWorld(t)
	k := w.open("client")
	w.prove(k, "b", "email", "")
	k = w.prove(k, "b", "sms", "+447400123456")
	for serial := range int64(5) {
		must[*proofing.Certificate](t)(w.CertificateIssued(t.Context(), w.ca, proofing.CertificateReport{DER: issued(t, "X", serial+1, w.clock(), time.Hour), Cases: []string{k.ID}}))
		w.work()
	}
	if mails, texts := len(w.post.all("issued"))+len(w.post.all("renewed")), len(w.post.all("sms_issued"))+len(w.post.all("sms_renewed")); mails != 5 || texts != 3 {
		t.Errorf("%d mails and %d text messages of five certificates", mails, texts)
	}
}

func TestThisWasNotUsFreezesTheAccountAndStartsTheClock(t *testing.T) {
	w := newWorld(t)
	k, c := w.certified(90 * someDay)
	other := request("email")
	other.Identifier.Value = "another@example.org"
	second, _, err := w.Open(t.Context(), w.ca, other)
	if err != nil {
		t.Fatal(err)
	}
	stranger := w.openFor("email", "stranger@example.org", strings.Repeat("S", 43))
	elsewhere, _, err := w.Open(t.Context(), w.other, request("email"))
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range []proofing.Secret{"", "x", disowns(c) + "x", proofing.Secret(c.ID + "."), proofing.Secret(k.ID + "." + k.Disown.Reveal())} {
		_, err := w.DisownCertificate(t.Context(), ref)
		wantErr(t, "by a link that is none", err, proofing.ErrNotFound)
	}
	must[*proofing.Certificate](t)(w.CertificateByLink(t.Context(), disowns(c)))
	if w.reload(k).Frozen != nil {
		t.Fatal("looking at the page has frozen something")
	}
	for range 2 {
		c = must[*proofing.Certificate](t)(w.DisownCertificate(t.Context(), disowns(c)))
		w.work()
	}
	if c.Disowned == nil || !c.Disowned.RevokeBy.Equal(w.clock().Add(24*time.Hour)) {
		t.Errorf("the clock is %+v", c.Disowned)
	}
	if w.reload(k).Frozen == nil || w.reload(second).Frozen == nil {
		t.Error("something of the account is not frozen")
	}
	if w.reload(stranger).Frozen != nil || w.reload(elsewhere).Frozen != nil {
		t.Error("another account, or another authority's, is frozen")
	}
	if v, err := w.Authorize(t.Context(), w.ca, proofing.AuthorizeRequest{Applicant: k.Applicant, Identifiers: []proofing.Identifier{k.Identifier}, Profile: "email"}); err != nil || v.Allow {
		t.Errorf("it is authorized: %v, %v", v.Allow, err)
	}
	w.logged()
	told := 0
	events, _, err := w.Events(t.Context(), w.ca, "", 100, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Change == proofing.ChangeCertificate && e.Object == k.ID && e.Certificate == c.Digest {
			told++
		}
	}
	if told != 1 {
		t.Errorf("the authority is told %d times", told)
	}
	if due := w.toBeRevoked("authority.alpha."); len(due) != 1 || due[0].ID != c.ID || len(w.toBeRevoked("service.")) != 1 || len(w.toBeRevoked("authority.beta.")) != 0 {
		t.Errorf("to be revoked are %d", len(due))
	}
	_, err = w.CertificateRevoked(t.Context(), w.other, c.ID)
	wantErr(t, "another authority revokes it", err, proofing.ErrNotFound)
	for range 2 {
		c = must[*proofing.Certificate](t)(w.CertificateRevoked(t.Context(), w.ca, c.ID))
	}
	if due := w.toBeRevoked("service."); len(due) != 0 {
		t.Error("the clock goes on after it was revoked")
	}
	w.logged()
	j := must[proofing.Journal](t)(w.Journal(t.Context(), proofing.SubjectCertificate, c.ID))
	var kinds []string
	for _, place := range j.Places {
		e, _, err := w.LogEntry(t.Context(), place)
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, string(must[proofing.Leaf](t)(e.Said()).Kind))
	}
	if got := strings.Join(kinds, " "); got != "certificate_issued certificate_disowned certificate_revoked" {
		t.Errorf("the log has %s", got)
	}
}

// The process dies after the word is taken and before anything is frozen: whoever works next finishes it.
func TestTheProcessMayDieWhileACertificateIsDisowned(t *testing.T) {
	w := newWorld(t)
	k, c := w.certified(90 * someDay)
	cases := w.Cases
	w.Cases = &refusing[proofing.Case]{Table: cases}
	if _, err := w.DisownCertificate(t.Context(), disowns(c)); err != nil {
		t.Errorf("the word is not taken: %v", err)
	}
	w.Cases = cases
	if w.reload(k).Frozen != nil {
		t.Fatal("it is frozen, although nothing could be stored")
	}
	w.work()
	if w.reload(k).Frozen == nil || len(w.reload(k).Disowned) != 1 {
		t.Error("nobody has finished it")
	}
}

// refusing is a table in which nothing can be changed.
type refusing[T any] struct{ proofing.Table[T] }

func (r *refusing[T]) Update(context.Context, string, func(*T) error) (*T, error) {
	return nil, errors.Join(errors.New("the test says no"), proofing.ErrUnavailable)
}

func TestACertificateThatIsOverIsNotDisowned(t *testing.T) {
	w := newWorld(t)
	k, c := w.certified(time.Hour)
	w.pass(2 * time.Hour)
	if c = must[*proofing.Certificate](t)(w.DisownCertificate(t.Context(), disowns(c))); c.Disowned != nil || w.reload(k).Frozen != nil {
		t.Error("one that has ended freezes something")
	}
}

func TestPeopleAreRemindedOnceOfEachEnd(t *testing.T) {
	w := newWorld(t)
	_, c := w.certified(90 * someDay)
	reminded := func(what string, want int) {
		t.Helper()
		w.work()
		w.work()
		if n := len(w.post.all("certificate_ends")); n != want {
			t.Errorf("%s: %d reminders, want %d", what, n, want)
		}
	}
	reminded("at first", 0)
	w.pass(60*someDay - 2*time.Second)
	reminded("before 30 days", 0)
	w.pass(2 * time.Second)
	reminded("30 days before", 1)
	w.pass(23 * someDay)
	reminded("7 days before", 2)
	w.pass(6 * someDay)
	reminded("a day before", 2)
	if m := w.post.all("certificate_ends")[0]; !m.Context.Ends.Equal(c.NotAfter) || m.Disown != "" {
		t.Errorf("it says %+v", m)
	}
	// One that is short, one whose place another has taken, one that was revoked, and one whose end has passed meanwhile.
	w = newWorld(t)
	w.certified(10 * someDay)
	w.pass(9 * someDay)
	reminded("a short one", 0)
	w = newWorld(t)
	k, _ := w.certified(90 * someDay)
	w.pass(50 * someDay)
	must[*proofing.Certificate](t)(w.CertificateIssued(t.Context(), w.ca, proofing.CertificateReport{DER: issued(t, "X", 8, w.clock(), 90*someDay), Cases: []string{k.ID}}))
	w.pass(35 * someDay)
	reminded("one that was renewed", 0)
	w = newWorld(t)
	_, c = w.certified(90 * someDay)
	must[*proofing.Certificate](t)(w.CertificateRevoked(t.Context(), w.ca, c.ID))
	w.pass(80 * someDay)
	reminded("one that was revoked", 0)
	w = newWorld(t)
	w.certified(90 * someDay)
	w.pass(91 * someDay)
	reminded("one that has ended while nothing ran", 0)
	w = newWorld(t)
	w.certified(90 * someDay)
	w.pass(85 * someDay)
	reminded("both that were missed", 1)
}

func TestWhoCollectsIsRemindedOnceOfWhatAges(t *testing.T) {
	c := newCourt(t)
	count := func(what string, want int) {
		t.Helper()
		c.work()
		c.work()
		told := c.post.all("dossier_ages")
		if len(told) != want {
			t.Errorf("%s: %d notices, want %d", what, len(told), want)
		}
		for _, m := range told {
			if m.To != "specialist@example.org" || m.Context.Identifier != orgName || m.Link.Reveal() != "https://proof.example.org/admin/organizations/"+c.org.ID {
				t.Errorf("%s: %+v", what, m)
			}
		}
	}
	count("at first", 0)
	c.pass(22 * someDay)
	count("before what was searched is 23 days old", 0)
	c.pass(2 * someDay)
	count("a week before the searches age", 1)
	c.pass(300 * someDay)
	count("long after they have aged", 1)
	c.pass(43 * someDay)
	count("30 days before the rest ages", 2)
	if len(c.post.all("dossier_ages")) == 2 && !c.post.all("dossier_ages")[1].Context.Ends.After(c.clock()) {
		t.Error("the notice is of what has aged long ago")
	}
	for _, it := range must[*proofing.Organization](t)(c.Dossiers.Get(t.Context(), c.org.ID)).Currents() {
		if it.Kind == proofing.ItemLegalName {
			c.item(proofing.ItemDraft{Kind: it.Kind, Value: it.Value, SourceKind: it.SourceKind})
		}
	}
	c.pass(60 * someDay)
	count("after one of it was collected anew", 3)
}

// A certificate may be reported for the request that ended in a key: it has no account of its own, and what the key has bound falls with it.
func TestThisWasNotUsFreezesWhatAKeyHasBound(t *testing.T) {
	w, c := withKeys(t)
	k := w.caseKey(c)
	must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
	account := w.asks(1, c.Identifier)
	if account.Case == nil || account.Problem != "" {
		t.Fatalf("before: %+v", account)
	}
	cert := must[*proofing.Certificate](t)(w.CertificateIssued(t.Context(), w.ca, proofing.CertificateReport{DER: issued(t, "X", 9, w.clock(), 90*someDay), Cases: []string{c.ID}}))
	w.work()
	cert = must[*proofing.Certificate](t)(w.Certificates.Get(t.Context(), cert.ID))
	must[*proofing.Certificate](t)(w.DisownCertificate(t.Context(), disowns(cert)))
	w.work()
	if got := w.reload(c); got.Frozen == nil {
		t.Error("the request stands")
	}
	if got := w.asks(1, c.Identifier); got.Problem == "" {
		t.Errorf("the account is still authorized: %+v", got)
	}
	_, err := w.VerifyKey(t.Context(), w.ca, present(k, 2))
	wantErr(t, "another account by the key", err, proofing.ErrBinding)
}
