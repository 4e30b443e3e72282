package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/hookswitch/hookswitch/availability"
	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/eslctl/esltest"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/journal"
	"github.com/hookswitch/hookswitch/webhooks/delivery"
)

// demoOptions are those of the demonstration.
type demoOptions struct {
	once bool   // a call to each campaign, what the call log has of it, done
	dir  string // folder with numbers, targets and flows; empty: what the database has, at first the example
	data string // folder that keeps everything; empty: a temporary one
}

func newDemo() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Shows calls without a FreeSWITCH: a simulated one, with callers and callees",
		Long: "Starts the server with an example and a simulated FreeSWITCH beside it: an organization with two campaigns,\n" +
			"one on a routing plan, one on a flow. The two speak the real protocol over TCP; callers call, press keys and\n" +
			"hang up, callees answer, are busy or do not pick up. What happens to the calls is printed as it happens, and\n" +
			"after each call why targets were not tried, until an interrupt. An endpoint on this machine is told of everything;\n" +
			"each event that arrives is printed as well, and whether its signature holds. A curl line to copy tells of a caller\n" +
			"before the call, and the flow goes another way.\n\n" +
			"With --data the database, with configuration and call log, and the journal stay in that folder. Killed and\n" +
			"started again, the log has every call once; those that were live get their end when the switch has said that\n" +
			"it does not know them, after some 15 seconds.",
		Example: "  hookswitch demo --data data/demo\n  hookswitch calls list --data data/demo      # meanwhile, or afterwards\n" +
			"  hookswitch calls show 1f3c --data data/demo",
		Args: takes(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), cmd.OutOrStdout(), o)
		},
	}
	cmd.Flags().BoolVar(&o.once, "once", false, "place one call to each campaign, print what the call log has of it and what has arrived, and stop; it fails where not all has, verified and in order")
	cmd.Flags().StringVar(&o.data, "data", "", "folder that keeps the configuration, the call log and the journal (default: a temporary one)")
	cmd.Flags().StringVar(&o.dir, "config-dir", "", "folder with numbers, targets and flows (default: what the database has, at first an example)")
	return cmd
}

