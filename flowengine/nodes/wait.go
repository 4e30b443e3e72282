package nodes

import (
	"context"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
)

// Wait lets time pass.
type Wait struct {
	For   flowengine.Duration `yaml:"for,required"`
	Music flowengine.Prompt   `yaml:"music"`
}

// Check holds the time within what a caller waits for.
func (w *Wait) Check(c *flowengine.Check) {
	if d := time.Duration(w.For); d < time.Millisecond || d > time.Hour {
		c.Problem("for", "", "for: %s is not between 1ms and 1h", call.ShortDuration(d))
	}
	repeatable(c, "music", &w.Music)
}

// Silence is the whole time, unless there is music.
func (w *Wait) Silence() time.Duration {
	if w.Music.Empty() {
		return time.Duration(w.For)
	}
	return 0
}

// Run waits. After a takeover it starts over.
func (w *Wait) Run(ctx context.Context, s *flowengine.Session) (flowengine.Result, error) {
	if err := s.Wait(ctx, time.Duration(w.For), &w.Music); err != nil {
		return flowengine.Result{}, err
	}
	return flowengine.Result{Exit: flowengine.NextExit}, nil
}
