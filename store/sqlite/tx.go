package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/hookswitch/hookswitch/store"
)

// tx is a transaction that writes. Its statements are parsed once each.
type tx struct {
	*sql.Tx
	ctx        context.Context // never done: for every command with another, the driver starts a goroutine
	statements map[string]*sql.Stmt
	publisher  store.Publisher // may be nil
}

func (s *Store) begin(ctx context.Context) (*tx, error) {
	t, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	return &tx{t, context.WithoutCancel(ctx), make(map[string]*sql.Stmt), s.publisher}, nil
}

// end commits, or rolls back if there is an error, which it joins with its own.
func (tx *tx) end(err *error) {
	if *err != nil {
		if failed := tx.Rollback(); !errors.Is(failed, sql.ErrTxDone) { // by the end of the context
			*err = errors.Join(*err, failed)
		}
		return
	}
	*err = tx.Commit()
}

func (tx *tx) prepare(command string) (*sql.Stmt, error) {
	s := tx.statements[command]
	if s == nil {
		var err error
		if s, err = tx.PrepareContext(tx.ctx, command); err != nil {
			return nil, err
		}
		tx.statements[command] = s
	}
	return s, nil
}

func (tx *tx) exec(command string, args ...any) (sql.Result, error) {
	s, err := tx.prepare(command)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(tx.ctx, args...)
}

// affected runs a command and returns how many rows it changed.
func (tx *tx) affected(command string, args ...any) (int, error) {
	done, err := tx.exec(command, args...)
	if err != nil {
		return 0, err
	}
	n, err := done.RowsAffected()
	return int(n), err
}

// numbers asks for one column of numbers.
func (tx *tx) numbers(query string, args ...any) (list []int64, err error) {
	rows, err := tx.QueryContext(tx.ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, rows.Err()
}
