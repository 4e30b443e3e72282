package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/webhooks/events"
	"github.com/hookswitch/hookswitch/webhooks/standard"
)

// verifier is whoever the endpoints of the configuration lead to on this machine. It
// verifies what it is sent, and keeps what came.
type verifier struct {
	current func() *flowengine.Snapshot
	secrets func(ctx context.Context, org, endpoint string) ([]standard.Secret, error)
	shown   func(arrival)

	mu      sync.Mutex
	arrived map[string][]arrival // by call
	changed chan struct{}        // closed when something has arrived
}

// arrival is an event that was received.
type arrival struct {
	events.Body
	endpoint string
	at       time.Time
	fault    error // nil: it is of who says so, and of its form
}

// call returns the id of the call that the event is of.
func (a *arrival) call() string {
	if a.Data.Call == nil {
		return ""
	}
	return a.Data.Call.ID
}

// maxArrival bounds the body of an event, in bytes.
const maxArrival = 1 << 20

// ServeHTTP takes an event whose signature is right.
func (v *verifier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxArrival))
	org, endpoint := v.at("http://" + r.Host + r.URL.Path)
	if err != nil || endpoint == "" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	a := arrival{endpoint: endpoint, at: time.Now()}
	secrets, err := v.secrets(r.Context(), org, endpoint)
	if err == nil {
		err = standard.Verify(r.Header, body, a.at, secrets...)
	}
	if err == nil {
		err = json.NewDecoder(bytes.NewReader(body)).Decode(&a.Body)
	}
	if err == nil && a.Data.ID != r.Header.Get("webhook-id") {
		err = fmt.Errorf("the body says that it is %s", a.Data.ID)
	}
	if a.fault = err; err != nil {
		w.WriteHeader(http.StatusUnauthorized)
	} else {
		w.WriteHeader(http.StatusNoContent)
	}
	v.shown(a)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.arrived == nil {
		v.arrived = map[string][]arrival{}
	}
	v.arrived[a.call()] = append(v.arrived[a.call()], a)
	if v.changed != nil {
		close(v.changed)
		v.changed = nil
	}
}

// at returns the endpoint that has an address.
func (v *verifier) at(address string) (org, endpoint string) {
	for _, o := range v.current().Organizations() {
		for _, e := range o.Endpoints() {
			if e.URL.Source == address {
				return o.Name, e.Name
			}
		}
	}
	return "", ""
}

// until returns what has arrived of a call, once these have.
func (v *verifier) until(ctx context.Context, id string, want []store.Delivery) ([]arrival, error) {
	for {
		v.mu.Lock()
		have := slices.Clone(v.arrived[id])
		if v.changed == nil {
			v.changed = make(chan struct{})
		}
		changed := v.changed
		v.mu.Unlock()
		if len(missing(have, want)) == 0 {
			return have, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return have, fmt.Errorf("of call %s %s arrived: %w", id, counted(len(have), "event"), ctx.Err())
		}
	}
}

// missing returns those that have not arrived, verified, where they are to.
func missing(have []arrival, want []store.Delivery) []store.Delivery {
	return slices.DeleteFunc(slices.Clone(want), func(d store.Delivery) bool {
		return slices.ContainsFunc(have, func(a arrival) bool {
			return a.fault == nil && a.endpoint == d.Endpoint && a.Data.ID == d.Message.ID
		})
	})
}

// checkArrivals says what is wrong with what has arrived of a call, of which these are to arrive:
// one that could not be verified, is missing, or is out of order at its endpoint.
func checkArrivals(have []arrival, want []store.Delivery) error {
	var wrong []error
	last := map[string]int64{} // by endpoint
	came := map[string]bool{}
	for _, a := range have {
		switch {
		case a.fault != nil:
			wrong = append(wrong, fmt.Errorf("an event was not verified: %w", a.fault))
		case came[a.endpoint+a.Data.ID]: // at least once is promised
		case a.Data.Sequence < last[a.endpoint]:
			wrong = append(wrong, fmt.Errorf("%s arrived after what came later in the call", a.Type))
		default:
			last[a.endpoint] = a.Data.Sequence
		}
		came[a.endpoint+a.Data.ID] = true
	}
	for _, d := range missing(have, want) {
		wrong = append(wrong, fmt.Errorf("%s has not arrived at %s", d.Message.Type, d.Endpoint))
	}
	return errors.Join(wrong...)
}

// arrival prints that an event has arrived, in a line beside those of the calls.
func (t *timeline) arrival(a arrival) error {
	e, s := call.Event{Call: a.call(), Time: a.at}, green
	text := fmt.Sprintf("%s  verified  %s after it happened", a.Type, duration(a.at.Sub(a.Timestamp)))
	if a.fault != nil {
		s, text = red, "refused  "+a.fault.Error()
	}
	return t.line(e, s, plain("→ "+a.endpoint), plain(text))
}

// showArrivals prints what has arrived of a call, as a table.
func showArrivals(w io.Writer, have []arrival) error {
	p := painterFor(w)
	rows := [][]string{{"EVENT", "ARRIVED AT", "SIGNATURE", "AFTER", "WHAT"}}
	for _, a := range have {
		signature := "verified"
		if a.fault != nil {
			signature = a.fault.Error()
		}
		rows = append(rows, []string{a.Type, a.endpoint, signature, duration(a.at.Sub(a.Timestamp)), dash(about(a.Data.Event))})
	}
	return (&table{w: w}).print(rows, func(row, column int, text string) string {
		switch {
		case row == 0:
			return p.paint(bold, text)
		case column == 2 && have[row-1].fault == nil:
			return p.paint(green, text)
		}
		return text
	})
}

// about is what an event says, in a few words.
func about(event any) string {
	fields, _ := event.(map[string]any)
	var words []string
	for _, name := range []string{"tag", "value", "kind", "sum", "target", "cause", "seconds", "state", "source"} {
		switch v := fields[name].(type) {
		case nil:
		case map[string]any: // a sum
			words = append(words, fmt.Sprint(v["amount"], " ", v["currency"]))
		default:
			words = append(words, fmt.Sprint(v))
		}
	}
	return plain(strings.Join(words, " "))
}
