package flowengine

import (
	"maps"
	"slices"

	"github.com/expr-lang/expr/conf"
)

// shared is what the flows of one call leave in their variables: those that run each
// other share them.
type shared struct {
	vars  map[string]Variable
	typed *conf.Config // made when it is needed
}

// variables reports expressions that read what no node leaves, or make of it what
// its type does not allow.
func (l *loader) variables() {
	of := map[string]*shared{}
	for name, f := range l.snapshot.flows {
		of[name] = &shared{vars: f.sets()}
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
				known.check(d, x)
			}
		}
	}
}

// sets returns what the nodes of the flow leave.
func (f *Flow) sets() map[string]Variable {
	s := shared{vars: map[string]Variable{}}
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

// check reports what is wrong with the variables of an expression.
func (s *shared) check(d *document, x placed) {
	unknown := false
	for _, r := range x.expr.reads {
		v, known := s.vars[r.name]
		if known && v.Secret == (r.space == "secrets") {
			continue
		}
		unknown = true
		var message, hint string
		switch {
		case known && v.Secret:
			message, hint = r.String()+" is a secret", "write "+read{space: "secrets", name: r.name}.String()
		case known:
			message, hint = r.String()+" is no secret", "write "+read{space: "vars", name: r.name}.String()
		default:
			message, hint = "no node sets "+r.String(), didYouMean(r.name, s.names(r.space == "secrets"))
		}
		d.inText(x.node, x.expr.offset+r.offset, hint, "%s", message)
	}
	if unknown {
		return
	}
	if e := s.mismatch(x.expr); e != nil {
		d.inText(x.node, x.expr.offset+e.Offset, e.Hint, "%s: %s", x.name, e.Message)
	}
}

func (s *shared) names(secret bool) []string {
	return slices.DeleteFunc(slices.Collect(maps.Keys(s.vars)), func(name string) bool { return s.vars[name].Secret != secret })
}
