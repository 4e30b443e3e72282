package delivery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// fleet are many endpoints: those of the first tenth hang, of the second answer 500, of the third
// reset connections, if they are to; the others answer within some milliseconds.
func fleet(n int) map[store.LaneName]Endpoint {
	var all []endpoint
	for i := range n {
		all = append(all, endpoint{name: fmt.Sprintf("e%04d", i), atOnce: 10})
	}
	return named(all...)
}

// healthy sends bursts and a steady stream to a fleet, and returns how long the deliveries to those that
// are well took, and how many of these were not made.
func healthy(t *testing.T, lanes, broken int, burst int) (took []time.Duration, missing int) {
	virtually(t, func(t *testing.T) {
		var mu sync.Mutex
		client := receivers(func(ctx context.Context, r call.Request) (call.Response, error) {
			var i int
			if _, err := fmt.Sscanf(r.URL, "https://e%04d", &i); err != nil {
				return call.Response{}, err
			}
			switch {
			case i < broken:
				return hang(ctx, r)
			case i < 2*broken:
				return call.Response{Status: 500}, nil
			case i < 3*broken:
				<-time.After(time.Second) // the tries within an attempt
				return call.Response{}, errors.New("connection reset by peer")
			}
			<-time.After(time.Duration(1+rand.IntN(10)) * time.Millisecond)
			return call.Response{Status: 200}, nil
		})
		w := run(t, newOutbox(), "a", client, fleet(lanes))
		w.Attempted = func(a *store.Attempt, age time.Duration) {
			var i int
			if fmt.Sscanf(a.Endpoint, "e%04d", &i); i >= 3*broken {
				mu.Lock()
				defer mu.Unlock()
				took = append(took, age)
			}
		}
		id := 0
		send := func(lane int) {
			id++
			w.put(t, fmt.Sprint("msg_", id), "", fmt.Sprintf("e%04d", lane))
		}
		for range burst {
			for lane := range lanes {
				send(lane)
			}
		}
		const perSecond = 1000
		for i := range 60 * perSecond {
			<-time.After(time.Second / perSecond)
			send(i % lanes)
		}
		<-time.After(time.Second)
		w.stop()
		for lane := 3 * broken; lane < lanes; lane++ {
			missing += w.outbox.states(fmt.Sprintf("e%04d", lane))[store.Pending]
		}
	})
	return took, missing
}

// Endpoints that hang, fail or reset delay the others by nothing, also when there is much
// for all of them at once.
func TestBrokenEndpointsDelayNobody(t *testing.T) {
	// Where most are broken and all have much at once, the others wait until those are known, a second.
	for burst, cases := range map[int][]int{0: {100, 300}, 20: {100}} {
		t.Run(fmt.Sprintf("%d for each at first", burst), func(t *testing.T) {
			all, _ := healthy(t, 1000, 0, burst)
			for _, broken := range cases {
				some, missing := healthy(t, 1000, broken, burst)
				if missing > 0 {
					t.Errorf("3 × %d broken: %d deliveries to the others wait", broken, missing)
				}
				for _, p := range []float64{.5, .99} {
					if one, other := percentile(all, p), percentile(some, p); other > 2*one {
						t.Errorf("3 × %d broken: p%.0f is %s, and %s without", broken, 100*p, other, one)
					} else {
						t.Logf("3 × %d broken: p%.0f is %s, and %s without", broken, 100*p, other, one)
					}
				}
			}
		})
	}
}

// An endpoint that is slow but well has as much under way as it may.
func TestSlowEndpointHasItsRoom(t *testing.T) {
	virtually(t, func(t *testing.T) {
		var mu sync.Mutex
		now, peak := 0, 0
		w := run(t, newOutbox(), "a", receivers(func(ctx context.Context, r call.Request) (call.Response, error) {
			mu.Lock()
			now++
			peak = max(peak, now)
			mu.Unlock()
			<-time.After(3 * time.Second)
			mu.Lock()
			now--
			mu.Unlock()
			return call.Response{Status: 200}, nil
		}), named(endpoint{name: "crm", atOnce: 7}))
		for i := range 200 {
			w.put(t, fmt.Sprint("msg_", i), "", "crm")
		}
		<-time.After(2 * time.Minute)
		w.stop()
		if n := w.outbox.states("crm")[store.Delivered]; peak != 7 || n != 200 {
			t.Errorf("%d delivered, %d at once", n, peak)
		}
	})
}

// For an endpoint that becomes slow nothing is held that is not sent, whether that shows before it answers or after.
func TestNothingIsHeldAheadForASlowEndpoint(t *testing.T) {
	for _, took := range []time.Duration{1100 * time.Millisecond, 10 * time.Second} {
		virtually(t, func(t *testing.T) {
			var slow atomic.Bool
			w := run(t, newOutbox(), "a", receivers(func(context.Context, call.Request) (call.Response, error) {
				if slow.Load() {
					<-time.After(took)
				}
				return call.Response{Status: 200}, nil
			}), named(endpoint{name: "crm", atOnce: 1}))
			put := func(of string, n int) {
				for i := range n {
					w.put(t, fmt.Sprint(of, i), "", "crm")
				}
			}
			put("fast", 50)
			<-time.After(5850 * time.Millisecond) // the shorter one begins and ends between two looks
			slow.Store(true)
			put("slow", 8)
			<-time.After(2200 * time.Millisecond)
			put("later", 8)
			for range 50 {
				<-time.After(100 * time.Millisecond)
				w.Deliverer.mu.Lock()
				if held := w.lanes[store.LaneName{Org: org, Endpoint: "crm"}].held; held > 1 {
					t.Errorf("%s: %d held", took, held)
				}
				w.Deliverer.mu.Unlock()
			}
			w.stop()
		})
	}
}

