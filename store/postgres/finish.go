package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/calllog"
	"github.com/hookswitch/hookswitch/store/outbox"
)

const (
	attemptsSQL = `
INSERT INTO attempts (org, delivery, token, at, try, node, took_ns, request, response, error, state, due)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::int[], $6::text[], $7::bigint[], $8::bytea[], $9::bytea[], $10::text[], $11::text[], $12::timestamptz[])
ON CONFLICT DO NOTHING`

	// The delivery that waits for one is due when that is done. It is found by its call, see
	// claimSQL.
	doneSQL = `
WITH gone AS (
	DELETE FROM outbox o USING unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::int[], $6::timestamptz[], $7::int[], $8::text[]) AS a (org, n, token, state, try, at, status, error)
	WHERE o.n = a.n AND o.org || '' = a.org AND o.token = a.token
	RETURNING o.org, o.n, o.endpoint, o.message, o.call, o.type, o.resent, o.created, o.first, o.tries, a.state, a.try, a.at, a.status, a.error),
kept AS (
	INSERT INTO deliveries (org, n, endpoint, message, call, type, resent, created, state, tries, first, status, error, done)
	SELECT org, n, endpoint, message, call, type, resent, created, state, greatest(tries, try), coalesce(first, at), status, error, clock_timestamp() FROM gone),
freed AS (
	UPDATE outbox f SET due = clock_timestamp() FROM gone g CROSS JOIN LATERAL (
		SELECT x.n FROM outbox x WHERE x.call = g.call AND x.endpoint = g.endpoint AND x.n + 0 > g.n AND x.org || '' = g.org AND x.first IS NULL AND x.until IS NULL
		ORDER BY x.n LIMIT 1) AS next
	WHERE g.call <> '' AND f.n = next.n AND f.due > clock_timestamp())
SELECT org, n FROM gone`

	// What an earlier delivery holds up is due when it does so no longer.
	againSQL = `
WITH tried AS (
	UPDATE outbox o SET due = a.due, until = NULL, node = '', tries = a.try, first = coalesce(o.first, a.at), status = a.status, error = a.error
	FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::int[], $5::timestamptz[], $6::int[], $7::text[], $8::timestamptz[]) AS a (org, n, token, try, at, status, error, due)
	WHERE o.n = a.n AND o.org || '' = a.org AND o.token = a.token
	RETURNING o.org, o.n, o.call, o.endpoint, o.first + $9::float8 * interval '1 second' AS held),
later AS (
	UPDATE outbox f SET due = greatest(t.held, clock_timestamp()) FROM tried t
	WHERE t.call <> '' AND f.call = t.call AND f.endpoint = t.endpoint AND f.n + 0 > t.n AND f.org || '' = t.org AND f.first IS NULL AND f.until IS NULL
	AND (f.due < t.held AND t.held > clock_timestamp() OR f.due > clock_timestamp() AND t.held <= clock_timestamp()))
SELECT org, n FROM tried`
)

// Finish takes one round trip, but for the first attempts of a day.
func (s *Store) Finish(ctx context.Context, attempts []store.Attempt) (stale []int64, err error) {
	if len(attempts) == 0 {
		return nil, nil
	}
	type row struct {
		org string
		n   int64
	}
	var entered map[row]bool
	once := func() error {
		if err := s.makeDays(ctx, attempts); err != nil {
			return err
		}
		entered = make(map[row]bool, len(attempts))
		b := finish(attempts, func(rows pgx.Rows) error {
			var r row
			_, err := pgx.ForEachRow(rows, []any{&r.org, &r.n}, func() error {
				entered[r] = true
				return nil
			})
			return err
		})
		return s.inTx(ctx, func(conn *pgx.Conn) error { return conn.SendBatch(ctx, b).Close() })
	}
	err = once()
	for range 3 {
		switch {
		case isCode(err, "40P01"): // two nodes ended deliveries of the same calls
			err = once()
		case isCode(err, "23514"): // the day was removed
			s.days.Clear()
			err = once()
		}
	}
	if err != nil {
		return nil, err
	}
	for i := range attempts {
		if a := &attempts[i]; !entered[row{a.Org, a.N}] {
			stale = append(stale, a.N)
		}
	}
	return stale, nil
}

