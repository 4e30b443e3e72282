// Package flowengine reads call flows and takes calls through them.
//
// Load turns a folder of YAML into a Snapshot; Engine.Run takes one call from
// its start, or from the checkpoint it carries, to its end. The engine knows no
// kind of node by name: the table of kinds is handed in (see the package nodes),
// and what it asks of the switch is the small interface Leg.
package flowengine

import (
	"maps"
	"slices"
	"strings"
	"time"

	yaml "go.yaml.in/yaml/v4"
)

// Flow is one version of one call flow, ready to run. It does not change.
type Flow struct {
	Name    string
	Version string        // the first 16 hex digits of the SHA-256 of its content, and of the flows and plans it runs
	Start   string        // id of the first node
	Ends    []string      // names under which the flow can end, for the flows that run it
	Silence time.Duration // how long a caller whose call is answered may hear nothing
	Source  string        // text of the document, to its last line break
	File    string        // where it was read
	Line    int
	nodes   map[string]*step
	subs    map[string]*Flow // the flows it runs, in their versions, by name
	plans   map[string]*Plan // the plans it runs, in their versions, by name
	root    *yaml.Node       // of its document, while it is loaded
}

// Plan returns the name of the plan that the flow was made for; empty for one from a
// file.
func (f *Flow) Plan() string { return planOf(f.Name) }

// runs returns the flow that a node runs; nil for one that runs none.
func (f *Flow) runs(n *step) *Flow {
	if n == nil {
		return nil
	}
	if r, ok := n.node.(Runner); ok {
		return f.subs[r.Runs()]
	}
	return nil
}

// Bundle returns the documents of the flow, of all flows that it runs and of the plans
// that they run: what it takes to load this version again.
func (f *Flow) Bundle() string {
	var b strings.Builder
	plans := map[string]*Plan{}
	seen := map[string]bool{}
	var add func(f *Flow)
	add = func(f *Flow) {
		seen[f.Name] = true
		if b.Len() > 0 && !strings.HasPrefix(f.Source, "---") {
			b.WriteString("---\n")
		}
		b.WriteString(f.Source)
		maps.Copy(plans, f.plans)
		for _, name := range slices.Sorted(maps.Keys(f.subs)) {
			if !seen[name] {
				add(f.subs[name])
			}
		}
	}
	add(f)
	if len(plans) > 0 {
		b.WriteString("---\nplans:\n")
	}
	for _, p := range byName(plans) {
		b.WriteString(p.source())
	}
	return b.String()
}

// NodeIDs returns the ids of the flow's nodes, sorted.
func (f *Flow) NodeIDs() []string { return slices.Sorted(maps.Keys(f.nodes)) }

// Kind returns the name of the kind of a node; empty for an id that the flow does not have.
func (f *Flow) Kind(id string) string {
	if n := f.nodes[id]; n != nil {
		return n.kind.Name
	}
	return ""
}

// Asks says whether a node makes requests.
func (f *Flow) Asks(id string) bool {
	n := f.nodes[id]
	return n != nil && n.kind.Asks
}

// Runs returns the flow that a node runs; nil for one that runs none.
func (f *Flow) Runs(id string) *Flow { return f.runs(f.nodes[id]) }

// Exits returns where the exits of a node go: exit to node id. The exits that
// "else" takes are listed by their own names.
func (f *Flow) Exits(id string) map[string]string {
	out := map[string]string{}
	if n := f.nodes[id]; n != nil {
		for _, exit := range slices.Concat(n.declared, slices.Sorted(maps.Keys(n.exits))) {
			if to, ok := n.next(exit); ok && exit != elseExit || exit == elseExit && slices.Contains(n.declared, elseExit) {
				out[exit] = to
			}
		}
	}
	return out
}

// Way names an exit of a node as the flow does: itself, or "else" where it is not
// named.
func (f *Flow) Way(id, exit string) string {
	if n := f.nodes[id]; n != nil {
		if _, named := n.exits[exit]; !named {
			return elseExit
		}
	}
	return exit
}

// step is a node in its flow.
type step struct {
	id       string
	kind     *Kind
	node     Node
	exits    map[string]string // as written: exit, or else, to node id
	declared []string          // the exits it has by kind and settings
}

// next returns the node behind an exit.
func (n *step) next(exit string) (string, bool) {
	if to, ok := n.exits[exit]; ok {
		return to, true
	}
	to, ok := n.exits[elseExit]
	return to, ok
}
