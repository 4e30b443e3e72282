package flowengine

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/tags"
)

// Variables is what expressions and templates see of a call.
type Variables struct {
	Call     CallVariables     `expr:"call"`
	Caller   CallerVariables   `expr:"caller"`
	Number   string            `expr:"number"`   // the number that was dialled
	Campaign map[string]string `expr:"campaign"` // empty without a campaign
	Tags     map[string]any    `expr:"tags"`
	Vars     map[string]any    `expr:"vars"` // what the nodes before left
	Now      time.Time         `expr:"now"`
}

// campaignFields are what there is to know of the campaign of a call.
var campaignFields = []string{"name", "mode", "plan", "publisher", "organization"}

// CallVariables are the fields of call in an expression.
type CallVariables struct {
	ID      string            `expr:"id"`
	Switch  string            `expr:"switch"`
	Headers map[string]string `expr:"headers"` // X-… headers, written by the caller
	Started time.Time         `expr:"started"`
}

// CallerVariables are the fields of caller in an expression.
type CallerVariables struct {
	Number string `expr:"number"`
	Name   string `expr:"name"`
}

// environment is what an expression is evaluated over. Which of the last five it
// may read is a matter of its scope.
type environment struct {
	Variables
	Event   EventFields       `expr:"event"`
	Secrets map[string]string `expr:"secrets"`
	Status  int               `expr:"status"`
	Headers map[string]string `expr:"headers"`
	Body    any               `expr:"body"` // decoded JSON, or the text

	org *Organization // whose tags these are; nil: none that keeps any private
}

// scope says what an expression may read besides Variables.
type scope int

const (
	secret scope = 1 << iota // secrets: its value is in no record
	answer                   // status, headers and body of the answer to a request
	event                    // event, but not vars: it is of a webhook, and the call may be over

	recorded scope = 0 // nothing: its value may be told to anybody
)

// beyond are the names of an environment that need a scope.
var beyond = map[string]scope{"secrets": secret, "status": answer, "headers": answer, "body": answer, "event": event}

// What an expression may cost. expr has no way to interrupt one, so what runs long
// or grows large is not compiled: ranges, and loops inside loops.
const (
	maxExpression = 1000   // bytes of source
	maxExprNodes  = 500    // nodes of its syntax tree
	exprBudget    = 50_000 // elements it may allocate (vm.VM.MemoryBudget)
)

// SettingError is what is wrong with a setting that is written as one text,
// and where in the text.
type SettingError struct {
	Offset  int // in characters from the start of the text
	Message string
	Hint    string
}

func (e *SettingError) Error() string { return e.Message }

// expression is a compiled expression and what it reads.
type expression struct {
	source  string
	offset  int // of the expression in its setting, in characters
	in      scope
	want    reflect.Kind // of its value; Invalid: any
	program *vm.Program
	reads   []read
	anyTag  *int // where it reads tags without the name of one, in characters; nil: nowhere
}

// variable is what a node leaves for expressions, or a tag.
type variable struct {
	space string // vars, secrets or tags
	name  string
}

// String is how the variable is written in an expression.
func (v variable) String() string {
	if plainName.MatchString(v.name) {
		return v.space + "." + v.name
	}
	return fmt.Sprintf("%s[%q]", v.space, v.name)
}

// read is a variable that an expression names, as in vars.welcome.
type read struct {
	variable
	offset int // in characters from the start of the expression
}

// plainName is a name that can follow a point.
var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// compilers are used over and over: to build one takes longer than to compile an
// expression with it. None is used by two at once.
var compilers = sync.Pool{New: func() any {
	return configure(&environment{}, expr.Patch(emptyText{}))
}}

// configure returns what expr needs to know for expressions over env.
func configure(env any, opts ...expr.Option) *conf.Config {
	c := conf.New(env)
	for _, set := range append(opts, expr.MaxNodes(maxExprNodes), expr.Optimize(false)) {
		set(c)
	}
	for _, name := range []string{"now", "repeat"} { // the time is the engine's
		expr.DisableBuiltin(name)(c)
		delete(c.Builtins, name)
	}
	return c
}

// compile checks and compiles one expression, whose value is to be of the kind
// want; Invalid stands for any. Errors are *SettingError.
func compile(src string, in scope, want reflect.Kind) (*expression, error) {
	if len(src) > maxExpression {
		return nil, &SettingError{Message: fmt.Sprintf("the expression has %d bytes, at most %d are read", len(src), maxExpression)}
	}
	if strings.TrimSpace(src) == "" {
		return nil, &SettingError{Message: "the expression is empty"}
	}
	c := compilers.Get().(*conf.Config)
	defer compilers.Put(c)
	c.Expect, c.ExpectAny = want, true
	tree, err := parser.ParseWithConfig(src, c)
	if err != nil {
		return nil, exprError(src, in, err)
	}
	look := &examiner{in: in}
	ast.Walk(&tree.Node, look)
	if look.loose != nil && look.err == nil {
		look.err = &SettingError{look.loose.Location().From, "expression: secrets are read one by one", "write secrets.NAME"}
	}
	if look.err != nil {
		return nil, look.err
	}
	if _, err := new(checker.Checker).PatchAndCheck(tree, c); err != nil {
		return nil, exprError(src, in, err)
	}
	program, err := compiler.Compile(tree, c)
	if err != nil {
		return nil, exprError(src, in, err)
	}
	x := &expression{source: src, in: in, want: want, program: program, reads: look.reads}
	if look.anyTag != nil {
		at := look.anyTag.Location().From
		x.anyTag = &at
	}
	return x, nil
}

