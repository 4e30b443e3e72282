package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/calllog"
)

// Lanes counts what waits for each endpoint, up to a bound.
func (s *Store) Lanes(ctx context.Context, org string) ([]store.Lane, error) {
	rows, err := s.pool.Query(ctx, `
WITH RECURSIVE waits AS (
	(SELECT org, endpoint FROM outbox WHERE $1 = '' OR org = $1 ORDER BY org, endpoint LIMIT 1)
	UNION ALL
	SELECT l.* FROM waits CROSS JOIN LATERAL (SELECT o.org, o.endpoint FROM outbox o WHERE (o.org, o.endpoint) > (waits.org, waits.endpoint) AND ($1 = '' OR o.org = $1)
		ORDER BY o.org, o.endpoint LIMIT 1) AS l),
named AS (SELECT org, endpoint FROM waits UNION SELECT org, endpoint FROM lanes WHERE ($1 = '' OR org = $1) AND (failing IS NOT NULL OR disabled IS NOT NULL))
SELECT n.org, n.endpoint, p.pending, p.oldest, l.failing, l.disabled, coalesce(l.why, '') FROM named n LEFT JOIN lanes l USING (org, endpoint)
CROSS JOIN LATERAL (SELECT count(*) AS pending, min(created) AS oldest FROM (
	SELECT o.created FROM outbox o WHERE o.org = n.org AND o.endpoint = n.endpoint ORDER BY o.due, o.n LIMIT 10000) AS o) AS p
ORDER BY n.org, n.endpoint`, calllog.Name(org))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (l store.Lane, err error) {
		err = row.Scan(&l.Org, &l.Endpoint, &l.Pending, &l.Oldest, &l.Failing, &l.Disabled, &l.Why)
		inUTC(l.Oldest, l.Failing, l.Disabled)
		return l, err
	})
}

// Disable has an endpoint sent nothing more.
func (s *Store) Disable(ctx context.Context, org, endpoint, why string) (bool, error) {
	done, err := s.pool.Exec(ctx, `INSERT INTO lanes (org, endpoint, disabled, why) VALUES ($1, $2, clock_timestamp(), $3)
		ON CONFLICT (org, endpoint) DO UPDATE SET disabled = excluded.disabled, why = excluded.why WHERE lanes.disabled IS NULL`,
		calllog.Name(org), calllog.Name(endpoint), calllog.Text(why))
	return done.RowsAffected() > 0, err
}

// enabledAtOnce bounds a transaction of Enable.
const enabledAtOnce = 10_000

// Enable makes what waits due now.
func (s *Store) Enable(ctx context.Context, org, endpoint string) error {
	org, endpoint = calllog.Name(org), calllog.Name(endpoint)
	if _, err := s.pool.Exec(ctx, "UPDATE lanes SET failing = NULL, disabled = NULL, why = '' WHERE org = $1 AND endpoint = $2", org, endpoint); err != nil {
		return err
	}
	for {
		done, err := s.pool.Exec(ctx, `UPDATE outbox SET due = now() WHERE org = $1 AND n = ANY (ARRAY(
			SELECT n FROM outbox WHERE org = $1 AND endpoint = $2 AND due > now() ORDER BY due, n LIMIT $3 FOR UPDATE SKIP LOCKED))`, org, endpoint, enabledAtOnce)
		if err != nil || done.RowsAffected() < enabledAtOnce {
			return err
		}
	}
}

// prunedOfOutbox bounds a transaction of PruneOutbox.
const prunedOfOutbox = 20_000

// PruneOutbox removes what is old; attempts by whole days.
func (s *Store) PruneOutbox(ctx context.Context, before time.Time) error {
	if err := s.dropDays(ctx, before); err != nil {
		return err
	}
	for _, sql := range []string{
		`DELETE FROM outbox WHERE ctid = ANY (ARRAY(SELECT o.ctid FROM lanes l JOIN outbox o ON o.org = l.org AND o.endpoint = l.endpoint
			WHERE l.disabled IS NOT NULL AND o.created < $1 LIMIT $2))`,
		`DELETE FROM deliveries WHERE ctid = ANY (ARRAY(SELECT ctid FROM deliveries WHERE done < $1 LIMIT $2))`,
		`DELETE FROM messages WHERE ctid = ANY (ARRAY(SELECT m.ctid FROM messages m WHERE m.time < $1
			AND NOT EXISTS (SELECT FROM outbox o WHERE o.org = m.org AND o.call = m.call AND o.message = m.id)
			AND NOT EXISTS (SELECT FROM deliveries d WHERE d.org = m.org AND d.call = m.call AND d.message = m.id) LIMIT $2))`,
	} {
		for {
			done, err := s.pool.Exec(ctx, sql, before, prunedOfOutbox)
			if err != nil {
				return err
			}
			if done.RowsAffected() < prunedOfOutbox {
				break
			}
		}
	}
	return nil
}

// dropDays drops the partitions of attempts that end before a moment.
func (s *Store) dropDays(ctx context.Context, before time.Time) error {
	rows, err := s.pool.Query(ctx, "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'attempts'::regclass ORDER BY 1")
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	last, _ := day(before)
	for _, name := range names {
		if strings.HasPrefix(name, attemptsOf) && name < last {
			s.days.Delete(name)
			if _, err := s.pool.Exec(ctx, fmt.Sprintf("DROP TABLE IF EXISTS %s", pgx.Identifier{name}.Sanitize())); err != nil {
				return err
			}
		}
	}
	return nil
}
