package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/hookswitch/hookswitch/store/calllog"
)

// reader is a database, or a transaction.
type reader interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}

// scan reads rows of columns.
func scan[R any](ctx context.Context, from reader, columns []calllog.Column[R], empty func() R, query string, args ...any) (list []R, err error) {
	rows, err := from.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		r := empty()
		to := make([]any, len(columns))
		for i, column := range columns {
			switch v := column.Field(r).(type) {
			case *time.Time:
				to[i] = into(v)
			case **time.Time:
				to[i] = momentOf(v)
			default:
				to[i] = v
			}
		}
		if err := rows.Scan(to...); err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// moment reads a time, if there is one.
type moment struct{ set func(time.Time) }

// Scan implements [sql.Scanner].
func (m *moment) Scan(v any) error {
	switch v := v.(type) {
	case int64:
		m.set(time.UnixMicro(v).UTC())
	case nil:
	default:
		return fmt.Errorf("%T is not a time", v)
	}
	return nil
}

// past returns what the log has of a call.
func past(ctx context.Context, from reader, org string, n int64) (past calllog.Past, err error) {
	rows, err := from.QueryContext(ctx, "SELECT lines FROM events WHERE org = ? AND call = ?", org, n)
	if err != nil {
		return past, err
	}
	defer rows.Close()
	for rows.Next() {
		var raw []byte
		if err := rows.Scan(&raw); err != nil {
			return past, err
		}
		chunk, err := calllog.Events(raw)
		if err != nil {
			return past, err
		}
		past.Events = append(past.Events, chunk...)
	}
	if err := rows.Err(); err != nil {
		return past, err
	}
	entries, err := scan(ctx, from, calllog.EntryColumns, calllog.EmptyEntry, "SELECT "+calllog.Names("", calllog.EntryColumns)+
		" FROM ledger WHERE org = ? AND call = ? ORDER BY place", org, n)
	if err != nil {
		return past, err
	}
	past.Ledger, err = calllog.Ledger(entries)
	return past, err
}
