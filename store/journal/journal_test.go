package journal

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

const callA = "0b9a1a4e-5d7e-4c8a-9d5f-3f8a1f0c0001"

func open(t testing.TB, dir string, o Options) *Journal {
	t.Helper()
	j, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func mustClose(t testing.TB, j *Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func flush(t testing.TB, j *Journal) {
	t.Helper()
	if err := j.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func readAll(t testing.TB, dirs ...string) (events []call.Event, damage []*Damage) {
	t.Helper()
	for e, err := range Read(dirs...) {
		var d *Damage
		switch {
		case errors.As(err, &d):
			damage = append(damage, d)
		case err != nil:
			t.Fatal(err)
		default:
			events = append(events, e)
		}
	}
	return events, damage
}

// ids writes events as "call/epoch.seq type" for comparison.
func ids(events []call.Event) []string {
	var out []string
	for _, e := range events {
		out = append(out, fmt.Sprintf("%s/%d.%d %s", e.Call, e.Epoch, e.Seq, e.Type))
	}
	return out
}

func wantIDs(t testing.TB, events []call.Event, want ...string) {
	t.Helper()
	if got := ids(events); !slices.Equal(got, want) {
		t.Errorf("events:\n got %q\nwant %q", got, want)
	}
}

func TestWhatWasRecordedIsReadInOrder(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	r := j.Recorder("a", 1, "n1", nil)
	for _, typ := range []call.Type{call.Started, call.Step, call.Ended} {
		if !r.Record(call.Event{Type: typ}) {
			t.Fatalf("%s refused", typ)
		}
	}
	if r.Record(call.Event{Type: call.Step}) {
		t.Error("an event was recorded after the end")
	}
	if r.Record(call.Event{Type: call.Ended}) {
		t.Error("a second end was recorded")
	}
	flush(t, j)
	events, _ := readAll(t, dir)
	wantIDs(t, events, "a/1.1 call.started", "a/1.2 flow.step", "a/1.3 call.ended")
	for _, e := range events {
		if e.Node != "n1" || e.Time.IsZero() || e.Time.Location() != time.UTC {
			t.Errorf("event lacks node or time in UTC: %+v", e)
		}
	}
}

func TestEpochsHaveTheirOwnSequences(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	one, two := j.Recorder("a", 1, "n", nil), j.Recorder("a", 2, "n", nil)
	one.Record(call.Event{Type: call.Started})
	two.Record(call.Event{Type: call.Resumed})
	one.Record(call.Event{Type: call.Step}) // the older connection has not noticed yet
	j.Recorder("a", 2, "n", nil).Record(call.Event{Type: call.Step})
	mustClose(t, j)

	j = open(t, dir, Options{})
	j.Recorder("a", 1, "n", nil).Record(call.Event{Type: call.Step})
	j.End("a", call.NormalClearing, nil)
	mustClose(t, j)
	events, _ := readAll(t, dir)
	wantIDs(t, events, "a/1.1 call.started", "a/2.1 call.resumed", "a/1.2 flow.step", "a/2.2 flow.step",
		"a/1.3 flow.step", "a/2.3 call.ended")
	wantIDs(t, Sort(append(events, events...)), "a/1.1 call.started", "a/1.2 flow.step", "a/1.3 flow.step",
		"a/2.1 call.resumed", "a/2.2 flow.step", "a/2.3 call.ended")
}

func TestEndIsRecordedOnceWhoeverAsks(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	r := j.Recorder(callA, 3, "n", nil)
	r.Record(call.Event{Type: call.Started})
	var wg sync.WaitGroup
	var ends atomic.Int32
	for i := range 100 {
		wg.Go(func() {
			won := false
			if i%2 == 0 {
				won = j.End(callA, call.NormalClearing, map[string]string{"by": "watcher"})
			} else {
				won = r.Record(call.Event{Type: call.Ended, Cause: call.NormalClearing})
			}
			if won {
				ends.Add(1)
			}
		})
	}
	wg.Wait()
	flush(t, j)
	if ends.Load() != 1 {
		t.Errorf("%d of 100 were told that they ended the call", ends.Load())
	}
	if j.End(callA, call.UserBusy, nil) || !j.Ended(callA) {
		t.Error("the end was forgotten when it reached the disk")
	}
	events, _ := readAll(t, dir)
	wantIDs(t, events, callA+"/3.1 call.started", callA+"/3.2 call.ended")

	mustClose(t, j)
	j = open(t, dir, Options{})
	if j.End(callA, call.UserBusy, nil) {
		t.Error("the end was forgotten by reopening")
	}
}

func TestEndOfAnUnknownCallBeginsIt(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{Node: "n1"})
	if !j.End("x", "CRASH", map[string]string{"by": "cdr", "from": "+1555"}) {
		t.Fatal("refused")
	}
	mustClose(t, j)
	events, _ := readAll(t, dir)
	wantIDs(t, events, "x/0.1 call.started", "x/0.2 call.ended")
	if a := events[0].Attrs; a["late"] != "true" || a["from"] != "+1555" || a["by"] != "" {
		t.Errorf("start has attributes %v", a)
	}
	if e := events[1]; e.Cause != "CRASH" || e.Attrs["by"] != "cdr" || e.Node != "n1" {
		t.Errorf("end is %+v", e)
	}
}

func TestOpenCallsSurviveReopening(t *testing.T) {
	dir := t.TempDir()
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := begin
	clock := func() time.Time { at = at.Add(time.Second); return at }
	j := open(t, dir, Options{})
	j.Recorder("a", 1, "n", clock).Record(call.Event{Type: call.Started})
	j.Recorder("b", 1, "n", clock).Record(call.Event{Type: call.Started})
	j.Recorder("a", 2, "m", clock).Record(call.Event{Type: call.Resumed})
	j.End("b", call.NormalClearing, nil)
	before := j.Open()
	mustClose(t, j)
	j = open(t, dir, Options{})
	after := j.Open()
	want := OpenCall{ID: "a", Epoch: 2, Node: "m", LastType: call.Resumed, Since: begin.Add(time.Second)}
	if !slices.Equal(before, []OpenCall{want}) || !slices.Equal(after, []OpenCall{want}) {
		t.Errorf("open calls\nbefore %+v\nafter  %+v\nwant   %+v", before, after, want)
	}
	if r := j.Report(); r.Events != 4 || r.Segments != 1 || r.Cut != nil || r.Damaged != 0 {
		t.Errorf("report %+v", r)
	}
}

func TestCrashAtEveryByteOfTheLastGroup(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	r := j.Recorder("a", 1, "n", nil)
	r.Record(call.Event{Type: call.Started})
	flush(t, j)
	first := j.files[0].size
	for range 3 {
		r.Record(call.Event{Type: call.Step, Why: "äöü \"quoted\""})
	}
	mustClose(t, j)
	whole, err := os.ReadFile(segmentPath(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	for size := int(first); size <= len(whole); size++ {
		torn := t.TempDir()
		kept := whole[:size]
		if err := os.WriteFile(segmentPath(torn, 1), kept, 0o600); err != nil {
			t.Fatal(err)
		}
		j := open(t, torn, Options{})
		lines := strings.Count(string(kept), "\n")
		rest := size - strings.LastIndexByte(string(kept), '\n') - 1
		switch cut := j.Report().Cut; {
		case rest == 0 && cut != nil:
			t.Fatalf("size %d: cut %v of a whole file", size, cut)
		case rest > 0 && (cut == nil || cut.Bytes != int64(rest) || cut.Line != lines+1):
			t.Fatalf("size %d: cut %v, want %d bytes of line %d", size, cut, rest, lines+1)
		}
		if !j.Recorder("a", 1, "n", nil).Record(call.Event{Type: call.Step}) {
			t.Fatal("refused")
		}
		mustClose(t, j)
		events, damage := readAll(t, torn)
		if len(damage) > 0 || len(events) != lines+1 || events[lines].Seq != lines+1 {
			t.Fatalf("size %d: %d events of %d, damage %v", size, len(events), lines+1, damage)
		}
	}
}

func TestDamageIsReportedWithItsPlaceAndPassedOver(t *testing.T) {
	dir := t.TempDir()
	good := func(seq int) string {
		return string(AppendEvent(nil, call.Event{Call: "a", Epoch: 1, Seq: seq, Type: call.Step}))
	}
	text := good(1) + "{\"call\":\"a\"\x00\x00\n" + good(2) + strings.Repeat("x", 3*MaxLine) + "\n" + "{}\n" + good(3) + "null\n"
	if err := os.WriteFile(segmentPath(dir, 7), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	j := open(t, dir, Options{})
	r := j.Report()
	if r.Damaged != 3 || r.Damage[0].Line != 2 || r.Damage[1].Line != 4 || r.Damage[2].Line != 5 {
		t.Errorf("damage %v", r.Damage)
	}
	if r.Cut == nil || r.Cut.Line != 7 || r.Cut.Bytes != 5 {
		t.Errorf("cut %v", r.Cut)
	}
	events, damage := readAll(t, dir)
	wantIDs(t, events, "a/1.1 flow.step", "a/1.2 flow.step", "a/1.3 flow.step")
	if len(damage) != 3 || damage[1].File != segmentPath(dir, 7) || damage[1].Line != 4 || !strings.Contains(damage[1].Error(), "longer than") {
		t.Errorf("reader saw %v", damage)
	}
}

func TestSecondOpenerLearnsWhoHoldsTheJournal(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	_, err := Open(dir, Options{})
	var locked *LockedError
	if !errors.As(err, &locked) || locked.PID != os.Getpid() || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Fatalf("second Open: %v", err)
	}
	mustClose(t, j)
	open(t, dir, Options{})
}

func TestSegmentsAreRotatedBySize(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{SegmentSize: 1000})
	r := j.Recorder("a", 1, "n", nil)
	for range 50 {
		r.Record(call.Event{Type: call.Step, Why: strings.Repeat("w", 100)})
		flush(t, j)
	}
	mustClose(t, j)
	files, err := segments(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 5 {
		t.Errorf("%d segments", len(files))
	}
	for _, f := range files {
		if f.size > 1300 {
			t.Errorf("segment %d has %d bytes", f.n, f.size)
		}
	}
	events, _ := readAll(t, dir)
	for i, e := range events {
		if e.Seq != i+1 {
			t.Fatalf("event %d has sequence %d", i, e.Seq)
		}
	}
	if len(events) != 50 {
		t.Errorf("%d events", len(events))
	}
}

func TestConcurrentRecordersKeepTheOrderOfEachCall(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{SegmentSize: 20_000})
	const calls, steps = 50, 40
	var wg sync.WaitGroup
	for c := range calls {
		wg.Go(func() {
			r := j.Recorder(fmt.Sprintf("call-%d", c), 1, "n", nil)
			r.Record(call.Event{Type: call.Started})
			for range steps {
				r.Record(call.Event{Type: call.Step})
			}
			r.Record(call.Event{Type: call.Ended})
		})
	}
	wg.Wait()
	mustClose(t, j)
	last := make(map[string]int)
	events, damage := readAll(t, dir)
	for _, e := range events {
		if e.Seq != last[e.Call]+1 {
			t.Fatalf("%s: sequence %d after %d", e.Call, e.Seq, last[e.Call])
		}
		last[e.Call] = e.Seq
	}
	if len(events) != calls*(steps+2) || len(damage) > 0 {
		t.Errorf("%d events, damage %v", len(events), damage)
	}
	if s := j.Stats(); s.Groups > s.Events || s.Dropped > 0 || s.Pending > 0 || s.Synced != s.Events {
		t.Errorf("stats %+v", s)
	}
}

func TestCloseIsSafeTwiceAndRefusesWhatFollows(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	r := j.Recorder("a", 1, "n", nil)
	r.Record(call.Event{Type: call.Started})
	mustClose(t, j)
	mustClose(t, j)
	if r.Record(call.Event{Type: call.Step}) || j.End("a", call.NormalClearing, nil) {
		t.Error("recorded after Close")
	}
	j.Append(call.Event{Call: "a", Type: call.Step})
	if s := j.Stats(); s.Dropped != 1 {
		t.Errorf("stats %+v", s)
	}
	if err := j.Flush(t.Context()); err != nil {
		t.Errorf("Flush of what was written before Close: %v", err)
	}
}

// faultyFS is the real file system with faults that a test switches on.
type faultyFS struct {
	osFS
	mu       sync.Mutex
	write    func([]byte) (int, error) // instead of writing; n bytes are written before the error
	sync     error
	truncate error
	syncs    int
	gate     chan struct{} // if not nil, every write sends to it and then receives from it first
}

// hang returns when the disk hangs in writing the first events of j; they are
// the two of a call. The function lets it go on.
func (f *faultyFS) hang(j *Journal) (open func()) {
	gate := f.gate
	j.Append(call.Event{Call: "first", Epoch: 1, Seq: 1, Type: call.Started})
	<-gate
	j.Append(call.Event{Call: "first", Epoch: 1, Seq: 2, Type: call.Ended})
	return func() {
		f.set(func(f *faultyFS) { f.gate = nil })
		gate <- struct{}{}
	}
}

type faultyFile struct {
	File
	fs *faultyFS
}

func (f *faultyFS) set(change func(f *faultyFS)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *faultyFS) OpenFile(path string, flag int, perm os.FileMode) (File, error) {
	file, err := f.osFS.OpenFile(path, flag, perm)
	return &faultyFile{file, f}, err
}

func (f *faultyFile) Write(b []byte) (int, error) {
	f.fs.mu.Lock()
	write, gate := f.fs.write, f.fs.gate
	f.fs.mu.Unlock()
	if gate != nil {
		gate <- struct{}{}
		<-gate
	}
	if write == nil {
		return f.File.Write(b)
	}
	n, err := write(b)
	f.File.Write(b[:n])
	return n, err
}

func (f *faultyFile) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.fs.syncs++
	if f.fs.sync != nil {
		return f.fs.sync
	}
	return f.File.Sync()
}

func (f *faultyFile) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.fs.truncate != nil {
		return f.fs.truncate
	}
	return f.File.Truncate(size)
}

// pass lets virtual time pass.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestEventsOutliveAFailingDisk(t *testing.T) {
	for name, fault := range map[string]func(*faultyFS){
		"fsync fails":                func(f *faultyFS) { f.sync = syscall.EIO },
		"fsync and truncate fail":    func(f *faultyFS) { f.sync, f.truncate = syscall.EIO, syscall.EIO },
		"disk is full":               func(f *faultyFS) { f.write = func([]byte) (int, error) { return 0, syscall.ENOSPC } },
		"disk is full within a line": func(f *faultyFS) { f.write = func(b []byte) (int, error) { return len(b) / 2, syscall.ENOSPC } },
		"disk is full, cannot be cut": func(f *faultyFS) {
			f.write = func(b []byte) (int, error) { return len(b) / 2, syscall.ENOSPC }
			f.truncate = syscall.EIO
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				disk := &faultyFS{}
				var alarms []error
				j := open(t, dir, Options{FS: disk, Alarm: func(err error) { alarms = append(alarms, err) }})
				r := j.Recorder(callA, 1, "n", nil)
				r.Record(call.Event{Type: call.Started})
				flush(t, j)

				disk.set(fault)
				r.Record(call.Event{Type: call.Step})
				synctest.Wait()
				if err := j.Flush(t.Context()); err == nil || !j.Failing() || err.Error() != j.Err().Error() {
					t.Fatalf("Flush says %v, Err %v", err, j.Err())
				}
				r.Record(call.Event{Type: call.Step})
				j.End(callA, call.NormalClearing, nil)
				pass(10 * time.Second) // some more tries
				if s := j.Stats(); s.Pending != 3 || !s.Failing || s.Dropped != 0 {
					t.Fatalf("stats %+v", s)
				}

				disk.set(func(f *faultyFS) { f.write, f.sync, f.truncate = nil, nil, nil })
				pass(time.Second)
				flush(t, j)
				if len(alarms) != 2 || alarms[0] == nil || alarms[1] != nil {
					t.Errorf("alarms %v", alarms)
				}
				mustClose(t, j)
			})
			events, _ := readAll(t, dir)
			wantIDs(t, events, callA+"/1.1 call.started", callA+"/1.2 flow.step", callA+"/1.3 flow.step", callA+"/1.4 call.ended")
			j := open(t, dir, Options{})
			if len(j.Open()) > 0 || !j.Ended(callA) {
				t.Errorf("open after reopening: %v", j.Open())
			}
		})
	}
}

