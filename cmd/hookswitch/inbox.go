package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/webhooks/incoming"
)

const (
	joinLimit     = 50 * time.Millisecond  // that a call waits for what is there for it
	arrivalsEvery = 200 * time.Millisecond // nodes ask what has come for live calls
	arrivalsAhead = 5 * time.Second        // how far back they look: what is committed late is seen all the same
	arrivalsMost  = time.Minute            // likewise, after the database was away
	arrivalsLimit = 2 * time.Second
)

// inbox is where calls of this node get what came from outside, whichever node it came to.
type inbox struct {
	log     zerolog.Logger
	inputs  store.Inputs
	deliver func(call string, in flowengine.Input) bool
	live    func() int // calls of this node
	woken   chan struct{}
	away    atomic.Bool // the store did not answer last
}

// newInbox gives the engine of c an inbox.
func newInbox(c *controller, inputs store.Inputs) *inbox {
	i := &inbox{log: c.log, inputs: inputs, deliver: c.engine.Deliver, live: c.server.Live, woken: make(chan struct{}, 1)}
	c.engine.Inbox = i
	return i
}

// wake says that something has come for a live call, perhaps of this node.
func (i *inbox) wake() {
	select {
	case i.woken <- struct{}{}:
	default: // it will be seen with what woke before
	}
}

// Join returns what is there for a call.
func (i *inbox) Join(ctx context.Context, org, id, caller string) (inputs []flowengine.Input, fallback string) {
	const late = "what came from outside joins the call later: "
	if i.away.Load() {
		return nil, late + "the database does not answer"
	}
	limited, cancel := context.WithTimeout(ctx, joinLimit)
	defer cancel()
	number, ok := incoming.Number(caller)
	if !ok {
		number = "" // nobody can have posted for it
	}
	found, err := i.inputs.Join(limited, org, id, number)
	if err != nil {
		if limited.Err() == nil { // it was not slow, and the caller is there
			i.away.Store(true)
		}
		return nil, late + "no answer from the database in time"
	}
	for _, in := range found {
		inputs = append(inputs, inputOf(in))
	}
	return inputs, ""
}

func inputOf(in store.Input) flowengine.Input {
	return flowengine.Input{N: in.N, ID: in.ID, Events: in.Events}
}

// run delivers until ctx ends.
func (i *inbox) run(ctx context.Context) {
	tick := time.NewTicker(arrivalsEvery)
	defer tick.Stop()
	asked, failing := time.Now(), false
	for {
		select {
		case <-ctx.Done():
			return
		case <-i.woken:
		case <-tick.C:
			if i.live() == 0 && !i.away.Load() {
				asked = time.Now() // a call that begins joins what is there
				continue
			}
		}
		now := time.Now()
		err := i.arrivals(ctx, min(arrivalsAhead+now.Sub(asked), arrivalsMost))
		if ctx.Err() != nil {
			return
		}
		if i.away.Store(err != nil); err != nil && !failing {
			i.log.Warn().Err(err).Msg("what comes from outside does not reach live calls")
		}
		if failing = err != nil; !failing {
			asked = now
		}
	}
}

// arrivals hands what has come lately to the calls of this node, which know what they have.
func (i *inbox) arrivals(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, arrivalsLimit)
	defer cancel()
	found, err := i.inputs.Arrivals(ctx, within)
	for _, in := range found {
		i.deliver(in.Call, inputOf(in))
	}
	return err
}
