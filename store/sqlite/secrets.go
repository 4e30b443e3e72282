package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/calllog"
)

// AddSecret keeps a secret.
func (s *Store) AddSecret(ctx context.Context, org string, secret store.Secret, ends time.Time, first bool) (have []store.Secret, err error) {
	org, secret.Name = calllog.Name(org), calllog.Text(secret.Name)
	tx, err := s.begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	defer tx.end(&err)
	if have, err = secretsOf(ctx, tx, org, secret.Name, secret.Created); err != nil || first && len(have) > 0 {
		return have, err
	}
	now := secret.Created.UnixMicro()
	if _, err := tx.exec(`UPDATE secrets SET ends = min(coalesce(ends, ?3), ?3) WHERE org = ?1 AND name = ?2`, org, secret.Name, ends.UnixMicro()); err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	if _, err := tx.exec(`DELETE FROM secrets WHERE org = ? AND name = ? AND ends <= ?`, org, secret.Name, now); err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	if _, err := tx.exec(`INSERT INTO secrets (org, name, sealed, key_id, created, ends) VALUES (?, ?, ?, ?, ?, ?)`,
		org, secret.Name, secret.Sealed, secret.KeyID, now, optional(secret.Ends)); err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	return secretsOf(ctx, tx, org, secret.Name, secret.Created)
}

func secretsOf(ctx context.Context, from reader, org, name string, now time.Time) (out []store.Secret, err error) {
	rows, err := from.QueryContext(ctx, `SELECT name, sealed, key_id, created, ends FROM secrets
		WHERE org = ? AND name = ? AND (ends IS NULL OR ends > ?) ORDER BY n DESC`, org, name, now.UnixMicro())
	err = each(rows, err, func() error {
		var secret store.Secret
		err := rows.Scan(&secret.Name, &secret.Sealed, &secret.KeyID, into(&secret.Created), momentOf(&secret.Ends))
		out = append(out, secret)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("secrets: %w", err)
	}
	return out, nil
}

// Secrets lists those of a name that have not ended, newest first.
func (s *Store) Secrets(ctx context.Context, org, name string, now time.Time) ([]store.Secret, error) {
	return secretsOf(ctx, s.read, calllog.Name(org), calllog.Text(name), now)
}

// SecretNames lists the names, sorted.
func (s *Store) SecretNames(ctx context.Context, org string) (out []string, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT DISTINCT name FROM secrets WHERE org = ? ORDER BY name`, calllog.Name(org))
	err = each(rows, err, func() error {
		var name string
		err := rows.Scan(&name)
		out = append(out, name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("secrets: %w", err)
	}
	return out, nil
}

// RemoveSecrets removes those of a name.
func (s *Store) RemoveSecrets(ctx context.Context, org, name string) error {
	done, err := s.write.ExecContext(ctx, `DELETE FROM secrets WHERE org = ? AND name = ?`, calllog.Name(org), calllog.Text(name))
	return found(done, err, "secret "+name)
}
