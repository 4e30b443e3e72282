package ratelimit

import (
	"context"
	"sync"
)

// Room is for so much at once, of all names together and of each by itself, so that none
// takes it all. Its methods are safe for concurrent use.
type Room struct {
	all   places
	each  int
	mu    sync.Mutex
	names map[string]*corner // where somebody is
}

// corner is the room of one name.
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
	default:
	}
	select {
	case p <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// NewRoom returns room for so many of all names, and so many of each.
func NewRoom(all, each int) *Room {
	return &Room{all: make(places, all), each: each, names: map[string]*corner{}}
}

// Enter takes a place for a name, and waits for one until ctx ends; nil: there was none.
func (r *Room) Enter(ctx context.Context, name string) (leave func()) {
	c, gone := r.visit(name)
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

// visit returns the corner of a name, which is there until gone.
func (r *Room) visit(name string) (c *corner, gone func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c = r.names[name]; c == nil {
		c = &corner{places: make(places, r.each)}
		r.names[name] = c
	}
	c.visitors++
	return c, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if c.visitors--; c.visitors == 0 {
			delete(r.names, name)
		}
	}
}
