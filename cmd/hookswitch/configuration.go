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

// configuration is the folder of numbers, targets and flows as it is in force:
// the last state of it that was valid.
type configuration struct {
	dir      string
	versions *flowengine.Versions
	log      zerolog.Logger
	loaded   func(time.Time)
	watched  chan struct{} // closed once changes are watched for; may be nil

	snapshot atomic.Pointer[flowengine.Snapshot]
	wrong    atomic.Pointer[invalidConfig] // why the folder as it is now is not in force
}

// invalidConfig is a folder that cannot be applied.
type invalidConfig struct {
	dir      string
	problems []flowengine.Problem
}

func (e *invalidConfig) Error() string {
	lines := make([]string, len(e.problems))
	for i, p := range e.problems {
		lines[i] = p.String()
	}
	return fmt.Sprintf("%s is not valid:\n%s", e.dir, strings.Join(lines, "\n"))
}

func (c *configuration) current() *flowengine.Snapshot { return c.snapshot.Load() }

// load puts the folder in force if it is valid. Versions of flows that calls
// began with stay available.
func (c *configuration) load() error {
	s, problems := flowengine.LoadDir(c.dir, nodes.Kinds)
	if len(problems) > 0 {
		err := &invalidConfig{c.dir, problems}
		c.wrong.Store(err)
		return err
	}
	if err := c.versions.Keep(s); err != nil {
		return err
	}
	if before := c.current(); before != nil {
		s = s.With(before)
	}
	c.snapshot.Store(s)
	c.wrong.Store(nil)
	c.loaded(time.Now())
	c.log.Info().Str("dir", c.dir).Int("numbers", len(s.Numbers())).Int("flows", len(s.Flows())).Int("targets", len(s.Targets())).Msg("configuration in force")
	return nil
}

// reload is load for a server that runs: what is wrong is said aloud, and what
// was in force stays.
func (c *configuration) reload() {
	err := c.load()
	var invalid *invalidConfig
	switch {
	case errors.As(err, &invalid):
		for _, p := range invalid.problems {
			c.log.Error().Str("problem", p.String()).Msg("configuration not applied, the last valid one stays in force")
		}
	case err != nil:
		c.log.Error().Err(err).Msg("configuration not applied, the last valid one stays in force")
	}
}

// settle is how long the folder must be quiet before it is read: an editor or a
// checkout writes more than once.
const settle = 200 * time.Millisecond

// follow reloads on SIGHUP, and with watch whenever the folder changes, until
// ctx ends.
func (c *configuration) follow(ctx context.Context, watch bool) error {
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
	quiet := time.NewTimer(time.Hour)
	quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
			c.reload()
		case <-events:
			quiet.Reset(settle)
		case err := <-failures:
			c.log.Error().Err(err).Msg("watching the configuration; it is read again to be sure")
			quiet.Reset(settle)
		case <-quiet.C:
			if err := c.watchFolders(watcher); err != nil { // there may be new ones
				c.log.Error().Err(err).Msg("watching the configuration")
			}
			c.reload()
		}
	}
}

func (c *configuration) watchFolders(w *fsnotify.Watcher) error {
	return filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
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
	if c.current() == nil {
		return errors.New("no valid configuration")
	}
	return nil
}
