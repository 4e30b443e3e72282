package store

import (
	"context"
	"errors"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// Inputs keeps what comes from outside for calls: by incoming webhooks and by the API.
//
// An input is a list of events that shall happen to a call: tags, money, a conversion. It
// is applied once: to a call that has ended, at once and in the store; to one that is live,
// by the node that controls it, and what is final only after a call, when it has ended.
// One that names a caller without a call waits for that caller's next one.
type Inputs interface {
	// Receive takes an input in, in one transaction. One with the key of an earlier one of
	// the same webhook, within a day, changes nothing, and gets the receipt of that one;
	// ErrKeyUsed says that it wants something else than that one did.
	// ErrNotFound says that there is no such call, and that the input does not wait;
	// ErrTooMany that MaxInputs wait already for the call or its caller, or that MaxAfter
	// events were added to the call.
	Receive(ctx context.Context, org string, in Input) (Receipt, error)

	// Join binds to a call what waits for its caller, in E.164, and returns all that is bound to it, in
	// order, but what is final only after it.
	Join(ctx context.Context, org, id, caller string) ([]Input, error)

	// Arrivals lists inputs that were bound to live calls within the last few seconds, of all
	// organizations: what nodes ask for several times a second.
	Arrivals(ctx context.Context, within time.Duration) ([]Input, error)

	// Conclude applies to calls that have ended what is still bound to them, removes inputs
	// that waited for too long, and returns how many calls it changed.
	Conclude(ctx context.Context, now time.Time) (int, error)
}

// Input is something that comes from outside for a call.
type Input struct {
	N        int64  // its place among those of its call, given by the store: they are in the order in which they were bound to it
	ID       string // UUID, given by the caller of Receive; in the events that it led to as the attribute "input"
	Org      string
	Webhook  string        // name of the incoming webhook; empty: it came by the API
	Key      string        // idempotency key; empty: none
	Call     string        // id of the call; or
	Caller   string        // number of its caller in E.164: the live call, or the latest one since Since, in whatever form the trunk delivered the number
	Since    time.Time     // zero: live calls alone
	Wait     time.Duration // how long it waits for the caller's next call where there is none; 0: it does not
	Received time.Time
	Events   []call.Event // Tagged, Money, Converted: without call, place and node; at most one for a tag, or a kind of money; without a time: that of Received
}

// Receipt says what became of an input.
type Receipt struct {
	ID       string    `json:"id"`             // of the input
	Call     string    `json:"call,omitempty"` // that it met
	Outcomes []Outcome `json:"outcomes"`       // of each event, in order
	Repeated bool      `json:"repeated,omitempty"`
}

// Outcome is what became of an event of an input.
type Outcome string

// The outcomes.
const (
	Applied   Outcome = "applied"   // to a call that has ended
	Unchanged Outcome = "unchanged" // the call has this value already, and not by a rule
	Passed    Outcome = "live"      // on to the node that controls the call
	Queued    Outcome = "queued"    // until the call has ended
	Waiting   Outcome = "waiting"   // for the caller's next call
)

// Bounds of what comes from outside for one call.
const (
	MaxInputs = 200  // that wait for a call, or for a caller
	MaxAfter  = 1000 // events that are added to a call that has ended
)

// ErrKeyUsed says that another input had an idempotency key.
var ErrKeyUsed = errors.New("another input had this idempotency key")

// ErrTooMany says that a call, or a caller, can take no more inputs.
var ErrTooMany = errors.New("the call, or its caller, can take no more")

// AfterEpoch is the epoch of the events that happen to a call after it: above that of any
// controller.
const AfterEpoch = 1 << 20
