package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

const (
	selectSlots = `SELECT call, org, leg, target, campaign, buyer, caller, switch, node,
	hour, day, month, counted, connected, freed, renewed FROM slots WHERE call = ?`

	selectFigures = `SELECT
	(SELECT count(*) FROM slots WHERE org = ?1 AND target = ?2 AND freed IS NULL),
	coalesce((SELECT n FROM counts WHERE org = ?1 AND target = ?2 AND period = 'hour' AND since = ?3), 0),
	coalesce((SELECT n FROM counts WHERE org = ?1 AND target = ?2 AND period = 'day' AND since = ?4), 0),
	coalesce((SELECT n FROM counts WHERE org = ?1 AND target = ?2 AND period = 'month' AND since = ?5), 0),
	coalesce((SELECT n FROM counts WHERE org = ?1 AND target = ?2 AND period = 'total' AND since = 0), 0)`

	selectLast = `SELECT max(connected) FROM slots WHERE org = ? AND caller = ? AND connected IS NOT NULL
	AND CASE ? WHEN 'target' THEN target WHEN 'buyer' THEN buyer ELSE campaign END = ?`

	upsertSlot = `INSERT INTO slots (call, org, leg, target, campaign, buyer, caller, switch, node,
	hour, day, month, counted, connected, freed, renewed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (call, org, leg) DO UPDATE SET target = excluded.target, campaign = excluded.campaign, buyer = excluded.buyer, caller = excluded.caller,
	switch = excluded.switch, node = excluded.node, hour = excluded.hour, day = excluded.day, month = excluded.month,
	counted = excluded.counted, connected = excluded.connected, freed = excluded.freed, renewed = excluded.renewed`

	addCount = `INSERT INTO counts (org, target, period, since, n) VALUES (?, ?, ?, ?, ?) ON CONFLICT (org, target, period, since) DO UPDATE SET n = n + excluded.n`
)

