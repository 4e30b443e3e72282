// Package availability asks whether somebody can take a call now: many targets at once,
// each within its own time. It speaks no HTTP itself; what it asks with is handed in.
//
// Who is asked answers with a number: above 0 is yes. Everything else is no: 0, another
// status than 2xx, no number, no answer in time. An Answer tells which it was.
package availability

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// Question is whether one target can take a call.
type Question struct {
	Request call.Request
	Path    string // fields and list positions with points between that lead to the number in a JSON answer; empty: the answer is the number
}

// Answer is what is known after a Question.
type Answer struct {
	Available bool
	Value     string        // the number; empty without one
	Took      time.Duration // until it was known, at most the time limit
	Reason    string        // for people: why there is no number
}

// String returns the answer as it stands in events: "yes 3 in 42 ms".
func (a Answer) String() string {
	word, sep := "no", " "
	if a.Available {
		word = "yes"
	}
	if a.Value == "" {
		sep = ", "
	}
	return word + sep + a.Why()
}

// Why returns the answer without yes or no.
func (a Answer) Why() string {
	if a.Value != "" {
		return a.Value + in(a.Took)
	}
	return a.Reason
}

func in(took time.Duration) string { return fmt.Sprintf(" in %d ms", took.Milliseconds()) }

// Ask makes a request. It is expected to keep to the request's time limit, but nobody
// waits for it longer.
type Ask func(ctx context.Context, r call.Request) (call.Response, error)

// ErrNotAsked is returned by an Ask where requests are not to be made, as in a simulated
// call. Whoever is not asked counts as available.
var ErrNotAsked = errors.New("not asked")

// DefaultAtOnce is enough for a call to ask 500 targets while others do.
const DefaultAtOnce = 2000

// Checker asks. It is safe for several goroutines; make one with New.
type Checker struct{ places chan struct{} }

// New returns a Checker that has at most so many questions under way at once, over all
// calls. A question whose Ask does not return keeps its place until it does.
func New(atOnce int) *Checker { return &Checker{make(chan struct{}, max(atOnce, 1))} }

// numbered is the answer to the question of a position.
type numbered struct {
	i int
	Answer
}

// Check asks all questions at once, as far as there are places, and returns the answers
// in the same order: when all are known, and at the latest after the greatest of
// the time limits, or when the context ends.
func (c *Checker) Check(ctx context.Context, questions []Question, ask Ask) []Answer {
	most := time.Duration(0)
	for _, q := range questions {
		most = max(most, q.Request.Timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	out := make([]Answer, len(questions))
	for i, q := range questions {
		out[i] = Answer{Took: q.Request.Timeout, Reason: "not asked: too many questions are under way"}
	}
	known := make(chan numbered, len(questions)) // whoever is late writes to nobody
	open := 0
	for i := 0; i < len(questions) && ctx.Err() == nil; {
		select {
		case c.places <- struct{}{}:
			out[i] = late(questions[i].Request.Timeout)
			go c.question(ctx, i, questions[i], ask, known)
			i, open = i+1, open+1
		case a := <-known:
			out[a.i], open = a.Answer, open-1
		case <-ctx.Done():
		}
	}
	for open > 0 {
		select {
		case a := <-known:
			out[a.i], open = a.Answer, open-1
		case <-ctx.Done():
			return out
		}
	}
	return out
}

// question asks one, and gives its place back when the Ask has returned.
func (c *Checker) question(ctx context.Context, i int, q Question, ask Ask, known chan<- numbered) {
	defer func() { <-c.places }()
	limit := q.Request.Timeout
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began := time.Now()
	r, err := ask(ctx, q.Request)
	took := r.Took
	if took == 0 {
		took = time.Since(began)
	}
	switch {
	case errors.Is(err, ErrNotAsked):
		known <- numbered{i, Answer{Available: true, Reason: err.Error()}}
	case ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded):
		known <- numbered{i, late(limit)}
	case err != nil:
		known <- numbered{i, Answer{Took: took, Reason: err.Error() + in(took)}}
	default:
		known <- numbered{i, judge(r, q.Path, took)}
	}
}

// late is the answer that did not come.
func late(limit time.Duration) Answer {
	return Answer{Took: limit, Reason: fmt.Sprintf("no answer in %d ms", limit.Milliseconds())}
}

// judge reads an answer.
func judge(r call.Response, path string, took time.Duration) Answer {
	if r.Status/100 != 2 {
		return Answer{Took: took, Reason: fmt.Sprintf("HTTP %d", r.Status) + in(took)}
	}
	text, n, err := number(r.Body, path)
	if err != nil {
		return Answer{Took: took, Reason: err.Error() + in(took)}
	}
	return Answer{Available: n > 0, Value: text, Took: took}
}
