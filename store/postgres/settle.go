package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/calllog"
)

// settle queues what closes the gaps of calls that can be closed, and makes those calls
// complete that ended and wait for nothing more.
func settle(out *pgx.Batch, orgs []string, calls []int64) (complete *pgx.QueuedQuery) {
	out.Queue(`DELETE FROM gaps g USING unnest($1::text[], $2::bigint[]) AS k (org, call), calls c
		WHERE g.org = k.org AND g.call = k.call AND c.org = g.org AND c.n = g.call AND `+calllog.Closed, orgs, calls)
	return out.Queue(`UPDATE calls c SET state = 'complete', waits = NULL FROM unnest($1::text[], $2::bigint[]) AS k (org, call)
		WHERE c.org = k.org AND c.n = k.call AND c.state IN ('settling', 'incomplete')
		AND NOT EXISTS (SELECT FROM gaps g WHERE g.org = c.org AND g.call = c.n) RETURNING c.org, c.n, c.id`, orgs, calls)
}

// Settle looks at a bounded number of calls; the rest come with the next.
func (s *Store) Settle(ctx context.Context, now time.Time, patience time.Duration) (complete, incomplete int, err error) {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback(ctx))
		}
	}()
	// Calls that somebody else writes at this moment are left to him.
	rows, err := tx.Query(ctx, `SELECT c.org, c.n FROM calls c WHERE (c.org, c.n) IN (
		SELECT g.org, g.call FROM journals j JOIN gaps g ON g.node = j.node AND g.since >= j.since AND (g.since <= j.until OR j.closed)
		JOIN calls c ON c.org = g.org AND c.n = g.call WHERE `+calllog.Closed+` LIMIT $1) FOR UPDATE OF c SKIP LOCKED`, settleAtOnce)
	if err != nil {
		return 0, 0, err
	}
	var orgs []string
	var calls []int64
	var org string
	var n int64
	if _, err := pgx.ForEachRow(rows, []any{&org, &n}, func() error {
		orgs, calls = append(orgs, org), append(calls, n)
		return nil
	}); err != nil {
		return 0, 0, err
	}
	var done, late []settled
	var out pgx.Batch
	if len(calls) > 0 {
		settle(&out, orgs, calls).Query(func(rows pgx.Rows) (err error) {
			done, err = pgx.CollectRows(rows, pgx.RowToStructByPos[settled])
			return err
		})
	}
	out.Queue(`UPDATE calls c SET waits = $1 FROM (
		SELECT org, n FROM calls WHERE state = 'settling' AND waits IS NULL LIMIT $2 FOR UPDATE SKIP LOCKED) AS k WHERE c.org = k.org AND c.n = k.n`,
		now, settleAtOnce)
	out.Queue(`UPDATE calls c SET state = 'incomplete', waits = NULL FROM (
		SELECT org, n FROM calls WHERE state = 'settling' AND waits < $1 LIMIT $2 FOR UPDATE SKIP LOCKED) AS k WHERE c.org = k.org AND c.n = k.n RETURNING c.org, c.n, c.id`,
		now.Add(-patience), settleAtOnce).Query(func(rows pgx.Rows) (err error) {
		late, err = pgx.CollectRows(rows, pgx.RowToStructByPos[settled])
		return err
	})
	if err := tx.SendBatch(ctx, &out).Close(); err != nil {
		return 0, 0, err
	}
	for state, calls := range map[store.State][]settled{store.Complete: done, store.Incomplete: late} {
		if err := s.tellSettled(ctx, tx.Conn(), calls, state); err != nil {
			return 0, 0, err
		}
	}
	return len(done), len(late), tx.Commit(ctx)
}

// settled is a call that waits no more.
type settled struct {
	Org string
	N   int64
	ID  string
}

// settleAtOnce bounds a transaction of Settle.
const settleAtOnce = 1000

// Prune removes calls.
func (s *Store) Prune(ctx context.Context, org string, before time.Time, limit int) (int, error) {
	org = calllog.Name(org)
	pruned := 0
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `DELETE FROM calls WHERE org = $1 AND n = ANY (ARRAY(
			SELECT n FROM calls WHERE org = $1 AND started < $2 AND ended < $2 ORDER BY started, n LIMIT $3 FOR UPDATE SKIP LOCKED)) RETURNING n`, org, before, limit)
		if err != nil {
			return err
		}
		calls, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil || len(calls) == 0 {
			return err
		}
		var out pgx.Batch
		for _, table := range []string{"events", "legs", "tags", "why_not", "gaps", "ledger"} {
			out.Queue("DELETE FROM "+table+" WHERE org = $1 AND call = ANY ($2)", org, calls)
		}
		pruned = len(calls)
		return tx.SendBatch(ctx, &out).Close()
	})
	return pruned, err
}
