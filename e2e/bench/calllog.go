package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/e2e/table"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/journal"
)

var (
	logCalls  = flag.Int("calls", 1_000_000, "calls in the call log that is searched")
	logEngine = flag.String("engine", "", "search the call log only in the engine whose name contains this")
)

const (
	logBatch    = 1000 // calls that one transaction brings: a backlog
	logSearches = 50   // of each kind
	logLimit    = 50 * time.Millisecond
)

// callLog fills a call log and searches it.
func callLog(ctx context.Context) (rows []table.Row, err error) {
	for _, open := range engines {
		e, err := openHere(open)
		if err != nil {
			return nil, err
		}
		if e == nil {
			continue
		}
		if !strings.Contains(e.name, *logEngine) {
			if err := e.close(); err != nil {
				return nil, err
			}
			continue
		}
		filled, err := fill(ctx, e, open)
		if err == nil {
			var searched []table.Row
			searched, err = searchAll(ctx, e)
			filled = append(filled, searched...)
		}
		if err := errors.Join(err, e.close()); err != nil {
			return nil, err
		}
		rows = append(rows, filled...)
	}
	return rows, nil
}

// fill appends the calls, and compares the last million with the first, each with what an
// empty database of the same engine took at the time: machines are not as fast all the time.
func fill(ctx context.Context, e *engine, open func() (*engine, error)) ([]table.Row, error) {
	begun, parts := time.Now(), []part{}
	f := &filler{engine: e}
	for f.calls < *logCalls {
		p, err := f.append(ctx, min(1_000_000, *logCalls-f.calls))
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
		fmt.Fprintf(os.Stderr, "%s: %d calls, %.0f a second, CPU each %s\n", e.name, f.calls, p.rate, p.cost)
		if len(parts) == 1 && f.calls < *logCalls || len(parts) > 1 && f.calls == *logCalls {
			if parts[len(parts)-1].fresh, err = fresh(ctx, open); err != nil {
				return nil, err
			}
		}
	}
	size, err := e.size()
	if err != nil {
		return nil, err
	}
	n := time.Duration(*logCalls)
	what := fmt.Sprintf("%s: %d calls of 12 events appended (%s; CPU each %s here, %s in the database; %.1f KB each)",
		e.name, *logCalls, time.Since(begun).Round(time.Second), (f.here / n).Round(time.Microsecond), (f.there / n).Round(time.Microsecond), float64(size)/float64(*logCalls)/1024)
	rows := []table.Row{table.Seen(what, fmt.Sprintf("%.0f a second", float64(*logCalls)/f.took.Seconds()))}
	if last := len(parts) - 1; last > 0 {
		a, b := parts[0], parts[last]
		rows = append(rows, table.AtLeast(fmt.Sprintf("%s: rate of the last million to the first (%.0f and %.0f a second), each to that of an empty database then (%.0f and %.0f)",
			e.name, b.rate, a.rate, b.fresh.rate, a.fresh.rate), "%.2f", b.rate/b.fresh.rate/(a.rate/a.fresh.rate), 0.8))
		rows = append(rows, table.Seen(fmt.Sprintf("%s: CPU likewise (%s and %s a call; %s and %s)", e.name, b.cost, a.cost, b.fresh.cost, a.fresh.cost),
			fmt.Sprintf("%.2f", float64(b.cost)/float64(b.fresh.cost)/(float64(a.cost)/float64(a.fresh.cost)))))
	}
	return rows, nil
}

// speed is how fast calls are appended, and what CPU each costs, here and in the database.
type speed struct {
	rate float64 // a second
	cost time.Duration
}

// part is a million calls, and what an empty database took then.
type part struct {
	speed
	fresh speed
}

// filler appends calls to an engine.
type filler struct {
	*engine
	calls             int
	at                store.Position
	took, here, there time.Duration
}

// append appends so many more calls.
func (f *filler) append(ctx context.Context, n int) (p part, err error) {
	before := *f
	for until := f.calls + n; f.calls < until; {
		b := store.Batch{Journal: "bench", Node: "n1", From: f.at}
		for range min(logBatch, until-f.calls) {
			b.Lines = append(b.Lines, lines(busyCall(f.calls))...)
			f.calls++
		}
		b.To, b.Until = store.Position{Segment: 1, Offset: int64(f.calls)}, b.Lines[len(b.Lines)-1].Event.Time
		here, there, begun := cpu(), f.cpu(), time.Now()
		if err := f.store.Append(ctx, b); err != nil {
			return p, err
		}
		f.here, f.there, f.took, f.at = f.here+cpu()-here, f.there+f.cpu()-there, f.took+time.Since(begun), b.To
	}
	used := f.here + f.there - before.here - before.there
	p.speed = speed{float64(n) / (f.took - before.took).Seconds(), (used / time.Duration(n)).Round(time.Microsecond)}
	return p, nil
}

