package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/seal"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/webhooks/credentials"
	"github.com/hookswitch/hookswitch/webhooks/delivery"
	"github.com/hookswitch/hookswitch/webhooks/standard"
)

// due is an outbox from which the same deliveries are claimed once.
type due struct {
	delivery.Outbox
	mu         sync.Mutex
	deliveries []store.Delivery
	finished   chan store.Attempt
}

func (o *due) Claim(_ context.Context, c store.Claiming) (claimed store.Claimed, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	claimed.Next = time.Hour
	left := o.deliveries[:0]
	for _, d := range o.deliveries {
		if c.Lanes[store.LaneName{Org: d.Org, Endpoint: d.Endpoint}] > 0 {
			claimed.Deliveries = append(claimed.Deliveries, d)
		} else {
			left = append(left, d)
		}
	}
	o.deliveries = left
	return claimed, nil
}

func (o *due) Finish(_ context.Context, attempts []store.Attempt) ([]int64, error) {
	for _, a := range attempts {
		o.finished <- a
	}
	return nil, nil
}

func (o *due) Extend(context.Context, string, time.Duration, []store.Lease) error { return nil }
func (o *due) Forsake(context.Context, string) error                              { return nil }
func (o *due) Lanes(context.Context, string) ([]store.Lane, error)                { return nil, nil }

// memory keeps secrets in memory.
type memory struct {
	store.Store
	mu   sync.Mutex
	kept map[string][]store.Secret
}

func (m *memory) AddSecret(_ context.Context, _ string, s store.Secret, _ time.Time, _ bool) ([]store.Secret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.kept[s.Name]) == 0 {
		m.kept[s.Name] = []store.Secret{s}
	}
	return m.kept[s.Name], nil
}

func (m *memory) Secrets(_ context.Context, _, name string, _ time.Time) ([]store.Secret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept[name], nil
}

// What is due is sent as the configuration in force says, signed, and to nowhere else than
// the operator allows; the metrics count it.
func TestCourierSendsAsConfigured(t *testing.T) {
	type arrival struct {
		path, body, kind string
		err              error
	}
	ring, err := seal.OpenFile(filepath.Join(t.TempDir(), "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	keeper := credentials.New(&memory{kept: map[string][]store.Secret{}}, ring)
	arrivals := make(chan arrival, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		secrets, err := keeper.For(t.Context(), "acme", strings.TrimPrefix(r.URL.Path, "/"))
		arrivals <- arrival{r.URL.Path, string(body), r.Header.Get("Content-Type"), errors.Join(err, standard.Verify(r.Header, body, time.Now(), secrets...))}
	}))
	defer receiver.Close()
	config, _ := configured(t, strings.ReplaceAll(`
organization: acme
---
webhooks:
  standard: {url: "HERE/standard", events: ["*"]}
  shaped: {url: "HERE/shaped", events: ["*"], form: {what: "{{ event.type }}"}}
  inside: {url: "http://10.0.0.1/", events: ["*"]}
  "off": {url: "HERE/off", events: ["*"], enabled: false}
`, "HERE", receiver.URL))
	const body = `{"type":"call.ended","timestamp":"2026-01-02T03:04:05Z","data":{"version":1}}`
	from := &due{finished: make(chan store.Attempt, 10)}
	for i, endpoint := range []string{"standard", "shaped", "inside", "off"} {
		from.deliveries = append(from.deliveries, store.Delivery{Lease: store.Lease{Org: "acme", N: int64(i + 1), Token: 1}, Endpoint: endpoint, Created: time.Now(),
			Message: store.Message{Org: "acme", ID: "msg_1", Type: "call.ended", Time: time.Now(), Body: []byte(body)}})
	}
	m, said := newMetrics(readBuildInfo()), new(bytes.Buffer)
	c := newCourier(&settings{Node: "n1", HTTPAllow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, WebhooksAtOnce: 10}, zerolog.New(said), m, from, keeper)
	c.use(config.current())
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { c.run(ctx); close(done) }()
	for range 2 {
		a := <-arrivals
		want := map[string]arrival{"/standard": {"/standard", body, "application/json", nil}, "/shaped": {"/shaped", "what=call.ended", "application/x-www-form-urlencoded", nil}}[a.path]
		if a.path != want.path || a.body != want.body || a.kind != want.kind || a.err != nil {
			t.Errorf("%+v", a)
		}
	}
	for range 3 {
		a := <-from.finished
		inside := a.Endpoint == "inside"
		if a.Endpoint == "off" || inside != (a.State == store.Pending) || inside != strings.Contains(a.Error, "http_allow") {
			t.Errorf("%+v", a)
		}
	}
	stop()
	<-done
	answer := httptest.NewRecorder()
	m.handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{`hookswitch_webhook_attempts_total{outcome="delivered"} 2`, `hookswitch_webhook_attempts_total{outcome="pending"} 1`, `hookswitch_webhook_delivery_seconds_count 2`, `hookswitch_webhook_attempt_seconds_count 3`, `hookswitch_webhook_pending 0`} {
		if !strings.Contains(answer.Body.String(), line+"\n") {
			t.Errorf("metrics lack %s", line)
		}
	}
}

