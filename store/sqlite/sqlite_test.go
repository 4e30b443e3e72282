package sqlite_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/sqlite"
)

// A file is opened again as it was left, also from a folder with an odd name.
func TestFileIsOpenedAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a b?c#d%", "hookswitch.db")
	for range 2 {
		s, err := sqlite.Open(t.Context(), file)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Tables of a later version are left alone.
func TestTablesOfALaterVersionAreRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hookswitch.db")
	s, err := sqlite.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)"); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), file); !errors.Is(err, store.ErrNewer) {
		t.Errorf("opened: %v", err)
	}
}
