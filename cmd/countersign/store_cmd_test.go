package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/acme"
	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
	"github.com/countersign-id/countersign/store/redistest"
)

// next is the desk with a configuration whose store is another, and the same key ring.
func (d *desk) next(name, section string) *desk {
	d.t.Helper()
	text, err := os.ReadFile(d.config)
	if err != nil {
		d.t.Fatal(err)
	}
	other := *d
	other.config = filepath.Join(d.dir, name+".yaml")
	before, after := "  kind: sqlite\n", "  path: "+filepath.Join(d.dir, "s.db")+"\n"
	if !strings.Contains(string(text), before) || !strings.Contains(string(text), after) {
		d.t.Fatalf("no store in the configuration:\n%s", text)
	}
	if err := os.WriteFile(other.config, []byte(strings.NewReplacer(before, section, after, "").Replace(string(text))), 0o600); err != nil {
		d.t.Fatal(err)
	}
	return &other
}

func (d *desk) nextOnRedis(server *redistest.Server, more string) *desk {
	d.t.Helper()
	return d.next("redis", fmt.Sprintf("  kind: redis\n  redis:\n    addresses: [%q]\n%s", server.Addr, more))
}

// tables are those that the service has, and what else keeps records.
func (s *storage) tables(t *testing.T) map[string]reflect.Value {
	t.Helper()
	c, _, err := loadConfig("config.example.yaml", nil, skipSecrets)
	if err != nil {
		t.Fatal(err)
	}
	service, err := s.service(c, time.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string]reflect.Value{"reply": reflect.ValueOf(store.NewTable[acme.Reply](s.kv, s.ring, "reply"))}
	fields := reflect.ValueOf(service).Elem()
	for i := range fields.NumField() {
		if kind := fields.Type().Field(i); strings.HasPrefix(kind.Type.Name(), "Table[") {
			tables[kind.Name] = fields.Field(i)
		}
	}
	if len(tables) < 10 {
		t.Fatalf("only the tables %v", tables)
	}
	return tables
}

func callTable(table reflect.Value, method string, args ...any) error {
	in := []reflect.Value{reflect.ValueOf(context.Background())}
	for _, arg := range args {
		in = append(in, reflect.ValueOf(arg))
	}
	out := table.MethodByName(method).Call(in)
	err, _ := out[len(out)-1].Interface().(error)
	return err
}

// datedNow sets the times of a record, so that none has expired.
func datedNow(record reflect.Value) {
	for i := range record.NumField() {
		field := record.Field(i)
		if !field.CanSet() {
			continue
		}
		if at, ok := field.Addr().Interface().(*time.Time); ok {
			*at = time.Now().Add(time.Hour)
		} else if field.Kind() == reflect.Struct {
			datedNow(field)
		}
	}
}

