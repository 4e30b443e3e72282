// Package postgres keeps what package store says in PostgreSQL 13 or later, through
// pgx's own interface. Several nodes may share one database.
package postgres

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Store is a database. Its methods are safe for concurrent use.
type Store struct{ pool *pgxpool.Pool }

//go:embed migrations/*.sql
var migrations embed.FS

// connectLimit bounds how long a connection may take to come about: one that is not
// answered at all would take minutes.
const connectLimit = 5 * time.Second

// Open connects to the database of a URL (postgres://USER@HOST:PORT/DATABASE) or a
// keyword string, and brings its tables to this program's version. Nodes that open it
// at the same time wait for each other. It fails when the database does not answer or
// was made by a later version.
func Open(ctx context.Context, url string) (*Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	config.ConnConfig.ConnectTimeout = connectLimit
	if _, named := config.ConnConfig.RuntimeParams["application_name"]; !named {
		config.ConnConfig.RuntimeParams["application_name"] = "hookswitch"
	}
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	s := &Store{pool}
	if err := s.migrate(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("database: %w", err)
	}
	return s, nil
}

// migrate brings the tables up to date, one node at a time.
func (s *Store) migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	db := stdlib.OpenDBFromPool(s.pool)
	defer db.Close()
	p, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(locker))
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// Ping says whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.pool.Ping(ctx) }

// Close lets go of all connections.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}
