package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/sqlite"
	"github.com/hookswitch/hookswitch/store/storetest"
)

// mayFail is a store that answers as long as it is told to.
type mayFail struct {
	store.Configurations
	fails error
	asked int // for the files of a revision
}

func (m *mayFail) Current(ctx context.Context) (map[string]int, error) {
	if m.fails != nil {
		return nil, m.fails
	}
	return m.Configurations.Current(ctx)
}

func (m *mayFail) Revision(ctx context.Context, org string, number int) (*store.Revision, error) {
	m.asked++
	if m.fails != nil {
		return nil, m.fails
	}
	return m.Configurations.Revision(ctx, org, number)
}

func (m *mayFail) FlowBundle(ctx context.Context, flow, version string) (string, error) {
	if m.fails != nil {
		return "", m.fails
	}
	return m.Configurations.FlowBundle(ctx, flow, version)
}

// put makes an organization have one file, which is not looked at.
func (m *mayFail) put(t *testing.T, org, text string) {
	t.Helper()
	current, err := m.Configurations.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	change := store.Change{Org: org, Base: current[org], Files: store.Files{"a.yaml": []byte(text)}, Author: "ann"}
	if s, problems := flowengine.LoadFile("a.yaml", []byte(text), nodes.Kinds); len(problems) == 0 {
		for _, f := range s.Flows() {
			change.Flows = append(change.Flows, store.FlowVersion{Flow: f.Name, Version: f.Version, Bundle: f.Bundle()})
		}
	}
	if _, err := m.Apply(t.Context(), []store.Change{change}); err != nil {
		t.Fatal(err)
	}
}

func newMayFail(t *testing.T) *mayFail {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "hookswitch.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return &mayFail{Configurations: db}
}

// following is a configuration that comes from a store; data is the folder of its server.
func following(db *mayFail, data string) (c *configuration, log *bytes.Buffer) {
	log = new(bytes.Buffer)
	c = &configuration{versions: &flowengine.Versions{Dir: filepath.Join(data, "flows"), Kinds: nodes.Kinds}, kept: lastGood(filepath.Join(data, "conf")),
		log: zerolog.New(log), loaded: func(time.Time) {}}
	c.from(db)
	return c, log
}

func (c *configuration) mustPoll(t *testing.T) {
	t.Helper()
	if err := c.poll(t.Context(), pollLimit); err != nil {
		t.Fatal(err)
	}
}

func wantNumbers(t *testing.T, c *configuration, numbers ...string) {
	t.Helper()
	var have []string
	for _, r := range c.current().Numbers() {
		have = append(have, r.Number)
	}
	if strings.Join(have, " ") != strings.Join(numbers, " ") {
		t.Errorf("numbers %v, want %v", have, numbers)
	}
}

func TestWhatIsStoredIsInForce(t *testing.T) {
	db := newMayFail(t)
	c, _ := following(db, t.TempDir())
	if err := c.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.ready(); err == nil {
		t.Error("ready without a configuration")
	}
	db.put(t, "default", smallFlow)
	c.mustPoll(t)
	wantNumbers(t, c, "+15550100")
	if err := c.ready(); err != nil || !c.valid.Load() {
		t.Errorf("not ready: %v", err)
	}
	// A second organization has names of its own, and only its files are read.
	asked := db.asked
	db.put(t, "beta", strings.Replace(smallFlow, "0100", "0200", 1))
	c.mustPoll(t)
	c.mustPoll(t)
	wantNumbers(t, c, "+15550100", "+15550200")
	if r, ok := c.current().Lookup("+15550200"); !ok || r.Org.Name != "beta" || db.asked != asked+1 {
		t.Errorf("%+v, %d revisions were read", r, db.asked-asked)
	}
}

