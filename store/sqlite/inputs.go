package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/calllog"
)

var (
	newInput    = insertSQL("inputs", calllog.InputColumns)
	someInputs  = "SELECT " + calllog.Names("", calllog.InputColumns) + " FROM inputs WHERE "
	inputsOf    = someInputs + "org = ? AND call = ? AND call <> '' ORDER BY n"
	waitingFor  = "org = ? AND caller = ? AND call = '' AND expires > ? AND received < ?"
	claimedByUs = `INSERT INTO receipts (org, webhook, key, received, receipt) VALUES (?, ?, ?, ?, '')
		ON CONFLICT (org, webhook, key) DO UPDATE SET received = excluded.received WHERE received <= ?`
)

// Receive takes an input in.
func (s *Store) Receive(ctx context.Context, org string, in store.Input) (r store.Receipt, err error) {
	row, err := calllog.NewInput(org, in)
	if err != nil {
		return r, err
	}
	tx, err := s.begin(ctx)
	if err != nil {
		return r, err
	}
	defer tx.end(&err)
	if row.Key == "" {
		return tx.receive(row)
	}
	key := []any{row.Org, row.Webhook, row.Key}
	first, err := tx.affected(claimedByUs, append(key, row.Received.UnixMicro(), row.Received.Add(-calllog.ReceiptLife).UnixMicro())...)
	if err != nil {
		return r, err
	}
	if first == 0 {
		var text []byte
		if err := tx.QueryRowContext(tx.ctx, "SELECT receipt FROM receipts WHERE org = ? AND webhook = ? AND key = ?", key...).Scan(&text); err != nil {
			return r, err
		}
		return calllog.RepeatReceipt(row, text)
	}
	if r, err = tx.receive(row); err != nil {
		return r, err
	}
	text, err := calllog.KeepReceipt(row, r)
	if err != nil {
		return r, err
	}
	_, err = tx.exec("UPDATE receipts SET receipt = ? WHERE org = ? AND webhook = ? AND key = ?", append([]any{text}, key...)...)
	return r, err
}

// receive takes an input in that is no repetition.
func (tx *tx) receive(in *calllog.Input) (r store.Receipt, err error) {
	id := in.Call
	if id == "" {
		query, caller := calllog.OfCaller(in.Caller)
		err = tx.QueryRowContext(tx.ctx, query, append([]any{in.Org, calllog.Since(&in.Input).UnixMicro()}, caller...)...).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) && in.Wait > 0 {
			return calllog.Waits(&in.Input), tx.keep(in)
		}
		if err != nil {
			return r, notFound(err)
		}
	}
	before, err := tx.before(in.Org, id)
	if err != nil {
		return r, err
	}
	if before == nil {
		return r, store.ErrNotFound
	}
	if before.State == store.Open {
		in.Call = id
		return calllog.Bound(&in.Input, id), tx.keep(in)
	}
	waiting, err := tx.inputs(inputsOf, in.Org, id)
	if err != nil {
		return r, err
	}
	r = store.Receipt{ID: in.ID, Call: id}
	_, r.Outcomes, err = tx.conclude(in.Org, id, *before, append(waiting, in.Input), true)
	return r, err
}

// keep writes an input: bound to its call if it names one, else waiting.
func (tx *tx) keep(in *calllog.Input) error {
	var n int
	if err := tx.QueryRowContext(tx.ctx, "SELECT count(*) FROM inputs WHERE org = ? AND call = ? AND (call <> '' OR caller = ?)", in.Org, in.Call, in.Caller).Scan(&n); err != nil {
		return err
	}
	if n >= store.MaxInputs {
		return store.ErrTooMany
	}
	return tx.insertInput(in)
}

// insertInput writes an input under the next number.
func (tx *tx) insertInput(in *calllog.Input) error {
	if err := tx.QueryRowContext(tx.ctx, "UPDATE input_numbers SET n = n + 1 RETURNING n").Scan(&in.N); err != nil {
		return err
	}
	if _, err := tx.exec(newInput, values(calllog.InputColumns, in)...); err != nil || in.Call == "" {
		return err
	}
	now := time.Now()
	_, err := tx.exec("UPDATE inputs SET bound = ?, expires = ? WHERE n = ?", now.UnixMicro(), now.Add(calllog.BoundLife).UnixMicro(), in.N)
	return err
}

// conclude adds to a call that has ended what inputs make of it, removes them, and says
// whether the call has changed and what became of the last of them.
func (tx *tx) conclude(org, id string, before calllog.Before, inputs []store.Input, bounded bool) (bool, []store.Outcome, error) {
	past, err := past(tx.ctx, tx.Tx, org, before.N)
	if err != nil {
		return false, nil, err
	}
	if bounded && past.Full() {
		return false, nil, store.ErrTooMany
	}
	p, outcomes, err := calllog.Conclude(org, id, past, inputs)
	if err != nil {
		return false, nil, err
	}
	if p.Added() {
		row, err := tx.replace(p, before)
		if err != nil {
			return false, nil, err
		}
		if err := tx.writeRest(p, row); err != nil {
			return false, nil, err
		}
	}
	for _, in := range inputs {
		if _, err := tx.exec("DELETE FROM inputs WHERE n = ?", in.N); err != nil {
			return false, nil, err
		}
	}
	return p.Added(), outcomes, nil
}

