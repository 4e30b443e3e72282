package webhooks

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// pipes is a listener in memory, for time that is virtual.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if conn, ok := <-p; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }
func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	p <- theirs
	return ours, nil
}

// virtual runs f in virtual time with a client whose every request handler answers.
func virtual(t *testing.T, handler http.HandlerFunc, f func(*testing.T, *Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := make(pipes)
		over, end := context.WithCancel(t.Context())
		var handlers sync.WaitGroup
		server := &http.Server{BaseContext: func(net.Listener) context.Context { return over }, ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			handlers.Add(1)
			defer handlers.Done()
			handler(w, r)
		})}
		done := make(chan struct{})
		go func() { server.Serve(p); close(done) }()
		client := NewClient(new(Guard))
		client.pool.DialContext = p.dial
		f(t, client)
		client.Close()
		close(p)
		<-done
		server.Close()
		end()
		synctest.Wait()
		handlers.Wait()
	})
}

func post(timeout time.Duration) call.Request {
	return call.Request{Method: "POST", URL: "https://crm.example/s3cret?k=s3cret", Header: map[string]string{"X-Key": "s3cret"},
		Body: []byte("s3cret"), Timeout: timeout, Key: "call-1.node", Retry: true}
}

// plainText makes a request one over HTTP, since the pipes have no TLS.
func plainText(r call.Request) call.Request {
	r.URL = strings.Replace(r.URL, "https:", "http:", 1)
	return r
}

func TestRequestAndAnswer(t *testing.T) {
	virtual(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header()["x-lower"] = []string{"a", "b"}
		fmt.Fprintf(w, "%s %s %s %s %s %s %s", r.Method, r.Host, r.RequestURI, r.UserAgent(), r.Header.Get("X-Key"), r.Header.Get("Idempotency-Key"), body)
	}, func(t *testing.T, c *Client) {
		c.UserAgent = "hookswitch/1.2"
		answer, err := c.Request(t.Context(), plainText(post(time.Second)))
		want := "POST crm.example /s3cret?k=s3cret hookswitch/1.2 s3cret call-1.node s3cret"
		if err != nil || string(answer.Body) != want || answer.Status != 200 || answer.Tries != 1 || answer.Header["X-Lower"] != "a, b" {
			t.Errorf("%+v %s, %v", answer, answer.Body, err)
		}
		r := plainText(post(time.Second))
		r.Key, r.Header, r.Body = "", map[string]string{"user-agent": "other", "idempotency-key": "own"}, nil
		answer, err = c.Request(t.Context(), r)
		if want := "POST crm.example /s3cret?k=s3cret other  own "; err != nil || string(answer.Body) != want {
			t.Errorf("%s, %v", answer.Body, err)
		}
	})
}

// What may be tried again is, with the same key and body; the rest is not.
func TestRetry(t *testing.T) {
	for status, again := range map[int]bool{200: false, 302: false, 400: false, 404: false, 408: false, 429: true, 500: false, 501: false, 502: true, 503: true, 504: true} {
		for _, retry := range []bool{true, false} {
			tries := 0
			virtual(t, func(w http.ResponseWriter, r *http.Request) {
				tries++
				if body, _ := io.ReadAll(r.Body); r.Header.Get("Idempotency-Key") != "call-1.node" || string(body) != "s3cret" {
					t.Errorf("try %d: key %q, body %q", tries, r.Header.Get("Idempotency-Key"), body)
				}
				if tries < 3 {
					w.WriteHeader(status)
				}
			}, func(t *testing.T, c *Client) {
				r := plainText(post(10 * time.Second))
				r.Retry = retry
				answer, err := c.Request(t.Context(), r)
				want := call.Response{Status: status, Tries: 1}
				if again && retry {
					want = call.Response{Status: 200, Tries: 3}
				}
				if err != nil || answer.Status != want.Status || answer.Tries != want.Tries || tries != want.Tries {
					t.Errorf("%d, retry %t: status %d after %d tries, %v", status, retry, answer.Status, answer.Tries, err)
				}
			})
		}
	}
}

// breakOff ends a connection after some bytes of an answer.
func breakOff(w http.ResponseWriter, answer string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		io.WriteString(conn, answer)
		conn.Close()
	}
}

func TestBrokenConnectionIsTriedAgain(t *testing.T) {
	for _, broken := range []string{"", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\ns3c", "HTTP/1.1 200 OK\r\n", "s3cret\r\n\r\n"} {
		for _, retry := range []bool{true, false} {
			tries := 0
			virtual(t, func(w http.ResponseWriter, r *http.Request) {
				if tries++; tries < 3 {
					breakOff(w, broken)
				}
			}, func(t *testing.T, c *Client) {
				r := plainText(post(10 * time.Second))
				r.Retry = retry
				answer, err := c.Request(t.Context(), r)
				if retry && (err != nil || answer.Status != 200 || answer.Tries != 3) || !retry && (err == nil || answer.Tries != 1 || answer.Status != 0) {
					t.Errorf("%q, retry %t: status %d after %d tries, %v", broken, retry, answer.Status, answer.Tries, err)
				}
			})
		}
	}
}

