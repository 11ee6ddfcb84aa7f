package acme

import (
	"crypto"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// What step-ca asks, as its webhooks write it.

// stepQuestion is what a call is about.
type stepQuestion struct {
	applicant     proofing.Applicant
	key           proofing.KeyKind
	bits          int    // of the key
	csrDigest     string // of a request
	csr           *proofing.CSR
	common        string
	organizations []string
	unproved      []string                 // members of the subject that nobody proves
	registered    []proofing.SubjectMember // those that say how an organization is registered
	sans          []stepSAN
	validity      time.Duration // of the certificate, from its first second to its last; 0 if the call does not say it
	final         bool          // this is the certificate, as it is going to be signed
	failed        bool          // told: nothing was issued
}

// readStep reads a call of a hook of that kind. It is an object of step-ca's: members that we do not know are ignored.
func readStep(kind proofing.StepKind, body []byte, now time.Time) (q stepQuestion, err error) {
	m := &mistakes{}
	o, err := readBody(body, m)
	if err != nil {
		return q, err
	}
	at, err := time.Parse(time.RFC3339, o.given("timestamp", isText).text)
	if err != nil {
		o.mistake("timestamp", "the timestamp must be a time as in RFC 3339")
	} else if off := now.Sub(at).Abs(); off > stepWindow {
		return q, deny("staleCall", "the call is of another time than now: the clocks of the CA and of this service differ, or it is an old call")
	}
	member := "x509CertificateRequest"
	switch kind {
	case proofing.StepAuthorizing:
		member, q.final = "x509Certificate", true
	case proofing.StepNotifying:
		q.failed = !o.has("x509Certificate")
		return q, stepMistakes(m)
	}
	x := o.givenObject(member)
	if x == nil {
		o.mistake(member, fmt.Sprintf("a hook of the kind %s is for calls with %s: register it with the kind that it has in step-ca", kind, member))
		return q, stepMistakes(m)
	}
	q.read(x)
	if attested := o.givenObject("attestationData"); attested != nil && !q.final {
		q.add("permanentIdentifier", attested.given("permanentIdentifier", isText).text)
	}
	return q, stepMistakes(m)
}

// stepMistakes is the denial that reports the first mistake.
func stepMistakes(m *mistakes) error {
	if len(m.list) == 0 {
		return nil
	}
	return deny("malformed", "%s", m.list[0].detail)
}

// given returns a member of that kind of an object that others define, where null means that it is not there.
func (o *object) given(name string, want kind) value {
	if v, _ := o.ask(name); v.kind == isNull {
		return value{}
	}
	v, _ := o.member(name, want)
	return v
}

func (o *object) givenObject(name string) *object {
	if v := o.given(name, isObject); v.kind == isObject {
		return newObject(v, join(o.at, name), o.m)
	}
	return nil
}

// texts are the strings of a list, of which one alone may stand without it.
func (o *object) texts(name string) (texts []string) {
	v, _ := o.ask(name)
	if v.kind == isText {
		return []string{v.text}
	}
	for _, item := range o.given(name, isArray).items {
		if item.kind != isText {
			o.mistake(name, fmt.Sprintf("%q must be a list of strings", name))
		}
		texts = append(texts, item.text)
	}
	return texts
}

func (q *stepQuestion) add(typ, value string) {
	if one := (stepSAN{typ, value}); value != "" && !slices.Contains(q.sans, one) {
		q.sans = append(q.sans, one)
	}
}

const noCA = "nobody proves here that they are a CA: no CA certificate is authorized"

// read reads a certificate, or the request for one.
func (q *stepQuestion) read(x *object) {
	q.readKey(x)
	for _, list := range []struct{ member, typ string }{{"dnsNames", "dns"}, {"ipAddresses", "ip"}, {"emailAddresses", "email"}, {"uris", "uri"}} {
		for _, v := range x.texts(list.member) {
			q.add(list.typ, v)
		}
	}
	for i, item := range x.given("sans", isArray).items {
		if item.kind != isObject {
			x.mistake("sans", "a SAN must be an object")
			continue
		}
		san := newObject(item, join(join(x.at, "sans"), fmt.Sprint(i)), x.m)
		typ, v := san.given("type", isText).text, san.given("value", isText).text
		if v == "" && !q.final {
			continue
		}
		if q.final && san.has("asn1Value") { // step-ca writes it into the certificate in place of the value, null as an empty one
			x.mistake("sans", fmt.Sprintf("a SAN of the type %q has a value in ASN.1, which nobody judges: the template must put the name into value alone", cut(typ)))
		} else if v == "" {
			x.mistake("sans", fmt.Sprintf("a SAN of the type %q has no value that can be judged", cut(typ)))
		}
		q.add(typ, v)
	}
	q.readSubject(x)
	q.readExtensions(x)
	q.readValidity(x)
	if b := x.givenObject("basicConstraints"); b != nil && b.given("isCA", isOther).text == "true" {
		x.mistake("basicConstraints", noCA)
	}
}

// readKey reads whose certificate it is to be. A request shows by its signature that whoever made it has the key.
func (q *stepQuestion) readKey(x *object) {
	der, err := base64.StdEncoding.DecodeString(x.given("publicKey", isText).text)
	var key crypto.PublicKey
	if err == nil {
		key, err = parseSPKI(der)
	}
	if err != nil {
		x.mistake("publicKey", "the public key: "+err.Error())
		return
	}
	q.applicant = proofing.Applicant{Kind: proofing.ByPublicKey, SPKI: spkiDigest(der)}
	q.key, q.bits = keyKind(key)
	if q.final {
		return
	}
	raw, err := base64.StdEncoding.DecodeString(x.given("raw", isText).text)
	var request *csr
	if err == nil {
		request, err = parseCSRDER(raw)
	}
	switch {
	case err != nil:
		x.mistake("raw", "the CSR: "+err.Error())
	case spkiDigest(request.spki) != q.applicant.SPKI:
		x.mistake("raw", "the CSR is for another key than publicKey")
	default:
		q.csrDigest, q.csr = request.digest, request.contents()
	}
}

func (q *stepQuestion) readSubject(x *object) {
	if x.given("rawSubject", isText).text != "" {
		q.unproved = append(q.unproved, "rawSubject")
	}
	s := x.givenObject("subject")
	if s == nil {
		return
	}
	for _, x := range s.members {
		switch name, v := x.name, x.value; name {
		case "commonName":
			q.common = s.given(name, isText).text
		case "organization":
			q.organizations = s.texts(name)
		case proofing.SubjectNumber:
			if number := s.given(name, isText).text; number != "" {
				q.registered = append(q.registered, proofing.SubjectMember{Name: name, Value: number})
			}
		case "extraNames":
			q.readExtraNames(s, name)
		default:
			if v.kind != isNull && (v.text != "" || len(v.items) > 0 || len(v.members) > 0) {
				q.unproved = append(q.unproved, cut(name))
			}
		}
	}
}

// readExtraNames reads the members of the subject that step-ca has no name for.
func (q *stepQuestion) readExtraNames(s *object, name string) {
	for i, item := range s.given(name, isArray).items {
		if item.kind != isObject {
			s.mistake(name, "a name must be an object")
			continue
		}
		x := newObject(item, join(join(s.at, name), fmt.Sprint(i)), s.m)
		m := proofing.SubjectMember{Name: subjectNames[x.given("type", isText).text]}
		v, _ := x.ask("value")
		if m.Value, m.NoText = v.text, v.kind != isText; !m.SaysRegistration() {
			q.unproved = append(q.unproved, name)
			continue
		}
		q.registered = append(q.registered, m)
	}
}

// readValidity reads how long the certificate is to last: step-ca has set both of its ends by then, and both belong to it (RFC 5280 4.1.2.5), in whole seconds.
func (q *stepQuestion) readValidity(x *object) {
	from, err := time.Parse(time.RFC3339, x.given("notBefore", isText).text)
	to, errTo := time.Parse(time.RFC3339, x.given("notAfter", isText).text)
	if q.final && err == nil && errTo == nil && from.Year() > 1 && to.After(from) {
		q.validity = to.Truncate(time.Second).Sub(from.Truncate(time.Second)) + time.Second
	}
}

// judgeValidity refuses a code signing certificate that would last for too long, or nobody can say how long.
func (q *stepQuestion) judgeValidity(p *proofing.Profile) error {
	longest := proofing.Days(proofing.MostValidity)
	switch {
	case q.validity == 0:
		return deny("validity", "the call does not say from when until when the certificate is to last (notBefore and notAfter), and one for code signing under the profile %s lasts for %s at most (CSBR 6.3.2)", p.Name, longest)
	case q.validity > proofing.MostValidity:
		return deny("validity", "the certificate is to last for %s, and one for code signing under the profile %s lasts for %s at most (CSBR 6.3.2): order a shorter one, or have the operator of the CA set the provisioner's durations",
			proofing.Days(q.validity), p.Name, longest)
	}
	return nil
}

// readExtensions looks for what stands in an extension of its own: in a certificate it replaces what the members beside it say.
func (q *stepQuestion) readExtensions(x *object) {
	if !q.final {
		return
	}
	for i, item := range x.given("extensions", isArray).items {
		if item.kind != isObject {
			x.mistake("extensions", "an extension must be an object")
			continue
		}
		e := newObject(item, join(join(x.at, "extensions"), fmt.Sprint(i)), x.m)
		id := e.given("id", isText).text
		if id != oidSubjectAltName.String() && id != oidBasicConstraints.String() {
			continue
		}
		der, err := base64.StdEncoding.DecodeString(e.given("value", isText).text)
		if id == oidBasicConstraints.String() {
			if ca, ok := basicConstraints(der); err != nil || !ok {
				x.mistake("extensions", "the basicConstraints extension cannot be read")
			} else if ca {
				x.mistake("extensions", noCA)
			}
			continue
		}
		var names []stepSAN
		if err == nil {
			names, err = generalNames(der)
		}
		if err != nil {
			x.mistake("extensions", "the subjectAltName extension: "+err.Error())
		}
		for _, n := range names {
			q.add(n.Type, n.Value)
		}
	}
}

// oidPermanentIdentifier is id-on-permanentIdentifier (RFC 4043 3).
var oidPermanentIdentifier = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 3}

