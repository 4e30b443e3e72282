package webhooks

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// With Cut the status is the answer, whatever becomes of the body.
func TestBodyIsCut(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		body    int
		cut     bool
		took    time.Duration
	}{
		"just long enough": {func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 16<<10)) }, 16 << 10, false, 0},
		"a byte too long":  {func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 16<<10+1)) }, 16 << 10, true, 0},
		"endless": {func(w http.ResponseWriter, r *http.Request) {
			for err := error(nil); err == nil; _, err = w.Write(make([]byte, 1<<10)) {
			}
		}, 16 << 10, true, 0},
		"too slow": {func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "working")
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, len("working"), true, time.Second},
		"broken off": {func(w http.ResponseWriter, r *http.Request) {
			breakOff(w, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nwork")
		}, len("work"), true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, c.handler, func(t *testing.T, client *Client) {
				client.Cut, client.MaxBody = true, 16<<10
				answer, err := client.Request(t.Context(), plainText(post(time.Second)))
				if err != nil || answer.Status != 200 || len(answer.Body) != c.body || answer.Cut != c.cut || answer.Took != c.took || answer.Tries != 1 {
					t.Errorf("%d bytes, cut %t, after %s and %d tries, %v", len(answer.Body), answer.Cut, answer.Took, answer.Tries, err)
				}
			})
		})
	}
}

// With Final only what brought no answer is tried again.
func TestAnswersAreFinal(t *testing.T) {
	for _, status := range []int{429, 500, 502, 503, 504} {
		tries := 0
		virtual(t, func(w http.ResponseWriter, r *http.Request) {
			if tries++; tries == 1 {
				breakOff(w, "")
				return
			}
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(status)
		}, func(t *testing.T, c *Client) {
			c.Final = true
			answer, err := c.Request(t.Context(), plainText(post(10*time.Second)))
			if err != nil || answer.Status != status || answer.Tries != 2 {
				t.Errorf("status %d after %d tries, %v", answer.Status, answer.Tries, err)
			}
		})
	}
}

// A kept connection that the other side has given up meanwhile costs no failure and no
// pause, where a request may be tried again; nothing of that is on the wire.
func TestDeadConnectionIsReplaced(t *testing.T) {
	var requests, connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 2 {
			breakOff(w, "")
			return
		}
		for name := range r.Header {
			if strings.Contains(name, "Idempotency") {
				t.Errorf("header %s was sent", name)
			}
		}
		fmt.Fprint(w, "taken")
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	c := NewClient(&Guard{Allow: prefixes("127.0.0.1/32")})
	c.Keep(1, 1)
	defer c.Close()
	r := post(time.Minute)
	r.URL, r.Key = server.URL, ""
	for range 2 {
		answer, err := c.Request(t.Context(), r)
		if err != nil || string(answer.Body) != "taken" || answer.Tries != 1 {
			t.Errorf("%+v, %v", answer, err)
		}
	}
	if requests.Load() != 3 || connections.Load() != 2 {
		t.Errorf("%d requests over %d connections", requests.Load(), connections.Load())
	}
}
