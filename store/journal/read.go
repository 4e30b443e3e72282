package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"

	"github.com/fsnotify/fsnotify"

	"github.com/hookswitch/hookswitch/call"
)

// Read yields the events of the journals, one journal after the other, each in
// the order in which it was appended to. It may run while another process
// writes, and then ends with what was there when it came by.
//
// A line that cannot be read yields a *Damage and reading goes on; any other
// error ends that journal.
func Read(dirs ...string) iter.Seq2[call.Event, error] {
	return func(yield func(call.Event, error) bool) {
		for _, dir := range dirs {
			if !readDir(dir, yield) {
				return
			}
		}
	}
}

// Sort puts events into the order of call, epoch and sequence and removes
// copies. It makes one history of what several nodes wrote; two of them share
// an epoch only when the first died before it left a checkpoint. It works in
// place.
func Sort(events []call.Event) []call.Event {
	slices.SortStableFunc(events, func(a, b call.Event) int {
		return cmp.Or(strings.Compare(a.Call, b.Call), a.Epoch-b.Epoch, a.Seq-b.Seq, strings.Compare(a.Node, b.Node))
	})
	return slices.CompactFunc(events, func(a, b call.Event) bool {
		return a.Call == b.Call && a.Epoch == b.Epoch && a.Node == b.Node && a.Seq == b.Seq
	})
}

func readDir(dir string, yield func(call.Event, error) bool) bool {
	files, err := segments(dir)
	if err != nil {
		return yield(call.Event{}, fmt.Errorf("read journal: %w", err))
	}
	var seen copies
	for i, s := range files {
		path := segmentPath(dir, s.n)
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) { // retention came first
			continue
		}
		if err != nil {
			return yield(call.Event{}, fmt.Errorf("read journal: %w", err))
		}
		at := position{path: path}
		more, err := at.read(f, i < len(files)-1, &seen, yield)
		f.Close()
		if !more {
			return false
		}
		if err != nil {
			return yield(call.Event{}, fmt.Errorf("read journal: %w", err))
		}
		seen.turn()
	}
	return true
}

// position is how far a segment was read.
type position struct {
	path   string
	offset int64
	line   int // lines before offset
}

// read yields the lines of f from the position on and moves it. A last line
// without an end is left alone, unless the segment is complete: somebody may be
// writing it. It reports false when the consumer wants no more.
func (p *position) read(f io.ReaderAt, complete bool, seen *copies, yield func(call.Event, error) bool) (bool, error) {
	lr := newLineReader(io.NewSectionReader(f, p.offset, 1<<62))
	for {
		l, err := lr.next()
		if errors.Is(err, io.EOF) || err == nil && !l.whole && !complete {
			return true, nil
		}
		if err != nil {
			return true, err
		}
		p.offset += l.size
		p.line++
		switch {
		case l.bad != "":
			if !yield(call.Event{}, &Damage{File: p.path, Line: p.line, Why: l.bad}) {
				return false, nil
			}
		case seen.add(&l.event):
		case !yield(l.event, nil):
			return false, nil
		}
	}
}

// copies finds events that were written twice, which happens when an fsync
// failed and the segment could not be cut. The copy is then near the beginning
// of one of the next segments, so that only the youngest identities are kept.
type copies struct {
	now, before map[identity]struct{}
}

type identity struct {
	call       uint64 // hash of the id
	epoch, seq int
	time       int64 // in nanoseconds: a place whose event was never on the disk may be given again
}

func identityOf(e *call.Event) identity {
	return identity{maphash.String(identitySeed, e.Call), e.Epoch, e.Seq, e.Time.UnixNano()}
}

var identitySeed = maphash.MakeSeed()

// enough is how many identities make it safe to forget those of earlier
// segments: more than a journal's buffer holds by default.
const enough = 200_000

// add reports whether e was seen.
func (c *copies) add(e *call.Event) bool {
	id := identityOf(e)
	if _, ok := c.before[id]; ok {
		return true
	}
	if _, ok := c.now[id]; ok {
		return true
	}
	if c.now == nil {
		c.now = make(map[identity]struct{})
	}
	c.now[id] = struct{}{}
	if len(c.now) > 2*enough { // a segment far beyond the usual size
		c.turn()
	}
	return false
}

// turn is called at the end of a segment.
func (c *copies) turn() {
	if len(c.now) >= enough {
		c.before, c.now = c.now, nil
	}
}

// Follow yields the events that are appended to the journal after it was
// called, as they are written, across segments, until ctx ends. The journal's
// directory must exist. Damage is yielded as by Read; any other error is the last.
func Follow(ctx context.Context, dir string) (iter.Seq2[call.Event, error], error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("follow journal: %w", err)
	}
	t := &tail{dir: dir, watch: w}
	if err := t.start(); err != nil {
		w.Close()
		return nil, fmt.Errorf("follow journal: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { w.Close() })
	return func(yield func(call.Event, error) bool) {
		defer w.Close()
		defer stop()
		if err := t.run(ctx, yield); err != nil {
			yield(call.Event{}, fmt.Errorf("follow journal: %w", err))
		}
	}, nil
}

// tail is a place in a journal that moves with its end.
type tail struct {
	dir   string
	watch *fsnotify.Watcher
	n     int // segment; those up to it are read except for what follows at
	at    position
	seen  copies
}

// start takes the place at the end. The watch comes first, so that nothing
// written in between goes unnoticed.
func (t *tail) start() error {
	if err := t.watch.Add(t.dir); err != nil {
		return err
	}
	files, err := segments(t.dir)
	if err != nil || len(files) == 0 {
		return err
	}
	last := files[len(files)-1]
	t.n = last.n
	t.at = position{path: segmentPath(t.dir, last.n)}
	f, err := os.Open(t.at.path)
	if err != nil {
		return err
	}
	defer f.Close()
	// To the last whole line: the rest of it may still be on its way.
	_, err = t.at.read(f, false, &t.seen, func(call.Event, error) bool { return true })
	return err
}

// run reads on at every change. It returns nil when ctx ends or the consumer
// wants no more.
func (t *tail) run(ctx context.Context, yield func(call.Event, error) bool) error {
	for {
		if more, err := t.advance(yield); !more || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-t.watch.Events:
			if !ok {
				return nil // closed with ctx
			}
			t.drain()
		case err, ok := <-t.watch.Errors:
			if !ok {
				return nil
			}
			if !errors.Is(err, fsnotify.ErrEventOverflow) { // then the next look finds everything
				return err
			}
		}
	}
}

// drain takes the notices that have gathered: one look answers them all.
func (t *tail) drain() {
	for {
		select {
		case _, ok := <-t.watch.Events:
			if !ok {
				return
			}
		default:
			return
		}
	}
}

// advance reads to the end of the newest segment.
func (t *tail) advance(yield func(call.Event, error) bool) (bool, error) {
	files, err := segments(t.dir)
	if err != nil {
		return false, err
	}
	for i, s := range files {
		if s.n < t.n {
			continue
		}
		if s.n > t.n {
			t.n, t.at = s.n, position{path: segmentPath(t.dir, s.n)}
		}
		f, err := os.Open(t.at.path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, err
		}
		// A segment that has a successor in the list was complete when the list was made.
		more, err := t.at.read(f, i < len(files)-1, &t.seen, yield)
		f.Close()
		if !more || err != nil {
			return false, err
		}
		if i < len(files)-1 {
			t.seen.turn()
		}
	}
	return true, nil
}
