package flowengine

import (
	"context"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// Leg is what the engine and the nodes ask of the caller's leg. Every verb
// blocks until it is done and fails with the context's cause: *call.HungUp
// when the caller is gone, call.ErrLost when another connection controls the
// call. Anything else is a fault of that verb alone.
type Leg interface {
	// Ring tells the caller of an unanswered call that it rings.
	Ring(ctx context.Context) error
	Answer(ctx context.Context) error
	Play(ctx context.Context, p call.Prompt) error
	Gather(ctx context.Context, g call.Gather) (call.Digits, error)
	Hangup(ctx context.Context, cause call.Cause) error
	Holder
	Taper
	Bridger
	Keeper
}

// Holder lets time pass while the caller waits.
type Holder interface {
	// Wait lets the time pass. The caller hears the music, from its beginning again
	// whenever it ends, or nothing where it is Silence.
	Wait(ctx context.Context, d time.Duration, music call.Prompt) error
	// While runs f, once, and lets the caller hear the music until f has returned.
	// The context of f ends with the call, and f must then return.
	While(ctx context.Context, music call.Prompt, f func(ctx context.Context)) error
}

// Taper records.
type Taper interface {
	// Message records what the caller says. The result is there also when the
	// caller hangs up, which is how most messages end.
	Message(ctx context.Context, m call.Message) (call.MessageResult, error)
	// Recording starts, pauses, resumes or stops the recording of the call into the
	// file at path, on the switch. To start what runs or to stop what does not is no
	// fault.
	Recording(ctx context.Context, do call.Recording, path string) error
}

// Bridger dials.
type Bridger interface {
	// Bridge makes one attempt. The checkpoint is left on the call in the same
	// step that commits it to the attempt: from then on the switch finishes the
	// attempt alone, whatever becomes of us.
	Bridge(ctx context.Context, b call.Bridge, checkpoint string) (call.BridgeResult, error)
	// LastBridge returns the result of the attempt that the call's checkpoint
	// committed it to before this connection took over; false when that attempt
	// was never begun.
	LastBridge() (call.BridgeResult, bool)
}

// Keeper leaves the checkpoint on the call and takes calls away from us.
type Keeper interface {
	// Save leaves the checkpoint on the call, awaited.
	Save(ctx context.Context, checkpoint string) error
	// Transfer gives the call to an extension of the dialplan. The verbs can do no
	// more after it.
	Transfer(ctx context.Context, to call.Extension) error
	// LastResort gives the call to the dialplan's last resort.
	LastResort(ctx context.Context, why string) error
}
