package nodes

import (
	"context"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
)

// Record starts, pauses, resumes or stops the recording of the call.
type Record struct {
	Do call.Recording `yaml:"do,required"`
}

// idle says why there is nothing to do.
var idle = map[call.Recording]string{
	call.StartRecording:  "the call is recorded already",
	call.PauseRecording:  "there is nothing to pause",
	call.ResumeRecording: "no recording is paused",
	call.StopRecording:   "the call is not recorded",
}

// Check wants one of the four.
func (r *Record) Check(c *flowengine.Check) {
	if idle[r.Do] == "" {
		c.Problem("do", "write start, pause, resume or stop", "do: %q cannot be done to a recording", r.Do)
	}
}

// Run does it. After a takeover a recording that runs goes on in its file.
func (r *Record) Run(ctx context.Context, s *flowengine.Session) (flowengine.Result, error) {
	file, done, err := s.Tape(ctx, r.Do)
	if err != nil {
		return flowengine.Result{}, err
	}
	if !done {
		file = idle[r.Do]
	}
	return flowengine.Result{Exit: flowengine.NextExit, Why: file}, nil
}
