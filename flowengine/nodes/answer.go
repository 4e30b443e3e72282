package nodes

import (
	"context"

	"github.com/hookswitch/hookswitch/flowengine"
)

// Answer answers the call.
type Answer struct{}

// Run answers; a call that is answered already just goes on.
func (*Answer) Run(ctx context.Context, s *flowengine.Session) (flowengine.Result, error) {
	if err := s.Answer(ctx); err != nil {
		return flowengine.Result{}, err
	}
	return flowengine.Result{Exit: flowengine.NextExit}, nil
}