// freshCalls is how many calls an empty database is measured by.
const freshCalls = 200_000

// fresh measures an empty database.
func fresh(ctx context.Context, open func() (*engine, error)) (speed, error) {
	e, err := open()
	if err != nil {
		return speed{}, err
	}
	p, err := (&filler{engine: e}).append(ctx, freshCalls)
	return p.speed, errors.Join(err, e.close())
}

// aSearch is a kind of search: a query about values that some call has.
type aSearch struct {
	what     string
	query    func(c *someCall) store.Query
	frequent bool // several values that many calls have: all calls of the rarest may have to be looked at
}

// searches: a value that many calls have is searched for as much more often as calls
// have it; rare ones are kinds of their own.
var searches = []aSearch{
	{"time", func(c *someCall) store.Query { return store.Query{} }, false},
	{"time, between", func(c *someCall) store.Query {
		return store.Query{From: c.at.Add(-24 * time.Hour), To: c.at}
	}, false},
	{"number", func(c *someCall) store.Query { return store.Query{Number: c.number} }, false},
	{"caller", func(c *someCall) store.Query { return store.Query{Caller: c.caller} }, false},
	{"campaign", func(c *someCall) store.Query { return store.Query{Campaign: c.campaign} }, false},
	{"campaign with 30 %", func(c *someCall) store.Query { return store.Query{Campaign: "campaign-0"} }, false},
	{"target", func(c *someCall) store.Query { return store.Query{Target: c.target} }, false},
	{"tag", func(c *someCall) store.Query { return store.Query{Tag: "source"} }, false},
	{"tag=value", func(c *someCall) store.Query { return store.Query{Tag: "state=" + c.state} }, false},
	{"rare tag", func(c *someCall) store.Query { return store.Query{Tag: "vip"} }, false},
	{"cause", func(c *someCall) store.Query { return store.Query{Cause: c.cause} }, false},
	{"rare cause", func(c *someCall) store.Query { return store.Query{Cause: "GATEWAY_DOWN"} }, false},
	{"open", func(c *someCall) store.Query { return store.Query{State: store.Open} }, false},
	{"nothing of the kind", func(c *someCall) store.Query { return store.Query{Caller: "+19999999999"} }, false},
	{"caller and campaign", func(c *someCall) store.Query { return store.Query{Caller: c.caller, Campaign: c.campaign} }, false},
	{"campaign and cause", func(c *someCall) store.Query { return store.Query{Campaign: c.campaign, Cause: c.cause} }, true},
	{"campaign and target", func(c *someCall) store.Query { return store.Query{Campaign: c.campaign, Target: c.target} }, true},
	{"tag and campaign", func(c *someCall) store.Query {
		return store.Query{Tag: "state=" + c.state, Campaign: c.campaign}
	}, true},
	{"frequent tag and rare cause", func(c *someCall) store.Query {
		return store.Query{Tag: "source=web", Cause: "GATEWAY_DOWN"}
	}, false},
	{"a day, campaign, target, tag", func(c *someCall) store.Query {
		return store.Query{From: c.at.Add(-24 * time.Hour), To: c.at.Add(time.Hour), Campaign: c.campaign, Target: c.target, Tag: "state=" + c.state}
	}, true},
}

// searchAll measures every kind of search: the first page, the four behind it, and five
// that begin in the middle of what there is.
func searchAll(ctx context.Context, e *engine) ([]table.Row, error) {
	var rows []table.Row
	for _, s := range searches {
		var took []time.Duration
		for i := range logSearches {
			c := some(rand.New(rand.NewPCG(uint64(i), 7)), (i*7919+13)%*logCalls)
			for _, deep := range []bool{false, true} {
				q := s.query(c)
				if deep && q.To.IsZero() {
					q.To = c.at
				}
				for range 5 {
					begun := time.Now()
					page, err := e.store.Search(ctx, "acme", q)
					if err != nil {
						return nil, err
					}
					took = append(took, time.Since(begun))
					if q.After = page.Next; page.Next == "" {
						break
					}
				}
			}
		}
		slices.Sort(took)
		p95 := took[len(took)*95/100]
		row := table.AtMost(fmt.Sprintf("%s: search by %s, page of 50: p95 of %d (median %.1f ms, longest %.1f ms)", e.name, s.what, len(took),
			milliseconds(took[len(took)/2]), milliseconds(took[len(took)-1])), "%.1f ms", milliseconds(p95), milliseconds(logLimit))
		if s.frequent {
			row.Limit, row.Missed = "", false
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// someCall is what is told of a call.
type someCall struct {
	id, caller, number, campaign, target, state string
	cause                                       call.Cause
	at                                          time.Time
	vip, open                                   bool
	attempts                                    int
}

// skewed picks one of n: the first has three of ten, each of the others as much less as it
// is further behind.
func skewed(r *rand.Rand, n int) int {
	if r.IntN(10) < 3 {
		return 0
	}
	return int(float64(n) * r.Float64() * r.Float64() * r.Float64())
}

// some returns what is told of the n-th call. Calls come every 2.5 s.
func some(r *rand.Rand, n int) *someCall {
	return &someCall{
		id:       fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), r.IntN(1<<12), r.Uint64()>>16),
		caller:   "+1310" + fmt.Sprintf("%07d", int(float64(2_000_000)*r.Float64()*r.Float64())),
		number:   "+1555" + fmt.Sprintf("%07d", skewed(r, 2000)),
		campaign: "campaign-" + strconv.Itoa(skewed(r, 50)),
		target:   "target-" + strconv.Itoa(skewed(r, 300)),
		state:    strconv.Itoa(skewed(r, 50)),
		cause:    []call.Cause{"NORMAL_CLEARING", "NORMAL_CLEARING", "NORMAL_CLEARING", "NORMAL_CLEARING", "NORMAL_CLEARING", "NORMAL_CLEARING", "USER_BUSY", "NO_ANSWER", "ORIGINATOR_CANCEL", "CALL_REJECTED"}[r.IntN(10)],
		at:       time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * 2500 * time.Millisecond),
		vip:      r.IntN(10_000) == 0, open: r.IntN(10_000) == 0, attempts: 1 + r.IntN(8)/7,
	}
}

