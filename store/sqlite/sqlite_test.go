package sqlite_test

import (
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/sqlite"
	"github.com/hookswitch/hookswitch/store/storetest"
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

// A copy is made beside a server that has the file open, has what was written, and takes
// the place of nothing.
func TestBackupIsADatabase(t *testing.T) {
	dir := t.TempDir()
	file, to := filepath.Join(dir, "hookswitch.db"), filepath.Join(dir, "it's a copy.db")
	if err := sqlite.Backup(t.Context(), file, to); err == nil {
		t.Error("there was nothing to copy")
	}
	for _, path := range []string{file, to} {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was made: %v", path, err)
		}
	}
	s, err := sqlite.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	insert(t, file, "INSERT INTO journals (journal, node, segment, \"offset\", until) VALUES ('j1', 'fs1', 7, 42, 0)")
	if err := sqlite.Backup(t.Context(), file, to); err != nil {
		t.Fatal(err)
	}
	insert(t, file, "INSERT INTO journals (journal, node, segment, \"offset\", until) VALUES ('j2', 'fs1', 1, 1, 0)")
	if err := sqlite.Backup(t.Context(), file, to); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a backup over another: %v", err)
	}
	restored, err := sqlite.Open(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	if err := restored.Close(); err != nil {
		t.Error(err)
	}
	db, err := sql.Open("sqlite", to)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var journals, segment int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*), max(segment) FROM journals").Scan(&journals, &segment); err != nil || journals != 1 || segment != 7 {
		t.Errorf("%d journals, segment %d, %v", journals, segment, err)
	}
}

func insert(t *testing.T, file, row string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), row); err != nil {
		t.Fatal(err)
	}
}

// open opens an empty file.
func open(t testing.TB) store.Store {
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "hookswitch.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestLog(t *testing.T)    { storetest.RunLog(t, open) }
func TestOutbox(t *testing.T) { storetest.RunOutbox(t, open) }
func TestShared(t *testing.T) {
	storetest.RunShared(t, func(t *testing.T) store.Shared { return open(t) })
}
func TestInputs(t *testing.T)                { storetest.RunInputs(t, open) }
func TestOrganizationsAreApart(t *testing.T) { storetest.RunApart(t, open) }
