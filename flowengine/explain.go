package flowengine

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/parser"

	"github.com/hookswitch/hookswitch/tags"
)

// maxExplained bounds what is told of a condition, in bytes.
const maxExplained = 200

// Passes says whether a condition that reads no secrets holds, and for people why it
// does not: with the values that it read, as in tags.state is "CA".
func (s *Session) Passes(c *Condition) (passes bool, why string) {
	env := s.environment()
	passes, err := c.eval(env)
	switch {
	case passes:
		return true, ""
	case err != nil:
		why = err.Error()
	default:
		why = c.explain(env)
	}
	if len(why) > maxExplained {
		why = strings.ToValidUTF8(why[:maxExplained], "") + "…"
	}
	return false, why
}

// explain returns the values that a condition reads, or its source where it reads none.
// Tags that are private are named, and no more.
func (c *Condition) explain(env *environment) string {
	var out []string
	for _, x := range c.reads() {
		v, err := x.eval(env)
		switch text, isText := v.(string); {
		case err != nil || v == nil:
			out = append(out, x.source+" is not set")
		case env.org.keeps(x, tags.Private):
			out = append(out, x.source+" is private")
		case isText:
			out = append(out, fmt.Sprintf("%s is %q", x.source, text))
		case spell(v) != "":
			out = append(out, x.source+" is "+spell(v))
		}
	}
	if len(out) == 0 {
		return c.Source
	}
	return strings.Join(out, ", ")
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
