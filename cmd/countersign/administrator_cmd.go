package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

type administratorCommand struct {
	Bootstrap administratorBootstrapCommand `cmd:"" help:"Name the first two administrators, once."`
	Invite    administratorInviteCommand    `cmd:"" help:"Propose another one: two administrators confirm whoever has come, in the console."`
	Recover   administratorRecoverCommand   `cmd:"" help:"Name another one when fewer than two can act; takes a day, and all of them hear of it."`
	Suspend   administratorSuspendCommand   `cmd:"" help:"Take the role from one at once, when nobody else can."`
	List      administratorListCommand      `cmd:"" help:"List them, and who can act."`
}

type administratorBootstrapCommand struct {
	First  string `arg:"" name:"name-1" help:"By what name colleagues know the one."`
	Second string `arg:"" name:"name-2" help:"And the other. They must be two people."`
	Again  bool   `help:"The links of the last time were lost or have run out: what was begun with them ends."`
}

func (c *administratorBootstrapCommand) Run(g *globals) error {
	return g.administer(true, func(a *admin) error {
		if err := a.hasConsole(); err != nil {
			return err
		}
		first, err := a.service.Bootstrap(a.ctx, [2]string{c.First, c.Second}, c.Again)
		if _, bad := errors.AsType[*proofing.InputError](err); bad {
			return usagef("give two names, of two people")
		}
		if errors.Is(err, proofing.ErrExists) {
			started, completed, err := a.service.Began(a.ctx)
			switch {
			case err != nil:
				return err
			case completed.IsZero():
				return usagef("two administrators were named on %s and have not both taken it up: they have a day for that; if the links were lost or have run out, --again makes new ones", when(started))
			}
			return usagef("the first administrators were complete on %s, and that is done once: others are named in the console at %s/admin or by `countersign admin invite`; if fewer than two can act, `countersign admin recover` names another", when(completed), a.config.Origin)
		}
		if err != nil {
			return err
		}
		if err := a.showLinks(first[:]...); err != nil {
			return err
		}
		a.say("give each of the two their own link, in person or by something that only they can read: whoever opens it with a passkey is an administrator, once both have; the links are good until %s, and are shown this once", when(first[0].LinkUntil))
		a.say("have each of them confirm an e-mail address at %s/me as well: without one, or a number, they are told of nothing", a.config.Origin)
		return nil
	})
}

// hasConsole says what is missing for people to take up a role.
func (a *admin) hasConsole() error {
	if a.service.Policy.Own == nil {
		return usagef("nobody can sign in here: configure passkeys first, so that people have a page of their own")
	}
	return nil
}

// showLinks prints names, each with the link by which its holder takes the role up.
func (a *admin) showLinks(named ...*proofing.Appointment) error {
	var rows [][]string
	for _, one := range named {
		rows = append(rows, []string{one.Name, one.JoinURL(a.config.Origin).Reveal()})
	}
	return a.table([]string{"NAME", "LINK"}, rows)
}

// named shows the link of another administrator, or says why there is none.
func (a *admin) named(one *proofing.Appointment, err error) error {
	if errors.Is(err, proofing.ErrNotFound) {
		return usagef("the first two administrators have not both taken it up: `countersign admin bootstrap` names them")
	}
	if _, bad := errors.AsType[*proofing.InputError](err); bad {
		return usagef("give a name")
	}
	if err != nil {
		return err
	}
	return a.showLinks(one)
}

type administratorRecoverCommand struct {
	Name string `arg:"" help:"By what name colleagues know the person."`
}

func (c *administratorRecoverCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		left, err := a.service.Administrators(a.ctx)
		if err != nil {
			return err
		}
		one, err := a.service.RecoverAdministration(a.ctx, c.Name)
		if err := a.named(one, err); err != nil {
			return err
		}
		a.say("whoever opens it with a passkey until %s is an administrator a day later, or as soon as another one confirms them at %s/admin; %s; any administrator can end it before", when(one.LinkUntil), a.config.Origin, told(one))
		if left >= 2 {
			a.say("note: %d administrators can act now, and confirm whom `countersign admin invite` proposes; this way is for when they cannot sign in", left)
		}
		return nil
	})
}

type administratorInviteCommand struct {
	Name string `arg:"" help:"By what name colleagues know the person."`
}

func (c *administratorInviteCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		one, err := a.service.InviteAdministrator(a.ctx, c.Name)
		if err := a.named(one, err); err != nil {
			return err
		}
		a.say("give it to the person, in person or by something that only they can read: whoever opens it with a passkey until %s waits for two administrators to confirm them at %s/admin/people, and has no role before; %s", when(one.LinkUntil), a.config.Origin, told(one))
		left, err := a.service.Administrators(a.ctx)
		if err == nil && left < 2 {
			a.say("note: %d can act as administrators now, and it takes two: `countersign admin recover` names one who needs nobody, after a day", left)
		}
		return err
	})
}

