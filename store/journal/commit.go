package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// maxSpare bounds the memory kept from one commit to the next, in bytes.
const maxSpare = 1 << 20

// run writes what gathers, group by group, until Close. It is the only
// goroutine that touches the segments.
func (j *Journal) run() {
	defer close(j.done)
	for {
		select {
		case <-j.wake:
		case <-j.closing:
			j.finish()
			return
		}
		began := time.Now()
		for !j.commit() {
			if !j.pause(j.o.Retry) {
				j.finish()
				return
			}
		}
		// What comes meanwhile shares the next fsync; an idle journal has none.
		if !j.pause(j.o.Gather - time.Since(began)) {
			j.finish()
			return
		}
	}
}

// pause waits; it reports false when Close was called.
func (j *Journal) pause(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-j.closing:
		return false
	}
}

// commit writes the group that waits. It reports false when that failed; the
// events are then in front of those that came since.
func (j *Journal) commit() bool {
	j.mu.Lock()
	g, upto := j.pending, j.stats.Events
	if len(g.lines) == 0 {
		// A failing journal always has something waiting: what failed, of which
		// shed leaves the most.
		j.mu.Unlock()
		return true
	}
	j.pending, j.spare = j.spare, group{}
	j.inflight, j.inflightLines = len(g.buf), len(g.lines)
	j.writing = time.Now()
	until := j.o.Now()
	j.mu.Unlock()

	err := j.write(g.buf)

	j.mu.Lock()
	j.inflight, j.inflightLines, j.writing = 0, 0, time.Time{}
	if (err == nil) != (j.err == nil) || j.crowded {
		j.notice()
	}
	j.err = err
	if err == nil {
		j.limit, j.crowded = j.o.Buffer, false
		s := &j.files[len(j.files)-1]
		s.size += int64(len(g.buf))
		s.changed = until
		j.onDisk += int64(len(g.buf))
		j.until = until
		for _, l := range g.lines {
			if l.st != nil {
				j.calls.place(l.st, s.n)
			}
		}
		j.stats.Synced = upto
		j.stats.Groups++
		select {
		case j.grown <- struct{}{}:
		default: // whoever drains knows already
		}
		if cap(g.buf) <= maxSpare {
			clear(g.lines)
			j.spare = group{g.buf[:0], g.lines[:0]}
		}
	} else {
		g.buf = append(g.buf, j.pending.buf...)
		g.lines = append(g.lines, j.pending.lines...)
		j.pending = g
		if len(g.buf) > j.limit {
			j.shed()
		}
	}
	j.wakeFlush()
	j.mu.Unlock()
	return err == nil
}

// wakeFlush lets every Flush look again. The caller holds j.mu.
func (j *Journal) wakeFlush() {
	if j.changed != nil {
		close(j.changed)
		j.changed = nil
	}
}

// finish writes what waits, once, and lets go of everything.
func (j *Journal) finish() {
	var errs []error
	if !j.commit() {
		errs = append(errs, fmt.Errorf("%d events of journal %s are lost: %w", j.Stats().Pending, j.dir, j.Err()))
	}
	j.mu.Lock()
	j.finished = true
	j.wakeFlush()
	j.mu.Unlock()
	if j.file != nil {
		errs = append(errs, j.file.Close())
	}
	j.closeErr = errors.Join(append(errs, j.lock.Close())...)
}

// write appends buf to the current segment and forces it to the disk.
func (j *Journal) write(buf []byte) error {
	if j.file != nil && j.files[len(j.files)-1].size >= j.o.SegmentSize {
		file := j.file
		j.file = nil
		// All of it was synced; an error here is about nothing that matters.
		_ = file.Close()
	}
	begun := j.file == nil
	if begun {
		if err := j.begin(); err != nil {
			return err
		}
	}
	_, err := j.file.Write(buf)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		j.abandon()
		return fmt.Errorf("journal %s: %w", j.dir, err)
	}
	if begun {
		j.prune()
	}
	return nil
}

// begin starts a new segment.
func (j *Journal) begin() error {
	// A number is never used again, not by the next process either, so that nobody who
	// follows the journal reads on in the wrong file.
	j.highest++
	f, err := j.o.FS.OpenFile(segmentPath(j.dir, j.highest), os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return fmt.Errorf("journal %s: %w", j.dir, err)
	}
	j.file = f
	if j.empty != 0 {
		_ = os.Remove(segmentPath(j.dir, j.empty)) // if it stays, it is empty or holds copies
		j.empty = 0
	}
	j.mu.Lock()
	j.files = append(j.files, segment{n: j.highest})
	j.mu.Unlock()
	if err := j.o.FS.SyncDir(j.dir); err != nil {
		j.abandon()
		return fmt.Errorf("journal %s: %w", j.dir, err)
	}
	return nil
}

// abandon leaves the current segment after a failed write or fsync. After a
// failed fsync the kernel may hold pages that it calls clean and has never
// written, so that a second fsync would succeed without doing anything: the
// events are written again, elsewhere. What of them reached this segment is cut
// off if the disk lets us; if not, readers see them twice and pass over the copy.
func (j *Journal) abandon() {
	s := j.files[len(j.files)-1]
	_ = j.file.Truncate(s.size)
	_ = j.file.Close()
	j.file = nil
	if s.size == 0 {
		j.mu.Lock()
		j.files = j.files[:len(j.files)-1]
		j.mu.Unlock()
		j.empty = s.n // it stays until there is a later one, and keeps the number taken
	}
}

// prune removes the segments that are older than Keep, hold no open call and are
// drained, if somebody drains.
func (j *Journal) prune() {
	if j.o.Keep < 0 {
		return
	}
	current, oldest := j.files[len(j.files)-1].n, j.o.Now().Add(-j.o.Keep)
	kept := make([]segment, 0, len(j.files))
	var failed error
	for _, s := range j.files {
		if s.n == current || s.changed.After(oldest) || j.held(s.n) {
			kept = append(kept, s)
			continue
		}
		if err := os.Remove(segmentPath(j.dir, s.n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			kept = append(kept, s) // the next rotation tries again
			failed = fmt.Errorf("journal %s: remove old segment: %w", j.dir, err)
			continue
		}
		j.mu.Lock()
		delete(j.calls.ended, s.n)
		j.mu.Unlock()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.files = kept
	if (failed == nil) != (j.unremoved == nil) {
		j.notice()
	}
	j.unremoved = failed
}

// held says whether somebody still needs a segment. Of those that are drained the
// last stays, so that the place in it is one of this journal.
func (j *Journal) held(segment int) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.calls.holds(segment) || j.o.Drain && segment >= j.drained.Segment
}
