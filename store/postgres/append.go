package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/calllog"
)

// Append takes a batch in with two round trips; with a third when the log has an earlier
// part of one of its calls.
func (s *Store) Append(ctx context.Context, b store.Batch) error {
	together := func(conn *pgx.Conn) error { return s.appendBatch(ctx, conn, b) }
	err := s.inTx(ctx, together)
	for range 3 { // another node began one of the calls just now; the next time it is found
		if isCode(err, "23505") {
			err = s.inTx(ctx, together)
		}
	}
	if !unfit(err) {
		return err
	}
	var rejected []store.Rejected
	if err := s.inTx(ctx, func(conn *pgx.Conn) (err error) {
		rejected, err = s.appendFit(ctx, conn, b)
		return err
	}); err != nil || len(rejected) == 0 {
		return err
	}
	return &store.RejectedError{Calls: rejected}
}

// appendBatch takes in all calls together.
func (s *Store) appendBatch(ctx context.Context, conn *pgx.Conn, b store.Batch) error {
	parts := calllog.Split(b.Lines)
	found, numbers, err := begin(ctx, conn, b, parts)
	if err != nil {
		return err
	}
	out, err := write(ctx, conn, parts, found, numbers)
	if err == nil {
		out, err = s.tell(ctx, conn, out, parts)
	}
	if err != nil {
		return err
	}
	out.Queue("COMMIT")
	return conn.SendBatch(ctx, out).Close()
}

// appendFit takes in the calls that can be, and sets aside the others.
func (s *Store) appendFit(ctx context.Context, conn *pgx.Conn, b store.Batch) ([]store.Rejected, error) {
	parts := calllog.Split(b.Lines)
	found, numbers, err := begin(ctx, conn, b, parts)
	if err != nil {
		return nil, err
	}
	rejected, err := s.appendParts(ctx, conn, b, parts, found, numbers)
	if err != nil {
		return nil, err
	}
	_, err = conn.Exec(ctx, "COMMIT")
	return rejected, err
}

// appendParts takes in calls together; where that fails because of what they hold, each half
// of them by itself, so that it takes a few steps to find one among thousands.
func (s *Store) appendParts(ctx context.Context, conn *pgx.Conn, b store.Batch, parts []*calllog.Part, found map[key]calllog.Before, numbers []int64) ([]store.Rejected, error) {
	if _, err := conn.Exec(ctx, "SAVEPOINT parts"); err != nil {
		return nil, err
	}
	out, err := write(ctx, conn, parts, found, numbers)
	if err == nil {
		out, err = s.tell(ctx, conn, out, parts)
	}
	if err == nil {
		out.Queue("RELEASE parts")
		err = conn.SendBatch(ctx, out).Close()
	}
	if !unfit(err) {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "ROLLBACK TO parts; RELEASE parts"); err != nil {
		return nil, err
	}
	if len(parts) == 1 {
		p := parts[0]
		_, failed := conn.Exec(ctx, "INSERT INTO rejected (org, id, journal, until, reason, lines) VALUES ($1, $2, $3, $4, $5, $6)",
			p.Org, p.ID, b.Journal, b.Until, calllog.Text(err.Error()), p.Raw())
		return []store.Rejected{{Org: p.Org, ID: p.ID, Err: err}}, failed
	}
	half := len(parts) / 2
	rejected, err := s.appendParts(ctx, conn, b, parts[:half], found, numbers[:half])
	if err != nil {
		return nil, err
	}
	more, err := s.appendParts(ctx, conn, b, parts[half:], found, numbers[half:])
	return append(rejected, more...), err
}

// inTx runs f, which commits, on a connection; one that is left in the middle of a
// transaction is not used again.
func (s *Store) inTx(ctx context.Context, f func(*pgx.Conn) error) error {
	c, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	err = f(c.Conn())
	if c.Conn().PgConn().TxStatus() != 'I' && !c.Conn().IsClosed() {
		if _, rollback := c.Exec(ctx, "ROLLBACK"); err == nil {
			err = rollback
		}
	}
	return err
}

const moveSQL = `
INSERT INTO journals (journal, node, segment, "offset", until, since, closed)
SELECT $1, $2, $5, $6, $7, $8, $9
WHERE $3 = 0 AND $4 = 0 OR EXISTS (SELECT FROM journals WHERE journal = $1)
ON CONFLICT (journal) DO UPDATE
SET node = excluded.node, segment = excluded.segment, "offset" = excluded."offset", until = excluded.until, closed = excluded.closed
WHERE journals.segment = $3 AND journals."offset" = $4`