// seenFS fails every fsync, if it is bad, after what was written has been seen.
type seenFS struct {
	osFS
	bad  atomic.Bool
	seen chan struct{} // closed when it has
	done chan struct{} // gets a value for each failure
}

type seenFile struct {
	File
	fs *seenFS
}

func (f *seenFS) OpenFile(path string, flag int, perm os.FileMode) (File, error) {
	file, err := f.osFS.OpenFile(path, flag, perm)
	return &seenFile{file, f}, err
}

func (f *seenFile) Sync() error {
	if !f.fs.bad.Load() {
		return f.File.Sync()
	}
	<-f.fs.seen
	select {
	case f.fs.done <- struct{}{}:
	default:
	}
	return syscall.EIO
}

// Whoever follows the journal may have seen what a failing disk did not keep. It sees what
// the next process writes all the same, though that gives the place in the call again.
func TestFollowGoesOnAfterAProcessDiedUnderAFailingDisk(t *testing.T) {
	dir := t.TempDir()
	disk := &seenFS{seen: make(chan struct{}), done: make(chan struct{}, 1)}
	j := open(t, dir, Options{FS: disk, Retry: time.Millisecond})
	r := j.Recorder("a", 1, "n", nil)
	r.Record(call.Event{Type: call.Started})
	flush(t, j)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	follow, err := Follow(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	next, stop := iter.Pull2(follow)
	defer stop()
	disk.bad.Store(true)
	r.Record(call.Event{Type: call.Step, Step: "lost"})
	if e, err, _ := next(); err != nil || e.Step != "lost" {
		t.Fatalf("followed %+v %v", e, err)
	}
	close(disk.seen)
	for range 3 {
		<-disk.done
	}
	if err := j.Close(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("Close: %v", err)
	}
	again := open(t, dir, Options{})
	again.End("a", call.NormalClearing, nil)
	if e, err, _ := next(); err != nil || e.Type != call.Ended || e.Seq != 2 {
		t.Errorf("followed %+v %v", e, err)
	}
}

func TestCloseSaysWhatIsLost(t *testing.T) {
	disk := &faultyFS{sync: syscall.EIO}
	j := open(t, t.TempDir(), Options{FS: disk})
	j.Recorder("a", 1, "n", nil).Record(call.Event{Type: call.Started})
	err := j.Close()
	if !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), "1 events") || !errors.Is(j.Close(), syscall.EIO) {
		t.Errorf("Close: %v", err)
	}
	if err := j.Flush(t.Context()); !errors.Is(err, syscall.EIO) {
		t.Errorf("Flush after it: %v", err)
	}
}

