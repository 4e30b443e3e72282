package flowengine

import (
	"fmt"

	yaml "go.yaml.in/yaml/v4"
)

// Data is a setting of any shape: mappings and lists whose scalars are values,
// which may read secrets. It is what a request sends as JSON.
type Data struct {
	value *Value
	list  []Data
	names []string // of the fields, in their order
	field map[string]Data
	given bool
}

func (x *Data) decodeNode(d *document, n *yaml.Node, name string) { x.decodeIn(d, n, name, secret) }

func (x *Data) decodeIn(d *document, n *yaml.Node, name string, in scope) {
	*x = Data{given: true}
	switch {
	case n.Kind == yaml.MappingNode:
		x.field = map[string]Data{}
		d.pairs(n, func(k, v *yaml.Node) {
			var item Data
			item.decodeIn(d, v, k.Value, in)
			x.names, x.field[k.Value] = append(x.names, k.Value), item
		})
	case n.Kind == yaml.SequenceNode:
		x.list = make([]Data, len(n.Content))
		for i, item := range n.Content {
			x.list[i].decodeIn(d, item, fmt.Sprintf("%s[%d]", name, i), in)
		}
	case n.Tag == "!!null":
		x.value = &Value{}
	default:
		x.value = new(Value)
		x.value.decodeIn(d, n, name, in)
	}
}

// Empty says that nothing is written.
func (x *Data) Empty() bool { return !x.given }

func (x *Data) expressions() (out []*expression) {
	if x.value != nil {
		return x.value.expressions()
	}
	for i := range x.list {
		out = append(out, x.list[i].expressions()...)
	}
	for _, item := range x.field {
		out = append(out, item.expressions()...)
	}
	return out
}

func (x *Data) eval(env *environment) (any, error) {
	switch {
	case x.value != nil:
		return x.value.eval(env)
	case x.list != nil:
		out := make([]any, len(x.list))
		for i := range x.list {
			v, err := x.list[i].eval(env)
			if err != nil {
				return nil, err
			}
			out[i] = v
		}
		return out, nil
	}
	out := make(map[string]any, len(x.field))
	for _, name := range x.names {
		item := x.field[name]
		v, err := item.eval(env)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = v
	}
	return out, nil
}
