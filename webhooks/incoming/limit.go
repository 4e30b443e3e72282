package incoming

import (
	"context"
	"sync"
	"time"
)

// Limits bound what is asked of the webhooks. How often one may be called is in its
// definition.
type Limits struct {
	PerAddress int           // requests a second from one address, or one IPv6 network of 64 bits; as many at once after a rest
	AtOnce     int           // requests under way, of all
	PerWebhook int           // of these, those to one webhook
	InStore    int           // questions to the store at once: calls need it too
	Waiting    time.Duration // for room, that a request may spend
	Reading    time.Duration // that a body may take to come
}

// DefaultLimits are those of a server.
var DefaultLimits = Limits{PerAddress: 200, AtOnce: 128, PerWebhook: 32, InStore: 4, Waiting: time.Second, Reading: 5 * time.Second}

func (l Limits) orDefault() Limits {
	d := DefaultLimits
	if l.PerAddress > 0 {
		d.PerAddress = l.PerAddress
	}
	if l.AtOnce > 0 {
		d.AtOnce = l.AtOnce
	}
	if l.PerWebhook > 0 {
		d.PerWebhook = l.PerWebhook
	}
	if l.InStore > 0 {
		d.InStore = l.InStore
	}
	if l.Waiting > 0 {
		d.Waiting = l.Waiting
	}
	if l.Reading > 0 {
		d.Reading = l.Reading
	}
	return d
}

// room is for the requests that are under way.
type room struct {
	limits Limits
	all    places
	mu     sync.Mutex
	hooks  map[string]*corner // those that somebody is at
}

// corner is the room of one webhook.
type corner struct {
	places
	visitors int // in it, or waiting for a place
}

// places holds one for each that is taken.
type places chan struct{}

func (p places) take(ctx context.Context) bool {
	select {
	case p <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func newRoom(l Limits) *room {
	return &room{limits: l, all: make(places, l.AtOnce), hooks: map[string]*corner{}}
}

// enter takes room for a request to a webhook, and waits for it where there is none; nil
// where that lasts too long.
func (r *room) enter(ctx context.Context, webhook string) (leave func()) {
	ctx, cancel := context.WithTimeout(ctx, r.limits.Waiting)
	defer cancel()
	c, gone := r.visit(webhook)
	if !c.take(ctx) {
		gone()
		return nil
	}
	if !r.all.take(ctx) {
		<-c.places
		gone()
		return nil
	}
	return func() {
		<-r.all
		<-c.places
		gone()
	}
}

// visit returns the room of a webhook, which is there until gone.
func (r *room) visit(webhook string) (c *corner, gone func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c = r.hooks[webhook]; c == nil {
		c = &corner{places: make(places, r.limits.PerWebhook)}
		r.hooks[webhook] = c
	}
	c.visitors++
	return c, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if c.visitors--; c.visitors == 0 {
			delete(r.hooks, webhook)
		}
	}
}
