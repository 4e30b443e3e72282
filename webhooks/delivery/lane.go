package delivery

import (
	"time"

	"github.com/hookswitch/hookswitch/store"
)

// lane is an endpoint as this node sees it. Deliverer.mu guards it.
//
// What is claimed for it is bounded by a window that opens with each success and closes
// with each failure, so that an endpoint nobody has heard of, or that fails, holds little.
// One that answers fast may have more claimed than is sent at once: the rest waits here,
// and no claim has to come in between. One that is slow, or fails again and again, is
// strained: it counts against a room of its own, so that however many of those there are,
// the others have theirs; and what waits here for it is put down.
type lane struct {
	name     store.LaneName
	endpoint Endpoint  // nil: not configured
	unknown  time.Time // since when it is not
	gone     bool      // and for so long that what is for it is dropped

	window  int // what may be claimed
	queue   []*hold
	held    int // claimed, and not yet told of
	sending int

	fails int       // one after the other
	since time.Time // the first of them
	slow  bool
	rest  time.Time // nothing is begun before
	turn  Turn      // last told

	mask mask
}

// The behaviour of lanes.
const (
	firstWindow = 2
	ahead       = 8 // times what is sent at once, claimed for an endpoint that answers fast
	usual       = 10
	slowAfter   = time.Second      // an attempt that takes longer strains
	manyFails   = 5                // in a row strain, or
	someFails   = 2                // when they go on for
	longFailing = 30 * time.Second // so long
	firstRest   = time.Second      // of a lane that fails, twice that after the next failure
	longestRest = 10 * time.Second
	longestWait = time.Minute // for a Retry-After, of all that is for the endpoint
)

// hold is a delivery that this node has leased.
type hold struct {
	store.Delivery
	lane  *lane
	until time.Time // end of the lease

	// Of the attempt.
	began    time.Time // zero: it waits
	endpoint Endpoint  // nil: there is none any more
	retry    bool      // a broken connection is worth another try: not where one breaks every time
	over     bool
}

// atOnce is how many requests may be under way.
func (l *lane) atOnce() int {
	if l.endpoint == nil {
		return usual
	}
	if n := l.endpoint.AtOnce(); n > 0 {
		return n
	}
	return usual
}

// failing says whether one attempt fails after the other.
func (l *lane) failing(now time.Time) bool {
	return l.fails >= manyFails || l.fails >= someFails && now.Sub(l.since) >= longFailing
}

// strained says whether the lane is slow or failing.
func (l *lane) strained(now time.Time) bool { return l.slow || l.failing(now) }

// wanted says whether what is for the lane is sent, or dropped.
func (l *lane) wanted() bool { return l.gone || l.endpoint != nil && l.endpoint.Enabled() }

// open says whether something may be claimed.
func (l *lane) open(now time.Time) bool {
	return l.held < l.window && !now.Before(l.rest) && l.wanted()
}

// succeeded notes an attempt that was a success.
func (l *lane) succeeded(took time.Duration) {
	l.fails = 0
	l.slow = took > slowAfter
	widest := l.atOnce()
	if !l.slow {
		widest *= ahead
	}
	l.window = min(l.window+1, widest)
}

// failed notes one that was not, and what the endpoint asked for with Retry-After.
func (l *lane) failed(now time.Time, took, asked time.Duration) {
	if l.fails++; l.fails == 1 {
		l.since = now
	}
	l.slow = took > slowAfter
	l.window = max(1, min(l.window, l.atOnce())-1)
	pause := min(asked, longestWait)
	if l.failing(now) {
		pause = max(pause, min(firstRest<<min(max(l.fails-manyFails, 0), 10), longestRest))
	}
	if until := now.Add(pause); until.After(l.rest) {
		l.rest = until
	}
}

// next takes the delivery that is sent next, or ends a sender. A lease that has run out
// is another's.
func (d *Deliverer) next(l *lane) *hold {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for !d.parted && l.sending <= l.atOnce() && len(l.queue) > 0 {
		h := l.queue[0]
		l.queue[0] = nil
		if l.queue = l.queue[1:]; now.Before(h.until) && l.wanted() {
			h.began, h.endpoint, h.retry = now, l.endpoint, l.fails == 0
			return h
		}
		d.release(h)
	}
	l.sending--
	return nil
}

// putDown lets go what waits for a lane; its leases end by themselves. The caller holds mu.
func (d *Deliverer) putDown(l *lane) {
	for _, h := range l.queue {
		d.release(h)
	}
	l.queue = nil
}

// abandon lets go a delivery that could not be tried, and all that waits behind it, for a
// while: whoever has them next makes them anew.
func (d *Deliverer) abandon(h *hold) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.release(h)
	d.putDown(h.lane)
	if until := time.Now().Add(lastPause); until.After(h.lane.rest) {
		h.lane.rest = until
	}
}

// release lets a delivery go; the caller holds mu.
func (d *Deliverer) release(h *hold) {
	delete(d.holds, h.Lease)
	h.lane.held--
}

// turned notes the state of a lane and says whether that is new; the caller holds mu.
func (l *lane) turned(to Turn) bool {
	was := l.turn
	l.turn = to
	return was != to && (was != "" || to != Works)
}
