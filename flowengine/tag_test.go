package flowengine_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/flowtest"
)

const typedTags = `
tags:
  state: {type: enum, values: [TX, FL]}
  income: {type: number, min: 0}
  vip: {type: boolean}
  since: {type: date}
  secret: {type: number, privacy: private}
targets:
  rich: {user: rich@pbx, filter: 'tags.income > 1000.5 and tags.vip'}
  hidden: {user: hidden@pbx, filter: 'tags.secret > 5'}
  broken: {user: broken@pbx, filter: 'int(string(tags.secret) + "x") > 5'}
  all: {user: all@pbx}
plans: {best: {strategy: sequential, members: [rich, hidden, broken, all]}}
campaigns: {main: {flow: main}}
numbers: {"1": {campaign: main}}
---
flow: main
start: write
nodes:
  write:
    tag: {tags: {state: "{{ caller.name }}", income: "{{ caller.number }}", vip: "{{ number == \"1\" }}", since: "{{ now }}", secret: 4.5, other: 7}}
    next: split
  split:
    branch: {cases: [{name: typed, if: 'tags.income == 5000 and tags.vip and tags.since startsWith "2026-07-01" and (tags.state ?? "none") == "TX"'}]}
    exits: {typed: plan, else: bye}
  plan: {plan: {plan: best}, exits: {else: bye}}
  bye: {hangup: {}}
`

// tagged returns the last value of each tag that the events tell.
func tagged(r *flowtest.Result) map[string]string {
	out := map[string]string{}
	for _, e := range r.Events {
		if e.Type == call.Tagged {
			out[e.Attrs["tag"]] = e.Attrs["value"]
		}
	}
	return out
}

// What fits is of the type of its tag, whoever controls the call; what does not is not
// written, the call goes on, and the step says why.
func TestTagsAreOfTheTypeOfTheirDefinition(t *testing.T) {
	s := load(t, typedTags)
	const since = "2026-07-01T12:00:00Z"
	for _, c := range []struct {
		name, number string
		path         []string
		tags         map[string]string
		why          string
	}{
		{"TX", "5000", []string{"write next", "split typed", "plan completed", "bye"},
			map[string]string{"state": "TX", "income": "5000", "vip": "true", "since": since, "secret": "4.5", "other": "7"}, "income, other, secret, since, state, vip"},
		{"TX", "5000.0", []string{"write next", "split typed", "plan completed", "bye"},
			map[string]string{"state": "TX", "income": "5000", "vip": "true", "since": since, "secret": "4.5", "other": "7"}, "income, other, secret, since, state, vip"},
		{"CA", "+5000", []string{"write next", "split else", "bye"}, map[string]string{"vip": "true", "since": since, "secret": "4.5", "other": "7"},
			"income, other, secret, since, state, vip, tag income refused: no number such as 25 or -0.5, without an exponent, of at most 40 characters, tag state refused: none of its 2 values"},
	} {
		for lose := range 12 {
			r := place(s, call.Call{Number: "1", Caller: call.Caller{Number: c.number, Name: c.name}}, nil, lose)
			why := ""
			for _, e := range r.Events {
				if e.Type == call.Step && e.Step == "write" && e.Epoch == 1 {
					why = e.Why
				}
			}
			if !slices.Equal(slices.Compact(r.Path()), c.path) || !maps.Equal(tagged(r), c.tags) || lose == 0 && why != c.why {
				t.Errorf("%s %s, lost at %d: %q, %v\n%s", c.name, c.number, lose, why, tagged(r), r.Trace())
			}
		}
	}
}

// Why a target is not tried tells the values that its filter read, but none that is private.
func TestPrivateTagsAreNotTold(t *testing.T) {
	s := load(t, strings.Replace(typedTags, "1000.5 and tags.vip", "9000", 1))
	r := place(s, call.Call{Number: "1", Caller: call.Caller{Number: "5000", Name: "TX"}}, nil)
	for _, e := range r.Events {
		if e.Type == call.Decided {
			if not := e.Attrs["not.broken"]; not != "filter: an expression that reads a tag which is not public fails" {
				t.Errorf("a filter that fails: %s", not)
			}
			if not := e.Attrs["not.hidden"]; not != "filter: tags.secret is private" || e.Attrs["not.rich"] != "filter: tags.income is 5000" {
				t.Errorf("%v", e.Attrs)
			}
			return
		}
	}
	t.Error(r.Trace())
}

