package challenges

import (
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"github.com/countersign-id/countersign/proofing"
)

// countries that text messages may go to. Nobody gets one until an operator has
// said where: text messages cost money, and fraud lives on those to far-away ranges.
type countries []string

// check reads a telephone number and types it by its country's numbering plan.
// The plan says what a range was given out for; it does not know that a number was
// ported to another kind of line since.
func (allowed countries) check(number string) (proofing.Contact, error) {
	bad := func(code, detail string) (proofing.Contact, error) {
		return proofing.Contact{}, &proofing.InputError{Field: "address", Code: code, Detail: detail}
	}
	number = strings.TrimSpace(number)
	if len(number) > 40 {
		return bad("number_malformed", "this is too long for a telephone number")
	}
	region := "ZZ"
	if len(allowed) == 1 {
		region = allowed[0] // then a national number is not ambiguous
	} else if !strings.HasPrefix(number, "+") && !strings.HasPrefix(number, "00") {
		return bad("number_not_international", "begin with + and the country code")
	}
	if region == "ZZ" && strings.HasPrefix(number, "00") {
		number = "+" + number[2:]
	}
	n, err := phonenumbers.Parse(number, region)
	if err != nil || n.GetExtension() != "" {
		return bad("number_malformed", "this cannot be read as a telephone number")
	}
	if !phonenumbers.IsValidNumber(n) {
		return bad("number_invalid", "no such number exists in its country's numbering plan")
	}
	country := phonenumbers.GetRegionCodeForNumber(n)
	if !slices.Contains(allowed, country) {
		return bad("number_country", "text messages to this country are not enabled")
	}
	line := proofing.LineUnknown
	switch phonenumbers.GetNumberType(n) {
	case phonenumbers.MOBILE:
		line = proofing.LineMobile
	case phonenumbers.FIXED_LINE:
		return bad("number_fixed", "a fixed line cannot be relied on to get text messages")
	case phonenumbers.VOIP:
		line = proofing.LineVoIP
	case phonenumbers.PREMIUM_RATE:
		return bad("number_premium", "premium-rate numbers are refused")
	case phonenumbers.SHARED_COST:
		return bad("number_shared_cost", "shared-cost numbers are refused")
	case phonenumbers.TOLL_FREE, phonenumbers.PAGER, phonenumbers.UAN, phonenumbers.VOICEMAIL:
		return bad("number_not_sms", "numbers of this kind get no text messages")
	}
	e164 := phonenumbers.Format(n, phonenumbers.E164)
	return proofing.Contact{
		Channel: proofing.ChannelPhone, Address: proofing.Secret(e164), Shown: masked(e164, int(n.GetCountryCode())),
		Country: country, LineType: line, Prefix: proofing.Secret(e164[:len(e164)-min(4, len(e164)-3)]),
	}, nil
}

// masked shows the country code and the last two digits.
func masked(e164 string, code int) string {
	digits := len("+")
	for ; code > 0; code /= 10 {
		digits++
	}
	return e164[:digits] + " ••• " + e164[len(e164)-2:]
}
