package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/e2e/table"
	"github.com/hookswitch/hookswitch/store/journal"
)

// maxWaiting is how many events may wait for the disk: calls come much faster
// here than any switch delivers them, and none may be dropped.
const maxWaiting = 20_000

// journalCost compares the CPU time of calls in memory with a journal on a disk
// and without.
func journalCost(context.Context) ([]table.Row, error) {
	var ratios, groups []float64
	for range *rounds {
		without, err := onOneCore(func() error { return inMemory(memoryCalls, nil) })
		if err != nil {
			return nil, err
		}
		var with time.Duration
		var stats journal.Stats
		if err := profiled("calls-journal", func() error {
			with, stats, err = journalled()
			return err
		}); err != nil {
			return nil, err
		}
		ratios = append(ratios, float64(with)/float64(without))
		groups = append(groups, float64(stats.Events)/float64(stats.Groups))
	}
	what := fmt.Sprintf("calls in memory with journal: CPU to without (%.0f events an fsync)", median(groups))
	return []table.Row{table.AtMost(what, "%.2f ×", median(ratios), 2)}, nil
}

func journalled() (used time.Duration, stats journal.Stats, err error) {
	dir, err := diskDir()
	if err != nil {
		return 0, stats, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	j, err := journal.Open(dir, journal.Options{Node: "n1"})
	if err != nil {
		return 0, stats, err
	}
	used, err = onOneCore(func() error {
		err := inMemory(memoryCalls, func(id string, events []call.Event) {
			rec := j.Recorder(id, 1, "n1", nil)
			for i := range events {
				rec.Record(events[i])
			}
			j.End(id, call.NormalClearing, nil)
			for j.Stats().Pending > maxWaiting {
				time.Sleep(time.Millisecond)
			}
		})
		return errors.Join(err, j.Close())
	})
	if stats = j.Stats(); err == nil && (stats.Dropped > 0 || stats.Events != memoryCalls*(fiveSteps+3)) {
		err = fmt.Errorf("%d events, %d dropped", stats.Events, stats.Dropped)
	}
	return used, stats, err
}
