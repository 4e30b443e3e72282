//go:build freeswitch

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store/journal"
)

// lane is a world of its own: switches, servers, and a phone that plays all
// callers and callees. Tests that kill servers run side by side in lanes.
type lane struct {
	*testing.T
	phone    *phone
	switches []*freeswitch
	servers  []*server
	tap      *tap // between switch and server, where there is one

	mu    sync.Mutex
	calls []*sipCall
}

// laneOptions are what a lane is made of.
type laneOptions struct {
	switches, servers int
	flows             string // YAML
	settings          string // of the servers besides their own, YAML
	switchOptions     switchOptions
	database          string // URL of the PostgreSQL of the servers; empty: each has an SQLite file
	stored            bool   // the configuration is in the database
	tapped            bool   // one server, behind a tap
}

// flows reads the flows of scenarios in testdata.
func flows(t testing.TB, name string) string {
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// newLane is a lane of the ordinary flows.
func newLane(t *testing.T, switches, servers int) *lane {
	t.Helper()
	return newLaneOf(t, laneOptions{switches: switches, servers: servers, flows: flows(t, "flows.yaml")})
}

// newLaneOf starts switches and servers. When the test ends it checks what must
// hold after everything: no channel is left, every call has one end, and no
// target was dialled twice in an attempt.
func newLaneOf(t *testing.T, o laneOptions) *lane {
	t.Helper()
	l := &lane{T: t}
	dir, err := os.MkdirTemp("", "hookswitch-e2e-lane-")
	l.must(err)
	ctx := within(t, 3*time.Minute) // many lanes start at once
	l.phone, err = newPhone(callee)
	l.must(err)
	t.Cleanup(func() {
		for _, s := range l.servers {
			s.kill()
		}
		var wg sync.WaitGroup
		for _, f := range l.switches {
			wg.Go(f.stop)
		}
		wg.Wait()
		l.phone.close()
		if t.Failed() {
			t.Logf("kept: %s, %v", dir, l.dirs())
			return
		}
		os.RemoveAll(dir)
		for _, d := range l.dirs() {
			os.RemoveAll(d)
		}
	})
	var nodes, takeover []string
	for i := range o.servers {
		s, err := newServer(dir, fmt.Sprintf("node%d", i+1))
		l.must(err)
		s.database, s.stored = o.database, o.stored
		l.servers = append(l.servers, s)
		nodes, takeover = append(nodes, s.listen), append(takeover, s.takeover)
	}
	if o.tapped {
		l.tap, err = newTap(nodes[0], takeover[0])
		l.must(err)
		t.Cleanup(l.tap.close)
		nodes, takeover = []string{l.tap.nodes}, []string{l.tap.takeover}
	}
	for range o.switches {
		options := o.switchOptions
		options.nodes, options.takeover, options.callees = strings.Join(nodes, "|"), strings.Join(takeover, "|"), l.phone.addr
		f, err := startSwitch(ctx, freeswitchBinary, confDir, options)
		l.must(err)
		l.switches = append(l.switches, f)
	}
	for _, s := range l.servers {
		l.must(s.settle(o.flows, o.settings, l.switches...))
		l.must(s.start(ctx, ""))
	}
	t.Cleanup(l.settleUp)
	return l
}

func (l *lane) dirs() (dirs []string) {
	for _, f := range l.switches {
		dirs = append(dirs, f.dir)
	}
	return dirs
}

func (l *lane) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

var callers atomic.Int64

// call places a call from a caller whose number nobody else has.
func (l *lane) call(t *testing.T, number string) *sipCall {
	t.Helper()
	return l.callVia(t, l.switches[0], number)
}

func (l *lane) callVia(t *testing.T, f *freeswitch, number string) *sipCall {
	t.Helper()
	return l.place(t, f, "", number, "X-Campaign: e2e")
}

// place makes a call with a display name, as it is to stand in the From header,
// and with headers.
func (l *lane) place(t *testing.T, f *freeswitch, name, number string, headers ...string) *sipCall {
	t.Helper()
	return l.placeFrom(t, f, fmt.Sprintf("+1666%07d", callers.Add(1)), name, number, headers...)
}

// placeFrom makes a call from a number.
func (l *lane) placeFrom(t *testing.T, f *freeswitch, from, name, number string, headers ...string) *sipCall {
	t.Helper()
	c, err := l.phone.callAs(name, f.sip, number, from, headers...)
	if err != nil {
		t.Fatal(err)
	}
	c.from = from
	l.mu.Lock()
	l.calls = append(l.calls, c)
	l.mu.Unlock()
	return c
}

// events reads the journals of all servers: the events of every call, by the
// number of its caller.
func (l *lane) events() (map[string][]call.Event, error) {
	var dirs []string
	for _, s := range l.servers {
		if _, err := os.Stat(s.journal()); err == nil {
			dirs = append(dirs, s.journal())
		}
	}
	byCall, from := map[string][]call.Event{}, map[string]string{}
	for e, err := range journal.Read(dirs...) {
		if err != nil {
			return nil, err
		}
		byCall[e.Call] = append(byCall[e.Call], e)
		if e.Attrs["from"] != "" {
			from[e.Call] = e.Attrs["from"]
		}
	}
	out := map[string][]call.Event{}
	for id, events := range byCall {
		who := from[id]
		if who == "" {
			who = l.callerOf(id)
		}
		out[who] = append(out[who], journal.Sort(events)...)
	}
	return out, nil
}

// callerOf asks the switches' records for the caller of a call whose beginning
// is not in the journal.
func (l *lane) callerOf(id string) string {
	if from := l.cdr(id)["sip_from_user"]; from != "" {
		return from
	}
	return "call " + id
}

// settleUp checks what must hold when all calls are over.
func (l *lane) settleUp() {
	ctx := within(l.T, time.Minute)
	l.mu.Lock()
	calls := l.calls
	l.mu.Unlock()
	for _, c := range calls {
		c.hangup()
	}
	for _, f := range l.switches {
		if err := f.awaitEmpty(ctx); err != nil {
			l.Error(err)
		}
	}
	if len(l.servers) == 0 {
		return
	}
	// Ends that nobody watched come from the switch's records, a little later.
	var missing []string
	for {
		events, err := l.events()
		if err != nil {
			l.Error(err)
			return
		}
		missing = missing[:0]
		for _, c := range calls {
			if n := count(events[c.from], call.Ended); n != 1 {
				missing = append(missing, fmt.Sprintf("%s to %s: %d ends in %s", c.from, c.number, n, timeline(events[c.from])))
			}
		}
		if len(missing) == 0 {
			for _, c := range calls {
				if n := count(events[c.from], call.Started); n != 1 {
					l.Errorf("%s to %s: %d beginnings in %s", c.from, c.number, n, timeline(events[c.from]))
				}
			}
			l.checkDials(events)
			return
		}
		select {
		case <-time.After(100 * time.Millisecond):
			continue
		case <-ctx.Done():
		}
		break
	}
	for _, m := range missing {
		l.Error(m)
	}
}

// checkDials compares what was dialled, as the callees saw it, with what the
// journal says: every leg of every attempt once.
func (l *lane) checkDials(events map[string][]call.Event) {
	l.phone.mu.Lock()
	defer l.phone.mu.Unlock()
	for number, incoming := range l.phone.taken {
		seen := map[string]int{}
		for _, in := range incoming {
			seen[in.from]++
		}
		for from, n := range seen {
			told := map[string]bool{}
			for _, e := range events[from] {
				if e.Type == call.TargetDialed && strings.HasPrefix(e.Target, "t"+number) {
					told[e.Leg] = true
				}
			}
			if n > max(len(told), 1) {
				l.Errorf("%s was dialled %d times for %s, the journal knows %d attempts: %s", number, n, from, len(told), timeline(events[from]))
			}
		}
	}
}

func count(events []call.Event, types ...call.Type) (n int) {
	for _, e := range events {
		for _, t := range types {
			if e.Type == t {
				n++
			}
		}
	}
	return n
}

// timeline is a call in one line, for failures.
func timeline(events []call.Event) string {
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintf(&b, " %d.%d %s", e.Epoch, e.Seq, e.Type)
		for _, s := range []string{e.Step, e.Exit, e.Target, string(e.Cause), e.Why} {
			if s != "" {
				b.WriteString(":" + s)
			}
		}
	}
	return b.String()
}

// awaitEvent waits until the journal has an event of the call that ok accepts.
func (l *lane) awaitEvent(ctx context.Context, c *sipCall, what string, ok func(call.Event) bool) (call.Event, error) {
	for {
		events, err := l.events()
		if err != nil {
			return call.Event{}, err
		}
		for _, e := range events[c.from] {
			if ok(e) {
				return e, nil
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return call.Event{}, fmt.Errorf("%s: not in%s", what, timeline(events[c.from]))
		}
	}
}

// exits returns the nodes a call left and their exits, as "menu/1 sales/busy".
func exits(events []call.Event) string {
	var out []string
	for _, e := range events {
		if e.Type == call.Step {
			out = append(out, e.Step+"/"+e.Exit)
		}
	}
	return strings.Join(out, " ")
}
