package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/rs/zerolog"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
)

// configuration is what is in force of numbers, targets and flows: the last state of
// them that was valid. They are in a folder, or in the store.
type configuration struct {
	dir      string
	store    *stored  // nil: they are in dir
	kept     lastGood // "" for none
	versions *flowengine.Versions
	log      zerolog.Logger
	loaded   func(time.Time)
	enforced []func(*flowengine.Snapshot) // told of each that comes into force
	systemd  *systemd                     // told of reloads; nil: none
	watched  chan struct{}                // closed once changes are watched for; may be nil

	snapshot atomic.Pointer[flowengine.Snapshot]
	valid    atomic.Bool // the folder as it is now is in force
}

// invalidConfig is a folder that cannot be applied.
type invalidConfig struct {
	dir      string
	problems []flowengine.Problem
	logged   bool // by a server: without the lines of the documents, which may hold keys
}

func (e *invalidConfig) Error() string {
	lines := make([]string, len(e.problems))
	for i, p := range e.problems {
		if lines[i] = p.Shown(); e.logged {
			lines[i] = p.String()
		}
	}
	return fmt.Sprintf("%s is not valid:\n%s", e.dir, strings.Join(lines, "\n"))
}

func (c *configuration) current() *flowengine.Snapshot { return c.snapshot.Load() }

// start puts the folder in force, or, where it is not valid, the copy of its
// last valid state. What is wrong is said aloud then.
func (c *configuration) start(ctx context.Context) error {
	if c.store != nil {
		return c.startStored(ctx)
	}
	err := c.load()
	var invalid *invalidConfig
	switch bad := errors.As(err, &invalid); {
	case !bad && c.current() != nil: // in force; at most the copy of it failed
		if err != nil {
			c.log.Error().Err(err).Msg("configuration")
		}
		return nil
	case !bad || c.kept == "":
		return err
	}
	dir, missing := c.kept.find()
	if missing != nil {
		return err
	}
	if err := c.apply(dir); err != nil {
		return errors.Join(invalid, err)
	}
	c.complain(invalid)
	return nil
}

// load puts the folder in force if it is valid, and keeps a copy of it.
func (c *configuration) load() error {
	if err := c.apply(c.dir); err != nil {
		c.valid.Store(false)
		return err
	}
	c.valid.Store(true)
	if c.kept == "" {
		return nil
	}
	if err := c.kept.keep(c.dir); err != nil {
		return fmt.Errorf("the configuration is in force, but would not outlive a restart: %w", err)
	}
	return nil
}

// apply puts a folder in force if it is valid. Versions of flows that calls
// began with stay available.
func (c *configuration) apply(dir string) error {
	s, problems := flowengine.LoadDir(dir, nodes.Kinds)
	if len(problems) > 0 {
		return &invalidConfig{dir, problems, true}
	}
	if err := c.versions.Keep(s); err != nil {
		return err
	}
	c.enforce(s, dir)
	return nil
}

// enforce puts a snapshot in force.
func (c *configuration) enforce(s *flowengine.Snapshot, from string) {
	for _, w := range s.Warnings() {
		c.log.Warn().Str("problem", w.String()).Msg("configuration")
	}
	if before := c.current(); before != nil {
		s = s.With(before)
	}
	c.snapshot.Store(s)
	c.loaded(time.Now())
	for _, tell := range c.enforced {
		tell(s)
	}
	c.log.Info().Str("from", from).Int("organizations", len(s.Organizations())).Int("numbers", len(s.Numbers())).Int("flows", writtenFlows(s)).Int("targets", len(s.Targets())).Msg("configuration in force")
}

// reload is load for a server that runs: what is wrong is said aloud, and what
// was in force stays.
func (c *configuration) reload() {
	if err := c.load(); err != nil {
		c.say(err)
	}
}

func (c *configuration) complain(invalid *invalidConfig) {
	for _, p := range invalid.problems {
		c.log.Error().Str("problem", p.String()).Msg("configuration not applied, the last valid one stays in force")
	}
}

// settle is how long the folder must be quiet before it is read: an editor or a
// checkout writes more than once.
const settle = 200 * time.Millisecond

// follow reloads on SIGHUP, and with watch whenever the folder changes, until
// ctx ends.
func (c *configuration) follow(ctx context.Context, watch bool) error {
	if c.store != nil {
		return c.followStore(ctx)
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	var events <-chan fsnotify.Event
	var failures <-chan error
	var watcher *fsnotify.Watcher
	if watch {
		var err error
		if watcher, err = fsnotify.NewWatcher(); err != nil {
			return fmt.Errorf("watching %s: %w", c.dir, err)
		}
		defer watcher.Close()
		if err := c.watchFolders(watcher); err != nil {
			return err
		}
		events, failures = watcher.Events, watcher.Errors
	}
	if c.watched != nil {
		close(c.watched)
	}
	lost := false
	quiet := time.NewTimer(time.Hour)
	quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
			c.systemd.reloading(c.reload)
		case <-events:
			quiet.Reset(settle)
		case err := <-failures:
			c.log.Error().Err(err).Msg("watching the configuration; it is read again to be sure")
			quiet.Reset(settle)
		case <-quiet.C:
			if err := c.watchFolders(watcher); err != nil { // there may be new ones
				// Nothing will tell when the folder is back.
				if !lost {
					c.log.Error().Err(err).Msg("watching the configuration; it is looked for again every second")
				}
				lost = true
				quiet.Reset(time.Second)
				continue
			}
			lost = false
			c.reload()
		}
	}
}

// watchFolders watches the folder and all below it. Where it is a link, its
// place is watched as well: the link may be set anew.
func (c *configuration) watchFolders(w *fsnotify.Watcher) error {
	dir, err := filepath.EvalSymlinks(c.dir)
	if err != nil {
		return fmt.Errorf("watching %s: %w", c.dir, err)
	}
	if dir != filepath.Clean(c.dir) {
		if err := w.Add(filepath.Dir(c.dir)); err != nil {
			return fmt.Errorf("watching %s: %w", filepath.Dir(c.dir), err)
		}
	}
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if err := w.Add(path); err != nil {
			return fmt.Errorf("watching %s: %w", path, err)
		}
		return nil
	})
}

// ready says why no call can be run by this configuration.
func (c *configuration) ready() error {
	switch s := c.current(); {
	case s == nil:
		return errors.New("no valid configuration")
	case c.store != nil && len(s.Numbers()) == 0 && len(s.Flows()) == 0:
		return errors.New("there is no configuration in the database")
	}
	return nil
}
