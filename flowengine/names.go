package flowengine

import (
	"maps"
	"slices"

	yaml "go.yaml.in/yaml/v4"
)

// shared is what the flows of one call leave in their variables: those that run each
// other share them.
type shared struct{ vars map[string]Variable }

// variables reports expressions that read what no node leaves.
func (l *loader) variables() {
	of := map[string]*shared{}
	for name, f := range l.snapshot.flows {
		of[name] = &shared{f.sets()}
	}
	for _, r := range l.running {
		a, b := of[r.flow.Name], of[r.runs]
		if a == nil || b == nil || a == b {
			continue
		}
		a.join(b.vars)
		for name, s := range of {
			if s == b {
				of[name] = a
			}
		}
	}
	for _, d := range l.flows {
		_, name := field(d.root, "flow")
		if known := of[name.Value]; known != nil {
			for _, x := range d.exprs {
				known.check(d, x.node, x.expr)
			}
		}
	}
}

// sets returns what the nodes of the flow leave.
func (f *Flow) sets() map[string]Variable {
	s := shared{map[string]Variable{}}
	for _, n := range f.nodes {
		if set, ok := n.node.(Setter); ok {
			for _, v := range set.Sets(n.id) {
				s.join(map[string]Variable{v.Name: v})
			}
		}
	}
	return s.vars
}

// join adds variables; one that two nodes set differently can be of any type.
func (s *shared) join(more map[string]Variable) {
	for name, v := range more {
		if old, ok := s.vars[name]; ok && old.Type != v.Type {
			v.Type = AnyType
		}
		s.vars[name] = v
	}
}

// check reports the variables of an expression that are not there.
func (s *shared) check(d *document, n *yaml.Node, x *expression) {
	for _, r := range x.reads {
		v, known := s.vars[r.name]
		if known && v.Secret == (r.space == "secrets") {
			continue
		}
		p := Problem{File: d.file, Message: "no node sets " + r.space + "." + r.name}
		line, col := d.inside(n, x.offset+r.offset)
		p.Line, p.Col = d.before+line, col
		switch {
		case known && v.Secret:
			p.Message, p.Hint = "vars."+r.name+" is a secret", "write secrets."+r.name
		case known:
			p.Message, p.Hint = "secrets."+r.name+" is no secret", "write vars."+r.name
		default:
			p.Hint = didYouMean(r.name, s.names(r.space == "secrets"))
		}
		d.report.add(p)
	}
}

func (s *shared) names(secret bool) []string {
	return slices.DeleteFunc(slices.Collect(maps.Keys(s.vars)), func(name string) bool { return s.vars[name].Secret != secret })
}
