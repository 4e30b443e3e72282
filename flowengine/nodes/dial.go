package nodes

import (
	"context"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/routing"
)

// Dial connects the caller with one of its targets.
type Dial struct {
	Targets  []Member         `yaml:"targets,required"`
	Strategy routing.Strategy `yaml:"strategy"`
	Gateway  string           `yaml:"gateway"`
	Calling
}

// Member is one target of a Dial: a target's name, a number or sip:user@host.
type Member struct {
	To     string              `yaml:"to,required"`
	Weight int                 `yaml:"weight"` // 0: that of the target
	Ring   flowengine.Duration `yaml:"ring"`   // 0: that of the target, then of the node
}

// FromText is a member that is nothing but its address.
func (m *Member) FromText(text string) error { m.To = text; return nil }

const maxTargets = 100

func newDial() flowengine.Node { return &Dial{Strategy: routing.Sequential, Calling: newCalling()} }

// Run chooses among the targets and calls them.
func (d *Dial) Run(ctx context.Context, s *flowengine.Session) (flowengine.Result, error) {
	among := &selection{turns: s.Flow() + "/" + s.ID(), strategy: d.Strategy, candidates: make([]candidate, len(d.Targets))}
	for i, m := range d.Targets {
		among.candidates[i] = candidate{to: m.To, weight: m.Weight}
	}
	c := calls{Calling: &d.Calling, selection: among, leg: func(i int) call.BridgeLeg {
		return d.leg(s, d.Targets[i].To, d.Gateway, d.Targets[i].Ring)
	}}
	return c.run(ctx, s)
}
