package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/e2e/table"
	"github.com/hookswitch/hookswitch/flowengine/flowtest"
	"github.com/hookswitch/hookswitch/store"
)

const (
	memoryCalls = 20_000
	wireCalls   = 5_000
	wireAtOnce  = 100
)

// onOneCore returns the CPU time of f while Go code runs on one processor at a
// time, the garbage collector's included.
func onOneCore(f func() error) (time.Duration, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	runtime.GC()
	before := cpu()
	err := f()
	return cpu() - before, err
}

func perSecond(n int, used time.Duration) float64 { return float64(n) / used.Seconds() }

// callsInMemory is what engine and nodes cost, without a switch and without a
// journal.
func callsInMemory(context.Context) ([]table.Row, error) {
	var rates, objects []float64
	for range *rounds {
		err := profiled("calls-memory", func() error {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			used, err := onOneCore(func() error { return inMemory(memoryCalls, nil) })
			runtime.ReadMemStats(&after)
			rates = append(rates, perSecond(memoryCalls, used))
			objects = append(objects, float64(after.Mallocs-before.Mallocs)/memoryCalls)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return []table.Row{
		table.AtLeast("calls of five nodes in memory: a second of CPU", "%.0f", median(rates), 10_000),
		table.AtMost("calls of five nodes in memory: allocations each", "%.0f", median(objects), 80),
	}, nil
}

// inMemory runs calls, one after the other, and hands on what each recorded.
func inMemory(calls int, recorded func(id string, events []call.Event)) error {
	s, err := loadFive()
	if err != nil {
		return err
	}
	clock := &flowtest.Clock{}
	e := flowtest.NewEngine(s, clock, 1)
	for i := range calls {
		p := flowtest.NewPhone(flowtest.Scenario{
			Call: call.Call{ID: peerUUID(i), Number: number, Caller: call.Caller{Number: "+13105550111"}}, Press: []string{"1"},
		}, clock)
		r := flowtest.Run(e, p)
		if err := fivePassed(r.Events, r.Err); err != nil {
			return err
		}
		if recorded != nil {
			recorded(p.Call.ID, r.Events)
		}
	}
	return nil
}

// fivePassed says whether a call took the way through all nodes.
func fivePassed(events []call.Event, err error) error {
	if h := (*call.HungUp)(nil); !errors.As(err, &h) {
		return fmt.Errorf("a call ended with %w", err)
	}
	steps := 0
	for i := range events {
		if events[i].Type == call.Step {
			steps++
		}
	}
	if steps != fiveSteps {
		return fmt.Errorf("a call passed %d nodes, not %d", steps, fiveSteps)
	}
	return nil
}

// callsOverTheWire is what whole calls cost a server, from the connection to the
// end in its journal.
func callsOverTheWire(context.Context) ([]table.Row, error) {
	var rates, groups []float64
	for range *rounds {
		err := profiled("calls-wire", func() error {
			rate, group, err := overTheWire(nil)
			rates, groups = append(rates, rate), append(groups, group)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	what := fmt.Sprintf("calls of five nodes over the wire, with journal: a second of CPU (%.0f events an fsync)", median(groups))
	return []table.Row{table.AtLeast(what, "%.0f", median(rates), 1000)}, nil
}

// overTheWire returns how many calls a second of CPU takes, into a call log too if one is
// given, and how many events are in one fsync of the journal.
func overTheWire(log store.Log) (rate, group float64, err error) {
	c, err := startCalls()
	if err != nil {
		return 0, 0, err
	}
	stop := func() error { return nil }
	// On all processors, or the fsyncs hold up the calls; the CPU time is that of
	// all of them.
	used, err := onOneCore(func() error {
		if log != nil {
			stop = drained(c.journal, log)
		}
		p, err := startPeer(callsPeer, c.address, wireCalls, wireAtOnce, 0)
		if err == nil {
			err = p.Wait()
		}
		return errors.Join(err, stop())
	})
	if err := errors.Join(err, c.close()); err != nil {
		return 0, 0, err
	}
	stats := c.journal.Stats()
	// Each call: started, answered, its nodes, ended.
	if want := uint64(wireCalls * (fiveSteps + 3)); c.ended.Load() != wireCalls || stats.Events != want || stats.Dropped > 0 {
		return 0, 0, fmt.Errorf("%d calls ended, %d events (%d dropped), not %d with %d", c.ended.Load(), stats.Events, stats.Dropped, wireCalls, want)
	}
	return perSecond(wireCalls, used), float64(stats.Events) / float64(stats.Groups), nil
}
