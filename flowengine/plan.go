package flowengine

import (
	"fmt"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// Plan is a routing plan: who can take a call, and who is tried when. It does not
// change.
type Plan struct {
	Name     string
	Strategy string // how those of one priority are ordered: the name of a routing.Strategy
	Members  []PlanMember
}

// PlanMember is one target of a plan.
type PlanMember struct {
	Target   string
	Priority int // lower first
	Weight   int // 0: that of the target
}

// strategies are those of package routing.
var strategies = []string{"sequential", "round_robin", "weighted", "random", "least_recent", "simultaneous"}

const (
	maxMembers  = 1000
	maxPriority = 1000
)

// planMember is a member as it is written.
type planMember struct {
	Target   string `yaml:"target,required"`
	Priority *int   `yaml:"priority"`
	Weight   *int   `yaml:"weight"`
}

// FromText is a member that is nothing but its target.
func (m *planMember) FromText(text string) error { m.Target = text; return nil }

// plan reads NAME: {strategy:, members:}.
func (l *loader) plan(e entry) {
	s := struct {
		Strategy string       `yaml:"strategy"`
		Members  []planMember `yaml:"members,required"`
	}{Strategy: "weighted"}
	if !e.decode(&s, "plan", "write {members: [TARGET, …]}") {
		return
	}
	c := &Check{doc: e.doc, node: e.value}
	if !slices.Contains(strategies, s.Strategy) {
		c.Problem("strategy", DidYouMean(s.Strategy, strategies), "strategy: %s is no strategy", quote(s.Strategy))
	}
	if n := len(s.Members); n < 1 || n > maxMembers {
		c.Problem("members", "", "members: a plan has 1 to %d members, not %d", maxMembers, n)
		return
	}
	p := &Plan{Name: e.key.Value, Strategy: s.Strategy, Members: make([]PlanMember, len(s.Members))}
	first := map[string]bool{}
	for i, m := range s.Members {
		at := fmt.Sprintf("members/%d", i)
		place := Place{document: e.doc, node: e.value}.Field("members").Item(i).Field("target")
		l.refer(e.doc, place.node, "target", m.Target)
		if first[m.Target] {
			c.Problem(at, "", "target %s is in the plan twice", m.Target)
		}
		first[m.Target] = true
		p.Members[i] = PlanMember{Target: m.Target, Priority: 1}
		if m.Priority != nil {
			p.Members[i].Priority = *m.Priority
			checkPriority(c, at+"/priority", *m.Priority)
		}
		if m.Weight != nil {
			p.Members[i].Weight = *m.Weight
			if *m.Weight < 1 || *m.Weight > maxWeight {
				c.Problem(at+"/weight", "", "weight: %d is not between 1 and %d", *m.Weight, maxWeight)
			}
		}
	}
	l.org.plans[p.Name] = p
}

func checkPriority(c *Check, at string, priority int) {
	if priority < 0 || priority > maxPriority {
		c.Problem(at, "lower comes first", "priority: %d is not between 0 and %d", priority, maxPriority)
	}
}

// source returns the plan as an entry of a document with plans, always in the same form.
func (p *Plan) source() string {
	members := make([]string, len(p.Members))
	for i, m := range p.Members {
		members[i] = fmt.Sprintf("{target: %q, priority: %d}", m.Target, m.Priority)
		if m.Weight != 0 {
			members[i] = fmt.Sprintf("{target: %q, priority: %d, weight: %d}", m.Target, m.Priority, m.Weight)
		}
	}
	return fmt.Sprintf("  %q: {strategy: %s, members: [%s]}\n", p.Name, p.Strategy, strings.Join(members, ", "))
}

// planPrefix begins the names of the flows that are made for plans. No flow of a file
// can have one.
const planPrefix = "plan."

// planKind is the kind of the node of such a flow.
const planKind = "plan"

// planFlow returns the document of the flow that is made for a plan.
func planFlow(plan string) string {
	return fmt.Sprintf("flow: %q\nstart: plan\nends: [over]\nnodes:\n  plan: {plan: {plan: %q}, exits: {else: over}}\n", planPrefix+plan, plan)
}

// planFlows makes a flow of one node for every plan, so that its calls are run as all
// others are.
func (l *loader) planFlows() {
	if _, ok := l.kinds.Find(planKind); !ok {
		return
	}
	for _, e := range l.sections["plans"] {
		if l.org.plans[e.key.Value] == nil {
			continue
		}
		for _, d := range readDocuments(e.doc.file, []byte(planFlow(e.key.Value)), l.report) {
			d.before = e.doc.before + max(e.key.Line, 1) - 1
			d.made = true
			l.flows = append(l.flows, d)
		}
	}
}

// runsPlan notes which plan a node runs, and reports it where there is no such plan.
func (b *flowBuilder) runsPlan(n *step, settings *yaml.Node) {
	r, ok := n.node.(Planner)
	if !ok {
		return
	}
	name, at := r.Plan(), settings
	if _, v := field(settings, "plan"); v != nil {
		at = v
	}
	if !b.d.made { // the flow of a plan makes no use of it
		b.refer(b.d, at, "plan", name)
	}
	if p := b.org.plans[name]; p != nil {
		b.flow.plans[name] = p
	}
}

// planOf returns the plan that a flow was made for, by its name; empty for one from a
// file.
func planOf(flow string) string {
	plan, made := strings.CutPrefix(flow, planPrefix)
	if !made {
		return ""
	}
	return plan
}
