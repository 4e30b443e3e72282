// Package sqlite keeps what package store says in one file, with an SQLite that is
// built into the program: what a server uses that is told of no other database.
//
// One server uses a file; the commands of the program may read and write it beside
// the server.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite" // the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/hookswitch/hookswitch/store"
)

// Store is a file. Its methods are safe for concurrent use.
type Store struct {
	write *sql.DB // one connection: SQLite has one writer at a time, and who waits here waits in order
	read  *sql.DB

	publisher store.Publisher // may be nil
}

//go:embed migrations/*.sql
var migrations embed.FS

// readers bounds the connections that read at once.
const readers = 4

// Open opens the file, makes it if there is none, and brings its tables to this
// program's version. What was written is on the disk when a method returns.
func Open(ctx context.Context, file string) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	s := new(Store)
	var err error
	if s.write, err = open(file, 1, "_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=cache_size(-65536)&_pragma=wal_autocheckpoint(8000)"); err != nil {
		return nil, err
	}
	if s.read, err = open(file, readers, "_pragma=query_only(1)&_pragma=cache_size(-8192)"); err != nil {
		return nil, errors.Join(err, s.write.Close())
	}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("database %s: %w%s", file, err, hint(err)), s.Close())
	}
	return s, nil
}

// hint says what to do about a file that is damaged.
func hint(err error) string {
	var failed *sqlite.Error
	if errors.As(err, &failed) && slices.Contains([]int{sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}, failed.Code()&0xff) {
		return "; put a backup in its place, or move it away: what the journal still has is written again"
	}
	return ""
}

func open(file string, connections int, options string) (*sql.DB, error) {
	dsn := "file:" + (&url.URL{Path: file}).EscapedPath() + "?_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)&" + options
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", file, err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

func (s *Store) migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, s.write, files)
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return err
	}
	have, want, err := p.GetVersions(ctx)
	if err == nil && have > want {
		err = fmt.Errorf("%w: its tables have version %d, this program knows %d", store.ErrNewer, have, want)
	}
	return err
}

// Ping says whether the file can be read.
func (s *Store) Ping(ctx context.Context) error { return s.read.PingContext(ctx) }

// Close lets go of the file.
func (s *Store) Close() error { return errors.Join(s.read.Close(), s.write.Close()) }
