package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/calllog"
	"github.com/hookswitch/hookswitch/store/outbox"
)

// Deliveries lists deliveries, newest first.
func (s *Store) Deliveries(ctx context.Context, org string, q store.DeliveryQuery) (page store.DeliveryPage, err error) {
	search, err := outbox.NewSearch(org, q)
	if err != nil {
		return store.DeliveryPage{}, err
	}
	err = s.view(ctx, func(tx *sql.Tx) error {
		if err := between(ctx, tx, search.Org, search.Between); err != nil {
			return err
		}
		var found []store.Delivery
		for _, table := range search.Tables {
			sql, args := search.Page(table)
			part, err := scanDeliveries(ctx, tx, search.Org, sql, micros(args))
			if err != nil {
				return err
			}
			found = append(found, part...)
		}
		page = search.Cut(found)
		return nil
	})
	return page, err
}

// between gives f what it needs to find the numbers of times.
func between(ctx context.Context, tx *sql.Tx, org string, f func(highest int64, created func(int64) (time.Time, bool, error)) error) error {
	var highest int64
	if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'outbox'").Scan(&highest); err != nil {
		return err
	}
	return f(highest, func(n int64) (at time.Time, ok bool, err error) {
		err = tx.QueryRowContext(ctx, `SELECT created FROM (
			SELECT * FROM (SELECT n, created FROM outbox WHERE org = ?1 AND n >= ?2 ORDER BY n LIMIT 1) UNION ALL
			SELECT * FROM (SELECT n, created FROM deliveries WHERE org = ?1 AND n >= ?2 ORDER BY n LIMIT 1)) ORDER BY n LIMIT 1`, org, n).Scan(into(&at))
		if errors.Is(err, sql.ErrNoRows) {
			return at, false, nil
		}
		return at, err == nil, err
	})
}

func scanDeliveries(ctx context.Context, tx *sql.Tx, org, query string, args []any) (all []store.Delivery, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var d store.Delivery
		m := &d.Message
		if err := rows.Scan(&d.N, &d.Endpoint, &m.ID, &m.Call, &m.Type, into(&d.Created), &d.Tries, momentOf(&d.First), &d.Status, &d.Error, &d.Resent,
			into(&m.Time), (*string)(&d.State), into(&d.Due)); err != nil {
			return nil, err
		}
		d.Org, d.ID, m.Org = org, d.N, org
		all = append(all, d)
	}
	return all, rows.Err()
}

// Delivery returns one with its message and its attempts.
func (s *Store) Delivery(ctx context.Context, org string, n int64) (d *store.Delivery, err error) {
	org = calllog.Name(org)
	err = s.view(ctx, func(tx *sql.Tx) error {
		for _, table := range []string{outbox.Pending, outbox.Done} {
			found, err := scanDeliveries(ctx, tx, org, outbox.One(table), []any{org, n})
			if err != nil {
				return err
			}
			if len(found) > 0 {
				d = &found[0]
			}
		}
		if d == nil {
			return store.ErrNotFound
		}
		if err := tx.QueryRowContext(ctx, "SELECT body FROM messages WHERE org = ? AND id = ?", org, d.Message.ID).Scan(&d.Message.Body); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, "SELECT token, at, try, node, took_ns, request, response, error, state, due FROM attempts WHERE org = ? AND delivery = ? ORDER BY at, token", org, n)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			a := store.Attempt{Endpoint: d.Endpoint}
			a.Org, a.N = org, n
			var request, response []byte
			if err := rows.Scan(&a.Token, into(&a.At), &a.Try, &a.Node, (*int64)(&a.Took), &request, &response, &a.Error, (*string)(&a.State), into(&a.Due)); err != nil {
				return err
			}
			if err := errors.Join(json.Unmarshal(request, &a.Request), json.Unmarshal(response, &a.Response)); err != nil {
				return err
			}
			d.Attempts = append(d.Attempts, a)
		}
		return rows.Err()
	})
	return d, err
}

// Resend makes deliveries anew.
func (s *Store) Resend(ctx context.Context, org string, r store.Resending) (n int, err error) {
	org = calllog.Name(org)
	tx, err := s.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer tx.end(&err)
	var from int64
	if !r.From.IsZero() { // nothing is told before it has happened
		if err := between(tx.ctx, tx.Tx, org, func(highest int64, created func(int64) (time.Time, bool, error)) (err error) {
			from, err = outbox.Seek(highest, r.From.Add(-outbox.Skew), created)
			return err
		}); err != nil {
			return 0, err
		}
	}
	now := time.Now().UnixMicro()
	return tx.affected(`INSERT INTO outbox (org, endpoint, message, call, type, resent, created, due)
		SELECT org, endpoint, message, call, type, true, $10, $10 FROM (`+outbox.Again+`)`,
		org, r.Delivery, calllog.Text(r.Call), null(r.From), null(r.To), calllog.Text(r.Endpoint), r.Failed, calllog.Text(r.Target), from, now)
}
