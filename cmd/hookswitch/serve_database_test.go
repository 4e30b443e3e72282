package main

import (
	"bytes"
	"database/sql"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hookswitch/hookswitch/store/storetest"
)

const laterVersion = "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)"

// An operator whose database cannot be used is told which one, and why; the server does
// not start.
func TestServeRefusesADatabaseThatItCannotUse(t *testing.T) {
	sqlite := func(spoil func(t *testing.T, file string)) func(*testing.T, *settings) {
		return func(t *testing.T, s *settings) {
			db, err := openStore(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			spoil(t, s.databaseFile())
		}
	}
	overwrite := func(content []byte, at int64) func(*testing.T, string) {
		return func(t *testing.T, file string) {
			f, err := os.OpenFile(file, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.WriteAt(content, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, test := range map[string]struct {
		spoil func(*testing.T, *settings)
		says  string
	}{
		"no database at all":         {sqlite(overwrite(bytes.Repeat([]byte("x"), 100), 0)), "file is not a database (26); put a backup in its place"},
		"the tables are overwritten": {sqlite(overwrite(bytes.Repeat([]byte("x"), 4000), 100)), "malformed (11); put a backup in its place"},
		"cut short": {sqlite(func(t *testing.T, file string) {
			if err := os.Truncate(file, 5000); err != nil {
				t.Fatal(err)
			}
		}), "malformed (11); put a backup in its place"},
		"a folder": {sqlite(func(t *testing.T, file string) {
			if err := os.Rename(file, file+".away"); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(file, 0o755); err != nil {
				t.Fatal(err)
			}
		}), "unable to open"},
		"one of a later version": {sqlite(func(t *testing.T, file string) {
			db, err := sql.Open("sqlite", file)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.ExecContext(t.Context(), laterVersion); err != nil {
				t.Fatal(err)
			}
		}), "belongs to a later version of Hookswitch: its tables have version 99999, this program knows "},
		"a PostgreSQL of a later version": {func(t *testing.T, s *settings) {
			s.Database = databaseURL(storetest.Database(t))
			db, err := askStore(t.Context(), s, true)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			c, err := pgx.Connect(t.Context(), string(s.Database))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close(t.Context())
			if _, err := c.Exec(t.Context(), laterVersion); err != nil {
				t.Fatal(err)
			}
		}, "belongs to a later version of Hookswitch: its tables have version 99999, this program knows "},
	} {
		t.Run(name, func(t *testing.T) {
			s := &settings{Node: "n1", Data: t.TempDir(), ConfigDir: filepath.Join("..", "..", "examples", "main-line"),
				Listen: "127.0.0.1:0", ListenTakeover: "127.0.0.1:0", HTTP: "127.0.0.1:0", Log: logSettings{Level: "info", Format: "json"}}
			test.spoil(t, s)
			err := run(t.Context(), s, io.Discard)
			where := s.databaseFile()
			if s.Database != "" {
				where = "database: "
			}
			if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), where) {
				t.Errorf("said %v\nwant %s, and %s", err, where, test.says)
			}
		})
	}
}
