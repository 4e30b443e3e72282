package flowengine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/flowtest"
	"github.com/hookswitch/hookswitch/flowengine/routing"
)

// loadPlans loads documents whose plans can be run.
func loadPlans(t *testing.T, docs ...string) *flowengine.Snapshot {
	t.Helper()
	s, problems := flowengine.LoadFile("f.yaml", []byte(strings.Join(docs, "\n---\n")), planKinds)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return s
}

// place runs a call of the number until it is over, lost at the points.
func place(s *flowengine.Snapshot, is call.Call, callees map[string]flowtest.Callee, lose ...int) *flowtest.Result {
	p := flowtest.NewPhone(flowtest.Scenario{Call: is, Callees: callees, Press: []string{"1"}}, nil)
	return flowtest.Run(flowtest.NewEngine(s, p.Clock, 1), p, lose...)
}

// opening returns the first event of a call.
func opening(t *testing.T, r *flowtest.Result) call.Event {
	t.Helper()
	if len(r.Events) == 0 || r.Events[0].Type != call.Started {
		t.Fatalf("the call was not started\n%s", r.Trace())
	}
	return r.Events[0]
}

const everything = `
organization: acme
name: Acme Leads
zone: America/New_York
---
gateways: {carrier: {gateway: carrier-eu}, spare: {}}
publishers: {google: {name: Google Ads}}
buyers: {roofco: {name: Roof Co}}
targets:
  alice:
    number: "+15550142"
    gateway: carrier
    ring: 20s
    weight: 2
    buyer: roofco
    hours: {week: {mon-fri: "09:00-17:00"}}
    filter: 'tags.state in ["TX", "FL"] and campaign.name == "roofing"'
    caps: {hour: 10, day: 50, month: 1000, total: 5000, zone: America/Chicago}
    concurrency: 3
    duplicates: {within: 720h, of: buyer}
    availability: {url: "https://buyer.example/{{ caller.number }}", path: agents.free}
    whisper: "say:A call from {{ campaign.publisher }}"
  bob: {user: bob@pbx, enabled: false, hours: {zone: Europe/Berlin, week: {}}, duplicates: {within: 1h}}
  carol: {number: "+15550143", gateway: spare}
plans:
  roofing: {members: [{target: alice, priority: 2, weight: 10}, bob]}
  test: {strategy: sequential, members: [carol]}
campaigns:
  roofing:
    name: Roofing in Texas
    plan: roofing
    flow: ivr
    overrides:
      - {priority: 7, match: publisher, operator: equals, value: google, plan: test}
      - {match: caller, operator: starts, value: "+1555", plan: test, enabled: false}
  ivr: {flow: ivr, enabled: false}
numbers:
  "+15550100": {campaign: roofing, publisher: google}
  "+15550101": {campaign: ivr}
  "+15550102": {flow: ivr}
---
flow: ivr
start: bye
nodes: {bye: {hangup: {}}}
`

