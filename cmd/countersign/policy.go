package main

import (
	"cmp"
	"slices"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// defaultPrice is the entry of sms.prices for countries without their own.
const defaultPrice = "default"

// What holds for a profile that does not say. An EV certificate that is issued on the last
// day of a grant may live 460 days (CSBR 6.3.2), and its record must outlive it by two
// years (CSBR 5.4.3).
const (
	defaultCaseLifetime  = 7 * day
	defaultGrantLifetime = 30 * day
	defaultRetention     = 90 * day
	twoYears             = 731 * day
	retentionEV          = twoYears + 460*day

	defaultApprovalLifetime = 30 * day
	mostApprovalLifetime    = 90 * day
)

// policy is what the configuration decides, in the domain's words. It is for a
// configuration that validate has found no mistake in.
func (c *Config) policy() (proofing.Policy, error) {
	l := c.Limits
	p := proofing.Policy{
		Origin:   c.Origin,
		Operator: c.Operator.Name,
		Contact:  c.Operator.Contact,
		OperatorFacts: proofing.OperatorFacts{
			VerifierFIPS140Validated: c.Assurance.VerifierFIPS140Validated,
			AcceptUnverifiedLineType: c.Assurance.AcceptUnverifiedLineType,
			RequireAttestation:       c.Assurance.RequireAttestation,
		},
		Profiles: make(map[string]*proofing.Profile),
		Limits: proofing.Limits{
			Cooldown: l.Cooldown, AddressHour: l.AddressHour, AddressDay: l.AddressDay, PrefixHour: l.PrefixHour,
			ClientHour: l.ClientHour, ClientOpens: l.ClientOpensHour,
			CAMessagesDay: l.CAMessagesDay, CASpendDayMicros: int64(l.CASpendDay),
			AttemptsPerCase: l.AttemptsPerCase, CodesPerAttempt: l.CodesPerAttempt, FailuresInRow: l.FailuresInRow,
		},
		Brake:          c.SMS.Brake.policy(),
		FreezeLifetime: l.FreezeLifetime,
		Own:            c.own(),
		Cooling:        c.People.Cooling, PersonRetention: c.People.Retention,
		LogRetention: c.Audit.Retention,
		Price: func(to proofing.Contact) int64 {
			if to.Channel != proofing.ChannelPhone {
				return 0
			}
			return int64(c.price(to.Country))
		},
		Countries: c.SMS.Countries,
	}
	for name, profile := range c.Profiles {
		p.Profiles[name] = profile.resolve(name, c.Assurance.Framework)
	}
	if c.approved != nil {
		p.Text, p.Digest = c.approved.Text, c.approved.Digest
		return p, nil
	}
	var err error
	p.Text, err = c.policyPart().text()
	p.Digest = proofing.PolicyDigest(p.Text)
	return p, err
}

// own is by what people sign in to what is theirs: all that is configured. Nil: nobody does.
func (c *Config) own() *proofing.Profile {
	if !c.People.SignIn {
		return nil
	}
	p := &proofing.Profile{Title: c.Operator.Name, Framework: c.Assurance.Framework}
	if c.named() {
		p.Methods = append(p.Methods, methodFIDO)
	}
	if len(c.Issuers) > 0 {
		p.Methods = append(p.Methods, methodOIDC)
	}
	if c.Providers.Email != providerNone {
		p.Methods = append(p.Methods, methodEmail)
	}
	if c.Providers.SMS != providerNone && len(c.SMS.Countries) > 0 {
		p.Methods = append(p.Methods, methodSMS)
	}
	if !slices.ContainsFunc(p.Methods, func(m string) bool { return m != methodEmail }) { // nobody could
		return nil
	}
	return p
}

func (b BrakeConfig) policy() proofing.BrakePolicy {
	return proofing.BrakePolicy{
		Ranges: b.Ranges, Countries: b.Countries, Window: b.Window, RangeUnanswered: b.RangeUnanswered,
		CountryUnanswered: b.CountryUnanswered, Times: b.Times, Assumed: b.AssumedPercent, Hold: b.Hold,
	}
}

// price is what one text message to a country costs; 0 if nothing is known.
func (c *Config) price(country string) Money {
	if m, ok := c.SMS.Prices[country]; ok {
		return m
	}
	return c.SMS.Prices[defaultPrice]
}

// resolve fills in what the profile leaves to the defaults.
func (p ProfileConfig) resolve(name string, f proofing.Framework) *proofing.Profile {
	retention := defaultRetention
	if p.EV {
		retention = retentionEV
	}
	return &proofing.Profile{
		Name: name, Title: cmp.Or(p.Title, name), Framework: cmp.Or(p.Framework, f),
		Identifiers: slices.Clone(p.Identifiers), Methods: slices.Clone(p.Methods), Issuers: slices.Clone(p.Issuers),
		Attestation: proofing.AttestationPolicy{Accept: p.Attestation, AAGUIDs: slices.Clone(p.AAGUIDs)},
		Require: proofing.Requirement{
			IAL: p.Require.IAL, AAL: p.Require.AAL, FAL: p.Require.FAL,
			PhishingResistant:  p.Require.PhishingResistant,
			ConfirmedAddresses: slices.Clone(p.Require.ConfirmedAddresses),
			AllMethods:         slices.Clone(p.Require.AllMethods),
			BindingAge:         p.Require.BindingAge,
		},
		RequireStart: p.RequireStart, SelfService: p.SelfService, EV: p.EV,
		Approvals: p.Approvals, Approve: p.approve(), ApprovalLifetime: p.approvalLifetime(), ReviewEntitlement: p.ReviewEntitlement,
		CaseLifetime:  cmp.Or(p.CaseLifetime, defaultCaseLifetime),
		GrantLifetime: cmp.Or(p.GrantLifetime, defaultGrantLifetime),
		RecheckAfter:  p.RecheckAfter,
		Recheck:       proofing.RecheckPolicy{Grace: p.Grace, ProofAge: p.ProofAge},
		Key:           proofing.KeyPolicy(p.EAB),
		CSR:           p.CSR.policy(),
		CAA:           caaMode(p.CAA),
		Retention:     cmp.Or(p.Retention, retention),
	}
}

func (p ProfileConfig) approve() proofing.ApproveMode {
	if p.Approvals == 0 {
		return p.Approve
	}
	return cmp.Or(p.Approve, proofing.ApproveEach)
}

func (p ProfileConfig) approvalLifetime() time.Duration {
	if p.Approvals == 0 {
		return p.ApprovalLifetime
	}
	return cmp.Or(p.ApprovalLifetime, defaultApprovalLifetime)
}

// mostGrantLifetime is how long the CA/Browser Forum lets verified data be relied
// on (CSBR 4.2.1, 4.2.1.1.3).
func mostGrantLifetime(ev bool) time.Duration {
	if ev {
		return 398 * day
	}
	return 825 * day
}
