package flowtest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/flowtest"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
)

func load(t testing.TB, doc string) *flowengine.Snapshot {
	t.Helper()
	s, problems := flowengine.LoadFile("f.yaml", []byte(doc), nodes.Kinds)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return s
}

const mainLine = `
numbers: {"1000": {flow: main}}
targets:
  alice: {user: alice@pbx}
  bob: {user: bob@pbx}
  carol: {user: carol@pbx}
---
flow: main
start: welcome
nodes:
  welcome: {menu: {prompt: "say:Press 1."}, exits: {"1": sales, else: bye}}
  sales: {dial: {targets: [alice, bob, carol], strategy: round_robin, record: true}, exits: {completed: thanks, else: sorry}}
  thanks: {play: {prompt: "say:Thanks."}, next: bye}
  sorry: {branch: {cases: [{name: one, if: 'vars.welcome == "1"'}]}, exits: {one: regret, else: bye}}
  regret: {play: {prompt: "say:Sorry."}, next: bye}
  bye: {hangup: {}}
`

func scenario(callees map[string]flowtest.Callee) flowtest.Scenario {
	return flowtest.Scenario{
		Call:    call.Call{Number: "1000", Caller: call.Caller{Number: "+15550100"}},
		Press:   []string{"1", "1", "1", "1"},
		Callees: callees,
	}
}

var outcomes = map[string]map[string]flowtest.Callee{
	"the first answers":  {},
	"the second answers": {"alice": {After: time.Second, Cause: call.UserBusy}, "bob": {After: time.Second, Talks: time.Minute}},
	"nobody answers": {"alice": {After: time.Second, Cause: call.UserBusy}, "bob": {Rings: true},
		"carol": {After: time.Second, Cause: call.CallRejected}},
}

// The control of a call is lost at every single point of a flow, and at every pair of
// points: the call takes the same path as without the loss, but for what
// starts over, and nobody is dialled twice for one attempt.
func TestTakeoverAtEveryPoint(t *testing.T) {
	s := load(t, mainLine)
	for name, callees := range outcomes {
		t.Run(name, func(t *testing.T) {
			play := func(lose ...int) *flowtest.Result {
				p := flowtest.NewPhone(scenario(callees), nil)
				return flowtest.RunEach(func(int) *flowengine.Engine { return flowtest.NewEngine(s, p.Clock, 1) }, p, lose...)
			}
			plain := play()
			if !over(plain.Err) {
				t.Fatal(plain.Trace())
			}
			for first := 1; first <= plain.Points; first++ {
				rest := play(first).Points
				for second := 0; second <= rest; second++ {
					r := play(first, second)
					checkTakeover(t, fmt.Sprintf("lost at %d and %d", first, second), plain, r)
				}
			}
		})
	}
}

func over(err error) bool {
	var h *call.HungUp
	return errors.As(err, &h)
}

// checkTakeover compares a call that was taken over with the same one that was not.
func checkTakeover(t *testing.T, name string, plain, r *flowtest.Result) {
	t.Helper()
	if !over(r.Err) || r.Resorted != "" {
		t.Errorf("%s: %v, last resort %q\n%s", name, r.Err, r.Resorted, r.Trace())
	}
	if !slices.Equal(r.Dialled, plain.Dialled) {
		t.Errorf("%s: dialled %v, want %v\n%s", name, r.Dialled, plain.Dialled, r.Trace())
	}
	// The step that was under way has no record, or one each time it ended.
	if got := collapse(r.Path()); !subsequence(got, plain.Path()) {
		t.Errorf("%s: path %v, want %v\n%s", name, got, plain.Path(), r.Trace())
	}
	epoch, seq := 0, 0
	for _, e := range r.Events {
		// A controller that is lost before its first checkpoint has the epoch of its
		// successor, and must have written nothing.
		if e.Epoch < epoch || e.Epoch == epoch && e.Seq != seq+1 {
			t.Errorf("%s: event %d.%d after %d.%d", name, e.Epoch, e.Seq, epoch, seq)
		}
		epoch, seq = e.Epoch, e.Seq
		failed := e.Type == call.Failed && !slices.ContainsFunc(plain.Events, func(p call.Event) bool { return p.Type == call.Failed })
		if e.Type == call.FlowError || failed || e.Type == call.Refused {
			t.Errorf("%s: %s %s", name, e.Type, e.Why)
		}
	}
}