func TestEverythingOfAnOrganizationIsLoaded(t *testing.T) {
	s := loadPlans(t, everything)
	o, ok := s.Organization("acme")
	if !ok || o.Title != "Acme Leads" || o.Zone.String() != "America/New_York" || len(s.Organizations()) != 1 {
		t.Fatalf("organization %+v", o)
	}
	a, _ := o.Target("alice")
	limits := a.Limits
	limits.Zone = nil
	if want := (call.Limits{Concurrency: 3, Hour: 10, Day: 50, Month: 1000, Total: 5000, Within: 720 * time.Hour, Of: call.OfBuyer}); limits != want {
		t.Errorf("limits %+v", limits)
	}
	if a.Address.Gateway != "carrier-eu" || a.Limits.Zone.String() != "America/Chicago" || a.Hours.Zone.String() != "America/New_York" || !a.Enabled || a.Buyer != "roofco" {
		t.Errorf("alice is %+v", a)
	}
	if a.Availability.Timeout != time.Second || a.Availability.Path != "agents.free" || a.Availability.URL.Head() != "https://buyer.example/" {
		t.Errorf("availability %+v", a.Availability)
	}
	vars := &flowengine.Variables{Tags: map[string]any{"state": "TX"}, Campaign: map[string]string{"name": "roofing", "publisher": "google"}}
	if holds, err := a.Filter.Eval(vars); err != nil || !holds {
		t.Errorf("the filter: %v, %v", holds, err)
	}
	if heard, err := a.Whisper.Render(vars); err != nil || heard.Text != "A call from google" {
		t.Errorf("the whisper: %v, %v", heard, err)
	}
	if b, _ := o.Target("bob"); b.Enabled || b.Limits.Of != call.OfTarget || b.Limits.Zone.String() != "Europe/Berlin" || b.Hours.Zone.String() != "Europe/Berlin" {
		t.Errorf("bob is %+v", b)
	}
	if c, _ := o.Target("carol"); c.Address.Gateway != "spare" || c.Hours != nil || c.Filter != nil || c.Availability != nil || !c.Limits.None() || c.Weight != 1 {
		t.Errorf("carol is %+v", c)
	}
	p, _ := o.Plan("roofing")
	if p.Strategy != "weighted" || !slices.Equal(p.Members, []flowengine.PlanMember{{Target: "alice", Priority: 2, Weight: 10}, {Target: "bob", Priority: 1}}) {
		t.Errorf("plan %+v", p)
	}
	c, _ := o.Campaign("roofing")
	if c.Title != "Roofing in Texas" || c.Mode != flowengine.PlanMode || !c.Enabled || c.Plan != "roofing" || c.Flow != "ivr" || len(c.Overrides) != 2 || c.Overrides[0].Enabled || c.Overrides[1].Priority != 7 {
		t.Errorf("campaign %+v", c)
	}
	for number, want := range map[string]string{"+15550100": "roofing google plan.roofing", "15550101": "ivr  ivr", "+15550102": "  ivr"} {
		r, ok := s.Lookup(number)
		if !ok || r.Org != o {
			t.Fatalf("%s is not found", number)
		}
		campaign := ""
		if r.Campaign != nil {
			campaign = r.Campaign.Name
		}
		if got := campaign + " " + r.Publisher + " " + r.Flow.Name; got != want {
			t.Errorf("%s leads to %s, want %s", number, got, want)
		}
	}
	if g, b, p := o.Gateways(), o.Buyers(), o.Publishers(); len(g) != 2 || len(b) != 1 || b[0].Title != "Roof Co" || len(p) != 1 || p[0].Title != "Google Ads" {
		t.Errorf("gateways %v, buyers %v, publishers %v", g, b, p)
	}
}

// The loader knows the strategies without the package that runs them.
func TestPlansHaveEveryStrategy(t *testing.T) {
	for _, strategy := range routing.Strategies() {
		loadPlans(t, fmt.Sprintf("targets: {a: {user: a@pbx}}\nplans: {p: {strategy: %s, members: [a]}}\n", strategy))
	}
}

// A flow's version covers the plans that it runs, and its bundle holds them.
func TestVersionsCoverPlans(t *testing.T) {
	const doc = `
targets: {a: {user: a@pbx}, "null": {user: b@pbx}}
plans: {"null": {strategy: STRATEGY, members: [a, {target: "null", weight: 3}]}, other: {members: [a]}}
campaigns: {c: {plan: "null"}}
numbers: {1: {campaign: c}, 2: {flow: outer}}
---
flow: outer
start: a
nodes:
  a: {flow: {run: inner}, exits: {done: b}}
  b: {hangup: {}}
---
flow: inner
start: a
ends: [done]
nodes: {a: {plan: {plan: "null"}, exits: {else: done}}}
`
	before := loadPlans(t, strings.Replace(doc, "STRATEGY", "random", 1))
	after := loadPlans(t, strings.Replace(doc, "STRATEGY", "sequential", 1))
	v := &flowengine.Versions{Dir: t.TempDir(), Kinds: planKinds}
	if err := v.Keep(before); err != nil {
		t.Fatal(err)
	}
	for name, changes := range map[string]bool{"outer": true, "inner": true, "plan.null": true, "plan.other": false} {
		old, ok := before.Flow(name)
		if !ok {
			t.Fatalf("there is no flow %s", name)
		}
		now, _ := after.Flow(name)
		if (old.Version != now.Version) != changes {
			t.Errorf("flow %s: version %s, then %s", name, old.Version, now.Version)
		}
		if kept, err := v.Flow(name, old.Version); err != nil || kept.Plan() != old.Plan() || strings.Contains(kept.Bundle(), "random") != changes {
			t.Errorf("flow %s: %v", name, err)
		}
	}
}

