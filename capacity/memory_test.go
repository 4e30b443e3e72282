package capacity_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// memory is a store in memory that may fail, or hang: then what it was asked is done when
// it goes on, and nobody who asked is told.
type memory struct {
	mu     sync.Mutex
	slots  map[[3]string]store.Slot
	counts map[store.Count]int
	turns  map[store.TurnKey]uint64
	nodes  map[string]time.Time
	fault  error
	slow   time.Duration // before every answer
	hung   chan struct{} // closed when it goes on
	unread []func()      // what it then does first
	said   []store.What  // what was posted
}

func newMemory() *memory {
	return &memory{slots: map[[3]string]store.Slot{}, counts: map[store.Count]int{}, turns: map[store.TurnKey]uint64{}, nodes: map[string]time.Time{}}
}

// fail lets every question fail.
func (m *memory) fail() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = errors.New("connection refused")
}

// hang answers nobody.
func (m *memory) hang() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hung = make(chan struct{})
}

// mend ends what fail or hang began.
func (m *memory) mend() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = nil
	for _, f := range m.unread {
		f()
	}
	if m.hung != nil {
		close(m.hung)
	}
	m.hung, m.unread = nil, nil
}

// posted returns what was posted since it was last asked.
func (m *memory) posted() (said []store.What) {
	m.mu.Lock()
	defer m.mu.Unlock()
	said, m.said = m.said, nil
	return said
}

// do does something, as a transaction.
func (m *memory) do(ctx context.Context, f func()) error {
	m.mu.Lock()
	if hung := m.hung; hung != nil {
		m.unread = append(m.unread, f)
		m.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-hung:
			return errors.New("connection reset by peer")
		}
	}
	if slow := m.slow; slow > 0 {
		m.mu.Unlock()
		<-time.After(slow)
		m.mu.Lock()
	}
	defer m.mu.Unlock()
	if m.fault != nil {
		return m.fault
	}
	f()
	return nil
}

// answerAfter makes it slow.
func (m *memory) answerAfter(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.slow = d
}

func (m *memory) ledger(claims []call.Claim) *store.Ledger {
	l := store.NewLedger(time.Now())
	calls := map[string]bool{}
	for i := range claims {
		c := &claims[i]
		if !calls[c.Call] {
			calls[c.Call] = true
			for _, s := range m.slots {
				if s.Claim.Call == c.Call {
					l.AddSlot(s)
				}
			}
		}
		f := store.FigureOf(c)
		count := func(p store.Period, since time.Time) int {
			return m.counts[store.Count{Org: c.Org, Target: c.Target, Period: p, Since: since}]
		}
		u := call.Usage{Hour: count(store.Hour, f.Hour), Day: count(store.Day, f.Day), Month: count(store.Month, f.Month), Total: count(store.Total, time.Unix(0, 0).UTC())}
		for _, s := range m.slots {
			if s.Claim.Org == c.Org && s.Claim.Target == c.Target && s.Freed.IsZero() {
				u.Concurrency++
			}
		}
		l.AddFigure(f, u)
	}
	return l
}

func (m *memory) write(l *store.Ledger) {
	for _, s := range l.Changed() {
		m.slots[[3]string{s.Claim.Org, s.Claim.Call, s.Claim.Leg}] = *s
	}
	for at, n := range l.Counts() {
		m.counts[at] += n
	}
}

func (m *memory) Usage(ctx context.Context, claims []call.Claim) ([]call.Usage, error) {
	var out []call.Usage
	err := m.do(ctx, func() {
		l := m.ledger(claims)
		for i := range claims {
			out = append(out, l.Usage(&claims[i], time.Time{}))
		}
	})
	if err != nil {
		return nil, err // out may be filled yet
	}
	return out, nil
}

func (m *memory) Reserve(ctx context.Context, claims []call.Claim) ([]store.Reservation, error) {
	var out []store.Reservation
	err := m.do(ctx, func() {
		l := m.ledger(claims)
		for i := range claims {
			out = append(out, l.Reserve(&claims[i], time.Time{}))
		}
		m.write(l)
	})
	if err != nil {
		return nil, err // out may be filled yet
	}
	return out, nil
}

func (m *memory) Post(ctx context.Context, entries []store.Entry) error {
	return m.do(ctx, func() {
		claims := make([]call.Claim, len(entries))
		for i, e := range entries {
			claims[i] = e.Claim
		}
		l := m.ledger(claims)
		for _, e := range entries {
			m.said = append(m.said, e.What)
			l.Post(e)
		}
		m.write(l)
	})
}

func (m *memory) Turns(ctx context.Context, keys []store.TurnKey) ([]uint64, error) {
	var out []uint64
	err := m.do(ctx, func() {
		for _, k := range keys {
			out = append(out, m.turns[k])
			m.turns[k]++
		}
	})
	if err != nil {
		return nil, err // out may be filled yet
	}
	return out, nil
}

func (m *memory) Beat(ctx context.Context, node string) ([]store.Node, error) {
	var out []store.Node
	err := m.do(ctx, func() {
		m.nodes[node] = time.Now()
		for name, seen := range m.nodes {
			out = append(out, store.Node{Name: name, Seen: time.Since(seen)})
		}
	})
	if err != nil {
		return nil, err // out may be filled yet
	}
	return out, nil
}

// inUse returns how many slots of a target are taken.
func (m *memory) inUse(target string) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.slots {
		if s.Claim.Target == target && s.Freed.IsZero() {
			n++
		}
	}
	return n
}
