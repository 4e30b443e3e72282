package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing/fstest"
	"time"

	yaml "go.yaml.in/yaml/v4"

	"github.com/hookswitch/hookswitch/e2e/table"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/flowtest"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
)

const (
	flows        = 1_000
	scripts      = 10_000
	scriptsAFile = 100

	flowsLimit   = 2 * time.Second
	scriptsLimit = 10 * time.Second
)

// typical is a flow as people write them: 15 nodes of as many kinds, 17
// expressions.
const typical = `
flow: line-%[1]d
start: pick-up
nodes:
  pick-up: {answer: {}, next: known}
  known:
    branch:
      cases:
        - {name: anonymous, if: 'caller.number == "" or caller.name contains "anon"'}
        - {name: early, if: 'now.Hour() < 8 and now.Weekday().String() != "Sunday"'}
        - {name: partner, if: 'call.headers["X-Partner"] in ["north", "south"]'}
    exits: {anonymous: sorry, early: early, partner: people, else: office}
  early: {say: "Good morning {{ caller.name }}, we open at nine.", next: office}
  office:
    hours: {zone: America/New_York, week: {mon-fri: "09:00-12:00, 13:00-17:30"}, dates: {"12-24": closed}, holidays: [us]}
    exits: {open: where, else: message}
  where:
    geo: {cases: [{name: licensed, states: [TX, FL, OH, PA]}, {name: abroad, countries: [GB, IE]}]}
    exits: {licensed: look-up, abroad: sorry, else: welcome}
  look-up:
    request:
      url: "https://crm.example/callers/{{ caller.number }}"
      headers: {X-Line: "{{ number }}"}
      success: status == 200 and body.name != nil
      vars: {name: body.name, level: body.level}
      music: "tone:%%(200,800,350)"
    exits: {ok: welcome, error: people, timeout: people}
  welcome:
    menu: {prompt: "say:Hello {{ vars.name ?? caller.name }}. Press 1 for sales, 2 for help.", tries: 2}
    exits: {"1": agreed, "2": account, else: people}
  account:
    gather: {prompt: "say:Please enter your account number.", min: 4, max: 8, terminator: "#"}
    exits: {ok: agreed, else: people}
  agreed: {tag: {tags: {level: "{{ vars.level }}", chose: "{{ vars.welcome + vars.account }}"}}, next: share}
  share: {split: {shares: {short: 60, long: 40}, sticky: caller}, exits: {short: people, long: note}}
  note: {set: {vars: {greeting: "{{ vars.level == 'gold' ? 'Dear ' : '' }}{{ vars.name }}"}}, next: people}
  people:
    dial: {targets: [alice, bob], ring: 15s, whisper: "say:{{ vars.greeting }}, for {{ number }}."}
    exits: {completed: bye, else: message}
  message: {voicemail: {greeting: "say:Please leave a message.", max: 2m, box: line-%[1]d}, exits: {recorded: bye, empty: sorry}}
  sorry: {play: {prompt: "say:Please call again, {{ caller.name }}."}, next: bye}
  bye: {hangup: {}}
`

// validation is what a folder of flows costs to check, and what of it is
// spent by the YAML library.
func validation(context.Context) ([]table.Row, error) {
	folder := fstest.MapFS{}
	lines := []byte("targets: {alice: {user: alice@pbx.example}, bob: {user: bob@pbx.example}}\nnumbers:\n")
	for i := range flows {
		folder[fmt.Sprintf("line-%d.yaml", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, typical, i)}
		lines = fmt.Appendf(lines, "  \"+1555%07d\": {flow: line-%d}\n", i, i)
	}
	folder["lines.yaml"] = &fstest.MapFile{Data: lines}
	return against(fmt.Sprintf("%d flows of 15 nodes validated", flows), "parsing their YAML", flowsLimit, 8, side{"flows", func() error {
		_, problems := flowengine.Load(folder, nodes.Kinds)
		if len(problems) > 0 {
			return problems[0]
		}
		return nil
	}}, func() error {
		for _, f := range folder {
			var root yaml.Node
			if err := yaml.Load(f.Data, &root); err != nil {
				return err
			}
		}
		return nil
	})
}

// testScripts is what tests of flows cost to read, play and compare, and what
// of it is spent on the calls themselves.
func testScripts(context.Context) (rows []table.Row, err error) {
	dir, err := os.MkdirTemp("", "hookswitch-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := writeScripts(dir); err != nil {
		return nil, err
	}
	script, problems := flowtest.LoadDir(dir, nodes.Kinds)
	if len(problems) > 0 {
		return nil, problems[0]
	}
	return against(fmt.Sprintf("%d test scripts of five nodes read and played", scripts), "the calls alone", scriptsLimit, 8, side{"scripts", func() error {
		s, problems := flowtest.LoadDir(dir, nodes.Kinds)
		if len(problems) > 0 {
			return problems[0]
		}
		coverage := flowtest.NewCoverage(s.Snapshot)
		var passed atomic.Int64
		s.PlayAll(s.Tests, func(_ int, r *flowtest.Result, err error) {
			if err == nil {
				passed.Add(1)
			}
			coverage.Add(r)
		})
		if passed.Load() != scripts {
			return fmt.Errorf("%d of %d tests passed", passed.Load(), scripts)
		}
		return nil
	}}, func() error {
		for i := range script.Tests {
			if r := script.Simulate(script.Tests[i]); len(r.Path()) != fiveSteps {
				return fmt.Errorf("a call went %v", r.Path())
			}
		}
		return nil
	})
}

func writeScripts(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "five.yaml"), []byte(fiveNodes), 0o600); err != nil {
		return err
	}
	for first := 0; first < scripts; first += scriptsAFile {
		var doc strings.Builder
		doc.WriteString("tests:\n")
		for i := first; i < first+scriptsAFile; i++ {
			fmt.Fprintf(&doc, `  - name: caller %[1]d presses 1
    from: "+1310%07[1]d"
    digits: ["1"]
    expect:
      path: [pick_up next, greet next, choose 1, sort local, bye]
      why: {choose: pressed 1}
      verbs: [answer, "play tone:%%(100,0,440)", "gather tone:%%(100,0,600)", hangup NORMAL_CLEARING]
      ends: NORMAL_CLEARING
`, i)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.test.yaml", first)), []byte(doc.String()), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// side is one side of a comparison, which leaves a profile.
type side struct {
	name string
	run  func() error
}

// against compares the CPU time of ours, on one processor, with a limit and
// with that of a peer which does a part of it.
func against(what, part string, limit time.Duration, most float64, ours side, peer func() error) ([]table.Row, error) {
	var seconds, ratios []float64
	var theirs time.Duration
	for range *rounds {
		var err error
		if theirs, err = onOneCore(peer); err != nil {
			return nil, err
		}
		var used time.Duration
		if err := profiled(ours.name, func() (err error) {
			used, err = onOneCore(ours.run)
			return err
		}); err != nil {
			return nil, err
		}
		seconds, ratios = append(seconds, used.Seconds()), append(ratios, float64(used)/float64(theirs))
	}
	return []table.Row{
		table.AtMost(what+": CPU on one core", "%.2f s", median(seconds), limit.Seconds()),
		table.AtMost(fmt.Sprintf("%s: CPU to %s (%.2f s)", what, part, theirs.Seconds()), "%.2f ×", median(ratios), most),
	}, nil
}
