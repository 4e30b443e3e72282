package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/calllog"
)

// KeepRequest keeps a request.
func (s *Store) KeepRequest(ctx context.Context, org string, r store.Request) (n int64, err error) {
	row, err := calllog.RequestRow(org, r)
	if err == nil {
		err = s.pool.QueryRow(ctx, calllog.InsertRequest, row...).Scan(&n)
	}
	if err != nil {
		return 0, fmt.Errorf("request: %w", err)
	}
	return n, nil
}

// Requests lists requests, newest first.
func (s *Store) Requests(ctx context.Context, org string, q store.RequestQuery) (store.RequestPage, error) {
	search, err := calllog.NewRequestSearch(org, q)
	if err != nil {
		return store.RequestPage{}, err
	}
	var found []store.Request
	var ask pgx.Batch
	ordered(&ask)
	ask.Queue(search.SQL, search.Args...).Query(func(rows pgx.Rows) (err error) {
		found, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (store.Request, error) { return scanRequest(row) })
		return err
	})
	ask.Queue("COMMIT")
	if err := s.pool.SendBatch(ctx, &ask).Close(); err != nil {
		return store.RequestPage{}, fmt.Errorf("requests: %w", err)
	}
	return search.Cut(found), nil
}

func scanRequest(row pgx.CollectableRow, more ...any) (r store.Request, err error) {
	err = row.Scan(append([]any{&r.N, &r.Webhook, &r.Kind, &r.At, (*int64)(&r.Took), &r.From, &r.KeyID, &r.Request.Method, &r.Request.URL,
		&r.Status, (*[]byte)(&r.Answer), &r.Call, &r.Caller, &r.Repeated}, more...)...)
	r.At = r.At.UTC()
	return r, err
}

// Request returns one with everything.
func (s *Store) Request(ctx context.Context, org string, n int64) (*store.Request, error) {
	rows, _ := s.pool.Query(ctx, `SELECT `+calllog.RequestColumns+`, `+calllog.RequestBody+` FROM requests WHERE org = $1 AND n = $2`, calllog.Name(org), n)
	r, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (store.Request, error) {
		var header []byte
		var h store.HTTP
		r, err := scanRequest(row, &header, &h.Body, &h.Cut)
		if err != nil {
			return r, err
		}
		r.Request.Body, r.Request.Cut = h.Body, h.Cut
		return r, json.Unmarshal(header, &r.Request.Header)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("request %d: %w", n, store.ErrNotFound)
	} else if err != nil {
		return nil, fmt.Errorf("request %d: %w", n, err)
	}
	return &r, nil
}

// prunedAtOnce bounds how many rows one transaction removes.
const prunedAtOnce = 10_000

// PruneRequests removes those older than before.
func (s *Store) PruneRequests(ctx context.Context, before time.Time) error {
	for {
		done, err := s.pool.Exec(ctx, `DELETE FROM requests WHERE n IN (SELECT n FROM requests WHERE at < $1 ORDER BY at LIMIT $2)`, before, prunedAtOnce)
		if err != nil {
			return fmt.Errorf("requests: %w", err)
		}
		if done.RowsAffected() < prunedAtOnce {
			return nil
		}
	}
}
