package postgres_test

import (
	"os"
	"sync"
	"testing"

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

func TestShared(t *testing.T) {
	storetest.RunShared(t, func(t *testing.T) store.Shared { return opened(t) })
}

func opened(t *testing.T) *postgres.Store {
	t.Helper()
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
