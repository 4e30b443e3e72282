package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/store"
)

func newCalls() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "calls",
		Short: "Shows what happened to calls",
		Long: "Shows what happened to calls: from the store, also while no server runs. With --journal from journals,\n" +
			"also while the server writes; those of several nodes, each given by --journal, are read as one.",
		Args: subcommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	databaseFlags(cmd.PersistentFlags())
	cmd.PersistentFlags().StringArray("journal", nil, "folder of a journal, to be read instead of the store; repeatable")
	cmd.AddCommand(newCallsList(), newCallsShow(), newCallsTail())
	return cmd
}

// orgFlag gives cmd the flag --org. The result is the organization to ask a log for; where
// none is named, unnamed says which.
func orgFlag(cmd *cobra.Command) func(unnamed func() (string, error)) (string, error) {
	org := cmd.Flags().String("org", "", `organization whose calls are wanted, if there are several; "": calls to numbers that nobody has`)
	return func(unnamed func() (string, error)) (string, error) {
		if cmd.Flag("org").Changed {
			return *org, nil
		}
		return unnamed()
	}
}

func newCallsList() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Lists calls, newest first",
		Long: "Lists calls, newest first. -o csv is RFC 4180 with a line of names; cells that a spreadsheet would take for a\n" +
			"formula, phone numbers with + too, have an apostrophe in front. Together with --limit 0 it is an export.",
		Example: "  hookswitch calls list --since 2h --state open\n  hookswitch calls list --caller +15551234567 -o json\n" +
			"  hookswitch calls list --since 2026-10-01 --until 2026-11-01 --limit 0 --legs -o csv",
		Args: takes(0, 0, "no arguments"),
	}
	var (
		q            store.Query
		since, until string
		converted    string
		limit        int
		legs         bool
		format       = outputFlag(cmd, outputCSV)
		org          = orgFlag(cmd)
	)
	addPrivateFlag(cmd)
	flags := cmd.Flags()
	flags.StringVar(&since, "since", "", "calls that began within this time (2h), or since then (2026-10-03, 2026-10-03T12:00:00Z)")
	flags.StringVar(&until, "until", "", "calls that began before this time ago, or before then")
	flags.StringVar(&q.Number, "number", "", "calls to this number")
	flags.StringVar(&q.Caller, "caller", "", "calls from this number")
	flags.StringVar(&q.Campaign, "campaign", "", "calls of this campaign")
	flags.StringVar(&q.Target, "target", "", "calls for which this target was dialled")
	flags.StringVar(&q.Tag, "tag", "", "calls with this tag, as NAME or NAME=VALUE")
	flags.StringVar((*string)(&q.Cause), "cause", "", "calls that ended with this cause, such as USER_BUSY")
	flags.StringVar((*string)(&q.State), "state", "", "open, settling (ended; the journal of an earlier node is still to come), complete, or incomplete (it has not come)")
	flags.StringVar(&converted, "converted", "", "true: conversions; false: calls that are decided to be none")
	flags.IntVar(&limit, "limit", 50, "at most so many; 0: all")
	flags.BoolVar(&legs, "legs", false, "with -o csv a line for each leg, the CDRs; with -o json calls with their legs, tags, why-not and ledger")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		now := time.Now()
		states := []store.State{"", store.Open, store.Settling, store.Complete, store.Incomplete}
		if q.Cause = call.Cause(strings.ToUpper(string(q.Cause))); !slices.Contains(states, q.State) {
			return &usageError{fmt.Errorf("--state %q is neither open, settling, complete nor incomplete", q.State)}
		}
		if q.Cause != "" && !q.Cause.Known() && q.Cause != call.UnknownCause {
			return &usageError{fmt.Errorf("--cause %q is none of FreeSWITCH's; %s", q.Cause, flowengine.Nearest(string(q.Cause), causes()))}
		}
		if converted != "" {
			q.Converted = new(bool)
			if *q.Converted, err = strconv.ParseBool(converted); err != nil {
				return &usageError{fmt.Errorf("--converted %q is neither true nor false", converted)}
			}
		}
		if legs && *format == outputText {
			return &usageError{errors.New("--legs needs -o csv or -o json")}
		}
		if q.From, err = parseTime("since", since, now); err != nil {
			return &usageError{err}
		}
		if q.To, err = parseTime("until", until, now); err != nil {
			return &usageError{err}
		}
		if q.Limit = maxPage; limit > 0 {
			q.Limit = min(limit, maxPage)
		}
		log, err := openCallLog(cmd)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, log.Close()) }()
		of, err := org(func() (string, error) { return log.Organization(cmd.Context()) })
		if err != nil {
			return err
		}
		return printCalls(cmd.OutOrStdout(), atMost(limit, log.Calls(cmd.Context(), of, q, legs)), *format, legs, now)
	}
	return cmd
}

