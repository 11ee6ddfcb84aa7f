package main

import (
	"cmp"
	"errors"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

type representativeCommand struct {
	Add    representativeAddCommand    `cmd:"" help:"Let a person record the identity proofing of others."`
	List   representativeListCommand   `cmd:"" help:"List who may."`
	Remove representativeRemoveCommand `cmd:"" help:"Take that from a person, at once."`
}

type representativeAddCommand struct {
	Address string `arg:"" help:"An address or number that the person has confirmed here; they need a passkey too, which they add at /me."`
	Trained string `required:"" help:"What they were trained in, when and by whom." placeholder:"TEXT"`
	Until   string `help:"Until when the training is good, a year from now at most; a year unless given. Call this again when it was renewed." placeholder:"YYYY-MM-DD"`
	Name    string `help:"By what name their colleagues know them; the address unless given." placeholder:"NAME"`
}

func (c *representativeAddCommand) Run(g *globals) error {
	if strings.TrimSpace(c.Trained) == "" {
		return usagef("--trained must say what, when and by whom: nobody records without training (SP 800-63A 5.3.3, SP 800-63A-4 4.3.7)")
	}
	var until time.Time
	if c.Until != "" {
		var err error
		if until, err = time.Parse(time.DateOnly, c.Until); err != nil {
			return usagef("--until must be a day, such as %s", time.Now().AddDate(1, 0, 0).Format(time.DateOnly))
		}
	}
	return g.administer(false, func(a *admin) error {
		contact, err := a.anyContact(c.Address)
		if err != nil {
			return err
		}
		p, err := a.service.Appoint(a.ctx, contact, cmp.Or(strings.TrimSpace(c.Name), contact.Address.Reveal()), c.Trained, until)
		mistake, wrong := errors.AsType[*proofing.InputError](err)
		switch {
		case wrong && mistake.Code == "training_until":
			return usagef("--until must be a day within a year from now: who compares documents is evaluated once a year at least (SP 800-63A-4 3.13)")
		case errors.Is(err, proofing.ErrNotFound):
			return usagef("nobody has %s here: let them sign in at %s/me and confirm it", contact.Shown, a.config.Origin)
		case errors.Is(err, proofing.ErrNotAdmitted):
			return usagef("the person with %s has no passkey: let them add one at %s/me, and call this again", contact.Shown, a.config.Origin)
		case err != nil:
			return err
		}
		a.say("%s is a representative since %s, and works at %s/desk until the training ends on %s; it takes two, since nobody reviews what they recorded",
			p.Representative.Name, when(p.Representative.Since), a.config.Origin, p.Representative.TrainedUntil().Format(time.DateOnly))
		return nil
	})
}

type representativeListCommand struct {
	JSON bool `name:"json" help:"For machines."`
}

// representativeView is what is shown of a representative.
type representativeView struct {
	Person   string    `json:"person"`
	Name     string    `json:"name"`
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until"`
	Training string    `json:"training"`
}

func (v representativeView) row() []string {
	return []string{v.Person, v.Name, when(v.Since), v.Until.Format(time.DateOnly), v.Training}
}

func (c *representativeListCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		all, err := everything(a, a.service.People, "representative")
		if err != nil {
			return err
		}
		var views []representativeView
		for _, p := range all {
			if r := p.Representative; r != nil { // else dismissed since
				views = append(views, representativeView{p.ID, r.Name, r.Since, r.TrainedUntil(), r.Training})
			}
		}
		return list(g, c.JSON, views, []string{"PERSON", "NAME", "SINCE", "UNTIL", "TRAINED"}, representativeView.row)
	})
}

type representativeRemoveCommand struct {
	Who string `arg:"" name:"address" help:"An address or number of theirs, or the id that the list shows."`
}

func (c *representativeRemoveCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		id := c.Who
		if _, ok := proofing.IDBucket(id); !ok {
			contact, err := a.anyContact(c.Who)
			if err != nil {
				return err
			}
			if id, err = a.service.Owner(a.ctx, contact); err != nil {
				return noRepresentative(err, c.Who)
			}
		}
		if err := a.service.Dismiss(a.ctx, id); err != nil {
			return noRepresentative(err, c.Who)
		}
		a.say("%s is no representative any more; what they recorded and nobody has reviewed is not accepted", c.Who)
		return nil
	})
}

func noRepresentative(err error, who string) error {
	if errors.Is(err, proofing.ErrNotFound) {
		return usagef("%q is no representative: `countersign representative list` shows them", who)
	}
	return err
}
