package main

import (
	"context"
	"fmt"
	"io"
	"iter"

	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store/journal"
)

// journals returns the folders to follow.
func journals(cmd *cobra.Command) ([]string, error) {
	dirs, err := cmd.Flags().GetStringArray("journal")
	if err != nil || len(dirs) > 0 {
		return dirs, err
	}
	s, err := loadSettings(cmd)
	if err != nil {
		return nil, err
	}
	return []string{s.journalDir()}, nil
}

func newCallsTail() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Prints the events of all calls as they happen, from the journal",
		Args:  takes(0, 0, "no arguments"),
	}
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		dirs, err := journals(cmd)
		if err != nil {
			return err
		}
		w := cmd.OutOrStdout()
		var failed error
		t := newTimeline(w, painterFor(w), true)
		follow, err := followAll(cmd.Context(), dirs)
		if err != nil {
			return err
		}
		for e := range reading(follow, cmd.ErrOrStderr(), &failed) {
			if *format == outputJSON {
				err = writeEvents(w, e)
			} else {
				err = t.event(e)
			}
			if err != nil {
				return err
			}
		}
		return failed
	}
	return cmd
}

// followAll follows several journals at once, from the moment it returns.
func followAll(ctx context.Context, dirs []string) (iter.Seq2[call.Event, error], error) {
	ctx, cancel := context.WithCancel(ctx)
	type item struct {
		event call.Event
		err   error
	}
	items := make(chan item)
	var follow []iter.Seq2[call.Event, error]
	for _, dir := range dirs {
		f, err := journal.Follow(ctx, dir)
		if err != nil {
			cancel()
			return nil, fmt.Errorf("%w; --journal names the folder", err)
		}
		follow = append(follow, f)
	}
	return func(yield func(call.Event, error) bool) {
		defer cancel()
		for _, f := range follow {
			go func() {
				for e, err := range f {
					select {
					case items <- item{e, err}:
					case <-ctx.Done():
						return
					}
				}
			}()
		}
		for {
			select {
			case i := <-items:
				if !yield(i.event, i.err) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}, nil
}

// writeEvents writes events as the journal does.
func writeEvents(w io.Writer, events ...call.Event) error {
	var b []byte
	for _, e := range events {
		b = journal.AppendEvent(b, e)
	}
	_, err := w.Write(b)
	return err
}
