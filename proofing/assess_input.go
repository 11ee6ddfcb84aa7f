package proofing

import (
	"io"
	"regexp"
	"strings"
	"time"
	"unicode"
)

// AssessInput is a document for Assess: what the command line takes.
type AssessInput struct {
	Framework Framework
	Now       time.Time
	Operator  OperatorFacts
	Evidence  []Evidence
}

// Assess labels the document's evidence.
func (in AssessInput) Assess() Assessment {
	return Assess(in.Framework, in.Operator, in.Now, in.Evidence)
}

// MaxAssessInput is the size in bytes that a document for Assess may have.
const MaxAssessInput = 1 << 20

// DecodeAssessInput reads a document for Assess and tells every mistake in it, in
// the order of the document. The input is of use only if there is none.
func DecodeAssessInput(r io.Reader) (AssessInput, []Mistake) {
	doc, o := readDocument(r, MaxAssessInput)
	if o == nil {
		return AssessInput{}, doc.inOrder()
	}
	in := AssessInput{Framework: oneOf(o, "framework", Frameworks()), Operator: readOperator(o)}
	in.Now, _ = o.time("now")
	list, _, _ := take[[]node](o, "evidence")
	for _, n := range list {
		in.Evidence = append(in.Evidence, readEvidence(doc, n, in.Now))
	}
	o.unknown()
	return in, doc.inOrder()
}

// readOperator reads the operator's facts, all of which may be left out.
func readOperator(in *object) OperatorFacts {
	if !in.has("operator") {
		return OperatorFacts{}
	}
	o, _, ok := take[*object](in, "operator")
	if !ok {
		return OperatorFacts{}
	}
	facts := OperatorFacts{
		VerifierFIPS140Validated: o.flag("verifier_fips140_validated"),
		AcceptUnverifiedLineType: o.flag("accept_unverified_line_type"),
		RequireAttestation:       o.flag("require_attestation"),
	}
	o.unknown()
	return facts
}

// readEvidence reads one event. Which members it may have follows from its kind,
// so that those of an unknown kind are not judged.
func readEvidence(doc *document, n node, now time.Time) Evidence {
	o, ok := asObject(doc, n)
	if !ok {
		return Evidence{}
	}
	e := Evidence{At: o.timeUntil("at", now, "now")}
	name, n, ok := take[string](o, "kind")
	if !ok {
		return e
	}
	e.Kind = EvidenceKind(name)
	facts := e.Kind.facts()
	if facts.read == nil {
		doc.mistake(n.offset, n.path, "%s is not one of %s", quote(name), enumerate(knownKinds()))
		return e
	}
	facts.read(o, &e)
	o.unknown()
	return e
}

// asObject is the object that an item of a list must be.
func asObject(doc *document, n node) (*object, bool) {
	o, ok := n.value.(*object)
	if !ok {
		doc.mistake(n.offset, n.path, "must be an object, not %s", typeName(n.value))
	}
	return o, ok
}

// readEmail reads what is special to e-mail events.
func readEmail(o *object, e *Evidence) {
	e.Address = o.matching("address", emailShaped, "an e-mail address")
}

var e164 = regexp.MustCompile(`^\+[1-9][0-9]{1,14}$`)

// readPhone reads what is special to SMS and voice events.
func readPhone(o *object, e *Evidence) {
	e.Number = o.matching("number", e164.MatchString, "a telephone number as in E.164: + and at most 15 digits, the first not 0")
	e.LineType = oneOf(o, "line_type", []LineType{LineMobile, LineLandline, LineVoIP, LineUnknown})
	readBoundAt(o, e)
}

// readBoundAt reads when the authenticator was bound, which may be left out.
func readBoundAt(o *object, e *Evidence) {
	if o.has("bound_at") {
		e.BoundAt = o.timeUntil("bound_at", e.At, "at")
	}
}

// emailShaped says whether text has the form local@domain of RFC 5321 4.1.2, and
// the lengths of 4.5.3.1, with the letters of RFC 6531. Quoted local parts and
// address literals, which no mailbox of a person has, are left out.
func emailShaped(text string) bool {
	at := strings.LastIndexByte(text, '@')
	if at < 1 || at > 64 || len(text) > 254 {
		return false
	}
	for atom := range strings.SplitSeq(text[:at], ".") {
		if atom == "" || strings.ContainsFunc(atom, notInAtom) {
			return false
		}
	}
	for label := range strings.SplitSeq(text[at+1:], ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "-") != label || strings.ContainsFunc(label, notInLabel) {
			return false
		}
	}
	return true
}

func notInAtom(r rune) bool {
	return r == unicode.ReplacementChar || !unicode.IsGraphic(r) || unicode.IsSpace(r) || strings.ContainsRune(`"(),:;<>@[\]`, r)
}

func notInLabel(r rune) bool {
	return r != '-' && !unicode.In(r, unicode.Letter, unicode.Mark, unicode.Number)
}
