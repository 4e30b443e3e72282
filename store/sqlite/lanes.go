package sqlite

import (
	"context"
	"time"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/calllog"
)

// Lanes counts what waits for each endpoint, up to a bound.
func (s *Store) Lanes(ctx context.Context, org string) (lanes []store.Lane, err error) {
	rows, err := s.read.QueryContext(ctx, `
WITH RECURSIVE waits (org, endpoint) AS (
	SELECT * FROM (SELECT org, endpoint FROM outbox WHERE ?1 = '' OR org = ?1 ORDER BY org, endpoint LIMIT 1)
	UNION ALL
	SELECT o.org, o.endpoint FROM waits CROSS JOIN outbox o WHERE o.n = (SELECT x.n FROM outbox x WHERE (x.org, x.endpoint) > (waits.org, waits.endpoint) AND (?1 = '' OR x.org = ?1)
		ORDER BY x.org, x.endpoint LIMIT 1)),
named AS (SELECT org, endpoint FROM waits UNION SELECT org, endpoint FROM lanes WHERE (?1 = '' OR org = ?1) AND (failing IS NOT NULL OR disabled IS NOT NULL))
SELECT n.org, n.endpoint,
	(SELECT count(*) FROM (SELECT 1 FROM outbox o WHERE o.org = n.org AND o.endpoint = n.endpoint LIMIT 10000)),
	(SELECT min(created) FROM (SELECT o.created FROM outbox o WHERE o.org = n.org AND o.endpoint = n.endpoint ORDER BY o.due LIMIT 10000)),
	l.failing, l.disabled, coalesce(l.why, '') FROM named n LEFT JOIN lanes l ON l.org = n.org AND l.endpoint = n.endpoint ORDER BY n.org, n.endpoint`, calllog.Name(org))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var l store.Lane
		if err := rows.Scan(&l.Org, &l.Endpoint, &l.Pending, momentOf(&l.Oldest), momentOf(&l.Failing), momentOf(&l.Disabled), &l.Why); err != nil {
			return nil, err
		}
		lanes = append(lanes, l)
	}
	return lanes, rows.Err()
}

// Disable has an endpoint sent nothing more.
func (s *Store) Disable(ctx context.Context, org, endpoint, why string) (bool, error) {
	done, err := s.write.ExecContext(ctx, `INSERT INTO lanes (org, endpoint, disabled, why) VALUES (?, ?, ?, ?)
		ON CONFLICT (org, endpoint) DO UPDATE SET disabled = excluded.disabled, why = excluded.why WHERE disabled IS NULL`,
		calllog.Name(org), calllog.Name(endpoint), time.Now().UnixMicro(), calllog.Text(why))
	if err != nil {
		return false, err
	}
	n, err := done.RowsAffected()
	return n > 0, err
}

// Enable makes what waits due now.
func (s *Store) Enable(ctx context.Context, org, endpoint string) error {
	org, endpoint = calllog.Name(org), calllog.Name(endpoint)
	if _, err := s.write.ExecContext(ctx, "UPDATE lanes SET failing = NULL, disabled = NULL, why = '' WHERE org = ? AND endpoint = ?", org, endpoint); err != nil {
		return err
	}
	now := time.Now().UnixMicro()
	return s.untilDone(ctx, "UPDATE outbox SET due = ?1 WHERE n IN (SELECT n FROM outbox WHERE org = ?2 AND endpoint = ?3 AND due > ?1 ORDER BY due LIMIT ?4)", now, org, endpoint, prunedAtOnce)
}

// PruneOutbox removes what is old.
func (s *Store) PruneOutbox(ctx context.Context, before time.Time) error {
	for _, command := range []string{
		"DELETE FROM attempts WHERE rowid IN (SELECT rowid FROM attempts WHERE at < ? LIMIT ?)",
		`DELETE FROM outbox WHERE n IN (SELECT o.n FROM lanes l JOIN outbox o ON o.org = l.org AND o.endpoint = l.endpoint
			WHERE l.disabled IS NOT NULL AND o.created < ? LIMIT ?)`,
		"DELETE FROM deliveries WHERE n IN (SELECT n FROM deliveries WHERE done < ? LIMIT ?)",
		`DELETE FROM messages WHERE rowid IN (SELECT m.rowid FROM messages m WHERE m.time < ?
			AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.org = m.org AND o.call = m.call AND o.message = m.id)
			AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.org = m.org AND d.call = m.call AND d.message = m.id) LIMIT ?)`,
	} {
		if err := s.untilDone(ctx, command, before.UnixMicro(), prunedAtOnce); err != nil {
			return err
		}
	}
	return nil
}

// untilDone runs a command that changes at most prunedAtOnce rows until it changes fewer.
func (s *Store) untilDone(ctx context.Context, command string, args ...any) error {
	for {
		done, err := s.write.ExecContext(ctx, command, args...)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n < prunedAtOnce {
			return err
		}
	}
}
