package sqlite_test

import (
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

func TestShared(t *testing.T) {
	storetest.RunShared(t, func(t *testing.T) store.Shared { return opened(t) })
}

func opened(t *testing.T) *sqlite.Store {
	t.Helper()
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
