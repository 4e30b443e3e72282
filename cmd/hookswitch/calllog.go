package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/journal"
)

// callLog is where calls are looked up.
type callLog interface {
	// Calls yields the calls that q asks for, newest first; whole ones have their legs,
	// tags and why-not. An error is the last it yields.
	Calls(ctx context.Context, org string, q store.Query, whole bool) iter.Seq2[*store.Call, error]
	// Call returns the call whose id is, or begins with, id.
	Call(ctx context.Context, org, id string) (*store.Call, error)
	// Organization returns the one that is meant where none is named.
	Organization(ctx context.Context) (string, error)
	// OrganizationOf returns the one that has the call, where none is named.
	OrganizationOf(ctx context.Context, id string) (string, error)
	Close() error
}

// openCallLog returns the call log that the flags and settings of a command name: the
// journals of --journal, or else the store; where there is none yet, this server's journal.
// Journals are shown as they are.
func openCallLog(cmd *cobra.Command) (callLog, error) {
	dirs, err := cmd.Flags().GetStringArray("journal")
	if err != nil || len(dirs) > 0 {
		return &journalLog{dirs: dirs, warn: cmd.ErrOrStderr()}, err
	}
	s, err := loadSettings(cmd)
	if err != nil {
		return nil, err
	}
	own := &journalLog{dirs: []string{s.journalDir()}, warn: cmd.ErrOrStderr()}
	if s.Database == "" {
		if _, err := os.Stat(s.databaseFile()); errors.Is(err, fs.ErrNotExist) {
			return own, nil
		}
	}
	db, err := openStore(cmd.Context(), s)
	if err != nil {
		return nil, fmt.Errorf("%w; --journal %s reads what this server has", err, s.journalDir())
	}
	return discreetly(cmd, s, &storeLog{db: db, own: own})
}

// callStore is what a store answers of calls; store.Log says more of it.
type callStore interface {
	Search(ctx context.Context, org string, q store.Query) (store.Page, error)
	Call(ctx context.Context, org, id string) (*store.Call, error)
	Organizations(ctx context.Context) ([]string, error)
	Position(ctx context.Context, journal string) (store.Position, error)
	Close() error
}

// storeLog is the call log of a store, and what this server's journal has before it.
type storeLog struct {
	db  callStore
	own *journalLog
}

func (l *storeLog) Close() error { return l.db.Close() }

// Organization returns the only one that has calls. One that cannot be asked for is no
// fault: whatever comes next fails in the same way, or does without the store.
func (l *storeLog) Organization(ctx context.Context) (string, error) {
	orgs, _ := l.db.Organizations(ctx)
	orgs = slices.DeleteFunc(orgs, func(o string) bool { return o == "" })
	switch {
	case len(orgs) == 0:
		return "", nil
	case len(orgs) == 1:
		return orgs[0], nil
	}
	names := strings.Join(orgs[:min(len(orgs), 10)], ", ")
	return "", &usageError{fmt.Errorf("%d organizations have calls, --org names the one that is meant: %s", len(orgs), names)}
}

// OrganizationOf asks all that have calls. Without an answer it is none: then the call is
// looked for in the journal, which is that of all.
func (l *storeLog) OrganizationOf(ctx context.Context, id string) (string, error) {
	orgs, _ := l.db.Organizations(ctx)
	orgs = slices.DeleteFunc(orgs, func(org string) bool {
		_, err := l.db.Call(ctx, org, id)
		return errors.Is(err, store.ErrNotFound)
	})
	switch len(orgs) {
	case 0:
		return "", nil
	case 1:
		return orgs[0], nil
	}
	for i, org := range orgs {
		orgs[i] = cmp.Or(org, `""`)
	}
	return "", &usageError{fmt.Errorf("calls of several organizations begin with %q, --org names the one that is meant: %s", id, strings.Join(orgs[:min(len(orgs), 10)], ", "))}
}

func (l *storeLog) Calls(ctx context.Context, org string, q store.Query, whole bool) iter.Seq2[*store.Call, error] {
	return func(yield func(*store.Call, error) bool) {
		l.behind(ctx)
		for {
			page, err := l.db.Search(ctx, org, q)
			if err != nil {
				yield(nil, fmt.Errorf("%w; --journal %s reads what this server has", err, l.own.dirs[0]))
				return
			}
			for _, c := range page.Calls {
				if whole {
					c, err = l.db.Call(ctx, org, c.ID)
				}
				if errors.Is(err, store.ErrNotFound) { // removed since, by retention
					continue
				}
				if !yield(c, err) || err != nil {
					return
				}
			}
			if q.After = page.Next; page.Next == "" {
				return
			}
		}
	}
}

