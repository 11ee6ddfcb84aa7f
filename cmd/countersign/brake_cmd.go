package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

type brakeCommand struct {
	List brakeListCommand `cmd:"" help:"List the brakes of the last week, those that hold first."`
	Lift brakeLiftCommand `cmd:"" help:"Let messages go out again, and forget what led to the brake."`
}

type brakeListCommand struct {
	JSON bool `name:"json" help:"For machines."`
}

// brakeView is a brake with what an operator asks of it.
type brakeView struct {
	ID         string    `json:"id"`
	Scope      string    `json:"scope"`
	Place      string    `json:"place"` // the range without its last digits, or the country
	Country    string    `json:"country"`
	CA         string    `json:"ca,omitempty"`
	Mode       string    `json:"mode"`
	Holds      bool      `json:"holds"`
	At         time.Time `json:"at"`
	Until      time.Time `json:"until"`
	Lifted     bool      `json:"lifted"`
	Unanswered int64     `json:"unanswered"`
	Answered   int64     `json:"answered"`
	Usual      int64     `json:"usual_percent"`
	Known      bool      `json:"usual_known"`
	Refused    int64     `json:"refused"`
}

func (c *brakeListCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		all, err := everything(a, a.service.Brakes, "until")
		if err != nil {
			return err
		}
		slices.SortFunc(all, func(x, y *proofing.Brake) int { return cmp.Or(y.Until.Compare(x.Until), cmp.Compare(x.ID, y.ID)) })
		var views []brakeView
		for _, b := range all {
			v, err := a.viewBrake(b)
			if err != nil {
				return err
			}
			views = append(views, v)
		}
		return list(g, c.JSON, views, []string{"ID", "SCOPE", "PLACE", "CA", "STATE", "UNANSWERED", "ANSWERED", "USUAL", "REFUSED", "SINCE", "UNTIL"}, brakeView.row)
	})
}

func (a *admin) viewBrake(b *proofing.Brake) (brakeView, error) {
	refused, err := a.service.Refused(a.ctx, b)
	mode := a.config.SMS.Brake.Ranges
	if b.Scope == proofing.BrakeCountry {
		mode = a.config.SMS.Brake.Countries
	}
	return brakeView{
		ID: b.ID, Scope: string(b.Scope), Place: b.Shown(), Country: b.Country, CA: b.CA, Mode: string(mode),
		Holds: b.Holds(a.time()), At: b.At, Until: b.Until, Lifted: !b.Lifted.IsZero(),
		Unanswered: b.Unanswered, Answered: b.Answered, Usual: b.Usual, Known: b.Known, Refused: refused,
	}, err
}

func (v brakeView) row() []string {
	state := "over"
	switch {
	case v.Lifted:
		state = "lifted"
	case v.Holds && v.Mode == string(proofing.BrakeEnforce):
		state = "holds"
	case v.Holds:
		state = "reports only"
	}
	usual := strconv.FormatInt(v.Usual, 10) + "% answered"
	if !v.Known {
		usual += " (assumed)"
	}
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	return []string{v.ID, v.Scope, v.Place, orDash(v.CA), state, number(v.Unanswered), number(v.Answered), usual, number(v.Refused), when(v.At), when(v.Until)}
}

type brakeLiftCommand struct {
	ID string `arg:"" help:"The brake."`
}

func (c *brakeLiftCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		b, err := a.service.LiftBrake(a.ctx, c.ID)
		switch {
		case errors.Is(err, proofing.ErrNotFound):
			return usagef("there is no brake %q: `countersign limits brake list` shows those that there are", c.ID)
		case errors.Is(err, proofing.ErrClosed):
			return usagef("the brake %s does not hold any more: it let go at %s", c.ID, when(b.Until))
		case err != nil:
			return fmt.Errorf("lift: %w", err)
		}
		a.say("lifted the brake on the %s %s: messages go out again, and what went unanswered so far is forgotten", b.Scope, b.Shown())
		return nil
	})
}
