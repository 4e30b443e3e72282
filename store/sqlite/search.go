package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/calllog"
)

// Search lists calls. Of several fields, the one that the fewest calls have finds them.
func (s *Store) Search(ctx context.Context, org string, q store.Query) (page store.Page, err error) {
	search, err := calllog.NewSearch(org, q)
	if err != nil {
		return store.Page{}, err
	}
	err = s.view(ctx, func(tx *sql.Tx) error {
		counts := make([]int, len(search.Fields))
		if len(counts) > 1 {
			for i, f := range search.Fields {
				sql, args := search.Count(f)
				if err := tx.QueryRowContext(ctx, sql, micros(args)...).Scan(&counts[i]); err != nil {
					return err
				}
			}
		}
		sql, args := search.Page(search.Rarest(counts), false)
		calls, err := scanCalls(ctx, tx, sql, micros(args))
		if err != nil {
			return err
		}
		var waiting []int64
		if page, waiting = search.Cut(calls); len(waiting) == 0 {
			return nil
		}
		gaps, err := gaps(ctx, tx, org, waiting)
		calllog.Missing(calls, gaps)
		return err
	})
	return page, err
}

// Organizations lists those that have calls.
func (s *Store) Organizations(ctx context.Context) (orgs []string, err error) {
	rows, err := s.read.QueryContext(ctx, calllog.Organizations)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var org string
		if err := rows.Scan(&org); err != nil {
			return nil, err
		}
		orgs = append(orgs, org)
	}
	return orgs, rows.Err()
}

// Call returns a call with all that belongs to it.
func (s *Store) Call(ctx context.Context, org, id string) (c *store.Call, err error) {
	org, id = calllog.Name(org), calllog.Name(id)
	if id == "" {
		return nil, store.ErrNotFound
	}
	err = s.view(ctx, func(tx *sql.Tx) error {
		found, err := scanCalls(ctx, tx, calllog.ByID, []any{org, id, calllog.Behind(id)})
		if err != nil {
			return err
		}
		row, err := calllog.Only(found, id)
		if err != nil {
			return err
		}
		missing, err := gaps(ctx, tx, org, []int64{row.N})
		if err != nil {
			return err
		}
		past, err := past(ctx, tx, org, row.N)
		if err != nil {
			return err
		}
		c, err = calllog.Whole(row, past, missing[row.N])
		return err
	})
	return c, err
}

// view runs f, which reads the file as it is at one moment.
func (s *Store) view(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.read.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	err = f(tx)
	if failed := tx.Rollback(); !errors.Is(failed, sql.ErrTxDone) { // by the end of the context
		err = errors.Join(err, failed)
	}
	return err
}

// micros puts the times among arguments into microseconds.
func micros(args []any) []any {
	for i, a := range args {
		if t, ok := a.(time.Time); ok {
			args[i] = t.UnixMicro()
		}
	}
	return args
}

func scanCalls(ctx context.Context, tx *sql.Tx, sql string, args []any) ([]*calllog.Call, error) {
	calls, err := scan(ctx, tx, calllog.CallColumns, func() *calllog.Call { return &calllog.Call{Call: new(store.Call)} }, sql, args...)
	for _, c := range calls {
		c.Read()
	}
	return calls, err
}

// gaps returns what calls wait for, by their numbers.
func gaps(ctx context.Context, tx *sql.Tx, org string, calls []int64) (map[int64][]store.Gap, error) {
	args := []any{org}
	for _, n := range calls {
		args = append(args, n)
	}
	rows, err := tx.QueryContext(ctx, "SELECT call, node, since FROM gaps WHERE org = ? AND call IN (?"+strings.Repeat(", ?", len(calls)-1)+
		") ORDER BY call, since, node", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	gaps := make(map[int64][]store.Gap)
	for rows.Next() {
		var n int64
		var g store.Gap
		if err := rows.Scan(&n, &g.Node, into(&g.Since)); err != nil {
			return nil, err
		}
		gaps[n] = append(gaps[n], g)
	}
	return gaps, rows.Err()
}
