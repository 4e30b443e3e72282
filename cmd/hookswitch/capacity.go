package main

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookswitch/hookswitch/capacity"
)

// newCapacity returns what counts the limits of targets over all nodes of a store, says
// aloud when that does not answer, and is in the metrics.
func newCapacity(node string, log zerolog.Logger, m *metrics, s capacity.Store) *capacity.Capacity {
	c := capacity.New(node, s)
	c.Contact = func(err error) {
		if err != nil {
			log.Warn().Err(err).Msg("limits are counted by this node alone")
		} else {
			log.Info().Msg("limits are counted by all nodes again")
		}
	}
	c.Answered = m.counted
	return c
}

// meetLimit bounds how long a server that starts waits for the database before it takes
// calls: those for targets with limits would be refused.
const meetLimit = 3 * time.Second

// share lets calls count in what nodes share.
func (c *controller) share(with *capacity.Capacity) { c.capacity, c.engine.Capacity = with, with }

// gone says that the switch has no channel of a call any more, so that nothing is kept
// for it.
func (c *controller) gone(id string) {
	if c.capacity == nil {
		c.engine.Ended(id)
		return
	}
	c.capacity.Gone(id)
}

// left says that this process controls a call no more.
func (c *controller) left(id string) {
	if c.capacity != nil {
		c.capacity.Left(id)
	}
}

// sweep frees what is kept at targets for channels that are gone, as far as this node
// can ask their switches.
func (r *reconciler) sweep(ctx context.Context, s capacity.Slots) {
	sweep := &capacity.Sweep{Store: s, Exists: r.existsAt, Problem: func(err error) { r.log.Warn().Err(err).Msg("slots were not looked after") }}
	sweep.Run(ctx)
}

// askLimit bounds a question to a switch.
const askLimit = 2 * time.Second

// existsAt asks the switch of a name.
func (r *reconciler) existsAt(ctx context.Context, name, channel string) (alive, known bool) {
	r.mu.Lock()
	c := r.named[name]
	r.mu.Unlock()
	if c == nil {
		return false, false
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	alive, err := c.Exists(ctx, channel)
	return alive, err == nil
}
