package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/calllog"
)

var (
	selectInputs = "SELECT " + calllog.Names("i.", calllog.InputColumns) + " FROM inputs i WHERE "
	inputsOf     = selectInputs + "i.org = $1 AND i.call = $2 AND i.call <> '' ORDER BY i.n"
)

const (
	// claimKey waits for another transaction that has the key, until it ends.
	claimKey = `INSERT INTO receipts (org, webhook, key, received, receipt) VALUES ($1, $2, $3, $4, '')
ON CONFLICT (org, webhook, key) DO UPDATE SET received = excluded.received WHERE receipts.received <= $5`

	lockCall = "SELECT n, state, waits FROM calls WHERE org = $1 AND id = $2 FOR UPDATE"

	// bound is what is set of an input that is bound to a call. It gets a new number:
	// the inputs of a call are in the order in which they were bound to it.
	bound = "n = nextval('input_numbers'), bound = clock_timestamp(), expires = now() + $1::interval"
)

// Receive takes an input in.
func (s *Store) Receive(ctx context.Context, org string, in store.Input) (r store.Receipt, err error) {
	row, err := calllog.NewInput(org, in)
	if err != nil {
		return r, err
	}
	err = s.inTx(ctx, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, "BEGIN"); err != nil {
			return err
		}
		if r, err = s.once(ctx, conn, row); err != nil {
			return err
		}
		_, err := conn.Exec(ctx, "COMMIT")
		return err
	})
	if err != nil {
		return store.Receipt{}, err
	}
	return r, nil
}

// once takes an input in, or returns the receipt of the one that it repeats.
func (s *Store) once(ctx context.Context, conn *pgx.Conn, in *calllog.Input) (r store.Receipt, err error) {
	if in.Key == "" {
		return s.receive(ctx, conn, in)
	}
	first, err := conn.Exec(ctx, claimKey, in.Org, in.Webhook, in.Key, in.Received, in.Received.Add(-calllog.ReceiptLife))
	if err != nil {
		return r, err
	}
	if first.RowsAffected() == 0 {
		var text []byte
		if err := conn.QueryRow(ctx, "SELECT receipt FROM receipts WHERE org = $1 AND webhook = $2 AND key = $3", in.Org, in.Webhook, in.Key).Scan(&text); err != nil {
			return r, err
		}
		return calllog.RepeatReceipt(in, text)
	}
	if r, err = s.receive(ctx, conn, in); err != nil {
		return r, err
	}
	text, err := calllog.KeepReceipt(in, r)
	if err != nil {
		return r, err
	}
	_, err = conn.Exec(ctx, "UPDATE receipts SET receipt = $4 WHERE org = $1 AND webhook = $2 AND key = $3", in.Org, in.Webhook, in.Key, text)
	return r, err
}

// receive takes an input in that is no repetition.
func (s *Store) receive(ctx context.Context, conn *pgx.Conn, in *calllog.Input) (r store.Receipt, err error) {
	id := in.Call
	if id == "" {
		query, caller := calllog.OfCaller(in.Caller)
		err = conn.QueryRow(ctx, query, append([]any{in.Org, calllog.Since(&in.Input)}, caller...)...).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) && in.Wait > 0 {
			return calllog.Waits(&in.Input), keep(ctx, conn, in)
		}
		if err != nil {
			return r, notFound(err)
		}
	}
	var before calllog.Before
	if err := conn.QueryRow(ctx, lockCall, in.Org, id).Scan(&before.N, (*string)(&before.State), &before.Waits); err != nil {
		return r, notFound(err)
	}
	if before.State == store.Open {
		in.Call = id
		return calllog.Bound(&in.Input, id), keep(ctx, conn, in)
	}
	waiting, err := inputs(ctx, conn, inputsOf, in.Org, id)
	if err != nil {
		return r, err
	}
	r = store.Receipt{ID: in.ID, Call: id}
	_, r.Outcomes, err = s.conclude(ctx, conn, key{in.Org, id}, before, append(waiting, in.Input), true)
	return r, err
}

