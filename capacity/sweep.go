package capacity

import (
	"context"
	"errors"
	"time"

	"github.com/hookswitch/hookswitch/store"
)

// Times of the sweep.
const (
	sweepEvery = 10 * time.Second
	renewedFor = 3 * renewEvery // a slot that was not renewed for as long is asked for
	keepUnsure = 24 * time.Hour // the longest dial; a slot at a switch that nobody can ask goes then
	pruneEvery = time.Hour
	sweepLimit = 30 * time.Second
	sweepMost  = 2000 // slots of one sweep
)

// KeepConnections is how long a caller's connection is remembered at least: the longest
// time for which one can be a duplicate.
const KeepConnections = 400 * 24 * time.Hour

// Slots is what a Sweep does at the store. Package store says what its methods do.
type Slots interface {
	Slots(ctx context.Context, q store.IdleQuery) ([]store.Idle, error)
	Post(ctx context.Context, entries []store.Entry) error
	PruneShared(ctx context.Context, keep time.Duration) error
}

// Sweep frees the slots of channels that are gone, where no node heard of their end, and
// renews those of channels that live where no node controls the call. It also removes
// what nobody asks about any more.
type Sweep struct {
	Store Slots

	// Switches names those that can be asked from here now.
	Switches func() []string

	// Exists asks the switch of a name whether it has a channel. known is false when that
	// switch cannot be asked from here.
	Exists func(ctx context.Context, name, channel string) (alive, known bool)

	Problem func(err error) // the store failed; the next sweep may do better
}

// Run sweeps until ctx ends.
func (s *Sweep) Run(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	var pruned time.Time
	for {
		err := s.Once(ctx)
		if time.Since(pruned) >= pruneEvery {
			pruned = time.Now()
			limited, cancel := context.WithTimeout(ctx, sweepLimit)
			err = errors.Join(err, s.Store.PruneShared(limited, KeepConnections))
			cancel()
		}
		if err != nil && ctx.Err() == nil {
			s.Problem(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Once looks at the slots that wait, once.
func (s *Sweep) Once(ctx context.Context) error {
	asking, cancel := context.WithTimeout(ctx, sweepLimit)
	defer cancel()
	slots, err := s.Store.Slots(asking, store.IdleQuery{For: renewedFor, Switches: s.Switches(), Forgotten: keepUnsure, Limit: sweepMost})
	if err != nil {
		return err
	}
	var entries []store.Entry
	for _, x := range slots {
		if asking.Err() != nil { // a switch is slow: what is known by now is worth telling
			break
		}
		what := store.Renewed
		switch alive, known := s.Exists(asking, x.Claim.Switch, x.Claim.Leg); {
		case known && !alive, !known && x.For > keepUnsure:
			what = store.Gone
		case !known:
			continue
		}
		entries = append(entries, store.Entry{What: what, Claim: x.Claim})
	}
	if len(entries) == 0 {
		return nil
	}
	telling, cancel := context.WithTimeout(ctx, sweepLimit)
	defer cancel()
	return s.Store.Post(telling, entries)
}
