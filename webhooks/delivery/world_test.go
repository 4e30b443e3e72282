package delivery

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/webhooks/standard"
)

const org = "acme"

// endpoint is one as the configuration would have it.
type endpoint struct {
	name   string
	url    string
	atOnce int
	off    bool
	hidden []string
	render func(store.Message) (call.Request, error)
}

func (e endpoint) AtOnce() int   { return e.atOnce }
func (e endpoint) Enabled() bool { return !e.off }
func (e endpoint) Render(_ context.Context, m store.Message) (call.Request, []string, error) {
	if e.render != nil {
		r, err := e.render(m)
		return r, e.hidden, err
	}
	url := e.url
	if url == "" {
		url = "https://" + e.name + ".example/hook"
	}
	return call.Request{Method: "POST", URL: url, Header: map[string]string{"Content-Type": "application/json"}, Body: m.Body, Timeout: 15 * time.Second}, e.hidden, nil
}

// named returns endpoints by their names.
func named(endpoints ...endpoint) map[store.LaneName]Endpoint {
	out := map[store.LaneName]Endpoint{}
	for _, e := range endpoints {
		out[store.LaneName{Org: org, Endpoint: e.name}] = e
	}
	return out
}

// secret is that of every endpoint but one.
var secret = standard.NewSecret()

func ask(_ context.Context, _, endpoint string) ([]standard.Secret, error) {
	if endpoint == "unsigned" {
		return nil, errors.New("sealed with another key")
	}
	return []standard.Secret{secret}, nil
}

// receivers is a Client whose requests a function answers: it stands for the network.
type receivers func(ctx context.Context, r call.Request) (call.Response, error)

func (f receivers) Request(ctx context.Context, r call.Request) (call.Response, error) {
	limited, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	answer, err := f(limited, r)
	if limited.Err() != nil {
		return call.Response{}, errors.New("no answer in time")
	}
	return answer, err
}

// one has requests answered one at a time, under a mutex for what the answering notes.
func one(mu *sync.Mutex, f receivers) receivers {
	return func(ctx context.Context, r call.Request) (call.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		return f(ctx, r)
	}
}

func status(n int) receivers {
	return func(context.Context, call.Request) (call.Response, error) { return call.Response{Status: n}, nil }
}

// hang never answers.
func hang(ctx context.Context, _ call.Request) (call.Response, error) {
	<-ctx.Done()
	return call.Response{}, ctx.Err()
}

// world is a deliverer with its outbox, in virtual time.
type world struct {
	*Deliverer
	outbox *outbox
	stop   func() // ends Run, and waits for it

	mu       sync.Mutex
	turns    []string
	problems []error
}

// run starts a deliverer on an outbox; it ends with the test.
func run(t *testing.T, o *outbox, node string, c Client, endpoints map[store.LaneName]Endpoint) *world {
	t.Helper()
	w := &world{Deliverer: New(node, o, c), outbox: o}
	w.Secrets = ask
	w.Announce = func(org, endpoint, why string, at time.Time) (store.Message, bool) {
		_, ok := endpoints[store.LaneName{Org: org, Endpoint: "ops"}]
		return store.Message{Org: org, ID: fmt.Sprintf("msg_disabled_%s_%d", endpoint, at.Unix()), Type: "endpoint.disabled", Time: at, Body: []byte(`"` + why + `"`), To: []string{"ops"}}, ok
	}
	w.Turned = func(l store.LaneName, to Turn, why string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.turns = append(w.turns, fmt.Sprintf("%s %s: %s", l.Endpoint, to, why))
	}
	w.Problem = func(err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.problems = append(w.problems, err)
	}
	w.Use(endpoints)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { w.Run(ctx); close(done) }()
	w.stop = func() { cancel(); <-done }
	return w
}

func (w *world) told() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.turns)
}

// put adds a message and says so.
func (w *world) put(t *testing.T, id, callID string, to ...string) {
	t.Helper()
	w.outbox.put(t, id, callID, to...)
	w.Wake()
}

// virtually runs a test in virtual time.
func virtually(t *testing.T, f func(t *testing.T)) { t.Helper(); synctest.Test(t, f) }

// percentile returns the part p of sorted values.
func percentile(values []time.Duration, p float64) time.Duration {
	slices.Sort(values)
	return values[int(math.Ceil(p*float64(len(values))))-1]
}
