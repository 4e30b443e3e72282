package portal_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/portal"
)

func TestRequestsAreCountedByKey(t *testing.T) {
	w := newWorld(t, func(o *portal.Options) { o.Limits.PerKey = 3 })
	for left := 2; left >= 0; left-- {
		r := w.does(http.MethodGet, "/whoami", nil, http.StatusOK, nil)
		if got := r.Header.Get("RateLimit"); got != `"key";r=`+string(rune('0'+left))+`;t=0` {
			t.Errorf("with %d left: %s", left, got)
		}
	}
	r := w.does(http.MethodGet, "/whoami", nil, http.StatusTooManyRequests, nil)
	if r.Header.Get("Retry-After") != "20" || r.Header.Get("RateLimit-Policy") != `"key";q=3;w=60` || r.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%v", r.Header)
	}
	first := w.key
	w.key = w.newKey("beta")
	w.get("/whoami", nil)
	w.key, w.now = first, w.now.Add(20*time.Second)
	w.get("/whoami", nil)
	w.fails(http.StatusTooManyRequests, http.MethodGet, "/whoami", nil)
}

// Whoever tries keys is slowed down before any is looked up.
func TestRequestsAreCountedByAddress(t *testing.T) {
	w := newWorld(t, func(o *portal.Options) { o.Limits.PerAddress = 2 })
	w.key = "hsk_nobody"
	w.fails(http.StatusUnauthorized, http.MethodGet, "/whoami", nil)
	w.fails(http.StatusUnauthorized, http.MethodGet, "/whoami", nil)
	r := w.does(http.MethodGet, "/whoami", nil, http.StatusTooManyRequests, nil)
	if r.Header.Get("Retry-After") != "30" || !strings.Contains(r.body, "address") {
		t.Errorf("%v %s", r.Header, r.body)
	}
}

func TestThereIsRoomForSoManyRequests(t *testing.T) {
	held, let := make(chan struct{}), make(chan struct{})
	w := newWorld(t, func(o *portal.Options) {
		o.Limits.AtOnce = 1
		o.Keys = &slow{o.Keys.(*keyring), held, let}
	})
	done := make(chan response)
	go func() { done <- w.ask(http.MethodGet, "/whoami", nil) }()
	<-held
	r := w.ask(http.MethodGet, "/health", nil)
	if r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" {
		t.Errorf("%s %s", r.Status, r.body)
	}
	close(let)
	if r := <-done; r.StatusCode != http.StatusOK {
		t.Errorf("the first: %s", r.Status)
	}
	w.get("/health", nil)
}

// slow are keys that are looked up only when they are let.
type slow struct {
	*keyring
	held, let chan struct{}
}
