package main

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/crash"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/store"
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
			log.Warn().Err(err).Msg("outgoing webhooks wait for the database")
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

// herald is a store that wakes the courier when something is to be told: then it is sent at
// once by the server that knows of it first, and nobody has to ask for it all the time.
type herald struct {
	store.Store
	wake func()
	news atomic.Bool // what is being appended has something to tell
}

// Publish names who decides what is told.
func (h *herald) Publish(p store.Publisher) { h.Store.Publish(heard{p, &h.news}) }

// heard is a publisher that has it noted when there is something to tell.
type heard struct {
	store.Publisher
	news *atomic.Bool
}

// Publish returns what is to be told.
func (p heard) Publish(c *store.Call, news []call.Event) []store.Message {
	told := p.Publisher.Publish(c, news)
	if len(told) > 0 {
		p.news.Store(true)
		crash.At("outbox.before")
	}
	return told
}

// Append takes a batch in. Its answer may be lost, and what it tells be there all the same.
func (h *herald) Append(ctx context.Context, b store.Batch) error {
	defer func() {
		if h.news.Swap(false) {
			crash.At("outbox.after")
			h.wake()
		}
	}()
	return h.Store.Append(ctx, b)
}

// Settle marks calls of which everything is there, which is told.
func (h *herald) Settle(ctx context.Context, now time.Time, patience time.Duration) (complete, incomplete int, err error) {
	complete, incomplete, err = h.Store.Settle(ctx, now, patience)
	h.after(err == nil && complete+incomplete > 0)
	return complete, incomplete, err
}

// Receive takes an input in, which may be told of a call that has ended.
func (h *herald) Receive(ctx context.Context, org string, in store.Input) (store.Receipt, error) {
	r, err := h.Store.Receive(ctx, org, in)
	h.after(slices.Contains(r.Outcomes, store.Applied))
	return r, err
}

// Conclude applies what waited for the end of calls.
func (h *herald) Conclude(ctx context.Context, now time.Time) (int, error) {
	n, err := h.Store.Conclude(ctx, now)
	h.after(n > 0)
	return n, err
}

// Send makes deliveries of a message.
func (h *herald) Send(ctx context.Context, m store.Message) error {
	err := h.Store.Send(ctx, m)
	h.after(err == nil)
	return err
}

// Resend makes deliveries anew.
func (h *herald) Resend(ctx context.Context, org string, r store.Resending) (int, error) {
	n, err := h.Store.Resend(ctx, org, r)
	h.after(n > 0)
	return n, err
}

// Enable makes due what waits.
func (h *herald) Enable(ctx context.Context, org, endpoint string) error {
	err := h.Store.Enable(ctx, org, endpoint)
	h.after(err == nil)
	return err
}

func (h *herald) after(something bool) {
	if something {
		h.wake()
	}
}
