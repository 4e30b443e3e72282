package delivery

import (
	"context"
	"time"

	"github.com/hookswitch/hookswitch/crash"
	"github.com/hookswitch/hookswitch/store"
)

// result is an attempt of which the outbox is still to be told.
type result struct {
	attempt store.Attempt
	hold    *hold
}

// finish tells the outbox of attempts until ctx ends, those of some milliseconds together.
func (d *Deliverer) finish(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.ended:
		}
		if d.untold() < enough {
			gathered := time.NewTimer(gather)
			select {
			case <-ctx.Done():
				return
			case <-d.ended:
			case <-gathered.C:
			}
			gathered.Stop()
		}
		d.tell(ctx)
	}
}

// untold is of how many attempts the outbox does not know.
func (d *Deliverer) untold() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.done)
}

// tell tells the outbox of all attempts that have ended. Those that it has not heard of
// when ctx ends stay.
func (d *Deliverer) tell(ctx context.Context) {
	for {
		d.mu.Lock()
		n := min(len(d.done), batch)
		attempts := make([]store.Attempt, n)
		for i, r := range d.done[:n] {
			attempts[i] = r.attempt
		}
		d.mu.Unlock()
		if n == 0 {
			return
		}
		if d.insist(ctx, finisher, func(ctx context.Context) error {
			crash.At("finish.before")
			_, err := d.Outbox.Finish(ctx, attempts) // what is stale is another's
			crash.At("finish.after")
			return err
		}) != nil {
			return
		}
		d.mu.Lock()
		for i, r := range d.done[:n] {
			d.release(r.hold)
			d.done[i] = result{}
		}
		if d.done = d.done[n:]; len(d.done) == 0 {
			d.done = nil
		}
		d.mu.Unlock()
		d.Wake() // there is room, and what had to wait for these may be due
	}
}
