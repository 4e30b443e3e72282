package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/calllog"
)

// AddKey keeps a key.
func (s *Store) AddKey(ctx context.Context, org string, k store.Key) error {
	scopes, err := json.Marshal(k.Scopes)
	if err != nil {
		return err
	}
	if _, err := s.write.ExecContext(ctx, `INSERT INTO keys (org, id, name, hash, scopes, created, author, ends, used_from) VALUES (?, ?, ?, ?, ?, ?, ?, ?, '')`,
		calllog.Name(org), calllog.Name(k.ID), calllog.Text(k.Name), k.Hash, string(scopes), k.Created.UnixMicro(), calllog.Text(k.By), optional(k.Ends)); err != nil {
		return fmt.Errorf("key %s: %w", k.ID, err)
	}
	return nil
}

// optional is a time for the database, nil for none.
func optional(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.UnixMicro()
}

// momentOf reads a column that may be null into t.
func momentOf(t **time.Time) *moment { return &moment{func(v time.Time) { *t = &v }} }

const keyColumns = `org, id, name, hash, scopes, created, author, ends, used, used_from`

func scanKey(scan func(...any) error) (k store.Key, err error) {
	var scopes string
	if err := scan(&k.Org, &k.ID, &k.Name, &k.Hash, &scopes, into(&k.Created), &k.By, momentOf(&k.Ends), momentOf(&k.Used), &k.From); err != nil {
		return k, err
	}
	return k, json.Unmarshal([]byte(scopes), &k.Scopes)
}

// FindKey returns the key with a hash.
func (s *Store) FindKey(ctx context.Context, hash []byte) (*store.Key, error) {
	k, err := scanKey(s.read.QueryRowContext(ctx, `SELECT `+keyColumns+` FROM keys WHERE hash = ?`, hash).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("key: %w", store.ErrNotFound)
	} else if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	return &k, nil
}

// Keys lists the keys of an organization, newest first.
func (s *Store) Keys(ctx context.Context, org string) (out []store.Key, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+keyColumns+` FROM keys WHERE org = ? ORDER BY created DESC, id`, calllog.Name(org))
	err = each(rows, err, func() error {
		k, err := scanKey(rows.Scan)
		out = append(out, k)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	return out, nil
}

// RevokeKey ends a key.
func (s *Store) RevokeKey(ctx context.Context, org, id string, at time.Time) error {
	done, err := s.write.ExecContext(ctx, `UPDATE keys SET ends = min(coalesce(ends, ?3), ?3) WHERE org = ?1 AND id = ?2`,
		calllog.Name(org), calllog.Name(id), at.UnixMicro())
	return found(done, err, "key "+id)
}

// found says that a statement has found none of what it names.
func found(done sql.Result, err error, what string) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if n, err := done.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return fmt.Errorf("%s: %w", what, store.ErrNotFound)
}

// UsedKey notes the last use of a key.
func (s *Store) UsedKey(ctx context.Context, org, id string, at time.Time, from string) error {
	if _, err := s.write.ExecContext(ctx, `UPDATE keys SET used = ?3, used_from = ?4 WHERE org = ?1 AND id = ?2 AND (used IS NULL OR used < ?3)`,
		calllog.Name(org), calllog.Name(id), at.UnixMicro(), calllog.Text(from)); err != nil {
		return fmt.Errorf("key %s: %w", id, err)
	}
	return nil
}
