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
	askedLimit    = 2 * time.Second        // that the store has for an answer
	joinsAtOnce   = 4                      // of all calls: the store has others to answer
)

// inbox is where calls of this node get what came from outside, whichever node it came to.
type inbox struct {
	log     zerolog.Logger
	inputs  store.Inputs
	deliver func(call string, in flowengine.Input) bool
	live    func() int // calls of this node
	woken   chan struct{}
	joining chan struct{} // holds one for each Join under way
	away    atomic.Bool   // the store did not answer last
}

// newInbox gives the engine of c an inbox.
func newInbox(c *controller, inputs store.Inputs) *inbox {
	i := &inbox{log: c.log, inputs: inputs, deliver: c.engine.Deliver, live: c.server.Live, woken: make(chan struct{}, 1), joining: make(chan struct{}, joinsAtOnce)}
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

// joined is the answer to a Join.
type joined struct {
	inputs []store.Input
	err    error
}

// Join returns what is there for a call. An answer that does not come in time is not given
// up, but delivered when it comes.
func (i *inbox) Join(ctx context.Context, org, id, caller string) (inputs []flowengine.Input, fallback string) {
	const late = "what came from outside joins the call later: "
	if i.away.Load() {
		return nil, late + "the database does not answer"
	}
	patience := time.NewTimer(joinLimit)
	defer patience.Stop()
	answer := make(chan joined, 1)
	select {
	case i.joining <- struct{}{}:
		go i.join(context.WithoutCancel(ctx), org, id, caller, answer)
	case <-patience.C:
		return nil, late + "no answer from the database in time"
	}
	select {
	case a := <-answer:
		if a.err != nil {
			i.away.Store(true)
			return nil, late + "the database does not answer"
		}
		for _, in := range a.inputs {
			inputs = append(inputs, inputOf(in))
		}
		return inputs, ""
	case <-patience.C:
		go i.afterwards(id, answer)
		return nil, late + "no answer from the database in time"
	}
}

// join asks the store.
func (i *inbox) join(ctx context.Context, org, id, caller string, answer chan<- joined) {
	defer func() { <-i.joining }()
	ctx, cancel := context.WithTimeout(ctx, askedLimit)
	defer cancel()
	number, ok := incoming.Number(caller)
	if !ok {
		number = "" // nobody can have posted for it
	}
	found, err := i.inputs.Join(ctx, org, id, number)
	answer <- joined{found, err}
}

// afterwards delivers an answer that was not waited for, as soon as the call takes it.
func (i *inbox) afterwards(id string, answer <-chan joined) {
	tick := time.NewTicker(arrivalsEvery)
	defer tick.Stop()
	left := (<-answer).inputs
	for range int(arrivalsAhead / arrivalsEvery) {
		for len(left) > 0 && i.deliver(id, inputOf(left[0])) {
			left = left[1:]
		}
		if len(left) == 0 {
			return
		}
		<-tick.C
	}
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
	ctx, cancel := context.WithTimeout(ctx, askedLimit)
	defer cancel()
	found, err := i.inputs.Arrivals(ctx, within)
	for _, in := range found {
		i.deliver(in.Call, inputOf(in))
	}
	return err
}
