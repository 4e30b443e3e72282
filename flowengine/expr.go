package flowengine

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"github.com/hookswitch/hookswitch/call"
)

// Variables is what expressions and templates see of a call.
type Variables struct {
	Call     CallVariables     `expr:"call"`
	Caller   CallerVariables   `expr:"caller"`
	Number   string            `expr:"number"`   // the number that was dialled
	Campaign map[string]string `expr:"campaign"` // empty without a campaign
	Tags     map[string]any    `expr:"tags"`
	Vars     map[string]string `expr:"vars"` // what the nodes before left, by node id
	Now      time.Time         `expr:"now"`
}

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

// What an expression may cost. expr has no way to interrupt one, so what runs long
// or grows large is not compiled: ranges, and loops inside loops.
const (
	maxExpression = 1000   // bytes of source
	maxExprNodes  = 500    // nodes of its syntax tree
	exprBudget    = 50_000 // elements it may allocate (vm.VM.MemoryBudget)
	maxValue      = 300    // characters of one value in a text
	maxSpoken     = 1900   // bytes of a text, below what call.ParsePrompt takes
)

// SettingError is what is wrong with a setting that is written as one text,
// and where in the text.
type SettingError struct {
	Offset  int // in characters from the start of the text
	Message string
	Hint    string
}

func (e *SettingError) Error() string { return e.Message }

// Condition is an expression that is true or false.
type Condition struct {
	Source  string
	program *vm.Program
}

// UnmarshalText compiles the expression; it fails with a *SettingError.
func (c *Condition) UnmarshalText(text []byte) error {
	src := string(text)
	if strings.HasPrefix(strings.TrimSpace(src), "{{") {
		return &SettingError{Message: "a condition is an expression already", Hint: "leave {{ and }} out"}
	}
	program, err := compile(src, expr.AsBool())
	*c = Condition{src, program}
	return err
}

// Eval returns whether the condition holds. It fails on a fault of the
// expression, such as an index that does not exist.
func (c *Condition) Eval(vars *Variables) (bool, error) {
	v, err := run(c.program, vars)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, errors.New("the condition is neither true nor false")
	}
	return b, nil
}

// compile checks and compiles one expression. Errors are *SettingError.
func compile(src string, opts ...expr.Option) (*vm.Program, error) {
	if len(src) > maxExpression {
		return nil, &SettingError{Message: fmt.Sprintf("the expression has %d bytes, at most %d are read", len(src), maxExpression)}
	}
	if strings.TrimSpace(src) == "" {
		return nil, &SettingError{Message: "the expression is empty"}
	}
	tree, err := parser.Parse(src)
	if err != nil {
		return nil, exprError(err)
	}
	if err := bounded(tree.Node); err != nil {
		return nil, err
	}
	program, err := expr.Compile(src, append([]expr.Option{
		expr.Env(Variables{}), expr.MaxNodes(maxExprNodes), expr.Optimize(false),
		expr.DisableBuiltin("now"), expr.DisableBuiltin("repeat"), // the time is the engine's
	}, opts...)...)
	if err != nil {
		return nil, exprError(err)
	}
	return program, nil
}

// exprError keeps expr's words and their place.
func exprError(err error) error {
	if e := (*file.Error)(nil); errors.As(err, &e) {
		hint := ""
		if strings.HasPrefix(e.Message, "unknown name") {
			hint = "there are call, caller, number, campaign, tags, vars, now; a text needs quotes"
		}
		msg, _, _ := strings.Cut(e.Message, "\n")
		if m := noField.FindStringSubmatch(msg); m != nil {
			owner := strings.ToLower(m[1])
			msg = fmt.Sprintf("%s has no field %s", owner, m[2])
			hint = didYouMean(m[2], variableFields[owner])
		}
		return &SettingError{Offset: max(e.From, 0), Message: "expression: " + msg, Hint: hint}
	}
	msg, _, _ := strings.Cut(err.Error(), "\n")
	return &SettingError{Message: "expression: " + msg}
}

// noField matches expr's words for a field that call or caller lacks.
var noField = regexp.MustCompile(`^type flowengine\.(Call|Caller)Variables has no field (\w+)`)

var variableFields = map[string][]string{
	"call":   {"id", "switch", "headers", "started"},
	"caller": {"number", "name"},
}

// bounded refuses what could run for long.
func bounded(n ast.Node) error {
	v := &boundsVisitor{}
	ast.Walk(&n, v)
	if v.err == nil {
		return nil
	}
	return v.err
}

type boundsVisitor struct{ err *SettingError }

func (v *boundsVisitor) Visit(n *ast.Node) {
	if v.err != nil {
		return
	}
	switch t := (*n).(type) {
	case *ast.BinaryNode:
		if t.Operator == ".." {
			v.err = &SettingError{t.Location().From, "expression: ranges (..) are not allowed", "compare with <= and >="}
		}
	case *ast.PredicateNode:
		inner := &loopVisitor{}
		ast.Walk(&t.Node, inner)
		if inner.found {
			v.err = &SettingError{t.Location().From, "expression: a loop inside a loop is not allowed", ""}
		}
	}
}

type loopVisitor struct{ found bool }

func (v *loopVisitor) Visit(n *ast.Node) {
	if _, ok := (*n).(*ast.PredicateNode); ok {
		v.found = true
	}
}

