package flowengine

import (
	"fmt"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// warn looks for what is not wrong but hardly meant. Nothing is wrong when it is
// called.
func (l *loader) warn() {
	wanted := map[string]bool{} // flows that calls begin in
	for _, n := range l.routes {
		wanted[n.flow] = true
	}
	for _, c := range l.org.campaigns {
		wanted[c.Flow] = true
	}
	run := map[string]bool{} // by another flow
	for _, r := range l.running {
		run[r.runs] = true
	}
	for _, b := range l.built {
		name := b.flow.Name
		if wanted[name] || !run[name] {
			l.unasked(b.flow)
		}
		if !wanted[name] && !run[name] && !b.d.made {
			_, v := field(b.d.root, "flow")
			l.warning(b.d, v, "add it to a number, or remove it", "no number and no flow leads to flow "+name)
		}
	}
	l.unused("targets", "let a node dial it, or remove it", "no flow uses target ")
	l.unused("plans", "add it to a campaign, or remove it", "no campaign and no flow uses plan ")
	l.unused("campaigns", "add it to a number, or remove it", "no number leads to campaign ")
	l.unused("publishers", "add it to a number, or remove it", "no number is of publisher ")
	l.unused("buyers", "add it to a target, or remove it", "no target is of buyer ")
	l.unused("gateways", "let a target use it, or remove it", "nothing uses gateway ")
}

// unused warns of the things of a section that nothing refers to.
func (l *loader) unused(section, hint, message string) {
	for _, e := range l.sections[section] {
		if name := e.key.Value; !l.used[thing{things[section], name}] {
			l.warning(e.doc, e.key, hint, message+name)
		}
	}
}

func (l *loader) warning(d *document, n *yaml.Node, hint, message string) {
	p := d.about(n.Line, n.Column, hint, oneLine(message))
	p.Warning = true
	l.warnings = append(l.warnings, p)
}

// unasked warns of the nodes that answer the calls of a flow although none is there
// for that: an answered call costs the caller money.
func (l *loader) unasked(f *Flow) {
	i := slices.IndexFunc(l.kinds, func(k Kind) bool { return k.Openly })
	if i < 0 {
		return
	}
	places := f.places()
	var answering []int
	reached := make([]bool, len(places))
	reached[0] = true
	for todo := []int{0}; len(todo) > 0; todo = todo[1:] {
		p := places[todo[0]]
		if p.step.kind.Answers {
			if !p.step.kind.Openly {
				answering = append(answering, todo[0])
			}
			continue
		}
		for _, w := range p.ways {
			if !w.answered && !reached[w.to] {
				reached[w.to] = true
				todo = append(todo, w.to)
			}
		}
	}
	if len(answering) == 0 {
		return
	}
	names := make([]string, len(answering))
	for k, at := range answering {
		names[k] = fmt.Sprintf("%s (%s)", places[at].path, places[at].step.kind.Name)
	}
	verb, it := "answers", "it"
	if len(names) > 1 {
		verb, it = "answer", "them"
	}
	if more := len(names) - 3; more > 0 {
		names = append(names[:3], fmt.Sprintf("%d more", more))
	}
	first := places[answering[0]]
	b := l.builder(first.flow)
	l.warning(b.d, b.keys[first.step.id], fmt.Sprintf("put %s: {} before %s to say so", l.kinds[i].Name, it), join(names)+" "+verb+" the call")
}

// join lists names as a person would.
func join(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
