package proofing

import "strings"

// caaValue is the value of an issue, issuewild or issuemail property.
type caaValue struct {
	issuer     string // empty: nobody
	parameters []caaParameter
}

type caaParameter struct{ tag, value string }

// parseCAAValue reads a value by the letter of RFC 8659 4.2:
//
//	issue-value = *WSP [issuer-domain-name *WSP] [";" *WSP [parameters *WSP]]
//	parameters  = (parameter *WSP ";" *WSP parameters) / parameter
//	parameter   = tag *WSP "=" *WSP value
//	value       = *(%x21-3A / %x3C-7E)
func parseCAAValue(text string) (v caaValue, ok bool) {
	issuer, rest, more := strings.Cut(text, ";")
	if v.issuer = trimWSP(issuer); v.issuer != "" && !IssuerDomain(v.issuer) {
		return v, false
	}
	if rest = trimWSP(rest); !more || rest == "" {
		return v, true
	}
	for part := range strings.SplitSeq(rest, ";") {
		tag, value, is := strings.Cut(part, "=")
		p := caaParameter{lowerASCII(trimWSP(tag)), trimWSP(value)}
		if !is || !caaLabel(p.tag) || strings.ContainsFunc(p.value, func(r rune) bool { return r < 0x21 || r > 0x7e }) {
			return v, false
		}
		v.parameters = append(v.parameters, p)
	}
	return v, true
}

func trimWSP(s string) string { return strings.Trim(s, " \t") }

// IssuerDomain says whether a name can be that of an authority in CAA records (RFC 8659 4.2).
func IssuerDomain(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if !caaLabel(label) {
			return false
		}
	}
	return true
}

// caaLabel is (ALPHA / DIGIT) *( *("-") (ALPHA / DIGIT)), which the tag of a parameter is too.
func caaLabel(s string) bool {
	return s != "" && s[0] != '-' && s[len(s)-1] != '-' && !strings.ContainsFunc(s, func(r rune) bool { return r != '-' && !alphanumeric(r) })
}

func alphanumeric(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// caaMethods is [*(label ",") label] of at least one label, which are 1*(ALPHA / DIGIT / "-") (RFC 8657 4).
func caaMethods(s string) bool {
	for label := range strings.SplitSeq(s, ",") {
		if label == "" || strings.ContainsFunc(label, func(r rune) bool { return r != '-' && !alphanumeric(r) }) {
			return false
		}
	}
	return true
}

// all are the values of a parameter.
func (v caaValue) all(tag string) (values []string) {
	for _, p := range v.parameters {
		if p.tag == tag {
			values = append(values, p.value)
		}
	}
	return values
}

// conditions are the parameters that an authority has to judge: which validation it makes is not known here, and what others mean is
// for each authority to say (RFC 8659 4.2).
func (v caaValue) conditions() (conditions []string) {
	for _, p := range v.parameters {
		if p.tag != "accounturi" {
			conditions = append(conditions, told(p.tag+"="+p.value))
		}
	}
	return conditions
}
