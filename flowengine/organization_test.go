package flowengine_test

import (
	"cmp"
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/flowtest"
)

// organizations are two that name everything alike. The flows of the second differ, but
// for one that both have to the letter.
func organizations() fstest.MapFS {
	const things = `
targets: {alice: {user: alice@ORG}, bob: {user: bob@ORG}}
publishers: {google: {name: Google for ORG}}
plans: {best: {members: [{target: FIRST}]}}
campaigns: {main: {plan: best}, ivr: {flow: main}}
numbers: {"NUMBER1": {campaign: main, publisher: google}, "NUMBER2": {campaign: ivr}, "NUMBER3": {flow: same}}
---
flow: main
start: tell
nodes:
  tell: {tag: {tags: {whose: ORG, says: "{{ campaign.organization }}"}}, next: turn}
  turn: {dial: {targets: [alice, bob], strategy: round_robin}, exits: {else: away}}
  away: {transfer: {to: "AWAY"}}
---
flow: same
start: dial
nodes:
  dial: {dial: {targets: [alice]}, exits: {else: bye}}
  bye: {hangup: {}}
`
	of := func(org, first, digit, away string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(strings.NewReplacer("ORG", org, "FIRST", first, "NUMBER", digit, "AWAY", away).Replace(things))}
	}
	return fstest.MapFS{
		"acme/org.yaml":      {Data: []byte("organization: acme\n")},
		"acme/deep/all.yaml": of("acme", "alice", "1", "21"),
		"beta/org.yaml":      {Data: []byte("organization: beta\n")},
		"beta/all.yaml":      of("beta", "bob", "2", "21"),
	}
}

// Two organizations that name everything alike never see what the other has, whatever
// is lost and taken over on the way.
func TestOrganizationsNeverMeet(t *testing.T) {
	s, problems := flowengine.Load(organizations(), planKinds)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	p := flowtest.NewPhone(flowtest.Scenario{}, nil)
	engine := flowtest.NewEngine(s, p.Clock, 1) // one for all, as in a server
	addresses := func(r *flowtest.Result) (out []string) {
		for _, e := range r.Events {
			if e.Type == call.TargetDialed {
				out = append(out, e.Attrs["address"])
			}
		}
		return out
	}
	play := func(number string, lose ...int) *flowtest.Result {
		p := flowtest.NewPhone(flowtest.Scenario{Call: call.Call{Number: number, Caller: call.Caller{Number: "+15550100"}}}, nil)
		return flowtest.Run(engine, p, lose...)
	}
	for _, c := range []struct{ number, org, dials string }{
		{"11", "acme", "alice@acme"}, {"21", "beta", "bob@beta"},
		{"12", "acme", "alice@acme"}, {"22", "beta", "alice@beta"}, // the turns of the other do not count
		{"12", "acme", "bob@acme"}, {"22", "beta", "bob@beta"},
		{"13", "acme", "alice@acme"}, {"23", "beta", "alice@beta"},
	} {
		r := play(c.number)
		if got := addresses(r); len(got) != 1 || got[0] != c.dials {
			t.Errorf("%s dials %v, want %s\n%s", c.number, got, c.dials, r.Trace())
		}
		for lose := range r.Points + 1 {
			r := play(c.number, lose)
			for _, e := range r.Events {
				if a := e.Attrs; e.Type == call.Resumed && c.number[1] == '1' && (a["campaign"] != "main" || a["plan"] != "best" || a["publisher"] != "google" || a["mode"] != "routing_plan") {
					t.Errorf("%s, lost at %d: resumed with %v", c.number, lose, a)
				}
				if e.Org != c.org {
					t.Errorf("%s, lost at %d: %s is of %q", c.number, lose, e.Type, e.Org)
				}
			}
			if tags := r.Tags(); tags["whose"] != "" && (tags["whose"] != c.org || tags["says"] != c.org) {
				t.Errorf("%s, lost at %d: tags %v", c.number, lose, tags)
			}
			for _, address := range addresses(r) {
				if !strings.HasSuffix(address, "@"+c.org) {
					t.Errorf("%s, lost at %d: dials %s", c.number, lose, address)
				}
			}
		}
	}
	if _, ok := s.Target("alice"); ok {
		t.Error("a name alone finds a target although it is of two")
	}
	if _, ok := s.Flow("main"); ok {
		t.Error("a name alone finds a flow although it is of two")
	}
}

