package flowengine

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/parser"
)

// maxExplained bounds what is told of a condition, in bytes.
const maxExplained = 200

// Explain returns the values that a condition reads in this call, for people, as in
// tags.state is "CA". The condition reads no secrets.
func (s *Session) Explain(c *Condition) string {
	var out []string
	env := s.environment()
	for _, x := range c.reads() {
		v, err := x.eval(env)
		switch text, isText := v.(string); {
		case err != nil || v == nil:
			out = append(out, x.source+" is not set")
		case isText:
			out = append(out, fmt.Sprintf("%s is %q", x.source, text))
		case spell(v) != "":
			out = append(out, x.source+" is "+spell(v))
		}
	}
	text := strings.Join(out, ", ")
	if text == "" {
		text = c.Source
	}
	if len(text) > maxExplained {
		text = strings.ToValidUTF8(text[:maxExplained], "") + "…"
	}
	return text
}

// variablesOf returns the variables that an expression names, each as an expression.
func variablesOf(src string) []*expression {
	c := compilers.Get().(*conf.Config)
	tree, err := parser.ParseWithConfig(src, c)
	compilers.Put(c)
	if err != nil {
		return nil // it was compiled before
	}
	named := &naming{paths: map[ast.Node]string{}}
	ast.Walk(&tree.Node, named)
	var out []*expression
	for _, n := range named.order {
		path, whole := named.paths[n]
		if !whole || slices.ContainsFunc(out, func(x *expression) bool { return x.source == path }) {
			continue
		}
		if x, err := compile(path, recorded, reflect.Invalid); err == nil {
			out = append(out, x)
		}
	}
	return out
}

// naming finds how variables are named, as far as names go: tags.state, call.headers["X-A"].
type naming struct {
	paths map[ast.Node]string
	order []ast.Node
}

func (x *naming) Visit(n *ast.Node) {
	switch t := (*n).(type) {
	case *ast.IdentifierNode:
		x.paths[t] = t.Value
		x.order = append(x.order, t)
	case *ast.MemberNode:
		owner, known := x.paths[t.Node]
		name, fixed := t.Property.(*ast.StringNode)
		if !known || !fixed {
			return
		}
		delete(x.paths, t.Node)
		if x.paths[t] = owner + "." + name.Value; !plainName.MatchString(name.Value) {
			x.paths[t] = fmt.Sprintf("%s[%q]", owner, name.Value)
		}
		x.order = append(x.order, t)
	}
}
