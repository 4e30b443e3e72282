package postgres_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hookswitch/hookswitch/store/postgres"
	"github.com/hookswitch/hookswitch/store/storetest"
)

// beside opens an empty store, with settings of its address, and a connection to its
// database beside it.
func beside(t testing.TB, settings string) (*postgres.Store, *pgx.Conn) {
	t.Helper()
	url := storetest.Database(t)
	s, err := postgres.Open(t.Context(), url+settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	db, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close(context.Background()) })
	return s, db
}