// What one organization uses up is not used up for the other, and every limit that is
// written is counted.
func TestLimitsAreThoseOfOneOrganization(t *testing.T) {
	const doc = `
organization: ORG
---
targets: {alice: {user: alice@ORG, LIMIT}}
buyers: {roofco: {}}
campaigns: {c: {flow: f}}
numbers: {"NUMBER": {campaign: c}}
---
flow: f
start: a
nodes:
  a: {dial: {targets: [alice]}, exits: {else: b}}
  b: {hangup: {}}
`
	for limit, want := range map[string]string{
		"caps: {hour: 1}":           "cap_hour: 1 of 1",
		"caps: {day: 1}":            "cap_day: 1 of 1",
		"caps: {month: 1}":          "cap_month: 1 of 1",
		"caps: {total: 1}":          "cap_total: 1 of 1",
		"duplicates: {within: 24h}": "duplicate: connected with the target",
		"buyer: roofco, duplicates: {within: 1h, of: buyer}":       "duplicate: connected with the buyer",
		"caps: {total: 5}, duplicates: {within: 1h, of: campaign}": "duplicate: connected with the campaign",
		"caps: {hour: 2, total: 3}, concurrency: 2":                "",
	} {
		fsys := fstest.MapFS{}
		for org, number := range map[string]string{"acme": "1", "beta": "2"} {
			fsys[org+"/all.yaml"] = &fstest.MapFile{Data: []byte(strings.NewReplacer("ORG", org, "NUMBER", number, "LIMIT", limit).Replace(doc))}
		}
		s, problems := flowengine.Load(fsys, planKinds)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		clock := &flowtest.Clock{}
		engine := flowtest.NewEngine(s, clock, 1)
		for i, number := range []string{"1", "2", "1", "2"} {
			id := call.LegUUID(limit, i, 0)
			r := flowtest.Run(engine, flowtest.NewPhone(flowtest.Scenario{Call: call.Call{ID: id, Number: number, Caller: call.Caller{Number: "+15550100"}}}, clock))
			refused := ""
			for _, e := range r.Events {
				refused = cmp.Or(refused, e.Attrs["not.alice"])
			}
			if first := i < 2; first && refused != "" || !first && (!strings.HasPrefix(refused, want) || (refused == "") != (want == "")) {
				t.Errorf("%s: call %d, to %s: refused because of %q\n%s", limit, i+1, number, refused, r.Trace())
			}
		}
	}
}

// A call that the dialplan brings back as one of another organization is turned away.
func TestCallsStayInTheirOrganization(t *testing.T) {
	s, problems := flowengine.Load(organizations(), planKinds)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for number, want := range map[string]string{"12": "number 21 is of another organization than the call", "22": ""} {
		p := flowtest.NewPhone(flowtest.Scenario{Call: call.Call{Number: number}}, nil)
		e := flowtest.NewEngine(s, p.Clock, 1)
		flowtest.Run(e, p)
		p.Call.Number, p.Call.Transfers = "21", 1
		r := flowtest.Run(e, p)
		why := ""
		for _, e := range r.Events {
			if e.Type == call.Failed {
				why = e.Why
			}
		}
		if end, _ := r.End(); why != want || (want != "") != (end == string(call.CallRejected)) {
			t.Errorf("from %s: %q, %s\n%s", number, why, end, r.Trace())
		}
	}
}

