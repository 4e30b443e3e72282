package nodes

import (
	"context"
	"fmt"
	"slices"

	"github.com/hookswitch/hookswitch/flowengine"
)

// Branch goes through the exit of the first case whose condition holds.
type Branch struct {
	Cases []Case `yaml:"cases,required"`
}

// Case is one exit of a Branch.
type Case struct {
	Name string               `yaml:"name,required"`
	If   flowengine.Condition `yaml:"if,required"`
}

const (
	otherwise = "else"
	maxCases  = 50
)

// Exits are the names of the cases, and else.
func (b *Branch) Exits() []string {
	out := make([]string, 0, len(b.Cases)+1)
	for _, c := range b.Cases {
		if c.Name != "" {
			out = append(out, c.Name)
		}
	}
	return append(out, otherwise)
}

// Check wants names that can be exits, each once.
func (b *Branch) Check(c *flowengine.Check) {
	if len(b.Cases) == 0 || len(b.Cases) > maxCases {
		c.Problem("cases", "", "cases: a branch has 1 to %d cases, not %d", maxCases, len(b.Cases))
	}
	var taken []string
	for i, one := range b.Cases {
		checkExit(c, fmt.Sprintf("cases/%d/name", i), "a case", one.Name, taken...)
		taken = append(taken, one.Name)
	}
}

// checkExit wants a name that can be an exit of what it is the name of.
func checkExit(c *flowengine.Check, at, what, name string, taken ...string) {
	if !nameSyntax.MatchString(name) {
		c.Problem(at, nameHint, "%q cannot be the name of %s", name, what)
	} else if slices.Contains(append(taken, otherwise, flowengine.ErrorExit, flowengine.NextExit), name) {
		c.Problem(at, "", "the name %s is taken", name)
	}
}

// Run finds the case.
func (b *Branch) Run(_ context.Context, s *flowengine.Session) (flowengine.Result, error) {
	for i := range b.Cases {
		holds, err := s.True(&b.Cases[i].If)
		if err != nil {
			return flowengine.Result{}, fmt.Errorf("case %s: %w", b.Cases[i].Name, err)
		}
		if !holds {
			continue
		}
		why := b.Cases[i].If.Source
		if b.Cases[i].If.ReadsSecrets() {
			why = "by a secret"
		}
		return flowengine.Result{Exit: b.Cases[i].Name, Why: why}, nil
	}
	return flowengine.Result{Exit: otherwise, Why: "no case holds"}, nil
}
