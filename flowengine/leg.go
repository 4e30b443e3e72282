package flowengine

import (
	"context"

	"github.com/hookswitch/hookswitch/call"
)

// Leg is what the engine and the nodes ask of the caller's leg. Every verb
// blocks until it is done and fails with the context's cause: *call.HungUp
// when the caller is gone, call.ErrLost when another connection controls the
// call. Anything else is a fault of that verb alone.
type Leg interface {
	Answer(ctx context.Context) error
	Play(ctx context.Context, p call.Prompt) error
	Gather(ctx context.Context, g call.Gather) (call.Digits, error)
	Hangup(ctx context.Context, cause call.Cause) error
	Bridger
	Keeper
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
	// LastResort gives the call to the dialplan's last resort.
	LastResort(ctx context.Context, why string) error
}
