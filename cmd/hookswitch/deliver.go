package main

import (
	"context"
	"sync/atomic"

	"github.com/rs/zerolog"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/drain"
	"github.com/hookswitch/hookswitch/webhooks"
	"github.com/hookswitch/hookswitch/webhooks/credentials"
	"github.com/hookswitch/hookswitch/webhooks/delivery"
)

// courier sends what waits in the outbox to the endpoints of the configuration in force.
type courier struct {
	*delivery.Deliverer
	client  *webhooks.Client
	secrets *credentials.Keeper
}

// newCourier returns the courier of a node, which says aloud when an endpoint begins to fail
// or does so no more, and is in the metrics. It may go where requests of flows may.
func newCourier(s *settings, log zerolog.Logger, m *metrics, from delivery.Outbox, secrets *credentials.Keeper) *courier {
	client := newRequests(s)
	client.Cut, client.Final, client.MaxBody = true, true, 16<<10
	client.Keep(2*s.WebhooksAtOnce, s.WebhooksAtOnce) // endpoints of many organizations may be on one host
	d := delivery.New(s.Node, from, client)
	d.AtOnce, d.Secrets, d.Attempted = s.WebhooksAtOnce, secrets.For, m.attempted
	d.Turned = func(l store.LaneName, to delivery.Turn, why string) {
		line := log.Warn()
		if to == delivery.Works {
			line = log.Info()
		}
		line.Str("organization", l.Org).Str("endpoint", l.Endpoint).Str("state", string(to)).Str("why", why).Msg("outgoing webhook")
	}
	d.Problem = func(err error) {
		if err != nil {
			log.Error().Err(err).Msg("outgoing webhooks wait for the database")
		} else {
			log.Info().Msg("outgoing webhooks go on")
		}
	}
	m.delivers(d)
	return &courier{d, client, secrets}
}

// use has the courier send to the endpoints of a configuration.
func (c *courier) use(s *flowengine.Snapshot) {
	all := map[store.LaneName]delivery.Endpoint{}
	for _, o := range s.Organizations() {
		for _, e := range o.Endpoints() {
			all[store.LaneName{Org: o.Name, Endpoint: e.Name}] = &outgoing{e, c.secrets}
		}
	}
	c.Use(all)
}

// run sends until ctx ends.
func (c *courier) run(ctx context.Context) {
	c.Run(ctx)
	c.client.Close()
}

// herald stands between the drain and the store, and wakes the courier when there is
// something to tell.
type herald struct {
	drain.Log
	store.Publisher
	wake func()
	news atomic.Bool
}

// Publish returns what is to be told.
func (h *herald) Publish(c *store.Call, news []call.Event) []store.Message {
	told := h.Publisher.Publish(c, news)
	if len(told) > 0 {
		h.news.Store(true)
	}
	return told
}

// Append takes a batch in.
func (h *herald) Append(ctx context.Context, b store.Batch) error {
	err := h.Log.Append(ctx, b)
	if h.news.Swap(false) {
		h.wake()
	}
	return err
}
