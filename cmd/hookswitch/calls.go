package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store/journal"
)

func newCalls() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "calls",
		Short: "Shows what happened to calls, from the journal",
		Long: "Shows what happened to calls, from the journal: also while the server runs, also when it does not.\n" +
			"The journals of several nodes, each given by --journal, are read as one.",
		Args: subcommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringArray("journal", nil, "folder of a journal; repeatable (default: journal in the server's data folder)")
	cmd.AddCommand(newCallsList(), newCallsShow(), newCallsTail())
	return cmd
}

// journals returns the folders to read.
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

// reading yields the good events and tells of the damaged lines on the side.
func reading(events iter.Seq2[call.Event, error], warn io.Writer, failed *error) iter.Seq[call.Event] {
	return func(yield func(call.Event) bool) {
		for e, err := range events {
			var damage *journal.Damage
			switch {
			case errors.As(err, &damage):
				fmt.Fprintf(warn, "hookswitch: damaged line passed over: %v\n", damage)
			case errors.Is(err, fs.ErrNotExist):
				*failed = fmt.Errorf("%w; --journal names the folder", err)
				return
			case err != nil:
				*failed = err
				return
			case !yield(e):
				return
			}
		}
	}
}

// summary is a line of calls list.
type summary struct {
	ID       string     `json:"call"`
	Started  time.Time  `json:"started"`
	Ended    *time.Time `json:"ended,omitempty"`
	From     string     `json:"from,omitempty"`
	To       string     `json:"to,omitempty"`
	Flow     string     `json:"flow,omitempty"`
	State    string     `json:"state"` // open, ended, or taken by a node whose journal was not read
	Cause    call.Cause `json:"cause,omitempty"`
	Duration float64    `json:"duration"` // seconds, until now for an open call
	Step     string     `json:"step,omitempty"`

	lastStep, end, last order
	lastType            call.Type
}

// order is where an event stands within its call.
type order struct{ epoch, seq int }

func (o order) after(p order) bool {
	return o.epoch > p.epoch || o.epoch == p.epoch && o.seq >= p.seq
}

// summarize makes one summary of each call, newest first.
func summarize(events iter.Seq[call.Event], now time.Time) []*summary {
	byID := make(map[string]*summary)
	for e := range events {
		s := byID[e.Call]
		if s == nil {
			s = &summary{ID: e.Call, Started: e.Time, State: "open", end: order{-1, 0}, lastStep: order{-1, 0}, last: order{-1, 0}}
			byID[e.Call] = s
		}
		s.add(e)
	}
	list := make([]*summary, 0, len(byID))
	for _, s := range byID {
		end := now
		if s.Ended != nil {
			end = *s.Ended
		}
		if s.State == "open" && s.lastType == call.Taken {
			s.State = "taken" // its end is in the journal of another node
		}
		s.Duration = max(0, end.Sub(s.Started).Seconds())
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *summary) int {
		return cmp.Or(b.Started.Compare(a.Started), strings.Compare(a.ID, b.ID))
	})
	return list
}

// add takes e into the summary. The events of several nodes come in no order.
func (s *summary) add(e call.Event) {
	if e.Time.Before(s.Started) {
		s.Started = e.Time
	}
	at := order{e.Epoch, e.Seq}
	switch e.Type {
	case call.Started, call.Resumed:
		s.From = cmp.Or(e.Attrs["from"], s.From)
		s.To = cmp.Or(e.Attrs["to"], s.To)
		s.Flow = cmp.Or(e.Attrs["flow"], s.Flow)
	case call.Ended:
		if at.after(s.end) {
			s.end, s.State, s.Cause, s.Ended = at, "ended", e.Cause, &e.Time
		}
	}
	if at.after(s.last) {
		s.last, s.lastType = at, e.Type
	}
	if e.Step != "" && at.after(s.lastStep) {
		s.Step, s.lastStep = e.Step, at
	}
}

// filter is what calls list shows.
type filter struct {
	since  time.Time
	number string
	caller string
	state  string
	limit  int
}

func (f filter) holds(s *summary) bool {
	return !s.Started.Before(f.since) &&
		(f.number == "" || call.PlainNumber(f.number) == call.PlainNumber(s.To)) &&
		(f.caller == "" || call.PlainNumber(f.caller) == call.PlainNumber(s.From)) &&
		(f.state == "" || f.state == s.State)
}

func newCallsList() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "Lists calls, newest first",
		Example: "  hookswitch calls list --since 2h --state open\n  hookswitch calls list --caller +15551234567 -o json",
		Args:    takes(0, 0, "no arguments"),
	}
	var (
		f      filter
		since  string
		format = outputFlag(cmd)
	)
	cmd.Flags().StringVar(&since, "since", "", "calls that began within this time (2h), or since then (2026-10-03, 2026-10-03T12:00:00Z)")
	cmd.Flags().StringVar(&f.number, "number", "", "calls to this number")
	cmd.Flags().StringVar(&f.caller, "caller", "", "calls from this number")
	cmd.Flags().StringVar(&f.state, "state", "", "open, ended, or taken: by a node whose journal is not among those that are read")
	cmd.Flags().IntVar(&f.limit, "limit", 50, "at most so many; 0: all")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		now := time.Now()
		if f.state != "" && !slices.Contains([]string{"open", "ended", "taken"}, f.state) {
			return &usageError{fmt.Errorf("--state %q is neither open, ended nor taken", f.state)}
		}
		var err error
		if f.since, err = parseSince(since, now); err != nil {
			return &usageError{err}
		}
		dirs, err := journals(cmd)
		if err != nil {
			return err
		}
		var failed error
		list := summarize(reading(journal.Read(dirs...), cmd.ErrOrStderr(), &failed), now)
		if failed != nil {
			return failed
		}
		list = slices.DeleteFunc(list, func(s *summary) bool { return !f.holds(s) })
		if f.limit > 0 && len(list) > f.limit {
			list = list[:f.limit]
		}
		return printList(cmd.OutOrStdout(), list, *format)
	}
	return cmd
}

