package capacity

import (
	"context"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// Bounds of the queue.
const (
	maxQueue   = 50_000 // entries that wait for the store; more are lost, and mended by renewals and by asking the switch
	postAtOnce = 500
	postLimit  = 5 * time.Second
)

// tell puts an entry in the queue. It needs the lock, which keeps the order.
func (c *Capacity) tell(what store.What, claim call.Claim) {
	if len(c.queue) >= maxQueue {
		c.over++
		return
	}
	c.queue = append(c.queue, store.Entry{What: what, Claim: claim})
	select {
	case c.entries <- struct{}{}:
	default:
	}
}

// tellDropped tells of entries that found no place.
func (c *Capacity) tellDropped() {
	c.mu.Lock()
	n := c.over
	c.over = 0
	c.mu.Unlock()
	if n > 0 && c.Dropped != nil {
		c.Dropped(n)
	}
}

// post empties the queue into the store as it fills, and renews what this node holds.
func (c *Capacity) post(ctx context.Context) {
	renewal := time.NewTicker(renewEvery)
	defer renewal.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.entries:
		case <-renewal.C:
			c.renew()
		}
		if c.state() != linkLost {
			began := time.Now()
			if err := c.flush(ctx); err != nil && ctx.Err() == nil {
				c.loseContact(began, err)
			}
		}
	}
}

// flush posts all that is in the queue. What was not posted stays there, in order.
func (c *Capacity) flush(ctx context.Context) error {
	select {
	case c.posting <- struct{}{}:
		defer func() { <-c.posting }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		c.mu.Lock()
		entries := c.queue[:min(len(c.queue), postAtOnce)]
		c.mu.Unlock()
		if len(entries) == 0 {
			return nil
		}
		limited, cancel := context.WithTimeout(ctx, postLimit)
		err := c.store.Post(limited, entries)
		cancel()
		if err != nil {
			return err
		}
		c.mu.Lock()
		for _, e := range entries {
			if s := c.held[e.Claim.Call][e.Claim.Leg]; s != nil && e.What == store.Admitted {
				c.stored(s)
			}
		}
		c.queue = c.queue[len(entries):]
		if len(c.queue) == 0 {
			c.queue = nil // an outage may have made it large
		}
		c.mu.Unlock()
	}
}

// renewEvery is the time between renewals of a slot.
const renewEvery = 10 * time.Second

func (c *Capacity) renew() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link.state == linkLost {
		return // the queue is for what is not said again anyway
	}
	for _, legs := range c.held {
		for _, s := range legs {
			c.tell(store.Renewed, s.claim)
		}
	}
}
