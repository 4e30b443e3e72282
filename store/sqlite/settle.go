package sqlite

import (
	"context"
	"time"

	"github.com/hookswitch/hookswitch/store/calllog"
)

// settle closes the gaps of a call that can be closed, and makes it complete if it ended
// and waits for nothing more. It returns how many it made so, 0 or 1.
func (tx *tx) settle(n int64) (int, error) {
	if _, err := tx.exec(`DELETE FROM gaps AS g WHERE (g.org, g.call) IN (SELECT org, n FROM calls WHERE n = ?)
		AND EXISTS (SELECT 1 FROM calls c WHERE c.n = g.call AND `+calllog.Closed+`)`, n); err != nil {
		return 0, err
	}
	return tx.affected(`UPDATE calls SET state = 'complete', waits = NULL WHERE n = ? AND state IN ('settling', 'incomplete')
		AND NOT EXISTS (SELECT 1 FROM gaps g WHERE g.org = calls.org AND g.call = calls.n)`, n)
}

// settleAtOnce bounds a transaction of Settle and Prune.
const settleAtOnce = 1000

// Settle looks at a bounded number of calls; the rest come with the next.
func (s *Store) Settle(ctx context.Context, now time.Time, patience time.Duration) (complete, incomplete int, err error) {
	tx, err := s.begin(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer tx.end(&err)
	calls, err := tx.numbers(`SELECT DISTINCT g.call FROM journals j JOIN gaps g ON g.node = j.node AND g.since >= j.since AND (g.since <= j.until OR j.closed)
		JOIN calls c ON c.org = g.org AND c.n = g.call WHERE `+calllog.Closed+` LIMIT ?`, settleAtOnce)
	if err != nil {
		return 0, 0, err
	}
	for _, n := range calls {
		done, err := tx.settle(n)
		if err != nil {
			return 0, 0, err
		}
		complete += done
		if done == 1 {
			if err := tx.tellSettled(n); err != nil {
				return 0, 0, err
			}
		}
	}
	if _, err := tx.exec(`UPDATE calls SET waits = ? WHERE n IN (SELECT n FROM calls WHERE state = 'settling' AND waits IS NULL LIMIT ?)`,
		now.UnixMicro(), settleAtOnce); err != nil {
		return 0, 0, err
	}
	late, err := tx.numbers("SELECT n FROM calls WHERE state = 'settling' AND waits < ? LIMIT ?", now.Add(-patience).UnixMicro(), settleAtOnce)
	if err != nil {
		return 0, 0, err
	}
	for _, n := range late {
		if _, err := tx.exec("UPDATE calls SET state = 'incomplete', waits = NULL WHERE n = ?", n); err != nil {
			return 0, 0, err
		}
		if err := tx.tellSettled(n); err != nil {
			return 0, 0, err
		}
	}
	return complete, len(late), nil
}

// Prune removes calls.
func (s *Store) Prune(ctx context.Context, org string, before time.Time, limit int) (n int, err error) {
	tx, err := s.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer tx.end(&err)
	org = calllog.Name(org)
	calls, err := tx.numbers("SELECT n FROM calls WHERE org = ? AND started < ? AND ended < ? ORDER BY started, n LIMIT ?",
		org, before.UnixMicro(), before.UnixMicro(), limit)
	if err != nil {
		return 0, err
	}
	for _, n := range calls {
		for _, sql := range []string{"DELETE FROM calls WHERE org = ? AND n = ?", "DELETE FROM events WHERE org = ? AND call = ?",
			"DELETE FROM legs WHERE org = ? AND call = ?", "DELETE FROM tags WHERE org = ? AND call = ?",
			"DELETE FROM why_not WHERE org = ? AND call = ?", "DELETE FROM gaps WHERE org = ? AND call = ?", "DELETE FROM ledger WHERE org = ? AND call = ?"} {
			if _, err := tx.exec(sql, org, n); err != nil {
				return 0, err
			}
		}
	}
	return len(calls), nil
}
