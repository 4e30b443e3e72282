package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/eslctl"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
	"github.com/hookswitch/hookswitch/store/journal"
)

// number is dialled by every call of this program.
const number = "+13105550142"

// fiveNodes is the flow of every call that runs one.
const fiveNodes = `
numbers: {"` + number + `": {flow: five}}
---
flow: five
start: pick_up
nodes:
  pick_up: {answer: {}, next: greet}
  greet: {play: {prompt: "tone:%(100,0,440)"}, next: choose}
  choose:
    menu: {prompt: "tone:%(100,0,600)", timeout: 5s}
    exits: {"1": sort, else: bye}
  sort:
    branch: {cases: [{name: local, if: 'caller.number startsWith "+1310" and vars.choose == "1"'}]}
    exits: {local: bye, else: bye}
  bye: {hangup: {}}
`

// fiveSteps is how many nodes a call of fiveNodes passes.
const fiveSteps = 5

func loadFive() (*flowengine.Snapshot, error) {
	s, problems := flowengine.LoadFile("five.yaml", []byte(fiveNodes), nodes.Kinds)
	if len(problems) > 0 {
		return nil, problems[0]
	}
	return s, nil
}

// callServer is event socket, engine and journal joined as the program itself
// joins them, without its log and its metrics.
type callServer struct {
	server  *eslctl.Server
	engine  *flowengine.Engine
	journal *journal.Journal
	address string
	ended   atomic.Int64 // calls of which the end was recorded
	failed  chan error   // the first few faults
	stop    context.CancelFunc
	done    chan error
	dir     string
}

// startCalls starts a server that runs fiveNodes, with its journal on a disk.
func startCalls() (*callServer, error) {
	s, err := loadFive()
	if err != nil {
		return nil, err
	}
	dir, err := diskDir()
	if err != nil {
		return nil, err
	}
	c := &callServer{failed: make(chan error, 100), done: make(chan error, 1), dir: dir}
	if c.journal, err = journal.Open(filepath.Join(dir, "journal"), journal.Options{Node: "n1", Alarm: c.fault}); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	c.engine = &flowengine.Engine{
		Current: func() *flowengine.Snapshot { return s }, Node: "n1",
		Panicked: func(id string, value any, _ []byte) { c.fault(fmt.Errorf("call %s: panic: %v", id, value)) },
	}
	c.server = &eslctl.Server{
		Address: "127.0.0.1:0", Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Settings: eslctl.Settings{Engine: "flite", Voice: "slt", Profile: "external", LastResort: "last-resort"},
		Handler:  c.run, Ended: c.end,
		Problem: func(peer string, err error) { c.fault(fmt.Errorf("%s: %w", peer, err)) },
	}
	var ctx context.Context
	ctx, c.stop = context.WithCancel(context.Background())
	ready := make(chan struct{})
	c.server.Listening = func() { close(ready) }
	go func() { c.done <- c.server.Serve(ctx) }()
	select {
	case <-ready:
	case err := <-c.done:
		c.stop()
		return nil, errors.Join(err, c.journal.Close(), os.RemoveAll(dir))
	}
	c.address, _ = c.server.Addresses()
	return c, nil
}

func (c *callServer) fault(err error) {
	if err != nil {
		select {
		case c.failed <- err:
		default:
		}
	}
}

func (c *callServer) run(ctx context.Context, leg *eslctl.Leg) {
	is := leg.Call()
	r := c.journal.Recorder(is.ID, leg.Epoch(), "n1", nil)
	rec := flowengine.RecorderFunc(func(e call.Event) {
		if r.Record(e) && e.Type == call.Started { // as the program: a call's beginning is on the disk before it goes on
			c.fault(c.journal.Flush(ctx))
		}
	})
	leg.Notify(rec)
	err := c.engine.Run(ctx, leg, flowengine.Control{Call: is, Taken: leg.Taken(), Epoch: leg.Epoch()}, rec)
	if h := (*call.HungUp)(nil); !errors.As(err, &h) && !errors.Is(err, call.ErrLost) {
		c.fault(err)
	}
}

func (c *callServer) end(leg *eslctl.Leg, end eslctl.End) {
	if !end.Known {
		return
	}
	c.journal.End(leg.Call().ID, end.Cause, map[string]string{
		"billed":   strconv.FormatInt(end.Billed.Milliseconds(), 10),
		"duration": strconv.FormatInt(end.Duration.Milliseconds(), 10),
		"by":       end.By,
	})
	c.ended.Add(1)
}

// close ends the server, its calls and its journal, and returns the first
// fault that there was.
func (c *callServer) close() error {
	c.stop()
	err := errors.Join(<-c.done, c.journal.Close(), os.RemoveAll(c.dir))
	select {
	case fault := <-c.failed:
		return errors.Join(fault, err)
	default:
		return err
	}
}

// diskDir makes a folder below that of the profiles, or below this one: what is
// temporary is often in memory only, which no journal should be measured on.
func diskDir() (string, error) {
	parent := *profiles
	if parent == "" {
		parent = "."
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	return os.MkdirTemp(parent, ".bench-")
}
