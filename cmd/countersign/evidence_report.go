package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/proofing"
)

// evidenceReport tells an auditor what an evidence file proves, from the certificate down.
type evidenceReport struct {
	w io.Writer
	*audit.Proven
	names map[string]string // of persons, by the appointments that they hold
}

func printEvidence(w io.Writer, p *audit.Proven) {
	r := &evidenceReport{w, p, map[string]string{}}
	for _, o := range p.Objects {
		if o.Of != proofing.SubjectAppointment {
			continue
		}
		for _, e := range p.Entries(o.Of, o.Object) {
			if name := member(e.Private, "name"); name != "" && member(e.Leaf.Facts, "person") != "" {
				r.names[member(e.Leaf.Facts, "person")] = name
			}
		}
	}
	fmt.Fprintf(w, "The evidence holds. All %d entries in it are in the log %s, by a checkpoint of %d entries that its key has\n", r.entries(), p.Log, p.Size)
	fmt.Fprintf(w, "signed; each record has all of its entries up to the last that is here; and the key has sealed the file as it was made at %s.\n\n", at(p.Made))
	r.losses()
	for i := range p.Certificates {
		r.certificate(&p.Certificates[i], p.Facts[i])
	}
	for i := range p.Cases {
		r.request(&p.Cases[i])
	}
	for _, o := range p.Objects {
		if o.Of == proofing.SubjectOrganization {
			r.dossier(o.Object)
		}
	}
	r.roles()
	fmt.Fprintln(w, "Not shown by this file: what became of it after it was made; whether the certificate authority's signature on the certificate is good,")
	fmt.Fprintln(w, "and whether it was revoked; what was erased at somebody's request or because of its age; whether the term of an approval, an")
	fmt.Fprintln(w, "agreement or an appointment was over, of which the log does not tell; who asked, where it was proved without a passkey; whether the")
	fmt.Fprintln(w, "word that combines the roles had aged, what is on file of Contract Signers, and whether a means of communication was confirmed;")
	fmt.Fprintln(w, "how long something had been bound, and whether an account had been recovered; and what of the dossier or of the approvers gave way")
	fmt.Fprintln(w, "between the review and the certificate, but for the evidence of its key, unless the finding not valid says so. Nor would it show a part of")
	fmt.Fprintln(w, "the log that was lost, if whoever made it left that out: only a checkpoint shows it that somebody has kept (--checkpoint).")
}

// losses tells of what the log has lost, before anything that rests on it.
func (r *evidenceReport) losses() {
	for _, l := range r.Losses {
		r.say("REMARK", "A PART OF THE LOG WAS LOST, which the operator%s accepted at %s: entry %d of the log", given(" ", quiet(l.By)), at(l.At), l.Index)
		r.say("", "it went on from %d entries; before, a checkpoint of its own had stated %d, with the root %s", l.Size, l.Was, quiet(l.Root))
		r.say("", "%d entries of this file are from before it, and %d came in after it", l.Before, l.After)
		if l.Was > l.Size {
			r.say("", "what stood in the %d entries that are gone (revocations, refusals, withdrawn roles) no file of this log can show", l.Was-l.Size)
		} else {
			r.say("", "its first %d entries are not those that had been stated: what stood there before no file of this log can show", l.Was)
		}
		r.say("", "ask whoever keeps checkpoints for that of %d entries, and whoever runs the log for what it was made of", l.Was)
		fmt.Fprintln(r.w)
	}
}

