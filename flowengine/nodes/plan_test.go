package nodes_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/flowtest"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
	"github.com/hookswitch/hookswitch/store/journal"
)

func parseScript(t *testing.T, doc string) *flowtest.Script {
	t.Helper()
	s, err := flowtest.ParseScript("f.yaml", []byte(doc), nodes.Kinds)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// decided returns the decisions that a call tells of.
func decided(r *flowtest.Result) (out []call.Event) {
	for _, e := range r.Events {
		if e.Type == call.Decided {
			out = append(out, e)
		}
	}
	return out
}

// However many targets a plan has, all of their reasons are told, each event is a line of a
// journal, and the order has room in the checkpoint.
func TestAPlanOfAThousandTargets(t *testing.T) {
	const n = 1000
	var doc strings.Builder
	doc.WriteString("numbers: {\"1000\": {flow: main}}\ntargets:\n")
	name := func(i int) string { return fmt.Sprintf("%s-%03d", strings.Repeat("t", 60), i) }
	for i := range n {
		switch {
		case i >= n-80:
			fmt.Fprintf(&doc, "  %s: {user: a@pbx}\n", name(i))
		case i%2 == 0:
			fmt.Fprintf(&doc, "  %s: {user: a@pbx, enabled: false}\n", name(i))
		default:
			fmt.Fprintf(&doc, "  %s: {user: a@pbx, filter: 'tags.note == \"x\"'}\n", name(i))
		}
	}
	doc.WriteString("plans:\n  big:\n    members:\n")
	for i := range n {
		fmt.Fprintf(&doc, "      - %s\n", name(i))
	}
	doc.WriteString("---\nflow: main\nstart: p\nnodes: {p: {plan: {plan: big, ring: 1s}, exits: {else: bye}}, bye: {hangup: {}}}\n")
	s := parseScript(t, doc.String())
	note := strings.Repeat("\"\x01", 300)
	p := flowtest.NewPhone(flowtest.Scenario{Call: call.Call{Number: "1000"}, Tags: map[string]any{"note": note}}, nil)
	p.Callees = map[string]flowtest.Callee{}
	for i := range n {
		p.Callees[name(i)] = flowtest.Callee{Rings: true}
	}
	r := flowtest.Run(flowtest.NewEngine(s.Snapshot, p.Clock, 1), p)
	if len(r.Dialled) != 64 {
		t.Errorf("%d are dialled", len(r.Dialled))
	}
	if told := r.NotTried(); len(told) != n-64 {
		t.Errorf("%d of %d are said not to be tried", len(told), n-64)
	}
	for _, e := range r.Events {
		line, err := json.Marshal(e)
		if err != nil || len(line) >= journal.MaxLine {
			t.Errorf("%s: a line of %d bytes, %v", e.Type, len(line), err)
		}
	}
	longest := slices.MaxFunc(r.Checkpoints, func(a, b string) int { return len(a) - len(b) })
	if len(longest) > call.MaxCheckpoint {
		t.Errorf("a checkpoint of %d bytes", len(longest))
	}
}

// A dial that lists the members of a plan decides as the plan does.
func TestDialAndPlanDecideAlike(t *testing.T) {
	const folder = `
numbers: {"1000": {flow: by-dial}, "2000": {flow: by-plan}}
targets:
  alice: {user: a@pbx, enabled: false}
  bob: {user: b@pbx, filter: 'caller.number startsWith "+1555"'}
  carol: {user: c@pbx, filter: 'caller.number startsWith "+44"', weight: 7}
  dora: {user: d@pbx, caps: {day: 1}, weight: 3}
  erin: {user: e@pbx, availability: {url: "https://agents.example/erin"}}
  fred: {user: f@pbx, hours: {zone: UTC, week: {sun: "09:00-10:00"}}}
plans:
  all: {strategy: %[1]s, members: [alice, bob, carol, dora, erin, fred]}
---
flow: by-dial
start: d
nodes: {d: {dial: {targets: [alice, bob, carol, dora, erin, fred], strategy: %[1]s}, exits: {else: bye}}, bye: {hangup: {}}}
---
flow: by-plan
start: d
nodes: {d: {plan: {plan: all}, exits: {else: bye}}, bye: {hangup: {}}}
`
	for _, strategy := range []string{"sequential", "round_robin", "weighted", "random", "least_recent", "simultaneous"} {
		s := parseScript(t, fmt.Sprintf(folder, strategy))
		for seed := range 20 {
			test := flowtest.Test{Seed: seed, Availability: map[string]flowtest.Answer{"erin": {Status: 200, Body: "2"}}}
			test.To = "1000"
			byDial := s.Simulate(test)
			test.To = "2000"
			byPlan := s.Simulate(test)
			a, b := withoutTimes(decided(byDial)[0].Attrs), withoutTimes(decided(byPlan)[0].Attrs)
			if b["plan"] != "all" {
				t.Errorf("%s: the plan is told as %q", strategy, b["plan"])
			}
			if delete(b, "plan"); !reflect.DeepEqual(a, b) {
				t.Errorf("%s, seed %d: dial decides\n%v\nthe plan\n%v", strategy, seed, a, b)
			}
			if !slices.Equal(byDial.Targets(), byPlan.Targets()) || !reflect.DeepEqual(byDial.NotTried(), byPlan.NotTried()) {
				t.Errorf("%s, seed %d: dial tries %v, the plan %v", strategy, seed, byDial.Targets(), byPlan.Targets())
			}
		}
	}
}

// withoutTimes returns attributes without how long an answer took.
func withoutTimes(attrs map[string]string) map[string]string {
	out := maps.Clone(attrs)
	for name, value := range out {
		if strings.HasPrefix(name, "asked.") {
			out[name], _, _ = strings.Cut(value, " in ")
		}
	}
	return out
}

// A campaign that is opted into a flow, and back, routes as before: the version of its
// plan, what is decided and who is dialled are the same.
func TestOptingIntoAFlowAndBackChangesNothingElse(t *testing.T) {
	const folder = `
numbers: {"1000": {campaign: roofing}, "2000": {campaign: tiles}}
targets:
  alice: {user: a@pbx, weight: 3, concurrency: 2}
  bob: {user: b@pbx}
plans: {roofing: {members: [alice, bob]}}
campaigns:
  roofing: {plan: roofing, flow: ivr%s}
  tiles: {plan: roofing}
---
flow: ivr
start: hello
nodes: {hello: {play: {prompt: "say:Hello."}, next: p}, p: {plan: {plan: roofing}, exits: {else: bye}}, bye: {hangup: {}}}
`
	play := func(mode, to string) []call.Event {
		r := parseScript(t, fmt.Sprintf(folder, mode)).Simulate(flowtest.Test{To: to, Seed: 3})
		return r.Events
	}
	before := play("", "1000")
	opted := play(", mode: call_flow", "1000")
	back := play(", mode: routing_plan", "1000")
	if before[0].Attrs["flow"] == opted[0].Attrs["flow"] {
		t.Fatalf("the campaign still runs %s", opted[0].Attrs["flow"])
	}
	if !reflect.DeepEqual(before, back) {
		t.Errorf("before\n%+v\nand back\n%+v", before, back)
	}
	if a, b := play("", "2000"), play(", mode: call_flow", "2000"); !reflect.DeepEqual(a, b) {
		t.Errorf("another campaign of the plan routes\n%+v\nand then\n%+v", a, b)
	}
	inPlan, inFlow := slices.IndexFunc(before, isDecided), slices.IndexFunc(opted, isDecided)
	if !reflect.DeepEqual(before[inPlan].Attrs, opted[inFlow].Attrs) {
		t.Errorf("the plan decides %v, and run by a flow %v", before[inPlan].Attrs, opted[inFlow].Attrs)
	}
}

func isDecided(e call.Event) bool { return e.Type == call.Decided }

// A plan of which nobody can be tried has not brought the call to anybody, and it is said
// so, also where another controller ends the call.
func TestThatNobodyCouldBeTriedIsTold(t *testing.T) {
	s := parseScript(t, `
numbers: {"1000": {campaign: closed}}
targets: {alice: {user: a@pbx, enabled: false}}
plans: {nobody: {members: [alice]}}
campaigns: {closed: {plan: nobody, flow: sorry, mode: call_flow}}
---
flow: sorry
start: p
nodes:
  p: {plan: {plan: nobody}, exits: {else: sorry}}
  sorry: {say: "Nobody is there.", next: bye}
  bye: {hangup: {}}
`)
	play := func(lose int) *flowtest.Result {
		p := flowtest.NewPhone(flowtest.Scenario{Call: call.Call{Number: "1000"}}, nil)
		return flowtest.RunEach(func(int) *flowengine.Engine { return flowtest.NewEngine(s.Snapshot, p.Clock, 1) }, p, lose)
	}
	for lose := range play(0).Points + 1 {
		r := play(lose)
		if !slices.ContainsFunc(r.Events, func(e call.Event) bool { return e.Type == call.Failed && e.Why == "nobody took the call" }) {
			t.Errorf("lost at %d, and the call ended without a word:\n%s", lose, r.Trace())
		}
	}
}
