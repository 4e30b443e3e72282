package capacity

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// Bounds of what the store is asked.
const (
	askAtOnce = 2000            // claims of one transaction, about
	maxWaits  = 10_000          // questions that wait
	askLimit  = 2 * time.Second // after which a transaction is given up
)

var (
	errNotAsked = errors.New("the store is not asked while it does not answer")
	errSilent   = errors.New("the store does not answer")
	errSlow     = errors.New("the store does not answer in time")
	errLeft     = errors.New("nobody waits for the answer any more")
)

// gathering asks many questions in one: while one transaction is under way, those that
// come wait for the next.
type gathering[Q, A any] struct {
	size    func(Q) int
	waiting chan *question[Q, A]
}

type question[Q, A any] struct {
	q     Q
	taken atomic.Bool // by the answer, or by who gave up waiting
	done  chan struct{}
	a     A
	err   error
}

func (g *gathering[Q, A]) init(size func(Q) int) {
	g.size, g.waiting = size, make(chan *question[Q, A], maxWaits)
}

// ask asks, and waits for Patience. What must be exact is waited for longer, as long as
// the store answers anybody: then it is slow, and may have said yes. The contact is lost
// when it has answered nobody for Silence; until it is back nobody asks.
func ask[Q, A any](ctx context.Context, c *Capacity, g *gathering[Q, A], q Q, exact bool) (A, error) {
	var none A
	lost := c.contact()
	if lost == nil {
		return none, errNotAsked
	}
	x := &question[Q, A]{q: q, done: make(chan struct{})}
	began := time.Now()
	select {
	case g.waiting <- x:
	default:
		return none, errNotAsked
	}
	patience := time.NewTimer(c.Patience)
	defer patience.Stop()
	for waiting := true; waiting; {
		select {
		case <-x.done:
			waiting = false
		case <-patience.C:
			silent := c.Silence - c.silentFor(began)
			if silent > 0 && exact {
				patience.Reset(min(silent, c.Patience))
				continue
			}
			if !x.taken.CompareAndSwap(false, true) {
				continue // the answer is here
			}
			if silent > 0 {
				return none, errSlow
			}
			c.loseContact(began, errSilent)
			return none, errSilent
		case <-lost: // an answer that comes later must not add to what is admitted without one
			if x.taken.CompareAndSwap(false, true) {
				return none, errSilent
			}
			<-x.done
			waiting = false
		case <-ctx.Done():
			if x.taken.CompareAndSwap(false, true) {
				return none, errLeft
			}
			<-x.done
			waiting = false
		}
	}
	if x.err != nil {
		c.loseContact(began, x.err)
	}
	return x.a, x.err
}

// silentFor returns how long the store has answered nobody, for who asked at a time.
func (c *Capacity) silentFor(asked time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link.heard.After(asked) {
		asked = c.link.heard
	}
	return time.Since(asked)
}

// hear notes that the store has answered.
func (c *Capacity) hear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link.heard = time.Now()
}

// run asks until ctx ends.
func (g *gathering[Q, A]) run(ctx context.Context, ask func(context.Context, []Q) ([]A, error)) {
	for {
		var all []*question[Q, A]
		select {
		case x := <-g.waiting:
			all = g.gather(x)
		case <-ctx.Done():
			return
		}
		if len(all) == 0 {
			continue
		}
		questions := make([]Q, len(all))
		for i, x := range all {
			questions[i] = x.q
		}
		limited, cancel := context.WithTimeout(ctx, askLimit)
		answers, err := ask(limited, questions)
		cancel()
		for i, x := range all {
			var a A
			if err == nil {
				a = answers[i]
			}
			if x.taken.CompareAndSwap(false, true) {
				x.a, x.err = a, err
				close(x.done)
			}
		}
	}
}

// gather takes what waits, without those who gave up.
func (g *gathering[Q, A]) gather(x *question[Q, A]) (all []*question[Q, A]) {
	for n := 0; ; {
		if !x.taken.Load() {
			all = append(all, x)
			n += g.size(x.q)
		}
		if n >= askAtOnce {
			return all
		}
		select {
		case x = <-g.waiting:
		default:
			return all
		}
	}
}

// askUsage asks for the usage of several decisions at once.
func (c *Capacity) askUsage(ctx context.Context, questions [][]call.Claim) ([][]call.Usage, error) {
	var claims []call.Claim
	for _, q := range questions {
		claims = append(claims, q...)
	}
	own := c.snapshot(claims)
	used, err := c.store.Usage(ctx, claims)
	if err != nil {
		return nil, err
	}
	c.hear()
	c.told(claims, used, own)
	answers := make([][]call.Usage, len(questions))
	for i, q := range questions {
		answers[i], used = used[:len(q)], used[len(q):]
	}
	return answers, nil
}

// wish is a claim that the store is asked for.
type wish struct {
	claim   call.Claim
	decided bool // by this node's share, since the answer did not come in time
}

// askReserve reserves for several legs at once, after what was told before.
func (c *Capacity) askReserve(ctx context.Context, wishes []*wish) ([]store.Reservation, error) {
	if err := c.flush(ctx); err != nil {
		return nil, err
	}
	claims := make([]call.Claim, len(wishes))
	for i, w := range wishes {
		claims[i] = w.claim
	}
	answers, err := c.store.Reserve(ctx, claims)
	if err == nil {
		c.hear()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, w := range wishes {
		admitted := err == nil && answers[i].Refused == nil
		switch s := c.slot(&w.claim); {
		case s != nil && admitted:
			c.stored(s)
		case s == nil && w.decided:
			c.tell(store.Released, w.claim) // after what the store has done, or has yet to do
		case s == nil && admitted:
			c.take(&w.claim)
		}
	}
	for i, w := range wishes {
		if err == nil {
			c.learn(&w.claim, answers[i].Used, c.room(&w.claim).own)
		}
	}
	return answers, err
}

// maxText bounds, in bytes, what a switch may say of a call for it to be counted.
const maxText = 200

// clean makes what a switch says fit for a store.
func clean(c call.Claim) call.Claim {
	for _, s := range []*string{&c.Call, &c.Leg, &c.Caller, &c.Switch} {
		*s = strings.ToValidUTF8(strings.ReplaceAll((*s)[:min(len(*s), maxText)], "\x00", ""), "")
	}
	return c
}
