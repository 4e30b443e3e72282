package drain_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/drain"
	"github.com/hookswitch/hookswitch/store/journal"
)

// world is a journal with its drain.
type world struct {
	t       *testing.T
	dir     string
	log     *fakeLog
	journal *journal.Journal
	drain   *drain.Drain
	stop    func() // as a server stops
	kill    func() // as a process ends that has no time left
	events  int    // in a batch; 0: as many as usual

	mu   sync.Mutex
	said []string
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir(), log: new(fakeLog)}
	w.start(journal.Options{})
	t.Cleanup(func() { w.stop() })
	return w
}

// start opens the journal and drains it, as a process does that starts.
func (w *world) start(o journal.Options) {
	w.t.Helper()
	o.Drain = true
	j, err := journal.Open(w.dir, o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.journal = j
	w.drain = &drain.Drain{Journal: j, Log: w.log, Node: "n1", Events: w.events, Problem: func(err error) {
		text := "well"
		if err != nil {
			text = err.Error()
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.said = append(w.said, text)
	}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.drain.Run(ctx)
	}()
	w.kill = sync.OnceFunc(func() {
		cancel()
		<-done
		j.Close()
	})
	finish := sync.OnceFunc(func() { w.drain.Finish(context.Background()) })
	w.stop = func() {
		w.kill()
		finish()
	}
}

// heard checks what was said so far, by a part of each line.
func (w *world) heard(parts ...string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	ok := len(w.said) == len(parts)
	for i := 0; ok && i < len(parts); i++ {
		ok = strings.Contains(w.said[i], parts[i])
	}
	if !ok {
		w.t.Errorf("said:\n got %q\nwant %q", w.said, parts)
	}
}

// lives records a call.
func (w *world) lives(id string) {
	r := w.journal.Recorder(id, 1, "n1", nil)
	r.Record(call.Event{Type: call.Started, Org: "acme"})
	r.Record(call.Event{Type: call.Connected, Why: "é \"quoted\""})
	r.Record(call.Event{Type: call.Ended, Cause: call.NormalClearing})
}

// same checks that the log holds what the journal's files hold.
func (w *world) same() {
	w.t.Helper()
	names, err := filepath.Glob(filepath.Join(w.dir, "*.ndjson"))
	if err != nil {
		w.t.Fatal(err)
	}
	var files strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			w.t.Fatal(err)
		}
		files.Write(text)
	}
	if got := w.log.text(); got != files.String() {
		w.t.Errorf("the log holds %d lines, the journal %d", strings.Count(got, "\n"), strings.Count(files.String(), "\n"))
	}
}

// pass lets virtual time pass.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestEventsArriveWithinTwoHundredMillisecondsAndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 20 {
			w.lives(fmt.Sprint("call-", i))
			pass(200 * time.Millisecond)
			w.same()
			if lag := w.drain.Lag(); lag != 0 {
				t.Errorf("lag %s", lag)
			}
		}
		b := w.log.taken()[1] // the first one only says that it lives
		if b.Journal != w.journal.ID() || b.Node != "n1" {
			t.Errorf("batch of journal %q, node %q", b.Journal, b.Node)
		}
		e := b.Lines[0].Event
		if e.Call != "call-0" || e.Org != "acme" || e.Type != call.Started {
			t.Errorf("first event %+v", e)
		}
		w.heard()
		w.stop()
	})
}

func TestManyEventsShareATransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		const seconds = 2
		for i := range seconds * 100 {
			w.lives(fmt.Sprint("call-", i))
			pass(10 * time.Millisecond)
		}
		if n := len(w.log.taken()); n > seconds*20+1 {
			t.Errorf("%d transactions in %d s", n, seconds)
		}
		w.stop()
		w.same()
	})
}

func TestAnIdleJournalSaysThatItLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.lives("one")
		pass(time.Second)
		before := len(w.log.taken())
		pass(20 * time.Second)
		signs := w.log.taken()[before:]
		if len(signs) < 9 || len(signs) > 11 {
			t.Errorf("%d signs of life in 20 s", len(signs))
		}
		for i, b := range signs {
			if b.From != b.To || len(b.Lines) > 0 || i > 0 && b.Until.Sub(signs[i-1].Until) > 2*time.Second {
				t.Errorf("sign of life %+v", b)
			}
		}
		if age := time.Since(signs[len(signs)-1].Until); age > 2*time.Second+time.Millisecond {
			t.Errorf("the last one is true up to %s ago", age)
		}
		w.stop()
	})
}

