package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/store/journal"
)

func newServe() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Runs the server",
		Long: "Runs the server until SIGTERM or an interrupt; live calls then go on for the time --drain.\n\n" +
			"Every setting can be given as a flag, in the environment (log.level is HOOKSWITCH_LOG_LEVEL) or in the\n" +
			"file --config, where it has its name with _ for -; the first of these counts. The password of an event\n" +
			"socket has no flag.",
		Args: cobra.NoArgs,
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
func run(ctx context.Context, s *settings, logTo io.Writer) (err error) {
	log, err := newLog(logTo, s.Log, s.Node)
	if err != nil {
		return err
	}
	j, err := openJournal(s, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()

	ready := new(readiness)
	ready.check("journal", j.Err)
	m := newMetrics(gauges{callsActive: func() int { return len(j.Open()) }, journal: j.Stats}, readBuildInfo())
	l, err := net.Listen("tcp", s.HTTP)
	if err != nil {
		return fmt.Errorf("setting http: %w", err)
	}
	log.Info().Str("http", l.Addr().String()).Str("version", version).Msg("server started")
	defer func() { log.Info().Err(err).Msg("server stopped") }()

	// The call server starts here: it loads s.ConfigDir, listens on s.Listen and
	// s.ListenTakeover, records to j, reports to m, and adds its checks to ready.
	ready.check("calls", func() error { return errors.New("this program has no call server") })

	return serveHTTP(ctx, l, newMux(ready, m.handler()))
}

// openJournal opens the journal and tells what was found in it.
func openJournal(s *settings, log zerolog.Logger) (*journal.Journal, error) {
	j, err := journal.Open(s.journalDir(), journal.Options{Node: s.Node, Alarm: func(err error) {
		if err != nil {
			log.Error().Err(err).Msg("journal fails, events wait in memory")
		} else {
			log.Info().Msg("journal is written again")
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
