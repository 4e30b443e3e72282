package postgres_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/postgres"
	"github.com/hookswitch/hookswitch/store/storetest"
)

func TestConfigurations(t *testing.T) {
	storetest.RunConfigurations(t, func(t *testing.T) store.Configurations { return open(t) })
}

// A server that crashes while it applies has nothing of the revision afterwards, wherever
// it was.
func TestCrashLeavesNoHalfRevision(t *testing.T) {
	p := storetest.NewPostgres(t)
	s, err := postgres.Open(t.Context(), p.URL("hookswitch"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	changes := func(base int) []store.Change {
		var out []store.Change
		for _, org := range []string{"acme", "beta"} {
			out = append(out, store.Change{Org: org, Base: base, Files: store.Files{"a.yaml": []byte{byte(base)}, "b.yaml": nil},
				Entities: []store.EntityKey{{Kind: store.NumberKind, Slug: fmt.Sprint(org, base)}}, Flows: []store.FlowVersion{{Flow: "main", Version: fmt.Sprint(base)}}})
		}
		return out
	}
	if _, err := s.Apply(t.Context(), changes(0)); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"revisions", "organizations", "texts", "files", "entities", "flow_versions"} {
		release := holdUp(t, p, table)
		done := make(chan error, 1)
		go func() {
			_, err := s.Apply(t.Context(), changes(1))
			done <- err
		}()
		awaitHeldUp(t, p)
		if err := p.Crash(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err == nil {
			t.Errorf("%s: applied", table)
		}
		release()
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		current, err := s.Current(t.Context())
		if err != nil || current["acme"] != 1 || current["beta"] != 1 {
			t.Fatalf("%s: half applied: %v %v", table, current, err)
		}
		for org := range current {
			r, err := s.Revision(t.Context(), org, 1)
			if err != nil || !maps.EqualFunc(r.Files, changes(0)[0].Files, bytes.Equal) {
				t.Errorf("%s: %s has %q, %v", table, org, r.Files, err)
			}
			if _, err := s.Revision(t.Context(), org, 2); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: half a revision: %v", table, err)
			}
		}
	}
	if _, err := s.Apply(t.Context(), changes(1)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// holdUp lets nobody write to a table.
func holdUp(t *testing.T, p *storetest.Postgres, table string) (release func()) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), p.URL("hookswitch"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(t.Context(), "BEGIN; LOCK TABLE "+table+" IN EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	return func() { _ = c.Close(t.Context()) } // its server is gone
}

// awaitHeldUp returns when somebody waits for a table.
func awaitHeldUp(t *testing.T, p *storetest.Postgres) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), p.URL("hookswitch"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	for waits := false; !waits; {
		if err := c.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'relation' AND NOT granted)`).Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
}
