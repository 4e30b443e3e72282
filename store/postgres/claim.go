package postgres

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/outbox"
)

// dueSQL lists the endpoints that something waits for, one step in the index each: when
// the first delivery is due that nobody has leased, or a lease ends.
const dueSQL = `
WITH RECURSIVE lane AS (
	(SELECT org, endpoint, due, until FROM outbox ORDER BY org, endpoint, due, n LIMIT 1)
	UNION ALL
	SELECT l.* FROM lane CROSS JOIN LATERAL (SELECT o.org, o.endpoint, o.due, o.until FROM outbox o WHERE (o.org, o.endpoint) > (lane.org, lane.endpoint)
		ORDER BY o.org, o.endpoint, o.due, o.n LIMIT 1) AS l)
SELECT lane.org, lane.endpoint, extract(epoch FROM coalesce(least(free.due, ends.until), lane.due) - now())::float8 FROM lane
LEFT JOIN LATERAL (SELECT o.due FROM outbox o WHERE lane.until IS NOT NULL AND o.org = lane.org AND o.endpoint = lane.endpoint
	AND (o.until IS NULL OR o.until <= now()) ORDER BY o.due, o.n LIMIT 1) AS free ON true
LEFT JOIN LATERAL (SELECT min(o.until) AS until FROM outbox o WHERE lane.until IS NOT NULL AND (free.due IS NULL OR free.due > now())
	AND o.org = lane.org AND o.endpoint = lane.endpoint AND o.due <= now()) AS ends ON true
WHERE (lane.org, lane.endpoint) NOT IN (SELECT d.org, d.endpoint FROM lanes d WHERE d.disabled IS NOT NULL)`

// claimSQL leases what is due of each endpoint, in the order of the calls: what an earlier
// delivery holds up is passed over. It looks at a window only; what another claim leases at
// this moment is left to it.
//
// Here and where attempts end, what is known of the outbox is out of date at any time: it
// grows and shrinks too fast. So each part can be found by one index alone: a column that
// something is added to, even nothing, is in none.
const claimSQL = `
WITH free AS MATERIALIZED (
	SELECT c.place FROM unnest($1::text[], $2::text[], $3::int[], $4::int[]) AS lane (org, endpoint, take, wide)
	CROSS JOIN LATERAL (
		SELECT w.place FROM (
			SELECT o.ctid AS place, o.org, o.n, o.call, o.endpoint, o.until, o.due FROM outbox o WHERE o.org = lane.org AND o.endpoint = lane.endpoint AND o.due <= now()
			ORDER BY o.due, o.n LIMIT lane.wide) AS w
		WHERE (w.until IS NULL OR w.until <= clock_timestamp()) AND (w.call = '' OR NOT EXISTS (
			SELECT FROM outbox e WHERE e.call = w.call AND e.endpoint = w.endpoint AND e.n + 0 < w.n AND e.org || '' = w.org
			AND (e.first IS NULL OR e.first > clock_timestamp() - $5::float8 * interval '1 second')))
		ORDER BY w.due, w.n LIMIT lane.take) AS c),
mine AS MATERIALIZED (
	SELECT o.ctid AS place FROM free JOIN outbox o ON o.ctid = free.place
	WHERE o.until IS NULL OR o.until <= clock_timestamp() FOR UPDATE OF o SKIP LOCKED),
leased AS (
	UPDATE outbox o SET node = $6, token = o.token + 1, until = clock_timestamp() + $7::float8 * interval '1 second'
	FROM mine WHERE o.ctid = mine.place
	RETURNING o.org, o.n, o.token, o.endpoint, o.message, o.call, o.type, o.created, o.due, o.tries, o.first, o.status, o.error, o.resent)
SELECT o.org, o.n, o.token, o.endpoint, o.message, o.call, o.type, m.time, m.body, o.created, o.due, o.tries, o.first, o.status, o.error, o.resent
FROM leased o JOIN messages m ON m.org = o.org AND m.id = o.message`

// putOffSQL has what fills the window of endpoints, and cannot be taken, looked at later,
// so that the next claim sees what is behind it.
const putOffSQL = `
UPDATE outbox o SET due = clock_timestamp() + interval '1 second' FROM (
	SELECT w.place, count(*) OVER (PARTITION BY lane.org, lane.endpoint) AS n_seen, lane.wide
	FROM unnest($1::text[], $2::text[], $3::int[]) AS lane (org, endpoint, wide)
	CROSS JOIN LATERAL (SELECT o.ctid AS place FROM outbox o WHERE o.org = lane.org AND o.endpoint = lane.endpoint AND o.due <= now()
		ORDER BY o.due, o.n LIMIT lane.wide) AS w) AS w
WHERE w.n_seen = w.wide AND o.ctid = w.place AND (o.until IS NULL OR o.until <= clock_timestamp())`

