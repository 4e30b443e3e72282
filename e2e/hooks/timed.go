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
}

func (t *timed) Claim(ctx context.Context, c store.Claiming) (store.Claimed, error) {
	s := time.Now()
	r, err := t.Outbox.Claim(ctx, c)
	t.claims.Add(1)
	t.claimed.Add(int64(len(r.Deliveries)))
	t.claimNS.Add(int64(time.Since(s)))
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
func (t *timed) print() {
	fmt.Fprintf(os.Stderr, "claims %d of %d each %v; finishes %d of %d each %v\n", t.claims.Load(), t.claimed.Load()/max(1, t.claims.Load()), time.Duration(t.claimNS.Load()/max(1, t.claims.Load())),
		t.finishes.Load(), t.finished.Load()/max(1, t.finishes.Load()), time.Duration(t.finishNS.Load()/max(1, t.finishes.Load())))
}