// generalNames reads a subjectAltName (RFC 5280 4.2.1.6). A name of a kind that nobody proves is returned as of the type "other".
func generalNames(der []byte) (names []stepSAN, err error) {
	var all []asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &all); err != nil || len(rest) > 0 {
		return nil, errors.New("it is no list of names")
	}
	for _, n := range all {
		one := stepSAN{"other", "a name that is not text"}
		switch {
		case n.Class != asn1.ClassContextSpecific:
			return nil, errors.New("it is no list of names")
		case n.Tag == 0:
			if v, ok := permanentIdentifier(n.Bytes); ok {
				one = stepSAN{"permanentIdentifier", v}
			}
		case n.Tag == 1:
			one = stepSAN{"email", string(n.Bytes)}
		case n.Tag == 2:
			one = stepSAN{"dns", string(n.Bytes)}
		case n.Tag == 6:
			one = stepSAN{"uri", string(n.Bytes)}
		case n.Tag == 7:
			if ip, ok := netip.AddrFromSlice(n.Bytes); ok {
				one = stepSAN{"ip", ip.String()}
			}
		}
		names = append(names, one)
	}
	return names, nil
}

// permanentIdentifier reads the inside of an otherName (RFC 4043 2). One with an assigner is another identifier than its value alone.
func permanentIdentifier(der []byte) (string, bool) {
	var oid asn1.ObjectIdentifier
	rest, err := asn1.Unmarshal(der, &oid)
	if err != nil || !oid.Equal(oidPermanentIdentifier) {
		return "", false
	}
	var inner asn1.RawValue
	if rest, err = asn1.Unmarshal(rest, &inner); err != nil || len(rest) > 0 {
		return "", false
	}
	var members []asn1.RawValue // and not a struct, which would pass over those at its end
	if rest, err = asn1.Unmarshal(inner.Bytes, &members); err != nil || len(rest) > 0 || len(members) != 1 {
		return "", false
	}
	var v string
	_, err = asn1.UnmarshalWithParams(members[0].FullBytes, &v, "utf8")
	return v, err == nil && members[0].Tag == asn1.TagUTF8String && v != ""
}

// stepTypes are the identifier types of step-ca's types of names.
var stepTypes = map[string]string{
	"dns": proofing.IdentifierDNS, "ip": proofing.IdentifierIP, "email": proofing.IdentifierEmail, "permanentIdentifier": proofing.IdentifierPermanent,
}