func TestAppendNeverWaitsAndDropsDetailsFirst(t *testing.T) {
	dir := t.TempDir()
	disk := &faultyFS{gate: make(chan struct{})}
	j := open(t, dir, Options{FS: disk, Buffer: minBuffer})
	why := strings.Repeat("w", 1000)
	open := disk.hang(j) // nothing below may wait for it
	for i := range 500 {
		id := fmt.Sprintf("call-%d", i)
		r := j.Recorder(id, 1, "n", nil)
		r.Record(call.Event{Type: call.Started})
		r.Record(call.Event{Type: call.Step, Why: why})
		r.Record(call.Event{Type: call.Connected})
		j.End(id, call.NormalClearing, nil)
	}
	s := j.Stats()
	if s.Dropped == 0 {
		t.Error("nothing was dropped")
	}
	open()
	mustClose(t, j)
	events, damage := readAll(t, dir)
	count := make(map[call.Type]int)
	for _, e := range events {
		count[e.Type]++
	}
	if count[call.Started] != 501 || count[call.Ended] != 501 || count[call.Connected] != 500 || len(damage) > 0 {
		t.Errorf("on the disk: %v, damage %v", count, damage)
	}
	if count[call.Step] == 0 || uint64(count[call.Step])+s.Dropped != 500 {
		t.Errorf("%d steps on the disk and %d dropped of 500", count[call.Step], s.Dropped)
	}
	last := events[len(events)-1]
	if last.Call != "call-499" {
		t.Errorf("the oldest are to be dropped first, last is %v", last)
	}
}