// Whoever is dialled, and how the call began, says which plan ran.
func TestOverrides(t *testing.T) {
	const doc = `
publishers: {google: {}, google-maps: {}, bing: {}}
targets: {alice: {user: alice@pbx}, bob: {user: bob@pbx}}
plans: {main: {members: [alice]}, test: {members: [bob]}, third: {members: [bob, alice]}}
campaigns:
  c:
    plan: main
    overrides: [OVERRIDES]
numbers: {1: {campaign: c}, 2: {campaign: c, publisher: google}, 3: {campaign: c, publisher: google-maps}}
`
	const from = "+15551234567"
	for _, c := range []struct {
		overrides    string
		from, to     string
		plan, reason string
	}{
		{``, from, "1", "main", ""},
		{`{match: caller, operator: equals, value: "+15551234567", plan: test}`, from, "1", "test", "caller equals +15551234567"},
		{`{match: caller, operator: equals, value: "15551234567", plan: test}`, from, "1", "test", "caller equals 15551234567"},
		{`{match: caller, operator: equals, value: "+15551234567", plan: test}`, "15551234567", "1", "test", "caller equals +15551234567"},
		{`{match: caller, operator: equals, value: "+1555123456", plan: test}`, from, "1", "main", ""},
		{`{match: caller, operator: starts, value: "+1555", plan: test}`, from, "1", "test", "caller starts +1555"},
		{`{match: caller, operator: starts, value: "+555", plan: test}`, from, "1", "main", ""},
		{`{match: caller, operator: ends, value: "4567", plan: test}`, from, "1", "test", "caller ends 4567"},
		{`{match: caller, operator: ends, value: "456", plan: test}`, from, "1", "main", ""},
		{`{match: caller, operator: contains, value: "1234", plan: test}`, from, "1", "test", "caller contains 1234"},
		{`{match: caller, operator: contains, value: "4321", plan: test}`, from, "1", "main", ""},
		{`{match: caller, operator: regex, value: "^1555[0-9]{7}$", plan: test}`, from, "1", "test", "caller regex ^1555[0-9]{7}$"},
		{`{match: caller, operator: regex, value: "^555", plan: test}`, from, "1", "main", ""},
		{`{match: caller, operator: equals, value: "1", plan: test}`, "", "1", "main", ""},
		{`{match: publisher, operator: equals, value: google, plan: test}`, from, "2", "test", "publisher equals google"},
		{`{match: publisher, operator: equals, value: google, plan: test}`, from, "3", "main", ""},
		{`{match: publisher, operator: equals, value: google, plan: test}`, from, "1", "main", ""},
		{`{match: publisher, operator: starts, value: google, plan: test}`, from, "3", "test", "publisher starts google"},
		{`{match: publisher, operator: ends, value: maps, plan: test}`, from, "3", "test", "publisher ends maps"},
		{`{match: publisher, operator: contains, value: gle-m, plan: test}`, from, "3", "test", "publisher contains gle-m"},
		{`{match: publisher, operator: regex, value: "^g.*e$", plan: test}`, from, "2", "test", "publisher regex ^g.*e$"},
		{`{match: caller, operator: starts, value: "1", publisher: google, plan: test}`, from, "2", "test", "caller starts 1"},
		{`{match: caller, operator: starts, value: "1", publisher: google, plan: test}`, from, "3", "main", ""},
		{`{match: caller, operator: starts, value: "1", plan: test, enabled: false}`, from, "1", "main", ""},
		{`{priority: 5, match: caller, operator: starts, value: "1", plan: third}, {priority: 1, match: caller, operator: ends, value: "7", plan: test}`, from, "1", "test", "caller ends 7"},
		{`{priority: 1, match: caller, operator: starts, value: "1", plan: third}, {priority: 1, match: caller, operator: ends, value: "7", plan: test}`, from, "1", "third", "caller starts 1"},
		{`{match: caller, operator: starts, value: "9", plan: third}, {priority: 9, match: caller, operator: ends, value: "7", plan: test}`, from, "1", "test", "caller ends 7"},
	} {
		s := loadPlans(t, strings.Replace(doc, "OVERRIDES", c.overrides, 1))
		r := place(s, call.Call{Number: c.to, Caller: call.Caller{Number: c.from}}, nil)
		first := map[string]string{"main": "alice", "test": "bob", "third": "bob"}[c.plan]
		if e := opening(t, r); e.Attrs["plan"] != c.plan || e.Attrs["override"] != c.reason || len(r.Targets()) == 0 || r.Targets()[0] != first {
			t.Errorf("%s, from %s to %s: plan %s because of %q, dialled %v", c.overrides, c.from, c.to, e.Attrs["plan"], e.Attrs["override"], r.Targets())
		}
	}
}

