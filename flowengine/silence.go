package flowengine

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
)

// silenceBudget is how long a caller may hear nothing where the flow does not say.
const silenceBudget = 3 * time.Second

// hush follows how long the caller hears nothing on the ways that a call can go. A
// state is a place together with whether the call is answered when it comes there:
// before that it rings, and there is no silence.
type hush struct {
	places  []place
	reached []bool          // by state: a call can come there
	before  []time.Duration // by state: the longest silence with which one does
	from    []int           // by state: where that call comes from; -1: it begins there
	grows   []bool          // by state: the silence goes on behind it, and grows
	rounds  [][]int         // circles, of places, in which it never ends
}

// Two states a place.
func stateOf(place int, answered bool) int {
	if answered {
		return 2*place + 1
	}
	return 2 * place
}

func (h *hush) at(state int) *place { return &h.places[state/2] }

// answered says whether the call is answered while it is in the node.
func (h *hush) answered(state int) bool { return state%2 == 1 || h.at(state).step.kind.Answers }

// adds returns for how long nothing is to be heard in the node.
func (h *hush) adds(state int) time.Duration {
	q, ok := h.at(state).step.node.(Quiet)
	if !ok || !h.answered(state) {
		return 0
	}
	return max(q.Silence(), 0)
}

// ends says whether the silence before a node is over with it: the caller hears
// something in it, or it rang until then.
func (h *hush) ends(state int) bool {
	n := h.at(state).step
	q, quiet := n.node.(Quiet)
	return state%2 == 0 || n.kind.Sounds || quiet && q.Silence() <= 0
}

// after returns the longest silence with which a call leaves the node.
func (h *hush) after(state int) time.Duration {
	if h.ends(state) {
		return h.adds(state)
	}
	return h.before[state] + h.adds(state)
}

// next returns the states behind a state.
func (h *hush) next(state int) (out []int) {
	for _, w := range h.at(state).ways {
		out = append(out, stateOf(w.to, w.answered || h.answered(state)))
	}
	return out
}

// listen looks at all ways that a call can go from the first place, unanswered.
func listen(places []place) *hush {
	n := 2 * len(places)
	h := &hush{places, make([]bool, n), make([]time.Duration, n), make([]int, n), make([]bool, n), nil}
	for s := range n {
		h.from[s] = -1
	}
	for todo := []int{0}; len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !h.reached[s] {
			h.reached[s] = true
			todo = append(todo, h.next(s)...)
		}
	}
	together := components(n, h.goesOn)
	for _, c := range together {
		grows := slices.ContainsFunc(c, func(s int) bool {
			return slices.ContainsFunc(h.goesOn(s), func(t int) bool { return h.grows[t] || h.adds(t) > 0 })
		})
		for _, s := range c {
			h.grows[s] = grows
		}
	}
	for _, c := range slices.Backward(together) {
		h.spread(c)
	}
	return h
}

// goesOn returns the states in which the silence of a state goes on.
func (h *hush) goesOn(state int) []int {
	if !h.reached[state] {
		return nil
	}
	return slices.DeleteFunc(h.next(state), h.ends)
}

// spread hands the silence of states that lead to each other on to those behind
// them. What leads to them was spread before.
func (h *hush) spread(c []int) {
	slices.Sort(c)
	if i := slices.IndexFunc(c, func(s int) bool { return h.adds(s) > 0 }); i >= 0 {
		if round := circle(c[i], h.goesOn); round != nil {
			for k := range round {
				round[k] /= 2
			}
			h.rounds = append(h.rounds, round)
			return // no silence behind it is the longest
		}
	}
	// None of several adds anything: the longest silence that comes to one of them
	// comes to all.
	first := slices.MaxFunc(c, func(a, b int) int { return cmp.Compare(h.before[a], h.before[b]) })
	met := map[int]bool{first: true}
	for todo := []int{first}; len(todo) > 0; todo = todo[1:] {
		after := h.after(todo[0])
		for _, t := range h.goesOn(todo[0]) {
			if h.from[t] < 0 && t != first || after > h.before[t] {
				h.before[t], h.from[t] = after, todo[0]
			}
			if _, member := slices.BinarySearch(c, t); member && !met[t] {
				met[t] = true
				todo = append(todo, t)
			}
		}
	}
}

// path returns the places that a call passes to a state with its longest silence,
// from where it was last heard.
func (h *hush) path(state int) []int {
	at := []int{state / 2}
	for !h.ends(state) && h.from[state] >= 0 {
		state = h.from[state]
		at = append(at, state/2)
	}
	slices.Reverse(at)
	return at
}

// endless is the length of a silence that goes round in a circle.
const endless = time.Duration(math.MaxInt64)

// Quietest returns for how long a caller whose call is answered hears nothing at
// worst, and the path of nodes on which that is. The path begins with the node in
// which the caller was last heard; it is empty when there is always something to be
// heard.
func (f *Flow) Quietest() (time.Duration, []string) {
	h := listen(f.places())
	if len(h.rounds) > 0 { // which the loader refuses
		return endless, trail(h.places, h.rounds[0])
	}
	worst := 0
	for s := range h.before {
		if h.reached[s] && h.adds(s) > 0 && (h.adds(worst) == 0 || h.after(s) > h.after(worst)) {
			worst = s
		}
	}
	if h.adds(worst) == 0 {
		return 0, nil
	}
	return h.after(worst), trail(h.places, h.path(worst))
}

// silence reports where a call that begins in the flow is silent for longer than the
// flow allows: at the last node of each such silence.
func (l *loader) silence(f *Flow, places []place) {
	h := listen(places)
	for _, round := range h.rounds {
		l.tooQuiet(h, f, round, endless, "the caller hears nothing while the call goes round "+circleTrail(places, round))
	}
	worst := map[*step]int{} // by node, in whatever flow
	for s := range h.before {
		n := h.at(s).step
		if !h.reached[s] || h.grows[s] || h.adds(s) == 0 || h.after(s) <= f.Silence {
			continue
		}
		if other, ok := worst[n]; !ok || h.after(s) > h.after(other) {
			worst[n] = s
		}
	}
	for s := range h.before {
		if at, ok := worst[h.at(s).step]; ok && at == s {
			path := h.path(s)
			where := "in node " + h.at(s).path
			if names := trail(places, path); len(names) > 1 {
				where = "on the path " + strings.Join(names, " → ")
			}
			l.tooQuiet(h, f, path, h.after(s), fmt.Sprintf("the caller hears nothing for %s %s, %s are allowed", seconds(h.after(s)), where, seconds(f.Silence)))
		}
	}
}

// tooQuiet reports a silence at the last place of a path, once.
func (l *loader) tooQuiet(h *hush, f *Flow, path []int, total time.Duration, message string) {
	last := h.places[path[len(path)-1]]
	if l.silent[last.step] {
		return
	}
	l.silent[last.step] = true
	// Music helps best where the silence is longest.
	longest := slices.MaxFunc(path, func(a, b int) int { return cmp.Compare(h.adds(stateOf(a, true)), h.adds(stateOf(b, true))) })
	n := h.places[longest]
	hint := "let the caller hear something before " + n.path
	if slices.Contains(settingNames(settingsOf(reflect.TypeOf(n.step.node).Elem())), "music") {
		hint = fmt.Sprintf("give %s (%s) music", n.path, n.step.kind.Name)
	}
	if total < endless {
		hint += fmt.Sprintf(", or write silence: %s in flow %s", seconds(total), f.Name)
	}
	l.at(last, hint, message)
}

// seconds writes a time span in seconds.
func seconds(d time.Duration) string { return fmt.Sprintf("%gs", d.Seconds()) }