// runDemo places simulated calls and shows what becomes of them.
func runDemo(ctx context.Context, out io.Writer, o demoOptions) (err error) {
	keep := o.data != ""
	if !keep {
		if o.data, err = os.MkdirTemp("", "hookswitch-demo-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.data)) }()
	}
	d, err := startDemo(ctx, out, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	if err := d.introduce(ctx, o.data, keep || !o.once); err != nil {
		return err
	}
	if o.once {
		return d.once(ctx)
	}
	d.callers(ctx)
	return nil
}

// demo is a server and a simulated FreeSWITCH that speak TCP with each other.
type demo struct {
	*server
	sw     *esltest.Switch
	free   desk
	heard  *verifier
	form   *form // that tells of callers; nil: the configuration has none
	out    io.Writer
	before int // calls that the log had at the start

	log    *os.File
	cancel context.CancelFunc
	parts  errgroup.Group
	over   chan struct{} // closed when the server has stopped

	mu    sync.Mutex
	lines *timeline
	ended map[string]chan struct{} // by call, closed when its timeline is complete
}

// demoSettings are those of a server that talks to nobody outside of this machine.
func demoSettings(o demoOptions, api string) *settings {
	return &settings{
		Listen: "127.0.0.1:0", ListenTakeover: "127.0.0.1:0", HTTP: "127.0.0.1:0", API: api, Node: "demo",
		ConfigDir: o.dir, Data: o.data, Recordings: o.data, Drain: 5 * time.Second,
		Allow:     []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		HTTPAllow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, AvailabilityAtOnce: availability.DefaultAtOnce, WebhooksAtOnce: delivery.DefaultAtOnce,
		Profile: "external", TTS: ttsSettings{"flite", "slt"}, Log: logSettings{"info", "json"},
	}
}

// unused returns an address of this machine at which nobody listens. Unlike that of a
// listener to be, it can be shown before the server listens there.
func unused() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// startDemo returns when calls are taken.
func startDemo(ctx context.Context, out io.Writer, o demoOptions) (_ *demo, err error) {
	api, err := unused()
	if err != nil {
		return nil, err
	}
	s := demoSettings(o, api)
	if err := os.MkdirAll(s.journalDir(), 0o750); err != nil {
		return nil, err
	}
	if o.dir == "" {
		if err := applyExample(ctx, out, s); err != nil {
			return nil, err
		}
	}
	d := &demo{sw: esltest.NewSwitch(), out: out, over: make(chan struct{}), ended: map[string]chan struct{}{}}
	d.sw.Speed = demoPace
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	d.cancel = cancel
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		cancel()
		return nil, err
	}
	defer func() {
		if err != nil {
			cancel()
			socket.Close()
		}
	}()
	s.FreeSWITCH = []eventSocket{{Address: socket.Addr().String(), Password: secret(d.sw.Password)}}
	if d.log, err = os.OpenFile(filepath.Join(o.data, "server.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640); err != nil {
		return nil, err
	}
	events, err := journal.Follow(serving, s.journalDir())
	if err != nil {
		return nil, errors.Join(err, d.log.Close())
	}
	if d.server, err = newServer(ctx, s, d.log); err != nil {
		return nil, errors.Join(err, d.log.Close())
	}
	ready, listening := make(chan struct{}), d.controller.server.Listening
	d.controller.server.Listening = func() {
		listening()
		close(ready)
	}
	go d.sw.Serve(socket)
	d.parts.Go(func() error {
		defer close(d.over)
		return d.server.run(serving)
	})
	shown := out
	if o.once {
		shown = io.Discard // it is printed from the call log
	}
	d.lines = newTimeline(shown, painterFor(shown), true)
	d.heard = &verifier{current: d.config.current, secrets: d.credentials.For, shown: d.arrived}
	d.parts.Go(func() error { return d.show(events) })
	for address, service := range d.services() {
		l, err := net.Listen("tcp", address)
		if err != nil {
			fmt.Fprintf(out, "Another program answers at %s: %v.\n", address, err)
			continue
		}
		d.parts.Go(func() error { return serveHTTP(serving, l, service) })
	}
	select {
	case <-ready:
	case <-d.over:
		return nil, d.stop()
	}
	fresh, takeover := d.controller.server.Addresses()
	d.sw.Dialplan = esltest.Dialplan(fresh, takeover, 60)
	return d, nil
}

// stop returns when the server has written everything.
func (d *demo) stop() error {
	d.sw.Close()
	d.cancel()
	return errors.Join(d.parts.Wait(), d.log.Close())
}

// show prints what the journal gets, and after a call why targets were not tried.
func (d *demo) show(events iter.Seq2[call.Event, error]) error {
	calls := map[string][]call.Event{} // that have not ended
	for e, err := range events {
		if err != nil {
			return err
		}
		if err := d.line(func(t *timeline) error { return t.event(e) }); err != nil {
			return err
		}
		calls[e.Call] = append(calls[e.Call], e)
		if e.Type != call.Ended {
			continue
		}
		for _, n := range store.Project(calls[e.Call]).WhyNot {
			if err := d.line(func(t *timeline) error { return t.notTried(e, n) }); err != nil {
				return err
			}
		}
		delete(calls, e.Call)
		close(d.end(e.Call))
	}
	return nil
}

// arrived shows that an event has arrived. Where that cannot be printed, show ends of it.
func (d *demo) arrived(a arrival) {
	_ = d.line(func(t *timeline) error { return t.arrival(a) })
}

// line prints one, whoever else prints.
func (d *demo) line(print func(*timeline) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return print(d.lines)
}

// end is closed when the call's timeline has been printed.
func (d *demo) end(id string) chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended[id] == nil {
		d.ended[id] = make(chan struct{})
	}
	return d.ended[id]
}
