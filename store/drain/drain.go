// Package drain takes what a node's journal holds to the call log of a store:
// everything, once, in the order of the journal, and as soon as it is on the disk.
//
// Exactly once is the store's doing: it moves its place in the journal in the
// transaction that takes in a batch, and refuses a batch that begins elsewhere.
// So a Drain that never heard the answer sends the batch again, and learns from
// the refusal that it had arrived (decision 0010).
package drain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/journal"
)

// Log is what a Drain needs of a store; store.Log says more of it.
type Log interface {
	// Append takes in all of a batch or none of it. It fails with a
	// *store.PositionError when the store is not at Batch.From, and with a
	// *store.RejectedError when it has taken in all but what it set aside.
	Append(ctx context.Context, b store.Batch) error
}

// Times of a drain.
const (
	alive      = 2 * time.Second        // from one batch to the next while there is nothing to tell
	firstPause = 100 * time.Millisecond // after a failure; twice that after the next
	lastPause  = 2 * time.Second        // and at most that
	lastWords  = 5 * time.Second        // for what is left in the end
)

// Drain takes a journal to a log. The fields are set before Run.
type Drain struct {
	Journal *journal.Journal
	Log     Log
	Node    string        // name of the Hookswitch node that writes the journal
	Every   time.Duration // least time between two batches that are not full; 50 ms, at most 200 ms
	Events  int           // in a batch at most; 10,000
	Bytes   int           // in a batch, and at most one line more; 4 MiB
	Limit   time.Duration // of one Append; 10 s
	// Problem is told when the log cannot be written any more, and nil when it can
	// again; besides, what is lost or cannot be read. It must not block.
	Problem func(error)

	// Of Run, and then of Finish.
	reader *journal.Reader
	from   store.Position // where the store is
	heard  bool           // the store has said so
	until  time.Time      // Batch.Until of the last batch
	began  time.Time      // when the last batch was sent
	unsent *batch         // that the store may or may not have
	last   int            // lines of the batch before

	mu     sync.Mutex
	oldest time.Time // when the oldest event that is not stored was recorded; zero: all are
	err    error     // why the log cannot be written
}

// batch is what is sent at once.
type batch struct {
	store.Batch
	more bool // there may be more in the journal
}

func (d *Drain) setDefaults() {
	if d.Every <= 0 {
		d.Every = 50 * time.Millisecond
	}
	d.Every = min(d.Every, 200*time.Millisecond)
	if d.Events <= 0 {
		d.Events = 10_000
	}
	if d.Bytes <= 0 {
		d.Bytes = 4 << 20
	}
	if d.Limit <= 0 {
		d.Limit = 10 * time.Second
	}
	if d.Problem == nil {
		d.Problem = func(error) {}
	}
}

// Lag is the age of the oldest event that is not stored, as far as the journal has
// been read; 0 when all are.
func (d *Drain) Lag() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.oldest.IsZero() {
		return 0
	}
	return max(0, time.Since(d.oldest))
}

// Err returns why the log cannot be written at present; nil: it can.
func (d *Drain) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// Run drains until ctx ends. Whatever fails it tries again.
func (d *Drain) Run(ctx context.Context) {
	d.begin()
	defer func() { d.reader.Close() }()
	failures := 0
	for ctx.Err() == nil {
		b, err := d.next()
		if err == nil && b.From == b.To && time.Since(d.began) < alive {
			d.wait(ctx)
			continue
		}
		if err == nil {
			err = d.send(ctx, b)
		}
		if ctx.Err() != nil {
			return // it says nothing of the store that this broke off
		}
		d.report(err)
		switch {
		case err != nil:
			pause := min(firstPause<<min(failures, 10), lastPause)
			sleep(ctx, pause/2+rand.N(pause/2))
			failures++
		case !b.more:
			failures = 0
			sleep(ctx, d.Every-time.Since(d.began))
		}
	}
}

// Finish sends what is left after the journal was closed, without patience: 5 s, and
// no second try. What is not sent stays in the journal, for the next process. Run must
// have returned.
func (d *Drain) Finish(ctx context.Context) {
	d.begin()
	defer func() { d.reader.Close() }()
	ctx, cancel := context.WithTimeout(ctx, lastWords)
	defer cancel()
	for ctx.Err() == nil {
		again := d.unsent != nil
		b, err := d.next()
		// One that may have arrived must not say more than it did.
		b.Closed = !again && !b.more
		if err == nil {
			err = d.send(ctx, b)
		}
		d.report(err)
		if err != nil || b.Closed && d.from == b.To {
			return
		}
	}
}