// A program that cannot read what a newer one has applied says so, and goes on with what it has.
func TestWhatCannotBeReadIsNotInForce(t *testing.T) {
	db := newMayFail(t)
	db.put(t, "default", smallFlow)
	data := t.TempDir()
	c, _ := following(db, data)
	c.mustPoll(t)
	db.put(t, "default", strings.Replace(smallFlow, "hangup", "teleport", 1))
	err := c.poll(t.Context(), pollLimit)
	if invalid := (*invalidConfig)(nil); !errors.As(err, &invalid) || !strings.Contains(err.Error(), "default revision 2") || c.valid.Load() {
		t.Errorf("valid %v, error %v", c.valid.Load(), err)
	}
	wantNumbers(t, c, "+15550100")
	if err := c.poll(t.Context(), pollLimit); err != nil {
		t.Errorf("said again: %v", err)
	}
	after, log := following(db, data)
	if err := after.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantNumbers(t, after, "+15550100")
	if !strings.Contains(log.String(), "teleport") || !strings.Contains(log.String(), `"revisions":"default revision 1"`) {
		t.Errorf("said %s", log)
	}
	db.put(t, "default", strings.Replace(smallFlow, "0100", "0300", 1))
	after.mustPoll(t)
	wantNumbers(t, after, "+15550300")
}

func TestStartWithoutTheDatabase(t *testing.T) {
	db := newMayFail(t)
	db.put(t, "default", smallFlow)
	data := t.TempDir()
	before, _ := following(db, data)
	before.mustPoll(t)
	flow, _ := before.current().Flow("a")

	db.fails = errors.New("connection refused")
	if c, _ := following(db, t.TempDir()); !errors.Is(c.start(t.Context()), db.fails) {
		t.Error("started on nothing")
	}
	c, log := following(db, data)
	if err := c.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantNumbers(t, c, "+15550100")
	for _, want := range []string{"connection refused", "the copy of the configuration on this disk is in force", `"age":"`, "default revision 1"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("lacks %s: %s", want, log)
		}
	}
	if f, err := c.versions.Flow("a", flow.Version); err != nil || f.Version != flow.Version {
		t.Errorf("version: %v", err)
	}
	db.fails = nil
	c.mustPoll(t)
	if !c.valid.Load() {
		t.Error("not valid with the database")
	}
}

// A database that has lost everything does not take the configuration away.
func TestEmptyDatabaseIsNotApplied(t *testing.T) {
	db := newMayFail(t)
	db.put(t, "default", smallFlow)
	data := t.TempDir()
	c, _ := following(db, data)
	c.mustPoll(t)
	empty := newMayFail(t)
	c.store.revisions = empty
	if err := c.poll(t.Context(), pollLimit); !errors.Is(err, errNothingStored) {
		t.Errorf("error %v", err)
	}
	wantNumbers(t, c, "+15550100")
	after, log := following(empty, data)
	if err := after.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantNumbers(t, after, "+15550100")
	if !strings.Contains(log.String(), errNothingStored.Error()) {
		t.Errorf("said %s", log)
	}
}

// A node that never had a flow version takes it from the store, and has it from then on.
func TestVersionComesFromTheStore(t *testing.T) {
	db := newMayFail(t)
	db.put(t, "default", smallFlow)
	began, _ := flowengine.LoadFile("a.yaml", []byte(smallFlow), nodes.Kinds)
	old, _ := began.Flow("a")
	db.put(t, "default", strings.Replace(smallFlow, "USER_BUSY", "CALL_REJECTED", 1))
	c, _ := following(db, t.TempDir())
	c.mustPoll(t)
	if _, ok := c.current().Version("a", old.Version); ok {
		t.Fatal("it has the version already")
	}
	for range 2 {
		if f, err := c.versions.Flow("a", old.Version); err != nil || f.Version != old.Version {
			t.Errorf("%+v, %v", f, err)
		}
		db.fails = errors.New("connection refused")
		c.versions = &flowengine.Versions{Dir: c.versions.Dir, Kinds: nodes.Kinds, Fetch: c.versions.Fetch}
	}
	if _, err := c.versions.Flow("a", "0123456789abcdef"); !errors.Is(err, db.fails) {
		t.Errorf("error %v", err)
	}
}

// logged are the lines that a server logs.
type logged struct {
	Message, HTTP, From, Revisions string
}

