package flowtest_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/flowtest"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
)

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func TestUnknownNumber(t *testing.T) {
	s := scenario(nil)
	s.Call.Number = "+999"
	p := flowtest.NewPhone(s, nil)
	r := flowtest.Run(flowtest.NewEngine(load(t, mainLine), p.Clock, 1), p)
	if got := kinds(r); got != "call.started call.failed" || r.Over == nil || r.Over.Cause != call.UnallocatedNumber {
		t.Error(r.Trace())
	}
	if why := r.Events[1].Why; why != "number +999 is not configured" {
		t.Error(why)
	}
}

func kinds(r *flowtest.Result) string {
	out := make([]string, len(r.Events))
	for i, e := range r.Events {
		out[i] = string(e.Type)
	}
	return strings.Join(out, " ")
}

// odd is a kind whose nodes misbehave.
type odd struct {
	Do   string `yaml:"do"`
	Size int    `yaml:"size"`
}

func (o *odd) Run(ctx context.Context, s *flowengine.Session) (flowengine.Result, error) {
	switch o.Do {
	case "panic":
		panic("odd")
	case "fail":
		return flowengine.Result{}, fmt.Errorf("it is odd")
	case "fill":
		if err := s.Set("x", strings.Repeat("x", o.Size)); err != nil {
			return flowengine.Result{}, err
		}
	case "crowd":
		texts := []string{"x", "\x00", "\xff", "<", "\u2028", "é"}
		for i := 0; s.Set(fmt.Sprint("x", i), strings.Repeat(texts[i%len(texts)], i%7)) == nil; i++ {
		}
	case "lose":
		return flowengine.Result{Exit: "nowhere"}, nil
	}
	return flowengine.Result{Exit: flowengine.NextExit}, nil
}

// However many values a node sets, and whatever they hold, there is room in the
// checkpoint for the nodes after it.
func TestRoomForOthers(t *testing.T) {
	r := run(t, "  a: {odd: {do: crowd}, next: b}\n  b: {hangup: {}}\n", nil)
	if size, most := len(r.Checkpoint), call.MaxCheckpoint-1024; len(r.Checkpoints) != 2 || size > most || size < most-100 {
		t.Errorf("%d checkpoints, the last with %d bytes, not %d", len(r.Checkpoints), size, most)
	}
}

// run places a call in a flow of odd nodes.
func run(t *testing.T, flow string, change func(*flowengine.Engine)) *flowtest.Result {
	t.Helper()
	kinds := append(flowengine.Kinds{{Name: "odd", New: func() flowengine.Node { return &odd{} }, Exits: []string{"next"}, Takes: true}}, nodes.Kinds...)
	s, problems := flowengine.LoadFile("f.yaml", []byte("numbers: {\"1000\": {flow: f}}\n---\nflow: f\nstart: a\nnodes:\n"+flow), kinds)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	p := flowtest.NewPhone(scenario(nil), nil)
	e := flowtest.NewEngine(s, p.Clock, 1)
	if change != nil {
		change(e)
	}
	return flowtest.Run(e, p)
}

func TestFaults(t *testing.T) {
	const bye = "\n  bye: {hangup: {}}\n"
	for name, c := range map[string]struct {
		flow   string
		events string
		why    string // of the flow.error
		cause  call.Cause
	}{
		"without an error exit": {"  a: {odd: {do: fail}, next: bye}" + bye,
			"call.started flow.error flow.step call.failed", "it is odd", call.TemporaryFailure},
		"with an error exit": {"  a: {odd: {do: fail}, next: bye, exits: {error: bye}}" + bye,
			"call.started flow.error flow.step flow.step", "it is odd", call.NormalClearing},
		"a panic": {"  a: {odd: {do: panic}, next: bye}" + bye,
			"call.started flow.error call.failed", "internal error", call.TemporaryFailure},
		"an exit that is not there": {"  a: {odd: {do: lose}, next: bye}" + bye,
			"call.started flow.step flow.error call.failed", `exit "nowhere" of node a goes nowhere`, call.TemporaryFailure},
		"a large checkpoint": {"  a: {odd: {do: fill, size: 4000}, next: b, exits: {error: b}}\n  b: {odd: {}, next: bye}" + bye,
			"call.started flow.error flow.step flow.step flow.step", "vars.x: checkpoint too large", call.NormalClearing},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, c.flow, nil)
			if kinds(r) != c.events || r.Over == nil || r.Over.Cause != c.cause || !over(r.Err) {
				t.Error(r.Trace())
			}
			for _, e := range r.Events {
				if e.Type == call.FlowError && !strings.Contains(e.Why, c.why) {
					t.Errorf("why %q, want %q", e.Why, c.why)
				}
			}
		})
	}
}

