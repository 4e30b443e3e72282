package nodes

import (
	"context"
	"fmt"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/routing"
)

// Plan connects the caller with one of the targets of a routing plan.
type Plan struct {
	Name string `yaml:"plan,required"`
	Calling
}

func newPlan() flowengine.Node { return &Plan{Calling: newCalling()} }

// Plan is the name of the plan.
func (n *Plan) Plan() string { return n.Name }

// Check checks how the targets are called; the plan is looked up by the loader.
func (n *Plan) Check(c *flowengine.Check) { n.check(c) }

// Run chooses among the members of the plan and calls them.
func (n *Plan) Run(ctx context.Context, s *flowengine.Session) (flowengine.Result, error) {
	plan, ok := s.Plan(n.Name)
	if !ok {
		return flowengine.Result{}, fmt.Errorf("the flow has no plan %s", n.Name)
	}
	among := &selection{plan: plan.Name, turns: "plan " + plan.Name, strategy: routing.Strategy(plan.Strategy), candidates: make([]candidate, len(plan.Members))}
	for i, m := range plan.Members {
		among.candidates[i] = candidate{m.Target, m.Priority, m.Weight}
	}
	c := calls{Calling: &n.Calling, selection: among, leg: func(i int) call.BridgeLeg {
		return n.leg(s, plan.Members[i].Target, "", 0)
	}}
	return c.run(ctx, s)
}
