package postgres_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/postgres"
	"github.com/hookswitch/hookswitch/store/storetest"
)

func TestReleases(t *testing.T)    { storetest.RunReleases(t, databases) }
func TestBesideLater(t *testing.T) { storetest.RunBesideLater(t, databases) }
func TestMigrations(t *testing.T)  { storetest.RunMigrations(t) }

var databases = storetest.Databases{
	Empty: func(t testing.TB) string { return storetest.Database(t) },
	Open: func(t testing.TB, url string) store.Store {
		s, err := postgres.Open(t.Context(), url)
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
	Exec: func(t testing.TB, url, statements string) {
		c, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(t.Context())
		if _, err := c.PgConn().Exec(t.Context(), statements).ReadAll(); err != nil {
			t.Fatal(err)
		}
	},
	Dump: storetest.DumpSQL,
}
