package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/calllog"
)

// addingSecrets is the advisory lock, with the hash of a name, under which secrets of that
// name are added: there may be no row yet that could be locked.
const addingSecrets = 0x686f6f6b_00000007

// AddSecret keeps a secret.
func (s *Store) AddSecret(ctx context.Context, org string, secret store.Secret, ends time.Time, first bool) (have []store.Secret, err error) {
	org, secret.Name = calllog.Name(org), calllog.Text(secret.Name)
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1 || '/' || $2, $3))`, org, secret.Name, int64(addingSecrets)); err != nil {
			return err
		}
		var err error
		if have, err = secretsOf(ctx, tx, org, secret.Name, secret.Created); err != nil || first && len(have) > 0 {
			return err
		}
		var b pgx.Batch
		b.Queue(`UPDATE secrets SET ends = least(ends, $3) WHERE org = $1 AND name = $2`, org, secret.Name, ends)
		b.Queue(`DELETE FROM secrets WHERE org = $1 AND name = $2 AND ends <= $3`, org, secret.Name, secret.Created)
		b.Queue(`INSERT INTO secrets (org, name, sealed, key_id, created, ends) VALUES ($1, $2, $3, $4, $5, $6)`,
			org, secret.Name, secret.Sealed, secret.KeyID, secret.Created, secret.Ends)
		if err := tx.SendBatch(ctx, &b).Close(); err != nil {
			return err
		}
		have, err = secretsOf(ctx, tx, org, secret.Name, secret.Created)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	return have, nil
}

// querier is the pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func secretsOf(ctx context.Context, db querier, org, name string, now time.Time) ([]store.Secret, error) {
	rows, _ := db.Query(ctx, `SELECT name, sealed, key_id, created, ends FROM secrets
		WHERE org = $1 AND name = $2 AND (ends IS NULL OR ends > $3) ORDER BY n DESC`, org, name, now)
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (secret store.Secret, err error) {
		err = row.Scan(&secret.Name, &secret.Sealed, &secret.KeyID, &secret.Created, &secret.Ends)
		inUTC(&secret.Created, secret.Ends)
		return secret, err
	})
}

// Secrets lists those of a name that have not ended, newest first.
func (s *Store) Secrets(ctx context.Context, org, name string, now time.Time) ([]store.Secret, error) {
	out, err := secretsOf(ctx, s.pool, calllog.Name(org), calllog.Text(name), now)
	if err != nil {
		return nil, fmt.Errorf("secrets: %w", err)
	}
	return out, nil
}

// SecretNames lists the names, sorted.
func (s *Store) SecretNames(ctx context.Context, org string) ([]string, error) {
	rows, _ := s.pool.Query(ctx, `SELECT DISTINCT name FROM secrets WHERE org = $1 ORDER BY name`, calllog.Name(org))
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("secrets: %w", err)
	}
	return out, nil
}

// RemoveSecrets removes those of a name.
func (s *Store) RemoveSecrets(ctx context.Context, org, name string) error {
	done, err := s.pool.Exec(ctx, `DELETE FROM secrets WHERE org = $1 AND name = $2`, calllog.Name(org), calllog.Text(name))
	return found(done, err, "secret "+name)
}
