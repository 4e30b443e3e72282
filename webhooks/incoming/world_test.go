package incoming_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/webhooks/incoming"
)

const definitions = `
organization: acme
currency: EUR
---
numbers: {"+15550100": {flow: main}}
tags:
  state: {type: enum, values: [TX, FL]}
  income: {type: number, min: 0}
  vip: {type: boolean}
  born: {type: date}
  note: {}
  lead_score: {type: number}
  ssn_hash: {privacy: private}
  internal: {sources: [flow]}
incoming:
  leads: {accepts: [call-data, update-tags, update-revenue, update-fields], life: 10m, fields: {leadState: state, "lead.notes": note}, rate: 1000}
  slow: {accepts: [call-data], rate: 2}
---
flow: main
start: bye
nodes: {bye: {hangup: {}}}
`

// world is a handler over a store in memory.
type world struct {
	*incoming.Handler
	store *memory
	keys  map[string]keys.Key // by webhook
	met   int                 // live calls that were met
	now   time.Time
}

func newWorld(t testing.TB, change func(*incoming.Options)) *world {
	t.Helper()
	s, problems := flowengine.LoadFile("acme.yaml", []byte(definitions), nodes.Kinds)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	w := &world{store: newMemory(), keys: map[string]keys.Key{}, now: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)}
	for _, hook := range []string{"leads", "slow", "gone"} {
		w.keys[hook] = w.addKey("acme", nil, keys.Incoming+hook)
	}
	o := incoming.Options{Inputs: w.store, Keys: w.store, Monitor: w.store, Current: func() *flowengine.Snapshot { return s },
		Received: func() { w.met++ }, Now: func() time.Time { return w.now }, Problem: func(err error) { t.Error(err) }}
	if change != nil {
		change(&o)
	}
	w.Handler = incoming.New(o)
	return w
}

func (w *world) addKey(org string, ends *time.Time, scopes ...string) keys.Key {
	k := keys.New()
	w.store.keys[string(k.Hash())] = store.Key{Org: org, ID: k.ID(), Scopes: scopes, Ends: ends}
	return k
}

// post posts JSON with the key of webhook leads.
func (w *world) post(kind flowengine.Operation, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, incoming.Path(kind)+"?key="+w.keys["leads"].Reveal(), strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return w.do(r)
}

func (w *world) do(r *http.Request) *httptest.ResponseRecorder {
	out := httptest.NewRecorder()
	w.ServeHTTP(out, r)
	return out
}

// answer reads what the webhook answered.
func answer(t testing.TB, w *httptest.ResponseRecorder) (out struct {
	incoming.Answer
	Detail string
	Errors []struct{ Location, Message string }
}) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	return out
}

// memory is a store.
type memory struct {
	mu       sync.Mutex
	keys     map[string]store.Key // by hash
	calls    map[string]string    // ids of calls that have ended, and their callers
	live     map[string]string
	inputs   []store.Input
	receipts map[string]store.Receipt // by idempotency key
	requests []store.Request
	used     int
	asked    int // for keys
	fails    error
	hangs    string // question that is never answered
	full     bool
	same     bool // ended calls have already what comes
}

func newMemory() *memory {
	return &memory{keys: map[string]store.Key{}, calls: map[string]string{"ended-1": "+12125550100"}, live: map[string]string{"live-1": "+12125550111"}, receipts: map[string]store.Receipt{}}
}

// hang waits as long as somebody does for the answer to a question that hangs.
func (m *memory) hang(ctx context.Context, question string) error {
	if question != m.hangs {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (m *memory) FindKey(ctx context.Context, hash []byte) (*store.Key, error) {
	if err := m.hang(ctx, "whose key"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.asked++; m.fails != nil {
		return nil, m.fails
	}
	if k, ok := m.keys[string(hash)]; ok {
		return &k, nil
	}
	return nil, store.ErrNotFound
}

func (m *memory) UsedKey(ctx context.Context, _, _ string, _ time.Time, _ string) error {
	if err := m.hang(ctx, "used"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used++
	return nil
}

func (m *memory) KeepRequest(ctx context.Context, org string, r store.Request) (int64, error) {
	if err := m.hang(ctx, "keep"); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if org != "acme" {
		return 0, fmt.Errorf("organization %q", org)
	}
	m.requests = append(m.requests, r)
	return int64(len(m.requests)), nil
}

func (m *memory) Receive(ctx context.Context, org string, in store.Input) (store.Receipt, error) {
	if err := m.hang(ctx, "receive"); err != nil {
		return store.Receipt{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if r, ok := m.receipts[in.Webhook+in.Key]; ok && in.Key != "" {
		if len(r.Outcomes) != len(in.Events) {
			return r, store.ErrKeyUsed
		}
		r.Repeated = true
		return r, nil
	}
	if m.full {
		return store.Receipt{}, fmt.Errorf("call: %w", store.ErrTooMany)
	}
	r := store.Receipt{ID: in.ID}
	tag, final := store.Waiting, store.Waiting
	switch {
	case m.find(m.live, in) != "":
		r.Call, tag, final = m.find(m.live, in), store.Passed, store.Queued
	case in.Call != "" || !in.Since.IsZero():
		if r.Call, tag, final = m.find(m.calls, in), store.Applied, store.Applied; r.Call == "" {
			return store.Receipt{}, fmt.Errorf("call: %w", store.ErrNotFound)
		}
		if m.same {
			tag, final = store.Unchanged, store.Unchanged
		}
	case in.Wait == 0:
		return store.Receipt{}, store.ErrNotFound
	}
	for _, e := range in.Events {
		if e.Type == call.Tagged {
			r.Outcomes = append(r.Outcomes, tag)
		} else {
			r.Outcomes = append(r.Outcomes, final)
		}
	}
	m.inputs = append(m.inputs, in)
	m.receipts[in.Webhook+in.Key] = r
	return r, nil
}

// find returns the call that an input is for, among some.
func (m *memory) find(calls map[string]string, in store.Input) string {
	for id, caller := range calls {
		if id == in.Call || in.Call == "" && caller == in.Caller {
			return id
		}
	}
	return ""
}