// Whatever was recorded before Until is in the batch or an earlier one.
func TestUntilIsTrue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.stop()
		w.events = 7
		w.start(journal.Options{})
		for i := range 50 {
			w.lives(fmt.Sprint("call-", i))
			pass(time.Duration(i) * time.Millisecond)
		}
		w.stop()
		var until time.Time
		for _, b := range w.log.taken() {
			for _, l := range b.Lines {
				if l.Event.Time.Before(until) {
					t.Errorf("an event of %s comes after everything until %s was said to be there", l.Event.Time, until)
				}
			}
			if b.Until.Before(until) || b.Until.IsZero() {
				t.Errorf("until goes back from %s to %s: %d lines, %s to %s", until, b.Until, len(b.Lines), b.From, b.To)
			}
			until = b.Until
		}
	})
}

func TestABacklogGoesInBatchesWithoutPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.log.set(fails)
		r := w.journal.Recorder("a", 1, "n1", nil)
		for i := range 24_000 {
			r.Record(call.Event{Type: call.Step, Why: strings.Repeat("w", i%1000)})
		}
		pass(10 * time.Second)
		if lag := w.drain.Lag(); lag < 9*time.Second || lag > 11*time.Second {
			t.Errorf("lag %s", lag)
		}
		var beginning time.Time
		w.log.set(func(context.Context) answer {
			if beginning.IsZero() {
				beginning = time.Now()
			}
			return answer{}
		})
		pass(2100 * time.Millisecond)
		w.same()
		batches := w.log.taken()
		full := 0
		for _, b := range batches {
			size := 0
			for _, l := range b.Lines {
				size += len(l.Raw)
			}
			if len(b.Lines) > 10_000 || size > 4<<20+journal.MaxLine {
				t.Errorf("a batch has %d events, %d bytes", len(b.Lines), size)
			}
			if len(b.Lines) > 5000 {
				full++
			}
		}
		if full < 3 || len(batches) > 8 {
			t.Errorf("%d batches, of these %d full", len(batches), full)
		}
		w.stop()
	})
}

func TestWhateverTheStoreDoesNothingIsLostOrDoubled(t *testing.T) {
	for name, fault := range map[string]func(context.Context) answer{
		"fails":                             fails,
		"fails once":                        once(fails),
		"commits and loses the answer":      loses,
		"commits and loses the answer once": once(loses),
		"hangs":                             hangs,
		"hangs once":                        once(hangs),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.lives("before")
				pass(time.Second)
				w.log.set(fault)
				for i := range 30 {
					w.lives(fmt.Sprint("meanwhile-", i)) // does not wait
					pass(time.Second)
				}
				if n := w.log.tried(); n > 200 {
					t.Errorf("%d tries in 30 s", n)
				}
				w.log.set(nil)
				w.lives("after")
				pass(13 * time.Second) // a try that hangs, and a pause
				w.same()
				if w.drain.Lag() != 0 || w.drain.Err() != nil {
					t.Errorf("lag %s, error %v", w.drain.Lag(), w.drain.Err())
				}
				w.stop()
			})
		})
	}
}

func TestOutageIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.log.set(fails)
		w.lives("one")
		pass(time.Minute)
		w.heard("connection refused")
		if err := w.drain.Err(); !errors.Is(err, errDown) {
			t.Errorf("error %v", err)
		}
		if s := w.journal.Stats(); s.Waiting == 0 {
			t.Errorf("nothing waits: %+v", s)
		}
		w.log.set(nil)
		pass(3 * time.Second)
		w.heard("connection refused", "well")
		if s := w.journal.Stats(); s.Waiting != 0 {
			t.Errorf("%d bytes wait", s.Waiting)
		}
		w.stop()
	})
}

func TestAStoreThatWasPutBackGetsWhatItLacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 10 {
			w.lives(fmt.Sprint("call-", i))
			pass(time.Second)
		}
		w.log.putBack(4)
		pass(3 * time.Second)
		w.same()
		w.heard("was put back")
		w.stop()
		w.log.putBack(0)
		w.start(journal.Options{})
		pass(3 * time.Second)
		w.same()
		w.heard("was put back", "was put back")
		w.stop()
	})
}

