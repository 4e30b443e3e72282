package sqlite

import (
	"context"
	"time"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/calllog"
	"github.com/hookswitch/hookswitch/store/outbox"
)

// Publish names who decides what is told.
func (s *Store) Publish(p store.Publisher) { s.publisher = p }

// tellSettled writes what is to be told of a call that has come into another state without
// a new event.
func (tx *tx) tellSettled(n int64) error {
	if tx.publisher == nil {
		return nil
	}
	found, err := scanCalls(tx.ctx, tx.Tx, "SELECT "+calllog.Names("", calllog.CallColumns)+" FROM calls WHERE n = ?", []any{n})
	if err != nil {
		return err
	}
	for _, row := range found {
		missing, err := gaps(tx.ctx, tx.Tx, row.Org, []int64{n})
		if err != nil {
			return err
		}
		past, err := past(tx.ctx, tx.Tx, row.Org, n)
		if err != nil {
			return err
		}
		c, err := calllog.Whole(row, past, missing[n])
		if err != nil {
			return err
		}
		if err := tx.publish(tx.publisher.Publish(c, nil)); err != nil {
			return err
		}
	}
	return nil
}

// publish writes messages and their deliveries, in the transaction that keeps what they
// tell of. Those of ids that are known are none.
func (tx *tx) publish(messages []store.Message) error {
	told := make(map[[3]string]bool) // organization, call and endpoint
	for _, m := range outbox.Messages(messages) {
		added, err := tx.affected("INSERT INTO messages (org, id, call, type, time, body) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (org, id) DO NOTHING",
			m.Org, m.ID, m.Call, m.Type, m.Time.UnixMicro(), m.Body)
		if err != nil {
			return err
		}
		if added == 0 {
			continue
		}
		for _, to := range m.To {
			place := [3]string{m.Org, m.Call, to}
			if err := tx.deliver(m, to, m.Call != "" && told[place]); err != nil {
				return err
			}
			told[place] = true
		}
	}
	return nil
}

// deliver adds a delivery of a message. One that has to wait for another of its call is due
// when that is done; and looked at before, in case nobody has seen it then.
func (tx *tx) deliver(m store.Message, endpoint string, behind bool) error {
	now := time.Now().UnixMicro()
	due := now
	if behind {
		due += outbox.Wait.Microseconds()
	}
	_, err := tx.exec("INSERT INTO outbox (org, endpoint, message, call, type, resent, created, due) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		m.Org, endpoint, m.ID, m.Call, m.Type, false, now, due)
	return err
}

// Send makes deliveries of a message.
func (s *Store) Send(ctx context.Context, m store.Message) (err error) {
	tx, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer tx.end(&err)
	return tx.publish([]store.Message{m})
}
