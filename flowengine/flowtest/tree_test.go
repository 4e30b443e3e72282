package flowtest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/flowengine/flowtest"
)

// drawn writes a tree with its times, two spaces a level.
func drawn(branches []*flowtest.Branch, indent string) string {
	var b strings.Builder
	for _, x := range branches {
		line := fmt.Sprintf("%s%s %s", indent, x.At, x.Text)
		if x.Kind != "" {
			line += fmt.Sprintf(" (%s) → %s: %s", x.Kind, x.Exit, x.Why)
		}
		if x.Bad {
			line += " !"
		}
		b.WriteString(line + "\n" + drawn(x.Below, indent+"  "))
	}
	return b.String()
}

func TestTreeOfACall(t *testing.T) {
	s := mustParse(t, lookup, `targets: {alice: {user: alice@pbx}, bob: {user: bob@pbx}, carol: {user: carol@pbx}}
---
flow: main
start: greet
nodes:
  greet: {flow: {run: ask}, exits: {done: sales, error: bye}}
  sales: {dial: {targets: [alice, bob]}, exits: {completed: bye, else: all}}
  all: {dial: {targets: [carol, bob], strategy: simultaneous}, exits: {completed: look, else: bye}}
  look: {ask: {url: "http://x.example/1?q=2"}, next: away, exits: {error: away}}
  away: {transfer: {to: "3000"}}
  bye: {hangup: {}}
---
flow: ask
ends: [done]
start: menu
nodes:
  menu: {menu: {prompt: "say:Press 1.", tries: 1}, exits: {"1": look, else: done}}
  look: {ask: {url: "http://x.example/2"}, next: done}`, `tests:
  - {name: all of it, flow: main, digits: ["1"], targets: {alice: busy, bob: rings, carol: answers after 3s talks 1m}, requests: {greet/look: 200, look: 500}, tags: {status: none}, expect: {ends: transferred 3000}}
  - {name: nobody answers the request, flow: main, expect: {ends: NORMAL_CLEARING}, digits: ["1"], targets: {alice: busy, bob: busy, carol: busy}}
  - {name: gives up, flow: main, hangs_up: 9s, expect: {ends: NORMAL_CLEARING}}
  - {name: another controller, flow: main, hangs_up: 5s, lose: [6], expect: {ends: NORMAL_CLEARING}}`)
	for i, want := range []string{`
0s greet (flow) → done: flow ask ended
  0s menu (menu) → 1: pressed 1
    0s is answered
    0s hears say:Press 1.
    1s presses 1
  1s look (ask) → next: 
    1s GET http://x.example: 200 after 0s
    1s tag status: 200, was none
1s sales (dial) → no_answer: alice: USER_BUSY, then bob: ALLOTTED_TIMEOUT
  1s alice: USER_BUSY
  2s bob: ALLOTTED_TIMEOUT
22s all (dial) → completed: carol answered
  22s carol: connected after 3s, for 1m0s, NORMAL_CLEARING
  22s bob: LOSE_RACE
1m25s look (ask) → next: 
  1m25s GET http://x.example: 500 after 0s
  1m25s tag status: 500, was 200
1m25s away (transfer) → : call transferred to 3000
  1m25s is transferred to 3000`, `
0s greet (flow) → error: no answer is written for the request of node greet/look
  0s menu (menu) → 1: pressed 1
    0s is answered
    0s hears say:Press 1.
    1s presses 1
  1s look (ask) → error: no answer is written for the request of node greet/look
    1s GET http://x.example: no answer is written for the request of node greet/look
    1s flow.error no answer is written for the request of node greet/look !
1s bye (hangup) → : NORMAL_CLEARING`, `
0s greet (flow) → done: flow ask ended
  0s menu (menu) → no_input: pressed nothing
    0s is answered
    0s hears say:Press 1.
7s sales (dial) → : the caller hung up
  7s alice: connected after 1s, for 1s, NORMAL_CLEARING`, `
500ms greet (flow) → : 
  500ms menu (menu) → : the caller hung up
    0s is answered
    500ms goes on: node greet/menu (menu) from its beginning
    500ms hears say:Press 1.`,
	} {
		r := s.Simulate(s.Tests[i])
		same(t, drawn(r.Tree(), ""), want)
		if t.Failed() {
			t.Log(r.Trace())
		}
	}
}

// Whoever answers and does not confirm is told apart from who does not answer.
func TestTreeOfATargetThatDoesNotConfirm(t *testing.T) {
	s := mustParse(t, `numbers: {"1000": {flow: main}}
targets: {alice: {user: alice@pbx}}
---
flow: main
start: sales
nodes:
  sales: {dial: {targets: [alice], confirm: {prompt: "say:Press 1."}}, exits: {else: mail}}
  mail: {voicemail: {greeting: "say:Hello."}, exits: {else: bye}}
  bye: {hangup: {}}`, `tests: [{name: a, expect: {path: [sales no_answer, mail empty, bye]}}]`)
	var said []string
	for _, node := range s.Simulate(s.Tests[0]).Tree() {
		for _, b := range node.Below {
			said = append(said, b.Text)
		}
	}
	same(t, strings.Join(said, "\n"), `
hears it ring
alice: ALLOTTED_TIMEOUT
alice answers, but does not press 1
is answered
hears say:Hello.
hears tone:%(400,0,800)
says nothing`)
}

// Whoever is not tried is told with the reason, and who was asked with what came back.
func TestTreeOfAChoice(t *testing.T) {
	s := mustParse(t, `numbers: {"1000": {flow: main}}
targets:
  alice: {user: alice@pbx, filter: 'tags.state == "TX"'}
  bob: {user: bob@pbx, availability: {url: "https://agents.example/bob"}}
  carol: {user: carol@pbx, availability: {url: "https://agents.example/carol"}}
  dora: {user: dora@pbx, caps: {day: 2}}
  erin: {user: erin@pbx}
---
flow: main
start: sales
nodes:
  sales: {dial: {targets: [alice, bob, carol, dora, erin], strategy: round_robin}, exits: {else: bye}}
  bye: {hangup: {}}`, `tests: [{name: a, tags: {state: CA}, availability: {carol: 200 after 200ms 0}, full: {dora: cap_day}, expect: {path: []}}]`)
	var said []string
	for _, b := range s.Simulate(s.Tests[0]).Tree()[0].Below {
		said = append(said, fmt.Sprintf("%s %s", b.At, b.Text))
	}
	same(t, strings.Join(said, "\n"), `
0s hears it ring
200ms carol is asked by GET https://agents.example: 200 after 200ms
200ms round_robin: bob, erin
200ms bob counts as available, not asked
200ms alice is not tried, filter: tags.state is "CA"
200ms carol is not tried, availability: 0 in 200 ms
200ms dora is not tried, cap_day: 2 of 2
200ms bob: connected after 1s, for 10s, NORMAL_CLEARING
1.2s is answered`)
}
