package sqlite

import (
	"cmp"
	"context"
	"time"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/calllog"
	"github.com/hookswitch/hookswitch/store/outbox"
)

// Finish enters what became of attempts.
func (s *Store) Finish(ctx context.Context, attempts []store.Attempt) (stale []int64, err error) {
	if len(attempts) == 0 {
		return nil, nil
	}
	tx, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer tx.end(&err)
	for i := range attempts {
		entered, err := tx.finish(&attempts[i])
		if err != nil {
			return nil, err
		}
		if !entered {
			stale = append(stale, attempts[i].N)
		}
	}
	for _, h := range outbox.Healths(attempts) {
		var failing any
		if h.Failing != nil {
			failing = h.Failing.UnixMicro()
		}
		if h.Worked {
			_, err = tx.exec("UPDATE lanes SET failing = ? WHERE org = ? AND endpoint = ?", failing, h.Lane.Org, h.Lane.Endpoint)
		}
		if err == nil && h.Failing != nil {
			_, err = tx.exec(`INSERT INTO lanes (org, endpoint, failing) VALUES (?, ?, ?)
				ON CONFLICT (org, endpoint) DO UPDATE SET failing = excluded.failing WHERE failing IS NULL`, h.Lane.Org, h.Lane.Endpoint, failing)
		}
		if err != nil {
			return nil, err
		}
	}
	return stale, nil
}

// finish enters one attempt, and says whether its lease counts.
func (tx *tx) finish(a *store.Attempt) (entered bool, err error) {
	var due, first any
	if a.State == store.Pending {
		due = a.Due.UnixMicro()
	}
	reason := calllog.Text(a.Error)
	if a.Try > 0 { // else it was dropped without one
		first = a.At.UnixMicro()
		if _, err := tx.exec(`INSERT INTO attempts (org, delivery, at, token, try, node, took_ns, request, response, error, state, due)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`, a.Org, a.N, first, a.Token, a.Try, a.Node, int64(a.Took),
			outbox.Exchange(a.Request), outbox.Exchange(a.Response), reason, string(a.State), due); err != nil {
			return false, err
		}
	}
	now := time.Now().UnixMicro()
	if a.State == store.Pending {
		n, err := tx.affected(`UPDATE outbox SET due = ?, until = NULL, node = '', tries = ?, first = coalesce(first, ?), status = ?, error = ? WHERE n = ? AND org = ? AND token = ?`,
			due, a.Try, first, a.Response.Status, reason, a.N, a.Org, a.Token)
		if err != nil || n == 0 {
			return false, err
		}
		// What it holds up is due when it does so no longer.
		_, err = tx.exec(`UPDATE outbox AS f SET due = max(h.first + ?1, ?3) FROM (SELECT org, n, call, endpoint, first FROM outbox WHERE n = ?2) AS h
			WHERE h.call <> '' AND f.org = h.org AND f.call = h.call AND f.endpoint = h.endpoint AND f.n > h.n AND f.first IS NULL AND f.until IS NULL
			AND (f.due < h.first + ?1 AND h.first + ?1 > ?3 OR f.due > ?3 AND h.first + ?1 <= ?3)`, store.Hold.Microseconds(), a.N, now)
		return true, err
	}
	n, err := tx.affected(`INSERT INTO deliveries (org, n, endpoint, message, call, type, resent, created, state, tries, first, status, error, done)
		SELECT org, n, endpoint, message, call, type, resent, created, ?, max(tries, ?), coalesce(first, ?), ?, ?, ? FROM outbox WHERE n = ? AND org = ? AND token = ?`,
		string(a.State), a.Try, first, a.Response.Status, reason, now, a.N, a.Org, a.Token)
	if err != nil || n == 0 {
		return false, err
	}
	// The one that waits for it is due.
	_, err1 := tx.exec(`UPDATE outbox AS f SET due = ?1 FROM (SELECT org, n, call, endpoint FROM outbox WHERE n = ?2) AS h
		WHERE h.call <> '' AND f.org = h.org AND f.due > ?1
		AND f.n = (SELECT min(x.n) FROM outbox x WHERE x.org = h.org AND x.call = h.call AND x.endpoint = h.endpoint AND x.n > h.n AND x.first IS NULL AND x.until IS NULL)`, now, a.N)
	_, err2 := tx.exec("DELETE FROM outbox WHERE n = ?", a.N)
	return true, cmp.Or(err1, err2)
}
