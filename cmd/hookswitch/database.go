package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/postgres"
	"github.com/hookswitch/hookswitch/store/sqlite"
)

// databaseURL says where a PostgreSQL is; empty: an SQLite file is used. Printed, it
// has no password.
type databaseURL string

// parse refuses what is no URL of a PostgreSQL. Its errors do not repeat the text,
// which may hold a password.
func (d databaseURL) parse() (*url.URL, error) {
	u, err := url.Parse(string(d))
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, fmt.Errorf("setting database: not a URL such as postgres://hookswitch@db.example/hookswitch, nor empty")
	}
	return u, nil
}

// passwords are the parameters of a URL that are secret.
var passwords = []string{"password", "sslpassword"}

func (d databaseURL) String() string {
	if d == "" {
		return ""
	}
	u, err := d.parse()
	if err != nil {
		return "(secret)"
	}
	query := u.Query()
	for _, p := range passwords {
		if query.Has(p) {
			query.Set(p, "xxxxx")
			u.RawQuery = query.Encode()
		}
	}
	return u.Redacted()
}

func (d databaseURL) GoString() string             { return d.String() }
func (d databaseURL) MarshalText() ([]byte, error) { return []byte(d.String()), nil }
func (d databaseURL) MarshalYAML() (any, error)    { return d.String(), nil }

// databaseFile is where the SQLite file is, unless another database is named.
func (s *settings) databaseFile() string { return filepath.Join(s.Data, "hookswitch.db") }

// openStore opens the database of the settings: the PostgreSQL they name, which need not
// be there yet, or the SQLite file in the server's data folder, which is made if there
// is none.
func openStore(ctx context.Context, s *settings) (store.Store, error) {
	if s.Database == "" {
		return sqlite.Open(ctx, s.databaseFile())
	}
	u, err := s.Database.parse()
	if err != nil {
		return nil, err
	}
	if _, has := u.User.Password(); !has && s.DatabasePasswordFile != "" {
		p, err := readPassword(s.DatabasePasswordFile)
		if err != nil {
			return nil, fmt.Errorf("setting database_password_file: %w", err)
		}
		u.User = url.UserPassword(u.User.Username(), string(p))
	}
	return postgres.New(u.String())
}

// askStore is openStore for a command, which cannot wait: it fails when the database does
// not answer, or, unless it may be made, when there is no file.
func askStore(ctx context.Context, s *settings, mayMake bool) (store.Store, error) {
	if _, err := os.Stat(s.databaseFile()); s.Database == "" && !mayMake && errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no database yet (%s): a server makes it, or hookswitch apply", s.databaseFile())
	}
	db, err := openStore(ctx, s)
	if err != nil {
		return nil, err
	}
	if err := db.Ping(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("database: %w", err), db.Close())
	}
	return db, nil
}

// databaseFlags gives a command that reads or writes the database the settings that say
// where it is.
func databaseFlags(flags *pflag.FlagSet) {
	addSettingFlags(flags, "data", "database")
}

// withDatabase opens the database of a command's settings and lets f work with it.
func withDatabase(cmd *cobra.Command, mayMake bool, f func(s *settings, db store.Store) error) (err error) {
	s, err := loadSettings(cmd)
	if err != nil {
		return err
	}
	db, err := askStore(cmd.Context(), s, mayMake)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return f(s, db)
}
