package nodes

import (
	"context"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/hours"
)

// Hours goes by whether it is open now.
type Hours hours.Schedule

// Check compiles the schedule.
func (h *Hours) Check(c *flowengine.Check) { (*hours.Schedule)(h).Compile(c.Problem) }

// Run looks at the clock.
func (h *Hours) Run(_ context.Context, s *flowengine.Session) (flowengine.Result, error) {
	now := (*hours.Schedule)(h).At(s.Now())
	return flowengine.Result{Exit: string(now.State), Why: now.Why()}, nil
}
