package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/store"
)

// outside is a store of inputs that takes its time.
type outside struct {
	store.Inputs
	mu     sync.Mutex
	takes  time.Duration
	fails  error
	has    []store.Input
	caller string        // that was joined last
	within time.Duration // that was asked for last
	asked  int

	nothingNew bool // Arrivals has nothing
}

func (o *outside) Join(_ context.Context, _, _, caller string) ([]store.Input, error) {
	o.mu.Lock()
	takes := o.takes
	o.mu.Unlock()
	<-time.After(takes)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.caller = caller
	return o.has, o.fails
}

func (o *outside) Arrivals(_ context.Context, within time.Duration) ([]store.Input, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked, o.within = o.asked+1, within
	if o.nothingNew {
		return nil, o.fails
	}
	return o.has, o.fails
}

// seen returns how often it was asked, and from how far back.
func (o *outside) seen() (asked int, within time.Duration) {
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked, o.within
}

func (o *outside) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fails = err
}

// inboxOn returns the inbox of a node with so many calls, and what they are delivered.
func inboxOn(o *outside, calls int) (*inbox, *[]string) {
	delivered := new([]string)
	return &inbox{log: zerolog.Nop(), inputs: o, live: func() int { return calls }, woken: make(chan struct{}, 1), joining: make(chan struct{}, joinsAtOnce),
		deliver: func(id string, in flowengine.Input) bool {
			*delivered = append(*delivered, id+" "+in.ID)
			return len(*delivered) > 1 // the call is not there yet
		}}, delivered
}

func TestJoin(t *testing.T) {
	input := []store.Input{{N: 7, ID: "i", Call: "c"}}
	for name, c := range map[string]struct {
		outside  *outside
		caller   string
		number   string // that is joined
		took     time.Duration
		fallback string
		inputs   int
	}{
		"at once":     {&outside{has: input}, "2125550100", "+12125550100", 0, "", 1},
		"in time":     {&outside{has: input, takes: 40 * time.Millisecond}, "+15550100", "+15550100", 40 * time.Millisecond, "", 1},
		"too late":    {&outside{has: input, takes: time.Second}, "+15550100", "+15550100", joinLimit, "in time", 0},
		"away":        {&outside{fails: errors.New("refused")}, "+15550100", "+15550100", 0, "does not answer", 0},
		"of nobody":   {&outside{has: input}, "anonymous", "", 0, "", 1},
		"of no place": {&outside{}, "", "", 0, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				i, _ := inboxOn(c.outside, 1)
				inputs, fallback := i.Join(t.Context(), "acme", "c", c.caller)
				if took := time.Since(began); took != c.took || len(inputs) != c.inputs || !strings.HasSuffix(fallback, c.fallback) || (fallback == "") != (c.fallback == "") {
					t.Errorf("%d inputs after %v, fallback %q", len(inputs), took, fallback)
				}
				if c.outside.fails != nil {
					if _, fallback := i.Join(t.Context(), "acme", "c", c.caller); fallback == "" || time.Since(began) != 0 {
						t.Errorf("a store that is away was waited for, %v", time.Since(began))
					}
				}
				<-time.After(2 * time.Second)
				if c.outside.seen(); c.outside.caller != c.number {
					t.Errorf("joined %q", c.outside.caller)
				}
			})
		})
	}
}

// A call that got no answer gets it later, whatever kept it away and for however long, as
// long as the call lasts.
func TestJoinIsMadeUpFor(t *testing.T) {
	for name, o := range map[string]*outside{"away": {fails: errors.New("refused")}, "late": {takes: askedLimit / 2}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				o.nothingNew, o.has = true, []store.Input{{N: 7, ID: "i", Call: "c"}}
				i, delivered := inboxOn(o, 1)
				go i.run(ctx)
				if _, fallback := i.Join(ctx, "acme", "c", "+15550100"); fallback == "" {
					t.Error("nothing is said of it")
				}
				over, hangup := context.WithCancel(ctx)
				i.Join(over, "acme", "gone", "+15550101")
				hangup()
				<-time.After(time.Hour)
				o.mu.Lock()
				o.fails, o.takes = nil, 0
				o.mu.Unlock()
				<-time.After(time.Minute)
				synctest.Wait()
				if !slices.Equal(*delivered, []string{"c i", "c i"}) { // the first time it did not take it
					t.Errorf("delivered %q", *delivered)
				}
				if len(i.owed) != 0 {
					t.Errorf("%d calls are still owed something", len(i.owed))
				}
			})
		})
	}
}

// Calls that begin at once, while the store is slow, do not queue up in front of it.
func TestJoinsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i, _ := inboxOn(&outside{takes: time.Second}, 1)
		began := time.Now()
		done := make(chan string)
		for range 10 * joinsAtOnce {
			go func() {
				_, fallback := i.Join(t.Context(), "acme", "c", "+15550100")
				done <- fallback
			}()
		}
		for range 10 * joinsAtOnce {
			if fallback := <-done; !strings.HasSuffix(fallback, "in time") {
				t.Errorf("fallback %q", fallback)
			}
		}
		if took := time.Since(began); took != joinLimit {
			t.Errorf("they waited %v", took)
		}
		<-time.After(time.Minute) // until the store has answered
	})
}

// What has come is asked for while there are calls, at once when something came here, and
// from further back after the store was away.
func TestArrivals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var calls atomic.Int64
		o := &outside{has: []store.Input{{ID: "i", Call: "c"}}}
		i, delivered := inboxOn(o, 0)
		i.live = func() int { return int(calls.Load()) }
		go i.run(ctx)
		<-time.After(time.Minute)
		if asked, _ := o.seen(); asked != 0 {
			t.Errorf("without a call it was asked %d times", asked)
		}
		i.wake()
		if asked, _ := o.seen(); asked != 1 || len(*delivered) != 1 {
			t.Errorf("woken, it was asked %d times, and delivered %q", asked, *delivered)
		}
		calls.Store(1)
		<-time.After(time.Second)
		if asked, within := o.seen(); asked < 5 || within > arrivalsAhead+arrivalsEvery {
			t.Errorf("asked %d times in a second, within %v", asked, within)
		}
		o.fail(errors.New("away"))
		<-time.After(20 * time.Second)
		if _, within := o.seen(); !i.away.Load() || within < 20*time.Second {
			t.Errorf("away: %t, asked within %v", i.away.Load(), within)
		}
		o.fail(nil)
		<-time.After(time.Second)
		if _, within := o.seen(); i.away.Load() || within > arrivalsAhead+arrivalsEvery {
			t.Errorf("back: away %t, asked within %v", i.away.Load(), within)
		}
	})
}