// fresh is how long what was written to the journal may not be in the store yet.
const fresh = 2 * time.Second

// behind says so when the store has not taken in what this server's journal holds.
func (l *storeLog) behind(ctx context.Context) {
	id, end, changed, err := journal.Stat(l.own.dirs[0])
	if err != nil || id == "" || time.Since(changed) < fresh {
		return
	}
	if at, err := l.db.Position(ctx, id); err == nil && at.Compare(end) < 0 {
		fmt.Fprintf(l.own.warn, "hookswitch: the store is behind the journal, which was written at %s; --journal %s reads it\n",
			changed.Local().Format("15:04:05"), l.own.dirs[0])
	}
}

// Call looks a call up in the store, and in this server's journal what the store may not
// have of it yet.
func (l *storeLog) Call(ctx context.Context, org, id string) (*store.Call, error) {
	c, err := l.db.Call(ctx, org, id)
	if _, ambiguous := errors.AsType[*store.AmbiguousError](err); ambiguous || err == nil && c.State == store.Complete {
		return c, err
	}
	if c != nil {
		id = c.ID
	}
	had, journalErr := l.own.Call(ctx, org, id)
	switch {
	case err != nil && journalErr != nil: // the journal knows no more
		return nil, err
	case err != nil && !errors.Is(err, store.ErrNotFound):
		fmt.Fprintf(l.own.warn, "hookswitch: the store cannot be read, this is from the journal alone: %v\n", err)
		return had, nil
	case err != nil:
		fmt.Fprintln(l.own.warn, "hookswitch: the store does not have this call yet, this is from the journal")
		return had, nil
	case journalErr != nil:
		return c, nil
	}
	all := store.Project(slices.Concat(c.Events, had.Events))
	if n := len(all.Events) - len(c.Events); n > 0 {
		fmt.Fprintf(l.own.warn, "hookswitch: the store is behind, %d events are from the journal\n", n)
		return all, nil
	}
	return c, nil
}

// journalLog is the call log of journals, read as one.
type journalLog struct {
	dirs []string
	warn io.Writer // is told of damaged lines
}

func (l *journalLog) Close() error { return nil }

// Organization returns none: calls of all are meant.
func (l *journalLog) Organization(context.Context) (string, error) { return "", nil }

// OrganizationOf returns none, likewise.
func (l *journalLog) OrganizationOf(context.Context, string) (string, error) { return "", nil }

// Calls yields calls of every organization unless one is named.
func (l *journalLog) Calls(_ context.Context, org string, q store.Query, _ bool) iter.Seq2[*store.Call, error] {
	return func(yield func(*store.Call, error) bool) {
		events, err := l.read("")
		if err != nil {
			yield(nil, err)
			return
		}
		var calls []*store.Call
		for id, of := range events {
			delete(events, id)
			c := store.Project(of)
			c.Events = nil
			if (org == "" || c.Org == org) && q.Matches(c) {
				calls = append(calls, c)
			}
		}
		slices.SortFunc(calls, func(a, b *store.Call) int {
			return cmp.Or(b.Started.Compare(a.Started), strings.Compare(a.ID, b.ID))
		})
		for _, c := range calls {
			if !yield(c, nil) {
				return
			}
		}
	}
}

func (l *journalLog) Call(_ context.Context, org, id string) (*store.Call, error) {
	events, err := l.read(id)
	if err != nil {
		return nil, err
	}
	if exact, ok := events[id]; ok {
		events = map[string][]call.Event{id: exact}
	}
	var found []*store.Call
	for _, of := range events {
		if c := store.Project(of); org == "" || c.Org == org {
			found = append(found, c)
		}
	}
	switch {
	case len(found) == 0:
		return nil, store.ErrNotFound
	case len(found) == 1:
		return found[0], nil
	}
	ambiguous := &store.AmbiguousError{Part: id}
	for _, c := range found {
		ambiguous.IDs = append(ambiguous.IDs, c.ID)
	}
	slices.Sort(ambiguous.IDs)
	ambiguous.IDs = ambiguous.IDs[:min(len(ambiguous.IDs), 5)]
	return nil, ambiguous
}

// read returns the events of the calls whose ids begin with a text.
func (l *journalLog) read(id string) (map[string][]call.Event, error) {
	events := make(map[string][]call.Event)
	var failed error
	for e := range reading(journal.Read(l.dirs...), l.warn, &failed) {
		if strings.HasPrefix(e.Call, id) {
			events[e.Call] = append(events[e.Call], e)
		}
	}
	return events, failed
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
