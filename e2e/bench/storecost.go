package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/e2e/table"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/drain"
	"github.com/hookswitch/hookswitch/store/journal"
)

// storeCost compares the CPU time of calls with a journal that is drained into a store
// with that of the same calls without either: in memory, and over the wire, where the
// other side of the ratio has a journal.
func storeCost(context.Context) ([]table.Row, error) {
	var rows []table.Row
	for _, open := range engines {
		var memory, wire, own []float64
		var live []time.Duration
		name := ""
		for range *rounds {
			e, err := openHere(open)
			if err != nil {
				return nil, err
			}
			if e == nil {
				break
			}
			name = e.name
			m, w, o, err := e.cost()
			if err == nil {
				var each time.Duration
				each, err = e.live()
				live = append(live, each)
			}
			if err := errors.Join(err, e.close()); err != nil {
				return nil, err
			}
			memory, wire, own = append(memory, m), append(wire, w), append(own, o)
		}
		if name == "" {
			continue
		}
		rows = append(rows,
			table.Seen(fmt.Sprintf("calls in memory with journal and %s: CPU to without either (the database's own: %.2f ×)", name, median(own)), fmt.Sprintf("%.2f ×", median(memory))),
			table.AtMost(fmt.Sprintf("calls over the wire with journal and %s: CPU to with journal alone", name), "%.2f ×", median(wire), 3),
			table.Seen(fmt.Sprintf("%s: a call of 12 events in 6 batches, as a long one comes: CPU of Append", name), slices.Sorted(slices.Values(live))[len(live)/2].Round(time.Microsecond).String()))
	}
	return rows, nil
}

// cost returns the ratios in memory and over the wire, and that of the database's own CPU
// time to that of the calls in memory.
func (e *engine) cost() (memory, wire, own float64, err error) {
	without, err := onOneCore(func() error { return inMemory(memoryCalls, nil) })
	if err != nil {
		return 0, 0, 0, err
	}
	before := e.cpu()
	var with time.Duration
	if err := profiled("calls-"+e.name, func() error {
		with, err = e.stored()
		return err
	}); err != nil {
		return 0, 0, 0, err
	}
	own = float64(e.cpu()-before) / float64(without)
	bare, _, err := overTheWire(nil)
	if err != nil {
		return 0, 0, 0, err
	}
	var drained float64
	if err := profiled("calls-wire-"+e.name, func() error {
		drained, _, err = overTheWire(e.store)
		return err
	}); err != nil {
		return 0, 0, 0, err
	}
	return float64(with) / float64(without), bare / drained, own, nil
}

// live is the CPU time of Append for a call whose events come in six batches, each with
// events of a hundred calls.
func (e *engine) live() (each time.Duration, err error) {
	const rounds, calls, batches = 10, 100, 6
	b := store.Batch{Journal: "live", Node: "n1"}
	before := cpu()
	for r := range rounds {
		parts := make([][]store.Line, batches)
		for i := range calls {
			all := lines(busyCall(r*calls + i))
			for k := range parts {
				parts[k] = append(parts[k], all[len(all)*k/batches:len(all)*(k+1)/batches]...)
			}
		}
		for _, b.Lines = range parts {
			b.From, b.To = b.To, store.Position{Segment: 1, Offset: b.To.Offset + 1}
			b.Until = b.Lines[0].Event.Time
			if err := e.store.Append(context.Background(), b); err != nil {
				return 0, err
			}
		}
	}
	return (cpu() - before) / (rounds * calls), nil
}

// stored is the CPU time of calls in memory until all of them are in the store.
func (e *engine) stored() (used time.Duration, err error) {
	dir, err := diskDir()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	j, err := journal.Open(dir, journal.Options{Node: "n1"})
	if err != nil {
		return 0, err
	}
	var calls []string
	used, err = onOneCore(func() error {
		stop := drained(j, e.store)
		err := inMemory(memoryCalls, func(id string, events []call.Event) {
			rec := j.Recorder(id, 1, "n1", nil)
			for i := range events {
				rec.Record(events[i])
			}
			j.End(id, call.NormalClearing, nil)
			calls = append(calls, id)
			for j.Stats().Pending > maxWaiting {
				time.Sleep(time.Millisecond)
			}
		})
		return errors.Join(err, stop(), j.Close())
	})
	if err == nil {
		_, err = e.store.Call(context.Background(), "default", calls[len(calls)-1])
	}
	return used, err
}

// drained drains a journal until stop is called, which returns when all is in the store.
func drained(j *journal.Journal, log store.Log) (stop func() error) {
	var problems []error
	d := &drain.Drain{Journal: j, Log: log, Node: "n1", Problem: func(err error) { problems = append(problems, err) }}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		d.Run(ctx)
		close(done)
	}()
	return func() error {
		err := j.Flush(ctx)
		end, _ := j.Durable()
		for at := (store.Position{}); err == nil && at.Compare(end) < 0; time.Sleep(5 * time.Millisecond) {
			at, err = log.Position(ctx, j.ID())
		}
		cancel()
		<-done
		return errors.Join(append(problems, err)...)
	}
}
