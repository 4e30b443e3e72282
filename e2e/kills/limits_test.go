package kills

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/eslctl/esltest"
	"github.com/hookswitch/hookswitch/store/storetest"
)

// limited is who takes only so much.
const limited = "3001"

// limit gives the world one target, with limits, and a flow that calls nobody else.
func (w *world) limit(limits string) {
	w.sw.SetCallee(limited, esltest.Answers(300*time.Millisecond, talks))
	must(w.t, os.WriteFile(filepath.Join(w.conf, "flows.yaml"), fmt.Appendf(nil, `numbers:
  "+15550100": {flow: main}
targets:
  one: {number: "%s", gateway: carrier, %s}
---
flow: main
start: one
nodes:
  one: {dial: {targets: [one], ring: 5s}, exits: {else: bye}}
  bye: {hangup: {}}
`, limited, limits), 0o600))
}

// pair starts two servers on one database, which take the calls in turn.
func (w *world) pair() (a, b *node) {
	program, err := shipped()
	must(w.t, err)
	w.database = storetest.NewPostgres(w.t).URL("hookswitch")
	a, b = w.newNode("a", program, "10s"), w.newNode("b", program, "10s")
	w.open(60, b, a)
	a.start()
	b.start()
	return a, b
}

// through places a call that the servers are asked to take in this order.
func (w *world) through(first, second *node) *esltest.Call {
	w.sw.Dialplan = esltest.Dialplan(first.fresh+"|"+second.fresh, first.takeover+"|"+second.takeover, 60)
	return w.place(esltest.Caller{})
}

// together returns how many calls with the callee there were at most at one moment.
func together(dials []esltest.Dialed) (most int) {
	type change struct {
		at time.Time
		by int
	}
	var all []change
	for _, d := range dials {
		all = append(all, change{d.At, 1}, change{d.Ended, -1})
	}
	slices.SortFunc(all, func(a, b change) int { return cmp.Or(a.at.Compare(b.at), a.by-b.by) })
	now := 0
	for _, c := range all {
		now += c.by
		most = max(most, now)
	}
	return most
}

// Two servers never put more calls through to a target at once, or in all, than it
// takes; and they use the room that there is.
func TestLimitsHoldOverTwoNodes(t *testing.T) {
	long(t, "limits over two nodes are not tested")
	const calls = 200
	for _, n := range []int{1, 7, 50} {
		for limits, holds := range map[string]func(t *testing.T, dials []esltest.Dialed){
			fmt.Sprintf("concurrency: %d", n): func(t *testing.T, dials []esltest.Dialed) {
				if most := together(dials); most > n {
					t.Errorf("%d calls at once, at most %d were to be", most, n)
				}
				if len(dials) < n {
					t.Errorf("only %d calls were put through, there was room for %d at once", len(dials), n)
				}
			},
			fmt.Sprintf("caps: {total: %d}", n): func(t *testing.T, dials []esltest.Dialed) {
				if len(dials) != n {
					t.Errorf("%d calls were put through, %d were to be", len(dials), n)
				}
			},
		} {
			t.Run(limits, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, 2*time.Minute)
				w.limit(limits)
				a, b := w.pair()
				for i := range calls {
					nodes := []*node{a, b}
					w.through(nodes[i%2], nodes[1-i%2])
				}
				w.settle()
				w.check(nil)
				dials := w.sw.Dials(limited)
				holds(t, dials)
				t.Logf("%d of %d calls were put through", len(dials), calls)
			})
		}
	}
}
