package delivery

import (
	"context"
	"time"

	"github.com/hookswitch/hookswitch/crash"
	"github.com/hookswitch/hookswitch/store"
)

// claim takes what is due and has it sent, until ctx ends; sending is for the attempts.
func (d *Deliverer) claim(ctx, sending context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	pause := firstPause
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		case <-timer.C:
		}
		began := time.Now()
		next, err := d.claimOnce(ctx, sending)
		if ctx.Err() != nil {
			return
		}
		d.trouble.report(claimer, err, d.Problem)
		if err != nil {
			next, pause = pause, min(2*pause, lastPause)
		} else {
			pause = firstPause
		}
		// Claims that are apart find more, and cost less for each delivery; of many endpoints a
		// claim costs the outbox more.
		took := time.Since(began)
		if next > 0 && !sleep(ctx, min(max(pace-took, took), longestPace)) {
			return
		}
		timer.Reset(max(0, next-time.Since(began)))
	}
}

// claimOnce makes one claim and returns how long to wait for the next: not at all, when
// this one was as large as it could be.
func (d *Deliverer) claimOnce(ctx, sending context.Context) (time.Duration, error) {
	wish, ok := d.wish(time.Now())
	if !ok {
		return poll, nil
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	until := time.Now().Add(lease)
	crash.At("claim.before")
	claimed, err := d.Outbox.Claim(limited, wish)
	if err != nil {
		return 0, err
	}
	if len(claimed.Deliveries) > 0 {
		crash.At("claim.after")
	}
	d.take(sending, claimed.Deliveries, until)
	if len(claimed.Deliveries) == batch {
		return 0, nil
	}
	// What is due and has no room is claimed when an attempt has ended.
	return min(max(claimed.Next, pace), poll), nil
}

// wish says what may be claimed now, if anything.
func (d *Deliverer) wish(now time.Time) (store.Claiming, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	free, strained := d.AtOnce, d.AtOnce/2
	for _, h := range d.lanes {
		if h.held == 0 {
			continue
		}
		if h.strained(now) {
			strained -= h.held
		} else {
			free -= h.held
		}
	}
	c := store.Claiming{Node: d.Node, Lease: lease, Lanes: make(map[store.LaneName]int, len(d.lanes)), Busy: map[store.LaneName]int{}}
	room := 0
	for name, l := range d.lanes { // in another order each time, so that the strained take turns
		if !l.open(now) {
			continue
		}
		window := l.window
		if l.strained(now) {
			window = min(window, l.held+strained)
			strained -= window - l.held
		}
		if window <= l.held {
			continue
		}
		c.Lanes[name] = window
		room += window - l.held
		if l.held > 0 {
			c.Busy[name] = l.held
		}
	}
	c.Limit = min(free, room, batch)
	return c, c.Limit > 0
}

// take has deliveries sent.
func (d *Deliverer) take(sending context.Context, deliveries []store.Delivery, until time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, delivery := range deliveries {
		l := d.lane(store.LaneName{Org: delivery.Org, Endpoint: delivery.Endpoint})
		h := &hold{Delivery: delivery, lane: l, until: until}
		d.holds[delivery.Lease] = h
		l.held++
		l.queue = append(l.queue, h)
		if l.sending < l.atOnce() {
			l.sending++
			d.senders.Go(func() { d.send(sending, l) })
		}
	}
}

// tend looks after what is under way until ctx ends: a lease is renewed before its end, and a
// lane is known to be slow before its first answer comes.
func (d *Deliverer) tend(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		leases := d.look(now)
		if len(leases) == 0 {
			d.trouble.report(tender, nil, d.Problem)
			continue
		}
		limited, cancel := context.WithTimeout(ctx, limit)
		err := d.Outbox.Extend(limited, d.Node, lease, leases)
		cancel()
		if ctx.Err() != nil {
			return
		}
		d.trouble.report(tender, err, d.Problem)
		if err == nil {
			d.renewed(leases, now.Add(lease))
		}
	}
}

// look marks the lanes that are slow, and returns the leases to renew.
func (d *Deliverer) look(now time.Time) (leases []store.Lease) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, h := range d.holds {
		if !h.began.IsZero() && !h.over && now.Sub(h.began) > slowAfter && !h.lane.slow {
			l := h.lane
			l.slow, l.window = true, min(l.window, l.atOnce())
			d.putDown(l)
		}
	}
	for _, h := range d.holds {
		if h.until.Sub(now) < lease-renewal {
			leases = append(leases, h.Lease)
		}
	}
	return leases
}

// renewed notes the new end of leases.
func (d *Deliverer) renewed(leases []store.Lease, until time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range leases {
		if h := d.holds[l]; h != nil {
			h.until = until
		}
	}
}