func TestFoldersOfOrganizations(t *testing.T) {
	const flow = "flow: f\nstart: a\nnodes: {a: {hangup: {}}}\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"outside": {map[string]string{"a/org.yaml": "organization: a", "a/f.yaml": flow, "f.yaml": flow + "---\nnumbers: {}"},
			"f.yaml:1:1: the document is of no organization; move it into the folder of one, or add a document with organization:"},
		"twice": {map[string]string{"a/org.yaml": "organization: a", "b/org.yaml": "organization: a"},
			`b/org.yaml:1:15: organization "a" is defined already, at a/org.yaml:1:15`},
		"one inside the other": {map[string]string{"a/org.yaml": "organization: a", "a/b/org.yaml": "organization: b"},
			"a/org.yaml:1:15: one organization is in the folder of another, see a/b/org.yaml:1:15; give each a folder of its own, beside the other"},
		"a name that begins alike": {map[string]string{"a/org.yaml": "organization: a", "ab/org.yaml": "organization: b", "ab/f.yaml": flow}, ""},
		"a number of both": {map[string]string{"a/all.yaml": "organization: a\n---\nnumbers: {\"+1\": {flow: f}}\n---\n" + flow, "b/all.yaml": "organization: b\n---\nnumbers: {1: {flow: f}}\n---\n" + flow},
			`b/all.yaml:3:11: number "1" is of organization a already, at a/all.yaml:3:11; a number belongs to one organization`},
		"what only the other has": {map[string]string{"a/all.yaml": "organization: a\n---\nnumbers: {1: {flow: f}}", "b/all.yaml": "organization: b\n---\n" + flow},
			`a/all.yaml:3:21: there is no flow "f"; no flow is defined; add a document with flow:`},
		"hours without a zone": {map[string]string{"a/all.yaml": `{targets: {x: {user: x@y, hours: {week: {mon: "09:00-10:00"}}}}}`},
			`a/all.yaml:1:34: hours needs a time zone; add zone:, or give one to the organization`},
	} {
		fsys := fstest.MapFS{}
		for file, text := range c.files {
			fsys[file] = &fstest.MapFile{Data: []byte(text)}
		}
		_, problems := flowengine.Load(fsys, planKinds)
		var got []string
		for _, p := range problems {
			got = append(got, p.String())
		}
		if strings.Join(got, "\n") != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, strings.Join(got, "\n"), c.want)
		}
	}
	// On a disk, under a name of any form.
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "a", "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{"a/org.yaml": "organization: a", "a/deep/f.yaml": flow} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if s, problems := flowengine.LoadDir(dir+"/./", planKinds); len(problems) > 0 || len(s.Organizations()) != 1 || s.Organizations()[0].Name != "a" {
		t.Errorf("from a disk: %v", problems)
	}
}

// A gateway is known by the name that the organization gives it, in targets and dials
// alike; one that says nothing of gateways takes those of the switch.
func TestGatewaysOfOrganizations(t *testing.T) {
	const doc = `
targets: {alice: {number: "+15550142", gateway: out}}
numbers: {1: {flow: f}}
---
flow: f
start: a
nodes:
  a: {dial: {targets: [alice, "+15550143"], gateway: out, strategy: simultaneous}, exits: {else: b}}
  b: {hangup: {}}
`
	for gateways, want := range map[string]string{"gateways: {out: {gateway: carrier-eu}}": "carrier-eu", "gateways: {out: {}}": "out", "targets: {}": "out"} {
		s := loadPlans(t, gateways, doc)
		for _, l := range place(s, call.Call{Number: "1"}, nil).Bridges[0].Legs {
			if l.Address.Gateway != want {
				t.Errorf("%s: %s is dialled through %q", gateways, l.Target, l.Address.Gateway)
			}
		}
		// Without the organization's gateway the call goes nowhere.
		less := loadPlans(t, "gateways: {other: {}}", "numbers: {1: {flow: f}}", "flow: f\nstart: b\nnodes: {b: {hangup: {}}}").With(s)
		p := flowtest.NewPhone(flowtest.Scenario{Call: call.Call{Number: "1"}}, nil)
		r := flowtest.RunEach(func(epoch int) *flowengine.Engine {
			return flowtest.NewEngine([]*flowengine.Snapshot{s, less}[epoch-1], p.Clock, 1)
		}, p, 1)
		if len(r.Bridges) > 0 || r.Epochs != 2 {
			t.Errorf("%s: dialled %v\n%s", gateways, r.Targets(), r.Trace())
		}
	}
}

// A call that was begun by a program which knew no organizations is of that of its
// number.
func TestOlderCheckpointsHaveNoOrganization(t *testing.T) {
	s, problems := flowengine.Load(organizations(), planKinds)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	r, _ := s.Lookup("23")
	payload := base64.RawURLEncoding.EncodeToString([]byte(`{"v":1,"f":"same","h":"` + r.Flow.Version + `","n":"dial","k":1}`))
	p := flowtest.NewPhone(flowtest.Scenario{Call: call.Call{Number: "23"}}, nil)
	p.Checkpoint = call.Checkpoint{Epoch: 1, Node: "n1", Payload: payload}.String()
	got := flowtest.Run(flowtest.NewEngine(s, p.Clock, 1), p)
	if first := got.Events[0]; first.Type != call.Resumed || first.Org != "beta" || !slices.Equal(got.Targets(), []string{"alice"}) || got.Bridges[0].Legs[0].Address.User != "alice@beta" {
		t.Errorf("of %q\n%s", first.Org, got.Trace())
	}
}