// Overrides are for plans; the mode alone decides what runs.
func TestModeDecidesWhatRuns(t *testing.T) {
	const doc = `
targets: {alice: {user: alice@pbx}}
plans: {main: {members: [alice]}}
campaigns: {c: {mode: MODE, plan: main, flow: ivr, overrides: [{match: caller, operator: contains, value: "1", plan: main}]}}
numbers: {1: {campaign: c}}
---
flow: ivr
start: which
nodes:
  which: {branch: {cases: [{name: flow, if: 'campaign.mode == "call_flow" and campaign.plan == ""'}]}, exits: {flow: dial, else: bye}}
  dial: {plan: {plan: main}, exits: {else: bye}}
  bye: {hangup: {}}
`
	for mode, want := range map[string]string{"call_flow": "flow ivr, plan , override ", "routing_plan": "flow plan.main, plan main, override caller contains 1"} {
		r := place(loadPlans(t, strings.Replace(doc, "MODE", mode, 1)), call.Call{Number: "1", Caller: call.Caller{Number: "1"}}, nil)
		a := opening(t, r).Attrs
		if got := fmt.Sprintf("flow %s, plan %s, override %s", a["flow"], a["plan"], a["override"]); got != want || a["mode"] != mode || !slices.Equal(r.Targets(), []string{"alice"}) {
			t.Errorf("%s: %v\n%s", mode, a, r.Trace())
		}
	}
}

// What a call begins with is told once, and what it cannot begin with too.
func TestHowCallsBegin(t *testing.T) {
	s := loadPlans(t, everything)
	is := call.Call{Number: "+15550100", Caller: call.Caller{Number: "+15551230000", Name: "Zoë"}, Switch: "fs1", SIPCallID: "abc@host"}
	e := opening(t, place(s, is, nil))
	version := e.Attrs["version"]
	if want := map[string]string{"from": "+15551230000", "to": "+15550100", "name": "Zoë", "switch": "fs1", "sip_call_id": "abc@host", "campaign": "roofing", "publisher": "google",
		"mode": "routing_plan", "plan": "test", "override": "publisher equals google", "override_priority": "7", "flow": "plan.test", "version": version}; fmt.Sprint(e.Attrs) != fmt.Sprint(want) || e.Org != "acme" {
		t.Errorf("org %s, got  %v\nwant %v", e.Org, e.Attrs, want)
	}
	for number, want := range map[string]string{
		"+15550101": "acme: campaign ivr is disabled: CALL_REJECTED",
		"+15550199": ": number +15550199 is not configured: UNALLOCATED_NUMBER",
	} {
		r := place(s, call.Call{Number: number}, nil)
		opening(t, r)
		failed := r.Events[len(r.Events)-1]
		end, _ := r.End()
		if got := fmt.Sprintf("%s: %s: %s", failed.Org, failed.Why, end); got != want || failed.Type != call.Failed {
			t.Errorf("%s: got %s, want %s", number, got, want)
		}
	}
}

// A plan that is changed, and a target that is disabled, while a call goes on: the call
// keeps the order of its version.
func TestCallsKeepTheirPlan(t *testing.T) {
	const doc = `
targets: {alice: {user: alice@pbx}, bob: {user: bob@OLD}}
plans: {main: {members: [MEMBERS]}}
campaigns: {c: {plan: main}}
numbers: {1: {campaign: c}}
`
	old := loadPlans(t, strings.NewReplacer("MEMBERS", "alice, bob", "OLD", "old").Replace(doc))
	now := loadPlans(t, strings.NewReplacer("MEMBERS", "bob", "OLD", "new").Replace(doc)).With(old)
	p := flowtest.NewPhone(flowtest.Scenario{Call: call.Call{Number: "1"}, Callees: map[string]flowtest.Callee{"alice": {After: time.Second, Cause: call.UserBusy}}}, nil)
	r := flowtest.RunEach(func(epoch int) *flowengine.Engine {
		if epoch == 1 {
			return flowtest.NewEngine(old, p.Clock, 1)
		}
		return flowtest.NewEngine(now, p.Clock, 1)
	}, p, 3)
	last := r.Events[len(r.Events)-1]
	if !slices.Equal(slices.Compact(r.Targets()), []string{"alice", "bob"}) || r.Epochs != 2 || last.Org != "default" {
		t.Errorf("dialled %v\n%s", r.Targets(), r.Trace())
	}
	for _, e := range r.Events {
		if e.Type == call.TargetDialed && e.Target == "bob" && e.Attrs["address"] != "bob@new" {
			t.Errorf("bob is dialled at %s", e.Attrs["address"])
		}
	}
}
