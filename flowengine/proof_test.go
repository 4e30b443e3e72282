package flowengine_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
)

// Kinds of nodes that are nothing but what the proof looks at. They stand beside the
// real ones, so that documents can mix them.
var proofKinds = append(slices.Clone(nodes.Kinds),
	flowengine.Kind{Name: "pause", New: func() flowengine.Node { return &pause{} }, Exits: []string{"next"}, Takes: true},
	flowengine.Kind{Name: "ask", New: func() flowengine.Node { return &pause{} }, Exits: []string{"next", "late"}, Answers: true},
	flowengine.Kind{Name: "work", New: func() flowengine.Node { return &still{} }, Exits: []string{"next"}, Takes: true},
	flowengine.Kind{Name: "part", New: func() flowengine.Node { return &part{} }},
	flowengine.Kind{Name: "follow", New: func() flowengine.Node { return &follow{} }, Exits: []string{"next"}, Takes: true},
	flowengine.Kind{Name: "note", New: func() flowengine.Node { return &note{} }, Exits: []string{"next"}},
)

// planKinds can run the calls of plans.
var planKinds = append(flowengine.Kinds{{Name: "plan", New: func() flowengine.Node { return &inTurn{} }, Exits: []string{"completed", "failed"}, Takes: true}}, proofKinds...)

// inTurn dials the targets of a plan as they are listed.
type inTurn struct {
	Name string `yaml:"plan,required"`
}

func (n *inTurn) Plan() string { return n.Name }

func (n *inTurn) Run(ctx context.Context, s *flowengine.Session) (flowengine.Result, error) {
	s.Seek()
	at := 0
	if _, err := s.Resumed(&at); err != nil {
		return flowengine.Result{}, err
	}
	p, ok := s.Plan(n.Name)
	if !ok {
		return flowengine.Result{}, errors.New("no plan")
	}
	for ; at < len(p.Members); at++ {
		t, _ := s.Target(p.Members[at].Target)
		b := call.Bridge{Legs: []call.BridgeLeg{{Target: p.Members[at].Target, Address: t.Address}}, Ring: 10 * time.Second}
		if r, err := s.Dial(ctx, b, at); err != nil || r.Outcome == call.Completed {
			return flowengine.Result{Exit: "completed"}, err
		}
	}
	return flowengine.Result{Exit: "failed"}, nil
}

// still is a node that nobody runs.
type still struct{}

func (still) Run(context.Context, *flowengine.Session) (flowengine.Result, error) {
	panic("not for calls")
}

// follow runs a plan.
type follow struct {
	still
	Name string `yaml:"plan,required"`
}

func (f *follow) Plan() string { return f.Name }

// pause is silent, unless there is music.
type pause struct {
	still
	For   flowengine.Duration `yaml:"for"`
	Music flowengine.Prompt   `yaml:"music"`
}

func (p *pause) Silence() time.Duration {
	if !p.Music.Empty() {
		return 0
	}
	return time.Duration(p.For)
}

// part runs another flow.
type part struct {
	still
	Flow string `yaml:"run,required"`
}

func (p *part) Runs() string { return p.Flow }

// note leaves variables.
type note struct {
	still
	Any     []string `yaml:"any"`
	Texts   []string `yaml:"texts"`
	Numbers []string `yaml:"numbers"`
	Truths  []string `yaml:"truths"`
	Secrets []string `yaml:"secrets"`
}

func (n *note) Sets(string) (out []flowengine.Variable) {
	add := func(names []string, v flowengine.Variable) {
		for _, v.Name = range names {
			out = append(out, v)
		}
	}
	add(n.Any, flowengine.Variable{})
	add(n.Texts, flowengine.Variable{Type: flowengine.TextType})
	add(n.Numbers, flowengine.Variable{Type: flowengine.NumberType})
	add(n.Truths, flowengine.Variable{Type: flowengine.TruthType})
	add(n.Secrets, flowengine.Variable{Type: flowengine.TextType, Secret: true})
	return out
}
