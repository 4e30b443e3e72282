package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// placed is a line and the position behind it.
type placed struct {
	store.Line
	behind store.Position
}

// rest reads from a position to the end of what is on the disk.
func rest(t testing.TB, j *Journal, from store.Position) (lines []placed, odd []error) {
	t.Helper()
	r := j.Reader(from)
	defer r.Close()
	return drainReader(t, r)
}

func drainReader(t testing.TB, r *Reader) (lines []placed, odd []error) {
	t.Helper()
	for {
		l, err := r.Next()
		var damage *Damage
		var lost *LostError
		switch {
		case err == nil:
			lines = append(lines, placed{l, r.Position()})
		case errors.As(err, &damage), errors.As(err, &lost):
			odd = append(odd, err)
		case errors.Is(err, io.EOF):
			return lines, odd
		default:
			t.Fatal(err)
		}
	}
}

func seqs(lines []placed) (out []int) {
	for _, l := range lines {
		out = append(out, l.Event.Seq)
	}
	return out
}

// upTo is 1 to n.
func upTo(n int) (out []int) {
	for i := range n {
		out = append(out, i+1)
	}
	return out
}

// fromEverywhere checks that from each position that was reached the rest follows,
// and nothing else.
func fromEverywhere(t *testing.T, j *Journal, reached []placed, want []int) {
	t.Helper()
	all, odd := rest(t, j, store.Position{})
	if !slices.Equal(seqs(all), want) || len(odd) > 0 {
		t.Errorf("the whole journal is %v, want %v; %v", seqs(all), want, odd)
	}
	for _, l := range reached {
		lines, odd := rest(t, j, l.behind)
		if after := want[slices.Index(want, l.Event.Seq)+1:]; !slices.Equal(seqs(lines), after) || len(odd) > 0 {
			t.Errorf("behind %d at %s come %v, want %v; %v", l.Event.Seq, l.behind, seqs(lines), after, odd)
		}
	}
}

func TestReaderGoesOnFromEveryPositionAlsoAfterReopening(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{SegmentSize: 500})
	r := j.Recorder("a", 1, "n", nil)
	follow := j.Reader(store.Position{})
	defer follow.Close()
	var reached []placed
	for i := range 20 {
		for range i % 3 {
			r.Record(call.Event{Type: call.Step, Why: "äöü \"quoted\""})
		}
		flush(t, j)
		lines, _ := drainReader(t, follow)
		reached = append(reached, lines...)
	}
	if n := reached[len(reached)-1].behind.Segment; n < 3 {
		t.Fatalf("only %d segments", n)
	}
	if end, _ := j.Durable(); end != reached[len(reached)-1].behind {
		t.Errorf("the journal ends at %s, the last line at %s", end, reached[len(reached)-1].behind)
	}
	var raw, files []byte
	for _, l := range reached {
		raw = append(raw, l.Raw...)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, text...)
	}
	if !bytes.Equal(raw, files) {
		t.Errorf("lines are not as they stand in the files:\n%s\n%s", raw, files)
	}
	fromEverywhere(t, j, reached, upTo(len(reached)))
	mustClose(t, j)
	fromEverywhere(t, open(t, dir, Options{SegmentSize: 500}), reached, upTo(len(reached)))
}

func TestReaderHandsOutNothingThatACrashCouldTakeBack(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		disk := &faultyFS{}
		j := open(t, dir, Options{FS: disk})
		follow := j.Reader(store.Position{})
		defer follow.Close()
		r := j.Recorder("a", 1, "n", nil)
		r.Record(call.Event{Type: call.Started})
		flush(t, j)
		<-j.Grown()
		disk.set(func(f *faultyFS) { f.sync, f.truncate = syscall.EIO, syscall.EIO })
		r.Record(call.Event{Type: call.Step})
		pass(10 * time.Millisecond)
		if text, err := os.ReadFile(segmentPath(dir, 1)); err != nil || bytes.Count(text, []byte{'\n'}) != 2 {
			t.Fatalf("the file was to hold both events: %q %v", text, err)
		}
		if lines, _ := drainReader(t, follow); !slices.Equal(seqs(lines), []int{1}) {
			t.Errorf("handed out %v", seqs(lines))
		}
		select {
		case <-j.Grown():
			t.Error("a failed write woke whoever drains")
		default:
		}
		disk.set(func(f *faultyFS) { f.sync, f.truncate = nil, nil })
		<-j.Grown()
		if lines, _ := drainReader(t, follow); !slices.Equal(seqs(lines), []int{2}) {
			t.Errorf("handed out %v", seqs(lines))
		}
		mustClose(t, j)
	})
}