// serve runs a server until the test ends; await returns the next line that says so.
func (w *world) serve() (await func(message string) logged) {
	w.Helper()
	cmd := newServe()
	cmd.Flags().String("config", w.settings, "")
	if err := cmd.Flags().Set("config", w.settings); err != nil {
		w.Fatal(err)
	}
	s, err := loadSettings(cmd)
	if err != nil {
		w.Fatal(err)
	}
	if err := s.complete(); err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	log := make(firstLines, 1000)
	done := make(chan error, 1)
	go func() { done <- run(ctx, s, log) }()
	w.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.Error(err)
		}
	})
	return func(message string) (line logged) {
		w.Helper()
		for line.Message != message {
			select {
			case text := <-log:
				line = logged{}
				if err := json.Unmarshal([]byte(text), &line); err != nil {
					w.Fatalf("%v: %s", err, text)
				}
			case err := <-done:
				done <- nil
				w.Fatalf("the server stopped: %v", err)
			}
		}
		return line
	}
}

// process runs the program in a process of its own.
func (w *world) process(line ...string) {
	w.Helper()
	cmd := exec.Command(os.Args[0], append(line, "--config", w.settings)...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		w.Fatalf("%s: %v\n%s", strings.Join(line, " "), err, out)
	}
}

func TestRunningServerSeesWhatIsApplied(t *testing.T) {
	onBoth(t, func(w *world) {
		await := w.serve()
		address := await("server started").HTTP
		ready := func() string {
			resp, err := http.Get("http://" + address + "/readyz")
			if err != nil {
				w.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				w.Fatal(err)
			}
			return string(body)
		}
		if said := ready(); !strings.Contains(said, "there is no configuration in the database") {
			w.Errorf("ready: %s", said)
		}
		w.two()
		for i := range 3 {
			w.files["beta/b.yml"] = fmt.Appendf(nil, "# %d\n%s", i, betaAll)
			w.write("beta/b.yml", string(w.files["beta/b.yml"]))
			w.process("apply", w.dir)
			applied := time.Now()
			if line := await("configuration in force"); line.From != fmt.Sprintf("the database: beta revision %d", i+1) {
				w.Errorf("in force: %s", line.From)
			}
			w.Logf("in force %v after the apply", time.Since(applied).Round(time.Millisecond))
		}
		if said := ready(); !strings.Contains(said, `"configuration":"ok"`) {
			w.Errorf("ready: %s", said)
		}
	})
}

func TestServerStartsBeforeItsDatabase(t *testing.T) {
	pg := storetest.NewPostgres(t)
	w := &world{T: t, dir: t.TempDir(), settings: settingsText(t, "data: "+t.TempDir()+"\ndatabase: '"+pg.URL("hookswitch")+
		"'\nlisten: 127.0.0.1:0\nlisten_takeover: 127.0.0.1:0\nhttp: 127.0.0.1:0\nnode: n1\n")}
	w.two()
	w.run("", "apply", w.dir)
	t.Run("with it", func(t *testing.T) {
		inner := *w
		inner.T = t
		if line := inner.serve()("configuration in force"); line.From != "the database: acme revision 1, beta revision 1" {
			t.Errorf("in force: %s", line.From)
		}
	})
	if err := pg.Stop(); err != nil {
		t.Fatal(err)
	}
	anew := &world{T: t, dir: w.dir, settings: settingsText(t, "data: "+t.TempDir()+"\ndatabase: '"+pg.URL("hookswitch")+"'\nnode: n2\n")}
	anew.fails("this server has no copy of an earlier one to start with", "serve")
	await := w.serve()
	if line := await("the copy of the configuration on this disk is in force"); line.Revisions != "acme revision 1, beta revision 1" {
		t.Errorf("in force: %s", line.Revisions)
	}
	await("server started")
	if err := pg.Start(); err != nil {
		t.Fatal(err)
	}
	await("the configuration is read from the database again")
}

// A database that is away says why in many words, and is told of once; that it is there and
// empty is another thing.
func TestDatabaseThatIsAwayIsToldOfOnce(t *testing.T) {
	var log bytes.Buffer
	c := &configuration{log: zerolog.New(&log), store: &stored{}}
	for i, err := range []error{&unreadError{errors.New("from port 1: reset")}, &unreadError{errors.New("from port 2: reset")}, errNothingStored, errNothingStored, nil} {
		c.polled(err)
		if lines, want := bytes.Count(log.Bytes(), []byte("\n")), []int{1, 1, 2, 2, 3}[i]; lines != want {
			t.Errorf("after %v: %d lines, want %d\n%s", err, lines, want, log.String())
		}
	}
}
