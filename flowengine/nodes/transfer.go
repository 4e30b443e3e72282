package nodes

import (
	"context"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
)

// Transfer gives the call to an extension of the dialplan.
type Transfer struct {
	To      string `yaml:"to,required"`
	Context string `yaml:"context"` // empty: the one the call came in by
}

// Check wants an extension that the dialplan can be asked for.
func (t *Transfer) Check(c *flowengine.Check) {
	if _, err := call.NewExtension(t.To, ""); err != nil {
		c.Problem("to", "", "to: %s", err)
	}
	if _, err := call.NewExtension("0", t.Context); err != nil {
		c.Problem("context", "", "%s", err)
	}
}

// Run transfers. After a takeover it does so again if the dialplan did not get the
// call.
func (t *Transfer) Run(ctx context.Context, s *flowengine.Session) (flowengine.Result, error) {
	to, err := call.NewExtension(t.To, t.Context)
	if err != nil {
		return flowengine.Result{}, err
	}
	return flowengine.Result{}, s.Transfer(ctx, to)
}
