package nodes

import (
	"context"

	"github.com/hookswitch/hookswitch/flowengine"
)

// Flow runs another flow. Its exits are the ends of that flow.
type Flow struct {
	Name string `yaml:"run,required"`
}

// Runs names the flow.
func (f *Flow) Runs() string { return f.Name }

// Run leaves it to the engine to enter the flow.
func (*Flow) Run(context.Context, *flowengine.Session) (flowengine.Result, error) {
	return flowengine.Result{}, nil
}