func TestPanicIsToldWithItsStack(t *testing.T) {
	var told string
	r := run(t, "  a: {odd: {do: panic}, next: bye}\n  bye: {hangup: {}}\n", func(e *flowengine.Engine) {
		e.Panicked = func(call string, value any, stack []byte) { told = fmt.Sprint(call, value, string(stack)) }
	})
	if !strings.Contains(told, "engine_test.go") || !strings.Contains(told, r.Call.ID) {
		t.Errorf("told %q", told)
	}
}

func TestStepsAreLimited(t *testing.T) {
	r := run(t, "  a: {odd: {}, next: b}\n  b: {odd: {}, next: a}\n", nil)
	if n := len(r.Path()); n != flowengine.MaxSteps {
		t.Errorf("%d steps", n)
	}
	if last := r.Events[len(r.Events)-1]; last.Type != call.Failed || !strings.Contains(last.Why, "1000") {
		t.Errorf("last event %+v", last)
	}
}

// A caller may hang up at any moment: the call ends there, without a fault.
func TestCallerHangsUpAtAnyMoment(t *testing.T) {
	s := load(t, mainLine)
	for at := 500 * time.Millisecond; at < 40*time.Second; at += 500 * time.Millisecond {
		scene := scenario(outcomes["nobody answers"])
		scene.HangsUp = at
		p := flowtest.NewPhone(scene, nil)
		r := flowtest.Run(flowtest.NewEngine(s, p.Clock, 1), p)
		if !over(r.Err) || strings.Contains(kinds(r), "flow.error") || strings.Contains(kinds(r), "failed call") {
			t.Errorf("hung up after %s\n%s", at, r.Trace())
		}
	}
}

// Round robin is fair over calls that run at once.
func TestRoundRobinIsFair(t *testing.T) {
	s := load(t, mainLine)
	clock := &flowtest.Clock{}
	e := flowtest.NewEngine(s, clock, 1)
	e.Clock = nil
	const calls = 300
	first := make(chan string, calls)
	for range 10 {
		go func() {
			for range calls / 10 {
				r := flowtest.Run(e, flowtest.NewPhone(scenario(nil), nil))
				first <- r.Targets()[0]
			}
		}()
	}
	got := map[string]int{}
	for range calls {
		got[<-first]++
	}
	for _, name := range []string{"alice", "bob", "carol"} {
		if got[name] != calls/3 {
			t.Errorf("%s was first %d times of %d", name, got[name], calls)
		}
	}
}

// What a dial asks of the leg, from the settings of node, target and member.
func TestDialAsksFor(t *testing.T) {
	s := load(t, `
numbers: {"+1000": {flow: f}}
targets:
  alice: {user: alice@pbx, ring: 7s}
  bob: {sip: bob@pbx}
---
flow: f
start: one
nodes:
  one:
    dial:
      targets: [alice, bob, {to: "+15550188", ring: 40s}]
      gateway: carrier
      ring: 30s
      caller_id: number
      ringback: "tone:%(2000,4000,440)"
      early_media: true
      whisper: "say:A call from {{ caller.number }}."
      confirm: {prompt: "say:Press 1."}
      record: true
      max: 1h
    exits: {else: all}
  all:
    dial: {targets: [alice, bob], strategy: simultaneous, caller_id: +15550111}
    exits: {else: last}
  last:
    dial: {targets: [bob]}
    exits: {else: bye}
  bye: {hangup: {}}
`)
	scene := scenario(map[string]flowtest.Callee{"alice": {Rings: true}, "bob": {Rings: true}, "+15550188": {Rings: true}})
	scene.Call.Number = "+1000"
	scene.Call.Caller.Number = "anonymous; x"
	p := flowtest.NewPhone(scene, nil)
	flowtest.Run(flowtest.NewEngine(s, p.Clock, 1), p)
	if len(p.Bridges) != 5 {
		t.Fatalf("%d bridges", len(p.Bridges))
	}
	legs := func(b call.Bridge) (out []string) {
		for _, l := range b.Legs {
			out = append(out, fmt.Sprintf("%s %s %q %s", l.Target, l.Address, l.CallerID, l.Ring))
		}
		return out
	}
	for i, want := range []string{
		`7s [alice alice@pbx "+1000" 0s]`,
		`30s [bob sip:bob@pbx "+1000" 0s]`,
		`40s [+15550188 +15550188 via carrier "+1000" 0s]`,
		`20s [alice alice@pbx "+15550111" 7s bob sip:bob@pbx "+15550111" 0s]`,
		`20s [bob sip:bob@pbx "" 0s]`, // what the caller sent is no number
	} {
		if got := fmt.Sprint(p.Bridges[i].Ring, " ", legs(p.Bridges[i])); got != want {
			t.Errorf("bridge %d: got %s, want %s", i, got, want)
		}
	}
	b := p.Bridges[1]
	if b.Record != "/recordings/"+p.Call.ID+"-2.wav" || b.MaxLength != time.Hour || !b.EarlyMedia ||
		b.Confirm.Key != "1" || b.Confirm.Timeout != 10*time.Second || b.Confirm.Prompt.String() != "say:Press 1." ||
		b.Ringback.Kind != call.Tone || b.Whisper.String() != "say:A call from anonymous, x." {
		t.Errorf("bridge: %+v", b)
	}
	for attempt, b := range p.Bridges {
		for leg, l := range b.Legs {
			if l.UUID != call.LegUUID(p.Call.ID, attempt+1, leg) {
				t.Errorf("attempt %d, leg %d has UUID %s", attempt+1, leg, l.UUID)
			}
		}
	}
}

