package store_test

import (
	"testing"

	"github.com/hookswitch/hookswitch/store"
)

func TestPositionsAreReadAsTheyAreWritten(t *testing.T) {
	for _, p := range []store.Position{{}, {1, 0}, {12, 9_000_000_000}} {
		got, err := store.ParsePosition(p.String())
		if err != nil || got != p {
			t.Errorf("%s: %v %v", p, got, err)
		}
	}
	for _, s := range []string{"1", "1.", ".1", "-1.2", "1.-2", "01.2", "1.2.3", "a.b", "+1.2"} {
		if p, err := store.ParsePosition(s); err == nil {
			t.Errorf("%q is read as %s", s, p)
		}
	}
	if p := (store.Position{2, 5}); p.Compare(store.Position{2, 5}) != 0 || p.Compare(store.Position{3, 0}) != -1 || p.Compare(store.Position{2, 4}) != 1 {
		t.Error("positions are not in the order of the journal")
	}
}
