// Package postgres keeps what package store says in PostgreSQL 13 or later, through
// pgx's own interface. Several nodes may share one database.
package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/hookswitch/hookswitch/store"
)

// Store is a database. Its methods are safe for concurrent use.
type Store struct {
	pool   *pgxpool.Pool
	closed context.Context
	close  context.CancelFunc

	publisher store.Publisher // may be nil
	days      sync.Map        // names of the partitions of attempts that are there

	mu      sync.Mutex
	current bool // the tables are of this program's version
}

//go:embed migrations/*.sql
var migrations embed.FS

// connectLimit bounds how long a connection may take to come about: one that is not
// answered at all would take minutes.
const connectLimit = 5 * time.Second

// connections is how many there may be, unless the URL says pool_max_conns: what nodes
// share takes five at once, and who waits for one waits with a call.
const connections = 10

// migrateLimit bounds how long the tables may take to be brought up to date.
const migrateLimit = 30 * time.Minute

// New returns the store of a URL (postgres://USER@HOST:PORT/DATABASE) or a keyword
// string, without asking anything of the database: that need not be there yet. The
// first connection brings its tables to this program's version; nodes that do so at the
// same time wait for each other. Every method fails while the database does not answer,
// or when it was made by a later version.
func New(url string) (*Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		if bad := (*pgconn.ParseConfigError)(nil); errors.As(err, &bad) {
			bad.ConnString = "URL" // it may hold a password where pgconn does not look for one
		}
		return nil, fmt.Errorf("database: %w", err)
	}
	config.ConnConfig.ConnectTimeout = connectLimit
	if !strings.Contains(url, "pool_max_conns") {
		config.MaxConns = max(config.MaxConns, connections)
	}
	if _, named := config.ConnConfig.RuntimeParams["application_name"]; !named {
		config.ConnConfig.RuntimeParams["application_name"] = "hookswitch"
	}
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	if _, named := config.ConnConfig.RuntimeParams["plan_cache_mode"]; !named {
		// A plan that is kept would be that of tables that were empty when it was made.
		config.ConnConfig.RuntimeParams["plan_cache_mode"] = "force_custom_plan"
	}
	if _, named := config.ConnConfig.RuntimeParams["jit"]; !named {
		config.ConnConfig.RuntimeParams["jit"] = "off" // it takes longer than any question does
	}
	s := new(Store)
	s.closed, s.close = context.WithCancel(context.Background())
	migrating := config.ConnConfig.Copy()
	config.AfterConnect = func(context.Context, *pgx.Conn) error { return s.update(migrating) }
	if s.pool, err = pgxpool.NewWithConfig(context.Background(), config); err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	return s, nil
}

// Open is New for a database that has to be there.
func Open(ctx context.Context, url string) (*Store, error) {
	s, err := New(url)
	if err != nil {
		return nil, err
	}
	if err := s.Ping(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("database: %w", err), s.Close())
	}
	return s, nil
}

// update brings the tables up to date once, over a connection of its own. It is not
// ended by whoever happened to be the first to ask for a connection, but by Close.
func (s *Store) update(config *pgx.ConnConfig) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current {
		return nil
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	db := stdlib.OpenDB(*config)
	defer db.Close()
	p, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(locker))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.closed, migrateLimit)
	defer cancel()
	if _, err := p.Up(ctx); err != nil {
		return err
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if have > want {
		return fmt.Errorf("%w: its tables have version %d, this program knows %d", store.ErrNewer, have, want)
	}
	s.current = true
	return nil
}

// Ping says whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.pool.Ping(ctx) }

// Close lets go of all connections.
func (s *Store) Close() error {
	s.close()
	s.pool.Close()
	return nil
}
