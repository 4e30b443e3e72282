package nodes_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/flowtest"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
)

func load(t *testing.T, doc string) *flowengine.Snapshot {
	t.Helper()
	s, problems := flowengine.LoadFile("f.yaml", []byte(doc), nodes.Kinds)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return s
}

const splitFlow = `
numbers: {"1000": {flow: f}}
---
flow: f
start: which
nodes:
  which: {split: {shares: {small: 0.5, third: 33.25, rest: 66.25}, sticky: STICKY}, exits: {small: bye, third: bye, rest: bye}}
  bye: {hangup: {}}
`

// Shares are met within one percent of all calls, by chance and by the caller's number.
func TestSplitMeetsItsShares(t *testing.T) {
	split := &nodes.Split{Shares: map[string]nodes.Percent{"small": 50, "third": 3325, "rest": 6625}}
	chance := rand.New(rand.NewPCG(1, 0))
	for name, point := range map[string]func(i int) float64{
		"by chance":              func(int) float64 { return chance.Float64() },
		"by the caller's number": func(i int) float64 { return nodes.PointOf(fmt.Sprintf("1555%07d", i), "f", "which") },
	} {
		t.Run(name, func(t *testing.T) {
			const calls = 100_000
			got := map[string]int{}
			for i := range calls {
				got[split.Share(point(i))]++
			}
			for name, percent := range split.Shares {
				want := float64(percent) / 10_000
				if share := float64(got[name]) / calls; math.Abs(share-want) > 0.01 || got[name] == 0 {
					t.Errorf("%s has %.4f of the calls, want %.4f", name, share, want)
				}
			}
		})
	}
	for point, want := range map[float64]string{0: "rest", 0.6624: "rest", 0.6625: "small", 0.6674: "small", 0.6675: "third", math.Nextafter(1, 0): "third"} {
		if got := split.Share(point); got != want {
			t.Errorf("point %v is in %s, want %s", point, got, want)
		}
	}
}

// Callers without a number of their own do not all go the same way, sticky or not.
func TestSplitWithoutANumber(t *testing.T) {
	for _, sticky := range []string{"none", "caller"} {
		e := flowtest.NewEngine(load(t, strings.Replace(splitFlow, "STICKY", sticky, 1)), &flowtest.Clock{}, 1)
		for _, number := range []string{"", "anonymous"} {
			ways := map[string]bool{}
			for range 50 {
				p := flowtest.NewPhone(flowtest.Scenario{Call: call.Call{Number: "1000", Caller: call.Caller{Number: number}}}, nil)
				ways[flowtest.Run(e, p).Path()[0]] = true
			}
			if len(ways) < 2 {
				t.Errorf("sticky: %s, caller %q: all calls go by %v", sticky, number, ways)
			}
		}
	}
}

// The same caller goes the same way, on any server and however the + is written; another
// node divides the callers differently.
func TestSplitSticksToTheCaller(t *testing.T) {
	doc := strings.Replace(splitFlow, "STICKY", "caller", 1)
	s, other := load(t, doc), load(t, strings.ReplaceAll(doc, "which", "other"))
	differ := 0
	for i := range 1000 {
		number := fmt.Sprintf("1555%07d", i)
		path := func(s *flowengine.Snapshot, from string, seed uint64) string {
			p := flowtest.NewPhone(flowtest.Scenario{Call: call.Call{Number: "1000", Caller: call.Caller{Number: from}}}, nil)
			_, exit, _ := strings.Cut(flowtest.Run(flowtest.NewEngine(s, p.Clock, seed), p).Path()[0], " ")
			return exit
		}
		first := path(s, number, 1)
		if again := path(s, "+"+number, 2); again != first {
			t.Fatalf("%s goes to %s and then to %s", number, first, again)
		}
		if path(other, number, 1) != first {
			differ++
		}
	}
	if differ < 300 {
		t.Errorf("another node sends all but %d of 1000 callers the same way", differ)
	}
}

// A choice by chance is kept when the call is taken over, by a server that would choose
// otherwise.
func TestSplitKeepsItsChoice(t *testing.T) {
	s := load(t, strings.Replace(splitFlow, "STICKY", "none", 1))
	for seed := range uint64(20) {
		scene := flowtest.Scenario{Call: call.Call{Number: "1000"}}
		p := flowtest.NewPhone(scene, nil)
		plain := flowtest.Run(flowtest.NewEngine(s, p.Clock, seed), p)
		p = flowtest.NewPhone(scene, nil)
		r := flowtest.RunEach(func(epoch int) *flowengine.Engine {
			return flowtest.NewEngine(s, p.Clock, seed+uint64(epoch-1)*100)
		}, p, 4) // the choice is kept, and nothing is recorded yet
		if !slices.Equal(r.Path(), plain.Path()) {
			t.Errorf("seed %d: path %v, want %v\n%s", seed, r.Path(), plain.Path(), r.Trace())
		}
	}
}

// Whoever has been without a call for longest is dialled first, over the calls of one
// server.
func TestLeastRecent(t *testing.T) {
	s := load(t, `
numbers: {"1000": {flow: f}}
targets:
  alice: {user: alice@pbx}
  bob: {user: bob@pbx}
  carol: {user: carol@pbx}
---
flow: f
start: d
nodes:
  d: {dial: {targets: [alice, bob, carol], strategy: least_recent}, exits: {else: bye}}
  bye: {hangup: {}}
`)
	clock := &flowtest.Clock{}
	e := flowtest.NewEngine(s, clock, 1)
	dial := func(busy ...string) []string {
		scene := flowtest.Scenario{Call: call.Call{Number: "1000"}, Callees: map[string]flowtest.Callee{}}
		for _, name := range busy {
			scene.Callees[name] = flowtest.Callee{Cause: call.UserBusy}
		}
		return flowtest.Run(e, flowtest.NewPhone(scene, clock)).Targets()
	}
	for i, c := range []struct{ busy, want []string }{
		{nil, []string{"alice"}},
		{[]string{"bob"}, []string{"bob", "carol"}},
		{nil, []string{"alice"}},
		{nil, []string{"bob"}},
	} {
		if got := dial(c.busy...); !slices.Equal(got, c.want) {
			t.Errorf("call %d: dialled %v, want %v", i+1, got, c.want)
		}
	}
}

// What a caller sends can fail a node, but cannot end the call.
func TestLongValuesAreRefused(t *testing.T) {
	for name, node := range map[string]string{
		"set":  `{set: {vars: {name: "{{ caller.name }}"}}`,
		"tag":  `{tag: {tags: {name: "{{ caller.name }}"}}`,
		"emit": `{emit: {event: lead, data: {name: "{{ caller.name }}"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := load(t, `
numbers: {"1000": {flow: f}}
---
flow: f
start: a
nodes:
  a: `+node+`, next: b, exits: {error: long}}
  b: {say: "Fine.", next: bye}
  long: {say: "Too long.", next: bye}
  bye: {hangup: {}}
`)
			for size, want := range map[int]string{100: "a next, b next, bye", 100_000: "a error, long next, bye"} {
				p := flowtest.NewPhone(flowtest.Scenario{Call: call.Call{Number: "1000", Caller: call.Caller{Name: strings.Repeat("ü", size)}}}, nil)
				r := flowtest.Run(flowtest.NewEngine(s, p.Clock, 1), p)
				if got := strings.Join(r.Path(), ", "); got != want {
					t.Errorf("%d characters: path %s, want %s\n%.2000s", size, got, want, r.Trace())
				}
			}
		})
	}
}
