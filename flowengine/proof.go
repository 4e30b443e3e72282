package flowengine

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// place is where a call can be: a node on the way of one call. A node of a flow that
// two nodes run is two places.
type place struct {
	flow *Flow
	step *step
	path string // as in call.Event.Step
	runs bool   // the places of the flow that it runs follow
	ways []way
}

// way leads from a place to one that comes after it.
type way struct {
	to       int
	answered bool // whoever goes it has been connected
}

// maxPlaces bounds the places of a flow and of the flows that it runs.
const maxPlaces = 10_000

// places returns where a call can be that begins in the flow: the start first, and
// those that cannot be reached too. It is cut off when there are more than
// maxPlaces. Flows that are not linked yet are not looked into.
func (f *Flow) places() []place {
	var all []place
	nowhere := func(string) int { return -1 }
	f.expand(&all, "", nowhere)
	return all
}

// expand adds the places of the flow, whose paths begin with prefix, and returns the
// one where it starts. Where an end of the flow or a fault in it leads is up to
// after, which returns -1 for the end of the call.
func (f *Flow) expand(all *[]place, prefix string, after func(exit string) int) (start int) {
	first := len(*all)
	at := map[string]int{}
	ids := slices.Sorted(maps.Keys(f.nodes))
	if i := slices.Index(ids, f.Start); i > 0 {
		ids = slices.Insert(slices.Delete(ids, i, i+1), 0, f.Start)
	}
	for i, id := range ids {
		at[id] = first + i
		*all = append(*all, place{flow: f, step: f.nodes[id], path: prefix + id})
	}
	leads := func(n *step, exit string) int {
		to, wired := n.next(exit)
		switch i, node := at[to]; {
		case wired && node:
			return i
		case wired && slices.Contains(f.Ends, to):
			return after(to)
		case !wired && exit == ErrorExit:
			return after(ErrorExit)
		}
		return -1
	}
	for _, id := range ids {
		n, i := f.nodes[id], at[id]
		var ways []way
		add := func(to int, answered bool) {
			if w := (way{to, answered}); to >= 0 && !slices.Contains(ways, w) {
				ways = append(ways, w)
			}
		}
		if sub := f.runs(n); sub != nil {
			if len(*all) <= maxPlaces { // it fails only where a node of the flow does
				(*all)[i].runs = true
				add(sub.expand(all, prefix+id+"/", func(end string) int { return leads(n, end) }), false)
			}
		} else {
			add(leads(n, ErrorExit), false)
			for _, exit := range slices.Concat(n.declared, slices.Collect(maps.Keys(n.exits))) {
				add(leads(n, exit), n.kind != nil && slices.Contains(n.kind.Connect, exit))
			}
		}
		slices.SortFunc(ways, func(a, b way) int { return a.to - b.to })
		(*all)[i].ways = ways
	}
	return first
}

// trail names places one after the other. A node that runs a flow is left out where
// the flow's nodes follow.
func trail(places []place, at []int) []string {
	var names []string
	for k, i := range at {
		if k+1 < len(at) && places[i].runs && strings.HasPrefix(places[at[k+1]].path, places[i].path+"/") {
			continue
		}
		names = append(names, places[i].path)
	}
	return names
}

// circleTrail is trail for a circle, whose first place is its last.
func circleTrail(places []place, at []int) string {
	names := trail(places, at)
	names[len(names)-1] = names[0]
	return strings.Join(names, " → ")
}

// graph checks how the nodes hang together.
func (b *flowBuilder) graph() {
	f, d := b.flow, b.d
	if len(b.order) == 0 {
		return // no node has an id, which was reported
	}
	startKey, start := field(d.root, "start")
	if startKey == nil {
		d.at(d.root, "add start: "+b.order[0], "the flow does not say where it starts")
		return
	}
	if b.keys[f.Start] == nil {
		if f.Start != "" {
			d.at(start, DidYouMean(f.Start, b.order), "start: there is no node %s", quote(f.Start))
		}
		return
	}
	reached := map[string]bool{}
	for todo := []string{f.Start}; len(todo) > 0; {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if n := f.nodes[id]; !reached[id] && n != nil {
			todo = slices.AppendSeq(todo, maps.Values(n.exits))
		}
		reached[id] = true
	}
	for _, end := range f.Ends {
		if !reached[end] {
			_, v := field(d.root, "ends")
			d.at(v, "let an exit go to it, or remove it", "the end %s cannot be reached from start", end)
		}
	}
	for _, id := range b.order {
		if !reached[id] && f.nodes[id] != nil {
			d.at(b.keys[id], "let an exit go to it, or remove it", "node %s cannot be reached from start", id)
		}
	}
	b.circles(f.places())
}

