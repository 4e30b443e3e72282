package nodes

import (
	"context"
	"slices"
	"strings"

	"github.com/hookswitch/hookswitch/flowengine"
)

// Emit tells the outside of an event.
type Emit struct {
	Event string `yaml:"event,required"`
	Data  Values `yaml:"data"`
}

// Check wants a name that is no event of the product's own.
func (n *Emit) Check(c *flowengine.Check) {
	first, _, _ := strings.Cut(n.Event, ".")
	if !flowengine.ValidEvent(n.Event) {
		c.Problem("event", "lower-case words with dots between them, as in lead.qualified", "%q cannot be the name of an event", n.Event)
	} else if slices.Contains(flowengine.OwnEvents, first) {
		c.Problem("event", "begin with a word of your own, as in lead.qualified", "events that begin with %s. are Hookswitch's", first)
	}
	if c.Given("data") {
		n.Data.check(c, "data", "a field of the data", nameSyntax, nameHint)
	}
}

// Emits is the name of the event.
func (n *Emit) Emits() string { return n.Event }

// Run tells of it, once.
func (n *Emit) Run(ctx context.Context, s *flowengine.Session) (flowengine.Result, error) {
	err := s.Once(ctx, func() error {
		data, err := n.Data.eval(s)
		if err != nil {
			return err
		}
		return s.Emit(n.Event, data)
	})
	return flowengine.Result{Exit: flowengine.NextExit, Why: n.Event}, err
}
