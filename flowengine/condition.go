package flowengine

import (
	"errors"
	"reflect"
	"strings"
	"sync"
)

// Condition is a setting that is true or false: an expression. It may read secrets;
// then its source is not to be recorded, for it may hold what a secret is compared with.
type Condition struct {
	Source string
	expr   *expression
	reads  func() []*expression // the variables that it reads
}

// UnmarshalText compiles the expression; it fails with a *SettingError.
func (c *Condition) UnmarshalText(text []byte) error { return c.compile(string(text), secret) }

func (c *Condition) compile(src string, in scope) error {
	if strings.HasPrefix(strings.TrimSpace(src), "{{") {
		return &SettingError{Message: "a condition is an expression already", Hint: "leave {{ and }} out"}
	}
	x, err := compile(src, in, reflect.Bool)
	*c = Condition{src, x, sync.OnceValue(func() []*expression { return variablesOf(src) })}
	return err
}

// filter is a Condition that reads no secrets, so that anybody may know what it is
// about.
type filter struct{ Condition }

// UnmarshalText compiles the expression; it fails with a *SettingError.
func (f *filter) UnmarshalText(text []byte) error { return f.compile(string(text), recorded) }

// ReadsSecrets says whether the condition is about secrets.
func (c *Condition) ReadsSecrets() bool { return c.expr.readsSecrets() }

func (c *Condition) expressions() []*expression { return []*expression{c.expr} }

// Eval returns whether the condition holds where there are no secrets. It fails
// on a fault of the expression, such as an index that does not exist.
func (c *Condition) Eval(vars *Variables) (bool, error) {
	return c.eval(&environment{Variables: *vars})
}

func (c *Condition) eval(env *environment) (bool, error) {
	v, err := c.expr.eval(env)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, errors.New("the condition is neither true nor false")
	}
	return b, nil
}
