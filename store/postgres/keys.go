package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/calllog"
)

// AddKey keeps a key.
func (s *Store) AddKey(ctx context.Context, org string, k store.Key) error {
	scopes := append([]string{}, k.Scopes...) // nil would be NULL
	if _, err := s.pool.Exec(ctx, `INSERT INTO keys (org, id, name, hash, scopes, created, author, ends, used_from) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '')`,
		calllog.Name(org), calllog.Name(k.ID), calllog.Text(k.Name), k.Hash, scopes, k.Created, calllog.Text(k.By), k.Ends); err != nil {
		return fmt.Errorf("key %s: %w", k.ID, err)
	}
	return nil
}

const keyColumns = `org, id, name, hash, scopes, created, author, ends, used, used_from`

func scanKey(row pgx.CollectableRow) (k store.Key, err error) {
	err = row.Scan(&k.Org, &k.ID, &k.Name, &k.Hash, &k.Scopes, &k.Created, &k.By, &k.Ends, &k.Used, &k.From)
	inUTC(&k.Created, k.Ends, k.Used)
	return k, err
}

// inUTC puts times into UTC; some may be nil.
func inUTC(times ...*time.Time) {
	for _, t := range times {
		if t != nil {
			*t = t.UTC()
		}
	}
}

// FindKey returns the key with a hash.
func (s *Store) FindKey(ctx context.Context, hash []byte) (*store.Key, error) {
	rows, _ := s.pool.Query(ctx, `SELECT `+keyColumns+` FROM keys WHERE hash = $1`, hash)
	k, err := pgx.CollectExactlyOneRow(rows, scanKey)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("key: %w", store.ErrNotFound)
	} else if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	return &k, nil
}

// Keys lists the keys of an organization, newest first.
func (s *Store) Keys(ctx context.Context, org string) ([]store.Key, error) {
	rows, _ := s.pool.Query(ctx, `SELECT `+keyColumns+` FROM keys WHERE org = $1 ORDER BY created DESC, id`, calllog.Name(org))
	out, err := pgx.CollectRows(rows, scanKey)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	return out, nil
}

// RevokeKey ends a key.
func (s *Store) RevokeKey(ctx context.Context, org, id string, at time.Time) error {
	done, err := s.pool.Exec(ctx, `UPDATE keys SET ends = least(ends, $3) WHERE org = $1 AND id = $2`, calllog.Name(org), calllog.Name(id), at)
	return found(done, err, "key "+id)
}

// found says that a statement has found none of what it names.
func found(done pgconn.CommandTag, err error, what string) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if done.RowsAffected() == 0 {
		return fmt.Errorf("%s: %w", what, store.ErrNotFound)
	}
	return nil
}

// UsedKey notes the last use of a key.
func (s *Store) UsedKey(ctx context.Context, org, id string, at time.Time, from string) error {
	if _, err := s.pool.Exec(ctx, `UPDATE keys SET used = $3, used_from = $4 WHERE org = $1 AND id = $2 AND (used IS NULL OR used < $3)`,
		calllog.Name(org), calllog.Name(id), at, calllog.Text(from)); err != nil {
		return fmt.Errorf("key %s: %w", id, err)
	}
	return nil
}
