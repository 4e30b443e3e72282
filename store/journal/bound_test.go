package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

func TestLevelsAreReachedAtTheirBoundsAndLeftBelowThem(t *testing.T) {
	for _, c := range []struct {
		was     Level
		waiting int64
		want    Level
	}{
		{Healthy, 0, Healthy}, {Healthy, 500, Healthy}, {Healthy, 501, HalfFull}, {Healthy, 901, Reserve}, {Healthy, 1001, Full},
		{HalfFull, 451, HalfFull}, {HalfFull, 450, Healthy}, {HalfFull, 900, HalfFull}, {HalfFull, 901, Reserve},
		{Reserve, 851, Reserve}, {Reserve, 850, HalfFull}, {Reserve, 0, Healthy}, {Reserve, 1001, Full},
		{Full, 951, Full}, {Full, 950, Reserve}, {Full, 850, HalfFull}, {Full, 450, Healthy}, {Full, 5000, Full},
	} {
		if got := c.was.next(c.waiting, 1000); got != c.want {
			t.Errorf("%d of 1000 after level %d: %d, want %d", c.waiting, c.was, got, c.want)
		}
	}
}

// told is what a journal says aloud.
type told struct {
	mu     sync.Mutex
	alarms []string
	full   []bool
}

// listen makes the journal's options tell.
func (s *told) listen(o Options) Options {
	o.Alarm = func(err error) {
		text := "well"
		if err != nil {
			text = err.Error()
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.alarms = append(s.alarms, text)
	}
	return o
}

// fullness is for Journal.OnFull.
func (s *told) fullness(full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = append(s.full, full)
}

// wasFull checks what was told of fullness so far.
func (s *told) wasFull(t *testing.T, want ...bool) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.full, want) {
		t.Errorf("told of full: %v, want %v", s.full, want)
	}
}

// has checks that the alarms so far have these words, one after the other.
func (s *told) has(t *testing.T, words ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	ok := len(s.alarms) == len(words)
	for i := 0; ok && i < len(words); i++ {
		ok = strings.Contains(s.alarms[i], words[i])
	}
	if !ok {
		t.Errorf("alarms:\n got %q\nwant %q", s.alarms, words)
	}
}

// events of each rank, one each, of a call that begins and ends.
func life(j *Journal, id string) {
	r := j.Recorder(id, 1, "n", nil)
	r.Record(call.Event{Type: call.Started})
	r.Record(call.Event{Type: call.Step, Why: "a detail"})
	r.Record(call.Event{Type: call.Tagged})
	r.Record(call.Event{Type: call.Connected})
	j.End(id, call.NormalClearing, nil)
}

// kept returns how many of each rank the journal has of a call.
func kept(t *testing.T, dir, id string) (n [frame + 1]int) {
	t.Helper()
	events, _ := readAll(t, dir)
	for _, e := range events {
		if e.Call == id {
			n[rankOf(e.Type)]++
		}
	}
	return n
}

