package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
)

const smallFlow = "numbers:\n  \"+15550100\": {flow: a}\n---\nflow: a\nstart: bye\nnodes:\n  bye: {hangup: {cause: USER_BUSY}}\n"

func newConfiguration(t *testing.T) (c *configuration, loaded chan time.Time, log *bytes.Buffer) {
	t.Helper()
	loaded, log = make(chan time.Time, 10), new(bytes.Buffer)
	c = &configuration{dir: t.TempDir(), versions: &flowengine.Versions{Dir: t.TempDir(), Kinds: nodes.Kinds},
		log: zerolog.New(log), loaded: func(at time.Time) { loaded <- at }}
	write(t, c.dir, smallFlow)
	return c, loaded, log
}

func write(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestReloadKeepsWhatIsValid(t *testing.T) {
	c, _, log := newConfiguration(t)
	if err := c.ready(); err == nil {
		t.Error("ready without a configuration")
	}
	if err := c.load(); err != nil {
		t.Fatal(err)
	}
	before, _ := c.current().Lookup("+15550100")
	write(t, c.dir, strings.Replace(smallFlow, "start: bye", "start: by", 1))
	c.reload()
	if now, ok := c.current().Lookup("+15550100"); !ok || now != before {
		t.Error("an invalid folder took the place of a valid one")
	}
	if said := log.String(); !strings.Contains(said, "a.yaml:5:") || !strings.Contains(said, "stays in force") {
		t.Errorf("said %s", said)
	}
	write(t, c.dir, strings.Replace(smallFlow, "USER_BUSY", "CALL_REJECTED", 1))
	c.reload()
	after, _ := c.current().Lookup("+15550100")
	if after.Flow.Version == before.Flow.Version {
		t.Error("the changed flow is not in force")
	}
	if _, ok := c.current().Version("a", before.Flow.Version); !ok {
		t.Error("calls of the version before cannot go on")
	}
}

// Documents hold keys of other systems, and what secret digits are compared with. A
// server tells of mistakes beside them, in its log and as it fails to start, without them.
func TestLogHoldsNoKeysOfTheFlows(t *testing.T) {
	c, _, log := newConfiguration(t)
	for _, request := range []string{
		`{url: "https://crm.example/", headers: {Authorization: "Bearer KEY"}, tries: 2}`,
		`{url: "https://crm.example/", headers: "Authorization: Bearer KEY"}`,
		`{url: "crm.example/?key=KEY"}`,
		`{url: "https://crm.example/", headers: {X-Right: '{{ secrets.pin == "KEY" ? 1 }}'}}`,
		`{url: "https://crm.example/", headers: {X-Right: '{{ secrets.pin "KEY" }}'}}`,
		`{url: "https://crm.example/", headers: {X-Right: '{{ secrets.pin 8642 }}'}}`,
		`{url: "https://crm.example/", headers: {X-Right: '{{ secrets.pin == 8642KEY }}'}}`,
		`{url: "https://crm.example/", headers: {X-Right: '{{ secrets.pin matches "KEY(" }}'}}`,
	} {
		log.Reset()
		write(t, c.dir, smallFlow+"  a: {gather: {prompt: \"say:PIN.\", secret: true, var: pin}, exits: {else: bye}}\n  r: {request: "+request+", exits: {else: bye}}\n")
		c.reload()
		err := c.start(t.Context())
		if said := log.String() + err.Error(); !strings.Contains(said, "a.yaml:") || strings.Contains(said, "KEY") || strings.Contains(said, "8642") {
			t.Errorf("%s: said %s", request, said)
		}
	}
}

func TestStartOnTheLastValidState(t *testing.T) {
	c, _, _ := newConfiguration(t)
	c.kept = lastGood(filepath.Join(t.TempDir(), "conf"))
	if err := c.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(t, c.dir, "numbers: nonsense\n")
	after, _, log := newConfiguration(t)
	after.dir, after.kept = c.dir, c.kept
	if err := after.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok := after.current().Lookup("+15550100"); !ok || after.valid.Load() {
		t.Errorf("in force: %v, valid %v", ok, after.valid.Load())
	}
	if !strings.Contains(log.String(), "a.yaml:1:") {
		t.Errorf("said %s", log)
	}
	after.kept = lastGood(filepath.Join(t.TempDir(), "none"))
	if err := after.start(t.Context()); err == nil {
		t.Error("started on nothing")
	}
}

// watching is a configuration in force whose folder is watched until the test
// ends.
func watching(t *testing.T) (c *configuration, loaded chan time.Time) {
	t.Helper()
	c, loaded, _ = newConfiguration(t)
	if err := c.load(); err != nil {
		t.Fatal(err)
	}
	<-loaded
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	c.watched = make(chan struct{})
	go func() { done <- c.follow(ctx, true) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	<-c.watched
	return c, loaded
}

func TestWatchAppliesChanges(t *testing.T) {
	c, loaded := watching(t)
	write(t, c.dir, strings.Replace(smallFlow, "+15550100", "+15550199", 1))
	<-loaded
	if _, ok := c.current().Lookup("+15550199"); !ok {
		t.Error("the change is not in force")
	}
}

func TestFolderBehindALink(t *testing.T) {
	c, _, _ := newConfiguration(t)
	c.kept = lastGood(filepath.Join(t.TempDir(), "conf"))
	link := filepath.Join(t.TempDir(), "current")
	if err := os.Symlink(c.dir, link); err != nil {
		t.Fatal(err)
	}
	c.dir = link
	if err := c.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if dir, err := c.kept.find(); err != nil {
		t.Errorf("no copy was kept: %v", err)
	} else if _, err := os.Stat(filepath.Join(dir, "a.yaml")); err != nil {
		t.Error(err)
	}
}

func TestStartWithoutRoomForTheCopy(t *testing.T) {
	c, _, log := newConfiguration(t)
	c.kept = lastGood(filepath.Join(c.dir, "a.yaml", "impossible"))
	if err := c.start(t.Context()); err != nil || c.current() == nil {
		t.Errorf("did not start: %v", err)
	}
	if !strings.Contains(log.String(), "would not outlive a restart") {
		t.Errorf("said %s", log)
	}
}

func TestWatchFindsTheFolderAgain(t *testing.T) {
	c, loaded := watching(t)
	aside := c.dir + "-aside"
	if err := os.Rename(c.dir, aside); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(c.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, c.dir, strings.Replace(smallFlow, "+15550100", "+15550177", 1))
	for found := false; !found; _, found = c.current().Lookup("+15550177") {
		<-loaded
	}
}
