package flowengine

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// Value is a setting that is a text, a number or true or false. A text may
// hold templates; one that is nothing but a single {{ expression }} has the
// value of that expression with its type.
type Value struct {
	Source   string
	fixed    any
	template template // nil for a value without templates
}

// decodeNode reads the value as it is written.
func (v *Value) decodeNode(d *document, n *yaml.Node, name string) {
	v.decodeIn(d, n, name, recorded)
}

func (v *Value) decodeIn(d *document, n *yaml.Node, name string, in scope) {
	*v = Value{Source: n.Value}
	if fixed, ok := plainScalar(n); ok {
		v.fixed = fixed
	} else if !isText(n) && n.Kind != yaml.MappingNode {
		d.at(n, "", "%s must be a text, a number, true or false, not %s", name, what(n))
	} else if d.text(n, name, func(src string) error { return v.read(src, in) }) {
		d.note(n, name, v)
	}
}

// plainScalar returns a number or a truth that is written without quotes.
func plainScalar(n *yaml.Node) (any, bool) {
	if n.Kind != yaml.ScalarNode || n.Style != 0 {
		return nil, false
	}
	switch n.Tag {
	case "!!int":
		i, err := strconv.Atoi(n.Value)
		return i, err == nil
	case "!!float":
		f, err := strconv.ParseFloat(n.Value, 64)
		return f, err == nil && !math.IsInf(f, 0) && !math.IsNaN(f)
	case "!!bool":
		return n.Value == "true", n.Value == "true" || n.Value == "false"
	}
	return nil, false
}

func (v *Value) read(src string, in scope) (err error) {
	v.fixed = src
	if strings.Contains(src, "{{") {
		v.template, err = compileTemplate(src, in)
	}
	return err
}

// Type says of what type the value is in every call, as far as that can be told.
func (v *Value) Type() VariableType {
	if len(v.template) == 1 {
		return AnyType
	}
	switch v.fixed.(type) {
	case string:
		return TextType
	case bool:
		return TruthType
	}
	return NumberType
}

func (v *Value) expressions() []*expression { return v.template.expressions() }

func (v *Value) eval(env *environment) (any, error) {
	switch {
	case v.template == nil:
		return v.fixed, nil
	case len(v.template) == 1:
		x, err := v.template[0].expr.eval(env)
		if err != nil {
			return nil, err
		}
		if v.template[0].expr.in&event != 0 && isBulk(x) {
			return x, nil // it is told as it is
		}
		return plain(x)
	}
	return v.template.render(env, nil)
}

// isBulk says whether a value is a list or a mapping.
func isBulk(x any) bool {
	kind := reflect.ValueOf(x).Kind()
	return kind == reflect.Map || kind == reflect.Slice
}

// errNotPlain says that a value cannot be kept in a variable or tag.
var errNotPlain = errors.New("a list or a mapping is no value: choose a text, a number or a truth of it")

// plain makes of what an expression returned a text, a whole number, a number or a
// truth: what a variable can hold and JSON gives back unchanged.
func plain(x any) (any, error) {
	switch t := x.(type) {
	case string, bool, int:
		return t, nil
	case int64:
		return int(t), nil
	case nil:
		return "", nil
	case float64:
		switch {
		case math.IsInf(t, 0) || math.IsNaN(t):
			return nil, fmt.Errorf("%v is no number", t)
		case t == math.Trunc(t) && math.Abs(t) < 1<<53:
			return int(t), nil
		}
		return t, nil
	}
	if s := spell(x); s != "" { // a time, a weekday
		return s, nil
	}
	return nil, errNotPlain
}
