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

	"github.com/hookswitch/hookswitch/call"
)

// Flow is one version of one call flow, ready to run. It does not change.
type Flow struct {
	Name    string
	Version string        // the first 16 hex digits of the SHA-256 of its content, and of the flows it runs
	Start   string        // id of the first node
	Ends    []string      // names under which the flow can end, for the flows that run it
	Silence time.Duration // how long a caller whose call is answered may hear nothing
	Source  string        // text of the document, to its last line break
	File    string        // where it was read
	Line    int
	nodes   map[string]*step
	subs    map[string]*Flow // the flows it runs, in their versions, by name
	root    *yaml.Node       // of its document, while it is loaded
}

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

// Bundle returns the documents of the flow and of all flows that it runs: what it
// takes to load this version again.
func (f *Flow) Bundle() string {
	var b strings.Builder
	seen := map[string]bool{}
	var add func(f *Flow)
	add = func(f *Flow) {
		seen[f.Name] = true
		if b.Len() > 0 && !strings.HasPrefix(f.Source, "---") {
			b.WriteString("---\n")
		}
		b.WriteString(f.Source)
		for _, name := range slices.Sorted(maps.Keys(f.subs)) {
			if !seen[name] {
				add(f.subs[name])
			}
		}
	}
	add(f)
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

// Target is a destination with a name.
type Target struct {
	Name    string
	Address call.Address
	Ring    time.Duration // 0: that of the dial node
	Weight  int           // for the weighted strategy, at least 1
}

// Number is what a number that a trunk delivers leads to.
type Number struct {
	Number string // as written
	Flow   string // name of a flow
}

// Snapshot is all that was loaded at one moment. It does not change; a new
// one takes its place.
type Snapshot struct {
	numbers  map[string]Number // by call.PlainNumber
	routes   map[uint64]*Flow  // by packed call.PlainNumber, those that can be packed
	targets  map[string]Target
	flows    map[string]*Flow
	versions map[versionKey]*Flow // the current ones and those carried along
	warnings []Problem
}

type versionKey struct{ name, version string }

// Lookup returns the flow of a number, however its + is written.
func (s *Snapshot) Lookup(number string) (*Flow, bool) {
	plain := call.PlainNumber(number)
	if key, ok := packed(plain); ok {
		f, ok := s.routes[key]
		return f, ok
	}
	n, ok := s.numbers[plain]
	if !ok {
		return nil, false
	}
	f, ok := s.flows[n.Flow]
	return f, ok
}

// packed returns a number of at most 15 characters, which E.164 numbers are, as
// one word: among many, a key that lies elsewhere costs more than the search.
func packed(number string) (key uint64, ok bool) {
	if len(number) > 15 {
		return 0, false
	}
	for i := range len(number) {
		switch c := number[i]; {
		case '0' <= c && c <= '9':
			key = key<<4 | uint64(c-'0')
		case c == '*':
			key = key<<4 | 10
		case c == '#':
			key = key<<4 | 11
		default:
			return 0, false
		}
	}
	return key<<4 | uint64(len(number)), true
}

// Flow returns the current version of a flow.
func (s *Snapshot) Flow(name string) (*Flow, bool) {
	f, ok := s.flows[name]
	return f, ok
}

// Version returns a flow in the version that a call began with.
func (s *Snapshot) Version(name, version string) (*Flow, bool) {
	f, ok := s.versions[versionKey{name, version}]
	return f, ok
}

// Target returns the target called name.
func (s *Snapshot) Target(name string) (Target, bool) {
	t, ok := s.targets[name]
	return t, ok
}

// Flows returns the current flows by name.
func (s *Snapshot) Flows() []*Flow {
	out := make([]*Flow, 0, len(s.flows))
	for _, name := range slices.Sorted(maps.Keys(s.flows)) {
		out = append(out, s.flows[name])
	}
	return out
}

// Numbers returns the numbers, sorted.
func (s *Snapshot) Numbers() []Number {
	out := make([]Number, 0, len(s.numbers))
	for _, n := range slices.Sorted(maps.Keys(s.numbers)) {
		out = append(out, s.numbers[n])
	}
	return out
}

// Warnings returns what is not wrong in the documents, but hardly meant.
func (s *Snapshot) Warnings() []Problem { return s.warnings }

// Targets returns the targets by name.
func (s *Snapshot) Targets() []Target {
	out := make([]Target, 0, len(s.targets))
	for _, name := range slices.Sorted(maps.Keys(s.targets)) {
		out = append(out, s.targets[name])
	}
	return out
}

// Without returns a snapshot in which these targets are no longer configured,
// whatever the flows say: for asking what would happen.
func (s *Snapshot) Without(targets ...string) *Snapshot {
	out := *s
	out.targets = maps.Clone(s.targets)
	for _, t := range targets {
		delete(out.targets, t)
	}
	return &out
}

// With returns a snapshot that also holds every version that previous holds, so
// that calls which began with one of them can be taken over.
func (s *Snapshot) With(previous *Snapshot) *Snapshot {
	if previous == nil {
		return s
	}
	out := *s
	out.versions = maps.Clone(previous.versions)
	maps.Copy(out.versions, s.versions)
	return &out
}
