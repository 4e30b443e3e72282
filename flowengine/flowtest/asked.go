package flowtest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/availability"
	"github.com/hookswitch/hookswitch/call"
)

// inquiry is what targets are asked at once. It takes as long as the slowest answer.
type inquiry struct {
	lock sync.Mutex // they are asked by several goroutines
	said []said
}

// said is one answer, as it is told.
type said struct {
	request call.Request
	text    string
	took    time.Duration
}

type inquiryKey struct{}

// available answers whether a target can take a call.
func (p *Phone) available(ctx context.Context, q *inquiry, r call.Request) (out call.Response, err error) {
	a, scripted := p.Available[r.Target]
	switch {
	case scripted:
		out, err = a.answer(r)
	case p.Live != nil:
		out, err = p.Live.Request(ctx, r)
	default:
		return out, availability.ErrNotAsked
	}
	q.lock.Lock()
	defer q.lock.Unlock()
	text := fmt.Sprintf("%s is asked by %s: %s", r.Target, origin(r), told(out, err, out.Took))
	q.said = append(q.said, said{r, text, out.Took})
	return out, err
}

// end tells what the targets said, and lets the time pass.
func (p *Phone) end(q *inquiry) {
	q.lock.Lock()
	defer q.lock.Unlock()
	slices.SortFunc(q.said, func(a, b said) int { return cmp.Compare(a.request.Target, b.request.Target) })
	longest := time.Duration(0)
	for _, one := range q.said {
		p.Requests = append(p.Requests, one.request)
		p.tell(p.Clock.at.Add(one.took), one.text)
		longest = max(longest, one.took)
	}
	if len(q.said) > 0 {
		_ = p.pass(longest) // the end of the call is seen by While
	}
}