func TestFailureToConnectIsTriedAgain(t *testing.T) {
	for _, why := range []error{syscall.ECONNREFUSED, os.ErrDeadlineExceeded} {
		virtual(t, func(http.ResponseWriter, *http.Request) {}, func(t *testing.T, c *Client) {
			dials, connect := 0, c.pool.DialContext
			c.pool.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				if dials++; dials < 3 {
					return nil, &net.OpError{Op: "dial", Net: "tcp", Err: why}
				}
				return connect(ctx, network, address)
			}
			r := plainText(post(time.Minute))
			r.Retry = false
			if answer, err := c.Request(t.Context(), r); err == nil || answer.Tries != 1 || errors.Is(err, context.DeadlineExceeded) != (why == os.ErrDeadlineExceeded) {
				t.Errorf("%d tries, %v", answer.Tries, err)
			}
			r.Retry = true
			if answer, err := c.Request(t.Context(), r); err != nil || answer.Tries != 2 {
				t.Errorf("%d tries, %v", answer.Tries, err)
			}
		})
	}
}

func TestTriesAreBounded(t *testing.T) {
	virtual(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(503)
		io.WriteString(w, "later")
	}, func(t *testing.T, c *Client) {
		answer, err := c.Request(t.Context(), plainText(post(time.Hour)))
		if err != nil || answer.Status != 503 || string(answer.Body) != "later" || answer.Tries != maxTries {
			t.Errorf("%+v, %v", answer, err)
		}
	})
}

// The time limit is that of all tries and pauses together. What there is when no
// further try fits is returned then, not when the time is up.
func TestTimeLimitOfTheWhole(t *testing.T) {
	stalled := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		status  int // 0: the time was up
	}{
		"no answer": {stalled, 0},
		"no body": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			http.NewResponseController(w).Flush()
			stalled(w, r)
		}, 0},
		"slow body": {func(w http.ResponseWriter, r *http.Request) {
			for tick := time.NewTicker(100 * time.Millisecond); r.Context().Err() == nil; <-tick.C {
				io.WriteString(w, "x")
				http.NewResponseController(w).Flush()
			}
		}, 0},
		"slow header": {func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			for tick := time.NewTicker(100 * time.Millisecond); err == nil; <-tick.C {
				_, err = io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n")
			}
		}, 0},
		"slow body of a 503": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(503)
			http.NewResponseController(w).Flush()
			stalled(w, r)
		}, 0},
		"503": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) }, 503},
		"a slow 503": {func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(450 * time.Millisecond):
				w.WriteHeader(503)
			case <-r.Context().Done():
			}
		}, 0}, // of the second try
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, c.handler, func(t *testing.T, client *Client) {
				start := time.Now()
				answer, err := client.Request(t.Context(), plainText(post(time.Second)))
				took := time.Since(start)
				if answer.Took != took || took > time.Second {
					t.Errorf("took %s, says %s", took, answer.Took)
				}
				up := errors.Is(err, context.DeadlineExceeded)
				if up != (err != nil) || c.status == 0 && (!up || took != time.Second) || c.status > 0 && answer.Status != c.status {
					t.Errorf("%+v, %v", answer, err)
				}
				if up && !strings.HasSuffix(err.Error(), "POST http://crm.example: no answer within 1s") {
					t.Error(err)
				}
			})
		})
	}
}

// The body of an answer that is not taken may come as slowly as it likes.
func TestNextTryDoesNotWaitForTheBody(t *testing.T) {
	tries := 0
	virtual(t, func(w http.ResponseWriter, r *http.Request) {
		if tries++; tries == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(503)
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}
	}, func(t *testing.T, c *Client) {
		answer, err := c.Request(t.Context(), plainText(post(10*time.Second)))
		if err != nil || answer.Status != 200 || answer.Took != time.Second {
			t.Errorf("%+v, %v", answer, err)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	for after, want := range map[string]call.Response{
		"2":                             {Status: 200, Tries: 2, Took: 2 * time.Second},
		"0":                             {Status: 200, Tries: 2},
		"9":                             {Status: 200, Tries: 2, Took: 9 * time.Second},
		"10":                            {Status: 503, Tries: 1}, // the limit itself
		"3600":                          {Status: 503, Tries: 1},
		"9223372036854775807":           {Status: 503, Tries: 1},
		"Sat, 01 Jan 2000 00:00:05 GMT": {Status: 200, Tries: 2, Took: 5 * time.Second}, // virtual time begins with 2000
		"Sat, 01 Jan 2000 01:00:00 GMT": {Status: 503, Tries: 1},
	} {
		tries := 0
		virtual(t, func(w http.ResponseWriter, r *http.Request) {
			if tries++; tries == 1 {
				w.Header().Set("Retry-After", after)
				w.WriteHeader(503)
			}
		}, func(t *testing.T, c *Client) {
			answer, err := c.Request(t.Context(), plainText(post(10*time.Second)))
			if err != nil || answer.Status != want.Status || answer.Tries != want.Tries || answer.Took != want.Took {
				t.Errorf("%s: status %d, %d tries, took %s, %v", after, answer.Status, answer.Tries, answer.Took, err)
			}
		})
	}
}

// The caller hangs up: the request ends with that, during a try and between two.
func TestEndOfTheContext(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"during a try": func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"in a pause": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(503)
		},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, handler, func(t *testing.T, c *Client) {
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(3*time.Second, func() { cancel(&call.HungUp{Cause: call.NormalClearing}) })
				answer, err := c.Request(ctx, plainText(post(time.Minute)))
				var hungUp *call.HungUp
				if !errors.As(err, &hungUp) || errors.Is(err, context.DeadlineExceeded) || answer.Took != 3*time.Second {
					t.Errorf("after %s: %v", answer.Took, err)
				}
			})
		})
	}
}

