package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// Whoever counts holds the rows of the totals of all targets concerned, taken in
// order, and then those of the slots: so transactions wait for each other, and never in
// a circle.
const (
	makeTotals = `INSERT INTO counts (org, target, period, since, n)
SELECT DISTINCT t.org, t.target, 'total', 'epoch'::timestamptz, 0 FROM unnest($1::text[], $2::text[]) AS t(org, target)
ORDER BY 1, 2 ON CONFLICT DO NOTHING`

	lockTotals = `SELECT FROM counts WHERE period = 'total' AND (org, target) IN (
	SELECT unnest($1::text[]), unnest($2::text[]) UNION SELECT org, target FROM slots WHERE call = ANY($3))
ORDER BY org, target FOR UPDATE`

	selectSlots = `SELECT call, org, leg, target, campaign, buyer, caller, switch, node,
	hour, day, month, counted, connected, freed, renewed FROM slots WHERE call = ANY($1)`

	lockSlots = selectSlots + ` ORDER BY call, org, leg FOR UPDATE`

	selectFigures = `SELECT
	(SELECT count(*) FROM slots s WHERE s.org = f.org AND s.target = f.target AND s.freed IS NULL),
	coalesce((SELECT n FROM counts c WHERE c.org = f.org AND c.target = f.target AND c.period = 'hour' AND c.since = f.hour), 0),
	coalesce((SELECT n FROM counts c WHERE c.org = f.org AND c.target = f.target AND c.period = 'day' AND c.since = f.day), 0),
	coalesce((SELECT n FROM counts c WHERE c.org = f.org AND c.target = f.target AND c.period = 'month' AND c.since = f.month), 0),
	coalesce((SELECT n FROM counts c WHERE c.org = f.org AND c.target = f.target AND c.period = 'total' AND c.since = 'epoch'), 0)
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[]) WITH ORDINALITY AS f(org, target, hour, day, month, i)
ORDER BY f.i`

	selectLast = `SELECT (SELECT max(s.connected) FROM slots s WHERE s.org = f.org AND s.caller = f.caller AND s.connected IS NOT NULL
	AND CASE f.scope WHEN 'target' THEN s.target WHEN 'buyer' THEN s.buyer ELSE s.campaign END = f.name)
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS f(org, caller, scope, name, i) ORDER BY f.i`

	upsertSlots = `INSERT INTO slots SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
	$10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::boolean[], $14::timestamptz[], $15::timestamptz[], $16::timestamptz[])
ORDER BY 1, 2, 3 ON CONFLICT (call, org, leg) DO UPDATE SET target = excluded.target, campaign = excluded.campaign, buyer = excluded.buyer, caller = excluded.caller,
	switch = excluded.switch, node = excluded.node, hour = excluded.hour, day = excluded.day, month = excluded.month,
	counted = excluded.counted, connected = excluded.connected, freed = excluded.freed, renewed = excluded.renewed`

	addCounts = `INSERT INTO counts SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[])
ORDER BY 1, 2, 3, 4 ON CONFLICT (org, target, period, since) DO UPDATE SET n = counts.n + excluded.n`
)

// Usage returns what is taken of the targets of claims.
func (s *Store) Usage(ctx context.Context, claims []call.Claim) ([]call.Usage, error) {
	if len(claims) == 0 {
		return nil, nil
	}
	r := newReading(claims)
	r.slots(selectSlots)
	r.figures()
	if err := s.pool.SendBatch(ctx, &r.batch).Close(); err != nil {
		return nil, err
	}
	out := make([]call.Usage, len(claims))
	for i := range claims {
		out[i] = r.ledger.Usage(&claims[i], r.last[i])
	}
	return out, nil
}

