package flowengine

import (
	"github.com/expr-lang/expr/conf"
	yaml "go.yaml.in/yaml/v4"

	"github.com/hookswitch/hookswitch/tags"
)

// shared is what the flows of one call leave in their variables, and the tags that are
// defined: flows that run each other share them. The same name in vars and in secrets is
// two variables.
type shared struct {
	left  map[variable]VariableType
	typed *conf.Config // made when it is needed
}

// variables reports expressions that read what no node leaves, or make of it what
// its type does not allow.
func (l *loader) variables() {
	of := map[string]*shared{}
	for name, f := range l.org.flows {
		of[name] = &shared{left: f.sets()}
		of[name].join(l.tagTypes())
	}
	for _, r := range l.running {
		a, b := of[r.flow.Name], of[r.runs]
		if a == nil || b == nil || a == b {
			continue
		}
		a.join(b.left)
		for name, s := range of {
			if s == b {
				of[name] = a
			}
		}
	}
	for _, d := range l.flows {
		_, name := field(d.root, "flow")
		if known := of[name.Value]; known != nil {
			known.checkAll(d)
		}
		told := emitted(d)
		for _, x := range d.exprs {
			if !told[x.node] {
				continue
			}
			l.hidden(d, x)
			if names := l.org.classed(tags.Internal, tags.Private); x.expr.anyTag != nil && len(names) > 0 {
				d.inText(x.node, x.expr.offset+*x.expr.anyTag, "write tags.NAME", "webhooks do not see all tags: tags.%s is %s", names[0], l.org.tags[names[0]].Privacy)
			}
		}
	}
	if len(l.built) < len(l.flows) {
		return // a flow with a problem may set what a target reads
	}
	every := shared{left: l.tagTypes()} // targets take the calls of every flow
	for _, s := range of {
		every.join(s.left)
	}
	for _, d := range l.listed {
		every.checkAll(d)
		for _, x := range d.exprs {
			if x.expr.in&event != 0 {
				l.hidden(d, x)
			}
		}
	}
}

// emitted returns the values of what the nodes of a flow tell webhooks.
func emitted(d *document) map[*yaml.Node]bool {
	values := map[*yaml.Node]bool{}
	_, all := field(d.root, "nodes")
	if all == nil || all.Kind != yaml.MappingNode {
		return values
	}
	for i := 1; i < len(all.Content); i += 2 {
		_, settings := field(all.Content[i], "emit")
		if _, data := field(settings, "data"); data != nil {
			for _, value := range data.Content {
				values[value] = true
			}
		}
	}
	return values
}

// hidden reports an expression of what webhooks are told that reads a tag which none gets
// to see.
func (l *loader) hidden(d *document, x placed) {
	for _, r := range x.expr.reads {
		t := l.org.tags[r.name]
		if r.space == "tags" && t != nil && t.Privacy != tags.Public {
			d.inText(x.node, x.expr.offset+r.offset, "leave it out; it is defined at "+l.places[thing{"tag", r.name}], "webhooks do not see %s, which is %s", r, t.Privacy)
		}
	}
}

func (s *shared) checkAll(d *document) {
	for _, x := range d.exprs {
		s.check(d, x)
	}
}

// sets returns what the nodes of the flow leave.
func (f *Flow) sets() map[variable]VariableType {
	s := shared{left: map[variable]VariableType{}}
	for _, n := range f.nodes {
		if set, ok := n.node.(Setter); ok {
			for _, v := range set.Sets(n.id) {
				s.join(map[variable]VariableType{v.key(): v.Type})
			}
		}
	}
	return s.left
}

func (v Variable) key() variable {
	if v.Secret {
		return variable{"secrets", v.Name}
	}
	return variable{"vars", v.Name}
}

// join adds variables; one that two nodes set differently can be of any type.
func (s *shared) join(more map[variable]VariableType) {
	for v, is := range more {
		if old, ok := s.left[v]; ok && old != is {
			is = AnyType
		}
		s.left[v] = is
	}
}

// check reports what is wrong with the variables of an expression.
func (s *shared) check(d *document, x placed) {
	unknown := false
	for _, r := range x.expr.reads {
		if _, known := s.left[r.variable]; known || r.space == "tags" || x.expr.in&event != 0 {
			continue // tags need no definition, and the secrets of webhooks are not in the files
		}
		unknown = true
		message, hint := "no node sets "+r.String(), DidYouMean(r.name, s.names(r.space))
		open, secret := variable{"vars", r.name}, variable{"secrets", r.name}
		if _, known := s.left[secret]; known {
			message, hint = r.String()+" is a secret", "write "+secret.String()
		} else if _, known := s.left[open]; known {
			message, hint = r.String()+" is no secret", "write "+open.String()
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

// names lists the variables of a space.
func (s *shared) names(space string) (out []string) {
	for v := range s.left {
		if v.space == space {
			out = append(out, v.name)
		}
	}
	return out
}