func TestBeginningsAndEndsAreNeverDropped(t *testing.T) {
	dir := t.TempDir()
	disk := &faultyFS{gate: make(chan struct{})}
	j := open(t, dir, Options{FS: disk, Buffer: minBuffer})
	open := disk.hang(j)
	for i := range 3000 {
		j.End(fmt.Sprintf("call-%d", i), call.NormalClearing, nil)
	}
	if s := j.Stats(); s.Dropped > 0 {
		t.Errorf("stats %+v", s)
	}
	open()
	mustClose(t, j)
	if events, _ := readAll(t, dir); len(events) != 6002 {
		t.Errorf("%d events", len(events))
	}
}

func TestEventsThatGatherShareOneSync(t *testing.T) {
	disk := &faultyFS{gate: make(chan struct{})}
	j := open(t, t.TempDir(), Options{FS: disk})
	open := disk.hang(j) // an idle journal writes at once
	r := j.Recorder("a", 1, "n", nil)
	for range 100 {
		r.Record(call.Event{Type: call.Step})
	}
	open()
	flush(t, j)
	if s := j.Stats(); s.Groups != 2 || s.Synced != 102 {
		t.Errorf("stats %+v", s)
	}
}

func TestFlushEndsWithItsContext(t *testing.T) {
	disk := &faultyFS{gate: make(chan struct{})}
	j := open(t, t.TempDir(), Options{FS: disk})
	open := disk.hang(j)
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	cancel(gone)
	if err := j.Flush(ctx); !errors.Is(err, gone) {
		t.Errorf("Flush: %v", err)
	}
	open()
	flush(t, j)
}