// keep writes an input: bound to its call if it names one, else waiting.
func keep(ctx context.Context, conn *pgx.Conn, in *calllog.Input) error {
	var n int
	if err := conn.QueryRow(ctx, `SELECT nextval('input_numbers'), (SELECT count(*) FROM inputs WHERE org = $1 AND call = '' AND caller = $2 AND $3 = '')
		+ (SELECT count(*) FROM inputs WHERE org = $1 AND call <> '' AND call = $3)`, in.Org, in.Caller, in.Call).Scan(&in.N, &n); err != nil {
		return err
	}
	if n >= store.MaxInputs {
		return store.ErrTooMany
	}
	var out pgx.Batch
	insert(&out, "inputs", calllog.InputColumns, []*calllog.Input{in}, false)
	if in.Call != "" {
		out.Queue("UPDATE inputs SET bound = clock_timestamp(), expires = now() + $1::interval WHERE n = $2", calllog.BoundLife, in.N)
	}
	return conn.SendBatch(ctx, &out).Close()
}

// conclude adds to a call that has ended, and is locked, what inputs make of it, removes
// them, and says whether the call has changed and what became of the last of them.
func (s *Store) conclude(ctx context.Context, conn *pgx.Conn, of key, before calllog.Before, inputs []store.Input, bounded bool) (bool, []store.Outcome, error) {
	past, err := pasts(ctx, conn, []string{of.org}, []int64{before.N})
	if err != nil {
		return false, nil, err
	}
	if bounded && past[before.N].Full() {
		return false, nil, store.ErrTooMany
	}
	p, outcomes, err := calllog.Conclude(of.org, of.id, past[before.N], inputs)
	if err != nil {
		return false, nil, err
	}
	out := new(pgx.Batch)
	if p.Added() {
		parts, calls := []*calllog.Part{p}, []int64{before.N}
		if out, err = rewrite(parts, map[key]calllog.Before{of: before}, calls, []string{of.org}, calls); err != nil {
			return false, nil, err
		}
		if out, err = s.tell(ctx, conn, out, parts); err != nil {
			return false, nil, err
		}
	}
	var done []int64
	for _, in := range inputs {
		done = append(done, in.N)
	}
	out.Queue("DELETE FROM inputs WHERE n = ANY ($1)", done)
	return p.Added(), outcomes, conn.SendBatch(ctx, out).Close()
}

// bindWaiting queues what binds to calls of which parts tell the beginning what waits for
// their callers: what waited when they began, and came before they ended.
func bindWaiting(out *pgx.Batch, parts []*calllog.Part, calls []*calllog.Call) {
	var orgs, ids, callers []string
	var began, ended []time.Time
	for i, c := range calls {
		if !parts[i].Starts() {
			continue
		}
		for _, caller := range calllog.CallersOf(c.Caller) {
			orgs, ids, callers = append(orgs, c.Org), append(ids, c.ID), append(callers, caller)
			began, ended = append(began, c.Started), append(ended, calllog.Until(c.Call))
		}
	}
	if len(orgs) > 0 {
		out.Queue("UPDATE inputs i SET call = k.call, "+bound+` FROM unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[]) AS k (org, call, caller, began, ended)
			WHERE i.org = k.org AND i.caller = k.caller AND i.call = '' AND i.expires > k.began AND i.received < k.ended`,
			calllog.BoundLife, orgs, ids, callers, began, ended)
	}
}

