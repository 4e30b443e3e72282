package kills

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/storetest"
)

// A backup that was made while calls ran, restored as docs/operations.md says, is brought
// up to date from the journals: the log has every call of before, between and after, once.
func TestRestoredDatabaseIsBroughtUpToDate(t *testing.T) {
	long(t, "a restored database under whole servers is not tested")
	program, err := shipped()
	must(t, err)
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		pg := storetest.NewPostgres(t)
		w := newWorld(t, 4*time.Minute)
		w.database = pg.URL("hookswitch")
		nodes := []*node{w.newNode("a", program, "10s"), w.newNode("b", program, "10s")}
		var file string
		w.restored(nodes, func() {
			file, err = pg.Dump("hookswitch")
			must(t, err)
		}, func() { must(t, pg.Crash()) }, func() {
			pg := storetest.NewPostgres(t)
			must(t, pg.Restore("hookswitch", file))
			w.database = pg.URL("hookswitch")
			for _, n := range nodes {
				n.furnish()
			}
		})
	})
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, 4*time.Minute)
		a := w.newNode("a", program, "10s")
		file := filepath.Join(w.dir, "backup.db")
		w.restored([]*node{a}, func() {
			if out, err := exec.Command(program, "backup", file, "--config", a.file).CombinedOutput(); err != nil {
				w.fatalf("backup: %v\n%s", err, out)
			}
		}, func() {}, func() {
			for _, suffix := range []string{"", "-wal", "-shm"} {
				must(t, os.RemoveAll(a.databaseFile()+suffix))
			}
			must(t, os.Rename(file, a.databaseFile()))
		})
	})
}

// restored lets calls run before and after a backup, loses the database, and restores it
// while no server runs.
func (w *world) restored(nodes []*node, backup, lose, restore func()) {
	w.t.Helper()
	w.forgiven = []string{"call log lacks events", "limits are counted by this node alone"}
	w.open(60, nodes...)
	for _, n := range nodes {
		n.start()
	}
	const population = 50
	disperse := w.crowd(population)
	w.moments.wait(w.ctx, 3000)
	began := time.Now()
	backup()
	made := time.Since(began)
	w.moments.wait(w.ctx, 3000)
	lose()
	w.moments.wait(w.ctx, 1000)
	disperse()
	w.settle()
	for _, n := range nodes {
		n.stop()
	}
	between := len(w.read())
	restore()
	had := w.inLog()
	began = time.Now()
	for _, n := range nodes {
		n.start()
	}
	w.drained()
	took := time.Since(began)
	disperse = w.crowd(population)
	w.moments.wait(w.ctx, 1000)
	disperse()
	w.settle()
	records := w.check(nil)
	w.drained()
	w.checkLog(records)
	if had == 0 || had >= between || between >= len(records) {
		w.t.Errorf("the backup had %d calls of %d, later there were %d: too little for this to be a test", had, between, len(records))
	}
	w.t.Logf("the backup, made in %v, had %d calls of %d; what it lacked was there %v after the start; %d calls in the end",
		made.Round(time.Millisecond), had, between, took.Round(time.Millisecond), len(records))
}

// inLog counts the calls in the call log.
func (w *world) inLog() (calls int) {
	w.t.Helper()
	s := w.log()
	defer s.Close()
	for q := (store.Query{Limit: 1000}); ; {
		page, err := s.Search(w.ctx, organization, q)
		must(w.t, err)
		calls += len(page.Calls)
		if q.After = page.Next; q.After == "" {
			return calls
		}
	}
}