// An answer beyond the bounds is an error that says so, and is not asked for again.
func TestAnswersAreBounded(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"endless body": {func(w http.ResponseWriter, r *http.Request) {
			for err := error(nil); err == nil; _, err = w.Write(make([]byte, 1<<10)) {
			}
		}, "longer than 65536 bytes"},
		"a byte too long":  {func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 64<<10+1)) }, "longer than 65536 bytes"},
		"just long enough": {func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 64<<10)) }, ""},
		"huge header": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Big", strings.Repeat("x", 1<<20))
		}, "header of the answer is too long"},
		"endless interim answers": {func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			for err == nil {
				_, err = io.WriteString(conn, "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n")
			}
		}, "header of the answer is too long"},
		"many headers": {func(w http.ResponseWriter, r *http.Request) {
			for i := range maxHeaders {
				w.Header().Set("X-"+strconv.Itoa(i), "")
			}
		}, "at most 100"},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, c.handler, func(t *testing.T, client *Client) {
				answer, err := client.Request(t.Context(), plainText(post(time.Minute)))
				if c.want == "" && (err != nil || len(answer.Body) != 64<<10) {
					t.Error(err)
				}
				if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || answer.Tries != 1 || answer.Body != nil) {
					t.Errorf("%d tries, %v", answer.Tries, err)
				}
			})
		})
	}
}

func TestCertificatesAreVerified(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	c := NewClient(&Guard{Allow: prefixes("127.0.0.1/32")})
	defer c.Close()
	r := post(time.Minute)
	r.URL = server.URL
	answer, err := c.Request(t.Context(), r)
	var bad *tls.CertificateVerificationError
	if !errors.As(err, &bad) || answer.Tries != 1 {
		t.Errorf("self-signed: %d tries, %v", answer.Tries, err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	c.pool.TLSClientConfig = &tls.Config{RootCAs: roots}
	if _, err := c.Request(t.Context(), r); err != nil {
		t.Errorf("with its root: %v", err)
	}
	r.URL = strings.Replace(r.URL, "https", "http", 1)
	if answer, err := c.Request(t.Context(), r); err != nil || answer.Status != 400 {
		t.Errorf("HTTP to it: %+v, %v", answer, err)
	}
}

// A request that fails leaves the connections of the others alone.
func TestConnectionsAreKept(t *testing.T) {
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	c := NewClient(&Guard{Allow: prefixes("127.0.0.1/32")})
	defer c.Close()
	for range 3 {
		if _, err := c.Request(t.Context(), get(server.URL)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Request(t.Context(), get("http://127.0.0.1:1/")); err == nil {
			t.Fatal("port 1 answers")
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections for 3 requests", n)
	}
}

// What is on the wire is one request, of HTTP/1.1, with what was asked for.
func TestWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := make(pipes, 1)
		c := NewClient(new(Guard))
		c.pool.DialContext = p.dial
		got := make(chan string, 1)
		go func() {
			conn, _ := p.Accept()
			var text strings.Builder
			for in := bufio.NewReader(conn); ; {
				line, err := in.ReadString('\n')
				if text.WriteString(line); err != nil || line == "\r\n" {
					break
				}
			}
			got <- text.String()
			io.WriteString(conn, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
			conn.Close()
		}()
		if _, err := c.Request(t.Context(), get("http://crm.example:8080/a b?q=\"#x")); err != nil {
			t.Error(err)
		}
		want := "GET /a%20b?q=\" HTTP/1.1\r\nHost: crm.example:8080\r\nUser-Agent: hookswitch\r\n\r\n"
		if text := <-got; text != want {
			t.Errorf("%q", text)
		}
	})
}
