package nodes

import (
	"context"
	"fmt"
	"regexp"

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

const otherwise = "else"

var caseName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)

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
	if len(b.Cases) == 0 || len(b.Cases) > 50 {
		c.Problem("cases", "", "cases: a branch has 1 to 50 cases, not %d", len(b.Cases))
	}
	seen := map[string]bool{otherwise: true, flowengine.ErrorExit: true, flowengine.NextExit: true}
	for i, one := range b.Cases {
		at := fmt.Sprintf("cases/%d/name", i)
		if !caseName.MatchString(one.Name) {
			c.Problem(at, "a letter, then letters, digits, - or _", "%q cannot be the name of a case", one.Name)
		} else if seen[one.Name] {
			c.Problem(at, "", "the name %s is taken", one.Name)
		}
		seen[one.Name] = true
	}
}

// Run finds the case.
func (b *Branch) Run(_ context.Context, s *flowengine.Session) (flowengine.Result, error) {
	for i := range b.Cases {
		holds, err := s.True(&b.Cases[i].If)
		if err != nil {
			return flowengine.Result{}, fmt.Errorf("case %s: %w", b.Cases[i].Name, err)
		}
		if holds {
			return flowengine.Result{Exit: b.Cases[i].Name, Why: b.Cases[i].If.Source}, nil
		}
	}
	return flowengine.Result{Exit: otherwise, Why: "no case holds"}, nil
}
