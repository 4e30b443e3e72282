package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/hookswitch/hookswitch/store/sqlite"
	"github.com/hookswitch/hookswitch/store/storetest"
)

// A call that the database refuses does not hold up the others.
func TestCallThatCannotBeWrittenIsSetAside(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hookswitch.db")
	s, err := sqlite.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "CREATE TRIGGER good BEFORE INSERT ON calls WHEN new.id = 'bad' BEGIN SELECT RAISE(ABORT, 'not good'); END"); err != nil {
		t.Fatal(err)
	}
	storetest.SetsAside(t, s, "bad", func() (lines []byte, err error) {
		err = db.QueryRowContext(t.Context(), "SELECT lines FROM rejected WHERE org = 'acme' AND id = 'bad' AND reason LIKE '%good%'").Scan(&lines)
		return lines, err
	})
}
