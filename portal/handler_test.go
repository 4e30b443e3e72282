package portal_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/portal"
	"github.com/hookswitch/hookswitch/store"
)

// What goes wrong is told as a problem, with nothing of the inside.
func TestWhatGoesWrongIsAProblem(t *testing.T) {
	w := newWorld(t)
	w.fails(http.StatusNotFound, http.MethodGet, "/nothing", nil, "no such path")
	w.fails(http.StatusMethodNotAllowed, http.MethodPost, "/calls", nil, "GET")
	w.fails(http.StatusNotFound, http.MethodGet, "/calls/nobody", nil, `"detail"`)
	w.fails(http.StatusUnprocessableEntity, http.MethodGet, "/calls?limit=0", nil, "query.limit")
	w.fails(http.StatusUnprocessableEntity, http.MethodGet, "/calls?from=yesterday", nil, "query.from")
	w.fails(http.StatusUnprocessableEntity, http.MethodGet, "/calls?colour=blue", nil, "query.colour")
	w.fails(http.StatusUnprocessableEntity, http.MethodGet, "/calls?state=over", nil, "query.state", "open")
	w.fails(http.StatusUnprocessableEntity, http.MethodGet, "/calls?after=elsewhere", nil, "query.after")
}

// So is a path beside the API, which is served at the same address.
func TestWhatThereIsNotIsAProblem(t *testing.T) {
	r := httptest.NewRecorder()
	newWorld(t).ServeHTTP(r, httptest.NewRequest(http.MethodGet, "/nothing", nil))
	if r.Code != http.StatusNotFound || r.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %s", r.Code, r.Body)
	}
}

func TestFaultsStayInside(t *testing.T) {
	for name, db := range map[string]*broken{"error": &broken{err: errors.New("the disk is full")}, "panic": &broken{panics: "the disk is full"}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(o *portal.Options) { db.Store, o.Store = o.Store, db })
			r := w.ask(http.MethodGet, "/whoami", nil, "X-Request-Id", "mine-1")
			if r.StatusCode != http.StatusInternalServerError || strings.Contains(r.body, "disk") || !strings.Contains(r.body, "mine-1") || r.Header.Get("X-Request-Id") != "mine-1" {
				t.Errorf("%s %s", r.Status, r.body)
			}
			if name == "panic" && !strings.Contains(w.log.String(), "GET /api/v1/whoami") {
				t.Errorf("the log does not say where: %s", w.log.String())
			}
			if !strings.Contains(w.log.String(), "the disk is full") || !strings.Contains(w.log.String(), "mine-1") {
				t.Errorf("the log has %s", w.log.String())
			}
		})
	}
}

// broken is a store that finds no key for a bad reason.
type broken struct {
	store.Store
	err    error
	panics string
}

func (b *broken) FindKey(context.Context, []byte) (*store.Key, error) {
	if b.panics != "" {
		panic(b.panics)
	}
	return nil, b.err
}

func TestRequestsHaveAnID(t *testing.T) {
	w := newWorld(t)
	for _, theirs := range []string{"", "with spaces", strings.Repeat("a", 65), "a\"b"} {
		id := w.ask(http.MethodGet, "/health", nil, "X-Request-Id", theirs).Header.Get("X-Request-Id")
		if len(id) != 36 || id == theirs {
			t.Errorf("%q became %q", theirs, id)
		}
	}
	if id := w.ask(http.MethodGet, "/health", nil, "X-Request-Id", "abc").Header.Get("X-Request-Id"); id != "abc" {
		t.Errorf("it is %q", id)
	}
}
