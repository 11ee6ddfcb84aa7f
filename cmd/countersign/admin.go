package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// admin is what a command of the operator works with: the store of the
// configuration, beside whatever server has it open.
type admin struct {
	*globals
	config  *Config // what is in force
	read    *Config // the file
	storage *storage
	service *proofing.Service
}

// administer runs a command on the open store. makeIt is as in openStore.
func (g *globals) administer(makeIt bool, work func(a *admin) error) (err error) {
	config, _, err := loadConfig(g.configFile, g.environ, storeSecrets)
	if err != nil {
		return err
	}
	read := config
	s, err := openStore(g.ctx, config.Store, makeIt, g.now)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if s.made {
		g.say("made the store %s and its key ring %s: keep a copy of the key ring in a safe place, nobody can read the store without it", config.Store.place(), config.Store.KeyRing)
	}
	service, err := s.service(config, g.now, newLog(g.stderr, LogConfig{Level: "info", Format: "text"}))
	if err != nil {
		return err
	}
	if config, err = config.ruled(g.ctx, service, nil); err != nil {
		if _, unfit := errors.AsType[configError](err); !unfit {
			return err
		}
		g.say("note: this goes by the policy of %s, because the approved one does not go with the rest of it:\n%v", g.configFile, err)
		config = read
	}
	if service.Policy, err = config.policy(); err != nil {
		return err
	}
	if service.Operator, err = g.operator(); err != nil {
		return err
	}
	return work(&admin{globals: g, config: config, read: read, storage: s, service: service})
}

// say tells the operator what was done. It goes to standard error, so that
// standard output has results alone.
func (g *globals) say(format string, args ...any) { fmt.Fprintf(g.stderr, format+"\n", args...) }

// now is the time as records keep it.
func (a *admin) time() time.Time { return a.now().UTC().Truncate(time.Millisecond) }

// authority is the CA of that name, whether or not it is revoked.
func (a *admin) authority(name string) (*proofing.Authority, error) {
	ca, err := a.service.Authorities.Get(a.ctx, a.service.AuthorityID(name))
	return ca, noSuchCA(err, name)
}

// living is the CA of that name, which must not be revoked.
func (a *admin) living(name string) (*proofing.Authority, error) {
	ca, err := a.authority(name)
	if err == nil && !ca.Revoked.IsZero() {
		return nil, usagef("the CA %q was revoked on %s: that cannot be undone, add it under another name", name, when(ca.Revoked))
	}
	return ca, err
}

func noSuchCA(err error, name string) error {
	if errors.Is(err, proofing.ErrNotFound) {
		return usagef("there is no CA %q: `countersign ca list` shows those that there are", name)
	}
	return err
}

// contact reads an address in the form in which records compare it.
func (a *admin) contact(method, address string) (proofing.Contact, error) {
	c, err := a.service.Methods[method].Check(address)
	if input, ok := errors.AsType[*proofing.InputError](err); ok {
		return c, usagef("%q: %s", address, input.Detail)
	}
	return c, err
}

// anyContact is contact for an address that is either an e-mail address or a number.
func (a *admin) anyContact(address string) (proofing.Contact, error) {
	method := methodSMS
	if strings.Contains(address, "@") {
		method = methodEmail
	}
	return a.contact(method, address)
}

// everything reads all the records of a table that an index covers, whatever their values.
func everything[T any](a *admin, table proofing.Table[T], index string) ([]*T, error) {
	const afterAll = "\x7f" // indexed values are printable
	var all []*T
	for after := ""; ; {
		page, next, err := table.List(a.ctx, proofing.Query{Index: index, Below: afterAll, After: after, Limit: 500})
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if after = next; next == "" {
			return all, nil
		}
	}
}

// table writes rows in columns.
func (g *globals) table(header []string, rows [][]string) error {
	w := tabwriter.NewWriter(g.stdout, 0, 8, 2, ' ', 0)
	for _, row := range append([][]string{header}, rows...) {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// writeJSON writes what a machine reads. Values are of types made for it, because
// a Secret in a record would be written as it is.
func writeJSON(w io.Writer, v any) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(v)
}

// list writes rows for people, or the values for machines.
func list[T any](g *globals, asJSON bool, values []T, header []string, row func(T) []string) error {
	if asJSON {
		return writeJSON(g.stdout, append([]T{}, values...)) // [] and not null
	}
	var rows [][]string
	for _, v := range values {
		rows = append(rows, row(v))
	}
	return g.table(header, rows)
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

var slug = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// known reports names that are not among those that there are.
func known(what string, names, among []string) error {
	for _, n := range names {
		if !slices.Contains(among, n) {
			return usagef("there is no %s %q: there are %s", what, n, strings.Join(among, ", "))
		}
	}
	return nil
}