// What a failed fsync left is written again elsewhere. Whoever had read up to the
// middle of the copy that counts must find the rest of it after a restart.
func TestCopiesOfAFailedFsyncAreNeitherDoubledNorLostAfterReopening(t *testing.T) {
	for name, fault := range map[string]func(*faultyFS){
		"whole":      func(f *faultyFS) { f.sync, f.truncate = syscall.EIO, syscall.EIO },
		"torn":       func(f *faultyFS) { f.write, f.truncate = half, syscall.EIO },
		"first torn": func(f *faultyFS) { f.write, f.truncate = onceHalf(), syscall.EIO },
		"empty":      func(f *faultyFS) { f.write, f.truncate = nothing, syscall.EIO },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var reached []placed
			synctest.Test(t, func(t *testing.T) {
				disk := &faultyFS{}
				j := open(t, dir, Options{FS: disk})
				follow := j.Reader(store.Position{})
				defer follow.Close()
				r := j.Recorder("a", 1, "n", nil)
				record := func(n int) {
					for range n {
						r.Record(call.Event{Type: call.Step, Why: "something that fills the line a little"})
					}
				}
				record(3)
				flush(t, j)
				disk.set(fault)
				record(4)
				pass(3 * time.Second) // some tries, each in a segment of its own
				record(2)
				pass(3 * time.Second)
				disk.set(func(f *faultyFS) { f.write, f.sync, f.truncate = nil, nil, nil })
				pass(time.Second)
				record(2)
				flush(t, j)
				reached, _ = drainReader(t, follow)
				if !slices.Equal(seqs(reached), upTo(11)) {
					t.Fatalf("read while it was written: %v", seqs(reached))
				}
				mustClose(t, j)
			})
			j := open(t, dir, Options{})
			for from := range append([]placed{{}}, reached...) {
				at := store.Position{}
				if from > 0 {
					at = reached[from-1].behind
				}
				if lines, _ := rest(t, j, at); !slices.Equal(seqs(lines), upTo(11)[from:]) {
					t.Errorf("behind %d at %s come %v", from, at, seqs(lines))
				}
			}
		})
	}
}

// After a failed fsync a power cut leaves what it likes of the copies that do not count.
func TestCopiesAreFoundAlsoWhereAPowerCutHasSpoiltThem(t *testing.T) {
	e := func(seqs ...int) (text string) {
		for _, seq := range seqs {
			text += string(AppendEvent(nil, call.Event{Call: fmt.Sprint("call-", seq%2), Epoch: 1, Seq: seq, Type: call.Step}))
		}
		return text
	}
	spoilt := strings.Repeat("\x00", 100) + "\n"
	for name, files := range map[string][]string{
		"whole":                          {e(1, 2, 3, 4), e(3, 4, 5)},
		"a segment is nothing else":      {e(1, 2, 3, 4), spoilt, e(3, 4, 5)},
		"a segment is empty":             {e(1, 2, 3, 4), "", e(3, 4, 5)},
		"the first copy":                 {e(1, 2) + spoilt + e(4), e(3, 4, 5)},
		"the second of three":            {e(1, 2, 3, 4), spoilt + e(4), e(3, 4, 5)},
		"three whole ones":               {e(1, 2, 3), e(3, 4), e(3, 4, 5)},
		"some were dropped before":       {e(1, 2, 6, 3, 6, 4), e(3, 4, 5)},
		"the last segment is all copies": {e(1, 2, 3, 4, 5), e(3, 4, 5)},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for i, text := range files {
				if err := os.WriteFile(segmentPath(dir, i+1), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			j := open(t, dir, Options{})
			lines, _ := rest(t, j, store.Position{})
			got := slices.DeleteFunc(seqs(lines), func(seq int) bool { return seq == 6 }) // that stands where it was
			if !slices.Equal(got, upTo(5)) {
				t.Errorf("read %v", seqs(lines))
			}
			last := lines[len(lines)-3:] // all in the copy that counts
			for i, l := range last {
				if after, _ := rest(t, j, l.behind); l.behind.Segment != len(files) || len(after) != len(last)-i-1 {
					t.Errorf("behind %d at %s come %v", l.Event.Seq, l.behind, seqs(after))
				}
			}
		})
	}
}

