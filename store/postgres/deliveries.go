package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/calllog"
	"github.com/hookswitch/hookswitch/store/outbox"
)

// Deliveries lists deliveries, newest first.
func (s *Store) Deliveries(ctx context.Context, org string, q store.DeliveryQuery) (store.DeliveryPage, error) {
	search, err := outbox.NewSearch(org, q)
	if err != nil {
		return store.DeliveryPage{}, err
	}
	if err := s.between(ctx, search.Org, search.Between); err != nil {
		return store.DeliveryPage{}, err
	}
	var found []store.Delivery
	var ask pgx.Batch
	ordered(&ask)
	for _, table := range search.Tables {
		sql, args := search.Page(table)
		ask.Queue(sql, args...).Query(func(rows pgx.Rows) error {
			part, err := pgx.CollectRows(rows, scanDelivery(search.Org))
			found = append(found, part...)
			return err
		})
	}
	ask.Queue("COMMIT")
	if err := s.inTx(ctx, func(conn *pgx.Conn) error { return conn.SendBatch(ctx, &ask).Close() }); err != nil {
		return store.DeliveryPage{}, err
	}
	return search.Cut(found), nil
}

// between gives f what it needs to find the numbers of times.
func (s *Store) between(ctx context.Context, org string, f func(highest int64, created func(int64) (time.Time, bool, error)) error) error {
	var highest int64
	if err := s.pool.QueryRow(ctx, "SELECT last_value FROM delivery_numbers").Scan(&highest); err != nil {
		return err
	}
	return f(highest, func(n int64) (at time.Time, ok bool, err error) {
		err = s.pool.QueryRow(ctx, `SELECT created FROM (
			(SELECT n, created FROM outbox WHERE org = $1 AND n >= $2 ORDER BY n LIMIT 1) UNION ALL
			(SELECT n, created FROM deliveries WHERE org = $1 AND n >= $2 ORDER BY n LIMIT 1)) AS d ORDER BY n LIMIT 1`, org, n).Scan(&at)
		if errors.Is(err, pgx.ErrNoRows) {
			return at, false, nil
		}
		return at, err == nil, err
	})
}

func scanDelivery(org string) pgx.RowToFunc[store.Delivery] {
	return func(row pgx.CollectableRow) (d store.Delivery, err error) {
		var due *time.Time
		m := &d.Message
		err = row.Scan(&d.N, &d.Endpoint, &m.ID, &m.Call, &m.Type, &d.Created, &d.Tries, &d.First, &d.Status, &d.Error, &d.Resent, &m.Time, (*string)(&d.State), &due)
		d.Org, d.ID, m.Org, d.Due = org, d.N, org, utc(due)
		inUTC(&m.Time, &d.Created, d.First)
		return d, err
	}
}

// Delivery returns one with its message and its attempts.
func (s *Store) Delivery(ctx context.Context, org string, n int64) (*store.Delivery, error) {
	org = calllog.Name(org)
	var found []store.Delivery
	var attempts []store.Attempt
	var ask pgx.Batch
	ask.Queue("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
	for _, table := range []string{outbox.Pending, outbox.Done} {
		ask.Queue(outbox.One(table), org, n).Query(func(rows pgx.Rows) error {
			part, err := pgx.CollectRows(rows, scanDelivery(org))
			found = append(found, part...)
			return err
		})
	}
	ask.Queue("SELECT token, at, try, node, took_ns, request, response, error, state, due FROM attempts WHERE org = $1 AND delivery = $2 ORDER BY at, token", org, n).
		Query(func(rows pgx.Rows) (err error) {
			attempts, err = pgx.CollectRows(rows, scanAttempt)
			return err
		})
	body := ask.Queue(`SELECT m.body FROM messages m WHERE m.org = $1 AND m.id = coalesce((SELECT message FROM outbox WHERE org = $1 AND n = $2), (SELECT message FROM deliveries WHERE org = $1 AND n = $2))`, org, n)
	body.Query(func(rows pgx.Rows) error {
		bodies, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
		if len(bodies) > 0 && len(found) > 0 {
			found[0].Message.Body = bodies[0]
		}
		return err
	})
	ask.Queue("COMMIT")
	if err := s.inTx(ctx, func(conn *pgx.Conn) error { return conn.SendBatch(ctx, &ask).Close() }); err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, store.ErrNotFound
	}
	d := &found[0]
	d.Attempts = attempts
	for i := range d.Attempts {
		a := &d.Attempts[i]
		a.Org, a.N, a.Endpoint = org, n, d.Endpoint
	}
	return d, nil
}

func scanAttempt(row pgx.CollectableRow) (a store.Attempt, err error) {
	var due *time.Time
	var request, response []byte
	if err := row.Scan(&a.Token, &a.At, &a.Try, &a.Node, (*int64)(&a.Took), &request, &response, &a.Error, (*string)(&a.State), &due); err != nil {
		return a, err
	}
	a.At, a.Due = a.At.UTC(), utc(due)
	return a, errors.Join(json.Unmarshal(request, &a.Request), json.Unmarshal(response, &a.Response))
}

const resendSQL = `
INSERT INTO outbox (org, n, endpoint, message, call, type, resent, created, due)
SELECT org, nextval('delivery_numbers'), endpoint, message, call, type, true, clock_timestamp(), clock_timestamp() FROM (` + outbox.Again + `) AS again`

// Resend makes deliveries anew.
func (s *Store) Resend(ctx context.Context, org string, r store.Resending) (int, error) {
	org = calllog.Name(org)
	var from int64
	if !r.From.IsZero() { // nothing is told before it has happened
		if err := s.between(ctx, org, func(highest int64, created func(int64) (time.Time, bool, error)) (err error) {
			from, err = outbox.Seek(highest, r.From.Add(-outbox.Skew), created)
			return err
		}); err != nil {
			return 0, err
		}
	}
	done, err := s.pool.Exec(ctx, resendSQL, org, r.Delivery, calllog.Text(r.Call), null(r.From), null(r.To), calllog.Text(r.Endpoint), r.Failed, calllog.Text(r.Target), from)
	return int(done.RowsAffected()), err
}