func collapse(path []string) []string { return slices.Compact(slices.Clone(path)) }

func subsequence(got, want []string) bool {
	for _, w := range want {
		if len(got) > 0 && got[0] == w {
			got = got[1:]
		}
	}
	return len(got) == 0
}

// A round robin keeps the order it chose, also in another process whose own
// position differs.
func TestTakeoverKeepsTheOrder(t *testing.T) {
	s := load(t, strings.Replace(mainLine, "round_robin", "random", 1))
	callees := outcomes["nobody answers"]
	for seed := range uint64(20) {
		p := flowtest.NewPhone(scenario(callees), nil)
		plain := flowtest.Run(flowtest.NewEngine(s, p.Clock, seed), p)
		for point := 1; point <= plain.Points; point++ {
			p := flowtest.NewPhone(scenario(callees), nil)
			first := flowtest.NewEngine(s, p.Clock, seed)
			r := flowtest.RunEach(func(epoch int) *flowengine.Engine {
				if epoch == 1 {
					return first
				}
				return flowtest.NewEngine(s, p.Clock, seed+1000)
			}, p, point)
			seen := map[string]bool{}
			for _, id := range r.Dialled {
				if seen[id] {
					t.Errorf("seed %d, lost at %d: %s was dialled twice\n%s", seed, point, id, r.Trace())
				}
				seen[id] = true
			}
			if len(r.Dialled) != 3 {
				t.Errorf("seed %d, lost at %d: %d attempts\n%s", seed, point, len(r.Dialled), r.Trace())
			}
			targets := map[string]bool{}
			for _, e := range r.Events {
				if e.Type == call.TargetFailed {
					targets[e.Target] = true
				}
			}
			if len(targets) != 3 {
				t.Errorf("seed %d, lost at %d: not everybody was tried\n%s", seed, point, r.Trace())
			}
		}
	}
}

func TestTakeoverRefusesWhatItCannotRead(t *testing.T) {
	s := load(t, mainLine)
	p := flowtest.NewPhone(scenario(nil), nil)
	flowtest.Run(flowtest.NewEngine(s, p.Clock, 1), p, 4)
	good := p.Checkpoint
	c, err := call.ParseCheckpoint(good)
	if err != nil {
		t.Fatal(err)
	}
	other := load(t, strings.Replace(mainLine, "say:Thanks.", "say:Thank you.", 1))
	for name, c := range map[string]struct {
		snapshot *flowengine.Snapshot
		taken    string
		why      string
	}{
		"envelope":  {s, "2" + good[1:], "version"},
		"damaged":   {s, good[:len(good)-3], "damaged"},
		"payload":   {s, call.Checkpoint{Epoch: 2, Node: "n1", Payload: encode(`{"v":2}`)}.String(), "version 2"},
		"field":     {s, call.Checkpoint{Epoch: 2, Node: "n1", Payload: encode(`{"v":1,"k":1,"zz":1}`)}.String(), "zz"},
		"node":      {s, call.Checkpoint{Epoch: 2, Node: "n1", Payload: strings.Replace(c.Payload, c.Payload, encode(`{"v":1,"f":"main","h":"`+s.Flows()[0].Version+`","n":"gone","k":1}`), 1)}.String(), "no node gone"},
		"version":   {other, good, "not known in version"},
		"malformed": {s, "x", "form"},
	} {
		t.Run(name, func(t *testing.T) {
			p := flowtest.NewPhone(scenario(nil), nil)
			p.Checkpoint = c.taken
			r := flowtest.Run(flowtest.NewEngine(c.snapshot, p.Clock, 1), p)
			var refused *flowengine.RefusedError
			if !errors.As(r.Err, &refused) || !strings.Contains(refused.Why, c.why) || r.Resorted == "" {
				t.Errorf("got %v, last resort %q, want %q", r.Err, r.Resorted, c.why)
			}
			if len(r.Events) != 1 || r.Events[0].Type != call.Refused {
				t.Errorf("events:\n%s", r.Trace())
			}
		})
	}
	t.Run("carried along", func(t *testing.T) {
		p := flowtest.NewPhone(scenario(nil), nil)
		p.Checkpoint = good
		if r := flowtest.Run(flowtest.NewEngine(other.With(s), p.Clock, 1), p); !over(r.Err) {
			t.Error(r.Trace())
		}
	})
	t.Run("an epoch alone", func(t *testing.T) {
		p := flowtest.NewPhone(scenario(nil), nil)
		p.Checkpoint = call.Checkpoint{Epoch: 2, Node: "n1"}.String()
		r := flowtest.Run(flowtest.NewEngine(s, p.Clock, 1), p)
		if !over(r.Err) || r.Events[0].Type != call.Started || r.Events[0].Epoch != 3 {
			t.Error(r.Trace())
		}
	})
	t.Run("from the versions", func(t *testing.T) {
		p := flowtest.NewPhone(scenario(nil), nil)
		p.Checkpoint = good
		e := flowtest.NewEngine(other, p.Clock, 1)
		e.Versions = &flowengine.Versions{Dir: t.TempDir(), Kinds: nodes.Kinds}
		if err := e.Versions.Keep(s); err != nil {
			t.Fatal(err)
		}
		if r := flowtest.Run(e, p); !over(r.Err) {
			t.Error(r.Trace())
		}
	})
}

