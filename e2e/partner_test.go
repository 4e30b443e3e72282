//go:build freeswitch

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// partner is the other system that flows make requests to. The last part of a path
// is the number of the caller, the first says how it behaves:
//
//	/held/…    answers when it is told to
//	/…         answers at once
type partner struct {
	*httptest.Server

	mu     sync.Mutex
	seen   map[string][]asked       // by path
	let    map[string]chan struct{} // closed when the caller's requests are to be answered
	change chan struct{}            // closed and replaced with every request that comes or goes
}

// asked is a request that the partner got.
type asked struct {
	method, key string
	query       string
	body        string
	dropped     bool // whoever asked went away before the answer
}

func newPartner(t *testing.T) *partner {
	p := &partner{seen: map[string][]asked{}, let: map[string]chan struct{}{}, change: make(chan struct{})}
	p.Server = httptest.NewServer(p)
	t.Cleanup(func() {
		p.CloseClientConnections()
		p.Close()
	})
	return p
}

func (p *partner) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	i := len(p.seen[r.URL.Path])
	p.seen[r.URL.Path] = append(p.seen[r.URL.Path], asked{method: r.Method, key: r.Header.Get("Idempotency-Key"), query: r.URL.RawQuery, body: string(body)})
	p.changed()
	p.mu.Unlock()
	if strings.HasPrefix(r.URL.Path, "/held/") {
		select {
		case <-p.gate(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]):
		case <-r.Context().Done():
			p.mu.Lock()
			p.seen[r.URL.Path][i].dropped = true
			p.changed()
			p.mu.Unlock()
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"name": "Zoë", "score": 7})
}

// changed needs the lock.
func (p *partner) changed() {
	close(p.change)
	p.change = make(chan struct{})
}

func (p *partner) gate(caller string) chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.let[caller] == nil {
		p.let[caller] = make(chan struct{})
	}
	return p.let[caller]
}

// release lets the partner answer a caller's requests.
func (p *partner) release(a *sipCall) { close(p.gate(a.from)) }

// await waits until ok holds for the requests to a path of a caller.
func (p *partner) await(ctx context.Context, path string, a *sipCall, what string, ok func([]asked) bool) error {
	for {
		p.mu.Lock()
		got, change := p.seen[path+a.from], p.change
		done := ok(got)
		p.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return fmt.Errorf("%s: not in %+v", what, got)
		}
	}
}

// requests returns those to a path of a caller.
func (p *partner) requests(path string, a *sipCall) []asked {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]asked(nil), p.seen[path+a.from]...)
}