// An endpoint that changes its state is one line of the log.
func TestCourierTellsOfTurns(t *testing.T) {
	said := new(bytes.Buffer)
	c := newCourier(&settings{WebhooksAtOnce: 1}, zerolog.New(said), newMetrics(readBuildInfo()), nil, nil)
	c.Turned(store.LaneName{Org: "acme", Endpoint: "crm"}, delivery.Disabled, "it answered 410 Gone")
	var line map[string]string
	if err := json.Unmarshal(said.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if line["level"] != "warn" || line["organization"] != "acme" || line["endpoint"] != "crm" || line["state"] != "disabled" || line["why"] != "it answered 410 Gone" {
		t.Error(said)
	}
}

// publishes tells of every event, or of none.
type publishes int

func (p publishes) Publish(*store.Call, []call.Event) []store.Message {
	return make([]store.Message, p)
}

// busy is a store in which so much comes of everything.
type busy struct {
	store.Store
	to store.Publisher
	n  int
}

func (b *busy) Publish(p store.Publisher) { b.to = p }

// Append publishes what it takes in, and fails after that.
func (b *busy) Append(context.Context, store.Batch) error {
	b.to.Publish(nil, nil)
	return errors.New("the answer was lost")
}

func (b *busy) Settle(context.Context, time.Time, time.Duration) (int, int, error) {
	return b.n, 0, nil
}

func (b *busy) Receive(context.Context, string, store.Input) (store.Receipt, error) {
	return store.Receipt{Outcomes: []store.Outcome{store.Unchanged, store.Applied}[:1+min(b.n, 1)]}, nil
}

func (b *busy) Conclude(context.Context, time.Time) (int, error)             { return b.n, nil }
func (b *busy) Resend(context.Context, string, store.Resending) (int, error) { return b.n, nil }
func (b *busy) Send(context.Context, store.Message) error                    { return nil }
func (b *busy) Enable(context.Context, string, string) error                 { return nil }

// Whoever sends is woken when something was told, by whatever that came, also where the
// answer was lost; and not otherwise.
func TestHeraldWakes(t *testing.T) {
	for _, n := range []int{0, 2} {
		woken := 0
		h := &herald{Store: &busy{n: n}, wake: func() { woken++ }}
		h.Publish(publishes(n))
		for name, do := range map[string]func(context.Context) error{
			"append":   func(ctx context.Context) error { return h.Append(ctx, store.Batch{}) },
			"settle":   func(ctx context.Context) error { _, _, err := h.Settle(ctx, time.Now(), 0); return err },
			"receive":  func(ctx context.Context) error { _, err := h.Receive(ctx, "", store.Input{}); return err },
			"conclude": func(ctx context.Context) error { _, err := h.Conclude(ctx, time.Now()); return err },
			"resend":   func(ctx context.Context) error { _, err := h.Resend(ctx, "", store.Resending{}); return err },
		} {
			woken = 0
			if err := do(t.Context()); woken != min(n, 1) || (err != nil) != (name == "append") {
				t.Errorf("%s, of which comes %d: woken %d times, %v", name, n, woken, err)
			}
		}
	}
}

// What is sent by hand, and what waits for an endpoint that is enabled, is sent at once.
func TestHeraldWakesByHand(t *testing.T) {
	woken := 0
	h := &herald{Store: &busy{}, wake: func() { woken++ }}
	if err := errors.Join(h.Send(t.Context(), store.Message{}), h.Enable(t.Context(), "", "")); err != nil || woken != 2 {
		t.Errorf("woken %d times, %v", woken, err)
	}
}

// A server tells endpoints of what its journal holds, and keeps what became of that.
func TestServerTellsEndpoints(t *testing.T) {
	bodies := make(chan string, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- r.Header.Get(standard.ID) + " " + string(body)
	}))
	defer receiver.Close()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "all.yaml"), []byte(strings.ReplaceAll(`
organization: acme
---
webhooks:
  crm: {url: "HERE/hook", events: [call.started]}
`, "HERE", receiver.URL)), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &settings{Node: "n1", Data: t.TempDir(), ConfigDir: dir, Listen: "127.0.0.1:0", ListenTakeover: "127.0.0.1:0", HTTP: "127.0.0.1:0", WebhooksAtOnce: 10,
		HTTPAllow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Log: logSettings{Level: "error", Format: "json"}}
	srv, err := newServer(t.Context(), s, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- srv.run(ctx) }()
	srv.recorder("c1", 1).Record(call.Event{Type: call.Started, Org: "acme", Attrs: map[string]string{"from": "+12125550123", "to": "+15550100"}})
	var body string
	select {
	case body = <-bodies:
	case err := <-done:
		t.Fatal(err)
	}
	if !strings.HasPrefix(body, "msg_") || !strings.Contains(body, `"type":"call.started"`) || !strings.Contains(body, "+12125550123") {
		t.Error(body)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	db, err := openStore(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	page, err := db.Deliveries(t.Context(), "acme", store.DeliveryQuery{Call: "c1"})
	if err != nil || len(page.Deliveries) != 1 || page.Deliveries[0].State != store.Delivered || page.Deliveries[0].Status != 200 {
		t.Errorf("%+v, %v", page.Deliveries, err)
	}
}
