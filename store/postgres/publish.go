package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/calllog"
	"github.com/hookswitch/hookswitch/store/outbox"
)

// Publish names who decides what is told.
func (s *Store) Publish(p store.Publisher) { s.publisher = p }

// tell adds to what writes the calls of parts what is to be told of them. Where calls wait
// for a journal it sends that first: they may have become complete by it.
func (s *Store) tell(ctx context.Context, conn *pgx.Conn, out *pgx.Batch, parts []*calllog.Part) (*pgx.Batch, error) {
	if s.publisher == nil {
		return out, nil
	}
	var orgs, ids []string
	for _, p := range parts {
		if p.Waits() {
			orgs, ids = append(orgs, p.Org), append(ids, p.ID)
		}
	}
	if len(ids) > 0 {
		complete := make(map[key]bool)
		out.Queue(`SELECT c.org, c.id FROM unnest($1::text[], $2::text[]) AS k (org, id) JOIN calls c USING (org, id) WHERE c.state = 'complete'`,
			orgs, ids).Query(func(rows pgx.Rows) error {
			var k key
			_, err := pgx.ForEachRow(rows, []any{&k.org, &k.id}, func() error {
				complete[k] = true
				return nil
			})
			return err
		})
		if err := conn.SendBatch(ctx, out).Close(); err != nil {
			return nil, err
		}
		out = new(pgx.Batch)
		for _, p := range parts {
			if complete[key{p.Org, p.ID}] {
				p.Settled()
			}
		}
	}
	var all []store.Message
	for _, p := range parts {
		all = append(all, p.Told(s.publisher)...)
	}
	publish(out, all)
	return out, nil
}

// tellSettled writes what is to be told of calls that have come into a state without a new
// event.
func (s *Store) tellSettled(ctx context.Context, conn *pgx.Conn, calls []settled, state store.State) error {
	if s.publisher == nil || len(calls) == 0 {
		return nil
	}
	orgs, numbers := make([]string, len(calls)), make([]int64, len(calls))
	for i, c := range calls {
		orgs[i], numbers[i] = c.Org, c.N
	}
	past, err := pasts(ctx, conn, orgs, numbers)
	if err != nil {
		return err
	}
	gaps := make(map[int64][]store.Gap)
	if state == store.Incomplete {
		if gaps, err = gapsOf(ctx, conn, orgs, numbers); err != nil {
			return err
		}
	}
	var all []store.Message
	for _, c := range calls {
		row := &calllog.Call{Call: &store.Call{Org: c.Org, ID: c.ID, State: state}, N: c.N}
		record, err := calllog.Whole(row, past[c.N], gaps[c.N])
		if err != nil {
			return err
		}
		all = append(all, s.publisher.Publish(record, nil)...)
	}
	var out pgx.Batch
	publish(&out, all)
	return conn.SendBatch(ctx, &out).Close()
}

// publishSQL writes messages that are new, and a delivery to each of their endpoints. One
// that has to wait for another of its call is due when that is done, see doneSQL; and looked
// at before, in case nobody has seen it then.
const publishSQL = `
WITH new AS (
	INSERT INTO messages (org, id, call, type, time, body)
	SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bytea[])
	ON CONFLICT (org, id) DO NOTHING RETURNING org, id, call, type)
INSERT INTO outbox (org, n, endpoint, message, call, type, resent, created, due)
SELECT org, nextval('delivery_numbers'), endpoint, message, call, type, false, clock_timestamp(), clock_timestamp() + CASE WHEN behind THEN $10::float8 ELSE 0 END * interval '1 second' FROM (
	SELECT new.org, d.endpoint, d.message, new.call, new.type, new.call <> '' AND row_number() OVER (PARTITION BY new.org, new.call, d.endpoint ORDER BY d.place) > 1 AS behind
	FROM unnest($7::text[], $8::text[], $9::text[]) WITH ORDINALITY AS d (org, message, endpoint, place)
	JOIN new ON new.org = d.org AND new.id = d.message ORDER BY d.place OFFSET 0) AS d`

// publish queues what writes messages and their deliveries, in the transaction that keeps
// what they tell of. Those of ids that are known are none.
func publish(out *pgx.Batch, messages []store.Message) {
	messages = outbox.Messages(messages)
	if len(messages) == 0 {
		return
	}
	n := len(messages)
	orgs, ids, calls, types := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	times, bodies := make([]time.Time, n), make([][]byte, n)
	var of, deliveries, endpoints []string
	for i, m := range messages {
		orgs[i], ids[i], calls[i], types[i], times[i], bodies[i] = m.Org, m.ID, m.Call, m.Type, m.Time, m.Body
		for _, to := range m.To {
			of, deliveries, endpoints = append(of, m.Org), append(deliveries, m.ID), append(endpoints, to)
		}
	}
	out.Queue(publishSQL, orgs, ids, calls, types, times, bodies, of, deliveries, endpoints, outbox.Wait.Seconds())
}

// Send makes deliveries of a message.
func (s *Store) Send(ctx context.Context, m store.Message) error {
	var out pgx.Batch
	publish(&out, []store.Message{m})
	return s.pool.SendBatch(ctx, &out).Close()
}