// What a caller sends can neither break a prompt nor get out of it.
func TestSpokenValuesAreBounded(t *testing.T) {
	s := load(t, `
numbers: {"1000": {flow: f}}
---
flow: f
start: a
nodes:
  a: {play: {prompt: "say:{{ caller.name }}{{ caller.name }}{{ caller.name }}{{ caller.name }}{{ caller.name }}{{ caller.name }}{{ caller.name }}"}, next: b}
  b: {play: {prompt: "say:{{ tags.nobody }}"}, next: bye}
  bye: {hangup: {}}
`)
	for _, name := range []string{strings.Repeat("x", 100_000), strings.Repeat("€", 5000), "${system(x)} 'a' `b`", ""} {
		scene := scenario(nil)
		scene.Call.Caller.Name = name
		p := flowtest.NewPhone(scene, nil)
		r := flowtest.Run(flowtest.NewEngine(s, p.Clock, 1), p)
		if got := strings.Join(r.Path(), ", "); got != "a next, b next, bye" {
			t.Errorf("%.20q: %s", name, r.Trace())
		}
		for _, verb := range p.Verbs {
			if strings.ContainsAny(verb, "$'`{}\\\"") || len(verb) > 2010 {
				t.Errorf("%.20q: %.100s", name, verb)
			}
		}
	}
}

func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	folders := map[string]bool{}
	for _, file := range files {
		folders[filepath.Dir(file)] = true
	}
	if len(folders) < 2 {
		t.Fatalf("found %v", folders)
	}
	for dir := range folders {
		s, problems := flowengine.LoadDir(dir, nodes.Kinds)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		for _, n := range s.Numbers() {
			scene := scenario(nil)
			scene.Call.Number = n.Number
			scene.Callees = map[string]flowtest.Callee{"alice": {After: time.Second, Cause: call.UserBusy}}
			p := flowtest.NewPhone(scene, nil)
			if r := flowtest.Run(flowtest.NewEngine(s, p.Clock, 1), p); !over(r.Err) || strings.Contains(r.Trace(), "flow.error") {
				t.Error(r.Trace())
			}
		}
	}
}

// BenchmarkCall is a call of five nodes, one of them a dial of two attempts.
func BenchmarkCall(b *testing.B) {
	s := load(b, mainLine)
	callees := outcomes["the second answers"]
	clock := &flowtest.Clock{}
	e := flowtest.NewEngine(s, clock, 1)
	b.ReportAllocs()
	for b.Loop() {
		p := flowtest.NewPhone(scenario(callees), clock)
		if r := flowtest.Run(e, p); !over(r.Err) {
			b.Fatal(r.Trace())
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{10, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			fsys := fstest.MapFS{"f.yaml": {Data: []byte("flow: f\nstart: a\nnodes: {a: {hangup: {}}}\n")}}
			asked := make([]string, 0, n)
			for file := 0; len(asked) < n; file++ {
				var doc strings.Builder
				doc.WriteString("numbers:\n")
				for range min(n, 10_000) {
					asked = append(asked, fmt.Sprintf("+1%010d", len(asked)))
					fmt.Fprintf(&doc, "  %s: {flow: f}\n", asked[len(asked)-1])
				}
				fsys[fmt.Sprintf("numbers%d.yaml", file)] = &fstest.MapFile{Data: []byte(doc.String())}
			}
			s, problems := flowengine.Load(fsys, nodes.Kinds)
			if len(problems) > 0 {
				b.Fatal(problems[0])
			}
			at := 0
			for b.Loop() {
				at = (at + 1) % 10 // ten numbers all over the list
				if _, ok := s.Lookup(asked[at*n/10]); !ok {
					b.Fatal("not found")
				}
			}
		})
	}
}
