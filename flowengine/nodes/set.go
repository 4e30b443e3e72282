package nodes

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hookswitch/hookswitch/flowengine"
)

// Set sets variables.
type Set struct {
	Vars Values `yaml:"vars,required"`
}

// Values are values by name.
type Values map[string]flowengine.Value

// maxValues bounds the values of one node.
const maxValues = 20

// identifier is the form of a name that can be read as vars.NAME.
var identifier = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,63}$`)

const identifierHint = "a letter, then letters, digits or _, at most 64"

// check wants names of a form; what names them, for messages.
func (v Values) check(c *flowengine.Check, setting, what string, form *regexp.Regexp, hint string) {
	if len(v) == 0 || len(v) > maxValues {
		c.Problem(setting, "", "%s: there must be 1 to %d, not %d", setting, maxValues, len(v))
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if !form.MatchString(name) {
			c.Problem(setting+"/"+name, hint, "%q cannot be the name of %s", name, what)
		}
	}
}

// eval returns all values, before any of them is used.
func (v Values) eval(s *flowengine.Session) (map[string]any, error) {
	out := make(map[string]any, len(v))
	for name, value := range v {
		x, err := s.Value(&value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = x
	}
	return out, nil
}

// names lists the names for people.
func (v Values) names() string {
	return strings.Join(slices.Sorted(maps.Keys(v)), ", ")
}

// Check wants names that expressions can read.
func (n *Set) Check(c *flowengine.Check) {
	n.Vars.check(c, "vars", "a variable", identifier, identifierHint)
}

// Sets are the variables.
func (n *Set) Sets(string) []flowengine.Variable {
	out := make([]flowengine.Variable, 0, len(n.Vars))
	for _, name := range slices.Sorted(maps.Keys(n.Vars)) {
		value := n.Vars[name]
		out = append(out, flowengine.Variable{Name: name, Type: value.Type()})
	}
	return out
}

// Run sets them. After a takeover it sets them again.
func (n *Set) Run(_ context.Context, s *flowengine.Session) (flowengine.Result, error) {
	values, err := n.Vars.eval(s)
	if err != nil {
		return flowengine.Result{}, err
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if err := s.Set(name, values[name]); err != nil {
			return flowengine.Result{}, err
		}
	}
	return flowengine.Result{Exit: flowengine.NextExit, Why: told(values)}, nil
}

// told lists values for people.
func told(values map[string]any) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		out = append(out, fmt.Sprintf("%s = %.60s", name, fmt.Sprint(values[name])))
	}
	return strings.Join(out, ", ")
}
