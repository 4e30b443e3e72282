package kills

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/eslctl/esltest"
)

// after is what happens when the server has died at its crash point.
type after struct {
	name   string
	other  bool // another server is there
	hangUp bool // the callers who talk to nobody hang up, before a server comes back
}

func TestCrashPoints(t *testing.T) {
	long(t, "servers that die at each crash point are not tested")
	t.Parallel()
	points := []struct {
		name string
		nth  []int
	}{
		{"accept", []int{1, 3}}, {"connect", []int{1, 3}}, {"save.before", []int{1, 2, 5}}, {"save.after", []int{1, 2, 5}},
		{"bridge.before", []int{1, 4}}, {"bridge.committed", []int{1, 4}}, {"bridge.sent", []int{1, 4}}, {"bridge.done", []int{1, 3}},
	}
	afters := []after{{"restart", false, false}, {"hangup", false, true}, {"other", true, false}, {"other-hangup", true, true}}
	room := make(chan struct{}, 8) // so many at once: they mostly wait
	var wait sync.WaitGroup
	for _, p := range points {
		for _, n := range p.nth {
			for _, then := range afters {
				wait.Go(func() {
					room <- struct{}{}
					defer func() { <-room }()
					at := fmt.Sprintf("%s:%d", p.name, n)
					t.Run(at+"/"+then.name, func(t *testing.T) { crashAt(t, at, then) })
				})
			}
		}
	}
	wait.Wait()
}

func crashAt(t *testing.T, point string, then after) {
	program, err := crashpoints()
	must(t, err)
	w := newWorld(t, 2*time.Minute)
	a := w.newNode("a", program, "10s")
	nodes := []*node{a}
	if then.other {
		b := w.newNode("b", program, "10s")
		nodes = append(nodes, b)
	}
	w.open(60, nodes...)
	for _, n := range nodes[1:] {
		n.start()
	}
	a.start("HOOKSWITCH_CRASH_AT=" + point)
	for _, who := range []esltest.Caller{
		{Script: []esltest.Act{esltest.Press("1").WhenPlaying("Welcome").After(time.Second)}},
		{Script: []esltest.Act{esltest.Press("2").WhenPlaying("Welcome").After(time.Second), esltest.HangUp().When(esltest.Bridged).After(4 * time.Second)}},
		{Script: []esltest.Act{esltest.Press("3").WhenPlaying("Welcome").After(time.Second)}},
	} {
		w.place(who)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for _, k := range w.calls {
			select {
			case <-k.Done():
			case <-w.ctx.Done():
			}
		}
	}()
	select {
	case <-a.exited:
	case <-over:
		w.fatalf("the calls ended and nothing crashed")
	}
	if s, ok := a.state.Sys().(syscall.WaitStatus); !ok || s.Signal() != syscall.SIGKILL {
		w.fatalf("the server ended with %v", a.state)
	}
	at := time.Now()
	var all []caught
	for _, k := range w.present() {
		r := k.Result()
		if r.Cause != "" {
			continue
		}
		if c := (caught{k, at, at, len(r.Sockets), isBridged(r), false}); !then.other || c.bridged {
			all = append(all, c)
		}
		if then.hangUp && !isBridged(r) {
			k.HangUp()
		}
	}
	a.start()
	w.settle()
	records := w.check(all)
	for _, c := range all {
		r := c.call.Result()
		if r.By == "caller" {
			continue
		}
		began, resumed, left := false, false, false
		for _, e := range records[c.call.UUID].events {
			switch {
			case e.Type == call.Started && e.Time.Before(at):
				began = true
			case e.Type == call.Resumed && e.Time.After(at):
				resumed = true
			case e.Type == call.Step && e.Step == "bye":
				left = true
			}
		}
		if began && !resumed || !left {
			t.Errorf("call %s was not taken over and brought to its end", c.call.UUID)
			w.history(c.call.UUID)
		}
	}
}
