package flowengine

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// runner is a node that runs another flow, and where it says so.
type runner struct {
	doc  *document
	node *yaml.Node
	flow *Flow
	runs string
}

// announce makes a flow and its ends known before any flow is read.
func (l *loader) announce(d *document, name *yaml.Node) {
	if !isText(name) || l.alone && planOf(name.Value) != "" {
		return
	}
	var ends []string
	if _, list := field(d.root, "ends"); list != nil {
		for _, end := range list.Content {
			if isText(end) {
				ends = append(ends, end.Value)
			}
		}
	}
	l.ends[name.Value] = ends
}

func (l *loader) nearestFlow(wrong string) string {
	if len(l.ends) == 0 {
		return "no flow is defined; add a document with flow:"
	}
	return DidYouMean(wrong, slices.Collect(maps.Keys(l.ends)))
}

// link joins the flows that run each other, gives each its version and checks their
// expressions. It says false when they run round and round, so that nothing can be
// said of what a call passes.
func (l *loader) link() bool {
	for _, r := range l.running {
		if sub := l.org.flows[r.runs]; sub != nil {
			r.flow.subs[r.runs] = sub
		}
	}
	if !l.acyclic() {
		return false
	}
	l.variables()
	if len(l.problems) > 0 {
		return true
	}
	for _, d := range l.flows {
		_, name := field(d.root, "flow")
		l.version(l.org.flows[name.Value])
	}
	return true
}

// acyclic reports flows that run themselves, by way of others or not.
func (l *loader) acyclic() bool {
	done := map[*Flow]bool{}
	var path []string
	ok := true
	var visit func(f *Flow)
	visit = func(f *Flow) {
		path = append(path, f.Name)
		for _, r := range l.running {
			sub := f.subs[r.runs]
			switch {
			case r.flow != f || sub == nil || done[sub]:
			case slices.Contains(path, sub.Name):
				circle := append(slices.Clone(path[slices.Index(path, sub.Name):]), sub.Name)
				r.doc.at(r.node, "let one of them end instead", "a flow cannot run itself: %s", strings.Join(circle, " → "))
				ok = false
			default:
				visit(sub)
			}
		}
		path = path[:len(path)-1]
		done[f] = true
	}
	for _, name := range slices.Sorted(maps.Keys(l.org.flows)) {
		visit(l.org.flows[name])
	}
	return ok
}

// version fills in the versions of a flow and of those that it runs.
func (l *loader) version(f *Flow) {
	if f.Version != "" {
		return
	}
	for _, sub := range f.subs {
		l.version(sub)
	}
	f.Version = versionOf(f)
}

// versionOf hashes what a flow says, without its comments, its order of keys
// and its quotes, the versions of the flows that it runs, and its plans.
func versionOf(f *Flow) string {
	h := sha256.New()
	canonical(h, f.root)
	for _, sub := range byName(f.subs) {
		io.WriteString(h, sub.Version)
	}
	for _, p := range byName(f.plans) {
		io.WriteString(h, p.source())
	}
	return fmt.Sprintf("%x", h.Sum(nil))[:16]
}

func canonical(w io.Writer, n *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		fmt.Fprintf(w, "{%d:", len(n.Content)/2)
		for _, i := range sortedKeys(n) {
			canonical(w, n.Content[i])
			canonical(w, n.Content[i+1])
		}
	case yaml.SequenceNode:
		fmt.Fprintf(w, "[%d:", len(n.Content))
		for _, c := range n.Content {
			canonical(w, c)
		}
	default:
		if n.Tag == "!!null" {
			io.WriteString(w, "~")
			return
		}
		fmt.Fprintf(w, "%d:%s", len(n.Value), n.Value)
	}
}

func sortedKeys(n *yaml.Node) []int {
	var at []int
	for i := 0; i+1 < len(n.Content); i += 2 {
		at = append(at, i)
	}
	slices.SortFunc(at, func(a, b int) int { return cmp.Compare(n.Content[a].Value, n.Content[b].Value) })
	return at
}