func TestAJournalThatWasPutBackSaysSoAndIsReadOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.lives("kept")
		pass(time.Second)
		backup := t.TempDir()
		if err := os.CopyFS(backup, os.DirFS(w.dir)); err != nil {
			t.Fatal(err)
		}
		w.lives("lost from the disk, but not from the store")
		pass(time.Second)
		w.stop()
		w.dir = backup
		w.start(journal.Options{})
		w.lives("since")
		pass(5 * time.Second)
		w.heard("does not have position")
		for _, id := range []string{"kept", "lost from the disk", "since"} {
			if n := strings.Count(w.log.text(), `"call":"`+id); n != 3 {
				t.Errorf("%d events of %q", n, id)
			}
		}
		w.lives("and on")
		pass(time.Second)
		if n := strings.Count(w.log.text(), "and on"); n != 3 {
			t.Errorf("%d events after it", n)
		}
		w.stop()
	})
}

func TestSegmentsThatAreGoneAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.stop()
		w.log.set(fails)
		w.start(journal.Options{SegmentSize: 1})
		for i := range 3 {
			w.lives(fmt.Sprint("call-", i))
			pass(time.Second)
		}
		w.stop()
		if err := os.Remove(filepath.Join(w.dir, "00000001.ndjson")); err != nil {
			t.Fatal(err)
		}
		w.said = nil
		w.log.set(nil)
		w.start(journal.Options{SegmentSize: 1})
		pass(3 * time.Second)
		w.heard("does not have position 0.0")
		w.same()
		w.stop()
	})
}

func TestDamagedLinesAreToldAndPassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.lives("one")
		pass(time.Second)
		w.stop()
		name := filepath.Join(w.dir, "00000001.ndjson")
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		first, rest, _ := strings.Cut(string(text), "\n")
		if err := os.WriteFile(name, []byte(first+"\ngarbage\n{}\n"+rest), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(w.dir, "drained")); err != nil {
			t.Fatal(err)
		}
		w.log = new(fakeLog)
		w.start(journal.Options{})
		pass(3 * time.Second)
		w.heard("2 lines of the journal cannot be read and are passed over, the first is " + name + ":2:")
		if got := w.log.text(); got != string(text) {
			t.Errorf("the log holds:\n%s\nwant:\n%s", got, text)
		}
		w.stop()
	})
}

func TestWhatIsLeftIsSentInTheEndIfTheStoreAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.lives("one")
		w.stop()
		w.same()
		batches := w.log.taken()
		for i, b := range batches {
			if last := i == len(batches)-1; b.Closed != last {
				t.Errorf("batch %d of %d says that the journal is closed: %t", i+1, len(batches), b.Closed)
			}
		}

		w.start(journal.Options{})
		w.log.set(hangs)
		w.lives("two")
		pass(time.Second)
		began := time.Now()
		w.stop()
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("stopping took %s", took)
		}
		w.log.set(nil)
		w.start(journal.Options{})
		pass(3 * time.Second)
		w.same()
		if b := w.log.taken(); b[len(b)-1].Closed {
			t.Error("a journal that is open is said to be closed")
		}
		w.stop()
		w.heard("context deadline exceeded")
	})
}

func TestABatchThatMayHaveArrivedIsClosedByAnotherOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		pass(time.Second)
		w.log.set(loses)
		w.lives("one")
		pass(time.Second)
		w.log.set(nil)
		w.stop()
		w.same()
		if b := w.log.taken(); !b[len(b)-1].Closed {
			t.Errorf("the last batch does not say that the journal is closed: %+v", b[len(b)-1])
		}
	})
}

func TestWhatTheStoreSetsAsideIsToldAndNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		pass(time.Second)
		w.log.set(once(func(context.Context) answer {
			return answer{commit: true, err: &store.RejectedError{Calls: []store.Rejected{{ID: "odd", Err: errors.New("no record")}}}}
		}))
		w.lives("odd")
		w.lives("good")
		pass(5 * time.Second)
		w.same()
		w.heard("set aside, the first of them odd")
		w.stop()
	})
}
