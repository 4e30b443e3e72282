package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/hookswitch/hookswitch/store"
)

// LostError says that a part of the journal is gone: it was removed, or the
// folder was put back to an earlier state.
type LostError struct {
	From, To store.Position // To is where reading goes on; before From if the journal ends there
}

func (e *LostError) Error() string {
	return fmt.Sprintf("the journal does not have position %s any more; reading goes on at %s", e.From, e.To)
}

// Reader hands out the journal of this process from a place on, but never more
// than a crash would leave. It is for one goroutine.
type Reader struct {
	j     *Journal
	at    store.Position
	begun bool     // the journal has had the place where it began
	file  *os.File // segment at.Segment; nil: not open
	limit int64    // offset up to which lines reads
	lines *lineReader
	counted
}

// counted is how many lines end before an offset of the open segment.
type counted struct {
	before int64
	ended  int
}

// Reader returns a reader that begins at a position that another one had reached;
// at the zero Position, with the oldest event.
func (j *Journal) Reader(from store.Position) *Reader {
	return &Reader{j: j, at: from, lines: newLineReader(nil)}
}

// Position is behind the line that Next returned last, and behind all that it
// passed over.
func (r *Reader) Position() store.Position { return r.at }

// Next returns the next event and its line. It fails with io.EOF when nothing more
// is on the disk at present, with *Damage for a line that cannot be read, and with
// *LostError for a part that is gone: after each of these the next call goes on.
// After any other error it tries the same place again.
func (r *Reader) Next() (store.Line, error) {
	if r.file == nil || r.at.Offset >= r.limit {
		if err := r.advance(); err != nil {
			return store.Line{}, err
		}
	}
	l, err := r.lines.next()
	switch {
	case errors.Is(err, io.EOF): // somebody has cut the file
		lost := &LostError{r.at, store.Position{Segment: r.at.Segment, Offset: r.limit}}
		r.at = lost.To
		return store.Line{}, lost
	case err != nil:
		r.Close()
		return store.Line{}, fmt.Errorf("read journal: %w", err)
	}
	before := r.at.Offset
	r.at.Offset += l.size
	if l.bad != "" {
		return store.Line{}, r.damage(before, l.bad)
	}
	raw := bytes.Clone(l.raw)
	if !l.whole {
		raw = append(raw, '\n')
	}
	return store.Line{Event: l.event, Raw: raw}, nil
}

// Close lets go of the file.
func (r *Reader) Close() error {
	if r.begun {
		r.j.handOut(r.at)
	}
	if r.file == nil {
		return nil
	}
	f := r.file
	r.file = nil
	return f.Close()
}

// advance opens what can be read at the place, or at the next where there is
// something.
func (r *Reader) advance() error {
	if r.begun {
		r.j.handOut(r.at)
	}
	at, limit, lost := r.j.reach(r.at)
	r.begun = true
	if lost != nil {
		r.at = lost.To
		r.Close()
		return lost
	}
	if limit == 0 {
		return io.EOF
	}
	if r.file != nil && at.Segment != r.at.Segment {
		r.Close()
	}
	if r.file == nil {
		f, err := os.Open(segmentPath(r.j.dir, at.Segment))
		if errors.Is(err, fs.ErrNotExist) {
			lost := &LostError{r.at, store.Position{Segment: at.Segment, Offset: limit}}
			r.at = lost.To
			return lost
		}
		if err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
		r.file, r.counted = f, counted{}
	}
	r.at, r.limit = at, limit
	r.lines.r.Reset(io.NewSectionReader(r.file, at.Offset, limit-at.Offset))
	return nil
}

// damage describes a line that cannot be read and that begins at an offset. Lines
// are counted only here.
func (r *Reader) damage(at int64, why string) *Damage {
	buf := make([]byte, MaxLine)
	for from := io.NewSectionReader(r.file, r.before, at-r.before); ; {
		n, err := from.Read(buf)
		r.ended += bytes.Count(buf[:n], []byte{'\n'})
		if err != nil { // the end of what comes before it, or the number is too low
			r.before = at
			return &Damage{File: segmentPath(r.j.dir, r.at.Segment), Line: r.ended + 1, Why: why}
		}
	}
}

// handOut notes that readers came as far as p.
func (j *Journal) handOut(p store.Position) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if p.Compare(j.handed) > 0 {
		j.handed = p
	}
}

// reach returns where reading goes on from p, and up to which offset of that
// segment; 0 when there is nothing yet. A p that the journal does not have is lost.
func (j *Journal) reach(p store.Position) (at store.Position, limit int64, lost *LostError) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if p.Compare(j.handed) > 0 {
		// Nobody can have read so far: the journal was put back. What it had when it
		// was opened is a part of what had been read before that.
		return p, 0, &LostError{p, j.opened}
	}
	for i, s := range j.files {
		switch {
		case s.n == p.Segment && p.Offset < s.size:
			return p, s.size, nil
		case s.n <= p.Segment || s.size == 0:
		case i == 0 && s.n > max(p.Segment, 1):
			return p, 0, &LostError{p, store.Position{Segment: s.n}}
		default:
			return store.Position{Segment: s.n}, s.size, nil
		}
	}
	return p, 0, nil
}

// Durable returns the position behind the last event that is on the disk, and a
// time: every event that was recorded before it lies before that position.
func (j *Journal) Durable() (end store.Position, until time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.pending.lines) == 0 && j.inflightLines == 0 {
		j.until = j.o.Now()
	}
	return j.end(), j.until
}

// Grown returns a channel that gets a value after something was written; it is for
// one who drains.
func (j *Journal) Grown() <-chan struct{} { return j.grown }
