package main

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"

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
