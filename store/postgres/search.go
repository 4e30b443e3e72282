package postgres

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/calllog"
)

// Search lists calls. Of several fields, the one that the fewest calls have finds them.
func (s *Store) Search(ctx context.Context, org string, q store.Query) (store.Page, error) {
	search, err := calllog.NewSearch(org, q)
	if err != nil {
		return store.Page{}, err
	}
	c, err := s.pool.Acquire(ctx)
	if err != nil {
		return store.Page{}, err
	}
	defer c.Release()
	counts := make([]int, len(search.Fields))
	if len(counts) > 1 {
		var ask pgx.Batch
		ordered(&ask)
		for i, f := range search.Fields {
			sql, args := search.Count(f)
			ask.Queue(sql, args...).QueryRow(func(row pgx.Row) error { return row.Scan(&counts[i]) })
		}
		ask.Queue("COMMIT")
		if err := c.SendBatch(ctx, &ask).Close(); err != nil {
			return store.Page{}, err
		}
	}
	var calls []*calllog.Call
	var ask pgx.Batch
	ordered(&ask)
	sql, args := search.Page(search.Rarest(counts), true)
	ask.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		calls, err = pgx.CollectRows(rows, scanCall)
		return err
	})
	ask.Queue("COMMIT")
	if err := c.SendBatch(ctx, &ask).Close(); err != nil {
		return store.Page{}, err
	}
	page, waiting := search.Cut(calls)
	if len(waiting) == 0 {
		return page, nil
	}
	gaps, err := gaps(ctx, c.Conn(), org, waiting)
	calllog.Missing(calls, gaps)
	return page, err
}

// ordered begins a transaction in which rows are read in the order of an index, as many
// as are wanted: the planner would rather read and sort what a frequent value has. It reads
// the tables as they are at one moment, so that nothing is met in two of them.
func ordered(b *pgx.Batch) {
	b.Queue("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
	b.Queue("SET LOCAL enable_sort = off")
	b.Queue("SET LOCAL enable_seqscan = off")
	b.Queue("SET LOCAL enable_bitmapscan = off")
}

// Organizations lists those that have calls.
func (s *Store) Organizations(ctx context.Context) ([]string, error) {
	rows, err := s.pool.Query(ctx, calllog.Organizations)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// Call returns a call with all that belongs to it.
func (s *Store) Call(ctx context.Context, org, id string) (c *store.Call, err error) {
	org, id = calllog.Name(org), calllog.Name(id)
	if id == "" {
		return nil, store.ErrNotFound
	}
	tx, err := s.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tx.Rollback(ctx)) }()
	rows, err := tx.Query(ctx, calllog.ByID, org, id, calllog.Behind(id))
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, scanCall)
	if err != nil {
		return nil, err
	}
	row, err := calllog.Only(found, id)
	if err != nil {
		return nil, err
	}
	missing, err := gaps(ctx, tx.Conn(), org, []int64{row.N})
	if err != nil {
		return nil, err
	}
	past, err := pasts(ctx, tx.Conn(), []string{org}, []int64{row.N})
	if err != nil {
		return nil, err
	}
	return calllog.Whole(row, past[row.N], missing[row.N])
}

func scanCall(row pgx.CollectableRow) (*calllog.Call, error) {
	c, err := scan(row, calllog.CallColumns, &calllog.Call{Call: new(store.Call)})
	if err == nil {
		c.Read()
	}
	return c, err
}

// scan reads a row of columns.
func scan[R any](row pgx.CollectableRow, columns []calllog.Column[R], r R) (R, error) {
	to := make([]any, len(columns))
	for i, column := range columns {
		to[i] = column.Field(r)
	}
	return r, row.Scan(to...)
}

// pasts returns what the log has of calls, by their number.
func pasts(ctx context.Context, conn *pgx.Conn, orgs []string, calls []int64) (map[int64]calllog.Past, error) {
	past := make(map[int64]calllog.Past)
	entries := make(map[int64][]*calllog.Entry)
	var ask pgx.Batch
	ask.Queue(`SELECT e.call, e.lines FROM unnest($1::text[], $2::bigint[]) AS k (org, call) JOIN events e USING (org, call)`, orgs, calls).Query(func(rows pgx.Rows) error {
		var n int64
		var raw []byte
		_, err := pgx.ForEachRow(rows, []any{&n, &raw}, func() error {
			chunk, err := calllog.Events(raw)
			of := past[n]
			of.Events = append(of.Events, chunk...)
			past[n] = of
			return err
		})
		return err
	})
	ask.Queue(`SELECT `+calllog.Names("l.", calllog.EntryColumns)+` FROM unnest($1::text[], $2::bigint[]) AS k (org, call) JOIN ledger l USING (org, call)
		ORDER BY l.place`, orgs, calls).Query(func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*calllog.Entry, error) {
			return scan(row, calllog.EntryColumns, calllog.EmptyEntry())
		})
		for _, e := range all {
			entries[e.N] = append(entries[e.N], e)
		}
		return err
	})
	if err := conn.SendBatch(ctx, &ask).Close(); err != nil {
		return nil, err
	}
	for n, rows := range entries {
		var err error
		of := past[n]
		if of.Ledger, err = calllog.Ledger(rows); err != nil {
			return nil, err
		}
		past[n] = of
	}
	return past, nil
}

// gaps returns what calls of an organization wait for, by their numbers.
func gaps(ctx context.Context, conn *pgx.Conn, org string, calls []int64) (map[int64][]store.Gap, error) {
	return gapsOf(ctx, conn, slices.Repeat([]string{org}, len(calls)), calls)
}

// gapsOf is gaps for calls of several organizations.
func gapsOf(ctx context.Context, conn *pgx.Conn, orgs []string, calls []int64) (map[int64][]store.Gap, error) {
	rows, err := conn.Query(ctx, `SELECT g.call, g.node, g.since FROM unnest($1::text[], $2::bigint[]) AS k (org, call) JOIN gaps g USING (org, call)
		ORDER BY g.call, g.since, g.node`, orgs, calls)
	if err != nil {
		return nil, err
	}
	gaps := make(map[int64][]store.Gap)
	var n int64
	var g store.Gap
	_, err = pgx.ForEachRow(rows, []any{&n, &g.Node, &g.Since}, func() error {
		g.Since = g.Since.UTC()
		gaps[n] = append(gaps[n], g)
		return nil
	})
	return gaps, err
}
