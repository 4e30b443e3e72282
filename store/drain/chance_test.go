package drain_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/store/journal"
)

var seed = flag.Uint64("seed", 0, "run the drain against chance with this seed alone")

// disk is the real file system, on which neither fsync nor cutting works while it
// is bad.
type disk struct{ bad atomic.Bool }

type diskFile struct {
	*os.File
	d *disk
}

func (d *disk) OpenFile(path string, flag int, perm os.FileMode) (journal.File, error) {
	f, err := os.OpenFile(path, flag, perm)
	return diskFile{f, d}, err
}

func (d *disk) SyncDir(string) error { return nil }

func (f diskFile) Sync() error {
	if f.d.bad.Load() {
		return syscall.EIO
	}
	return nil
}

func (f diskFile) Truncate(size int64) error {
	if f.d.bad.Load() {
		return syscall.EIO
	}
	return f.File.Truncate(size)
}

// Store, disk and process fail as chance has it, the store is put back to a backup,
// and in the end the log is the journal.
func TestInTheEndTheLogIsTheJournal(t *testing.T) {
	seeds := []uint64{*seed}
	if *seed == 0 {
		seeds = seeds[:0]
		for n := range uint64(5) {
			seeds = append(seeds, n+1)
		}
	}
	for _, n := range seeds {
		t.Run(fmt.Sprint("seed ", n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { chance(t, rand.New(rand.NewPCG(n, n))) })
		})
	}
}

func chance(t *testing.T, dice *rand.Rand) {
	w := newWorld(t)
	w.stop()
	hd := new(disk)
	options := journal.Options{FS: hd, SegmentSize: 2000}
	w.start(options)
	// A first segment that never came to be cannot be told from one that is gone.
	w.lives("call-0")
	pass(time.Second)
	calls := 1
	for range 150 {
		switch dice.IntN(12) {
		case 0:
			w.log.set(fails)
		case 1:
			w.log.set(loses)
		case 2:
			w.log.set(hangs)
		case 3:
			w.log.set(func(ctx context.Context) answer {
				a := hangs(ctx)
				a.late = true
				return a
			})
		case 4, 5:
			w.log.set(nil)
		case 6:
			if n := len(w.log.taken()); n > 0 {
				w.log.putBack(dice.IntN(n))
			}
		case 7:
			hd.bad.Store(true)
		case 8:
			hd.bad.Store(false)
		case 9:
			hd.bad.Store(false) // what waits in memory would be lost with the process
			pass(2 * time.Second)
			if dice.IntN(2) == 0 {
				w.stop()
			} else {
				w.kill()
			}
			w.start(options)
		}
		for range dice.IntN(20) {
			w.lives(fmt.Sprint("call-", calls))
			calls++
			pass(time.Duration(dice.IntN(5)) * time.Millisecond)
		}
		pass(time.Duration(dice.IntN(3000)) * time.Millisecond)
	}
	hd.bad.Store(false)
	w.log.set(nil)
	pass(time.Minute)
	w.stop()

	var want, got []string
	for e, err := range journal.Read(w.dir) {
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprintf("%s/%d.%d", e.Call, e.Epoch, e.Seq))
	}
	for _, b := range w.log.taken() {
		for _, l := range b.Lines {
			got = append(got, fmt.Sprintf("%s/%d.%d", l.Event.Call, l.Event.Epoch, l.Event.Seq))
		}
	}
	if len(want) != 3*calls {
		t.Errorf("the journal holds %d events of %d calls", len(want), calls)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the log holds %d events, the journal %d; they part at %s", len(got), len(want), parting(got, want))
	}
	for _, said := range w.said {
		if strings.Contains(said, "does not have position") || strings.Contains(said, "somebody else") {
			t.Errorf("said: %s", said)
		}
	}
}

// parting says where two lists begin to differ.
func parting(a, b []string) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("%d: %s and %s", i, a[i], b[i])
		}
	}
	return fmt.Sprint(min(len(a), len(b)))
}
