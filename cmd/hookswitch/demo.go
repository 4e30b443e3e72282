package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/eslctl/esltest"
	"github.com/hookswitch/hookswitch/examples"
	"github.com/hookswitch/hookswitch/store/journal"
)

// demoOptions are those of the demonstration.
type demoOptions struct {
	once bool   // one call, its timeline, done
	dir  string // folder with numbers, targets and flows; empty: the example
}

func newDemo() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Shows calls without a FreeSWITCH: a simulated one, with callers and callees",
		Long: "Starts the server with an example folder and a simulated FreeSWITCH beside it. The two speak the real\n" +
			"protocol over TCP; callers call, press keys and hang up, callees answer, are busy or do not pick up.\n" +
			"The timelines of the calls are printed as they happen, until an interrupt.",
		Args: takes(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), cmd.OutOrStdout(), o)
		},
	}
	cmd.Flags().BoolVar(&o.once, "once", false, "place one call, print its timeline and stop")
	cmd.Flags().StringVar(&o.dir, "config-dir", "", "folder with numbers, targets and flows (default: an example)")
	return cmd
}

// demoPace is how much faster than in life prompts, ringing and talk are.
const demoPace = 4

// runDemo places simulated calls and prints their timelines as they happen.
func runDemo(ctx context.Context, out io.Writer, o demoOptions) (err error) {
	home, err := os.MkdirTemp("", "hookswitch-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(home)) }()
	if o.dir == "" {
		o.dir = filepath.Join(home, "conf")
		example, err := fs.Sub(examples.Files, "main-line")
		if err != nil {
			return err
		}
		if err := os.CopyFS(o.dir, example); err != nil {
			return err
		}
	}
	d, err := startDemo(ctx, out, home, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	numbers := d.config.current().Numbers()
	if len(numbers) == 0 {
		return fmt.Errorf("%s has no number to call", o.dir)
	}
	defer d.sw.Close()
	if o.once {
		d.once(ctx, numbers[0].Number)
		return nil
	}
	fmt.Fprintf(out, "Simulated calls to %s, %d times as fast as in life. Interrupt to stop.\n\n", numbers[0].Number, demoPace)
	d.callers(ctx, numbers[0].Number)
	return nil
}

// demo is a server and a simulated FreeSWITCH that speak TCP with each other.
type demo struct {
	*controller
	sw   *esltest.Switch
	stop func() error

	mu    sync.Mutex
	ended map[string]chan struct{} // by call, closed when its timeline is complete
}

func startDemo(ctx context.Context, out io.Writer, home string, o demoOptions) (*demo, error) {
	s := &settings{Listen: "127.0.0.1:0", ListenTakeover: "127.0.0.1:0", Node: "demo", ConfigDir: o.dir, Data: home,
		Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Recordings: home, Profile: "external", TTS: ttsSettings{"flite", "slt"}}
	j, err := openJournal(s, zerolog.Nop())
	if err != nil {
		return nil, err
	}
	d := &demo{controller: newController(s, zerolog.Nop(), j, newMetrics(readBuildInfo())), ended: map[string]chan struct{}{}}
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	served, shown := make(chan error, 1), make(chan error, 1)
	d.stop = func() error {
		cancel()
		return errors.Join(<-served, <-shown, j.Close())
	}
	if err := d.config.load(); err != nil {
		cancel()
		return nil, errors.Join(err, j.Close())
	}
	events, err := journal.Follow(serving, s.journalDir())
	if err != nil {
		cancel()
		return nil, errors.Join(err, j.Close())
	}
	go func() { shown <- d.show(newTimeline(out, painterFor(out), !o.once), events) }()
	ready := make(chan struct{})
	d.server.Listening = func() { close(ready) }
	go func() { served <- d.server.Serve(serving) }()
	select {
	case <-ready:
	case err := <-served:
		served <- nil
		return nil, errors.Join(err, d.stop())
	}
	d.sw = esltest.NewSwitch()
	d.sw.Speed = demoPace
	fresh, takeover := d.server.Addresses()
	d.sw.Dialplan = esltest.Dialplan(fresh, takeover, 60)
	return d, nil
}

// show prints what the journal gets.
func (d *demo) show(lines *timeline, events iter.Seq2[call.Event, error]) error {
	for e, err := range events {
		if err != nil {
			return err
		}
		if err := lines.event(e); err != nil {
			return err
		}
		if e.Type == call.Ended {
			close(d.end(e.Call))
		}
	}
	return nil
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

// once shows a menu, a digit, and a round robin whose first target is busy.
func (d *demo) once(ctx context.Context, number string) {
	d.people(esltest.Busy(), esltest.Answers(2*time.Second, 8*time.Second))
	d.place(ctx, esltest.Caller{From: "+15550111", Name: "Ada Example", To: number,
		Script: []esltest.Act{esltest.Press("1").WhenPlaying("Press 1").After(2 * time.Second)}})
}

// people says how the targets behave, in turn.
func (d *demo) people(callees ...esltest.Callee) {
	for i, t := range d.config.current().Targets() {
		d.sw.SetCallee(cmp.Or(t.Address.Number, t.Address.URI, t.Address.User), callees[i%len(callees)])
	}
}

// place makes a call and waits for the end of its timeline.
func (d *demo) place(ctx context.Context, who esltest.Caller) {
	select {
	case <-d.end(d.sw.Call(who).UUID):
	case <-ctx.Done():
	}
}

// callers calls until ctx ends, one way after the other.
func (d *demo) callers(ctx context.Context, number string) {
	press := func(digits string) esltest.Act {
		return esltest.Press(digits).WhenPlaying("Press 1").After(2 * time.Second)
	}
	talks := esltest.Answers(3*time.Second, 20*time.Second)
	scenes := []struct {
		script  []esltest.Act
		callees []esltest.Callee
	}{
		{[]esltest.Act{press("1")}, []esltest.Callee{esltest.Busy(), talks}},
		{[]esltest.Act{press("2")}, []esltest.Callee{talks}},
		{[]esltest.Act{press("9"), press("1")}, []esltest.Callee{talks, talks}},
		{nil, []esltest.Callee{esltest.RingsForever(), esltest.Rejects()}},
		{[]esltest.Act{press("1"), esltest.HangUp().After(8 * time.Second)}, []esltest.Callee{esltest.RingsForever()}},
	}
	var live sync.WaitGroup
	defer live.Wait()
	for i := 0; ; i++ {
		scene := scenes[i%len(scenes)]
		d.people(scene.callees...)
		live.Go(func() {
			d.place(ctx, esltest.Caller{From: fmt.Sprintf("+1555%04d", 100+i%9900), To: number, Script: scene.script})
		})
		select {
		case <-ctx.Done():
			return
		case <-time.After(3 * time.Second):
		}
	}
}