func TestWhatIsRecordedWhileMoreAndMoreWaits(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var says told
		j := open(t, dir, says.listen(Options{Drain: true, Max: 100_000}))
		j.OnFull(says.fullness)
		fillTo := func(bytes int64) {
			r := j.Recorder("filler", 1, "n", nil)
			for j.Stats().Waiting < bytes {
				r.Record(call.Event{Type: call.Connected}) // is recorded at every level
			}
			pass(10 * time.Millisecond)
		}
		check := func(id string, level Level, want [frame + 1]int) {
			t.Helper()
			dropped := j.Stats().Dropped
			life(j, id)
			flush(t, j)
			synctest.Wait()
			if got := kept(t, dir, id); got != want {
				t.Errorf("%s: kept by rank %v, want %v", id, got, want)
			}
			s := j.Stats()
			if lost := 5 - (want[0] + want[1] + want[2] + want[3]); s.Level != level || s.Dropped-dropped != uint64(lost) || j.Full() != (level == Full) {
				t.Errorf("%s: %+v, full %t", id, s, j.Full())
			}
		}
		check("healthy", Healthy, [...]int{detail: 1, outcome: 1, record: 1, frame: 2})
		says.has(t)
		fillTo(50_001)
		check("half", HalfFull, [...]int{detail: 1, outcome: 1, record: 1, frame: 2})
		says.has(t, "of the journal wait to be stored")
		if err := j.Ready(); err != nil {
			t.Errorf("half full, but not ready: %v", err)
		}
		fillTo(90_001)
		check("reserve", Reserve, [...]int{detail: 0, outcome: 1, record: 1, frame: 2})
		fillTo(100_001)
		check("full", Full, [...]int{detail: 0, outcome: 0, record: 1, frame: 2})
		says.has(t, "wait to be stored", "steps of calls are no longer", "no new call")
		if fill := (*FillError)(nil); !errors.As(j.Ready(), &fill) || fill.Level != Full || fill.Max != 100_000 || fill.Waiting < 100_000 {
			t.Errorf("ready says %v", j.Ready())
		}
		says.wasFull(t, true)

		end, _ := j.Durable()
		j.Drained(store.Position{Segment: end.Segment, Offset: end.Offset - 80_000})
		check("drained some", HalfFull, [...]int{detail: 1, outcome: 1, record: 1, frame: 2})
		end, _ = j.Durable()
		j.Drained(end)
		synctest.Wait()
		check("drained", Healthy, [...]int{detail: 1, outcome: 1, record: 1, frame: 2})
		says.has(t, "wait to be stored", "steps of calls", "no new call", "wait to be stored", "well")
		says.wasFull(t, true, false)
		if err := j.Ready(); err != nil {
			t.Errorf("drained, but not ready: %v", err)
		}
		mustClose(t, j)
	})
}

func TestNothingIsFullWhereNobodyDrains(t *testing.T) {
	j := open(t, t.TempDir(), Options{Max: 1000})
	for i := range 100 {
		life(j, fmt.Sprint("call-", i))
	}
	flush(t, j)
	if s := j.Stats(); s.Level != Healthy || s.Waiting != 0 || s.Dropped != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestFullMemoryOfAFailingDiskRefusesCallsUntilItIsWritten(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var says told
		disk := &faultyFS{sync: syscall.EIO}
		j := open(t, dir, says.listen(Options{FS: disk, Buffer: minBuffer}))
		j.OnFull(says.fullness)
		life(j, "first")
		pass(10 * time.Millisecond)
		says.has(t, "input/output error")
		if j.Full() || j.Ready() == nil {
			t.Errorf("full %t, ready %v", j.Full(), j.Ready())
		}
		why := strings.Repeat("w", 1000)
		for i := 0; !j.Full(); i++ {
			r := j.Recorder(fmt.Sprint("call-", i), 1, "n", nil)
			r.Record(call.Event{Type: call.Started})
			r.Record(call.Event{Type: call.Step, Why: why})
			j.End(fmt.Sprint("call-", i), call.NormalClearing, nil)
		}
		synctest.Wait()
		says.has(t, "input/output error", "fill their memory")
		live := j.Recorder("live", 1, "n", nil)
		live.Record(call.Event{Type: call.Started})
		disk.set(func(f *faultyFS) { f.sync = nil })
		pass(time.Second)
		says.has(t, "input/output error", "fill their memory", "well")
		says.wasFull(t, true, false)
		if j.Full() || j.Ready() != nil {
			t.Errorf("written, but full %t, ready %v", j.Full(), j.Ready())
		}
		mustClose(t, j)
	})
	if n := kept(t, dir, "first"); n[frame] != 2 {
		t.Errorf("of the first call were kept %v", n)
	}
	if n := kept(t, dir, "live"); n[frame] != 1 {
		t.Errorf("of the live call were kept %v", n)
	}
}

func TestDiskThatHangsRaisesTheAlarmWithinFiveSeconds(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var says told
		disk := &faultyFS{gate: make(chan struct{})}
		j := open(t, dir, says.listen(Options{FS: disk}))
		open := disk.hang(j)
		pass(2 * time.Second)
		says.has(t)
		pass(3 * time.Second)
		says.has(t, "has not answered for")
		if stall := (*StallError)(nil); !errors.As(j.Ready(), &stall) || stall.Took < stallLimit || !j.Stats().Failing {
			t.Errorf("ready says %v, stats %+v", j.Ready(), j.Stats())
		}
		open()
		pass(time.Second)
		says.has(t, "has not answered for", "well")
		mustClose(t, j)
	})
	if events, _ := readAll(t, dir); len(events) != 2 {
		t.Errorf("%d events on the disk", len(events))
	}
}