// The configuration changes between two controllers: targets that are gone
// are left out, but the result of an attempt that was made counts.
func TestTakeoverWithTargetsRemoved(t *testing.T) {
	s := load(t, mainLine)
	callees := outcomes["nobody answers"]
	plain := flowtest.Run(flowtest.NewEngine(s, &flowtest.Clock{}, 1), flowtest.NewPhone(scenario(callees), nil))
	gone := s.Without("alice", "bob", "carol")
	for point := 1; point < plain.Points; point++ {
		p := flowtest.NewPhone(scenario(callees), nil)
		r := flowtest.RunEach(func(epoch int) *flowengine.Engine {
			if epoch == 1 {
				return flowtest.NewEngine(s, p.Clock, 1)
			}
			return flowtest.NewEngine(gone, p.Clock, 1)
		}, p, point)
		if !over(r.Err) || !slices.Equal(r.Dialled, plain.Dialled[:len(r.Dialled)]) {
			t.Errorf("lost at %d\n%s", point, r.Trace())
		}
		if n := len(r.Dialled); n > 0 && n < 3 && !strings.Contains(r.Trace(), "no longer configured") {
			t.Errorf("lost at %d: the log does not tell who is gone\n%s", point, r.Trace())
		}
	}
}

// A call for which nobody was even eligible has failed as one that nobody answered, also
// when another server ends it.
func TestNobodyIsEligible(t *testing.T) {
	s := load(t, `
targets: {alice: {user: alice@pbx, enabled: false}}
plans: {main: {members: [alice]}}
campaigns: {c: {plan: main}}
numbers: {1: {campaign: c}, 2: {flow: ivr}}
---
flow: ivr
start: plan
nodes:
  plan: {plan: {plan: main}, exits: {else: sorry}}
  sorry: {say: "Nobody is there.", next: bye}
  bye: {hangup: {}}
`)
	for _, number := range []string{"1", "2"} {
		for point := range 8 {
			p := flowtest.NewPhone(flowtest.Scenario{Call: call.Call{Number: number}}, nil)
			r := flowtest.Run(flowtest.NewEngine(s, p.Clock, 1), p, point)
			failed := slices.IndexFunc(r.Events, func(e call.Event) bool { return e.Type == call.Failed })
			if failed < 0 || r.Events[failed].Why != "nobody took the call" {
				t.Errorf("number %s, lost at %d: not failed\n%s", number, point, r.Trace())
			}
		}
	}
}