// A simulated call begins with tags of the types of their definitions.
func TestTagsThatACallBeginsWith(t *testing.T) {
	s := load(t, typedTags)
	for _, c := range []struct {
		tags map[string]any
		want string // who is dialled
	}{
		{map[string]any{"income": "2000", "vip": "true"}, "rich"},
		{map[string]any{"income": 2000.5, "vip": true}, "rich"},
		{map[string]any{"income": "many", "vip": true, "other": "x"}, "all"},
	} {
		p := flowtest.NewPhone(flowtest.Scenario{Call: call.Call{Number: "9"}, Org: "default", Flow: "plan.best", Tags: c.tags}, nil)
		r := flowtest.Run(flowtest.NewEngine(s, p.Clock, 1), p)
		if got := r.Targets(); len(got) != 1 || got[0] != c.want {
			t.Errorf("%v: %v\n%s", c.tags, got, r.Trace())
		}
	}
}

// The rules of money that are in force when a call begins, or a target is dialled, stand in
// its events, and hold for whoever takes the call over.
func TestRulesOfMoneyAreTold(t *testing.T) {
	const doc = `
organization: acme
currency: EUR
---
targets: {alice: {user: alice@pbx, revenue: {amount: "40", after: 60s}}, bob: {user: bob@pbx}}
campaigns: {paid: {flow: main, conversion: {connected: 30s}, payout: {amount: "25", after: 30s}}, free: {flow: main}}
numbers: {"1": {campaign: paid}, "2": {campaign: free}, "3": {flow: main}}
---
flow: main
start: a
nodes:
  a: {dial: {targets: [bob, alice], strategy: simultaneous}, exits: {else: b}}
  b: {hangup: {}}`
	now := loadPlans(t, doc)
	later := loadPlans(t, strings.NewReplacer(`"25"`, `"26"`, "30s", "31s").Replace(doc)).With(now)
	for number, want := range map[string][2]string{"1": {"30000", "25.00 EUR after 30000"}, "2": {}, "3": {}} {
		opened, dialled := 0, 0
		for _, lose := range []int{0, 2, 3, 4, 5, 6, 7, 8} { // at 1 the call would begin anew
			p := flowtest.NewPhone(flowtest.Scenario{Call: call.Call{Number: number}}, nil)
			r := flowtest.RunEach(func(epoch int) *flowengine.Engine {
				return flowtest.NewEngine([]*flowengine.Snapshot{now, later}[min(epoch, 2)-1], p.Clock, 1)
			}, p, lose)
			for _, e := range r.Events {
				switch e.Type {
				case call.Started, call.Resumed:
					opened++
					if got := [2]string{e.Attrs["conversion"], e.Attrs["payout"]}; got != want {
						t.Errorf("%s of %s, lost at %d: %q", e.Type, number, lose, got)
					}
				case call.TargetDialed:
					dialled++
					if want := map[string]string{"alice": "40.00 EUR after 60000"}[e.Target]; e.Attrs["revenue"] != want {
						t.Errorf("%s: %q", e.Target, e.Attrs["revenue"])
					}
				}
			}
		}
		if opened < 12 || dialled < 16 {
			t.Errorf("%d beginnings, %d attempts", opened, dialled)
		}
	}
}

// A connection that no controller saw end is told with the rule of its target.
func TestLateConnectionsTellTheirRule(t *testing.T) {
	s := loadPlans(t, `
targets: {alice: {user: alice@pbx, revenue: {amount: "40", after: 60s}}}
numbers: {"1": {flow: main}}
---
flow: main
start: a
nodes:
  a: {dial: {targets: [alice]}, exits: {else: b}}
  b: {hangup: {}}`)
	late := 0
	for lose := 1; lose < 10; lose++ {
		r := place(s, call.Call{Number: "1"}, map[string]flowtest.Callee{"alice": {After: time.Second, Talks: time.Minute}}, lose)
		for _, e := range r.Events {
			if e.Type == call.Released && e.Attrs["late"] == "true" {
				if late++; e.Attrs["revenue"] != "40.00 USD after 60000" {
					t.Errorf("%v", e.Attrs)
				}
			}
		}
	}
	if late == 0 {
		t.Error("nothing was late")
	}
}