// finish returns what enters attempts; of those that count, entered is told.
func finish(attempts []store.Attempt, entered func(pgx.Rows) error) *pgx.Batch {
	b := byIndex()
	var all, done, again columns
	for i := range attempts {
		a := &attempts[i]
		if a.Try > 0 { // else it was dropped without one
			all.add(a)
		}
		if a.State == store.Pending {
			again.add(a)
		} else {
			done.add(a)
		}
	}
	if c := &all; len(c.orgs) > 0 {
		b.Queue(attemptsSQL, c.orgs, c.numbers, c.tokens, c.at, c.tries, c.nodes, c.took, c.requests, c.responses, c.errors, c.states, c.due)
	}
	if c := &done; len(c.orgs) > 0 {
		b.Queue(doneSQL, c.orgs, c.numbers, c.tokens, c.states, c.tries, c.first, c.statuses, c.errors).Query(entered)
	}
	if c := &again; len(c.orgs) > 0 {
		b.Queue(againSQL, c.orgs, c.numbers, c.tokens, c.tries, c.at, c.statuses, c.errors, c.due, store.Hold.Seconds()).Query(entered)
	}
	var worked, failed lanes
	for _, h := range outbox.Healths(attempts) {
		if h.Worked {
			worked.add(h)
		} else {
			failed.add(h)
		}
	}
	if len(worked.orgs) > 0 {
		b.Queue(`UPDATE lanes l SET failing = w.failing FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS w (org, endpoint, failing)
			WHERE l.org = w.org AND l.endpoint = w.endpoint AND l.failing IS DISTINCT FROM w.failing`, worked.orgs, worked.endpoints, worked.failing)
	}
	for _, h := range []*lanes{&worked, &failed} {
		if h.fail {
			b.Queue(`INSERT INTO lanes (org, endpoint, failing) SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS f (org, endpoint, failing) WHERE failing IS NOT NULL
				ON CONFLICT (org, endpoint) DO UPDATE SET failing = excluded.failing WHERE lanes.failing IS NULL`, h.orgs, h.endpoints, h.failing)
		}
	}
	b.Queue("COMMIT")
	return b
}

// lanes are endpoints, a column an array.
type lanes struct {
	orgs, endpoints []string
	failing         []*time.Time
	fail            bool
}

func (l *lanes) add(h outbox.Health) {
	l.orgs, l.endpoints, l.failing = append(l.orgs, h.Lane.Org), append(l.endpoints, h.Lane.Endpoint), append(l.failing, h.Failing)
	l.fail = l.fail || h.Failing != nil
}

// columns are attempts, a column an array.
type columns struct {
	orgs, nodes, errors, states []string
	numbers, tokens, took       []int64
	tries, statuses             []int
	at                          []time.Time
	first, due                  []*time.Time // null: dropped without an attempt; it was the last
	requests, responses         [][]byte
}

func (c *columns) add(a *store.Attempt) {
	c.orgs, c.numbers, c.tokens = append(c.orgs, a.Org), append(c.numbers, a.N), append(c.tokens, a.Token)
	c.nodes, c.errors, c.states = append(c.nodes, a.Node), append(c.errors, calllog.Text(a.Error)), append(c.states, string(a.State))
	c.took, c.tries, c.statuses, c.at = append(c.took, int64(a.Took)), append(c.tries, a.Try), append(c.statuses, a.Response.Status), append(c.at, a.At)
	c.requests, c.responses = append(c.requests, outbox.Exchange(a.Request)), append(c.responses, outbox.Exchange(a.Response))
	var first, due *time.Time
	if a.Try > 0 {
		first = &a.At
	}
	if a.State == store.Pending {
		due = &a.Due
	}
	c.first, c.due = append(c.first, first), append(c.due, due)
}

// attemptsOf is what the names of partitions begin with.
const attemptsOf = "attempts_"

// day is the name of the partition of a moment, and where it begins.
func day(at time.Time) (string, time.Time) {
	at = at.UTC().Truncate(24 * time.Hour)
	return attemptsOf + at.Format("20060102"), at
}

// makeDays makes the partitions that attempts belong to, unless this was done before.
func (s *Store) makeDays(ctx context.Context, attempts []store.Attempt) error {
	for i := range attempts {
		name, from := day(attempts[i].At)
		if _, made := s.days.Load(name); made {
			continue
		}
		// One node at a time: it waits for whoever uses the table.
		if err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('hookswitch attempts'))"); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s PARTITION OF attempts FOR VALUES FROM ('%s') TO ('%s')",
				name, from.Format(time.RFC3339), from.AddDate(0, 0, 1).Format(time.RFC3339)))
			return err
		}); err != nil {
			return err
		}
		s.days.Store(name, true)
	}
	return nil
}
