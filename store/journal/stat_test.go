package journal_test

import (
	"testing"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/journal"
)

func TestOthersSeeHowFarAJournalIs(t *testing.T) {
	dir := t.TempDir()
	if id, end, _, err := journal.Stat(dir); id != "" || end != (store.Position{}) || err != nil {
		t.Errorf("an empty folder: %q, %v, %v", id, end, err)
	}
	j, err := journal.Open(dir, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	j.End("c1", call.NormalClearing, nil)
	if err := j.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	want, _ := j.Durable()
	id, end, changed, err := journal.Stat(dir)
	if err != nil || id != j.ID() || end != want || changed.IsZero() {
		t.Errorf("%q at %v, %v; want %q at %v", id, end, err, j.ID(), want)
	}
	if _, _, _, err := journal.Stat(dir + "/none"); err != nil {
		t.Errorf("no folder: %v", err)
	}
}
