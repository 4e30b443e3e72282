// Package journal keeps every event of every call that this process controls:
// appended, forced to the disk in groups, readable as lines of JSON.
//
// A journal is a directory. Its segments, 00000001.ndjson and so on, hold one
// [call.Event] a line in the order in which they were appended; the file lock
// names the one process that writes. Anybody may read while it does.
//
// The path of a call never waits for the disk: [Journal.Append] and
// [Recorder.Record] encode into memory, and one goroutine writes all that has
// gathered with one write and one fsync. A journal whose disk fails keeps the
// events in memory, within a bound, and tries again until it succeeds; whoever
// needs to know that an event is safe asks [Journal.Flush].
package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// Options of a journal. The zero value of every field is its default.
type Options struct {
	Node        string        // name of this Hookswitch node, for ends that no Recorder writes
	SegmentSize int64         // bytes after which a new segment begins; 64 MiB
	Buffer      int           // bytes of events that may wait in memory for a failing disk; 16 MiB, at least 256 KiB
	Keep        time.Duration // how long a segment outlives its last write; 7 days; negative: for ever
	Retry       time.Duration // pause after a failed write; 1 s
	Gather      time.Duration // least time between the beginnings of two groups; 2 ms; negative: none
	// Alarm is called when the journal begins to fail or cannot remove an old
	// segment, and with nil when it writes again. It must not block.
	Alarm func(error)
	FS    FS               // where segments are written; the operating system's
	Now   func() time.Time // time.Now; called by several goroutines
}

// minBuffer is the least Buffer: enough that shed never empties it.
const minBuffer = 4 * MaxLine

