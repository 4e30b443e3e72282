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
//
// With Options.Drain somebody takes the events to a store (package drain): a
// [Reader] hands them out as far as they are on the disk, and [Journal.Drained]
// says what has arrived. What has not stays, within a bound; see [Level].
package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/store"
)

// Options of a journal. The zero value of every field is its default.
type Options struct {
	Node        string        // name of this Hookswitch node, for ends that no Recorder writes
	SegmentSize int64         // bytes after which a new segment begins; 64 MiB
	Buffer      int           // bytes of events that may wait in memory for a failing disk; 16 MiB, at least 256 KiB
	Keep        time.Duration // how long a segment outlives its last write; 7 days; negative: for ever
	Retry       time.Duration // pause after a failed write; 1 s
	Gather      time.Duration // least time between the beginnings of two groups; 2 ms; negative: none
	Drain       bool          // somebody drains the journal: a segment stays until Drained has passed it
	Max         int64         // bytes that may wait to be drained; 2 GiB
	// Alarm is called when something begins to be wrong, or is wrong in another
	// way, and with nil when all is well again; within 5 s. It must not block.
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
	if o.Max <= 0 {
		o.Max = 2 << 30
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
	Dropped uint64 // events lost for want of room, or that came after Close
	Groups  uint64 // successful writes, each with one fsync
	Writing bool   // a write or an fsync is under way
	Failing bool
	Full    bool           // as Full says
	Level   Level          // how full it is
	Waiting int64          // bytes that are not drained; 0 without Options.Drain
	Drained store.Position // up to which it is
}

// Journal is an open journal. Its methods are safe for concurrent use.
type Journal struct {
	dir    string
	id     string
	o      Options
	lock   *os.File
	report Report
	opened store.Position // the end when it was opened

	wake    chan struct{} // of capacity 1: there is something to write
	grown   chan struct{} // of capacity 1: something was written
	look    chan struct{} // of capacity 1: the watch should look again
	closing chan struct{} // closed by Close
	done    chan struct{} // closed when the committer has returned
	watched chan struct{} // closed when the watch has returned

	mu            sync.Mutex
	calls         index
	pending       group
	spare         group // an empty group with the memory of an earlier one
	limit         int   // bytes in memory at which shed is called
	inflight      int   // bytes that the committer is writing
	inflightLines int
	writing       time.Time // since when; zero: it is not writing
	stats         Stats
	err           error // why the last write failed; nil: healthy
	unremoved     error // why an old segment could not be removed
	crowded       bool  // the disk fails, and what waits in memory has no room left
	level         Level // how full the disk is of what waits to be drained
	onDisk        int64 // bytes on the disk that are not drained
	drained       store.Position
	handed        store.Position // up to which it was handed out, in this process or before
	noted         time.Time      // when drained was last written to its file
	until         time.Time      // what was recorded before is on the disk
	onFull        func(bool)     // see OnFull
	changed       chan struct{}  // closed and dropped after each write; nil: nobody waits
	closed        bool           // nothing more is accepted
	finished      bool           // nothing more is written

	closeErr error // written before done is closed

	// Changed by the committer alone, with mu held.
	files []segment // oldest first; the last is the one written to, if file is not nil

	// Of the committer alone.
	highest int  // number of the newest segment ever begun
	file    File // of the last segment; nil: the next write begins a new one
	empty   int  // number of an abandoned segment in which nothing is; 0: none
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
		wake: make(chan struct{}, 1), grown: make(chan struct{}, 1), look: make(chan struct{}, 1),
		closing: make(chan struct{}), done: make(chan struct{}), watched: make(chan struct{}),
	}
	if err := j.load(); err != nil {
		l.Close()
		return nil, fmt.Errorf("open journal %s: %w", dir, err)
	}
	go j.run()
	go j.watch()
	return j, nil
}

// Report says what Open found.
func (j *Journal) Report() Report { return j.report }

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

// Stats returns the figures of this moment.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.stats
	s.Pending = len(j.pending.lines) + j.inflightLines
	s.Writing = j.inflightLines > 0
	s.Failing = j.fault() != nil
	s.Full, s.Level, s.Drained = j.full(), j.level, j.drained
	if j.o.Drain {
		s.Waiting = j.waiting()
	}
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
	<-j.watched
	return j.closeErr
}