// run evaluates a compiled expression.
func run(p *vm.Program, vars *Variables) (any, error) {
	machine := vm.VM{MemoryBudget: exprBudget}
	out, err := machine.Run(p, *vars)
	if err != nil {
		return nil, fmt.Errorf("expression: %w", err)
	}
	return out, nil
}

// Prompt is a setting for something to be heard, in which spoken text may
// hold templates: "say:Hello {{ caller.name }}".
type Prompt struct {
	Source   string
	fixed    call.Prompt
	segments []segment // nil for a prompt without templates
}

// segment is a piece of a template: text, or an expression.
type segment struct {
	text    string
	program *vm.Program
}

// UnmarshalText parses the prompt and compiles its templates; it fails with
// a *SettingError.
func (p *Prompt) UnmarshalText(text []byte) error {
	src := string(text)
	*p = Prompt{Source: src}
	if !strings.Contains(src, "{{") {
		fixed, err := call.ParsePrompt(src)
		if err != nil {
			return &SettingError{Message: err.Error()}
		}
		p.fixed = fixed
		return nil
	}
	if !strings.HasPrefix(src, "say:") {
		return &SettingError{Message: "only spoken text can hold {{ … }}", Hint: "begin with say:"}
	}
	if len(src) > maxSpoken {
		return &SettingError{Message: fmt.Sprintf("the prompt has %d bytes, at most %d are read", len(src), maxSpoken)}
	}
	segments, err := compileTemplate(src)
	if err != nil {
		return err
	}
	p.segments = segments
	return nil
}

// Empty says that there is nothing to be heard.
func (p *Prompt) Empty() bool { return p.Source == "" }

// Render returns what is to be heard in this call. What comes from the call
// is made harmless by call.ParsePrompt, as all spoken text.
func (p *Prompt) Render(vars *Variables) (call.Prompt, error) {
	if p.segments == nil {
		return p.fixed, nil
	}
	text, err := renderTemplate(p.segments, vars)
	if err != nil {
		return call.Prompt{}, err
	}
	if len(text) > maxSpoken { // what callers send must not make a fault of it
		text = strings.ToValidUTF8(text[:maxSpoken], "")
	}
	if call.Speakable(strings.TrimPrefix(text, "say:")) == "" {
		return call.Prompt{}, nil
	}
	return call.ParsePrompt(text)
}

// compileTemplate splits a text at its {{ expressions }} and compiles them.
func compileTemplate(src string) ([]segment, error) {
	var out []segment
	for at := 0; at < len(src); {
		open := strings.Index(src[at:], "{{")
		if open < 0 {
			return append(out, segment{text: src[at:]}), nil
		}
		if open > 0 {
			out = append(out, segment{text: src[at : at+open]})
		}
		start := at + open + 2
		length := closing(src[start:])
		if length < 0 {
			return nil, &SettingError{utf8.RuneCountInString(src[:start-2]), "{{ without }}", "close the expression with }}"}
		}
		program, err := compile(src[start : start+length])
		if e := (*SettingError)(nil); errors.As(err, &e) {
			e.Offset += utf8.RuneCountInString(src[:start])
			return nil, e
		}
		out = append(out, segment{program: program})
		at = start + length + 2
	}
	return out, nil
}

// closing returns where }} stands outside quotes; -1 when it does not.
func closing(s string) int {
	var quoted byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted != 0 && c == '\\' && quoted != '`':
			i++
		case quoted != 0:
			if c == quoted {
				quoted = 0
			}
		case c == '"' || c == '\'' || c == '`':
			quoted = c
		case c == '}' && i+1 < len(s) && s[i+1] == '}':
			return i
		}
	}
	return -1
}

func renderTemplate(segments []segment, vars *Variables) (string, error) {
	var b strings.Builder
	for _, s := range segments {
		if s.program == nil {
			b.WriteString(s.text)
			continue
		}
		v, err := run(s.program, vars)
		if err != nil {
			return "", err
		}
		b.WriteString(cut(spell(v), maxValue))
	}
	return b.String(), nil
}

// cut shortens a text to n characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}

// spell writes a value as a person would.
func spell(v any) string {
	switch t := v.(type) {
	case nil:
		return ""
	case string:
		return t
	case time.Time:
		return t.Format(time.RFC3339)
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.Map || r.Kind() == reflect.Slice || r.Kind() == reflect.Struct {
		return "" // a bulk of data is no text
	}
	return fmt.Sprint(v)
}

// Duration is a setting for a time span, written with its unit: 15s, 1m30s.
type Duration time.Duration

// UnmarshalText reads the duration; it fails with a *SettingError.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	v, err := time.ParseDuration(s)
	switch {
	case err != nil && onlyDigits(s):
		return &SettingError{Message: fmt.Sprintf("the duration %s has no unit", s), Hint: fmt.Sprintf("write %ss for seconds", s)}
	case err != nil:
		return &SettingError{Message: fmt.Sprintf("%s is no duration", quote(s)), Hint: "write it like 15s, 500ms or 1m30s"}
	case v < 0:
		return &SettingError{Message: fmt.Sprintf("the duration %s is negative", s)}
	case v > 24*time.Hour:
		return &SettingError{Message: fmt.Sprintf("the duration %s is longer than a day", s)}
	}
	*d = Duration(v)
	return nil
}

func onlyDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789.") == ""
}
