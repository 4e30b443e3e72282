package postgres_test

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/postgres"
	"github.com/hookswitch/hookswitch/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

// Nodes that start at the same time on an empty database do not get in each other's way.
func TestNodesOpenTogether(t *testing.T) {
	url := storetest.Database(t)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			s, err := postgres.Open(t.Context(), url)
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Ping(t.Context()); err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
}

// A store may be made before its database is there, and works once it is.
func TestDatabaseMayComeLater(t *testing.T) {
	pg := storetest.NewPostgres(t)
	if err := pg.Stop(); err != nil {
		t.Fatal(err)
	}
	s, err := postgres.New(pg.URL("hookswitch"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Ping(t.Context()); err == nil {
		t.Error("a database that is stopped answers")
	}
	if err := pg.Start(); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// Tables of a later version are left alone.
func TestTablesOfALaterVersionAreRefused(t *testing.T) {
	url := storetest.Database(t)
	s, err := postgres.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if _, err := c.Exec(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)"); err != nil {
		t.Fatal(err)
	}
	if _, err := postgres.Open(t.Context(), url); !errors.Is(err, store.ErrNewer) {
		t.Errorf("opened: %v", err)
	}
}

// open opens an empty database.
func open(t testing.TB) store.Store {
	s, err := postgres.Open(t.Context(), storetest.Database(t))
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

// Whatever is wrong with a URL, no error repeats it: there are many places for a password.
func TestErrorsTellNoPassword(t *testing.T) {
	for _, url := range []string{
		"postgres://u:secret@h/db?sslmode=odd",
		"postgres://u@h/db?password=secret&connect_timeout=odd",
		"postgres://u@h/db?password=secret&pool_max_conns=odd",
		"postgres://u@h/db?sslpassword=secret&sslmode=odd",
		"postgres://u:secret%k@h/db",
		"host=h password='secret' port=odd",
	} {
		s, err := postgres.New(url)
		if err == nil {
			s.Close()
			t.Errorf("%s is taken", url)
		} else if strings.Contains(err.Error(), "secret") {
			t.Error(err)
		}
	}
}