// Claim asks once where nothing is due.
func (s *Store) Claim(ctx context.Context, c store.Claiming) (store.Claimed, error) {
	lanes, err := s.due(ctx)
	if err != nil {
		return store.Claimed{}, err
	}
	shares, next := outbox.Shares(c, lanes)
	if len(shares) == 0 {
		return store.Claimed{Next: next}, nil
	}
	var orgs, endpoints []string
	var takes, windows []int
	for _, l := range shares {
		orgs, endpoints = append(orgs, l.Lane.Org), append(endpoints, l.Lane.Endpoint)
		takes, windows = append(takes, l.Take), append(windows, outbox.Window(l.Take))
	}
	var out store.Claimed
	b := byIndex()
	b.Queue(claimSQL, orgs, endpoints, takes, windows, store.Hold.Seconds(), c.Node, c.Lease.Seconds()).Query(func(rows pgx.Rows) error {
		out.Deliveries, err = pgx.CollectRows(rows, scanClaimed)
		return err
	})
	b.Queue("COMMIT")
	if err := s.inTx(ctx, func(conn *pgx.Conn) error { return conn.SendBatch(ctx, b).Close() }); err != nil {
		return store.Claimed{}, err
	}
	slices.SortFunc(out.Deliveries, func(a, b store.Delivery) int { return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.N, b.N)) })
	var none []store.LaneName
	out.Next, none = outbox.Next(shares, out.Deliveries, next)
	if err := s.putOff(ctx, shares, none); err != nil && len(out.Deliveries) == 0 {
		return store.Claimed{}, err
	}
	return out, nil // what is leased is sent: what could not be put off is so by another claim
}

// byIndex begins a transaction in which rows are found by an index, see claimSQL; so a plan
// is good for ever.
func byIndex() *pgx.Batch {
	b := new(pgx.Batch)
	b.Queue("BEGIN")
	b.Queue("SET LOCAL plan_cache_mode = force_generic_plan")
	b.Queue("SET LOCAL enable_seqscan = off")
	b.Queue("SET LOCAL enable_bitmapscan = off")
	b.Queue("SET LOCAL enable_sort = off")
	b.Queue("SET LOCAL enable_hashjoin = off")
	b.Queue("SET LOCAL enable_mergejoin = off")
	return b
}

func (s *Store) due(ctx context.Context) (lanes []outbox.Due, err error) {
	b := byIndex()
	b.Queue(dueSQL).Query(func(rows pgx.Rows) error {
		lanes, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (l outbox.Due, err error) {
			var first float64
			err = row.Scan(&l.Lane.Org, &l.Lane.Endpoint, &first)
			l.First = time.Duration(max(0, min(first, 1e9)) * float64(time.Second))
			return l, err
		})
		return err
	})
	b.Queue("COMMIT")
	return lanes, s.inTx(ctx, func(conn *pgx.Conn) error { return conn.SendBatch(ctx, b).Close() })
}

// putOff looks at endpoints of which nothing could be taken although something is due.
func (s *Store) putOff(ctx context.Context, shares []outbox.Share, none []store.LaneName) error {
	if len(none) == 0 {
		return nil
	}
	var orgs, endpoints []string
	var windows []int
	for _, l := range shares {
		if slices.Contains(none, l.Lane) {
			orgs, endpoints, windows = append(orgs, l.Lane.Org), append(endpoints, l.Lane.Endpoint), append(windows, outbox.Window(l.Take))
		}
	}
	b := byIndex()
	b.Queue(putOffSQL, orgs, endpoints, windows)
	b.Queue("COMMIT")
	return s.inTx(ctx, func(conn *pgx.Conn) error { return conn.SendBatch(ctx, b).Close() })
}

func scanClaimed(row pgx.CollectableRow) (d store.Delivery, err error) {
	m := &d.Message
	err = row.Scan(&d.Org, &d.N, &d.Token, &d.Endpoint, &m.ID, &m.Call, &m.Type, &m.Time, &m.Body, &d.Created, &d.Due, &d.Tries, &d.First, &d.Status, &d.Error, &d.Resent)
	d.ID, m.Org, d.State = d.N, d.Org, store.Pending
	inUTC(&m.Time, &d.Created, &d.Due, d.First)
	return d, err
}

// Extend renews leases.
func (s *Store) Extend(ctx context.Context, node string, lease time.Duration, deliveries []store.Lease) error {
	orgs, numbers, tokens := leases(deliveries)
	_, err := s.pool.Exec(ctx, `UPDATE outbox o SET until = clock_timestamp() + $1::float8 * interval '1 second'
		FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS l (org, n, token) WHERE o.n = l.n AND o.org || '' = l.org AND o.token = l.token AND o.node = $5 AND o.until IS NOT NULL`,
		lease.Seconds(), orgs, numbers, tokens, node)
	return err
}

func leases(list []store.Lease) (orgs []string, numbers, tokens []int64) {
	for _, l := range list {
		orgs, numbers, tokens = append(orgs, l.Org), append(numbers, l.N), append(tokens, l.Token)
	}
	return orgs, numbers, tokens
}

// Forsake ends all leases of a node.
func (s *Store) Forsake(ctx context.Context, node string) error {
	_, err := s.pool.Exec(ctx, "UPDATE outbox SET until = NULL WHERE node = $1 AND until IS NOT NULL", node)
	return err
}