func TestOldSegmentsGoWhenEveryCallInThemHasEnded(t *testing.T) {
	dir := t.TempDir()
	at := time.Now()
	j := open(t, dir, Options{SegmentSize: 1, Keep: time.Hour, Now: func() time.Time { return at }})
	step := func(do func()) { // each in a segment of its own
		do()
		flush(t, j)
	}
	stays := j.Recorder("stays", 1, "n", nil)
	step(func() { j.End("gone", call.NormalClearing, nil) })        // 1
	step(func() { stays.Record(call.Event{Type: call.Started}) })   // 2
	step(func() { j.End("gone too", call.NormalClearing, nil) })    // 3
	step(func() { stays.Record(call.Event{Type: call.Connected}) }) // 4
	step(func() { j.End("also gone", call.NormalClearing, nil) })   // 5
	at = at.Add(2 * time.Hour)
	step(func() { j.End("young", call.NormalClearing, nil) }) // 6
	var left []int
	files, err := segments(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		left = append(left, f.n)
	}
	if !slices.Equal(left, []int{2, 3, 4, 6}) {
		t.Errorf("segments %v are left", left)
	}
	if j.Ended("gone") || !j.Ended("gone too") {
		t.Error("ends are to be remembered as long as their segments")
	}
	step(func() { j.End("stays", call.NormalClearing, nil) }) // 7
	at = at.Add(2 * time.Hour)
	step(func() { j.End("last", call.NormalClearing, nil) }) // 8
	if files, _ := filepath.Glob(filepath.Join(dir, "*.ndjson")); len(files) != 1 {
		t.Errorf("left: %v", files)
	}
}

