package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/calllog"
)

// KeepRequest keeps a request.
func (s *Store) KeepRequest(ctx context.Context, org string, r store.Request) (n int64, err error) {
	row, err := calllog.RequestRow(org, r)
	if err == nil {
		err = s.write.QueryRowContext(ctx, calllog.InsertRequest, micros(row)...).Scan(&n)
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
	rows, err := s.read.QueryContext(ctx, search.SQL, micros(search.Args)...)
	err = each(rows, err, func() error {
		r, err := scanRequest(rows.Scan)
		found = append(found, r)
		return err
	})
	if err != nil {
		return store.RequestPage{}, fmt.Errorf("requests: %w", err)
	}
	return search.Cut(found), nil
}

func scanRequest(scan func(...any) error, more ...any) (r store.Request, err error) {
	err = scan(append([]any{&r.N, &r.Webhook, &r.Kind, into(&r.At), &r.Took, &r.From, &r.KeyID, &r.Request.Method, &r.Request.URL,
		&r.Status, (*[]byte)(&r.Answer), &r.Call, &r.Caller, &r.Repeated}, more...)...)
	return r, err
}

// Request returns one with everything.
func (s *Store) Request(ctx context.Context, org string, n int64) (*store.Request, error) {
	var header []byte
	var h store.HTTP
	r, err := scanRequest(s.read.QueryRowContext(ctx, `SELECT `+calllog.RequestColumns+`, `+calllog.RequestBody+` FROM requests WHERE org = ? AND n = ?`,
		calllog.Name(org), n).Scan, &header, &h.Body, &h.Cut)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("request %d: %w", n, store.ErrNotFound)
	}
	if err == nil {
		err = json.Unmarshal(header, &r.Request.Header)
	}
	if err != nil {
		return nil, fmt.Errorf("request %d: %w", n, err)
	}
	r.Request.Body, r.Request.Cut = h.Body, h.Cut
	return &r, nil
}

// prunedAtOnce bounds how many rows one transaction removes: others wait for it.
const prunedAtOnce = 1000

// PruneRequests removes those older than before.
func (s *Store) PruneRequests(ctx context.Context, before time.Time) error {
	err := s.untilDone(ctx, `DELETE FROM requests WHERE n IN (SELECT n FROM requests WHERE at < ? ORDER BY at LIMIT ?)`, before.UnixMicro(), prunedAtOnce)
	if err != nil {
		return fmt.Errorf("requests: %w", err)
	}
	return nil
}