func (o *Options) setDefaults() {
	if o.SegmentSize <= 0 {
		o.SegmentSize = 64 << 20
	}
	if o.Buffer <= 0 {
		o.Buffer = 16 << 20
	}
	o.Buffer = max(o.Buffer, minBuffer)
	if o.Keep == 0 {
		o.Keep = 7 * 24 * time.Hour
	}
	if o.Gather == 0 {
		o.Gather = 2 * time.Millisecond
	}
	if o.Retry <= 0 {
		o.Retry = time.Second
	}
	if o.Alarm == nil {
		o.Alarm = func(error) {}
	}
	if o.FS == nil {
		o.FS = osFS{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// ErrClosed is returned by Flush for events that came after Close.
var ErrClosed = errors.New("journal is closed")

// Report says what Open found.
type Report struct {
	Segments int
	Events   int
	Cut      *Cut      // the torn end of the last segment, if it had one
	Damaged  int       // lines that cannot be read; readers skip them
	Damage   []*Damage // the first of them, at most 100
}

// Cut is the torn last line that a crash left and Open removed.
type Cut struct {
	File  string
	Line  int   // from 1
	Bytes int64 // removed
	Why   string
}

func (c *Cut) String() string {
	return fmt.Sprintf("%s:%d: cut %d bytes: %s", c.File, c.Line, c.Bytes, c.Why)
}

// Stats are figures of a journal since it was opened.
type Stats struct {
	Events  uint64 // appended
	Synced  uint64 // of these, forced to the disk or dropped
	Pending int    // events that are not yet on the disk
	Dropped uint64 // events lost because the disk failed for too long, or that came after Close
	Groups  uint64 // successful writes, each with one fsync
	Writing bool   // a write or an fsync is under way
	Failing bool
}

// Journal is an open journal. Its methods are safe for concurrent use.
type Journal struct {
	dir    string
	o      Options
	lock   *os.File
	report Report

	wake    chan struct{} // of capacity 1: there is something to write
	closing chan struct{} // closed by Close
	done    chan struct{} // closed when the committer has returned

	mu            sync.Mutex
	calls         index
	pending       group
	spare         group // an empty group with the memory of an earlier one
	limit         int   // bytes in memory at which shed is called
	inflight      int   // bytes that the committer is writing
	inflightLines int
	stats         Stats
	err           error         // why the last write failed; nil: healthy
	changed       chan struct{} // closed and dropped after each write; nil: nobody waits
	closed        bool          // nothing more is accepted
	finished      bool          // nothing more is written

	closeErr error // written before done is closed

	// Of the committer alone.
	files   []segment // oldest first; the last is the one written to, if file is not nil
	highest int       // number of the newest segment ever begun
	file    File      // of the last segment; nil: the next write begins a new one
}

// group is what is written with one fsync.
type group struct {
	buf   []byte
	lines []entry
}

// entry describes one line of a group.
type entry struct {
	size int32
	rank rank
	st   *callState // nil: the call had ended before
}

// rank orders events by what may be lost first.
type rank uint8

const (
	detail  rank = iota // a step of a call
	outcome             // what a caller or a target went through
	frame               // beginning and end of a call: never lost
)

func rankOf(t call.Type) rank {
	switch t {
	case call.Started, call.Ended:
		return frame
	case call.Step, call.FlowError, call.TargetRinging:
		return detail
	}
	return outcome
}

// Open opens the journal in dir, which it makes if need be, and reads all of it
// to know which calls are open; Report tells what was found. It starts the
// goroutine that writes; Close ends it. It fails with *LockedError when another
// process holds the journal.
func Open(dir string, o Options) (*Journal, error) {
	o.setDefaults()
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	l, err := lock(dir)
	if err != nil {
		return nil, err
	}
	j := &Journal{
		dir: dir, o: o, lock: l, calls: newIndex(), limit: o.Buffer,
		wake: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
	}
	if err := j.load(); err != nil {
		l.Close()
		return nil, fmt.Errorf("open journal %s: %w", dir, err)
	}
	go j.run()
	return j, nil
}

// load reads every segment, cuts the torn end of the last and opens it.
func (j *Journal) load() error {
	files, err := segments(j.dir)
	if err != nil {
		return err
	}
	j.files = files
	if len(files) > 0 {
		j.highest = files[len(files)-1].n
	}
	j.report.Segments = len(files)
	for i := range files {
		if err := j.loadSegment(&files[i], i == len(files)-1); err != nil {
			return err
		}
	}
	if len(files) == 0 || files[len(files)-1].size >= j.o.SegmentSize {
		return nil
	}
	// What a process wrote and did not live to sync counts as recorded from here on.
	f, err := j.o.FS.OpenFile(segmentPath(j.dir, files[len(files)-1].n), os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	j.file = f
	return nil
}

// loadSegment takes the events of s into the index. The torn end of the last
// segment is cut; any other line that cannot be read is reported and stays.
func (j *Journal) loadSegment(s *segment, last bool) error {
	path := segmentPath(j.dir, s.n)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var (
		lr  = newLineReader(f)
		at  int64 // offset of end
		n   int   // its number, from 1
		end line  // the line before, on which judgement waits until it is known to be the last
		eof bool
	)
	for first := true; !eof; first = false {
		l, err := lr.next()
		if eof = errors.Is(err, io.EOF); err != nil && !eof {
			return err
		}
		switch {
		case first:
		case eof && last && (end.bad != "" || !end.whole):
			return j.cut(f, s, &Cut{File: path, Line: n, Bytes: end.size, Why: end.why()}, at)
		case end.bad != "":
			j.report.Damaged++
			if len(j.report.Damage) < maxDamage {
				j.report.Damage = append(j.report.Damage, &Damage{File: path, Line: n, Why: end.bad})
			}
		default:
			j.report.Events++
			j.calls.load(&end.event, s.n)
		}
		at += end.size
		n++
		end = l
	}
	return nil
}

// maxDamage bounds what a Report lists.
const maxDamage = 100

func (j *Journal) cut(f *os.File, s *segment, c *Cut, at int64) error {
	if err := f.Truncate(at); err != nil {
		return fmt.Errorf("%s: %w", c, err)
	}
	s.size = at
	j.report.Cut = c
	return nil
}

// Report says what Open found.
func (j *Journal) Report() Report { return j.report }

// Append adds e as it stands: its identity is the caller's business, and so is
// that nothing follows a call.ended. Prefer a Recorder and End. Append does not
// wait for the disk. After Close it does nothing but count e as dropped.
func (j *Journal) Append(e call.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		j.stats.Dropped++
		return
	}
	st, ended := j.calls.find(e.Call)
	if ended && st == nil {
		j.append(&e, nil) // the index has closed the account of this call
		return
	}
	if st == nil {
		st = j.calls.add(&e)
	}
	st.note(&e)
	j.append(&e, st)
}

// append encodes e into the group that waits. The caller holds j.mu.
func (j *Journal) append(e *call.Event, st *callState) {
	before := len(j.pending.buf)
	j.pending.buf = AppendEvent(j.pending.buf, *e)
	j.pending.lines = append(j.pending.lines, entry{size: int32(len(j.pending.buf) - before), rank: rankOf(e.Type), st: st})
	j.stats.Events++
	if j.inflight+len(j.pending.buf) > j.limit {
		j.shed()
	}
	select {
	case j.wake <- struct{}{}:
	default: // the committer knows already
	}
}

// shed drops the oldest waiting events of the lowest rank until the buffer is
// three quarters full; it is called again after a quarter more, so that the
// work is spread over many events. It never drops the beginning or end of a
// call: if there is nothing else, the buffer grows beyond its bound. The caller
// holds j.mu.
func (j *Journal) shed() {
	excess := j.inflight + len(j.pending.buf) - j.o.Buffer*3/4
	for r := detail; r < frame && excess > 0; r++ {
		from, kept, to := 0, 0, 0
		for _, l := range j.pending.lines {
			size := int(l.size)
			if l.rank == r && excess > 0 {
				excess -= size
				j.stats.Dropped++
			} else {
				copy(j.pending.buf[to:], j.pending.buf[from:from+size])
				j.pending.lines[kept] = l
				kept++
				to += size
			}
			from += size
		}
		clear(j.pending.lines[kept:])
		j.pending.lines = j.pending.lines[:kept]
		j.pending.buf = j.pending.buf[:to]
	}
	j.limit = max(j.o.Buffer, j.inflight+len(j.pending.buf)+j.o.Buffer/4)
}

// Flush returns when every event appended before it is on the disk (or was
// dropped for want of memory, see Stats). It fails at once when the journal
// fails, and with the cause of ctx when that ends first.
func (j *Journal) Flush(ctx context.Context) error {
	j.mu.Lock()
	target := j.stats.Events
	for {
		switch {
		case j.stats.Synced >= target:
			j.mu.Unlock()
			return nil
		case j.err != nil:
			err := j.err
			j.mu.Unlock()
			return err
		case j.finished:
			j.mu.Unlock()
			return ErrClosed
		}
		if j.changed == nil {
			j.changed = make(chan struct{})
		}
		changed := j.changed
		j.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		j.mu.Lock()
	}
}

// Err returns why the journal cannot write at present; nil: it can.
func (j *Journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

// Failing says whether the last write failed. Events are kept in memory meanwhile.
func (j *Journal) Failing() bool { return j.Err() != nil }

// Stats returns the figures of this moment.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.stats
	s.Pending = len(j.pending.lines) + j.inflightLines
	s.Writing = j.inflightLines > 0
	s.Failing = j.err != nil
	return s
}

// Close writes what waits, once, and lets go of the journal. It returns why
// events could not be written, and the same again when called again.
func (j *Journal) Close() error {
	j.mu.Lock()
	if !j.closed {
		j.closed = true
		close(j.closing)
	}
	j.mu.Unlock()
	<-j.done
	return j.closeErr
}