// Reserve takes a slot for each claim that has room: in four round trips, however many
// claims there are.
func (s *Store) Reserve(ctx context.Context, claims []call.Claim) (out []store.Reservation, err error) {
	if len(claims) == 0 {
		return nil, nil
	}
	err = s.count(ctx, claims, true, func(l *store.Ledger, last []time.Time) {
		out = make([]store.Reservation, len(claims))
		for i := range claims {
			out[i] = l.Reserve(&claims[i], last[i])
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Post enters what became of legs.
func (s *Store) Post(ctx context.Context, entries []store.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	claims := make([]call.Claim, len(entries))
	for i, e := range entries {
		claims[i] = e.Claim
	}
	return s.count(ctx, claims, false, func(l *store.Ledger, _ []time.Time) {
		for _, e := range entries {
			l.Post(e)
		}
	})
}

// count lets decide change the slots of claims, in one transaction.
func (s *Store) count(ctx context.Context, claims []call.Claim, figures bool, decide func(l *store.Ledger, last []time.Time)) error {
	return pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		r := newReading(claims)
		r.lock()
		r.slots(lockSlots)
		if figures {
			r.figures()
		}
		if err := tx.SendBatch(ctx, &r.batch).Close(); err != nil {
			return err
		}
		decide(r.ledger, r.last)
		b := changes(r.ledger)
		if b.Len() == 0 {
			return nil
		}
		return tx.SendBatch(ctx, b).Close()
	})
}

// reading is a batch of questions that fills a ledger.
type reading struct {
	claims []call.Claim
	calls  []string
	batch  pgx.Batch
	ledger *store.Ledger
	last   []time.Time // by claim
}

func newReading(claims []call.Claim) *reading {
	r := &reading{claims: claims, last: make([]time.Time, len(claims)), ledger: store.NewLedger(time.Time{})}
	seen := make(map[string]bool, len(claims))
	for _, c := range claims {
		if !seen[c.Call] {
			seen[c.Call] = true
			r.calls = append(r.calls, c.Call)
		}
	}
	return r
}

// lock takes the locks on the targets, and the time that they are had at.
func (r *reading) lock() {
	var orgs, targets []string
	for _, c := range r.claims {
		if c.Target != "" { // not the claim of a call that is gone
			orgs, targets = append(orgs, c.Org), append(targets, c.Target)
		}
	}
	r.batch.Queue(makeTotals, orgs, targets)
	r.batch.Queue(lockTotals, orgs, targets, r.calls)
	r.batch.Queue(`SELECT clock_timestamp()`).QueryRow(func(row pgx.Row) error {
		var now time.Time
		err := row.Scan(&now)
		r.ledger = store.NewLedger(now)
		return err
	})
}

func (r *reading) slots(query string) {
	r.batch.Queue(query, r.calls).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var x store.Slot
			var connected, freed *time.Time
			c := &x.Claim
			if err := rows.Scan(&c.Call, &c.Org, &c.Leg, &c.Target, &c.Campaign, &c.Buyer, &c.Caller, &c.Switch, &c.Node,
				&x.Hour, &x.Day, &x.Month, &x.Counted, &connected, &freed, &x.Renewed); err != nil {
				return err
			}
			x.Hour, x.Day, x.Month, x.Connected, x.Freed = x.Hour.UTC(), x.Day.UTC(), x.Month.UTC(), utc(connected), utc(freed)
			r.ledger.AddSlot(x)
		}
		return rows.Err()
	})
}

func (r *reading) figures() {
	var orgs, targets []string
	var hours, days, months []time.Time
	var figures []store.Figure
	seen := map[store.Figure]bool{}
	var lastOrgs, callers, scopes, names []string
	var asked []int
	for i := range r.claims {
		c := &r.claims[i]
		if f := store.FigureOf(c); !seen[f] {
			seen[f] = true
			figures = append(figures, f)
			orgs, targets = append(orgs, f.Org), append(targets, f.Target)
			hours, days, months = append(hours, f.Hour), append(days, f.Day), append(months, f.Month)
		}
		if name := c.With(c.Limits.Of); c.Limits.Within > 0 && c.Caller != "" && name != "" {
			asked = append(asked, i)
			lastOrgs, callers, scopes, names = append(lastOrgs, c.Org), append(callers, c.Caller), append(scopes, string(c.Limits.Of)), append(names, name)
		}
	}
	r.batch.Queue(selectFigures, orgs, targets, hours, days, months).Query(func(rows pgx.Rows) error {
		for _, f := range figures {
			if !rows.Next() {
				break
			}
			var u call.Usage
			if err := rows.Scan(&u.Concurrency, &u.Hour, &u.Day, &u.Month, &u.Total); err != nil {
				return err
			}
			r.ledger.AddFigure(f, u)
		}
		rows.Close()
		return rows.Err()
	})
	if len(asked) == 0 {
		return
	}
	r.batch.Queue(selectLast, lastOrgs, callers, scopes, names).Query(func(rows pgx.Rows) error {
		for _, i := range asked {
			if !rows.Next() {
				break
			}
			var last *time.Time
			if err := rows.Scan(&last); err != nil {
				return err
			}
			r.last[i] = utc(last)
		}
		rows.Close()
		return rows.Err()
	})
}