func at(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// member is a text of a leaf's facts, or of a private part.
func member(members map[string]any, name string) string {
	text, _ := members[name].(string)
	return text
}

// orErased is what a private part says, quiet for a terminal.
func orErased(members map[string]any, name string) string {
	text := quiet(member(members, name))
	switch {
	case members == nil:
		return "(erased)"
	case text == "":
		return "(not told)"
	}
	return text
}

// say writes a line, with nothing in it that a terminal would do something by: ids and keys are those of whoever has the log's key, too.
func (r *evidenceReport) say(head, format string, args ...any) {
	fmt.Fprintln(r.w, quiet(fmt.Sprintf("%-12s"+format, append([]any{head}, args...)...)))
}

func (r *evidenceReport) entries() (n int) {
	for _, o := range r.Objects {
		n += len(o.Entries)
	}
	return n
}

// who is whoever has done something.
func (r *evidenceReport) who(a proofing.Actor) string {
	switch a.Kind {
	case "ca":
		return "the certificate authority " + quiet(a.ID)
	case "operator":
		return "the operator, on the server"
	case "service":
		return "the service"
	}
	who := "somebody who followed a link"
	if a.ID != "" {
		who = r.person(a.ID)
	}
	if a.Role != "" {
		who += " as " + inWords(string(a.Role))
	}
	return who
}

func (r *evidenceReport) person(id string) string {
	if name := r.names[id]; name != "" {
		return fmt.Sprintf("%s (person %s)", quiet(name), quiet(id))
	}
	return "person " + quiet(id)
}

// inWords is a code as words.
func inWords(code string) string { return strings.ReplaceAll(quiet(code), "_", " ") }

func (r *evidenceReport) certificate(c *audit.EvidenceCertificate, f *proofing.CertificateFacts) {
	entries := r.Entries(proofing.SubjectCertificate, c.Object)
	first := entries[0]
	what := "issued"
	if first.Leaf.Kind == proofing.EntryRenewed {
		what = "a renewal"
	}
	r.say("Certificate", "serial number %s, SHA-256 %s", f.Serial, hexDigest(proofing.Digest(c.DER)))
	r.say("", "for %s", quiet(f.Subject))
	r.say("", "by %s", quiet(f.Issuer))
	days := f.Validity().Hours() / 24
	r.say("", "good from %s to %s (%.0f days)", at(f.NotBefore), at(f.NotAfter), days)
	r.say("", "%s, as %s told at %s: entry %d of the log", what, r.who(first.Leaf.By), at(first.Leaf.At), first.Index)
	r.say("", "order: %s", orErased(first.Private, "order"))
	r.say("", "it rests on: request %s", strings.Join(c.Cases, ", "))
	if len(c.Approvals) > 0 {
		r.say("", "its certificate request was approved by: request %s", strings.Join(c.Approvals, ", "))
	}
	found, _ := first.Leaf.Facts["findings"].([]any)
	for _, code := range found {
		r.say("", "not as it should be: %s", inWords(fmt.Sprint(code)))
	}
	for _, e := range entries[1:] {
		r.say("", "%s at %s by %s: entry %d", inWords(string(e.Leaf.Kind)), at(e.Leaf.At), r.who(e.Leaf.By), e.Index)
	}
	fmt.Fprintln(r.w)
}

func (r *evidenceReport) request(c *audit.EvidenceCase) {
	entries := r.Entries(proofing.SubjectCase, c.Object)
	opened := entries[slices.IndexFunc(entries, func(e audit.ProvenEntry) bool { return e.Leaf.Kind == proofing.EntryOpened })]
	facts := opened.Leaf.Facts
	r.say("Request", "%s, for %s %s under the profile %s", c.Object, quiet(member(facts, "identifier_type")), orErased(opened.Private, "identifier"), quiet(member(facts, "profile")))
	r.say("", "opened by %s at %s: entry %d of the log", r.who(opened.Leaf.By), at(opened.Leaf.At), opened.Index)
	switch {
	case c.Key == "":
		r.say("", "nobody's yet: it ends in a key for an account")
	case c.Applicant == string(proofing.ByAccount):
		r.say("", "for the account %s, key %s%s", orErased(opened.Private, "account"), c.Key, given(", bound by the key ", c.Kid))
	default:
		r.say("", "for the public key with the SHA-256 %s", c.Key)
	}
	if csr := member(facts, "csr_digest"); csr != "" {
		r.say("", "for one certificate request, SHA-256 %s", quiet(csr))
	}
	for i, n := range c.Challenges {
		r.proved(c, i, entries[n-1])
	}
	r.grant(c)
	for _, a := range r.Approvals {
		if a.Case == c.Object {
			r.approval(a, entries)
		}
	}
	told := []proofing.EntryKind{proofing.EntryOpened, proofing.EntryEvidence, proofing.CaseDecided, proofing.CaseStaged}
	for _, e := range entries {
		if slices.Contains(told, e.Leaf.Kind) {
			continue
		}
		what := inWords(string(e.Leaf.Kind))
		for _, name := range []string{"to", "reason", "serial"} {
			what += given(" ", member(e.Leaf.Facts, name))
		}
		r.say("And", "%s at %s, by %s: entry %d", what, at(e.Leaf.At), r.who(e.Leaf.By), e.Index)
	}
	fmt.Fprintln(r.w)
}

// proved is one thing that was proved, with what it earns.
func (r *evidenceReport) proved(c *audit.EvidenceCase, i int, e audit.ProvenEntry) {
	facts := e.Leaf.Facts
	bound := "which confirmed it"
	if is, _ := facts["bound"].(bool); is {
		bound = "bound before"
	}
	r.say("Proved", "%s (%s), %s, by %s at %s: entry %d", quiet(member(facts, "method")), inWords(member(facts, "kind")), bound, r.who(e.Leaf.By), at(e.Leaf.At), e.Index)
	if from := member(facts, "from"); from != "" {
		r.say("", "in the case %s", quiet(from))
	}
	if e.Private == nil {
		r.say("", "its facts were erased")
	}
	if c.Assessment == nil || i >= len(c.Assessment.Events) {
		return
	}
	earned := c.Assessment.Events[i]
	r.say("", "by itself: %s%s", levels(earned.IAL, earned.AAL, earned.FAL), given("; ", strings.Join(earned.Flags, ", ")))
	for _, why := range earned.Reasons {
		r.say("", "  %s: %s", quiet(why.Clause), quiet(why.Text))
	}
}

func levels(ial, aal, fal *int) string {
	var all []string
	for _, l := range []struct {
		name  string
		level *int
	}{{"IAL", ial}, {"AAL", aal}, {"FAL", fal}} {
		if l.level == nil {
			all = append(all, "no "+l.name)
		} else {
			all = append(all, fmt.Sprintf("%s%d", l.name, *l.level))
		}
	}
	return strings.Join(all, ", ")
}

// grant is what was granted, and whether that follows from what was proved.
func (r *evidenceReport) grant(c *audit.EvidenceCase) {
	claim, granted := r.Claim(c.Object)
	if !granted {
		r.say("Granted", "nothing")
		return
	}
	level := func(n int) *int {
		if n == 0 {
			return nil
		}
		return &n
	}
	r.say("Granted", "at %s, under %s, with %s; policy %s", at(claim.At), quiet(string(claim.Framework)), levels(level(claim.IAL), level(claim.AAL), level(claim.FAL)), quiet(claim.Policy))
	r.policy(c)
	if c.Assessment == nil {
		r.say("", "not judged anew: the facts are not all here")
		return
	}
	r.say("", "judged anew by the rules from what was proved above, it is the same")
	for _, why := range c.Assessment.Reasons {
		r.say("", "  %s: %s", quiet(why.Clause), quiet(why.Text))
	}
}

// policy is what the policy of a grant demands of decisions, which the grant is held to.
func (r *evidenceReport) policy(c *audit.EvidenceCase) {
	if c.Policy == nil {
		r.say("", "the text of that policy is not here: nobody can say by this file whose decisions it demands")
		return
	}
	if c.Policy.Replaced > 0 {
		r.say("", "BY THEN ANOTHER POLICY WAS IN FORCE, since entry %d of the policy book: the process that granted this had not taken it up", c.Policy.Replaced)
	}
	demands := "that nobody decides"
	if c.Policy.Approvals > 0 {
		demands = fmt.Sprintf("the approval of %d or more for the organization (%s)", c.Policy.Approvals, quiet(string(c.Policy.Approve)))
	}
	r.say("", "that policy demands %s; its text is entry %d of the policy book", demands, c.Policy.Entry)
}

// stepInWords is what a decision was about.
func stepInWords(step string) string {
	switch proofing.Step(step) {
	case proofing.StepApprove:
		return "for the organization"
	case proofing.StepVet:
		return "what was collected"
	case proofing.StepReview:
		return "in the final review"
	}
	return inWords(step)
}

// approval is a decision, and how whoever made it came to their role.
func (r *evidenceReport) approval(a audit.ProvenApproval, entries []audit.ProvenEntry) {
	d, decided := &a.Checked.Document, "Approved"
	if d.Decision == proofing.DecideRefuse {
		decided = "Refused"
	}
	e := entries[a.Entry-1]
	who := r.person(d.By.Person)
	if d.By.Name != "" {
		who = fmt.Sprintf("%s (person %s)", quiet(d.By.Name), quiet(d.By.Person))
	}
	r.say(decided, "%s, by %s as %s, at %s: entry %d", stepInWords(d.Step), who, inWords(string(d.By.Role)), at(e.Leaf.At), e.Index)
	if o := d.Organization; o != nil {
		r.say("", "for %s%s%s", quiet(o.Name), given(", number ", o.Number), given(", ", o.Jurisdiction))
	}
	if len(a.Erased) > 0 {
		r.say("", "as they signed it: %s can be held against no dossier, where it was erased", strings.Join(a.Erased, " and "))
	}
	if d.CSR != nil {
		r.say("", "for the certificate request with the SHA-256 %s%s%s", quiet(d.CSR.Digest), given(", key ", d.CSR.Key), given(", ", d.CSR.Subject))
	}
	if d.Reason != "" {
		r.say("", "reason: %s", quiet(d.Reason))
	}
	r.say("", "what was shown and signed (language %s):", quiet(d.Shown.Language))
	for line := range strings.Lines(d.Shown.Text) {
		r.say("", "  | %s", quiet(line))
	}
	enrolled := r.Entries(proofing.SubjectAuthenticator, a.Authenticator)[a.Enrolment-1]
	r.say("", "signed with the passkey %s, its user verified, at %s", d.Credential, quiet(a.EvidenceApproval.Signature.Origin))
	r.say("", "which was enrolled for this person at %s, as entry %d of the log, and not taken away before", at(enrolled.Leaf.At), enrolled.Index)
	for _, e := range r.Entries(proofing.SubjectAppointment, d.By.Appointment) {
		r.say("", "%s by %s at %s: entry %d", inWords(string(e.Leaf.Kind)), r.who(e.Leaf.By), at(e.Leaf.At), e.Index)
	}
}

// roles are the appointments that no decision was made by: of the requester, of the Contract Signers, and of whoever appointed others.
func (r *evidenceReport) roles() {
	told := false
	for _, o := range r.Objects {
		if o.Of != proofing.SubjectAppointment || slices.ContainsFunc(r.Approvals, func(a audit.ProvenApproval) bool { return a.Checked.Document.By.Appointment == o.Object }) {
			continue
		}
		entries := r.Entries(o.Of, o.Object)
		first := entries[0]
		on := ""
		if source := member(first.Leaf.Facts, "source"); source != "" {
			on = fmt.Sprintf(", by %s, reference %s", inWords(source), orErased(first.Private, "source_reference"))
		}
		who := orErased(first.Private, "name")
		for _, e := range entries {
			if id := member(e.Leaf.Facts, "person"); id != "" {
				who = r.person(id)
			}
		}
		r.say("Role", "%s of %s%s", inWords(member(first.Leaf.Facts, "role")), who, on)
		for _, e := range entries {
			r.say("", "%s by %s at %s: entry %d", inWords(string(e.Leaf.Kind)), r.who(e.Leaf.By), at(e.Leaf.At), e.Index)
		}
		told = true
	}
	if told {
		fmt.Fprintln(r.w)
	}
}

// dossier is what was known of an organization.
func (r *evidenceReport) dossier(id string) {
	for _, e := range r.Entries(proofing.SubjectOrganization, id) {
		facts := e.Leaf.Facts
		switch e.Leaf.Kind {
		case proofing.OrganizationIsOpened:
			r.say("Dossier", "of %s, opened by %s at %s: entry %d", orErased(e.Private, "name"), r.who(e.Leaf.By), at(e.Leaf.At), e.Index)
		case proofing.OrganizationItem:
			what := inWords(member(facts, "kind"))
			if about := member(facts, "subject"); about != "" {
				what += r.subject(about)
			}
			if e.Private == nil || member(e.Private, "value") != "" { // of some kinds there is no more to say than that it is good
				what += ": " + orErased(e.Private, "value")
			}
			r.say("", "%s (%s); %s, %s", what, inWords(member(facts, "outcome")), sourceInWords(member(facts, "source")), orErased(e.Private, "source"))
			more := ""
			for _, m := range []struct{ name, head string }{
				{"collected_at", ", obtained "}, {"reference", ", reference "}, {"list", ", list "}, {"list_version", ", version "}, {"version", ", version "}, {"confirmed_at", ", confirmed "}, {"until", ", until "},
			} {
				value := member(e.Private, m.name)
				if t, err := time.Parse(time.RFC3339Nano, value); err == nil {
					value = at(t)
				}
				more += given(m.head, value)
			}
			if n, ok := e.Private["method"].(float64); ok {
				more += fmt.Sprintf(", method %.0f of CSBR 6.2.7.4.2", n)
			}
			if keys, ok := facts["keys"].([]any); ok && len(keys) > 0 {
				more += ", of the keys"
				for _, key := range keys {
					more += " " + quiet(fmt.Sprint(key))
				}
			}
			r.say("", "  recorded by %s at %s%s: entry %d", r.who(e.Leaf.By), at(e.Leaf.At), more, e.Index)
		default:
			r.say("", "%s by %s at %s: entry %d", inWords(string(e.Leaf.Kind)), r.who(e.Leaf.By), at(e.Leaf.At), e.Index)
		}
	}
	fmt.Fprintln(r.w)
}

// sourceInWords is where an item comes from, with what the letters stand for that the requirements use (CSBR 1.6.1).
func sourceInWords(source string) string {
	switch proofing.SourceKind(source) {
	case proofing.SourceQGIS:
		return "qualified government information source"
	case proofing.SourceQTIS:
		return "qualified government tax information source"
	case proofing.SourceQIIS:
		return "qualified independent information source"
	}
	return inWords(source)
}

// subject is whom an item is about.
func (r *evidenceReport) subject(appointment string) string {
	for _, e := range r.Entries(proofing.SubjectAppointment, appointment) {
		if id := member(e.Leaf.Facts, "person"); id != "" {
			return " of " + r.person(id)
		}
	}
	return " of the appointment " + quiet(appointment)
}
