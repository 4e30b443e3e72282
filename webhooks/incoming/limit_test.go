package incoming_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/webhooks/incoming"
)

// Who asks too often waits, each by itself.
func TestRates(t *testing.T) {
	w := newWorld(t, func(o *incoming.Options) { o.Limits = incoming.Limits{PerAddress: 5} })
	post := func(hook, from string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/call-data?key="+w.keys[hook].Reveal(), strings.NewReader(`{"caller_id": "+12125550199"}`))
		r.RemoteAddr = from
		return w.do(r)
	}
	for i, want := range []int{200, 200, 429} { // rate: 2
		r := post("slow", fmt.Sprintf("198.51.100.%d:1", i))
		if r.Code != want || (want == 429) != (r.Header().Get("Retry-After") == "1") {
			t.Errorf("request %d to the webhook: %d %s", i, r.Code, r.Body)
		}
	}
	for i, want := range []int{200, 200, 200, 200, 200, 429} {
		if r := post("leads", fmt.Sprintf("[2001:db8::%d]:1", i)); r.Code != want { // one network
			t.Errorf("request %d of the address: %d %s", i, r.Code, r.Body)
		}
	}
	if r := post("gone", "[2001:db8::1]:1"); r.Code != http.StatusTooManyRequests {
		t.Errorf("a bad key of an address that asks too often: %d", r.Code)
	}
	w.now = w.now.Add(time.Second / 2)
	if r := post("slow", "198.51.100.9:1"); r.Code != 200 {
		t.Errorf("after a rest: %d %s", r.Code, r.Body)
	}
	if len(w.store.requests) != 2+5+1 {
		t.Errorf("%d requests were kept: those above the rate are not", len(w.store.requests))
	}
}

// A client that is slow holds up nobody, and is cut off; there is room for so many.
func TestSlowClients(t *testing.T) {
	w := newWorld(t, func(o *incoming.Options) {
		o.Limits = incoming.Limits{AtOnce: 3, PerWebhook: 2, Waiting: time.Millisecond}
	})
	begin := func(hook string) (finish func() int) {
		body := &slowBody{more: make(chan struct{}), asked: make(chan struct{})}
		r := httptest.NewRequest(http.MethodPost, "/call-data?key="+w.keys[hook].Reveal(), body)
		r.ContentLength = -1
		done := make(chan int)
		go func() { done <- w.do(r).Code }()
		select {
		case <-body.asked:
			return func() int { close(body.more); return <-done }
		case code := <-done:
			return func() int { return code }
		}
	}
	first, second := begin("leads"), begin("leads")
	if code := begin("leads")(); code != http.StatusServiceUnavailable {
		t.Errorf("the third at once: %d", code)
	}
	other := begin("slow")
	if code := begin("slow")(); code != http.StatusServiceUnavailable {
		t.Errorf("the fourth of all: %d", code)
	}
	for i, finish := range []func() int{first, second, other} {
		if code := finish(); code != http.StatusRequestTimeout {
			t.Errorf("a body that breaks off, %d: %d", i, code)
		}
	}
	if r := w.post(flowengine.CallData, `{"caller_id": "+12125550199"}`); r.Code != http.StatusOK {
		t.Errorf("afterwards: %d %s", r.Code, r.Body)
	}
}

// A store that does not answer is given up, and holds the turn of nobody for longer.
func TestStoreThatHangs(t *testing.T) {
	turns := incoming.DefaultLimits.InStore
	for hangs, c := range map[string]struct{ posts, want int }{
		"whose key": {2 * turns, http.StatusServiceUnavailable}, // half of them never get their turn
		"receive":   {2 * turns, http.StatusServiceUnavailable},
		"used":      {turns, http.StatusAccepted},
		"keep":      {turns, http.StatusAccepted},
	} {
		t.Run(hangs, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var problems atomic.Int32
				w := newWorld(t, func(o *incoming.Options) { o.Problem = func(error) { problems.Add(1) } })
				w.store.hangs = hangs
				post := func() int {
					return w.post(flowengine.CallData, `{"caller_id": "+12125550199", "state": "TX"}`).Code
				}
				var posting sync.WaitGroup
				for range c.posts {
					posting.Go(func() {
						if code := post(); code != c.want {
							t.Errorf("%d, want %d", code, c.want)
						}
					})
				}
				posting.Wait()
				if problems.Load() == 0 {
					t.Error("nobody is told")
				}
				w.store.hangs = ""
				if code := post(); code != http.StatusAccepted {
					t.Errorf("when it answers again: %d", code)
				}
			})
		})
	}
}

// slowBody is a body that breaks off when it is told to.
type slowBody struct {
	more, asked chan struct{}
	once        sync.Once
}

func (b *slowBody) Read([]byte) (int, error) {
	b.once.Do(func() { close(b.asked) })
	<-b.more
	return 0, errors.New("i/o timeout")
}

// Nothing of what is sent without a good key is read.
func TestBodyWithoutKeyIsNotRead(t *testing.T) {
	w := newWorld(t, nil)
	body := &counted{Reader: bytes.NewReader(make([]byte, 1<<20))}
	r := httptest.NewRequest(http.MethodPost, "/call-data?key="+keys.New().Reveal(), body)
	if out := w.do(r); out.Code != http.StatusUnauthorized || body.n > 0 {
		t.Errorf("%d, %d bytes were read", out.Code, body.n)
	}
	body = &counted{Reader: bytes.NewReader(make([]byte, 100<<20))}
	r = httptest.NewRequest(http.MethodPost, "/call-data?key="+w.keys["leads"].Reveal(), body)
	r.ContentLength = -1
	if out := w.do(r); out.Code != http.StatusRequestEntityTooLarge || body.n > incoming.MaxBody+1 {
		t.Errorf("%d, %d bytes were read", out.Code, body.n)
	}
}

type counted struct {
	*bytes.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}