func half(b []byte) (int, error)    { return len(b) / 2, syscall.ENOSPC }
func nothing(b []byte) (int, error) { return 0, syscall.ENOSPC }

// onceHalf writes half of what it is given the first time, then all; and fails.
func onceHalf() func([]byte) (int, error) {
	first := true
	return func(b []byte) (int, error) {
		if first {
			first = false
			return half(b)
		}
		return len(b), syscall.EIO
	}
}

func TestReaderFindsWholeLinesWhereverACrashCutTheJournal(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{SegmentSize: 400})
	r := j.Recorder("a", 1, "n", nil)
	for range 8 {
		r.Record(call.Event{Type: call.Step, Why: "é"})
		flush(t, j)
	}
	mustClose(t, j)
	reached, _ := rest(t, j, store.Position{})
	last := reached[len(reached)-1].behind
	for size := range last.Offset + 1 {
		torn := t.TempDir()
		if err := os.CopyFS(torn, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(segmentPath(torn, last.Segment), size); err != nil {
			t.Fatal(err)
		}
		j := open(t, torn, Options{SegmentSize: 400})
		kept := slices.DeleteFunc(slices.Clone(reached), func(l placed) bool {
			return l.behind.Compare(store.Position{Segment: last.Segment, Offset: size}) > 0
		})
		fromEverywhere(t, j, kept, upTo(len(kept)))
		mustClose(t, j)
	}
}

func TestJournalThatWasPutBackSaysWhatIsNotThere(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	r := j.Recorder("a", 1, "n", nil)
	r.Record(call.Event{Type: call.Started})
	flush(t, j)
	before, err := os.ReadFile(segmentPath(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	r.Record(call.Event{Type: call.Step})
	mustClose(t, j)
	ahead, _ := j.Durable()
	if err := os.WriteFile(segmentPath(dir, 1), before, 0o600); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir, Options{})
	j.End("a", call.NormalClearing, nil)
	flush(t, j)
	lines, odd := rest(t, j, ahead)
	var lost *LostError
	if len(odd) != 1 || !errors.As(odd[0], &lost) || lost.From != ahead || lost.To.Offset != int64(len(before)) {
		t.Errorf("said %v", odd)
	}
	if len(lines) != 1 || lines[0].Event.Type != call.Ended {
		t.Errorf("what was recorded since is %v", lines)
	}
}

func TestReaderSaysWhichSegmentsAreGone(t *testing.T) {
	for name, c := range map[string]struct {
		gone   int
		reopen bool
		want   []int
		told   int
	}{
		"the oldest":                 {gone: 1, reopen: true, want: []int{2, 3}, told: 1},
		"one in the middle, running": {gone: 2, want: []int{1, 3}, told: 1},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			j := open(t, dir, Options{SegmentSize: 1})
			r := j.Recorder("a", 1, "n", nil)
			for range 3 {
				r.Record(call.Event{Type: call.Step})
				flush(t, j)
			}
			if err := os.Remove(segmentPath(dir, c.gone)); err != nil {
				t.Fatal(err)
			}
			if c.reopen {
				mustClose(t, j)
				j = open(t, dir, Options{SegmentSize: 1})
			}
			lines, odd := rest(t, j, store.Position{})
			if !slices.Equal(seqs(lines), c.want) || len(odd) != c.told {
				t.Errorf("read %v, told %v", seqs(lines), odd)
			}
		})
	}
}

