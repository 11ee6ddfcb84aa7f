package main

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

type registryCommand struct {
	Add    registryAddCommand    `cmd:"" help:"Name somebody who may have certificates for an identifier."`
	List   registryListCommand   `cmd:"" help:"List the entries of a CA."`
	Remove registryRemoveCommand `cmd:"" help:"Remove an identifier and everybody named for it."`
}

type registryAddCommand struct {
	CA           string   `arg:"" name:"ca" help:"The CA that the entry serves."`
	Type         string   `arg:"" help:"dns, ip, permanent-identifier, hardware-module or organization."`
	Value        string   `arg:"" help:"The identifier."`
	Email        []string `sep:"none" help:"Whoever confirms this address (repeatable)." placeholder:"ADDRESS"`
	Phone        []string `sep:"none" help:"Whoever confirms this number (repeatable)." placeholder:"NUMBER"`
	Person       []string `help:"The person of this id (repeatable)." placeholder:"ID"`
	Organization []string `sep:"none" help:"Whoever may ask for certificates of the organization of this legal name, whose dossier the CA has (repeatable)." placeholder:"NAME"`
	Domain       []string `help:"A domain of the organization, whose CAA records count for it (repeatable)." placeholder:"NAME"`
	Note         string   `help:"Why, for whoever reads the list." placeholder:"TEXT"`
}

func (c *registryAddCommand) Run(g *globals) error {
	if err := registrable(c.Type); err != nil {
		return err
	}
	if len(c.Domain) > 0 && c.Type != proofing.IdentifierOrganization {
		return usagef("--domain is for organizations: a %s is what it is", c.Type)
	}
	return g.administer(false, func(a *admin) error {
		if _, err := a.living(c.CA); err != nil {
			return err
		}
		holders, err := c.holders(a)
		if err != nil {
			return err
		}
		id := proofing.Identifier{Type: c.Type, Value: c.Value}
		var entry *proofing.RegistryEntry
		if len(c.Domain) > 0 {
			entry, err = a.service.RegisterOrganization(a.ctx, c.CA, id, c.Note, c.Domain, holders...)
		} else {
			entry, err = a.service.Register(a.ctx, c.CA, id, c.Note, holders...)
		}
		if input, ok := errors.AsType[*proofing.InputError](err); ok {
			switch {
			case strings.HasPrefix(input.Code, "organization_"):
				return usagef("--organization: %s", input.Detail)
			case input.Field == "domain":
				return usagef("--domain: %s", input.Detail)
			}
		}
		if err != nil {
			return valueFault(err, c.Value)
		}
		if len(c.Domain) > 0 {
			a.say("its domains, whose CAA records count for it: %s", strings.Join(entry.Domains, ", "))
		}
		a.say("%s %s: whoever is named may have certificates of %s; named now: %d", entry.Identifier.Type, entry.Identifier.Value, c.CA, len(entry.Holders))
		return nil
	})
}

func (c *registryAddCommand) holders(a *admin) ([]proofing.Holder, error) {
	var holders []proofing.Holder
	for _, given := range []struct {
		method    string
		addresses []string
	}{{methodEmail, c.Email}, {methodSMS, c.Phone}} {
		for _, address := range given.addresses {
			contact, err := a.contact(given.method, address)
			if err != nil {
				return nil, err
			}
			holders = append(holders, proofing.Holder{Channel: contact.Channel, Address: contact.Address})
		}
	}
	for _, id := range c.Person {
		if err := a.person(id); err != nil {
			return nil, err
		}
		holders = append(holders, proofing.Holder{Person: id})
	}
	for _, name := range c.Organization {
		holders = append(holders, proofing.Holder{Organization: name})
	}
	if len(holders) == 0 {
		return nil, usagef("say who may have the identifier: give at least one --email, --phone, --person or --organization")
	}
	return holders, nil
}

// person makes sure that there is one of that id.
func (a *admin) person(id string) error {
	if _, ok := proofing.IDBucket(id); ok {
		_, err := a.service.People.Get(a.ctx, id)
		if !errors.Is(err, proofing.ErrNotFound) {
			return err
		}
	}
	return usagef("there is no person %q: `countersign case show` names the person of a case", id)
}

// registryTypes are the types that the registry has a say in.
var registryTypes = []string{
	proofing.IdentifierDNS, proofing.IdentifierIP, proofing.IdentifierPermanent, proofing.IdentifierHardware, proofing.IdentifierOrganization,
}

