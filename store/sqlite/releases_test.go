package sqlite_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/sqlite"
	"github.com/hookswitch/hookswitch/store/storetest"
)

func TestReleases(t *testing.T)    { storetest.RunReleases(t, databases) }
func TestBesideLater(t *testing.T) { storetest.RunBesideLater(t, databases) }
func TestMigrations(t *testing.T)  { storetest.RunMigrations(t) }

var databases = storetest.Databases{
	Empty: func(t testing.TB) string { return filepath.Join(t.TempDir(), "hookswitch.db") },
	Open: func(t testing.TB, file string) store.Store {
		s, err := sqlite.Open(t.Context(), file)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	},
	Exec: func(t testing.TB, file, statements string) {
		db := plain(t, file)
		defer db.Close()
		if _, err := db.ExecContext(t.Context(), statements); err != nil {
			t.Fatal(err)
		}
	},
	Dump: func(t testing.TB, file string) (schema, rows string) {
		db := plain(t, file)
		defer db.Close()
		const own = "name NOT LIKE 'sqlite_%' AND sql IS NOT NULL"
		for _, object := range column(t, db, "SELECT sql || ';' FROM sqlite_schema WHERE "+own+" ORDER BY type = 'table' DESC, name") {
			schema += object + "\n"
		}
		for _, table := range column(t, db, "SELECT name FROM sqlite_schema WHERE type = 'table' AND "+own+" ORDER BY rowid") {
			names := column(t, db, fmt.Sprintf(`SELECT '"' || name || '"' FROM pragma_table_info('%s')`, table))
			into := fmt.Sprintf("INSERT INTO %s (%s) VALUES (", table, strings.Join(names, ", "))
			values := "quote(" + strings.Join(names, ") || ', ' || quote(") + ")"
			for _, row := range column(t, db, fmt.Sprintf("SELECT %s FROM %s ORDER BY 1", values, table)) {
				rows += into + row + ");\n"
			}
		}
		return schema, rows
	},
}

// plain opens a file without the program.
func plain(t testing.TB, file string) *sql.DB {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// column returns the one column that a question has.
func column(t testing.TB, db *sql.DB, question string) (all []string) {
	rows, err := db.QueryContext(t.Context(), question)
	if err != nil {
		t.Fatalf("%s: %v", question, err)
	}
	defer rows.Close()
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
