package main

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/webhooks/delivery"
)

type timed struct {
	delivery.Outbox
	claims, claimed, claimNS, finishes, finished, finishNS atomic.Int64
	last                                                   atomic.Int64
}

func (t *timed) tick() {
	now := time.Now().Unix()
	if t.last.Swap(now) != now {
		n, m := t.claims.Swap(0), t.finishes.Swap(0)
		fmt.Fprintf(os.Stderr, "%d claims %d of %d each %v; finishes %d of %d each %v\n", now%1000, n, t.claimed.Swap(0)/max(1, n), time.Duration(t.claimNS.Swap(0)/max(1, n)).Round(time.Microsecond*100),
			m, t.finished.Swap(0)/max(1, m), time.Duration(t.finishNS.Swap(0)/max(1, m)).Round(time.Microsecond*100))
	}
}
func (t *timed) Claim(ctx context.Context, c store.Claiming) (store.Claimed, error) {
	s := time.Now()
	r, err := t.Outbox.Claim(ctx, c)
	t.claims.Add(1)
	t.claimed.Add(int64(len(r.Deliveries)))
	t.claimNS.Add(int64(time.Since(s)))
	t.tick()
	return r, err
}
func (t *timed) Finish(ctx context.Context, a []store.Attempt) ([]int64, error) {
	s := time.Now()
	r, err := t.Outbox.Finish(ctx, a)
	t.finishes.Add(1)
	t.finished.Add(int64(len(a)))
	t.finishNS.Add(int64(time.Since(s)))
	return r, err
}
