package sqlite

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/outbox"
)

const (
	// dueSQL lists the endpoints that something waits for, one step in the index each: when
	// its first delivery is due, when the first that nobody has leased, and where none is, when
	// a lease ends.
	dueSQL = `
WITH RECURSIVE lane (org, endpoint, due) AS (
	SELECT * FROM (SELECT org, endpoint, due FROM outbox ORDER BY org, endpoint, due LIMIT 1)
	UNION ALL
	SELECT o.org, o.endpoint, o.due FROM lane CROSS JOIN outbox o WHERE o.n = (SELECT x.n FROM outbox x WHERE (x.org, x.endpoint) > (lane.org, lane.endpoint)
		ORDER BY x.org, x.endpoint, x.due LIMIT 1)),
free (org, endpoint, due, free) AS (
	SELECT org, endpoint, due, CASE WHEN due <= ?1 THEN (SELECT o.due FROM outbox o WHERE o.org = lane.org AND o.endpoint = lane.endpoint
		AND (o.until IS NULL OR o.until <= ?1) ORDER BY o.due LIMIT 1) END FROM lane)
SELECT org, endpoint, due, free,
	CASE WHEN due <= ?1 AND (free IS NULL OR free > ?1) THEN (SELECT min(o.until) FROM outbox o WHERE o.org = f.org AND o.endpoint = f.endpoint AND o.due <= ?1) END
FROM free f WHERE NOT EXISTS (SELECT 1 FROM lanes d WHERE d.org = f.org AND d.endpoint = f.endpoint AND d.disabled IS NOT NULL)`

	// freeSQL finds what may be leased of an endpoint: what an earlier delivery holds up is
	// passed over. It looks at a window only.
	freeSQL = `
SELECT w.n FROM (SELECT o.n, o.org, o.call, o.endpoint, o.until, o.due FROM outbox o WHERE o.org = ?1 AND o.endpoint = ?2 AND o.due <= ?3 ORDER BY o.due, o.n LIMIT ?4) AS w
WHERE (w.until IS NULL OR w.until <= ?3) AND (w.call = '' OR NOT EXISTS (
	SELECT 1 FROM outbox e WHERE e.org = w.org AND e.call = w.call AND e.endpoint = w.endpoint AND e.n < w.n AND (e.first IS NULL OR e.first > ?5)))
ORDER BY w.due, w.n LIMIT ?6`

	// putOffSQL has what fills the window of an endpoint, and cannot be taken, looked at later,
	// so that the next claim sees what is behind it.
	putOffSQL = `
UPDATE outbox SET due = ?3 + 1000000 WHERE (until IS NULL OR until <= ?3) AND n IN (SELECT n FROM outbox WHERE org = ?1 AND endpoint = ?2 AND due <= ?3 ORDER BY due, n LIMIT ?4)
AND (SELECT count(*) FROM (SELECT 1 FROM outbox WHERE org = ?1 AND endpoint = ?2 AND due <= ?3 ORDER BY due, n LIMIT ?4)) = ?4`

	claimedSQL = `
SELECT o.org, o.n, o.token, o.endpoint, o.message, o.call, o.type, m.time, m.body, o.created, o.due, o.tries, o.first, o.status, o.error, o.resent
FROM outbox o JOIN messages m ON m.org = o.org AND m.id = o.message WHERE o.n = ?`
)

// Claim writes nothing where nothing is due.
func (s *Store) Claim(ctx context.Context, c store.Claiming) (out store.Claimed, err error) {
	now := time.Now()
	lanes, err := s.due(ctx, now)
	if err != nil {
		return store.Claimed{}, err
	}
	shares, next := outbox.Shares(c, lanes)
	if len(shares) == 0 {
		return store.Claimed{Next: next}, nil
	}
	tx, err := s.begin(ctx)
	if err != nil {
		return store.Claimed{}, err
	}
	defer tx.end(&err)
	for _, l := range shares {
		taken, err := tx.lease(c, l, now)
		if err != nil {
			return store.Claimed{}, err
		}
		out.Deliveries = append(out.Deliveries, taken...)
	}
	slices.SortFunc(out.Deliveries, func(a, b store.Delivery) int { return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.N, b.N)) })
	out.Next, _ = outbox.Next(shares, out.Deliveries, next)
	return out, nil
}

// due lists the endpoints that something waits for.
func (s *Store) due(ctx context.Context, now time.Time) (lanes []outbox.Due, err error) {
	rows, err := s.read.QueryContext(ctx, dueSQL, now.UnixMicro())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var l outbox.Due
		var due time.Time
		var free, ends *time.Time
		if err := rows.Scan(&l.Lane.Org, &l.Lane.Endpoint, into(&due), momentOf(&free), momentOf(&ends)); err != nil {
			return nil, err
		}
		switch {
		case free != nil && ends != nil && ends.Before(*free):
			due = *ends
		case free != nil:
			due = *free
		case ends != nil:
			due = *ends
		}
		l.First = max(0, due.Sub(now))
		lanes = append(lanes, l)
	}
	return lanes, rows.Err()
}

// lease leases what may be taken of an endpoint.
func (tx *tx) lease(c store.Claiming, l outbox.Share, now time.Time) (taken []store.Delivery, err error) {
	org, endpoint, wide := l.Lane.Org, l.Lane.Endpoint, outbox.Window(l.Take)
	free, err := tx.numbers(freeSQL, org, endpoint, now.UnixMicro(), wide, now.Add(-store.Hold).UnixMicro(), l.Take)
	if err != nil {
		return nil, err
	}
	if len(free) == 0 {
		_, err := tx.exec(putOffSQL, org, endpoint, now.UnixMicro(), wide)
		return nil, err
	}
	for _, n := range free {
		if _, err := tx.exec("UPDATE outbox SET node = ?, token = token + 1, until = ? WHERE n = ?", c.Node, now.Add(c.Lease).UnixMicro(), n); err != nil {
			return nil, err
		}
		s, err := tx.prepare(claimedSQL)
		if err != nil {
			return nil, err
		}
		var d store.Delivery
		m := &d.Message
		if err := s.QueryRowContext(tx.ctx, n).Scan(&d.Org, &d.N, &d.Token, &d.Endpoint, &m.ID, &m.Call, &m.Type, into(&m.Time), &m.Body,
			into(&d.Created), into(&d.Due), &d.Tries, momentOf(&d.First), &d.Status, &d.Error, &d.Resent); err != nil {
			return nil, err
		}
		d.ID, m.Org, d.State = d.N, d.Org, store.Pending
		taken = append(taken, d)
	}
	return taken, nil
}

// Extend renews leases.
func (s *Store) Extend(ctx context.Context, node string, lease time.Duration, deliveries []store.Lease) (err error) {
	tx, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer tx.end(&err)
	for _, l := range deliveries {
		if _, err := tx.exec("UPDATE outbox SET until = ? WHERE n = ? AND org = ? AND token = ? AND node = ? AND until IS NOT NULL",
			time.Now().Add(lease).UnixMicro(), l.N, l.Org, l.Token, node); err != nil {
			return err
		}
	}
	return nil
}

// Forsake ends all leases of a node.
func (s *Store) Forsake(ctx context.Context, node string) error {
	_, err := s.write.ExecContext(ctx, "UPDATE outbox SET until = NULL WHERE node = ? AND until IS NOT NULL", node)
	return err
}
