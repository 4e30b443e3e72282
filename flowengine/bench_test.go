package flowengine_test

import (
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
)

// typical is a flow as people write them: 15 nodes with a dozen expressions.
const typical = `
flow: line-%[1]d
start: hello
nodes:
  hello: {answer: {}, next: known}
  known:
    branch:
      cases:
        - {name: anonymous, if: 'caller.number == "" or caller.name contains "anon"'}
        - {name: early, if: 'now.Hour() < 8 and now.Weekday().String() != "Sunday"'}
        - {name: partner, if: 'call.headers["X-Partner"] in ["north", "south"]'}
    exits: {anonymous: sorry, early: early, partner: people, else: welcome}
  early: {play: {prompt: "say:Good morning {{ caller.name }}, we open at eight."}, next: welcome}
  welcome:
    menu: {prompt: "say:Hello {{ caller.name }}. Press 1 for sales, 2 for help.", tries: 2}
    exits: {"1": sales, "2": help, else: people}
  sales:
    menu: {prompt: "say:Press 1 if you have called {{ number }} before."}
    exits: {"1": chosen, else: people}
  help:
    menu: {prompt: "say:Enter the last digits of your number, {{ caller.number }}."}
    exits: {"12": chosen, "34": chosen, else: people}
  chosen:
    branch:
      cases:
        - {name: a, if: 'vars.welcome == "1" and vars.sales != "2"'}
        - {name: b, if: 'vars.help startsWith "1" and len(vars.help) > 1'}
        - {name: c, if: 'vars.welcome + vars.help matches "^2.4$"'}
    exits: {a: people, b: desk, c: boss, else: tell}
  tell: {play: {prompt: "say:You pressed {{ vars.welcome }} and {{ vars.help }}."}, next: people}
  people: {dial: {targets: [alice, bob]}, exits: {completed: bye, else: desk}}
  desk: {dial: {targets: [bob], ring: 10s}, exits: {completed: bye, else: boss}}
  boss: {dial: {targets: [alice]}, exits: {completed: bye, else: again}}
  again:
    menu: {prompt: "say:Nobody is free. Press 1 to wait."}
    exits: {"1": people, else: sorry}
  sorry: {play: {prompt: "say:Please call again, {{ caller.name }}."}, next: out}
  bye: {play: {prompt: "say:Thank you."}, next: out}
  out: {hangup: {}}
---
numbers: {"+1555%07[1]d": {flow: line-%[1]d}}
`

// BenchmarkLoad is the validation of a large folder: 1,000 flows of 15 nodes.
func BenchmarkLoad(b *testing.B) {
	folder := fstest.MapFS{"targets.yaml": {Data: []byte("targets: {alice: {user: alice@pbx}, bob: {user: bob@pbx}}\n")}}
	for i := range 1000 {
		folder[fmt.Sprintf("line-%d.yaml", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, typical, i)}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, problems := flowengine.Load(folder, nodes.Kinds); len(problems) > 0 {
			b.Fatal(problems[0])
		}
	}
}
