package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/hookswitch/hookswitch/seal"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/journal"
	"github.com/hookswitch/hookswitch/webhooks/credentials"
)

func newServe() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Runs the server",
		Long: "Runs the server until SIGTERM or an interrupt; live calls then go on for the time --drain.\n\n" +
			"Every setting can be given as a flag, in the environment (log.level is HOOKSWITCH_LOG_LEVEL) or in the\n" +
			"file --config, where it has its name with _ for -; the first of these counts. The password of an event\n" +
			"socket has no flag.",
		Args: takes(0, 0, "no arguments"),
	}
	addSettingFlags(cmd.Flags())
	show := cmd.Flags().Bool("print-config", false, "print the settings in force, without passwords, and stop")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := loadSettings(cmd)
		if err != nil {
			return err
		}
		if err := s.complete(); err != nil {
			return err
		}
		if *show {
			return s.print(cmd.OutOrStdout())
		}
		return run(cmd.Context(), s, cmd.ErrOrStderr())
	}
	return cmd
}

// run is the server: it returns when ctx has ended and everything is on the
// disk, or when a part of it fails.
func run(ctx context.Context, s *settings, logTo io.Writer) error {
	srv, err := newServer(ctx, s, logTo)
	if err != nil {
		return err
	}
	return srv.run(ctx)
}

// server is all that takes calls and keeps what they tell.
type server struct {
	*controller
	settings    *settings
	db          store.Store
	credentials *credentials.Keeper
	courier     *courier
	inbox       *inbox
}

// newServer returns a server with its journal and database open and its configuration in
// force, which run has to follow.
func newServer(ctx context.Context, s *settings, logTo io.Writer) (_ *server, err error) {
	log, err := newLog(logTo, s.Log, s.Node)
	if err != nil {
		return nil, err
	}
	manager, err := newSystemd(log)
	if err != nil {
		return nil, err
	}
	ring, err := seal.OpenFile(s.secretKeyFile())
	if err != nil {
		return nil, err
	}
	j, err := openJournal(s, log)
	if err != nil {
		return nil, err
	}
	m := newMetrics(readBuildInfo())
	c := newController(s, log, j, m)
	c.systemd, c.config.systemd = manager, manager
	j.OnFull(c.full)
	m.watch(gauges{callsActive: c.server.Live, journal: j.Stats, configValid: c.config.valid.Load})
	kept, err := openStore(ctx, s)
	if err != nil {
		return nil, errors.Join(err, j.Close())
	}
	db := &herald{Store: kept}
	if err := later(ctx, db); err != nil {
		return nil, errors.Join(err, j.Close(), db.Close())
	}
	if s.ConfigDir == "" {
		c.config.from(db)
	}
	c.share(newCapacity(s.Node, log, m, db))
	keeper, publisher := credentials.New(db, ring), newPublisher(c.config, m, log)
	courier := newCourier(s, log, m, db, keeper)
	courier.Announce = publisher.Disabled
	c.config.enforced = append(c.config.enforced, courier.use)
	db.wake = courier.Wake
	db.Publish(publisher)
	if err := c.config.start(ctx); err != nil {
		return nil, errors.Join(err, j.Close(), db.Close())
	}
	return &server{c, s, db, keeper, courier, newInbox(c, db)}, nil
}

// later refuses a database whose tables a later version has made: they stay what they
// are. One that does not answer may do so later.
func later(ctx context.Context, db store.Store) error {
	ctx, cancel := context.WithTimeout(ctx, meetLimit)
	defer cancel()
	if err := db.Ping(ctx); errors.Is(err, store.ErrNewer) {
		return fmt.Errorf("database: %w", err)
	}
	return nil
}