// An endpoint that fails all the time is asked now and then only, and has all that waited
// soon after it works again.
func TestFailingEndpointRests(t *testing.T) {
	virtually(t, func(t *testing.T) {
		var mu sync.Mutex
		attempts, works := 0, false
		w := run(t, newOutbox(), "a", one(&mu, func(context.Context, call.Request) (call.Response, error) {
			if attempts++; works {
				return call.Response{Status: 200}, nil
			}
			return call.Response{Status: 500}, nil
		}), named(endpoint{name: "crm"}))
		for i := range 2000 {
			w.put(t, fmt.Sprint("msg_", i), "", "crm")
		}
		<-time.After(10 * time.Minute)
		mu.Lock()
		if attempts < 30 || attempts > 100 {
			t.Errorf("%d attempts in ten minutes", attempts)
		}
		works = true
		mu.Unlock()
		<-time.After(30 * time.Second)
		if n := w.outbox.states("crm")[store.Delivered]; n < 1900 { // the others are due later
			t.Errorf("%d delivered", n)
		}
		w.stop()
		if told := strings.Join(w.told(), "; "); told != "crm fails: it answered 500 Internal Server Error; crm works: " {
			t.Error(told)
		}
	})
}

// Events of a call reach an endpoint in their order, as long as none fails for a minute;
// one in ten attempts fails here.
func TestOrder(t *testing.T) {
	virtually(t, func(t *testing.T) {
		const calls, events = 200, 20
		var mu sync.Mutex
		got := map[string][]string{}
		w := run(t, newOutbox(), "a", receivers(func(_ context.Context, r call.Request) (call.Response, error) {
			<-time.After(time.Duration(rand.IntN(20)) * time.Millisecond)
			if rand.IntN(10) == 0 {
				return call.Response{Status: 503}, nil
			}
			mu.Lock()
			defer mu.Unlock()
			key := r.URL + string(r.Body[7:10])
			got[key] = append(got[key], string(r.Body))
			return call.Response{Status: 200}, nil
		}), fleet(5))
		for n := range events {
			for c := range calls {
				w.put(t, fmt.Sprintf("%03d-%02d", c, n), fmt.Sprint(c), fmt.Sprintf("e%04d", c%5), fmt.Sprintf("e%04d", (c+1)%5))
			}
			<-time.After(50 * time.Millisecond)
		}
		<-time.After(12 * time.Hour)
		w.stop()
		if len(got) != 2*calls {
			t.Fatalf("%d of %d calls arrived", len(got), 2*calls)
		}
		inversions := 0
		for key, list := range got {
			if len(list) != events {
				t.Errorf("%s: %d events", key, len(list))
			}
			for i := 1; i < len(list); i++ {
				if list[i] < list[i-1] {
					inversions++
				}
			}
		}
		// Three failures in a row take more than the time for which the others wait for one.
		if inversions > calls*events/100 {
			t.Errorf("%d inversions", inversions)
		}
	})
}

// What is for an endpoint that is no longer configured is dropped after ten minutes; what
// is for one that is not enabled waits for it.
func TestEndpointsThatAreNotThere(t *testing.T) {
	virtually(t, func(t *testing.T) {
		var sent atomic.Int32
		w := run(t, newOutbox(), "a", receivers(func(context.Context, call.Request) (call.Response, error) {
			sent.Add(1)
			return call.Response{Status: 200}, nil
		}), named(endpoint{name: "off", off: true}))
		for i := range 1000 {
			w.put(t, fmt.Sprint("msg_", i), "", "old", "off")
		}
		<-time.After(9 * time.Minute)
		if n := w.outbox.states("old")[store.Pending]; n != 1000 {
			t.Errorf("%d wait for the endpoint that may come back", n)
		}
		<-time.After(10 * time.Minute)
		if n := w.outbox.states("old")[store.Dropped]; n != 1000 {
			t.Errorf("%d dropped", n)
		}
		if n := w.outbox.states("off")[store.Pending]; n != 1000 || sent.Load() > 0 {
			t.Errorf("%d wait, %d sent", n, sent.Load())
		}
		w.Use(named(endpoint{name: "off"}, endpoint{name: "old"}))
		w.put(t, "msg_new", "", "old")
		<-time.After(time.Minute)
		w.stop()
		if w.outbox.states("off")[store.Delivered] != 1000 || w.outbox.states("old")[store.Delivered] != 1 {
			t.Errorf("%v, %v", w.outbox.states("off"), w.outbox.states("old"))
		}
		if told := strings.Join(w.told(), "; "); told != "old gone: it is no longer configured: what was for it is dropped" {
			t.Error(told)
		}
	})
}