// Join binds what waits for a caller, and returns what is bound to the call.
func (s *Store) Join(ctx context.Context, org, id, caller string) (list []store.Input, err error) {
	org, id, caller = calllog.Name(org), calllog.Name(id), calllog.PlainCaller(caller)
	var ask pgx.Batch
	ask.Queue("UPDATE inputs SET call = $3, "+bound+" WHERE org = $2 AND caller = $4 AND caller <> '' AND call = '' AND expires > now()", calllog.BoundLife, org, id, caller)
	ask.Queue(inputsOf, org, id).Query(func(rows pgx.Rows) (err error) {
		list, err = collect(rows)
		return err
	})
	if err := s.pool.SendBatch(ctx, &ask).Close(); err != nil {
		return nil, err
	}
	return calllog.ForNodes(list), nil
}

// Arrivals lists inputs that were bound of late.
func (s *Store) Arrivals(ctx context.Context, within time.Duration) ([]store.Input, error) {
	rows, err := s.pool.Query(ctx, selectInputs+"i.call <> '' AND i.bound > now() - $1::interval ORDER BY i.n", within)
	if err != nil {
		return nil, err
	}
	list, err := collect(rows)
	return calllog.ForNodes(list), err
}

func inputs(ctx context.Context, conn *pgx.Conn, query string, args ...any) ([]store.Input, error) {
	rows, err := conn.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows)
}

func collect(rows pgx.Rows) ([]store.Input, error) {
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*calllog.Input, error) {
		return scan(row, calllog.InputColumns, calllog.EmptyInput())
	})
	if err != nil {
		return nil, err
	}
	return calllog.Inputs(all)
}

// bindMissed binds to open calls what an Append and a Receive at the same moment did not
// see of each other. The forms of a caller are those of calllog.OfCaller.
const bindMissed = "UPDATE inputs i SET call = c.id, " + bound + ` FROM calls c
WHERE i.call = '' AND i.received > $2 AND c.org = i.org AND c.caller <> '+' || substr(i.caller, 2)
	AND ltrim(c.caller, '+') = ANY (ARRAY[i.caller, '00' || i.caller, '011' || i.caller, CASE WHEN i.caller ~ '^1[2-9][0-9]{2}[2-9][0-9]{6}$' THEN substr(i.caller, 2) END])
	AND c.state = 'open' AND c.started < i.expires`

// Conclude applies to calls that have ended what is bound to them. Calls that somebody
// else writes at this moment are left to him.
func (s *Store) Conclude(ctx context.Context, now time.Time) (changed int, err error) {
	var ended []key
	var out pgx.Batch
	out.Queue("DELETE FROM inputs WHERE expires <= $1", now)
	out.Queue("DELETE FROM receipts WHERE received <= $1", now.Add(-calllog.ReceiptLife))
	out.Queue(bindMissed, calllog.BoundLife, now.Add(-time.Minute))
	out.Queue("SELECT DISTINCT c.org, c.id FROM inputs i JOIN calls c ON c.org = i.org AND c.id = i.call WHERE i.call <> '' AND c.state <> 'open' LIMIT $1", calllog.ConcludeAtOnce).
		Query(func(rows pgx.Rows) error {
			var k key
			_, err := pgx.ForEachRow(rows, []any{&k.org, &k.id}, func() error {
				ended = append(ended, k)
				return nil
			})
			return err
		})
	if err := s.pool.SendBatch(ctx, &out).Close(); err != nil {
		return 0, err
	}
	var failed error
	for _, k := range ended {
		done, err := s.concludeCall(ctx, k)
		if failed = errors.Join(failed, err); done {
			changed++
		}
	}
	return changed, failed
}

func (s *Store) concludeCall(ctx context.Context, of key) (changed bool, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var before calllog.Before
		err := tx.QueryRow(ctx, lockCall+" SKIP LOCKED", of.org, of.id).Scan(&before.N, (*string)(&before.State), &before.Waits)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		waiting, err := inputs(ctx, tx.Conn(), inputsOf, of.org, of.id)
		if err != nil || len(waiting) == 0 {
			return err
		}
		changed, _, err = s.conclude(ctx, tx.Conn(), of, before, waiting, false)
		return err
	})
	return changed && err == nil, err
}

func notFound(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return store.ErrNotFound
	}
	return err
}