// Usage returns what is taken of the targets of claims.
func (s *Store) Usage(ctx context.Context, claims []call.Claim) (out []call.Usage, err error) {
	err = count(ctx, s.read, claims, func(r *reading, last []time.Time) error {
		out = make([]call.Usage, len(claims))
		for i := range claims {
			out[i] = r.ledger.Usage(&claims[i], last[i])
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Reserve takes a slot for each claim that has room.
func (s *Store) Reserve(ctx context.Context, claims []call.Claim) (out []store.Reservation, err error) {
	err = count(ctx, s.write, claims, func(r *reading, last []time.Time) error {
		out = make([]store.Reservation, len(claims))
		for i := range claims {
			out[i] = r.ledger.Reserve(&claims[i], last[i])
		}
		return r.write()
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Post enters what became of legs.
func (s *Store) Post(ctx context.Context, entries []store.Entry) error {
	claims := make([]call.Claim, len(entries))
	for i, e := range entries {
		claims[i] = e.Claim
	}
	return inTx(ctx, s.write, func(tx *sql.Tx) error {
		r := reading{ctx: ctx, tx: tx, ledger: store.NewLedger(time.Now())}
		if err := r.slots(claims); err != nil {
			return err
		}
		for _, e := range entries {
			r.ledger.Post(e)
		}
		return r.write()
	})
}

// count runs f in a transaction that has read all that bounds the claims.
func count(ctx context.Context, db *sql.DB, claims []call.Claim, f func(r *reading, last []time.Time) error) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		r := &reading{ctx: ctx, tx: tx, ledger: store.NewLedger(time.Now())}
		last, err := r.figures(claims)
		if err != nil {
			return err
		}
		if err := r.slots(claims); err != nil {
			return err
		}
		return f(r, last)
	})
}

// inTx runs f in a transaction.
func inTx(ctx context.Context, db *sql.DB, f func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// reading fills a ledger, and writes what has changed in it.
type reading struct {
	ctx    context.Context
	tx     *sql.Tx
	ledger *store.Ledger
}

// slots reads all slots of the claims' calls.
func (r *reading) slots(claims []call.Claim) error {
	q, err := r.tx.PrepareContext(r.ctx, selectSlots)
	if err != nil {
		return err
	}
	defer q.Close()
	seen := make(map[string]bool, len(claims))
	for _, c := range claims {
		if seen[c.Call] {
			continue
		}
		seen[c.Call] = true
		rows, err := q.QueryContext(r.ctx, c.Call)
		if err != nil {
			return err
		}
		if err := r.add(rows); err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) add(rows *sql.Rows) error {
	defer rows.Close()
	for rows.Next() {
		var x store.Slot
		c := &x.Claim
		if err := rows.Scan(&c.Call, &c.Org, &c.Leg, &c.Target, &c.Campaign, &c.Buyer, &c.Caller, &c.Switch, &c.Node,
			into(&x.Hour), into(&x.Day), into(&x.Month), &x.Counted, into(&x.Connected), into(&x.Freed), into(&x.Renewed)); err != nil {
			return err
		}
		r.ledger.AddSlot(x)
	}
	return rows.Err()
}

// figures reads what bounds the claims, and when their callers were last connected.
func (r *reading) figures(claims []call.Claim) (last []time.Time, err error) {
	q, err := r.tx.PrepareContext(r.ctx, selectFigures)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	last = make([]time.Time, len(claims))
	seen := map[store.Figure]bool{}
	for i := range claims {
		c := &claims[i]
		if f := store.FigureOf(c); !seen[f] {
			seen[f] = true
			var u call.Usage
			row := q.QueryRowContext(r.ctx, f.Org, f.Target, f.Hour.UnixMicro(), f.Day.UnixMicro(), f.Month.UnixMicro())
			if err := row.Scan(&u.Concurrency, &u.Hour, &u.Day, &u.Month, &u.Total); err != nil {
				return nil, err
			}
			r.ledger.AddFigure(f, u)
		}
		if name := c.With(c.Limits.Of); c.Limits.Within > 0 && c.Caller != "" && name != "" {
			if err := r.tx.QueryRowContext(r.ctx, selectLast, c.Org, c.Caller, string(c.Limits.Of), name).Scan(into(&last[i])); err != nil {
				return nil, err
			}
		}
	}
	return last, nil
}

func (r *reading) write() error {
	if changed := r.ledger.Changed(); len(changed) > 0 {
		q, err := r.tx.PrepareContext(r.ctx, upsertSlot)
		if err != nil {
			return err
		}
		defer q.Close()
		for _, x := range changed {
			c := &x.Claim
			if _, err := q.ExecContext(r.ctx, c.Call, c.Org, c.Leg, c.Target, c.Campaign, c.Buyer, c.Caller, c.Switch, c.Node,
				x.Hour.UnixMicro(), x.Day.UnixMicro(), x.Month.UnixMicro(), x.Counted, null(x.Connected), null(x.Freed), x.Renewed.UnixMicro()); err != nil {
				return err
			}
		}
	}
	for at, n := range r.ledger.Counts() {
		if n == 0 {
			continue
		}
		if _, err := r.tx.ExecContext(r.ctx, addCount, at.Org, at.Target, string(at.Period), at.Since.UnixMicro(), n); err != nil {
			return err
		}
	}
	return nil
}

// Slots lists slots in use that were not renewed for a time.
func (s *Store) Slots(ctx context.Context, q store.IdleQuery) (out []store.Idle, err error) {
	now := time.Now()
	switches, err := json.Marshal(q.Switches)
	if err != nil {
		return nil, err
	}
	rows, err := s.read.QueryContext(ctx, `SELECT call, org, leg, target, campaign, buyer, caller, switch, node, renewed
FROM slots WHERE freed IS NULL AND renewed <= ? AND (switch IN (SELECT value FROM json_each(?)) OR renewed < ?) ORDER BY renewed LIMIT ?`,
		now.Add(-q.For).UnixMicro(), switches, now.Add(-q.Forgotten).UnixMicro(), q.Limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var x store.Idle
		var renewed time.Time
		c := &x.Claim
		if err := rows.Scan(&c.Call, &c.Org, &c.Leg, &c.Target, &c.Campaign, &c.Buyer, &c.Caller, &c.Switch, &c.Node, into(&renewed)); err != nil {
			return nil, err
		}
		x.For = now.Sub(renewed)
		out = append(out, x)
	}
	return out, rows.Err()
}

// Turns counts how often keys were asked for.
func (s *Store) Turns(ctx context.Context, keys []store.TurnKey) (out []uint64, err error) {
	err = inTx(ctx, s.write, func(tx *sql.Tx) error {
		out = make([]uint64, len(keys))
		for i, k := range keys {
			var after int64
			if err := tx.QueryRowContext(ctx, `INSERT INTO turns (org, key, n) VALUES (?, ?, 1) ON CONFLICT (org, key) DO UPDATE SET n = n + 1 RETURNING n`, k.Org, k.Key).Scan(&after); err != nil {
				return err
			}
			out[i] = uint64(after - 1)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Beat notes that a node lives, and lists those that do.
func (s *Store) Beat(ctx context.Context, node string) (nodes []store.Node, err error) {
	now := time.Now()
	err = inTx(ctx, s.write, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO nodes (node, seen) VALUES (?, ?) ON CONFLICT (node) DO UPDATE SET seen = excluded.seen`, node, now.UnixMicro()); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, `SELECT node, seen FROM nodes WHERE seen > ? ORDER BY node`, now.Add(-time.Minute).UnixMicro())
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var n store.Node
			var seen time.Time
			if err := rows.Scan(&n.Name, into(&seen)); err != nil {
				return err
			}
			n.Seen = max(0, now.Sub(seen))
			nodes = append(nodes, n)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	return nodes, nil
}

// PruneShared removes what nobody asks about any more.
func (s *Store) PruneShared(ctx context.Context, keep time.Duration) error {
	before := func(d time.Duration) int64 { return time.Now().Add(-d).UnixMicro() }
	const day = 24 * time.Hour
	return inTx(ctx, s.write, func(tx *sql.Tx) error {
		_, err1 := tx.ExecContext(ctx, `DELETE FROM slots WHERE freed < ? AND connected IS NULL`, before(day))
		_, err2 := tx.ExecContext(ctx, `DELETE FROM slots WHERE freed < ? AND connected < ?`, before(day), before(keep))
		_, err3 := tx.ExecContext(ctx, `DELETE FROM counts WHERE period IN ('hour', 'day') AND since < ? OR period = 'month' AND since < ?`, before(3*day), before(40*day))
		_, err4 := tx.ExecContext(ctx, `DELETE FROM nodes WHERE seen < ?`, before(day))
		return errors.Join(err1, err2, err3, err4)
	})
}

// into reads a time; that of a null is zero.
func into(t *time.Time) *moment { return &moment{set: func(v time.Time) { *t = v }} }

func null(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}
