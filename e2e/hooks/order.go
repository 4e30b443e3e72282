package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/e2e/table"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/webhooks/standard"
)

// ordered is what the receivers /tenth/N tell of the order in which the events of calls came.
type ordered struct {
	Attempts int `json:"attempts"`
	Taken    int `json:"taken"`
	Passed   int `json:"passed"` // while an earlier event of the call was not taken, a minute after its first attempt
	Early    int `json:"early"`  // before that
}

const (
	mostFailures = 3                // of a message: the attempt after one more would be half an hour later
	orderIn      = 15 * time.Minute // all has come after the last event
)

// tenths fail one attempt in ten.
type tenths struct {
	mu    sync.Mutex
	calls map[string]*[eventsOfCall]progress // by path and call
	ordered
}

// progress is how far a message is.
type progress struct {
	first    time.Time // attempt, when it began, in whole seconds
	failures int
	taken    bool
}

func (t *tenths) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	id := strings.Split(req.Header.Get(standard.ID), "_") // msg_NANOS_CALL_SEQ
	began, err := strconv.ParseInt(req.Header.Get(standard.Timestamp), 10, 64)
	if len(id) != 4 || err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	seq, err := strconv.Atoi(id[3])
	if err != nil || seq < 1 || seq > eventsOfCall {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if !t.take(req.URL.Path+" "+id[2], seq, time.Unix(began, 0)) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// take notes an attempt, and says whether it is taken.
func (t *tenths) take(of string, seq int, began time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	events := t.calls[of]
	if events == nil {
		events = new([eventsOfCall]progress)
		t.calls[of] = events
	}
	early, passed := false, false
	for _, e := range events[:seq-1] {
		early = early || !e.taken && (e.first.IsZero() || time.Since(e.first) < store.Hold)
		passed = passed || !e.taken
	}
	t.Attempts++
	if early {
		t.Early++
	} else if passed {
		t.Passed++
	}
	is := &events[seq-1]
	if is.first.IsZero() {
		is.first = began
	}
	if is.failures < mostFailures && rand.IntN(10) == 0 {
		is.failures++
		return false
	}
	if !is.taken {
		is.taken = true
		t.Taken++
	}
	return true
}

// told returns what has come.
func (t *tenths) told() ordered {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ordered
}

// order has one attempt in ten fail, and looks whether an event of a call is ever tried
// before the earlier ones were taken, or first tried a minute ago.
func order(ctx context.Context) (rows []table.Row, err error) {
	b, err := newBed(ctx, 1000, func(int) string { return "tenth" })
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	b.start(ctx)
	if err := b.hold(ctx, heldRate, time.Duration(*events)*time.Second/heldRate); err != nil {
		return nil, err
	}
	if err := b.tell(ctx, max(0, *events/eventsOfCall-b.calls), eventsOfCall, false); err != nil {
		return nil, err
	}
	told := b.calls * eventsOfCall
	var o ordered
	for limit := time.Now().Add(orderIn); o.Taken < told && time.Now().Before(limit); time.Sleep(time.Second) {
		if err := b.receivers.ask("/ordered", &o); err != nil {
			return nil, err
		}
	}
	what := fmt.Sprintf("%d events, %.1f %% of %d attempts failed", told, 100*float64(o.Attempts-o.Taken)/float64(o.Attempts), o.Attempts)
	return []table.Row{
		table.AtLeast(what+": taken", "%.0f", float64(o.Taken), float64(told)),
		table.AtMost(fmt.Sprintf("of them tried before the earlier ones of the call, which were not tried a minute before (%d that were)", o.Passed), "%.0f", float64(o.Early), 0),
	}, nil
}
