package delivery

import (
	"context"
	"fmt"
	"time"

	"github.com/hookswitch/hookswitch/store"
)

// An endpoint that has failed for so long, so often, is disabled.
const (
	failingFor = 72 * time.Hour
	failures   = 20
)

// survey looks at all lanes of the outbox until ctx ends.
func (d *Deliverer) survey(ctx context.Context) {
	for {
		var lanes []store.Lane
		if d.insist(ctx, surveyor, func(ctx context.Context) (err error) {
			lanes, err = d.Outbox.Lanes(ctx, "")
			return err
		}) != nil {
			return
		}
		pending := 0
		for _, l := range lanes {
			pending += l.Pending
		}
		d.pending.Store(int64(pending))
		now := time.Now()
		for _, l := range d.forget(lanes, now) {
			// Nothing is claimed for an endpoint that is disabled, not even to be dropped.
			if l.Disabled != nil && d.insist(ctx, surveyor, func(ctx context.Context) error { return d.Outbox.Enable(ctx, l.Org, l.Endpoint) }) != nil {
				return
			}
			d.tellTurn(store.LaneName{Org: l.Org, Endpoint: l.Endpoint}, Gone, "it is no longer configured: what was for it is dropped")
		}
		for _, l := range lanes {
			d.judge(ctx, l, now)
		}
		if !sleep(ctx, surveys) {
			return
		}
	}
}

// forget marks the lanes that have not been configured here for long, and returns those that are
// new among them.
func (d *Deliverer) forget(lanes []store.Lane, now time.Time) (gone []store.Lane) {
	d.mu.Lock()
	defer d.mu.Unlock()
	waits := map[store.LaneName]bool{}
	for _, known := range lanes {
		name := store.LaneName{Org: known.Org, Endpoint: known.Endpoint}
		l := d.lane(name)
		if waits[name] = known.Pending > 0; l.endpoint != nil || known.Pending == 0 || now.Sub(l.unknown) < patient {
			continue
		}
		if !l.gone {
			l.gone, l.window, l.rest = true, batch, time.Time{}
			gone = append(gone, known)
		}
	}
	for name, l := range d.lanes {
		if l.endpoint == nil && l.held == 0 && l.sending == 0 && !waits[name] {
			delete(d.lanes, name)
		}
	}
	return gone
}

// judge disables an endpoint that has failed for long enough.
func (d *Deliverer) judge(ctx context.Context, l store.Lane, now time.Time) {
	name := store.LaneName{Org: l.Org, Endpoint: l.Endpoint}
	if l.Disabled != nil || l.Failing == nil || now.Sub(*l.Failing) < failingFor || !d.serves(name) {
		return
	}
	n, err := d.failures(ctx, name, now)
	d.trouble.report(surveyor, err, d.Problem)
	if err == nil && n >= failures {
		d.disable(ctx, name, fmt.Sprintf("every attempt since %s has failed", l.Failing.UTC().Format(time.RFC3339)))
	}
}

// serves says whether an endpoint is configured here and enabled.
func (d *Deliverer) serves(name store.LaneName) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lanes[name]
	return l != nil && l.endpoint != nil && l.endpoint.Enabled()
}

// failures counts the attempts on what an endpoint has not taken, up to some hundreds of
// deliveries.
func (d *Deliverer) failures(ctx context.Context, name store.LaneName, now time.Time) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for _, state := range []store.DeliveryState{store.Pending, store.GivenUp} {
		page, err := d.Outbox.Deliveries(ctx, name.Org, store.DeliveryQuery{Endpoint: name.Endpoint, State: state, From: now.Add(-2 * failingFor), Limit: 1000})
		if err != nil {
			return 0, err
		}
		for _, delivery := range page.Deliveries {
			n += delivery.Tries
		}
	}
	return n, nil
}

// disable has an endpoint sent nothing more, and announces it to those that want to know.
func (d *Deliverer) disable(ctx context.Context, name store.LaneName, why string) {
	var was bool
	if d.insist(ctx, disabler, func(ctx context.Context) (err error) {
		was, err = d.Outbox.Disable(ctx, name.Org, name.Endpoint, why)
		return err
	}) != nil {
		return
	}
	d.mu.Lock()
	l := d.lane(name)
	l.rest = time.Time{} // what the outbox gives out once it is enabled may be sent
	if was {
		l.turn = Disabled
	}
	d.mu.Unlock()
	if !was {
		return
	}
	d.tellTurn(name, Disabled, why)
	if d.Announce == nil {
		return
	}
	if m, ok := d.Announce(name.Org, name.Endpoint, why, time.Now()); ok {
		d.insist(ctx, disabler, func(ctx context.Context) error { return d.Outbox.Send(ctx, m) })
		d.Wake()
	}
}
