package flowengine

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// Local is the Capacity of one process that shares nothing with others: exact while
// the process lives, and forgotten with it. The zero Local is ready for use.
type Local struct {
	lock    sync.Mutex
	targets map[inOrg]*taken
	slots   map[string]map[string]*slot // by call and leg
	seen    map[acquaintance]time.Time
	within  time.Duration // the longest time for which anybody asked about seen
	turns   map[inOrg]uint64
}

// inOrg is something of an organization.
type inOrg struct{ org, name string }

// slot is what a claim took, in the periods that held then.
type slot struct {
	target           inOrg
	hour, day, month time.Time
	connected        bool
}

// taken is what is taken of one target.
type taken struct {
	concurrency      int
	hour, day, month tally
	total            int
}

// tally is what is taken in a period.
type tally struct {
	began time.Time
	n     int
}

func (c *tally) in(began time.Time) int {
	if c.began.Equal(began) {
		return c.n
	}
	return 0
}

// add counts up in a period, which becomes the one that is counted; or down, where
// it still is.
func (c *tally) add(began time.Time, n int) {
	switch {
	case c.began.Equal(began):
		c.n += n
	case n > 0:
		*c = tally{began, n}
	}
}

// acquaintance is a caller and with whom it was connected.
type acquaintance struct {
	org    string
	of     call.Scope
	name   string
	caller string
}

// maxSeen bounds the acquaintances that are remembered.
const maxSeen = 200_000

// Usage returns what is taken, for each claim.
func (l *Local) Usage(_ context.Context, claims []call.Claim) ([]call.Usage, string) {
	l.lock.Lock()
	defer l.lock.Unlock()
	out := make([]call.Usage, len(claims))
	for i := range claims {
		out[i] = l.usage(&claims[i])
	}
	return out, ""
}

func (l *Local) usage(c *call.Claim) (u call.Usage) {
	at := inOrg{c.Org, c.Target}
	if t := l.targets[at]; t != nil {
		others := *t
		for leg, s := range l.slots[c.Call] {
			if s.target == at && !s.connected && !slices.Contains(c.Beside, leg) {
				others.concurrency--
				others.count(s, -1)
			}
		}
		hour, day, month := c.Limits.Periods(c.At)
		u = call.Usage{Concurrency: others.concurrency, Hour: others.hour.in(hour), Day: others.day.in(day), Month: others.month.in(month), Total: others.total}
	}
	if c.Limits.Within > 0 && c.Caller != "" {
		l.within = max(l.within, c.Limits.Within)
		u.Last = l.seen[acquaintance{c.Org, c.Limits.Of, c.With(c.Limits.Of), c.Caller}]
	}
	return u
}

// Reserve takes a slot if there is room.
func (l *Local) Reserve(_ context.Context, c call.Claim) call.Admission {
	if c.Limits.None() {
		return call.Admission{}
	}
	l.lock.Lock()
	defer l.lock.Unlock()
	if s := l.slots[c.Call][c.Leg]; s != nil && s.target == (inOrg{c.Org, c.Target}) {
		return call.Admission{}
	}
	l.release(c.Call, c.Leg)
	if r := c.Limits.Refuse(l.usage(&c), c.At); r != nil {
		return call.Admission{Refused: r}
	}
	l.take(&c)
	return call.Admission{}
}

func (l *Local) take(c *call.Claim) *slot {
	if l.targets == nil {
		l.targets, l.slots = map[inOrg]*taken{}, map[string]map[string]*slot{}
	}
	if l.slots[c.Call] == nil {
		l.slots[c.Call] = map[string]*slot{}
	}
	s := &slot{target: inOrg{c.Org, c.Target}}
	s.hour, s.day, s.month = c.Limits.Periods(c.At)
	l.slots[c.Call][c.Leg] = s
	t := l.targets[s.target]
	if t == nil {
		t = &taken{}
		l.targets[s.target] = t
	}
	t.concurrency++
	t.count(s, 1)
	return s
}

// count counts a slot in the caps, or out of them.
func (t *taken) count(s *slot, n int) {
	t.hour.add(s.hour, n)
	t.day.add(s.day, n)
	t.month.add(s.month, n)
	t.total += n
}

// Connected keeps the caps counted, and who was connected with whom. A leg that this
// process has no slot of was dialled by another, and is counted now.
func (l *Local) Connected(c call.Claim) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if !c.Limits.None() {
		s := l.slots[c.Call][c.Leg]
		if s == nil {
			s = l.take(&c)
		}
		s.connected = true
	}
	if c.Caller == "" {
		return
	}
	if l.seen == nil {
		l.seen = map[acquaintance]time.Time{}
	}
	if len(l.seen) >= maxSeen {
		l.forget(c.At)
	}
	for _, of := range [...]call.Scope{call.OfTarget, call.OfBuyer, call.OfCampaign} {
		if name := c.With(of); name != "" {
			l.seen[acquaintance{c.Org, of, name, c.Caller}] = c.At
		}
	}
}

// forget makes room among the acquaintances: first those that nobody asks about, and
// any where that is not enough.
func (l *Local) forget(now time.Time) {
	for who, at := range l.seen {
		if now.Sub(at) > l.within {
			delete(l.seen, who)
		}
	}
	for who := range l.seen {
		if len(l.seen) < maxSeen*3/4 {
			return
		}
		delete(l.seen, who)
	}
}

// Release gives a slot back.
func (l *Local) Release(c call.Claim) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.release(c.Call, c.Leg)
}

func (l *Local) release(call, leg string) {
	s := l.slots[call][leg]
	if s == nil {
		return
	}
	if delete(l.slots[call], leg); len(l.slots[call]) == 0 {
		delete(l.slots, call)
	}
	t := l.targets[s.target]
	t.concurrency--
	if !s.connected {
		t.count(s, -1)
	}
}

// Ended gives back what a call still holds whose end was not seen by who dialled.
func (l *Local) Ended(call string) {
	l.lock.Lock()
	defer l.lock.Unlock()
	for leg := range l.slots[call] {
		l.release(call, leg)
	}
}

// Turn counts how often it was asked for a key.
func (l *Local) Turn(_ context.Context, org, key string) (uint64, string) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.turns == nil {
		l.turns = map[inOrg]uint64{}
	}
	at := l.turns[inOrg{org, key}]
	l.turns[inOrg{org, key}]++
	return at, ""
}
