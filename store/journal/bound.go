package journal

import (
	"fmt"
	"time"

	"github.com/hookswitch/hookswitch/store"
)

// Level says how much of Options.Max waits to be drained, and with it what is
// still recorded.
type Level uint8

// The levels.
const (
	Healthy  Level = iota
	HalfFull       // half of it, and everything is recorded
	Reserve        // nine tenths: steps of calls are no longer recorded
	Full           // all of it: only what a CDR needs is; no new call is to be taken
)

// keeps returns the lowest rank that is recorded.
func (l Level) keeps() rank {
	switch l {
	case Reserve:
		return outcome
	case Full:
		return record
	}
	return detail
}

// next returns the level at which so much waits, after l. A level is left when a
// twentieth of max below its beginning is reached, so that nothing flutters.
func (l Level) next(waiting, bound int64) Level {
	begins := [...]int64{HalfFull: bound / 2, Reserve: bound - bound/10, Full: bound}
	for l < Full && waiting > begins[l+1] {
		l++
	}
	for l > Healthy && waiting <= begins[l]-bound/20 {
		l--
	}
	return l
}

// FillError says that much of the journal waits to be drained.
type FillError struct {
	Level        Level
	Waiting, Max int64 // bytes
}

func (e *FillError) Error() string {
	text := fmt.Sprintf("%d of %d MiB of the journal wait to be stored", e.Waiting>>20, e.Max>>20)
	switch e.Level {
	case Reserve:
		text += "; steps of calls are no longer recorded"
	case Full:
		text += "; no new call is taken, and of live ones only what a CDR needs is recorded"
	}
	return text
}

// MemoryError says that the disk fails and that memory has no more room for what
// matters.
type MemoryError struct {
	Disk error // why events wait in memory; nil: the disk is slow
}

func (e *MemoryError) Error() string {
	text := "the events that wait for the disk fill their memory; no new call is taken, and of live ones only beginnings and ends are sure to be recorded"
	if e.Disk != nil {
		text = e.Disk.Error() + "; " + text
	}
	return text
}

func (e *MemoryError) Unwrap() error { return e.Disk }

// stallLimit is how long a write may take before the disk is said to fail.
const stallLimit = 3 * time.Second

// StallError says that the disk has not answered for a while.
type StallError struct {
	Dir  string
	Took time.Duration // until now
}

func (e *StallError) Error() string {
	return fmt.Sprintf("journal %s: the disk has not answered for %s", e.Dir, e.Took.Round(time.Second))
}

// waiting is how many bytes wait to be drained, on the disk and in memory. The
// caller holds j.mu.
func (j *Journal) waiting() int64 {
	return j.onDisk + int64(j.inflight) + int64(len(j.pending.buf))
}

// measure finds the level after what waits has changed. The caller holds j.mu.
func (j *Journal) measure() {
	if !j.o.Drain {
		return
	}
	if l := j.level.next(j.waiting(), j.o.Max); l != j.level {
		j.level = l
		j.notice()
	}
}

// fault returns why nothing is written at present. The caller holds j.mu.
func (j *Journal) fault() error {
	if j.err == nil && !j.writing.IsZero() {
		if took := time.Since(j.writing); took > stallLimit {
			return &StallError{j.dir, took}
		}
	}
	return j.err
}

// full says whether no new call is to be taken. The caller holds j.mu.
func (j *Journal) full() bool { return j.crowded || j.level == Full }

// trouble returns the worst of what is wrong, and a word for it that stays while
// only figures change. The caller holds j.mu.
func (j *Journal) trouble() (kind string, err error) {
	fill := &FillError{j.level, j.waiting(), j.o.Max}
	switch fault := j.fault(); {
	case j.crowded:
		return "memory", &MemoryError{fault}
	case j.level == Full:
		return "full", fill
	case fault != nil:
		return "disk", fault
	case j.level == Reserve:
		return "reserve", fill
	case j.level == HalfFull:
		return "half", fill
	case j.unremoved != nil:
		return "segment", j.unremoved
	}
	return "", nil
}

// Err returns why the journal cannot write at present; nil: it can.
func (j *Journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.fault()
}

// Failing says whether the last write failed, or lasts for more than 3 s. Events
// are kept in memory meanwhile.
func (j *Journal) Failing() bool { return j.Err() != nil }

// Full says whether there is room for nothing but the calls that live: no new one
// is to be taken.
func (j *Journal) Full() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.full()
}

// Ready returns why calls should better go elsewhere: the disk fails, or the
// journal is full.
func (j *Journal) Ready() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.full() {
		return j.fault()
	}
	_, err := j.trouble()
	return err
}

// OnFull has f called whenever Full begins or ceases to be so, until Close. There is
// one f; it must not block.
func (j *Journal) OnFull(f func(full bool)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.onFull = f
	j.notice()
}

// Drained says that everything before p is in the store.
func (j *Journal) Drained(p store.Position) {
	j.mu.Lock()
	note := p != j.drained && (p.Segment != j.drained.Segment || time.Since(j.noted) > drainedEvery)
	if note {
		j.noted = time.Now()
	}
	j.drained = p
	j.onDisk = j.behind(p)
	j.measure()
	j.mu.Unlock()
	if note {
		j.saveDrained(p)
	}
}

// behind is how many durable bytes stand behind p. The caller holds j.mu, or is
// Open.
func (j *Journal) behind(p store.Position) (n int64) {
	for _, s := range j.files {
		switch {
		case s.n == p.Segment:
			n += max(0, s.size-p.Offset)
		case s.n > p.Segment:
			n += s.size
		}
	}
	return n
}

// notice lets the watch look at what is wrong.
func (j *Journal) notice() {
	select {
	case j.look <- struct{}{}:
	default: // it will
	}
}

// watch tells of what begins to be wrong, and ends to be. It looks without being
// asked, too, since a disk that hangs tells nobody.
func (j *Journal) watch() {
	defer close(j.watched)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var was string
	var full bool
	for {
		select {
		case <-j.look:
		case <-tick.C:
		case <-j.closing:
			return
		}
		j.mu.Lock()
		kind, err := j.trouble()
		is, onFull := j.full(), j.onFull
		j.mu.Unlock()
		if kind != was {
			was = kind
			j.o.Alarm(err)
		}
		if onFull != nil && is != full {
			full = is
			onFull(full)
		}
	}
}