// bindWaiting binds to a call that the log is told of what waits for its caller.
func (tx *tx) bindWaiting(c *store.Call) error {
	for _, caller := range calllog.CallersOf(c.Caller) {
		if err := tx.bind(c.Org, c.ID, caller, c.Started, calllog.Until(c)); err != nil {
			return err
		}
	}
	return nil
}

// bind binds to a call what waited for its caller when it began, and came before it ended.
func (tx *tx) bind(org, id, caller string, began, ended time.Time) error {
	rows, err := scan(tx.ctx, tx.Tx, calllog.InputColumns, calllog.EmptyInput, someInputs+waitingFor+" ORDER BY n", org, caller, began.UnixMicro(), ended.UnixMicro())
	if err != nil {
		return err
	}
	for _, in := range rows {
		if _, err := tx.exec("DELETE FROM inputs WHERE n = ?", in.N); err != nil {
			return err
		}
		in.Call = id
		if err := tx.insertInput(in); err != nil {
			return err
		}
	}
	return nil
}

// Join binds what waits for a caller, and returns what is bound to the call.
func (s *Store) Join(ctx context.Context, org, id, caller string) ([]store.Input, error) {
	org, id, caller = calllog.Name(org), calllog.Name(id), calllog.PlainCaller(caller)
	now := time.Now()
	var waiting bool
	if caller != "" {
		if err := s.read.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM inputs WHERE "+waitingFor+")", org, caller, now.UnixMicro(), calllog.Forever.UnixMicro()).Scan(&waiting); err != nil {
			return nil, err
		}
	}
	if waiting { // rarely: a call that begins waits for no write
		if err := s.joinWaiting(ctx, org, id, caller, now); err != nil {
			return nil, err
		}
	}
	inputs, err := inputs(ctx, s.read, inputsOf, org, id)
	return calllog.ForNodes(inputs), err
}

func (s *Store) joinWaiting(ctx context.Context, org, id, caller string, now time.Time) (err error) {
	tx, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer tx.end(&err)
	return tx.bind(org, id, caller, now, calllog.Forever)
}

// Arrivals lists inputs that were bound of late.
func (s *Store) Arrivals(ctx context.Context, within time.Duration) ([]store.Input, error) {
	inputs, err := inputs(ctx, s.read, someInputs+"call <> '' AND bound > ? ORDER BY n", time.Now().Add(-within).UnixMicro())
	return calllog.ForNodes(inputs), err
}

func (tx *tx) inputs(query string, args ...any) ([]store.Input, error) {
	return inputs(tx.ctx, tx.Tx, query, args...)
}

func inputs(ctx context.Context, from reader, query string, args ...any) ([]store.Input, error) {
	rows, err := scan(ctx, from, calllog.InputColumns, calllog.EmptyInput, query, args...)
	if err != nil {
		return nil, err
	}
	return calllog.Inputs(rows)
}

const endedWithInputs = `SELECT DISTINCT c.org, c.id FROM inputs i JOIN calls c ON c.org = i.org AND c.id = i.call
	WHERE i.call <> '' AND c.state <> 'open' LIMIT ?`

// Conclude applies to calls that have ended what is bound to them.
func (s *Store) Conclude(ctx context.Context, now time.Time) (changed int, err error) {
	if err := s.expire(ctx, now); err != nil {
		return 0, err
	}
	rows, err := s.read.QueryContext(ctx, endedWithInputs, calllog.ConcludeAtOnce)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	type key struct{ org, id string }
	var ended []key
	for rows.Next() {
		var k key
		if err := rows.Scan(&k.org, &k.id); err != nil {
			return 0, err
		}
		ended = append(ended, k)
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	var failed error
	for _, k := range ended {
		done, err := s.concludeCall(ctx, k.org, k.id)
		if failed = errors.Join(failed, err); done {
			changed++
		}
	}
	return changed, failed
}

func (s *Store) concludeCall(ctx context.Context, org, id string) (changed bool, err error) {
	tx, err := s.begin(ctx)
	if err != nil {
		return false, err
	}
	defer tx.end(&err)
	before, err := tx.before(org, id)
	if err != nil || before == nil {
		return false, err
	}
	inputs, err := tx.inputs(inputsOf, org, id)
	if err != nil || len(inputs) == 0 {
		return false, err
	}
	changed, _, err = tx.conclude(org, id, *before, inputs, false)
	return changed, err
}

// expire removes inputs that waited for too long, and old receipts. It writes nothing
// where there are none.
func (s *Store) expire(ctx context.Context, now time.Time) error {
	old, oldReceipt := now.UnixMicro(), now.Add(-calllog.ReceiptLife).UnixMicro()
	var some bool
	if err := s.read.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM inputs WHERE expires <= ?) OR EXISTS (SELECT 1 FROM receipts WHERE received <= ?)", old, oldReceipt).Scan(&some); err != nil || !some {
		return err
	}
	return inTx(ctx, s.write, func(tx *sql.Tx) error {
		_, err1 := tx.ExecContext(ctx, "DELETE FROM inputs WHERE expires <= ?", old)
		_, err2 := tx.ExecContext(ctx, "DELETE FROM receipts WHERE received <= ?", oldReceipt)
		return errors.Join(err1, err2)
	})
}

func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return store.ErrNotFound
	}
	return err
}