// changes returns the statements that write what a ledger has changed.
func changes(l *store.Ledger) *pgx.Batch {
	var text [9][]string
	var hours, days, months, renewed []time.Time
	var connected, freed []*time.Time
	var counted []bool
	for _, s := range l.Changed() {
		c := &s.Claim
		for i, v := range [...]string{c.Call, c.Org, c.Leg, c.Target, c.Campaign, c.Buyer, c.Caller, c.Switch, c.Node} {
			text[i] = append(text[i], v)
		}
		hours, days, months, renewed = append(hours, s.Hour), append(days, s.Day), append(months, s.Month), append(renewed, s.Renewed)
		counted, connected, freed = append(counted, s.Counted), append(connected, null(s.Connected)), append(freed, null(s.Freed))
	}
	b := new(pgx.Batch)
	if len(renewed) > 0 {
		b.Queue(upsertSlots, text[0], text[1], text[2], text[3], text[4], text[5], text[6], text[7], text[8],
			hours, days, months, counted, connected, freed, renewed)
	}
	var orgs, targets, periods []string
	var since []time.Time
	var added []int
	for at, n := range l.Counts() {
		if n != 0 {
			orgs, targets, periods = append(orgs, at.Org), append(targets, at.Target), append(periods, string(at.Period))
			since, added = append(since, at.Since), append(added, n)
		}
	}
	if len(added) > 0 {
		b.Queue(addCounts, orgs, targets, periods, since, added)
	}
	return b
}

// Slots lists slots in use that were not renewed for a time.
func (s *Store) Slots(ctx context.Context, q store.IdleQuery) ([]store.Idle, error) {
	rows, err := s.pool.Query(ctx, `SELECT call, org, leg, target, campaign, buyer, caller, switch, node, extract(epoch FROM clock_timestamp() - renewed)::float8
FROM slots WHERE freed IS NULL AND renewed <= clock_timestamp() - $1::float8 * interval '1 second'
AND (switch = ANY($2::text[]) OR renewed < clock_timestamp() - $3::float8 * interval '1 second') ORDER BY renewed LIMIT $4`,
		q.For.Seconds(), q.Switches, q.Forgotten.Seconds(), q.Limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (x store.Idle, err error) {
		var seconds float64
		c := &x.Claim
		err = row.Scan(&c.Call, &c.Org, &c.Leg, &c.Target, &c.Campaign, &c.Buyer, &c.Caller, &c.Switch, &c.Node, &seconds)
		x.For = time.Duration(seconds * float64(time.Second))
		return x, err
	})
}

// Turns counts how often keys were asked for.
func (s *Store) Turns(ctx context.Context, keys []store.TurnKey) ([]uint64, error) {
	times := map[store.TurnKey]uint64{}
	for _, k := range keys {
		times[k]++
	}
	var orgs, names []string
	var n []int64
	for k, m := range times {
		orgs, names, n = append(orgs, k.Org), append(names, k.Key), append(n, int64(m))
	}
	rows, err := s.pool.Query(ctx, `INSERT INTO turns SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[]) ORDER BY 1, 2
ON CONFLICT (org, key) DO UPDATE SET n = turns.n + excluded.n RETURNING org, key, n`, orgs, names, n)
	if err != nil {
		return nil, err
	}
	var k store.TurnKey
	var after int64
	next := map[store.TurnKey]uint64{}
	if _, err := pgx.ForEachRow(rows, []any{&k.Org, &k.Key, &after}, func() error {
		next[k] = uint64(after) - times[k]
		return nil
	}); err != nil {
		return nil, err
	}
	out := make([]uint64, len(keys))
	for i, k := range keys {
		out[i] = next[k]
		next[k]++
	}
	return out, nil
}

// Beat notes that a node lives, and lists those that do.
func (s *Store) Beat(ctx context.Context, node string) (nodes []store.Node, err error) {
	b := new(pgx.Batch)
	b.Queue(`INSERT INTO nodes VALUES ($1, clock_timestamp()) ON CONFLICT (node) DO UPDATE SET seen = excluded.seen`, node)
	b.Queue(`SELECT node, extract(epoch FROM clock_timestamp() - seen)::float8 FROM nodes WHERE seen > clock_timestamp() - interval '1 minute' ORDER BY node`).Query(func(rows pgx.Rows) error {
		var name string
		var ago float64
		_, err := pgx.ForEachRow(rows, []any{&name, &ago}, func() error {
			nodes = append(nodes, store.Node{Name: name, Seen: max(0, time.Duration(ago*float64(time.Second)))})
			return nil
		})
		return err
	})
	if err := s.pool.SendBatch(ctx, b).Close(); err != nil {
		return nil, err
	}
	return nodes, nil
}

// PruneShared removes what nobody asks about any more.
func (s *Store) PruneShared(ctx context.Context, keep time.Duration) error {
	b := new(pgx.Batch)
	b.Queue(`DELETE FROM slots WHERE freed < now() - interval '1 day' AND connected IS NULL`)
	b.Queue(`DELETE FROM slots WHERE freed < now() - interval '1 day' AND connected < now() - $1::float8 * interval '1 second'`, keep.Seconds())
	b.Queue(`DELETE FROM counts WHERE period IN ('hour', 'day') AND since < now() - interval '3 days' OR period = 'month' AND since < now() - interval '40 days'`)
	b.Queue(`DELETE FROM nodes WHERE seen < now() - interval '1 day'`)
	if err := s.pool.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("shared figures: %w", err)
	}
	return nil
}

func utc(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

func null(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