func TestReaderPassesOverDamageAndNamesItsLine(t *testing.T) {
	dir := t.TempDir()
	good := func(seq int) string {
		return string(AppendEvent(nil, call.Event{Call: "a", Epoch: 1, Seq: seq, Type: call.Step}))
	}
	text := good(1) + good(2) + "garbage\n" + good(3) + strings.Repeat("x", 3*MaxLine) + "\n" + good(4)
	if err := os.WriteFile(segmentPath(dir, 1), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	j := open(t, dir, Options{})
	lines, odd := rest(t, j, store.Position{Segment: 1, Offset: int64(len(good(1)))})
	if !slices.Equal(seqs(lines), []int{2, 3, 4}) || len(odd) != 2 {
		t.Fatalf("read %v, told %v", seqs(lines), odd)
	}
	for i, line := range []int{3, 5} {
		if d := odd[i].(*Damage); d.Line != line || d.File != segmentPath(dir, 1) {
			t.Errorf("damage %v, want line %d", d, line)
		}
	}
	if end, _ := j.Durable(); lines[2].behind != end {
		t.Errorf("the last line ends at %s, the journal at %s", lines[2].behind, end)
	}
}

func TestDurableTimeIsThatOfTheLastGroupOnTheDisk(t *testing.T) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var seconds atomic.Int64
	now := func() time.Time { return began.Add(time.Duration(seconds.Load()) * time.Second) }
	disk := &faultyFS{gate: make(chan struct{})}
	gate := disk.gate
	j := open(t, t.TempDir(), Options{FS: disk, Now: now})
	check := func(when string, segment int, until time.Duration) {
		t.Helper()
		if end, at := j.Durable(); end.Segment != segment || !at.Equal(began.Add(until)) {
			t.Errorf("%s: until %s in segment %d", when, at, end.Segment)
		}
	}
	seconds.Store(1)
	j.Append(call.Event{Call: "a", Epoch: 1, Seq: 1, Type: call.Started})
	<-gate // it is being written
	seconds.Store(2)
	j.Append(call.Event{Call: "a", Epoch: 1, Seq: 2, Type: call.Ended})
	check("nothing is there yet", 0, 0)
	gate <- struct{}{}
	<-gate // so is the second
	check("the first is there", 1, time.Second)
	disk.set(func(f *faultyFS) { f.gate = nil })
	gate <- struct{}{}
	flush(t, j)
	seconds.Store(5)
	check("both are there", 1, 5*time.Second)
}

func TestJournalKeepsItsIDAndAnEmptiedFolderGetsAnother(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	id := j.ID()
	mustClose(t, j)
	if j = open(t, dir, Options{}); j.ID() != id || len(id) != 32 {
		t.Errorf("%q became %q", id, j.ID())
	}
	mustClose(t, j)
	for _, text := range []string{"", "short", strings.Repeat("x", 32), id + id} {
		if err := os.WriteFile(filepath.Join(dir, "id"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "32 hexadecimal digits") {
			t.Errorf("id %q: %v", text, err)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if j = open(t, dir, Options{}); j.ID() == id {
		t.Error("an emptied folder is the same journal")
	}
}

func TestEventsOfACallGetItsOrganization(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	j.Recorder("a", 1, "n", nil).Record(call.Event{Type: call.Started, Org: "acme"})
	j.Recorder("a", 1, "n", nil).Record(call.Event{Type: call.Answered})
	j.Append(call.Event{Call: "a", Epoch: 1, Seq: 3, Type: call.Step})
	j.Recorder("b", 1, "n", nil).Record(call.Event{Type: call.Started})
	mustClose(t, j)
	j = open(t, dir, Options{})
	j.End("a", call.NormalClearing, nil)
	j.End("b", call.NormalClearing, nil)
	mustClose(t, j)
	events, _ := readAll(t, dir)
	var got []string
	for _, e := range events {
		got = append(got, fmt.Sprintf("%s %s %s", e.Call, e.Type, e.Org))
	}
	want := []string{"a call.started acme", "a call.answered acme", "a flow.step acme", "b call.started ", "a call.ended acme", "b call.ended "}
	if !slices.Equal(got, want) {
		t.Errorf("events:\n got %q\nwant %q", got, want)
	}
}
