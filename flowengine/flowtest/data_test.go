package flowtest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/flowtest"
)

// gate lets calls in by what is known of them at two moments.
const gate = `
numbers: {"1000": {flow: gate}}
---
flow: gate
start: known
nodes:
  known: {branch: {cases: [{name: blocked, if: 'tags.risk == "high"'}]}, exits: {blocked: bye, else: welcome}}
  welcome: {play: {prompt: "say:Welcome."}, next: late}
  late: {branch: {cases: [{name: approved, if: 'tags.approved == "yes"'}]}, exits: {approved: thanks, else: bye}}
  thanks: {play: {prompt: "say:Thanks."}, next: bye}
  bye: {hangup: {}}
`

func data(after time.Duration, name, value string) flowtest.Data {
	return flowtest.Data{After: flowengine.Duration(after), Tags: map[string]flowengine.Scalar{name: {Value: value}}}
}

// What a branch reads is there before the first node, when it waited for the caller, and
// before the next one, when it comes while the call runs.
func TestDataDecide(t *testing.T) {
	s := load(t, gate)
	for name, c := range map[string]struct {
		data []flowtest.Data
		path []string
	}{
		"nothing is known":       {nil, []string{"known else", "welcome next", "late else", "bye"}},
		"blocked by what waited": {[]flowtest.Data{data(0, "risk", "high")}, []string{"known blocked", "bye"}},
		"approved meanwhile":     {[]flowtest.Data{data(time.Second, "approved", "yes")}, []string{"known else", "welcome next", "late approved", "thanks next", "bye"}},
		"the later one counts": {[]flowtest.Data{data(time.Second, "approved", "yes"), data(1500*time.Millisecond, "approved", "no")},
			[]string{"known else", "welcome next", "late else", "bye"}},
		"too late": {[]flowtest.Data{data(time.Hour, "approved", "yes")}, []string{"known else", "welcome next", "late else", "bye"}},
	} {
		t.Run(name, func(t *testing.T) {
			call := scenario(nil)
			call.Data = c.data
			p := flowtest.NewPhone(call, nil)
			if r := flowtest.Run(flowtest.NewEngine(s, p.Clock, 1), p); !slices.Equal(r.Path(), c.path) {
				t.Errorf("path %v, want %v\n%s", r.Path(), c.path, r.Trace())
			}
		})
	}
}

// However the control of a call is lost, each input is in its tags, and is applied by the
// controllers together as one would have done: told twice it has the same input, and what
// the flow wrote after it stays.
func TestTakeoverAppliesNoInputTwice(t *testing.T) {
	s := load(t, `
numbers: {"1000": {flow: main}}
---
flow: main
start: first
nodes:
  first: {play: {prompt: "say:One."}, next: decide}
  decide: {tag: {tags: {state: flow}}, next: second}
  second: {play: {prompt: "say:Two."}, next: check}
  check: {branch: {cases: [{name: right, if: 'tags.state == "flow" && tags.score == "7" && tags.extra == "x"'}]}, exits: {right: bye, else: bye}}
  bye: {hangup: {}}
`)
	play := func(lose ...int) *flowtest.Result {
		call := scenario(nil)
		call.Data = []flowtest.Data{data(0, "state", "waited"), data(time.Second, "score", "7"), data(time.Second, "extra", "x")}
		p := flowtest.NewPhone(call, nil)
		return flowtest.RunEach(func(int) *flowengine.Engine { return flowtest.NewEngine(s, p.Clock, 1) }, p, lose...)
	}
	plain := play()
	for first := 0; first <= plain.Points; first++ {
		for second := range play(first).Points {
			r := play(first, second)
			if !slices.Contains(r.Path(), "check right") {
				t.Errorf("lost at %d and %d: the call has other tags\n%s", first, second, r.Trace())
			}
			seen := map[string]int{}
			for _, e := range r.Events {
				if e.Type == call.Tagged && e.Attrs["input"] != "" {
					seen[e.Attrs["input"]+" "+e.Attrs["tag"]]++
				}
			}
			if len(seen) != 3 {
				t.Errorf("lost at %d and %d: told of %v\n%s", first, second, seen, r.Trace())
			}
		}
	}
}

// Data that the checkpoint has no room for are kept from the flow, aloud, and the call
// goes on.
func TestDataAreBounded(t *testing.T) {
	call := scenario(nil)
	call.Data = []flowtest.Data{data(0, "long", strings.Repeat("x", 4<<10)), data(time.Second, "longer", strings.Repeat("y", 4<<10)), data(time.Second, "approved", "yes")}
	p := flowtest.NewPhone(call, nil)
	r := flowtest.Run(flowtest.NewEngine(load(t, gate), p.Clock, 1), p)
	faults := r.Faults()
	if want := []string{"known else", "welcome next", "late approved", "thanks next", "bye"}; !slices.Equal(r.Path(), want) || len(faults) != 2 || !strings.Contains(faults[0], "tag long") {
		t.Errorf("path %v, faults %q\n%s", r.Path(), faults, r.Trace())
	}
}