// lockSQL asks call by call, in their order: so no two transactions lock them in
// different orders, and no plan reads all calls to find a few.
const lockSQL = `
SELECT k.org, k.id, c.n, c.state, c.waits FROM unnest($1::text[], $2::text[]) AS k (org, id)
CROSS JOIN LATERAL (SELECT n, state, waits FROM calls WHERE calls.org = k.org AND calls.id = k.id FOR UPDATE) AS c`

type key struct{ org, id string }

// begin begins a transaction, moves the journal's position, locks the calls that the log
// has, and returns them, and a number for each of the others.
func begin(ctx context.Context, conn *pgx.Conn, b store.Batch, parts []*calllog.Part) (map[key]calllog.Before, []int64, error) {
	var in pgx.Batch
	in.Queue("BEGIN")
	moved := false
	in.Queue(moveSQL, b.Journal, b.Node, b.From.Segment, b.From.Offset, b.To.Segment, b.To.Offset, b.Until, b.Since(), b.Closed).
		Exec(func(tag pgconn.CommandTag) error {
			moved = tag.RowsAffected() == 1
			return nil
		})
	found := make(map[key]calllog.Before)
	var numbers []int64
	if len(parts) > 0 {
		orgs, ids := make([]string, len(parts)), make([]string, len(parts))
		for i, p := range parts {
			orgs[i], ids[i] = p.Org, p.ID
		}
		// The plan must be that of the tables as they are now, not as they were when the
		// connection was new and they were empty.
		in.Queue("SET LOCAL plan_cache_mode = force_custom_plan")
		in.Queue(lockSQL, orgs, ids).Query(func(rows pgx.Rows) error {
			var k key
			var c calllog.Before
			_, err := pgx.ForEachRow(rows, []any{&k.org, &k.id, &c.N, (*string)(&c.State), &c.Waits}, func() error {
				found[k] = c
				c.Waits = nil
				return nil
			})
			return err
		})
		in.Queue("SELECT nextval('call_numbers') FROM generate_series(1, $1)", len(parts)).Query(func(rows pgx.Rows) (err error) {
			numbers, err = pgx.CollectRows(rows, pgx.RowTo[int64])
			return err
		})
	}
	if err := conn.SendBatch(ctx, &in).Close(); err != nil {
		return nil, nil, err
	}
	if !moved {
		have, err := position(ctx, conn, b.Journal)
		if err != nil {
			return nil, nil, err
		}
		return nil, nil, &store.PositionError{Have: have}
	}
	return found, numbers, nil
}

// write returns the commands that write the parts' calls. It reads what the log has of
// those that it has.
func write(ctx context.Context, conn *pgx.Conn, parts []*calllog.Part, found map[key]calllog.Before, numbers []int64) (*pgx.Batch, error) {
	var earlier []int64
	var orgs []string
	for i, p := range parts {
		if before, ok := found[key{p.Org, p.ID}]; ok {
			numbers[i] = before.N
			orgs, earlier = append(orgs, p.Org), append(earlier, before.N)
		}
	}
	if len(earlier) > 0 {
		past, err := pasts(ctx, conn, orgs, earlier)
		if err != nil {
			return nil, err
		}
		for i, p := range parts {
			if _, ok := found[key{p.Org, p.ID}]; ok {
				p.Merge(past[numbers[i]])
			}
		}
	}
	return rewrite(parts, found, numbers, orgs, earlier)
}

