package store

import (
	"context"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// Shared keeps what nodes share while calls run: what is taken of the limits of
// targets, whose turn it is, and which nodes there are.
//
// What a leg takes is a Slot, one of each cap and one of the concurrency. It is that of
// the leg, by organization, call and channel, so that everything may be said twice.
type Shared interface {
	// Usage returns what is taken, for each claim, in one question. What a claim's own
	// call has reserved and not connected is not counted, but for the legs beside it.
	Usage(ctx context.Context, claims []call.Claim) ([]call.Usage, error)

	// Reserve takes a slot for each claim in turn, as far as its limits leave room, in one
	// transaction. A leg that has its slot keeps it, and one that has a slot at another
	// target gives that back.
	Reserve(ctx context.Context, claims []call.Claim) ([]Reservation, error)

	// Post enters what became of legs, in order: all or nothing. Entries may be posted
	// again when the answer was lost.
	Post(ctx context.Context, entries []Entry) error

	// Slots lists slots in use that were not renewed for a time, those first that have
	// waited for longest.
	Slots(ctx context.Context, q IdleQuery) ([]Idle, error)

	// Turns counts how often each key was asked for, from 0. A key that is there twice
	// gets two numbers.
	Turns(ctx context.Context, keys []TurnKey) ([]uint64, error)

	// Beat notes that a node lives, and returns all that were seen within a minute.
	Beat(ctx context.Context, node string) ([]Node, error)

	// PruneShared removes what nobody asks about any more: slots that are out of use for
	// longer than a day, connections older than keep, and counts of hours, days and months
	// that are over.
	PruneShared(ctx context.Context, keep time.Duration) error
}

// Reservation is the answer to a claim.
type Reservation struct {
	Refused *call.Refusal // nil: the leg has a slot
	Used    call.Usage    // what all have taken then, this leg too
}

// Entry is a step in the life of a slot.
type Entry struct {
	What  What
	Claim call.Claim
}

// What an Entry says.
type What string

// The entries.
const (
	Admitted  What = "admitted"  // a node gave the slot without asking: it is taken whatever the limits say
	Connected What = "connected" // since Claim.At: what it took of the caps stays counted
	Released  What = "released"  // the leg is over: free, and the caps given back if it was not connected
	Renewed   What = "renewed"   // the leg goes on; one that is not known is taken, one that is over stays so

	// Gone is the word of the switch that the channel is no more: of the leg, or of the
	// whole call where there is none in the claim. The slot is free; as nobody says whether
	// it was connected, the caps stay counted until somebody does.
	Gone What = "gone"
)

// IdleQuery says which slots are wanted: those that were not renewed For a time, at these
// switches, and all that were not for longer than Forgotten.
type IdleQuery struct {
	For, Forgotten time.Duration
	Switches       []string // by name
	Limit          int
}

// Idle is a slot that was not renewed for a while.
type Idle struct {
	Claim call.Claim
	For   time.Duration
}

// TurnKey names something that is had in turns.
type TurnKey struct{ Org, Key string }

// Node is a node that uses the store.
type Node struct {
	Name string
	Seen time.Duration // how long ago
}