// A tag is written over and over without the call running out of room, and an input that
// changes nothing is recorded all the same: it is not to be applied later.
func TestDataAreReplaced(t *testing.T) {
	call := scenario(nil)
	for i := range 100 {
		call.Data = append(call.Data, data(time.Second, "long", strings.Repeat("x", 100+i/2)))
	}
	p := flowtest.NewPhone(call, nil)
	r := flowtest.Run(flowtest.NewEngine(load(t, gate), p.Clock, 1), p)
	told, changes := 0, 0
	for _, e := range r.Events {
		if e.Attrs["input"] != "" {
			told++
		}
		if e.Attrs["input"] != "" && e.Attrs["unchanged"] == "" {
			changes++
		}
	}
	if told != len(call.Data) || changes != len(call.Data)/2 || len(r.Faults()) != 0 {
		t.Errorf("of %d inputs %d are recorded, %d as a change; faults %q", len(call.Data), told, changes, r.Faults())
	}
}

// An inbox that does not answer is in the trace, and nothing else comes of it.
func TestInboxFallback(t *testing.T) {
	p := flowtest.NewPhone(scenario(nil), nil)
	e := flowtest.NewEngine(load(t, gate), p.Clock, 1)
	e.Inbox = mute{}
	r := flowtest.Run(e, p)
	if got := r.Events[0].Attrs["fallback"]; got != "nobody answers" || !over(r.Err) {
		t.Errorf("fallback %q\n%s", got, r.Trace())
	}
}

type mute struct{}

func (mute) Join(context.Context, string, string, string) ([]flowengine.Input, string) {
	return nil, "nobody answers"
}

// Inputs come from other goroutines while the call runs, reads its tags and writes them.
func TestDeliverFromManyGoroutines(t *testing.T) {
	s := load(t, gate)
	p := flowtest.NewPhone(scenario(nil), nil)
	e := flowtest.NewEngine(s, p.Clock, 1)
	rec := &log{}
	leg := &talker{playing: make(chan struct{}), over: make(chan struct{})}
	done := make(chan error)
	go func() {
		done <- e.Run(context.Background(), leg, flowengine.Control{Call: p.Call, Epoch: 1}, rec)
	}()
	<-leg.playing
	var sending sync.WaitGroup
	for n := range 8 {
		sending.Go(func() {
			in := flowengine.Input{N: int64(n%4 + 1), ID: fmt.Sprint(n % 4), Events: []call.Event{{Type: call.Tagged, Attrs: map[string]string{"tag": "approved", "value": "yes"}}}}
			if !e.Deliver(p.Call.ID, in) {
				t.Error("a live call was not found")
			}
		})
	}
	sending.Wait()
	close(leg.over)
	if err := <-done; !over(err) {
		t.Error(err)
	}
	changes := 0
	for _, e := range rec.events {
		if e.Type == call.Tagged && e.Attrs["unchanged"] == "" {
			changes++
		}
	}
	if n := rec.count(call.Tagged); n != 4 || changes != 1 {
		t.Errorf("four inputs of one value were told %d times, %d of them as a change", n, changes)
	}
	if !slices.Contains(rec.exits(), "late approved") {
		t.Errorf("the call went %v", rec.exits())
	}
	if e.Deliver(p.Call.ID, flowengine.Input{N: 9}) {
		t.Error("a call that is over was found")
	}
}

// talker is a caller who hears the first prompt until the test says so.
type talker struct {
	flowengine.Leg
	playing, over chan struct{}
	begun         sync.Once
}

func (l *talker) Answer(context.Context) error       { return nil }
func (l *talker) Save(context.Context, string) error { return nil }

func (l *talker) Play(context.Context, call.Prompt) error {
	l.begun.Do(func() { close(l.playing) })
	<-l.over
	return nil
}

func (l *talker) Hangup(_ context.Context, cause call.Cause) error {
	return &call.HungUp{Cause: cause}
}

// log keeps events that come from several goroutines.
type log struct {
	mu     sync.Mutex
	events []call.Event
}

func (l *log) Record(e call.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

func (l *log) count(typ call.Type) (n int) {
	for _, e := range l.events {
		if e.Type == typ {
			n++
		}
	}
	return n
}

func (l *log) exits() (out []string) {
	for _, e := range l.events {
		if e.Type == call.Step {
			out = append(out, e.Step+" "+e.Exit)
		}
	}
	return out
}
