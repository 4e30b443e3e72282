package drain_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/hookswitch/hookswitch/store"
)

// fakeLog is a call log in memory that can be told to misbehave.
type fakeLog struct {
	mu      sync.Mutex
	at      map[string]store.Position
	batches []store.Batch // that were taken in
	late    []store.Batch // that will be taken in before the next try
	tries   int
	fault   func(ctx context.Context) answer // asked at every try; nil: none
}

// answer is how a try goes wrong.
type answer struct {
	commit bool  // the batch is taken in all the same
	late   bool  // … but only after the caller has given up
	err    error // nil: nothing goes wrong
}

var errDown = errors.New("connection refused")

func fails(context.Context) answer { return answer{err: errDown} }
func loses(context.Context) answer { return answer{commit: true, err: errDown} }

// hangs gives no answer.
func hangs(ctx context.Context) answer {
	<-ctx.Done()
	return answer{err: context.Cause(ctx)}
}

// once misbehaves once.
func once(fault func(context.Context) answer) func(context.Context) answer {
	var done sync.Once
	return func(ctx context.Context) (a answer) {
		done.Do(func() { a = fault(ctx) })
		return a
	}
}

func (l *fakeLog) Append(ctx context.Context, b store.Batch) error {
	l.mu.Lock()
	l.tries++
	fault := l.fault
	l.mu.Unlock()
	a := answer{commit: true}
	if fault != nil {
		if a = fault(ctx); a.err == nil {
			a.commit = true
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, late := range l.late {
		_ = l.commit(late) // nobody waits for the answer
	}
	l.late = nil
	if a.late {
		l.late = append(l.late, b)
	}
	if a.commit {
		if err := l.commit(b); err != nil {
			return err
		}
	}
	return a.err
}

// commit takes in a batch, as a transaction would.
func (l *fakeLog) commit(b store.Batch) error {
	if at := l.at[b.Journal]; at != b.From {
		return &store.PositionError{Have: at}
	}
	if l.at == nil {
		l.at = make(map[string]store.Position)
	}
	l.at[b.Journal] = b.To
	l.batches = append(l.batches, b)
	return nil
}

func (l *fakeLog) set(fault func(context.Context) answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = fault
}

// text is all lines that were taken in.
func (l *fakeLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	for _, batch := range l.batches {
		for _, line := range batch.Lines {
			b.Write(line.Raw)
		}
	}
	return b.String()
}

// putBack leaves the first n batches, as a backup that is restored.
func (l *fakeLog) putBack(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.at)
	l.batches = l.batches[:n]
	for _, b := range l.batches {
		l.at[b.Journal] = b.To
	}
}

func (l *fakeLog) tried() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tries
}

func (l *fakeLog) taken() []store.Batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.batches)
}
