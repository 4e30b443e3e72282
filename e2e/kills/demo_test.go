package kills

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/journal"
	"github.com/hookswitch/hookswitch/store/sqlite"
)

// demonstration is hookswitch demo, a process of its own: server and switch in one.
type demonstration struct {
	t       *testing.T
	ctx     context.Context
	program string
	data    string
	cmd     *exec.Cmd
	out     bytes.Buffer // what the process said that runs
}

func (d *demonstration) start() {
	d.out.Reset()
	d.cmd = exec.CommandContext(d.ctx, d.program, "demo", "--data", d.data)
	d.cmd.Stdout, d.cmd.Stderr = &d.out, &d.out
	must(d.t, d.cmd.Start())
}

// end ends the process and returns how that went.
func (d *demonstration) end(with syscall.Signal) error {
	must(d.t, d.cmd.Process.Signal(with))
	return d.cmd.Wait()
}

// until follows the journal until something is true of the events of each call.
func (d *demonstration) until(what string, met func(calls map[string][]call.Event) bool) {
	d.t.Helper()
	ctx, cancel := context.WithCancel(d.ctx)
	defer cancel()
	dir := filepath.Join(d.data, "journal")
	follow, err := journal.Follow(ctx, dir)
	must(d.t, err)
	calls := d.calls()
	if met(calls) {
		return
	}
	for e, err := range follow {
		must(d.t, err)
		if calls[e.Call] = journal.Sort(append(calls[e.Call], e)); met(calls) {
			return
		}
	}
	d.t.Fatalf("%s; the demonstration said:\n%s", what, &d.out)
}

// calls reads what the journal has of each call.
func (d *demonstration) calls() map[string][]call.Event {
	calls := map[string][]call.Event{}
	for e, err := range journal.Read(filepath.Join(d.data, "journal")) {
		must(d.t, err)
		calls[e.Call] = append(calls[e.Call], e)
	}
	return calls
}

// last returns the calls whose last event is of a type.
func last(calls map[string][]call.Event, is func(call.Type) bool) (ids []string) {
	for id, events := range calls {
		if is(events[len(events)-1].Type) {
			ids = append(ids, id)
		}
	}
	return ids
}

func live(t call.Type) bool      { return t != call.Ended }
func connected(t call.Type) bool { return t == call.Connected }

// The demonstration is killed in the middle of calls and started again on the same
// folder: the log has every call that had begun, once, whole, with one end.
func TestKilledDemonstrationLosesNoCall(t *testing.T) {
	long(t, "a demonstration that is killed and started again is not tested")
	t.Parallel()
	program, err := shipped()
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	d := &demonstration{t: t, ctx: ctx, program: program, data: t.TempDir()}
	must(t, os.MkdirAll(filepath.Join(d.data, "journal"), 0o750)) // to be followed from the start

	var killed []string // live at a kill
	for range 2 {
		before := len(d.calls())
		d.start()
		d.until("no calls are connected", func(calls map[string][]call.Event) bool {
			return len(calls) > before+3 && len(last(calls, live)) > 1 && len(last(calls, connected)) > 0
		})
		_ = d.end(syscall.SIGKILL) // that it was killed
		killed = append(killed, last(d.calls(), live)...)
	}
	slices.Sort(killed)
	killed = slices.Compact(killed)
	d.start()
	d.until("calls that were live have no end", func(calls map[string][]call.Event) bool {
		return !slices.ContainsFunc(killed, func(id string) bool { return live(calls[id][len(calls[id])-1].Type) })
	})
	if err := d.end(syscall.SIGTERM); err != nil {
		t.Fatalf("%v:\n%s", err, &d.out)
	}
	if !strings.Contains(d.out.String(), "had no end when the process died") {
		t.Errorf("it does not say that calls had no end:\n%s", &d.out)
	}
	d.check(killed)
}

// check compares the log with the journal.
func (d *demonstration) check(killed []string) {
	s, err := sqlite.Open(d.ctx, filepath.Join(d.data, "hookswitch.db"))
	must(d.t, err)
	defer s.Close()
	calls := d.calls()
	for id, events := range calls {
		c, err := s.Call(d.ctx, "acme", id)
		if err != nil {
			d.t.Errorf("call %s: %v", id, err)
			continue
		}
		ends := 0
		for _, e := range c.Events {
			if e.Type == call.Ended {
				ends++
			}
		}
		if ends != 1 || c.State != store.Complete || len(c.Events) != len(events) {
			d.t.Errorf("call %s is %s and has %d ends, %d events in the log, %d in the journal", id, c.State, ends, len(c.Events), len(events))
		}
		if gone := slices.Contains(killed, id); gone != (c.Cause == call.UnknownCause) {
			d.t.Errorf("call %s ended with %s; it was live at a kill: %t", id, c.Cause, gone)
		}
	}
	page, err := s.Search(d.ctx, "acme", store.Query{Limit: 1000})
	must(d.t, err)
	if len(page.Calls) != len(calls) {
		d.t.Errorf("%d calls are in the log, %d in the journal", len(page.Calls), len(calls))
	}
	d.t.Logf("%d calls, %d of them live at a kill", len(calls), len(killed))
}