// examiner refuses what could run for long or is out of scope, and notes what is
// read.
type examiner struct {
	in     scope
	err    *SettingError
	reads  []read
	loose  *ast.IdentifierNode // secrets without the name of one, so that nobody knows which is read
	anyTag *ast.IdentifierNode // tags likewise
}

func (x *examiner) Visit(n *ast.Node) {
	if x.err != nil {
		return
	}
	switch t := (*n).(type) {
	case *ast.BinaryNode:
		if t.Operator == ".." {
			x.err = &SettingError{t.Location().From, "expression: ranges (..) are not allowed", "compare with <= and >="}
		}
	case *ast.PredicateNode:
		inner := &loopVisitor{}
		ast.Walk(&t.Node, inner)
		if inner.found {
			x.err = &SettingError{t.Location().From, "expression: a loop inside a loop is not allowed", ""}
		}
	case *ast.IdentifierNode:
		if t.Value == "secrets" && x.loose == nil {
			x.loose = t
		}
		if t.Value == "tags" && x.anyTag == nil {
			x.anyTag = t
		}
		if t.Value == "vars" && x.in&event != 0 {
			x.err = &SettingError{t.Location().From, "expression: webhooks do not know vars", "write the value into a tag, or let a node emit it"}
		}
		if t.Value == "$env" { // all there is, in scope or not
			x.err = &SettingError{t.Location().From, "expression: unknown name $env", unknownHint("$env", x.in)}
		}
		if needs, ok := beyond[t.Value]; ok && x.in&needs == 0 {
			x.err = &SettingError{t.Location().From, "expression: unknown name " + t.Value, unknownHint(t.Value, x.in)}
			if needs == secret {
				x.err.Message = "expression: secrets cannot be used here"
				x.err.Hint = "they are for conditions, and for the headers and the body of a request"
				if x.in&event != 0 {
					x.err.Hint = "they are for the address, the headers and the body of what is sent"
				}
			}
		}
	case *ast.MemberNode:
		owner, ok := t.Node.(*ast.IdentifierNode)
		name, fixed := t.Property.(*ast.StringNode)
		if ok && fixed && owner.Value == "campaign" && !slices.Contains(campaignFields, name.Value) {
			x.err = &SettingError{name.Location().From, "expression: campaign has no field " + name.Value, DidYouMean(name.Value, campaignFields)}
		}
		if ok && fixed && slices.Contains([]string{"vars", "secrets", "tags"}, owner.Value) {
			x.reads = append(x.reads, read{variable{owner.Value, name.Value}, owner.Location().From})
			switch owner {
			case x.loose:
				x.loose = nil
			case x.anyTag:
				x.anyTag = nil
			}
		}
	}
}

type loopVisitor struct{ found bool }

func (v *loopVisitor) Visit(n *ast.Node) {
	if _, ok := (*n).(*ast.PredicateNode); ok {
		v.found = true
	}
}

// emptyText lets a variable that is not there stand for the empty text where a
// text is needed: in an operation on texts, and as an argument.
type emptyText struct{}

func (emptyText) Visit(n *ast.Node) {
	switch t := (*n).(type) {
	case *ast.BinaryNode:
		switch t.Operator {
		case "contains", "startsWith", "endsWith", "matches", "+":
			orEmpty(&t.Left)
			orEmpty(&t.Right)
		}
	case *ast.BuiltinNode:
		for i := range t.Arguments {
			orEmpty(&t.Arguments[i])
		}
	case *ast.CallNode:
		for i := range t.Arguments {
			orEmpty(&t.Arguments[i])
		}
	}
}

// orEmpty makes vars.x of *n into vars.x ?? "".
func orEmpty(n *ast.Node) {
	m, ok := (*n).(*ast.MemberNode)
	if !ok {
		return
	}
	if owner, ok := m.Node.(*ast.IdentifierNode); ok && (owner.Value == "vars" || owner.Value == "tags") {
		at := m.Location()
		ast.Patch(n, &ast.BinaryNode{Operator: "??", Left: m, Right: &ast.StringNode{}})
		(*n).SetLocation(at)
	}
}

// eval evaluates the expression.
func (x *expression) eval(env *environment) (any, error) {
	machine := vm.VM{MemoryBudget: exprBudget}
	out, err := machine.Run(x.program, env)
	if err == nil {
		return out, nil
	}
	if x.readsSecrets() { // expr's words may hold one
		return nil, errors.New("an expression that reads secrets fails")
	}
	if env.org.keeps(x, tags.Internal, tags.Private) {
		return nil, errors.New("an expression that reads a tag which is not public fails")
	}
	msg, _, _ := strings.Cut(err.Error(), "\n")
	return nil, fmt.Errorf("expression: %s", msg)
}

// readsSecrets says whether secrets are named anywhere in the expression.
func (x *expression) readsSecrets() bool {
	return x.in&secret != 0 && strings.Contains(x.source, "secrets")
}

// callVariables returns what expressions see of a call itself.
func callVariables(c *call.Call) (CallVariables, CallerVariables) {
	return CallVariables{c.ID, c.Switch, c.Headers, c.Started}, CallerVariables{c.Caller.Number, c.Caller.Name}
}
