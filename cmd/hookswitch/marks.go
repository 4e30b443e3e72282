package main

import (
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// marker passes on the events of a leg, and tells in between for how long the caller has
// been connected: while both still talk, for somebody may act on it. A mark that is missed
// because the call was lost is made of the end of the connection.
type marker struct {
	record func(call.Event)

	mu    sync.Mutex
	timer *time.Timer // to the next mark; nil: none is to come
	over  bool
}

// pass takes an event of the leg.
func (m *marker) pass(e call.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch e.Type {
	case call.Connected:
		m.rest()
		if !m.over {
			m.wait(call.Event{Type: call.Marked, Leg: e.Leg, Target: e.Target}, time.Now(), 0)
		}
	case call.Released:
		m.rest()
	}
	m.record(e)
}

// wait tells the marks from the nth on of a connection that began at since. It needs the
// lock.
func (m *marker) wait(mark call.Event, since time.Time, n int) {
	if n == len(call.Marks) {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(time.Until(since.Add(call.Marks[n])), func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.timer != timer { // it was stopped too late
			return
		}
		mark.Millis = call.Marks[n].Milliseconds()
		m.record(mark)
		m.timer = nil
		m.wait(mark, since, n+1)
	})
	m.timer = timer
}

// rest lets no mark come for now. It needs the lock.
func (m *marker) rest() {
	if m.timer != nil {
		m.timer.Stop()
		m.timer = nil
	}
}

// stop lets no mark come any more: the call is over, or another's.
func (m *marker) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rest()
	m.over = true
}