// causes are the names of all hangup causes.
func causes() []string {
	names := []string{string(call.UnknownCause)}
	for _, c := range call.Causes() {
		names = append(names, string(c))
	}
	slices.Sort(names)
	return names
}

// maxPage is how many calls a store is asked for at once.
const maxPage = 1000

// atMost yields the first n calls; 0: all.
func atMost(n int, calls iter.Seq2[*store.Call, error]) iter.Seq2[*store.Call, error] {
	if n <= 0 {
		return calls
	}
	return func(yield func(*store.Call, error) bool) {
		left := n
		for c, err := range calls {
			if left--; !yield(c, err) || left == 0 {
				return
			}
		}
	}
}

// parseTime reads a time or how long ago it was. Times without a zone are local.
func parseTime(flag, s string, now time.Time) (time.Time, error) {
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
	return time.Time{}, fmt.Errorf("--%s %q is neither a duration (2h, 30m) nor a time (2026-10-03, 2026-10-03T12:00:00Z)", flag, s)
}

// printCalls writes calls as they come.
func printCalls(w io.Writer, calls iter.Seq2[*store.Call, error], format output, legs bool, now time.Time) error {
	var write func(*store.Call) error
	finish := func() error { return nil }
	switch {
	case format == outputJSON:
		enc := json.NewEncoder(w)
		write = func(c *store.Call) error {
			if c.Events = nil; !legs {
				c.Legs, c.Tags, c.WhyNot, c.Ledger = nil, nil, nil, nil
			}
			return enc.Encode(c)
		}
	case format == outputCSV && legs:
		csv := store.NewLegCSV(w)
		write, finish = csv.Write, csv.Flush
	case format == outputCSV:
		csv := store.NewCSV(w)
		write, finish = csv.Write, csv.Flush
	default:
		write, finish = newListing(w, now)
	}
	printed := false
	for c, err := range calls {
		if err != nil && !printed { // no line of names for nothing
			return err
		}
		if err == nil {
			err = write(c)
		}
		if err != nil {
			return errors.Join(finish(), err)
		}
		printed = true
	}
	return finish()
}

func newCallsShow() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Shows the timeline of one call, its legs, and why targets were not tried",
		Long: "Shows the timeline of one call, its legs, why targets were not tried, and its tags. The id may be cut short as\n" +
			"long as only one call begins with it. What the store does not have yet is taken from this server's journal.",
		Args: takes(1, 1, "the id of a call"),
	}
	format, org := outputFlag(cmd), orgFlag(cmd)
	addPrivateFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		log, err := openCallLog(cmd)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, log.Close()) }()
		of, err := org(func() (string, error) { return log.OrganizationOf(cmd.Context(), args[0]) })
		if err != nil {
			return err
		}
		c, err := log.Call(cmd.Context(), of, args[0])
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("there is no call %q", args[0])
		}
		if err != nil {
			return err
		}
		if *format == outputJSON {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(c)
		}
		return showCall(cmd.OutOrStdout(), c, time.Now())
	}
	return cmd
}