// told says who hears of an appointment that was just made on the server.
func told(one *proofing.Appointment) string {
	switch n := one.Outbox.Persons(); n {
	case 0:
		return "no administrator has an address or a number here, so nobody is told of it"
	case 1:
		return "one administrator has an address or a number here, and is told of it"
	default:
		return fmt.Sprintf("%d administrators have an address or a number here, and are told of it", n)
	}
}

type administratorSuspendCommand struct {
	ID     string `arg:"" name:"id" help:"The id that the list shows; of another role, the one that its page shows."`
	Reason string `required:"" help:"Why; the person and the administrators are told, who have an address or a number here." placeholder:"TEXT"`
}

func (c *administratorSuspendCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		one, err := a.service.SuspendByOperator(a.ctx, c.ID, c.Reason)
		if _, bad := errors.AsType[*proofing.InputError](err); bad {
			return usagef("say why, with --reason")
		}
		switch {
		case errors.Is(err, proofing.ErrNotFound):
			return usagef("there is no appointment %q: `countersign admin list` shows those of administrators", c.ID)
		case errors.Is(err, proofing.ErrClosed):
			return usagef("%s gives no role now: there is nothing to suspend", c.ID)
		case err != nil:
			return err
		}
		a.say("%s has no role any more as %s; giving it back takes two in the console", one.Name, one.Role)
		left, err := a.service.Administrators(a.ctx)
		if err == nil && left < 2 {
			a.say("note: %d can act as administrators now, and what takes two cannot be done: `countersign admin recover` names another", left)
		}
		return err
	})
}

type administratorListCommand struct {
	JSON bool `name:"json" help:"For machines."`
}

// administratorView is what is shown of an administrator.
type administratorView struct {
	ID     string    `json:"id"`
	Name   string    `json:"name"`
	State  string    `json:"state"` // "active", or why they cannot act
	Person string    `json:"person,omitempty"`
	Since  time.Time `json:"since,omitzero"` // of the confirmation
	// Beginning is "bootstrap", "recovery", "invitation", or empty for one who was named in the console.
	Beginning string          `json:"beginning,omitempty"`
	Awaits    proofing.Awaits `json:"awaits,omitempty"`
	Deadline  time.Time       `json:"deadline,omitzero"` // when the state changes by itself
}

func (v administratorView) row() []string {
	return []string{v.ID, v.Name, v.State, v.named(), v.next(), orDash(v.Person), when(v.Since)}
}

// named is the command that named the administrator.
func (v administratorView) named() string {
	switch v.Beginning {
	case proofing.BegunByBootstrap:
		return "bootstrap"
	case proofing.BegunByRecovery:
		return "recover"
	case proofing.BegunByInvitation:
		return "invite"
	}
	return "console"
}

// next is what has to happen next.
func (v administratorView) next() string {
	switch {
	case v.State == string(proofing.AppointmentProposed):
		return "link opened by " + when(v.Deadline)
	case v.Awaits == proofing.AwaitsOne:
		return "another administrator confirms"
	case v.Awaits == proofing.AwaitsTwo:
		return "two administrators confirm"
	case v.Awaits == proofing.AwaitsSecond:
		return "a second administrator confirms"
	case v.Awaits == proofing.AwaitsFirst:
		return "the other of the two opens their link"
	case v.Awaits == proofing.AwaitsDay:
		return "acts from " + when(v.Deadline) + ", or once another confirms"
	}
	return "-"
}

func (c *administratorListCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		all, err := a.service.ListAdministrators(a.ctx)
		if err != nil {
			return err
		}
		var views []administratorView
		able := 0
		for _, one := range all {
			v := administratorView{one.ID, one.Name, one.Falls, one.Person, one.Confirmed.At, one.Beginning, one.Awaits, one.Deadline()}
			if v.State == "" {
				v.State = string(proofing.AppointmentActive)
				able++
			}
			views = append(views, v)
		}
		if err := list(g, c.JSON, views, []string{"ID", "NAME", "STATE", "NAMED BY", "NEXT", "PERSON", "SINCE"}, administratorView.row); err != nil {
			return err
		}
		if len(all) == 0 || able >= 2 {
			return nil
		}
		_, completed, err := a.service.Began(a.ctx)
		switch {
		case err != nil:
			return err
		case completed.IsZero(): // until then nobody is named in another way
			a.say("note: the first two administrators have not both taken it up; if their links were lost or have run out, `countersign admin bootstrap` makes new ones with --again")
		default:
			a.say("note: %d can act, and what takes two cannot be done: `countersign admin recover` names another", able)
		}
		return nil
	})
}
