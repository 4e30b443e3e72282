package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/calllog"
)

// Append takes a batch in.
func (s *Store) Append(ctx context.Context, b store.Batch) error {
	_, err := s.appendBatch(ctx, b, false)
	if !unfit(err) {
		return err
	}
	rejected, err := s.appendBatch(ctx, b, true)
	if err != nil || len(rejected) == 0 {
		return err
	}
	return &store.RejectedError{Calls: rejected}
}

const moveSQL = `
INSERT INTO journals (journal, node, segment, "offset", until, since, closed)
SELECT $1, $2, $5, $6, $7, $8, $9
WHERE $3 = 0 AND $4 = 0 OR EXISTS (SELECT 1 FROM journals WHERE journal = $1)
ON CONFLICT (journal) DO UPDATE
SET node = excluded.node, segment = excluded.segment, "offset" = excluded."offset", until = excluded.until, closed = excluded.closed
WHERE journals.segment = $3 AND journals."offset" = $4`

// appendBatch takes in all calls together; with singly it sets aside those that cannot be
// taken in.
func (s *Store) appendBatch(ctx context.Context, b store.Batch, singly bool) (rejected []store.Rejected, err error) {
	tx, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer tx.end(&err)
	moved, err := tx.affected(moveSQL, b.Journal, b.Node, b.From.Segment, b.From.Offset, b.To.Segment, b.To.Offset,
		b.Until.UnixMicro(), b.Since().UnixMicro(), b.Closed)
	if err != nil {
		return nil, err
	}
	if moved == 0 {
		have, err := position(tx.ctx, tx.Tx, b.Journal)
		return nil, cmp.Or(err, error(&store.PositionError{Have: have}))
	}
	for _, p := range calllog.Split(b.Lines) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if singly {
			err = tx.orReject(b, p, &rejected)
		} else {
			err = tx.write(p)
		}
		if err != nil {
			return nil, err
		}
	}
	return rejected, nil
}

// orReject writes a call, or sets aside what the batch holds of it.
func (tx *tx) orReject(b store.Batch, p *calllog.Part, rejected *[]store.Rejected) error {
	if _, err := tx.exec("SAVEPOINT call"); err != nil {
		return err
	}
	failed := tx.write(p)
	if failed == nil {
		_, err := tx.exec("RELEASE call")
		return err
	}
	if !unfit(failed) {
		return failed
	}
	*rejected = append(*rejected, store.Rejected{Org: p.Org, ID: p.ID, Err: failed})
	if _, err := tx.exec("ROLLBACK TO call"); err != nil {
		return err
	}
	_, err := tx.exec("INSERT INTO rejected (org, id, journal, until, reason, lines) VALUES (?, ?, ?, ?, ?, ?)",
		p.Org, p.ID, b.Journal, b.Until.UnixMicro(), calllog.Text(failed.Error()), p.Raw())
	return err
}

var (
	newCall     = insertSQL("calls", calllog.CallColumns) + " ON CONFLICT (org, id) DO NOTHING"
	replaceCall = insertSQL("calls", calllog.CallColumns) + " ON CONFLICT (n) DO UPDATE SET " + excluded(calllog.CallColumns[calllog.KeyColumns:])
	newChunk    = insertSQL("events", calllog.ChunkColumns)
	newLeg      = replaceSQL("legs", calllog.LegColumns)
	newTag      = replaceSQL("tags", calllog.TagColumns)
	newWhyNot   = insertSQL("why_not", calllog.WhyNotColumns)
	newGap      = insertSQL("gaps", calllog.GapColumns)
	newEntry    = insertSQL("ledger", calllog.EntryColumns)
)

// write writes the call of a part. Most calls that begin in a batch are new, and found to
// be so by writing them.
func (tx *tx) write(p *calllog.Part) error {
	write := []func(*calllog.Part) (*calllog.Call, error){tx.add, tx.rewrite}
	if !p.Begins() {
		slices.Reverse(write)
	}
	row, err := write[0](p)
	if err == nil && row == nil {
		row, err = write[1](p)
	}
	if err != nil {
		return err
	}
	if err := tx.writeRest(p, row); err != nil || !p.Starts() {
		return err
	}
	return tx.bindWaiting(row.Call)
}

// add writes a call that is new; nil if it is not.
func (tx *tx) add(p *calllog.Part) (*calllog.Call, error) {
	c, err := p.Project()
	if err != nil {
		return nil, err
	}
	row := calllog.NewCall(c, calllog.Before{})
	done, err := tx.exec(newCall, values(calllog.CallColumns, row)...)
	if err != nil {
		return nil, err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return nil, err
	}
	row.N, err = done.LastInsertId()
	return row, err
}

// rewrite writes a call again of which the log has an earlier part; nil if it has none.
func (tx *tx) rewrite(p *calllog.Part) (*calllog.Call, error) {
	before, err := tx.before(p.Org, p.ID)
	if err != nil || before == nil {
		return nil, err
	}
	past, err := past(tx.ctx, tx.Tx, p.Org, before.N)
	if err != nil {
		return nil, err
	}
	p.Merge(past)
	return tx.replace(p, *before)
}

