package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/sqlite"
	"github.com/hookswitch/hookswitch/store/storetest"
)

func TestConfigurations(t *testing.T) {
	storetest.RunConfigurations(t, func(t *testing.T) store.Configurations {
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
	})
}