// TestEveryTableIsMoved puts a record into each table that the service has, also those that
// somebody adds later, and wants all of them back from Redis and from a second file.
func TestEveryTableIsMoved(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.at = time.Now()
	d.addCA("alpha")
	server := redistest.Start(t, redistest.Durable()...)
	shared := d.nextOnRedis(server, "")
	back := d.next("back", "  kind: sqlite\n  path: "+filepath.Join(d.dir, "back.db")+"\n")
	ids := map[string]string{}
	d.onStorage(func(s *storage) {
		for name, table := range s.tables(t) {
			ids[name] = proofing.NewID([]byte(name))
			record := reflect.New(table.MethodByName("Get").Type().Out(0).Elem())
			datedNow(record.Elem())
			if err := callTable(table, "Create", ids[name], record.Interface()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if err := callTable(table, "Get", ids[name]); err != nil {
				t.Errorf("%s, before: %v", name, err)
			}
		}
		if total, _, err := store.NewLimiter(s.kv).Add(t.Context(), "moved", 7, time.Hour); err != nil || total != 7 {
			t.Errorf("a counter: %d, %v", total, err)
		}
	})
	for _, m := range []struct{ from, to *desk }{{d, shared}, {shared, back}} {
		_, said := m.from.run(exitOK, "store", "copy", "--to", m.to.config)
		contains(t, said, "all of it was read back and is the same")
		m.to.onStorage(func(s *storage) {
			for name, table := range s.tables(t) {
				if err := callTable(table, "Get", ids[name]); err != nil {
					t.Errorf("%s is not moved: %v", name, err)
				}
			}
			if total, _, err := store.NewLimiter(s.kv).Add(t.Context(), "moved", 0, 0); err != nil || total != 7 {
				t.Errorf("a counter: %d, %v", total, err)
			}
		})
		if _, said := m.from.run(exitUsage, "ca", "list"); !strings.Contains(said, "is not to be used") || !strings.Contains(said, "moved") {
			t.Error(said)
		}
		_, said = m.from.run(exitOK, "store", "copy", "--to", m.to.config)
		contains(t, said, "nothing left to do")
	}
	out, _ := back.run(exitOK, "ca", "list")
	contains(t, out, "alpha")
	_, said := shared.run(exitUsage, "store", "reopen")
	contains(t, said, "--although-moved")
	_, said = shared.run(exitOK, "store", "erase")
	contains(t, said, "erased")
	_, said = back.run(exitUsage, "store", "erase")
	contains(t, said, "only a store that was moved, or half a copy, is erased")
}

func (d *desk) onStorage(work func(s *storage)) {
	d.t.Helper()
	c, _, err := loadConfig(d.config, nil, readSecrets)
	if err != nil {
		d.t.Fatal(err)
	}
	s, err := openStore(d.t.Context(), c.Store, false, time.Now)
	if err != nil {
		d.t.Fatal(err)
	}
	work(s)
	if err := s.Close(); err != nil {
		d.t.Fatal(err)
	}
}

// TestAStoreThatIsServedIsNotMoved runs the program on each kind of store beside the command.
func TestAStoreThatIsServedIsNotMoved(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.at = time.Now()
	d.addCA("alpha")
	server := redistest.Start(t, redistest.Durable()...)
	shared := d.nextOnRedis(server, "")
	stop := d.served(io.Discard)
	_, said := d.run(exitFailure, "store", "copy", "--to", shared.config)
	contains(t, said, "in use", "stop every server and command")
	d.run(exitOK, "ca", "list") // it is as it was
	stop()
	d.run(exitOK, "store", "copy", "--to", shared.config)

	back := d.next("back", "  kind: sqlite\n  path: "+filepath.Join(d.dir, "back.db")+"\n")
	stop = shared.served(io.Discard)
	_, said = shared.run(exitFailure, "store", "copy", "--to", back.config)
	contains(t, said, "in use by "+processName())
	out, _ := shared.run(exitOK, "ca", "list")
	contains(t, out, "alpha")
	stop()
	other := newDesk(t)
	other.addCA("beta")
	full := d.next("full", "  kind: sqlite\n  path: "+filepath.Join(other.dir, "s.db")+"\n")
	_, said = shared.run(exitUsage, "store", "copy", "--to", full.config)
	contains(t, said, "is not empty", "nothing was changed")
	shared.run(exitOK, "ca", "list")
	shared.run(exitOK, "store", "copy", "--to", back.config)
}

// served runs the program on the desk's store until stop is called.
func (d *desk) served(log io.Writer) (stop func()) {
	d.t.Helper()
	a := d.app(log)
	ctx, cancel := context.WithCancel(d.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.serve(ctx, nil) }()
	return func() {
		d.t.Helper()
		cancel()
		if err := <-ended; err != nil {
			d.t.Error(err)
		}
		if err := a.close(); err != nil {
			d.t.Error(err)
		}
	}
}

// TestAProcessThatSleptWhileItsStoreWasMovedEnds marks the store under a running program, as a
// move does once it takes it for dead.
func TestAProcessThatSleptWhileItsStoreWasMovedEnds(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.at = time.Now()
	server := redistest.Start(t, redistest.Durable()...)
	shared := d.nextOnRedis(server, "")
	shared.addCA("alpha")
	a := shared.app(io.Discard)
	ended := make(chan error, 1)
	go func() { ended <- a.serve(t.Context(), nil) }()
	mark := store.Op{Name: "m/moved", If: store.Absent, Value: []byte(`{"place": "elsewhere", "since": "2026-11-25T08:00:00Z", "done": true}`)}
	if err := a.storage.shared.Apply(t.Context(), "00", []store.Op{mark}); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "moved") || !strings.Contains(err.Error(), "elsewhere") {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it goes on with a store that was moved")
	}
	if err := a.storage.kv.Apply(t.Context(), "07", []store.Op{{Name: "late", If: store.Any}}); err == nil {
		t.Error("it still writes")
	}
}