// parseSince reads a time or how long ago it was. Times without a zone are local.
func parseSince(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("--since %q is neither a duration (2h, 30m) nor a time (2026-10-03, 2026-10-03T12:00:00Z)", s)
}

func printList(w io.Writer, list []*summary, format output) error {
	if format == outputJSON {
		enc := json.NewEncoder(w)
		for _, s := range list {
			if err := enc.Encode(s); err != nil {
				return err
			}
		}
		return nil
	}
	rows := [][]string{{"STARTED", "CALL", "FROM", "TO", "FLOW", "STATE", "DURATION", "LAST NODE"}}
	for _, s := range list {
		rows = append(rows, []string{s.Started.Local().Format("2006-01-02 15:04:05"), plain(s.ID), dash(s.From), dash(s.To),
			dash(s.Flow), dash(string(cmp.Or(s.Cause, call.Cause(s.State)))), duration(time.Duration(s.Duration * float64(time.Second))), dash(s.Step)})
	}
	p := painterFor(w)
	return printTable(w, rows, func(row, column int, text string) string {
		switch {
		case row == 0:
			return p.paint(bold, text)
		case column == 5 && list[row-1].State == "open":
			return p.paint(cyan, text)
		case column == 5:
			return p.paint(causeStyle(list[row-1].Cause), text)
		}
		return text
	})
}

// printTable aligns the columns; paint colours a cell after it was filled up.
func printTable(w io.Writer, rows [][]string, paint func(row, column int, text string) string) error {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], len([]rune(cell)))
		}
	}
	for r, row := range rows {
		for i, cell := range row {
			end := "  "
			if i == len(row)-1 {
				width[i], end = 0, "\n"
			}
			if _, err := io.WriteString(w, paint(r, i, pad(cell, width[i]))+end); err != nil {
				return err
			}
		}
	}
	return nil
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return plain(s)
}

func newCallsShow() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Shows the timeline of one call",
		Long:  "Shows the timeline of one call. The id may be cut short as long as only one call begins with it.",
		Args:  takes(1, 1, "the id of a call"),
	}
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		dirs, err := journals(cmd)
		if err != nil {
			return err
		}
		var failed error
		events, err := findCall(reading(journal.Read(dirs...), cmd.ErrOrStderr(), &failed), args[0])
		if failed != nil {
			return failed
		}
		if err != nil {
			return err
		}
		if *format == outputJSON {
			return writeEvents(cmd.OutOrStdout(), events...)
		}
		return showCall(cmd.OutOrStdout(), events, time.Now())
	}
	return cmd
}

// findCall returns the events of the one call whose id is, or begins with, id.
func findCall(events iter.Seq[call.Event], id string) ([]call.Event, error) {
	found := make(map[string][]call.Event)
	for e := range events {
		if strings.HasPrefix(e.Call, id) {
			found[e.Call] = append(found[e.Call], e)
		}
	}
	if exact, ok := found[id]; ok {
		return journal.Sort(exact), nil
	}
	var ids []string
	for i := range found {
		ids = append(ids, i)
	}
	slices.Sort(ids)
	switch {
	case len(ids) == 0:
		return nil, fmt.Errorf("no call %q in the journal", id)
	case len(ids) > 10:
		return nil, fmt.Errorf("%d calls begin with %q", len(ids), id)
	case len(ids) > 1:
		return nil, fmt.Errorf("%d calls begin with %q: %s", len(ids), id, strings.Join(ids, ", "))
	}
	return journal.Sort(found[ids[0]]), nil
}

// showCall prints a call with its timeline. Events are in the order of the call.
func showCall(w io.Writer, events []call.Event, now time.Time) error {
	s := summarize(slices.Values(events), now)[0]
	p := painterFor(w)
	state := s.State
	if s.Cause != "" {
		state = string(s.Cause)
	}
	if _, err := fmt.Fprintf(w, "%s  %s → %s  flow %s\n%s  %s after %s\n\n", p.paint(bold, plain(s.ID)), dash(s.From), dash(s.To), dash(s.Flow),
		s.Started.Local().Format("2006-01-02 15:04:05.000 -0700"), plain(state), duration(time.Duration(s.Duration*float64(time.Second)))); err != nil {
		return err
	}
	t := newTimeline(w, p, false)
	t.start = s.Started
	for _, e := range events {
		if err := t.event(e); err != nil {
			return err
		}
	}
	return nil
}

func newCallsTail() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Prints the events of all calls as they happen",
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