func TestSegmentsStayUntilTheyAreDrained(t *testing.T) {
	dir := t.TempDir()
	at := time.Now()
	j := open(t, dir, Options{SegmentSize: 1, Keep: time.Hour, Drain: true, Now: func() time.Time { return at }})
	step := func(id string) { // in a segment of its own
		j.End(id, call.NormalClearing, nil)
		flush(t, j)
	}
	left := func(want ...int) {
		t.Helper()
		files, err := segments(dir)
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for _, f := range files {
			got = append(got, f.n)
		}
		if !slices.Equal(got, want) {
			t.Errorf("segments %v are left, want %v", got, want)
		}
	}
	step("one")
	step("two")
	step("three")
	at = at.Add(2 * time.Hour)
	step("four")
	left(1, 2, 3, 4)
	j.Drained(store.Position{Segment: 2, Offset: 1})
	step("five")
	left(2, 3, 4, 5)
	lines, _ := rest(t, j, store.Position{Segment: 2, Offset: 1})
	end := lines[len(lines)-1].behind
	j.Drained(end)
	at = at.Add(2 * time.Hour)
	step("six")
	left(5, 6) // 5 has the place up to which it is drained
	if lines, odd := rest(t, j, end); len(lines) != 2 || len(odd) != 0 {
		t.Errorf("from the place that was drained come %d lines, %v", len(lines), odd)
	}
}

func TestWhatWaitsIsKnownAfterReopening(t *testing.T) {
	dir := t.TempDir()
	o := Options{SegmentSize: 500, Drain: true}
	j := open(t, dir, o)
	for i := range 10 {
		life(j, fmt.Sprint("call-", i))
		flush(t, j)
	}
	reached, _ := rest(t, j, store.Position{})
	all := j.Stats().Waiting
	place := reached[30].behind
	j.Drained(place)
	want := j.Stats().Waiting
	mustClose(t, j)
	if want <= 0 || want >= all {
		t.Fatalf("%d of %d bytes wait", want, all)
	}
	j = open(t, dir, o)
	if s := j.Stats(); s.Waiting != want || s.Drained != place {
		t.Errorf("%d bytes wait behind %s, want %d behind %s", s.Waiting, s.Drained, want, place)
	}
	mustClose(t, j)
	for _, text := range []string{"", "x", "99.0\n"} { // then more seems to wait
		if err := os.WriteFile(filepath.Join(dir, "drained"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		j = open(t, dir, o)
		if s := j.Stats(); s.Waiting != all || s.Drained != (store.Position{}) {
			t.Errorf("with %q noted, %d bytes wait behind %s", text, s.Waiting, s.Drained)
		}
		mustClose(t, j)
	}
}

// A file system of a megabyte fills under the journal, and gets more room.
func TestCallsGoOnOnADiskThatIsFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("not tested: the journal on a real file system that is full, which only root can mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	alarms := make(chan error, 10)
	j := open(t, dir, Options{Retry: time.Millisecond, Alarm: func(err error) { alarms <- err }})
	t.Cleanup(func() { j.Close() }) // before the file system goes
	live := j.Recorder("live", 1, "n", nil)
	live.Record(call.Event{Type: call.Started})
	n := 1
	for j.Flush(t.Context()) == nil {
		live.Record(call.Event{Type: call.Step, Why: strings.Repeat("w", 10_000)})
		n++
	}
	if err := <-alarms; !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("alarm %v", err)
	}
	if !live.Record(call.Event{Type: call.Connected}) || !j.End("live", call.NormalClearing, nil) {
		t.Error("the call did not go on")
	}
	n += 2
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=8m"); err != nil {
		t.Fatal(err)
	}
	if err := <-alarms; err != nil {
		t.Errorf("alarm %v", err)
	}
	flush(t, j)
	lines, odd := rest(t, j, store.Position{})
	if !slices.Equal(seqs(lines), upTo(n)) || len(odd) > 0 || j.Stats().Dropped > 0 {
		t.Errorf("%d lines of %d, %v", len(lines), n, odd)
	}
	mustClose(t, j)
	if lines, _ := rest(t, open(t, dir, Options{}), store.Position{}); !slices.Equal(seqs(lines), upTo(n)) {
		t.Errorf("%d lines of %d after reopening", len(lines), n)
	}
}
