package proofing

import (
	"fmt"
	"slices"
	"strings"
)

// FactShown is the name under which the entry of a decision (Leaf.Facts) has ShownWhole: the text that was signed tells of what the other members of the document say
// (Document.Tells). An entry without it is of a program that did not see to that.
const (
	FactShown  = "shown"
	ShownWhole = int64(1)
)

// FactDossier is the name under which the entry of a decision has the DossierShown of the dossier by which it was made.
const FactDossier = "dossier_shown"

// DossierShown is what the log says of the digest of a dossier (Organization.Digest) in the entry of a decision. The nonce of the decision's document hides it: a digest by
// itself would let whoever has the log find out by trying what a dossier says, or said before it was erased.
func DossierShown(nonce, dossier string) string { return Digest([]byte(nonce + "\n" + dossier)) }

// verdicts are the sentences with which the text of a decision begins, by what it is of. They are those of templates ("verdict", "policy_verdict") in every language that there
// ever was. A sentence that is replaced there stays here: evidence outlives it.
var verdicts = map[string][]string{
	"approve": {
		"I approve this request for my organization.", "Ich genehmige diesen Antrag für meine Organisation.", "J’approuve cette demande pour mon organisation.",
	},
	"vet": {
		"I confirm that everything is collected that this request takes.", "Ich bestätige, dass alles erhoben ist, was dieser Antrag braucht.",
		"Je confirme que tout ce qu’exige cette demande est réuni.",
	},
	"review": {
		"I have reviewed everything that others collected for this request. It fits together, and I grant the request.",
		"Ich habe alles geprüft, was andere für diesen Antrag erhoben haben. Es passt zusammen, und ich bewillige den Antrag.",
		"J’ai examiné tout ce que d’autres ont réuni pour cette demande. Tout concorde, et j’accorde la demande.",
	},
	"refuse":         {"I refuse this request.", "Ich lehne diesen Antrag ab.", "Je refuse cette demande."},
	"policy approve": {"I approve this change of the policy.", "Ich billige diese Änderung der Richtlinie.", "J’approuve ce changement de la politique."},
	"policy refuse":  {"I refuse this change of the policy.", "Ich lehne diese Änderung der Richtlinie ab.", "Je refuse ce changement de la politique."},
}

// verdict is what kind of verdict the members say, as verdicts has it.
func (d *Document) verdict() string {
	refuses := d.Decision == DecideRefuse
	switch {
	case d.Subject.Of == SubjectPolicy && refuses:
		return "policy refuse"
	case d.Subject.Of == SubjectPolicy:
		return "policy approve"
	case refuses:
		return "refuse"
	}
	return d.Step
}

// signedMember is one that the text tells of, each in a line of its own.
type signedMember struct{ name, value string }

// told are the members that a text tells of by their values, in the order in which it does. Titles stand there in the place of the names of authority and profile.
func (d *Document) told() (members []signedMember) {
	add := func(name, value string) {
		if value != "" {
			members = append(members, signedMember{name, value})
		}
	}
	if o := d.Organization; o != nil {
		add("full name of the organization", o.Name)
		add("registration number", o.Number)
		add("jurisdiction", o.Jurisdiction)
	}
	if d.Identifier != nil {
		add("identifier", d.Identifier.Value)
	}
	if d.Applicant != nil {
		add("applicant's key", d.Applicant.Key)
	}
	if r := d.CSR; r != nil {
		add("digest of the certificate request", r.Digest)
		add("key of the certificate request", r.Key)
		add("fingerprint of that key", r.SPKI)
		add("subject of the certificate request", r.Subject)
	}
	add("proposed policy", d.Proposed)
	return members
}

// Tells says whether the text that was signed is one of what the other members say: it begins with the sentence of their verdict, and then names organization, number, jurisdiction,
// identifier, keys, certificate request and proposed policy in this order, each as all that stands behind the label of a line. Nobody's value makes a line of its own in a
// text, nor has a label a colon. What follows from a decision, titles and the reason are not looked at.
func (d *Document) Tells() error {
	lines := strings.Split(d.Shown.Text, "\n")
	if what := d.verdict(); !slices.Contains(verdicts[what], lines[0]) {
		return fmt.Errorf("the text that was shown begins with %q, which is not what it says to %s", lines[0], what)
	}
	lines = lines[1:]
	for _, m := range d.told() {
		want := strings.TrimSpace(visible(strings.Join(strings.Fields(m.value), " ")))
		i := slices.IndexFunc(lines, func(line string) bool {
			_, value, found := strings.Cut(line, ": ")
			return found && strings.TrimSpace(value) == want
		})
		if i < 0 {
			return fmt.Errorf("the text that was shown does not tell the %s in its place, which was signed as %q", m.name, m.value)
		}
		lines = lines[i+1:]
	}
	return nil
}

// shownWhole says whether a document may be signed with the text that was made for it. It is the program's mistake if not: nobody is asked for what would not hold as evidence.
func (d *Document) shownWhole() error {
	shown := *d
	shown.Shown.Text = visible(d.Shown.Text)
	if err := shown.Tells(); err != nil {
		return fmt.Errorf("ask for a decision: %w", err)
	}
	return nil
}

// enterShown enters that the text of a document tells of its members. One that was shown by an older program, and is answered now, may not.
func (d *Document) enterShown(facts map[string]any) {
	if d.Tells() == nil {
		facts[FactShown] = ShownWhole
	}
}
