package flowengine

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// MaxSteps bounds the nodes that one call may pass.
const MaxSteps = 1000

// Engine runs calls through their flows. Its fields are options, to be set
// before the first call; Current is required.
type Engine struct {
	Current    func() *Snapshot // the configuration of this moment
	Versions   *Versions        // where older versions are found after a restart; may be nil
	Clock      Clock            // nil: the clock of the system
	Rand       *rand.Rand       // nil: seeded by the system; need not be safe for concurrent use
	Recordings string           // folder of the switch in which bridges are recorded
	Node       string           // name of this Hookswitch node, see call.ValidNode
	Panicked   func(call string, value any, stack []byte)

	random    sync.Mutex // guards Rand
	positions sync.Map   // flow/node to *atomic.Uint64, for round robin
}

// Clock tells the time.
type Clock interface{ Now() time.Time }

// Recorder keeps the events of one call. It fills in the call, epoch, sequence,
// time and node of each.
type Recorder interface{ Record(call.Event) }

// RecorderFunc is a function as a Recorder.
type RecorderFunc func(call.Event)

// Record calls f.
func (f RecorderFunc) Record(e call.Event) { f(e) }

// Control is a call together with what was found on its channel.
type Control struct {
	Call  call.Call
	Taken string // text of the checkpoint on the channel; empty for a new call
	Epoch int    // of this controller: call.EpochOf(Taken) + 1
}

// RefusedError says that a call was given to the dialplan's last resort
// because its checkpoint cannot be continued.
type RefusedError struct{ Why string }

func (e *RefusedError) Error() string { return "call refused: " + e.Why }

// Run takes a call through its flow, from its start or from its checkpoint.
// It returns
//
//   - *call.HungUp when the call is over, whoever hung up;
//   - call.ErrLost when another connection controls the call: nothing was
//     recorded or touched after that;
//   - *RefusedError when the checkpoint could not be continued and the call is
//     in the hands of the dialplan's last resort;
//   - any other error when the leg could not even hang up.
//
// It does not record call.ended: that is for whoever hears it from the
// switch, after Run has returned.
func (e *Engine) Run(ctx context.Context, leg Leg, c Control, rec Recorder) error {
	panic("not yet")
}
