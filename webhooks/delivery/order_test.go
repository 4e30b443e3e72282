package delivery

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/journal"
	"github.com/hookswitch/hookswitch/store/sqlite"
)

var inOrder = flag.Int("in-order", 500, "deliveries whose order TestOrderHoldsWhileAttemptsFail looks at")

const (
	eventsOfCall    = 5 // each a message to
	endpointsOfCall = 2 // of
	endpointsOfAll  = 10
)

// Two servers deliver the events of calls, as they happen, and each attempt fails one time in
// ten. At no endpoint is an event of a call tried before every earlier one was taken, or was
// tried a minute ago for the first time; and all are taken in the end.
func TestOrderHoldsWhileAttemptsFail(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "hookswitch.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		s.Publish(pairs{})
		var all []endpoint
		for i := range endpointsOfAll {
			all = append(all, endpoint{name: fmt.Sprintf("e%d", i), atOnce: 10})
		}
		to := &orderly{calls: map[string]*[eventsOfCall]progress{}, chance: rand.New(rand.NewPCG(1, 2))}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()
		wake := func() {}
		for _, node := range []string{"a", "b"} {
			d := New(node, s, receivers(to.answer))
			d.Secrets = ask
			d.Problem = func(err error) { t.Errorf("node %s: %v", node, err) }
			d.Use(named(all...))
			running.Go(func() { d.Run(ctx) })
			others := wake
			wake = func() { d.Wake(); others() }
		}
		calls := *inOrder / (eventsOfCall * endpointsOfCall)
		happen(t, s, calls, wake)
		for pending := 1; pending > 0; {
			<-time.After(10 * time.Second)
			lanes, err := s.Lanes(t.Context(), org)
			if err != nil {
				t.Fatal(err)
			}
			pending = 0
			for _, l := range lanes {
				pending += l.Pending
			}
		}
		to.mu.Lock()
		defer to.mu.Unlock()
		t.Logf("%d deliveries in %d attempts, of which %d failed; %d were tried after a minute of an earlier one", to.taken, to.attempts, to.attempts-to.taken, to.passed)
		if want := calls * eventsOfCall * endpointsOfCall; to.taken != want || to.again > 0 {
			t.Errorf("%d deliveries were taken, %d of them again; want %d, each once", to.taken, to.again, want)
		}
		if to.attempts-to.taken < to.attempts/20 {
			t.Error("too little has failed for this to be a test")
		}
		if len(to.wrong) > 0 {
			t.Errorf("%d attempts came too early, the first: %s", len(to.wrong), to.wrong[0])
		}
	})
}

// happen has calls go on: fifty begin at once, and each has an event more when the next
// ones begin.
func happen(t *testing.T, s store.Log, calls int, wake func()) {
	t.Helper()
	const cohort = 50
	var at store.Position
	for begun := 0; begun < calls+cohort*(eventsOfCall-1); begun += cohort {
		b := store.Batch{Journal: "j", Node: "a", From: at, To: store.Position{Segment: 1, Offset: at.Offset + 1}, Until: time.Now()}
		for seq := range eventsOfCall {
			for n := begun - seq*cohort; n >= 0 && n < min(begun-seq*cohort+cohort, calls); n++ {
				e := call.Event{Call: fmt.Sprint(n), Org: org, Epoch: 1, Seq: seq + 1, Time: time.Now(), Node: "a", Type: call.Step}
				b.Lines = append(b.Lines, store.Line{Event: e, Raw: journal.AppendEvent(nil, e)})
			}
		}
		if err := s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		at = b.To
		wake()
		<-time.After(100 * time.Millisecond)
	}
}

// pairs tells two endpoints of each event of a call.
type pairs struct{}

func (pairs) Publish(c *store.Call, news []call.Event) (all []store.Message) {
	var n int
	_, _ = fmt.Sscan(c.ID, &n)
	for _, e := range news {
		m := store.Message{Org: org, ID: fmt.Sprintf("msg_%s_%d", c.ID, e.Seq), Call: c.ID, Type: "call.step", Time: e.Time, Body: fmt.Appendf(nil, `[%s, %d]`, c.ID, e.Seq)}
		for i := range endpointsOfCall {
			m.To = append(m.To, fmt.Sprintf("e%d", (n+i)%endpointsOfAll))
		}
		all = append(all, m)
	}
	return all
}

// orderly is receivers that look at the order in which the events of a call come.
type orderly struct {
	mu       sync.Mutex
	chance   *rand.Rand
	calls    map[string]*[eventsOfCall]progress // by endpoint and call
	attempts int
	taken    int
	again    int // taken before
	passed   int // an earlier one was not taken in its minute
	wrong    []string
}

// progress is that of an event.
type progress struct {
	first time.Time // attempt
	taken bool
}

// answer takes some milliseconds, and fails one time in ten.
func (o *orderly) answer(_ context.Context, r call.Request) (call.Response, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var id, seq int
	if _, err := fmt.Sscanf(string(r.Body), "[%d, %d]", &id, &seq); err != nil {
		return call.Response{}, err
	}
	key := fmt.Sprintf("%d %s", id, r.URL)
	events := o.calls[key]
	if events == nil {
		events = new([eventsOfCall]progress)
		o.calls[key] = events
	}
	now := time.Now()
	passes := false
	for i, e := range events[:seq-1] {
		if !e.taken && (e.first.IsZero() || now.Sub(e.first) < store.Hold) {
			o.wrong = append(o.wrong, fmt.Sprintf("event %d of call %d at %s, before event %d was taken, first tried %v ago", seq, id, r.URL, i+1, now.Sub(e.first)))
		}
		passes = passes || !e.taken
	}
	is := &events[seq-1]
	if is.first.IsZero() {
		is.first = now
		if passes {
			o.passed++
		}
	}
	o.attempts++
	fate, takes := o.chance.IntN(20), time.Duration(1+o.chance.IntN(50))*time.Millisecond
	o.mu.Unlock()
	<-time.After(takes)
	o.mu.Lock()
	switch fate {
	case 0:
		return call.Response{}, errors.New("connection reset by peer")
	case 1:
		return call.Response{Status: 503}, nil
	}
	if is.taken {
		o.again++
	}
	is.taken = true
	o.taken++
	return call.Response{Status: 200}, nil
}