// circles reports circles in which no node takes the caller's time: a call would run
// round and round without hearing anything. Those that lie wholly in a flow which
// this one runs are that one's.
func (b *flowBuilder) circles(places []place) {
	idle := func(i int) bool {
		p := places[i]
		if _, runner := p.step.node.(Runner); runner {
			return p.runs // otherwise nothing is known yet of what it runs
		}
		return p.step.kind != nil && !p.step.kind.Takes
	}
	next := func(i int) (out []int) {
		for _, w := range places[i].ways {
			if idle(i) && idle(w.to) {
				out = append(out, w.to)
			}
		}
		return out
	}
	for _, c := range components(len(places), next) {
		mine := slices.DeleteFunc(c, func(i int) bool { return places[i].flow != b.flow })
		if len(mine) == 0 {
			continue
		}
		first := slices.Min(mine)
		if round := circle(first, next); round != nil {
			b.d.at(b.keys[places[first].step.id], "put a play or menu into it",
				"the circle %s never waits: no node in it takes the caller's time", circleTrail(places, round))
		}
	}
}

// prove reports what can only be seen once the flows are joined.
func (l *loader) prove() {
	for _, b := range l.built {
		places, why := b.flow.places(), tooLarge(b.flow.Bundle())
		if len(places) > maxPlaces {
			why = fmt.Sprintf("more than %d nodes", maxPlaces)
		}
		if why != "" {
			_, name := field(b.d.root, "flow")
			b.d.at(name, "run flows from fewer nodes, or smaller ones", "flow %s has %s, together with the flows that it runs", b.flow.Name, why)
			continue
		}
		if len(b.flow.subs) > 0 {
			b.circles(places)
		}
		l.silence(b.flow, places)
	}
}

// at reports a problem with a place, where its node stands.
func (l *loader) at(p place, hint, message string) {
	b := l.builder(p.flow)
	b.d.at(b.keys[p.step.id], hint, "%s", message)
}

// builder returns who read a flow that has no problem of its own.
func (l *loader) builder(f *Flow) *flowBuilder {
	return l.built[slices.IndexFunc(l.built, func(b *flowBuilder) bool { return b.flow == f })]
}

// components returns the strongly connected components of a graph of n nodes, each
// after those it leads to (R. Tarjan, SIAM Journal on Computing 1, 1972).
func components(n int, next func(int) []int) (out [][]int) {
	const closed = 1 << 62
	order, low := make([]int, n), make([]int, n) // from 1; 0: not visited
	visited := 0
	var stack []int
	var visit func(i int)
	visit = func(i int) {
		visited++
		order[i], low[i] = visited, visited
		bottom := len(stack)
		stack = append(stack, i)
		for _, j := range next(i) {
			if order[j] == 0 {
				visit(j)
				low[i] = min(low[i], low[j])
			}
			low[i] = min(low[i], order[j])
		}
		if low[i] == order[i] {
			c := slices.Clone(stack[bottom:])
			stack = stack[:bottom]
			for _, j := range c {
				order[j] = closed
			}
			out = append(out, c)
		}
	}
	for i := range n {
		if order[i] == 0 {
			visit(i)
		}
	}
	return out
}

// circle returns the shortest way from a node back to itself; nil when there is none.
func circle(i int, next func(int) []int) []int {
	from := map[int]int{}
	for todo := []int{i}; len(todo) > 0; todo = todo[1:] {
		for _, j := range next(todo[0]) {
			if _, seen := from[j]; seen {
				continue
			}
			if from[j] = todo[0]; j != i {
				todo = append(todo, j)
				continue
			}
			round := []int{i}
			for at := from[i]; at != i; at = from[at] {
				round = append(round, at)
			}
			round = append(round, i)
			slices.Reverse(round)
			return round
		}
	}
	return nil
}