// run serves until ctx ends, and closes what newServer has opened.
func (srv *server) run(ctx context.Context) (err error) {
	c, s, log := srv.controller, srv.settings, srv.log
	defer func() { err = errors.Join(err, srv.db.Close()) }()
	defer c.journal.Close() // where it does not come to serve; nothing was written then
	ready := new(readiness)
	ready.check("journal", c.journal.Ready)
	ready.check("configuration", c.config.ready)
	ready.check("calls", c.ready)
	l, err := net.Listen("tcp", s.HTTP)
	if err != nil {
		return fmt.Errorf("setting http: %w", err)
	}
	api, err := listenAPI(s)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	log.Info().Str("http", l.Addr().String()).Str("version", version).Msg("server started")
	defer func() { log.Info().Err(err).Msg("server stopped") }()

	// These go on until the last call is off our hands. One that fails does not
	// end calls: it is said aloud, and readiness says it.
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var parts errgroup.Group
	part := func(name string, run func(context.Context) error) {
		parts.Go(func() error {
			err := run(background)
			if err != nil {
				ready.check(name, func() error { return err })
				log.Error().Err(err).Str("part", name).Msg("a part of the server failed, calls go on")
			}
			return err
		})
	}
	part("http", func(ctx context.Context) error { return serveHTTP(ctx, l, newMux(ready, c.metrics.handler())) })
	if api != nil {
		part("api", func(ctx context.Context) error { return srv.serveAPI(ctx, api) })
	}
	part("inbox", func(ctx context.Context) error { srv.inbox.run(ctx); return nil })
	part("watch", func(ctx context.Context) error { return c.config.follow(ctx, s.Watch) })
	d := newDrain(s.Node, log, c.journal, c.metrics, srv.db)
	part("drain", func(ctx context.Context) error { d.Run(ctx); return nil })
	part("deliveries", func(ctx context.Context) error { srv.courier.run(ctx); return nil })
	u := &upkeep{log: log, db: srv.db, keepCalls: s.KeepCalls, keepWebhooks: s.KeepWebhooks, namesakes: newNamesakes(s.Node, log, c.journal, srv.db)}
	part("upkeep", func(ctx context.Context) error { u.run(ctx); return nil })
	reconciler := newReconciler(c, s)
	part("reconciliation", func(ctx context.Context) error { reconciler.run(ctx); return nil })
	part("capacity", func(ctx context.Context) error { c.capacity.Run(ctx); return nil })
	part("slots", func(ctx context.Context) error { reconciler.sweep(ctx, srv.db); return nil })
	part("service manager", func(ctx context.Context) error {
		c.systemd.attend(ctx, c.works, func() string { return fmt.Sprintf("%d calls%s", c.server.Live(), ready.faults()) })
		return nil
	})
	meeting, cancel := context.WithTimeout(ctx, meetLimit)
	c.capacity.Met(meeting)
	cancel()
	err = c.serve(ctx, s.Drain)
	stop()
	// The journal is closed after the last part that writes to it, and drained after that.
	err = errors.Join(err, parts.Wait(), c.journal.Close())
	d.Finish(context.WithoutCancel(ctx))
	return err
}

// openJournal opens the journal and tells what was found in it.
func openJournal(s *settings, log zerolog.Logger) (*journal.Journal, error) {
	j, err := journal.Open(s.journalDir(), journal.Options{Node: s.Node, Drain: true, Max: int64(s.JournalMax), Alarm: func(err error) {
		if err != nil {
			log.Error().Err(err).Msg("journal cannot be kept as it should")
		} else {
			log.Info().Msg("journal is kept again")
		}
	}})
	if err != nil {
		return nil, err
	}
	r := j.Report()
	line := log.Info()
	if r.Cut != nil || r.Damaged > 0 {
		line = log.Warn()
	}
	if r.Cut != nil {
		line = line.Stringer("cut", r.Cut)
	}
	if r.Damaged > 0 {
		line = line.Int("damaged", r.Damaged).AnErr("first", r.Damage[0])
	}
	line.Str("dir", s.journalDir()).Int("segments", r.Segments).Int("events", r.Events).Int("open_calls", len(j.Open())).Msg("journal opened")
	return j, nil
}
