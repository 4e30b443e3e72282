package main

import (
	"context"
	"maps"
	"slices"
	"sync"
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

	mu   sync.Mutex
	owed map[*debt]bool // until they are made up for, or the call is over
}

// debt is a call that was not told what is there for it.
type debt struct{ org, id, caller string }

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

// Join returns what is there for a call. Where no answer comes in time the call is told
// later, as long as it lasts.
func (i *inbox) Join(ctx context.Context, org, id, caller string) (inputs []flowengine.Input, fallback string) {
	d := &debt{org, id, caller}
	found, why := i.now(ctx, d)
	if why != "" {
		i.owe(ctx, d)
		return nil, "what came from outside joins the call later: " + why
	}
	for _, in := range found {
		inputs = append(inputs, inputOf(in))
	}
	return inputs, ""
}

// now asks the store with little patience, and says why there is no answer.
func (i *inbox) now(ctx context.Context, d *debt) (found []store.Input, why string) {
	const away, late = "the database does not answer", "no answer from the database in time"
	if i.away.Load() {
		return nil, away
	}
	patience := time.NewTimer(joinLimit)
	defer patience.Stop()
	answer := make(chan joined, 1)
	select {
	case i.joining <- struct{}{}:
		go func() {
			defer func() { <-i.joining }()
			found, err := i.join(context.WithoutCancel(ctx), d)
			answer <- joined{found, err}
		}()
	case <-patience.C:
		return nil, late
	}
	select {
	case a := <-answer:
		if a.err != nil {
			i.away.Store(true)
			return nil, away
		}
		return a.inputs, ""
	case <-patience.C:
		return nil, late
	}
}

// join asks the store, which may be asked again.
func (i *inbox) join(ctx context.Context, d *debt) ([]store.Input, error) {
	ctx, cancel := context.WithTimeout(ctx, askedLimit)
	defer cancel()
	number, ok := incoming.Number(d.caller)
	if !ok {
		number = "" // nobody can have posted for it
	}
	return i.inputs.Join(ctx, d.org, d.id, number)
}

// owe notes a debt to a call that lasts as long as ctx.
func (i *inbox) owe(ctx context.Context, d *debt) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.owed == nil {
		i.owed = map[*debt]bool{}
	}
	i.owed[d] = true
	context.AfterFunc(ctx, func() { i.settle(d) })
}

func (i *inbox) settle(d *debt) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.owed, d)
}

// makeUp asks again for calls that were not told, and goes on with the others the next time
// when that takes long.
func (i *inbox) makeUp(ctx context.Context) {
	i.mu.Lock()
	all := slices.Collect(maps.Keys(i.owed))
	i.mu.Unlock()
	for began := time.Now(); len(all) > 0 && time.Since(began) < arrivalsEvery; all = all[1:] {
		found, err := i.join(ctx, all[0])
		if err != nil {
			return
		}
		if !slices.ContainsFunc(found, func(in store.Input) bool { return !i.deliver(all[0].id, inputOf(in)) }) {
			i.settle(all[0])
		}
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
			i.makeUp(ctx)
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