// replace writes a call again of whose part all earlier ones are known.
func (tx *tx) replace(p *calllog.Part, before calllog.Before) (*calllog.Call, error) {
	c, err := p.Project()
	if err != nil {
		return nil, err
	}
	row := calllog.NewCall(c, before)
	if _, err := tx.exec(replaceCall, values(calllog.CallColumns, row)...); err != nil {
		return nil, err
	}
	for _, table := range []string{"why_not", "gaps"} { // legs and tags never grow fewer
		if _, err := tx.exec("DELETE FROM "+table+" WHERE org = ? AND call = ?", p.Org, before.N); err != nil {
			return nil, err
		}
	}
	return row, nil
}

// before returns what the log has of a call; nil if it has nothing.
func (tx *tx) before(org, id string) (*calllog.Before, error) {
	s, err := tx.prepare("SELECT n, state, waits FROM calls WHERE org = ? AND id = ?")
	if err != nil {
		return nil, err
	}
	var before calllog.Before
	err = s.QueryRowContext(tx.ctx, org, id).Scan(&before.N, &before.State, momentOf(&before.Waits))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &before, err
}

// writeRest writes the rows that belong to a call.
func (tx *tx) writeRest(p *calllog.Part, row *calllog.Call) error {
	var rows calllog.Rows
	rows.Add(p, row)
	err := cmp.Or(
		insert(tx, newChunk, calllog.ChunkColumns, rows.Chunks),
		insert(tx, newLeg, calllog.LegColumns, rows.Legs),
		insert(tx, newTag, calllog.TagColumns, rows.Tags),
		insert(tx, newWhyNot, calllog.WhyNotColumns, rows.WhyNots),
		insert(tx, newGap, calllog.GapColumns, rows.Gaps),
		insert(tx, newEntry, calllog.EntryColumns, rows.Ledger))
	if err == nil && len(rows.Gaps) > 0 {
		var complete int
		if complete, err = tx.settle(row.N); complete == 1 {
			p.Settled()
		}
	}
	if err != nil {
		return err
	}
	return tx.publish(p.Told(tx.publisher))
}

func insert[R any](tx *tx, sql string, columns []calllog.Column[R], rows []R) error {
	for _, r := range rows {
		if _, err := tx.exec(sql, values(columns, r)...); err != nil {
			return err
		}
	}
	return nil
}

func insertSQL[R any](table string, columns []calllog.Column[R]) string {
	return fmt.Sprintf("INSERT INTO %s (%s) VALUES (?%s)", table, calllog.Names("", columns), strings.Repeat(", ?", len(columns)-1))
}

// replaceSQL is insertSQL for rows that take the place of those with their key.
func replaceSQL[R any](table string, columns []calllog.Column[R]) string {
	return strings.Replace(insertSQL(table, columns), "INSERT", "REPLACE", 1)
}

func excluded[R any](columns []calllog.Column[R]) string {
	set := make([]string, len(columns))
	for i, c := range columns {
		set[i] = c.Name + " = excluded." + c.Name
	}
	return strings.Join(set, ", ")
}

// values returns a row as SQLite takes it: times in microseconds. A number that is not
// given yet is NULL, and SQLite gives it.
func values[R any](columns []calllog.Column[R], row R) []any {
	list := make([]any, len(columns))
	for i, c := range columns {
		switch v := c.Field(row).(type) {
		case *string:
			list[i] = *v
		case **string:
			if *v != nil {
				list[i] = **v
			}
		case *int:
			list[i] = int64(*v)
		case *int64:
			if *v != 0 || c.Name != "n" {
				list[i] = *v
			}
		case *bool:
			list[i] = *v
		case *[]byte:
			list[i] = *v
		case *time.Time:
			list[i] = v.UnixMicro()
		case **time.Time:
			if *v != nil {
				list[i] = (*v).UnixMicro()
			}
		case **int64:
			if *v != nil {
				list[i] = **v
			}
		case **bool:
			if *v != nil {
				list[i] = **v
			}
		}
	}
	return list
}

// unfit says whether a batch failed because of what it holds, so that it would fail
// again.
func unfit(err error) bool {
	if bad := (*calllog.ProjectError)(nil); errors.As(err, &bad) {
		return true
	}
	var failed *sqlite.Error
	if !errors.As(err, &failed) {
		return false
	}
	switch failed.Code() & 0xff { // the rest are kinds of these
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH:
		return true
	}
	return false
}

// Journals lists those of a node.
func (s *Store) Journals(ctx context.Context, node string) (all []store.Journal, err error) {
	rows, err := s.read.QueryContext(ctx, "SELECT journal, until, closed FROM journals WHERE node = ? ORDER BY until DESC, journal LIMIT 100", node)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var j store.Journal
		if err := rows.Scan(&j.ID, into(&j.Until), &j.Closed); err != nil {
			return nil, err
		}
		all = append(all, j)
	}
	return all, rows.Err()
}

// Position returns up to where a journal was taken in.
func (s *Store) Position(ctx context.Context, journal string) (store.Position, error) {
	return position(ctx, s.read, journal)
}

func position(ctx context.Context, from interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}, journal string) (p store.Position, err error) {
	err = from.QueryRowContext(ctx, `SELECT segment, "offset" FROM journals WHERE journal = $1`, journal).Scan(&p.Segment, &p.Offset)
	if errors.Is(err, sql.ErrNoRows) {
		return store.Position{}, nil
	}
	return p, err
}