func TestFollowSeesWhatIsAppendedAcrossSegments(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{SegmentSize: 300})
	r := j.Recorder("a", 1, "n", nil)
	r.Record(call.Event{Type: call.Started})
	flush(t, j)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	follow, err := Follow(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for range 100 {
			r.Record(call.Event{Type: call.Step})
			_ = j.Flush(ctx)
		}
		r.Record(call.Event{Type: call.Ended})
	}()
	seq := 1
	for e, err := range follow {
		if err != nil {
			t.Fatal(err)
		}
		seq++
		if e.Seq != seq {
			t.Fatalf("sequence %d, want %d", e.Seq, seq)
		}
		if e.Type == call.Ended {
			cancel()
		}
	}
	if seq != 102 {
		t.Errorf("last sequence %d", seq)
	}
}

func TestFollowBeginsWithAnEmptyJournal(t *testing.T) {
	dir := t.TempDir()
	follow, err := Follow(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	j := open(t, dir, Options{})
	j.End("a", call.NormalClearing, nil)
	var events []call.Event
	for e, err := range follow {
		if err != nil {
			t.Fatal(err)
		}
		if events = append(events, e); len(events) == 2 {
			break
		}
	}
	wantIDs(t, events, "a/0.1 call.started", "a/0.2 call.ended")
	if _, err := Follow(t.Context(), filepath.Join(dir, "none")); err == nil {
		t.Error("a directory that does not exist was followed")
	}
}

func TestReadingAJournalThatDoesNotExistFails(t *testing.T) {
	for _, err := range Read(filepath.Join(t.TempDir(), "none")) {
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("error %v", err)
		}
	}
}
