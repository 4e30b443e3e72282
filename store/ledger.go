package store

import (
	"slices"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// Ledger is the arithmetic of slots, the same for every engine: an engine reads what a
// transaction is about into a Ledger, lets it decide, and writes what has changed.
type Ledger struct {
	now     time.Time
	slots   map[callKey][]*Slot
	figures map[Figure]call.Usage
	inUse   map[targetKey]int
	counts  map[Count]int // what was added since
	changed []*Slot
}

// Slot is what a leg takes, or took, of a target.
type Slot struct {
	Claim     call.Claim // without At and Limits
	Hour      time.Time  // the periods that it counts in; as Day and Month, UTC
	Day       time.Time
	Month     time.Time
	Counted   bool      // in the caps
	Connected time.Time // zero: not, as far as is known
	Freed     time.Time // zero: in use
	Renewed   time.Time

	changed bool
}

// Figure names the figures that bound a claim: those of a target, in the periods of a
// moment.
type Figure struct {
	Org, Target      string
	Hour, Day, Month time.Time // UTC
}

// Count names the number of calls that a target had in a period.
type Count struct {
	Org, Target string
	Period      Period
	Since       time.Time // UTC
}

// Period is what a cap is per.
type Period string

// The periods. Total began in 1970.
const (
	Hour  Period = "hour"
	Day   Period = "day"
	Month Period = "month"
	Total Period = "total"
)

type callKey struct{ org, call string }

type targetKey struct{ org, target string }

// FigureOf returns what bounds a claim.
func FigureOf(c *call.Claim) Figure {
	hour, day, month := c.Limits.Periods(c.At)
	return Figure{c.Org, c.Target, hour, day, month}
}

// NewLedger returns a ledger at the store's own time.
func NewLedger(now time.Time) *Ledger {
	return &Ledger{now: now.UTC(), slots: map[callKey][]*Slot{}, figures: map[Figure]call.Usage{}, inUse: map[targetKey]int{}, counts: map[Count]int{}}
}

// AddSlot adds a slot as it is stored.
func (l *Ledger) AddSlot(s Slot) {
	s.changed = false
	at := callKey{s.Claim.Org, s.Claim.Call}
	l.slots[at] = append(l.slots[at], &s)
}

// AddFigure adds figures as they are stored: the slots in use, and the counts.
func (l *Ledger) AddFigure(f Figure, u call.Usage) { l.figures[f] = u }

// Changed returns the slots to write.
func (l *Ledger) Changed() []*Slot { return l.changed }

// Counts returns what to add to the counts.
func (l *Ledger) Counts() map[Count]int { return l.counts }

// Usage returns what others take of the claim's target, the legs beside it among them.
// last is when its caller was last connected within the scope of its limits.
func (l *Ledger) Usage(c *call.Claim, last time.Time) call.Usage {
	f := FigureOf(c)
	u := l.used(c, f)
	u.Last = last
	for _, s := range l.slots[callKey{c.Org, c.Call}] {
		if s.Claim.Target == c.Target && s.Connected.IsZero() && s.Freed.IsZero() && !slices.Contains(c.Beside, s.Claim.Leg) {
			u.Concurrency--
			if s.Counted {
				u.Hour -= one(s.Hour, f.Hour)
				u.Day -= one(s.Day, f.Day)
				u.Month -= one(s.Month, f.Month)
				u.Total--
			}
		}
	}
	return u
}

// used returns what is taken of the claim's target.
func (l *Ledger) used(c *call.Claim, f Figure) call.Usage {
	u := l.figures[f]
	u.Concurrency += l.inUse[targetKey{c.Org, c.Target}]
	u.Hour += l.counts[Count{c.Org, c.Target, Hour, f.Hour}]
	u.Day += l.counts[Count{c.Org, c.Target, Day, f.Day}]
	u.Month += l.counts[Count{c.Org, c.Target, Month, f.Month}]
	u.Total += l.counts[Count{c.Org, c.Target, Total, epoch}]
	return u
}

var epoch = time.Unix(0, 0).UTC()

// one returns 1 for what is of the same period.
func one(a, b time.Time) int {
	if a.Equal(b) {
		return 1
	}
	return 0
}

// Reserve takes a slot if the limits leave room.
func (l *Ledger) Reserve(c *call.Claim, last time.Time) Reservation {
	refused := l.reserve(c, last)
	return Reservation{refused, l.used(c, FigureOf(c))}
}

func (l *Ledger) reserve(c *call.Claim, last time.Time) *call.Refusal {
	s := l.slot(c)
	if s != nil && s.Freed.IsZero() {
		if s.Claim.Target == c.Target {
			l.renew(s, c)
			return nil
		}
		l.release(s)
	}
	if r := c.Limits.Refuse(l.Usage(c, last), c.At); r != nil {
		return r
	}
	l.take(s, c)
	return nil
}

// Post enters what became of a leg.
func (l *Ledger) Post(e Entry) {
	c := &e.Claim
	if e.What == Gone {
		l.gone(c)
		return
	}
	s := l.slot(c)
	if s != nil && s.Claim.Target != c.Target { // the leg was meant for somebody else meanwhile
		if e.What == Released || e.What == Renewed {
			return
		}
		l.release(s)
	}
	known := s != nil && s.Claim.Target == c.Target
	switch e.What {
	case Admitted:
		if known && s.Freed.IsZero() {
			l.renew(s, c)
		} else {
			l.take(s, c)
		}
	case Renewed:
		if !known {
			l.take(s, c)
		} else if s.Freed.IsZero() {
			l.renew(s, c)
		}
	case Connected:
		if !known {
			s = l.take(s, c)
			if c.Limits.None() { // it holds nothing, and is remembered for the sake of others
				l.free(s)
			}
		}
		l.connect(s, c.At)
	case Released:
		if known {
			l.release(s)
		}
	}
}

func (l *Ledger) slot(c *call.Claim) *Slot {
	for _, s := range l.slots[callKey{c.Org, c.Call}] {
		if s.Claim.Leg == c.Leg {
			return s
		}
	}
	return nil
}

func (l *Ledger) touch(s *Slot) {
	if !s.changed {
		s.changed = true
		l.changed = append(l.changed, s)
	}
}

// take gives the claim a slot, that which its leg had before if it had one.
func (l *Ledger) take(s *Slot, c *call.Claim) *Slot {
	if s == nil {
		s = new(Slot)
		at := callKey{c.Org, c.Call}
		l.slots[at] = append(l.slots[at], s)
	}
	if s.Claim.Target != c.Target {
		s.Counted, s.Connected = false, time.Time{}
	}
	s.Claim = *c
	s.Freed = time.Time{}
	l.inUse[targetKey{c.Org, c.Target}]++
	if !s.Counted {
		f := FigureOf(c)
		s.Hour, s.Day, s.Month = f.Hour, f.Day, f.Month
		l.count(s, 1)
	}
	l.renew(s, c)
	return s
}

func (l *Ledger) renew(s *Slot, c *call.Claim) {
	s.Renewed, s.Claim.Node = l.now, c.Node
	l.touch(s)
}

func (l *Ledger) connect(s *Slot, at time.Time) {
	if !s.Counted {
		l.count(s, 1)
	}
	if s.Connected.IsZero() {
		s.Connected = at.UTC()
	}
	l.touch(s)
}

func (l *Ledger) free(s *Slot) {
	if s.Freed.IsZero() {
		s.Freed = l.now
		l.inUse[targetKey{s.Claim.Org, s.Claim.Target}]--
		l.touch(s)
	}
}

func (l *Ledger) release(s *Slot) {
	l.free(s)
	if s.Counted && s.Connected.IsZero() {
		l.count(s, -1)
		l.touch(s)
	}
}

// gone frees the leg, or all legs of the call in whatever organization: the switch
// knows none.
func (l *Ledger) gone(c *call.Claim) {
	for at, slots := range l.slots {
		for _, s := range slots {
			if at.call == c.Call && (c.Leg == "" || c.Leg == s.Claim.Leg && c.Org == at.org) {
				l.free(s)
			}
		}
	}
}

// count counts a slot in, or out.
func (l *Ledger) count(s *Slot, n int) {
	s.Counted = n > 0
	org, target := s.Claim.Org, s.Claim.Target
	l.counts[Count{org, target, Hour, s.Hour}] += n
	l.counts[Count{org, target, Day, s.Day}] += n
	l.counts[Count{org, target, Month, s.Month}] += n
	l.counts[Count{org, target, Total, epoch}] += n
}
