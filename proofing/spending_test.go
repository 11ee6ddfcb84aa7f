package proofing_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// spends reads what was spent as somebody sees it.
func (r *representative) spends(ca string) (proofing.OperatedSpending, error) {
	return r.w.OperatedSpending(r.w.t.Context(), r.visit(), ca)
}

func TestWhatAnAuthorityHasSpentIsCountedByDayMonthAndCountry(t *testing.T) {
	w, one, two := administered(t)
	w.Policy.Profiles["sign"].RequireStart = false
	w.Policy.Countries = []string{"DE", "GB"}
	w.Policy.Price = func(c proofing.Contact) int64 { return map[string]int64{"GB": 30_000, "DE": 70_000}[c.Country] }
	w.Policy.Brake = proofing.DefaultBrake()
	w.Policy.Brake.Countries = proofing.BrakeEnforce
	operator, _ := w.holds("operator", one, two, draft(proofing.RoleOperator, "alpha", ""))
	foreign, _ := w.holds("foreign", one, two, draft(proofing.RoleOperator, "beta", ""))
	before, err := operator.spends("alpha")
	if err != nil || before.Micros != 0 || len(before.Countries) != 0 || len(before.Ranges) != 0 {
		t.Fatalf("before anything was sent: %+v, %v", before, err)
	}
	for i := range 3 {
		must[*proofing.Case](t)(w.pump(w.Service, fmt.Sprintf("+44740012%04d", i)))
	}
	w.pass(26 * time.Hour) // the same month
	must[*proofing.Case](t)(w.pump(w.Service, "+447400130001"))
	operator.renew()
	of, err := operator.spends("alpha")
	if err != nil {
		t.Fatal(err)
	}
	if of.Messages != 1 || of.Micros != 30_000 || of.Month != (proofing.Spent{Messages: before.Messages + 4, Micros: 120_000}) {
		t.Errorf("today %+v, this month %+v", of.Spending, of.Month)
	}
	if len(of.Countries) != 1 {
		t.Fatalf("countries: %+v", of.Countries)
	}
	gb := of.Countries[0]
	if gb.Country != "GB" || gb.Today != (proofing.Spent{Messages: 1, Micros: 30_000}) || gb.Month != (proofing.Spent{Messages: 4, Micros: 120_000}) || gb.Price != 30_000 {
		t.Errorf("GB: %+v", gb)
	}
	if gb.Unanswered != 1 || gb.Answered != 0 || gb.Least != 200 || gb.Usual != 60 || gb.Known || gb.Brake != nil {
		t.Errorf("the brake of GB: %+v", gb)
	}
	// What is refused is counted nowhere, and a mail belongs to no country.
	w.Policy.Limits.AddressHour = 1
	c := must[*proofing.Case](t)(w.pump(w.Service, "+447400130002"))
	_, _, err = w.Begin(t.Context(), visit(c, "b"), "sms", "+447400130002")
	if err == nil {
		t.Error("a second message at once went out")
	}
	of, err = operator.spends("alpha")
	if err != nil || of.Countries[0].Today.Messages != 2 || of.Messages != 2 {
		t.Errorf("after one that went out and one that did not: %+v, %v", of, err)
	}
	for who, r := range map[string]*representative{"another authority's operator": foreign, "nobody": w.member("nobody")} {
		r.renew()
		if _, err := r.spends("alpha"); !errors.Is(err, proofing.ErrNotFound) {
			t.Errorf("%s sees it: %v", who, err)
		}
	}
	operator.renew()
	if _, err := operator.spends(""); !errors.Is(err, proofing.ErrNotFound) {
		t.Errorf("an operator sees what the service has spent: %v", err)
	}
	one.renew()
	own, err := one.spends("")
	if err != nil || len(own.Countries) != 0 {
		t.Errorf("an administrator does not see what the service has spent: %+v, %v", own, err)
	}
	// In the next month it begins anew.
	w.pass(9 * 24 * time.Hour)
	operator.renew()
	if of, err = operator.spends("alpha"); err != nil || of.Month != (proofing.Spent{}) || len(of.Countries) != 0 {
		t.Errorf("in the next month: %+v, %v", of, err)
	}
}

func TestABrakeOnARangeShowsItsFiguresToAdministratorsAlone(t *testing.T) {
	w, one, two := administered(t)
	w.Policy.Countries = []string{"GB"}
	w.Policy.Profiles["sign"].RequireStart = false
	w.Policy.Brake = proofing.DefaultBrake()
	w.Policy.Limits.PrefixHour = 1000
	operator, _ := w.holds("operator", one, two, draft(proofing.RoleOperator, "beta", "")) // of an authority that sent none of it
	w.pumpUntilRefused("+44740012", 100)
	one.renew()
	operator.renew()
	of, err := one.spends("alpha")
	if err != nil || len(of.Ranges) != 1 || !of.Ranges[0].Whole || of.Ranges[0].Refused != 1 || of.Ranges[0].Shown() != "+44740012••••" {
		t.Fatalf("an administrator sees %+v, %v", of.Ranges, err)
	}
	if of, err = operator.spends("beta"); err != nil || len(of.Ranges) != 1 || of.Ranges[0].Whole || of.Ranges[0].Refused != 0 {
		t.Fatalf("an operator sees %+v, %v", of.Ranges, err)
	}
	if _, err := w.LiftBrake(t.Context(), of.Ranges[0].ID); err != nil {
		t.Fatal(err)
	}
	if of, err = operator.spends("beta"); err != nil || len(of.Ranges) != 0 {
		t.Errorf("an operator sees one that is lifted: %+v, %v", of.Ranges, err)
	}
}

// A country that is braked is shown with its brake, and with what it was judged by.
func TestABrakedCountryIsShownWithItsBrake(t *testing.T) {
	w, one, _ := administered(t)
	w.Policy.Countries = []string{"GB"}
	w.Policy.Profiles["sign"].RequireStart = false
	w.Policy.Brake = proofing.DefaultBrake()
	w.Policy.Brake.Ranges, w.Policy.Brake.Countries, w.Policy.Brake.CountryUnanswered = proofing.BrakeOff, proofing.BrakeEnforce, 16
	w.Policy.Limits.PrefixHour = 1000
	if n := w.pumpUntilRefused("+44740012", 100); n == 100 {
		t.Fatal("nothing was refused")
	}
	one.renew()
	of, err := one.spends("alpha")
	if err != nil || len(of.Countries) != 1 || of.Countries[0].Brake == nil {
		t.Fatalf("%+v, %v", of.Countries, err)
	}
	if c := of.Countries[0]; c.Unanswered < c.Least || !c.Brake.Until.After(w.clock()) {
		t.Errorf("%+v", c)
	}
	if of, err = one.spends("beta"); err != nil || len(of.Countries) != 0 {
		t.Errorf("another authority's: %+v, %v", of.Countries, err)
	}
}