// begin takes the place up to which the journal was drained, as far as is known. If
// the store is elsewhere, it will say so.
func (d *Drain) begin() {
	if d.reader == nil {
		d.setDefaults()
		d.seek(d.Journal.Stats().Drained)
	}
}

// wait returns when there may be something to send.
func (d *Drain) wait(ctx context.Context) {
	t := time.NewTimer(alive - time.Since(d.began))
	defer t.Stop()
	select {
	case <-d.Journal.Grown():
	case <-t.C:
	case <-ctx.Done():
	}
}

func sleep(ctx context.Context, pause time.Duration) {
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// seek goes on from where the store is.
func (d *Drain) seek(p store.Position) {
	if d.reader != nil {
		d.reader.Close()
	}
	d.reader, d.from, d.until, d.unsent = d.Journal.Reader(p), p, time.Time{}, nil
}

// next returns the batch that could not be sent yet, or reads another one. Not all
// of it may be readable: then it ends before, and fails if it would be empty.
func (d *Drain) next() (*batch, error) {
	if d.unsent != nil {
		return d.unsent, nil
	}
	_, until := d.Journal.Durable()
	b := &batch{Batch: store.Batch{Journal: d.Journal.ID(), Node: d.Node, From: d.from, Until: d.until,
		Lines: make([]store.Line, 0, d.last)}, more: true}
	err := d.fill(b)
	d.last = len(b.Lines)
	switch {
	case errors.Is(err, io.EOF): // what was on the disk at first is in the batch
		b.Until, b.more, err = later(d.until, until.UTC()), false, nil
	case d.last > 0:
		b.Until = later(d.until, b.Lines[d.last-1].Event.Time)
	}
	if b.To = d.reader.Position(); b.To != b.From {
		err = nil // the next batch meets it again
	}
	if len(b.Lines) > 0 {
		d.note(b.Lines[0].Event.Time)
	}
	return b, err
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// fill reads lines into a batch up to its bounds, and returns why there are no more
// if it stays below them.
func (d *Drain) fill(b *batch) (err error) {
	var damage, first *journal.Damage
	size, damaged := 0, 0
	for err == nil && size < d.Bytes && len(b.Lines) < d.Events {
		var line store.Line
		var lost *journal.LostError
		switch line, err = d.reader.Next(); {
		case err == nil:
			b.Lines = append(b.Lines, line)
			size += len(line.Raw)
		case errors.As(err, &damage):
			if damaged++; first == nil {
				first = damage
			}
			size++ // so that a segment of nothing else comes to an end
			err = nil
		case errors.As(err, &lost):
			d.Problem(lost)
			err = nil
		}
	}
	if first != nil {
		d.Problem(fmt.Errorf("%d lines of the journal cannot be read and are passed over, the first is %w", damaged, first))
	}
	return err
}

// send sends a batch once. If the store is elsewhere, the next one begins there.
func (d *Drain) send(ctx context.Context, b *batch) error {
	if d.began = time.Now(); b.From != b.To {
		d.unsent = b
	}
	ctx, cancel := context.WithTimeout(ctx, d.Limit)
	defer cancel()
	err := d.Log.Append(ctx, b.Batch)
	var at *store.PositionError
	var rejected *store.RejectedError
	switch {
	case errors.As(err, &at) && at.Have != b.To:
		d.move(at.Have)
		return nil
	case errors.As(err, &rejected):
		d.Problem(rejected)
	case err != nil && at == nil:
		return err
	}
	// The store has it; if it says that it had it before, an answer was lost.
	d.from, d.until, d.heard, d.unsent = b.To, b.Until, true, nil
	d.Journal.Drained(b.To)
	switch {
	case !b.more:
		d.note(time.Time{})
	case len(b.Lines) > 0:
		d.note(b.Lines[len(b.Lines)-1].Event.Time)
	}
	return nil
}

// move goes on from where the store is, and says what is odd about that.
func (d *Drain) move(have store.Position) {
	switch from, sent := d.from, d.reader.Position(); {
	case have.Compare(from) < 0:
		d.Journal.Drained(have)
		d.Problem(fmt.Errorf("the store was put back from position %s of the journal to %s: what it lacks is sent again", from, have))
	case d.heard && have.Compare(sent) > 0:
		d.Problem(fmt.Errorf("somebody else has brought the store from position %s of the journal to %s: no other server may have a copy of its folder", from, have))
	}
	d.heard = true
	d.seek(have)
}

// note says how old the oldest event is that is not stored.
func (d *Drain) note(oldest time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.oldest = oldest
}

// report tells of a failure when it begins, and when it is over.
func (d *Drain) report(err error) {
	d.mu.Lock()
	was := d.err
	d.err = err
	d.mu.Unlock()
	if (err == nil) != (was == nil) {
		d.Problem(err)
	}
}