// busyCall returns the events of the n-th call, 12 mostly.
func busyCall(n int) []call.Event {
	c := some(rand.New(rand.NewPCG(uint64(n), 5)), n)
	if n%5000 == 0 {
		c.cause = "GATEWAY_DOWN"
	}
	source := []string{"web", "web", "web", "radio", "print"}[n%5]
	events := []call.Event{
		{Type: call.Started, Attrs: map[string]string{"from": c.caller, "to": c.number, "campaign": c.campaign, "publisher": "google", "mode": "call_flow",
			"flow": "main-line", "version": "5f2b1c9a", "switch": "fs1", "sip_call_id": c.id + "@198.51.100.7"}},
		{Type: call.Answered},
		{Type: call.Step, Step: "welcome", Kind: "menu", Exit: "1", Millis: 3200},
		{Type: call.Tagged, Step: "mark", Attrs: map[string]string{"tag": "source", "value": source, "source": "flow"}},
		{Type: call.Tagged, Step: "mark", Attrs: map[string]string{"tag": "state", "value": c.state, "source": "geo"}},
		{Type: call.Step, Step: "mark", Kind: "tag", Exit: "next"},
		{Type: call.Decided, Step: "people", Kind: "dial", Attrs: map[string]string{"strategy": "weighted", "order": c.target + ",other", "not.carol": "closed: until Monday 09:00"}},
	}
	if c.vip {
		events = append(events, call.Event{Type: call.Tagged, Step: "mark", Attrs: map[string]string{"tag": "vip", "value": "yes", "source": "webhook"}})
	}
	for k := range c.attempts {
		leg := call.LegUUID(c.id, k+1, 0)
		events = append(events, call.Event{Type: call.TargetDialed, Step: "people", Target: c.target, Leg: leg, Attrs: map[string]string{"attempt": strconv.Itoa(k + 1), "address": "+15550142 via carrier"}})
		if k+1 < c.attempts {
			events = append(events, call.Event{Type: call.TargetFailed, Step: "people", Target: c.target, Leg: leg, Cause: call.UserBusy})
			c.target = "other"
			continue
		}
		events = append(events, call.Event{Type: call.Connected, Step: "people", Target: c.target, Leg: leg},
			call.Event{Type: call.Released, Step: "people", Target: c.target, Leg: leg, Cause: call.NormalClearing, Millis: 61_000})
	}
	events = append(events, call.Event{Type: call.Step, Step: "people", Kind: "dial", Exit: "completed", Millis: 75_000})
	if !c.open {
		events = append(events, call.Event{Type: call.Ended, Cause: c.cause, Attrs: map[string]string{"billed": "80000", "duration": "81000", "by": "caller"}})
	}
	org := "acme"
	if n%5 == 4 {
		org = "other-" + strconv.Itoa(n%25)
	}
	for i := range events {
		e := &events[i]
		e.Org, e.Call, e.Epoch, e.Seq, e.Node, e.Time = org, c.id, 1, i+1, "n1", c.at.Add(time.Duration(i)*7*time.Second)
	}
	return events
}

// lines are events as the journal has them.
func lines(events []call.Event) []store.Line {
	list := make([]store.Line, len(events))
	for i, e := range events {
		list[i] = store.Line{Event: e, Raw: journal.AppendEvent(nil, e)}
	}
	return list
}
