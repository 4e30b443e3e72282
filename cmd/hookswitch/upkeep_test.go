package main

import (
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookswitch/hookswitch/store"
)

func TestRequestsAreKeptForATime(t *testing.T) {
	onBoth(t, func(w *world) {
		db, err := openStore(t.Context(), w.serversSettings())
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		now := time.Now()
		for _, age := range []time.Duration{2 * time.Hour, 30 * time.Minute} {
			if _, err := db.KeepRequest(t.Context(), "acme", store.Request{At: now.Add(-age)}); err != nil {
				t.Fatal(err)
			}
		}
		u := &upkeep{log: zerolog.Nop(), db: db}
		for _, of := range []struct {
			keep time.Duration
			left int
		}{{0, 2}, {time.Hour, 1}, {time.Minute, 0}} {
			u.keepWebhooks = of.keep
			if err := u.prune(t.Context(), now); err != nil {
				t.Fatal(err)
			}
			if page, err := db.Requests(t.Context(), "acme", store.RequestQuery{}); err != nil || len(page.Requests) != of.left {
				t.Errorf("kept for %v there are %d (%v), want %d", of.keep, len(page.Requests), err, of.left)
			}
		}
	})
}
