package main

import (
	"context"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/capacity"
	"github.com/hookswitch/hookswitch/flowengine"
)

// newCapacity returns what counts the limits of targets over all nodes of a store, says
// aloud when that does not answer, and is in the metrics.
func newCapacity(node string, log zerolog.Logger, m *metrics, s capacity.Store) *capacity.Capacity {
	c := capacity.New(node, s)
	var dropping atomic.Bool
	c.Dropped = func(n int) {
		m.dropped.Add(float64(n))
		if !dropping.Swap(true) {
			log.Error().Msg("too much waits to be counted in the database; what has ended since will be found out by asking the switches")
		}
	}
	c.Contact = func(err error) {
		if err != nil {
			log.Warn().Err(err).Msg("limits are counted by this node alone")
		} else {
			dropping.Store(false)
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
func (c *controller) share(with *capacity.Capacity) {
	c.capacity, c.engine.Capacity = with, with
	c.config.enforced = append(c.config.enforced, func(s *flowengine.Snapshot) { with.Expect(limited(s, time.Now())) })
}

// limited returns the targets that have limits.
func limited(s *flowengine.Snapshot, now time.Time) (out []call.Claim) {
	for _, o := range s.Organizations() {
		for _, t := range o.Targets() {
			if !t.Limits.None() {
				out = append(out, call.Claim{Org: o.Name, Target: t.Name, At: now, Limits: t.Limits})
			}
		}
	}
	return out
}

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
	sweep := &capacity.Sweep{Store: s, Switches: r.switches, Exists: r.existsAt, Problem: func(err error) { r.log.Warn().Err(err).Msg("slots were not looked after") }}
	sweep.Run(ctx)
}

// switches names those with an event socket to this node.
func (r *reconciler) switches() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Keys(r.named))
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