// rewrite returns the commands that write the calls of parts of which all earlier ones
// are known; those that are in the log are listed.
func rewrite(parts []*calllog.Part, found map[key]calllog.Before, numbers []int64, orgs []string, earlier []int64) (*pgx.Batch, error) {
	out := new(pgx.Batch)
	if len(earlier) > 0 {
		for _, table := range []string{"legs", "tags", "why_not", "gaps"} {
			out.Queue("DELETE FROM "+table+" USING unnest($1::text[], $2::bigint[]) AS k (org, call) WHERE "+table+".org = k.org AND "+table+".call = k.call", orgs, earlier)
		}
	}
	var rows calllog.Rows
	for i, p := range parts {
		c, err := p.Project()
		if err != nil {
			return nil, err
		}
		before := found[key{p.Org, p.ID}]
		before.N = numbers[i]
		rows.Add(p, calllog.NewCall(c, before))
	}
	insert(out, "calls", calllog.CallColumns, rows.Calls, len(earlier) > 0)
	insert(out, "events", calllog.ChunkColumns, rows.Chunks, false)
	insert(out, "legs", calllog.LegColumns, rows.Legs, false)
	insert(out, "tags", calllog.TagColumns, rows.Tags, false)
	insert(out, "why_not", calllog.WhyNotColumns, rows.WhyNots, false)
	insert(out, "gaps", calllog.GapColumns, rows.Gaps, false)
	insert(out, "ledger", calllog.EntryColumns, rows.Ledger, false)
	bindWaiting(out, parts, rows.Calls)
	if len(rows.Gaps) > 0 {
		orgs, calls := make([]string, 0, len(rows.Gaps)), make([]int64, 0, len(rows.Gaps))
		for _, g := range rows.Gaps {
			orgs, calls = append(orgs, g.Org), append(calls, g.N)
		}
		settle(out, orgs, calls)
	}
	return out, nil
}

// insert queues an insert of all rows, a column an array. With replace, calls take the
// place of those with their number.
func insert[R any](out *pgx.Batch, table string, columns []calllog.Column[R], rows []R, replace bool) {
	if len(rows) == 0 {
		return
	}
	var names, types, set []string
	var args []any
	for i, c := range columns {
		array, arg := gather(c, rows)
		names = append(names, c.Name)
		types = append(types, fmt.Sprintf("$%d::%s[]", i+1, array))
		args = append(args, arg)
		if i >= calllog.KeyColumns {
			set = append(set, c.Name+" = excluded."+c.Name)
		}
	}
	list := strings.Join(names, ", ")
	sql := "INSERT INTO " + table + " (" + list + ") SELECT * FROM unnest(" + strings.Join(types, ", ") + ")"
	if replace {
		sql += " ON CONFLICT (org, n) DO UPDATE SET " + strings.Join(set, ", ")
	}
	out.Queue(sql, args...)
}

// gather returns the values of a column, and what PostgreSQL calls their type.
func gather[R any](c calllog.Column[R], rows []R) (string, any) {
	switch c.Field(rows[0]).(type) {
	case *string:
		return "text", values[string](c, rows)
	case **string:
		return "text", values[*string](c, rows)
	case *int:
		return "bigint", values[int](c, rows)
	case *int64:
		return "bigint", values[int64](c, rows)
	case *bool:
		return "boolean", values[bool](c, rows)
	case *[]byte:
		return "bytea", values[[]byte](c, rows)
	case *time.Time:
		return "timestamptz", values[time.Time](c, rows)
	case **int64:
		return "bigint", values[*int64](c, rows)
	case **bool:
		return "boolean", values[*bool](c, rows)
	}
	return "timestamptz", values[*time.Time](c, rows)
}

func values[V, R any](c calllog.Column[R], rows []R) []V {
	list := make([]V, len(rows))
	for i, r := range rows {
		list[i] = *c.Field(r).(*V)
	}
	return list
}

// isCode says whether PostgreSQL failed with a code.
func isCode(err error, code string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == code
}

// unfit says whether a batch failed because of what it holds, so that it would fail
// again: data exceptions, broken constraints, limits of the program, and records that
// cannot be made.
func unfit(err error) bool {
	var bad *calllog.ProjectError
	var pg *pgconn.PgError
	return errors.As(err, &bad) || errors.As(err, &pg) && slices.Contains([]string{"22", "23", "54"}, pg.Code[:2])
}

// Position returns up to where a journal was taken in.
func (s *Store) Position(ctx context.Context, journal string) (p store.Position, err error) {
	err = s.inTx(ctx, func(conn *pgx.Conn) error {
		p, err = position(ctx, conn, journal)
		return err
	})
	return p, err
}

// Journals lists those of a node.
func (s *Store) Journals(ctx context.Context, node string) (all []store.Journal, err error) {
	rows, err := s.pool.Query(ctx, "SELECT journal, until, closed FROM journals WHERE node = $1 ORDER BY until DESC, journal LIMIT 100", node)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[store.Journal])
}

func position(ctx context.Context, conn *pgx.Conn, journal string) (p store.Position, err error) {
	err = conn.QueryRow(ctx, `SELECT segment, "offset" FROM journals WHERE journal = $1`, journal).Scan(&p.Segment, &p.Offset)
	if errors.Is(err, pgx.ErrNoRows) {
		return store.Position{}, nil
	}
	return p, err
}