// registrable refuses a type that an entry cannot be for.
func registrable(typ string) error {
	if typ == proofing.IdentifierEmail {
		return usagef("an email identifier needs no entry: whoever confirms the address is entitled to it")
	}
	return known("identifier type", []string{typ}, registryTypes)
}

// valueFault names the value that was typed beside what is wrong with it.
func valueFault(err error, value string) error {
	input, ok := errors.AsType[*proofing.InputError](err)
	switch {
	case !ok:
		return err
	case strings.HasPrefix(input.Detail, "not "):
		return usagef("%q is %s", value, input.Detail)
	}
	return usagef("%q: %s", value, input.Detail)
}

type registryListCommand struct {
	CA     string `arg:"" name:"ca" help:"The CA."`
	Reveal bool   `help:"Show addresses in full."`
	JSON   bool   `name:"json" help:"For machines."`
}

// entryView is an entry as the operator sees it.
type entryView struct {
	Type    string       `json:"type"`
	Value   string       `json:"value"`
	Holders []holderView `json:"holders"`
	Domains []string     `json:"domains,omitempty"`
	Created time.Time    `json:"created"`
	Note    string       `json:"note,omitempty"`
}

type holderView struct {
	Person       string `json:"person,omitempty"`
	Organization string `json:"organization,omitempty"`
	Channel      string `json:"channel,omitempty"`
	Address      string `json:"address,omitempty"` // masked unless asked for in full
}

func (c *registryListCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		if _, err := a.authority(c.CA); err != nil {
			return err
		}
		var views []entryView
		for after := ""; ; {
			page, next, err := a.service.Registered(a.ctx, c.CA, after, 500)
			if err != nil {
				return err
			}
			for _, e := range page {
				views = append(views, viewEntry(e, c.Reveal))
			}
			if after = next; next == "" {
				break
			}
		}
		slices.SortFunc(views, func(x, y entryView) int {
			return cmp.Or(cmp.Compare(x.Type, y.Type), cmp.Compare(x.Value, y.Value))
		})
		return list(g, c.JSON, views, []string{"TYPE", "VALUE", "HOLDERS", "DOMAINS", "SINCE", "NOTE"}, entryView.row)
	})
}

func viewEntry(e *proofing.RegistryEntry, reveal bool) entryView {
	v := entryView{Type: e.Identifier.Type, Value: e.Identifier.Value, Holders: []holderView{}, Domains: e.Domains, Created: e.Created, Note: e.Note}
	for _, h := range e.Holders {
		address := h.Address.Reveal()
		if !reveal {
			address = mask(address)
		}
		v.Holders = append(v.Holders, holderView{h.Person, h.Organization, string(h.Channel), address})
	}
	return v
}

// mask leaves of an address what tells it from others that one knows.
func mask(address string) string {
	if address == "" {
		return ""
	}
	if at := strings.LastIndexByte(address, '@'); at > 0 {
		return address[:1] + "•••" + address[at:]
	}
	return address[:min(3, len(address))] + "•••" + address[max(0, len(address)-2):]
}

func (v entryView) row() []string {
	var holders []string
	for _, h := range v.Holders {
		holders = append(holders, cmp.Or(h.Address, h.Organization, "person "+h.Person))
	}
	return []string{v.Type, v.Value, strings.Join(holders, ", "), orDash(strings.Join(v.Domains, " ")), when(v.Created), orDash(v.Note)}
}

type registryRemoveCommand struct {
	CA    string `arg:"" name:"ca" help:"The CA."`
	Type  string `arg:"" help:"The identifier's type."`
	Value string `arg:"" help:"The identifier."`
}

func (c *registryRemoveCommand) Run(g *globals) error {
	if err := registrable(c.Type); err != nil {
		return err
	}
	return g.administer(false, func(a *admin) error {
		if _, err := a.authority(c.CA); err != nil {
			return err
		}
		err := a.service.Unregister(a.ctx, c.CA, proofing.Identifier{Type: c.Type, Value: c.Value})
		if errors.Is(err, proofing.ErrNotFound) {
			return usagef("the registry of %s has no %s %s: `countersign registry list %s` shows what it has", c.CA, c.Type, c.Value, c.CA)
		}
		if err != nil {
			return valueFault(err, c.Value)
		}
		a.say("removed %s %s: from now on %s is told that nobody is entitled to it, whatever was granted before", c.Type, c.Value, c.CA)
		return nil
	})
}
