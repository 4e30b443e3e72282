package journal

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hookswitch/hookswitch/store"
)

// load reads every segment, cuts the torn end of the last and opens it.
func (j *Journal) load() error {
	files, err := segments(j.dir)
	if err != nil {
		return err
	}
	if err := j.loadID(); err != nil {
		return err
	}
	j.files = files
	if len(files) > 0 {
		j.highest = files[len(files)-1].n
	}
	j.report.Segments = len(files)
	for i := range files {
		again, err := j.loadSegment(&files[i], i == len(files)-1)
		if err != nil {
			return err
		}
		if err := j.voidCopies(files[:i], again); err != nil {
			return err
		}
	}
	if err := j.openLast(); err != nil {
		return err
	}
	j.opened = j.end()
	j.handed, j.until = j.opened, j.o.Now()
	j.drained = j.loadDrained()
	j.onDisk = j.behind(j.drained)
	j.measure()
	return nil
}

// openLast opens the last segment to write on in it, if it has room and was not
// abandoned. What a process wrote and did not live to sync counts as recorded from
// here on.
func (j *Journal) openLast() error {
	if len(j.files) == 0 {
		return nil
	}
	s := j.files[len(j.files)-1]
	f, err := j.o.FS.OpenFile(segmentPath(j.dir, s.n), os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	if s.size >= j.o.SegmentSize || s.size == 0 {
		return f.Close()
	}
	j.file = f
	return nil
}

// loadSegment takes the events of s into the index. The torn end of the last
// segment is cut; any other line that cannot be read is reported and stays. It
// returns the events that were in an earlier segment, as it seems.
func (j *Journal) loadSegment(s *segment, last bool) (again map[identity]struct{}, err error) {
	path := segmentPath(j.dir, s.n)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
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
			return nil, err
		}
		switch {
		case first:
		case eof && last && (end.bad != "" || !end.whole):
			return again, j.cut(f, s, &Cut{File: path, Line: n, Bytes: end.size, Why: end.why()}, at)
		case end.bad != "":
			j.report.Damaged++
			if len(j.report.Damage) < maxDamage {
				j.report.Damage = append(j.report.Damage, &Damage{File: path, Line: n, Why: end.bad})
			}
		default:
			j.report.Events++
			if j.calls.load(&end.event, s.n) {
				if again == nil {
					again = make(map[identity]struct{})
				}
				again[identityOf(&end.event)] = struct{}{}
			}
		}
		at += end.size
		n++
		end = l
	}
	return again, nil
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

// voidCopies finds what a failed fsync left behind (see abandon): the end of an
// earlier segment, all of which was written again. The later copy is the one that
// counts, as it did for whoever drained the journal at that time: such a segment
// ends, for a Reader, before the first of these events.
func (j *Journal) voidCopies(before []segment, again map[identity]struct{}) error {
	for i := len(before) - 1; i >= 0 && len(again) > 0; i-- {
		s := &before[i]
		at, good, err := firstOf(segmentPath(j.dir, s.n), again)
		switch {
		case err != nil:
			return err
		case at >= 0:
			s.size = min(s.size, at)
		case good:
			return nil // nor is any in those before it
		}
	}
	return nil
}

// firstOf returns where the first of the events stands in a segment, -1 if none does,
// and whether there is any event.
func firstOf(path string, events map[identity]struct{}) (at int64, good bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	for lr := newLineReader(f); ; {
		l, err := lr.next()
		if errors.Is(err, io.EOF) {
			return -1, good, nil
		}
		if err != nil {
			return 0, false, err
		}
		if l.bad == "" {
			good = true
			if _, found := events[identityOf(&l.event)]; found {
				return at, good, nil
			}
		}
		at += l.size
	}
}

// end is behind the last durable event. The caller holds j.mu, or is Open.
func (j *Journal) end() store.Position {
	for i := len(j.files) - 1; i >= 0; i-- {
		if s := j.files[i]; s.size > 0 {
			return store.Position{Segment: s.n, Offset: s.size}
		}
	}
	return store.Position{}
}