// TestARedisThatBeginsToForgetIsNoticed changes a setting under a running program, and puts it right.
func TestARedisThatBeginsToForgetIsNoticed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what, more, word string
		code             int
	}{
		{"as it is demanded", "", "store_may_forget", http.StatusServiceUnavailable},
		{"where less is accepted", "    accept_less_durable: true\n", "ready", http.StatusOK},
	} {
		t.Run(c.what, func(t *testing.T) {
			d := newDesk(t)
			d.at = time.Now()
			server := redistest.Start(t, redistest.Durable()...)
			shared := d.nextOnRedis(server, c.more)
			shared.addCA("alpha")
			var log syncBuffer
			a := shared.app(&log)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			a.phase.Store(serving)
			ended := make(chan struct{})
			go func() { a.watchStore(ctx, 20*time.Millisecond); close(ended) }()
			h := a.operators()
			await := func(code int, word, figure string) {
				t.Helper()
				for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
					got, body := probe(t, h, "/readyz")
					_, figures := probe(t, h, "/metrics")
					if got == code && strings.Contains(body, `"`+word+`"`) && strings.Contains(figures, "\ncountersign_store_durable "+figure+"\n") {
						return
					}
					if time.Now().After(deadline) {
						t.Fatalf("%d %s, want %d %s and a figure of %s", got, body, code, word, figure)
					}
				}
			}
			set := func(setting, value string) {
				t.Helper()
				if out, err := server.Do("CONFIG", "SET", setting, value); err != nil {
					t.Fatal(out, err)
				}
			}
			await(http.StatusOK, "ready", "1")
			set("appendfsync", "everysec")
			await(c.code, c.word, "0")
			set("appendfsync", "always")
			await(http.StatusOK, "ready", "1")
			set("no-appendfsync-on-rewrite", "yes")
			await(c.code, c.word, "0")
			set("no-appendfsync-on-rewrite", "no")
			await(http.StatusOK, "ready", "1")
			set("maxmemory-policy", "allkeys-lru")
			await(c.code, c.word, "0")
			stop()
			<-ended
			contains(t, log.String(), "the store may forget what it acknowledges", `its appendfsync is`, "the store keeps what it acknowledges again", "no-appendfsync-on-rewrite", "maxmemory-policy")
			if n := strings.Count(log.String(), "may forget what it acknowledges"); n != 3 {
				t.Errorf("it says so %d times, want once for each change", n)
			}
		})
	}
}

func TestTheDoctorTellsWhatEachMasterPromises(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Durable()...)
	d := newPatient(t)
	d.at = time.Now()
	on := func(more string) *desk { return d.nextOnRedis(server, more) }
	on("").addCA("alpha")
	said := on("").doctor(exitOK)
	d.expect(said, "redis", "ok", server.Addr)
	d.expect(said, "redis", "ok", "syncs every change; replicas: 0")

	host, port, _ := strings.Cut(server.Addr, ":")
	replica := redistest.Start(t, append(redistest.Durable(), "--replicaof", host+" "+port, "--repl-diskless-sync-delay", "0")...)
	replica.Await("replication", "master_link_status:up")
	server.Await("replication", "state=online")
	d.expect(on("").doctor(exitOK), "redis", "warn", "store.redis.replicas is 0")
	d.expect(on("    replicas: 1\n").doctor(exitOK), "redis", "warn", "min-replicas-to-write is 0")
	if _, err := server.Do("CONFIG", "SET", "min-replicas-to-write", "1"); err != nil {
		t.Fatal(err)
	}
	d.expect(on("    replicas: 1\n").doctor(exitOK), "redis", "ok", "replicas: 1, and with fewer than 1 it takes no changes")
	if _, err := server.Do("CONFIG", "SET", "appendfsync", "everysec"); err != nil {
		t.Fatal(err)
	}
	d.expect(on("    replicas: 1\n    accept_less_durable: true\n").doctor(exitOK), "redis", "warn", `its appendfsync is "everysec"`)
	if _, err := server.Do("CONFIG", "SET", "appendfsync", "always", "no-appendfsync-on-rewrite", "yes"); err != nil {
		t.Fatal(err)
	}
	d.expect(on("    replicas: 1\n    accept_less_durable: true\n").doctor(exitOK), "redis", "warn", `its no-appendfsync-on-rewrite is "yes"`)
}
