package main

import (
	"cmp"
	"context"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookswitch/hookswitch/store"
)

const (
	concludeEvery = time.Second
	settleEvery   = 5 * time.Second
	// settlePatience is how long a call that ended waits for the journal of an earlier
	// controller before it is said to be incomplete.
	settlePatience = time.Minute
	pruneEvery     = time.Hour
	pruneAtOnce    = 1000 // calls in one transaction
	upkeepLimit    = time.Minute
)

// upkeep is what the database needs besides being written: calls whose events are all
// there are marked so, those that have ended get what waited for their end, and what was
// kept for long enough is removed. Servers that share a database all do it, and do not get
// in each other's way.
type upkeep struct {
	log          zerolog.Logger
	db           keptUp
	keepCalls    time.Duration // 0: for ever
	keepWebhooks time.Duration // likewise
	namesakes    *namesakes

	pruned    time.Time // when last
	failing   bool      // the rest of it
	unapplied bool      // what waited for ends of calls, the last time
}

// keptUp is the part of a store that needs it.
type keptUp interface {
	store.Log
	Conclude(ctx context.Context, now time.Time) (int, error)
	PruneRequests(ctx context.Context, before time.Time) error
	PruneOutbox(ctx context.Context, before time.Time) error
}

// run goes on until ctx ends.
func (u *upkeep) run(ctx context.Context) {
	tick, often := time.NewTicker(settleEvery), time.NewTicker(concludeEvery)
	defer tick.Stop()
	defer often.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-often.C:
			if err := u.conclude(ctx, now); ctx.Err() == nil {
				u.told(&u.unapplied, err, "what waits for the end of calls cannot be applied")
			}
		case now := <-tick.C:
			if err := u.do(ctx, now); ctx.Err() == nil {
				u.told(&u.failing, err, "call log cannot be kept up")
			}
		}
	}
}

// told says once that a part of the upkeep fails; the next round does what this one did
// not.
func (u *upkeep) told(failing *bool, err error, what string) {
	if err != nil && !*failing {
		u.log.Warn().Err(err).Msg(what)
	}
	*failing = err != nil
}

func (u *upkeep) conclude(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, upkeepLimit)
	defer cancel()
	_, err := u.db.Conclude(ctx, now)
	return err
}

func (u *upkeep) do(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, upkeepLimit)
	defer cancel()
	if err := u.namesakes.look(ctx); err != nil {
		return err
	}
	_, incomplete, err := u.db.Settle(ctx, now, settlePatience)
	if err != nil {
		return err
	}
	if incomplete > 0 {
		u.log.Warn().Int("calls", incomplete).Msg("calls are incomplete: the journal of a server that had them before has not come")
	}
	if now.Sub(u.pruned) < pruneEvery {
		return nil
	}
	if err := u.prune(ctx, now); err != nil {
		return err
	}
	u.pruned = now
	return nil
}

// prune removes what was kept for long enough.
func (u *upkeep) prune(ctx context.Context, now time.Time) error {
	if u.keepWebhooks > 0 {
		before := now.Add(-u.keepWebhooks)
		if err := cmp.Or(u.db.PruneRequests(ctx, before), u.db.PruneOutbox(ctx, before)); err != nil {
			return err
		}
	}
	if u.keepCalls == 0 {
		return nil
	}
	orgs, err := u.db.Organizations(ctx)
	if err != nil {
		return err
	}
	removed := 0
	for _, org := range orgs {
		for {
			n, err := u.db.Prune(ctx, org, now.Add(-u.keepCalls), pruneAtOnce)
			if err != nil {
				return err
			}
			if removed += n; n < pruneAtOnce {
				break
			}
		}
	}
	if removed > 0 {
		u.log.Info().Int("calls", removed).Msg("calls were removed from the log, as keep_calls says")
	}
	return nil
}
