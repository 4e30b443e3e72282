package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hookswitch/hookswitch/confdir"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
	"github.com/hookswitch/hookswitch/store"
)

const (
	// pollEvery is how often the store is asked what is in force.
	pollEvery = 250 * time.Millisecond
	// currentLimit bounds how long it may take to answer that. A connection that hangs is given
	// up so soon, and the next poll has another.
	currentLimit = 2 * time.Second
	// pollLimit bounds how long it may take with the files.
	pollLimit = 30 * time.Second
	// startLimit bounds it at the start of a server, which has a copy to go on with.
	startLimit = 5 * time.Second
)

// revisions is what a server needs of the store to follow the configuration in it.
type revisions interface {
	Current(ctx context.Context) (map[string]int, error)
	Revision(ctx context.Context, org string, number int) (*store.Revision, error)
	FlowBundle(ctx context.Context, flow, version string) (string, error)
}

// stored is the configuration in the store, as far as it has been read.
type stored struct {
	revisions
	current map[string]int // that were read last, valid or not; nil: none
	read    map[string]*store.Revision
	failing error // why it could not be read the last time; nil: it could
}

// from lets the configuration come from a store.
func (c *configuration) from(r revisions) {
	c.store = &stored{revisions: r}
	c.versions.Fetch = r.FlowBundle
}

// unreadError says that the store did not tell what is in force.
type unreadError struct{ error }

func (e *unreadError) Unwrap() error { return e.error }

// errNothingStored says that the store has no organization, though there was one.
var errNothingStored = &unreadError{errors.New("there is no organization in the database; the one that was in force stays")}

// poll puts in force what the store has, if that is new and valid, and keeps a copy of it.
func (c *configuration) poll(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	asking, answered := context.WithTimeout(ctx, currentLimit)
	current, err := c.store.Current(asking)
	answered()
	if err != nil {
		return &unreadError{err}
	}
	if c.store.current != nil && maps.Equal(current, c.store.current) {
		return nil
	}
	if len(current) == 0 && c.had() {
		return errNothingStored
	}
	orgs, err := c.store.organizations(ctx, current)
	if err != nil {
		return &unreadError{err}
	}
	c.store.current = current // not read again until there is something new
	files := confdir.Join(orgs)
	s, problems := flowengine.LoadFiles(files, nodes.Kinds)
	if len(problems) > 0 {
		c.valid.Store(false)
		return &invalidConfig{"the configuration in the database (" + revisionList(current) + ")", problems, true}
	}
	// A call that begins with it can go on elsewhere: the versions of its flows are in the store.
	c.enforce(s, "the database: "+revisionList(current))
	c.valid.Store(true)
	return c.keepStored(s, files, current)
}

// had says whether there was a configuration, here or before the server was started.
func (c *configuration) had() bool {
	if c.store.current != nil {
		return len(c.store.current) > 0
	}
	_, err := c.kept.find()
	return c.kept != "" && err == nil
}

// organizations reads the files of revisions; those that were read before are not read again.
func (s *stored) organizations(ctx context.Context, current map[string]int) (orgs []confdir.Organization, err error) {
	read := map[string]*store.Revision{}
	for _, org := range slices.Sorted(maps.Keys(current)) {
		r := s.read[org]
		if r == nil || r.Number != current[org] {
			if r, err = s.Revision(ctx, org, current[org]); err != nil {
				return nil, unknownRevision(err)
			}
		}
		read[org] = r
		orgs = append(orgs, confdir.Organization{Name: org, Folder: r.Folder, Files: r.Files})
	}
	s.read = read
	return orgs, nil
}

// unknownRevision says where revisions are listed, if err is that there is none.
func unknownRevision(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w; hookswitch revisions lists them", err)
	}
	return err
}

func revisionList(current map[string]int) string {
	var list []string
	for _, org := range slices.Sorted(maps.Keys(current)) {
		list = append(list, fmt.Sprintf("%s revision %d", org, current[org]))
	}
	if len(list) == 0 {
		return "no organization"
	}
	return strings.Join(list, ", ")
}

// keepStored keeps what is in force on the disk.
func (c *configuration) keepStored(s *flowengine.Snapshot, files store.Files, current map[string]int) error {
	err := c.versions.Keep(s)
	if c.kept != "" && len(current) > 0 {
		err = errors.Join(err, c.kept.keepFiles(files, origin{time.Now().UTC(), current}))
	}
	if err != nil {
		return fmt.Errorf("the configuration is in force, but would not outlive a restart without the database: %w", err)
	}
	return nil
}

// startStored puts in force what the store has, or, where it does not answer or what it has
// is not valid, the copy of what was in force last.
func (c *configuration) startStored(ctx context.Context) error {
	err := c.poll(ctx, startLimit)
	if c.current() != nil {
		c.polled(err)
		if len(c.store.current) == 0 {
			c.log.Warn().Msg("there is no configuration in the database yet: hookswitch apply FOLDER puts one there")
		}
		return nil
	}
	if c.kept == "" {
		return err
	}
	dir, missing := c.kept.find()
	if missing != nil {
		return fmt.Errorf("%w; this server has no copy of an earlier one to start with", err)
	}
	if failed := c.apply(dir); failed != nil {
		return errors.Join(err, failed)
	}
	c.polled(err)
	from := c.kept.origin(dir)
	c.log.Warn().Str("revisions", revisionList(from.Revisions)).Time("since", from.Time).Str("age", time.Since(from.Time).Round(time.Second).String()).
		Msg("the copy of the configuration on this disk is in force")
	return nil
}

// followStore polls the store, and on SIGHUP reads it anew, until ctx ends.
func (c *configuration) followStore(ctx context.Context) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
			c.store.current = nil
			c.systemd.reloading(func() { c.polled(c.poll(ctx, pollLimit)) })
			continue
		case <-tick.C:
		}
		if err := c.poll(ctx, pollLimit); ctx.Err() == nil {
			c.polled(err)
		}
	}
}

// polled tells what came of a poll. A store that cannot be read is told of once, and once
// when it can be again.
func (c *configuration) polled(err error) {
	var unread *unreadError
	switch before := c.store.failing; {
	case errors.As(err, &unread):
		// A database that is away says so in words that change with each connection.
		c.store.failing = err
		if before == nil || (before == errNothingStored) != (err == errNothingStored) {
			c.say(err)
		}
		return
	case before != nil:
		c.store.failing = nil
		c.log.Info().Msg("the configuration is read from the database again")
	}
	if err != nil {
		c.say(err)
	}
}

// say tells what is wrong with the configuration.
func (c *configuration) say(err error) {
	var invalid *invalidConfig
	var unread *unreadError
	switch {
	case errors.As(err, &invalid):
		c.complain(invalid)
	case errors.As(err, &unread):
		c.log.Error().Err(err).Msg("the configuration cannot be read from the database, the last one stays in force")
	default:
		c.log.Error().Err(err).Msg("configuration")
	}
}
