package delivery

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/webhooks"
	"github.com/hookswitch/hookswitch/webhooks/standard"
)

// newClient is a client as the server has it, which may reach this machine.
func newClient(t testing.TB) *webhooks.Client {
	c := webhooks.NewClient(&webhooks.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	c.Cut, c.Final, c.MaxBody = true, true, 16<<10
	c.Keep(1000, 1000)
	t.Cleanup(c.Close)
	return c
}

// deliver sends one message to a receiver and returns what was kept of the first attempt.
func deliver(t *testing.T, url string, timeout time.Duration) store.Attempt {
	t.Helper()
	attempts := make(chan store.Attempt, 10)
	o := newOutbox()
	d := New("a", o, newClient(t))
	d.Secrets = ask
	d.Attempted = func(a *store.Attempt, _ time.Duration) { attempts <- *a }
	d.Use(named(endpoint{name: "crm", render: func(m store.Message) (call.Request, error) {
		return call.Request{Method: "POST", URL: url, Header: map[string]string{"Content-Type": "application/json"}, Body: m.Body, Timeout: timeout}, nil
	}}))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { d.Run(ctx); close(done) }()
	o.put(t, "msg_1", "call-1", "crm")
	d.Wake()
	a := <-attempts
	cancel()
	<-done
	return a
}

// receiver serves one connection after the other as a function does.
func receiver(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer conn.Close(); serve(conn) }()
		}
	}()
	return "http://" + l.Addr().String() + "/hook"
}

// request reads a request to its end.
func request(conn net.Conn) {
	if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
		io.Copy(io.Discard, r.Body)
	}
}

// Whatever a receiver does is one attempt, within its time, and says what happened.
func TestReceiversThatMisbehave(t *testing.T) {
	reset := func(conn net.Conn) { conn.(*net.TCPConn).SetLinger(0) }
	endless := func(conn net.Conn, head, part string) {
		request(conn)
		for _, err := io.WriteString(conn, head); err == nil; _, err = io.WriteString(conn, part) {
		}
	}
	for name, c := range map[string]struct {
		serve  func(net.Conn)
		state  store.DeliveryState
		status int
		want   string // of the error
		kept   int    // bytes of the body
	}{
		"hangs":              {func(c net.Conn) { io.Copy(io.Discard, c) }, store.Pending, 0, "no answer within 1s", 0},
		"resets at once":     {reset, store.Pending, 0, "reset", 0},
		"resets when asked":  {func(c net.Conn) { request(c); reset(c) }, store.Pending, 0, "reset", 0},
		"closes":             {func(c net.Conn) { request(c) }, store.Pending, 0, "the connection was closed", 0},
		"no HTTP":            {func(c net.Conn) { request(c); io.WriteString(c, "hello\r\n\r\n") }, store.Pending, 0, "not HTTP", 0},
		"huge header":        {func(c net.Conn) { endless(c, "HTTP/1.1 200 OK\r\n", "X-A: "+strings.Repeat("a", 1000)+"\r\n") }, store.Pending, 0, "header of the answer is too long", 0},
		"endless body":       {func(c net.Conn) { endless(c, "HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("a", 1000)) }, store.Delivered, 200, "", keptBody},
		"endless error page": {func(c net.Conn) { endless(c, "HTTP/1.1 500 Oh\r\n\r\n", strings.Repeat("a", 1000)) }, store.Pending, 500, "", keptBody},
		"slow body": {func(c net.Conn) {
			request(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nslow")
			io.Copy(io.Discard, c)
		}, store.Delivered, 200, "", 4},
		"redirect": {func(c net.Conn) {
			request(c)
			io.WriteString(c, "HTTP/1.1 307 Elsewhere\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
		}, store.Pending, 307, "", 0},
		"empty answer": {func(c net.Conn) {
			request(c)
			io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
		}, store.Delivered, 204, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := deliver(t, receiver(t, c.serve), time.Second)
			if a.State != c.state || a.Response.Status != c.status || !strings.Contains(a.Error, c.want) || (c.want == "") != (a.Error == "") || len(a.Response.Body) != c.kept {
				t.Errorf("%s, status %d, %q, %d bytes", a.State, a.Response.Status, a.Error, len(a.Response.Body))
			}
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		if a := deliver(t, "http://127.0.0.1:1/hook", time.Second); a.State != store.Pending || !strings.Contains(a.Error, "connection refused") {
			t.Errorf("%s, %q", a.State, a.Error)
		}
	})
	t.Run("the guard", func(t *testing.T) {
		if a := deliver(t, "http://10.0.0.1/hook", time.Second); a.State != store.Pending || !strings.Contains(a.Error, "http_allow") {
			t.Errorf("%s, %q", a.State, a.Error)
		}
	})
}

// What arrives is signed, and so is what is kept of it.
func TestWhatArrives(t *testing.T) {
	type arrival struct {
		header http.Header
		body   []byte
	}
	got := make(chan arrival, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- arrival{r.Header, body}
		io.WriteString(w, "thanks")
	}))
	defer server.Close()
	a := deliver(t, server.URL+"/hook?a=b", time.Minute)
	arrived := <-got
	if err := standard.Verify(arrived.header, arrived.body, time.Now(), secret); err != nil {
		t.Error(err)
	}
	if id := arrived.header.Get("webhook-id"); id != "msg_1" || string(arrived.body) != `{"id":"msg_1"}` {
		t.Errorf("%s: %s", id, arrived.body)
	}
	if a.Request.Method != "POST" || a.Request.URL != server.URL+"/hook?a=b" || a.Request.Body != nil || a.Request.Header["Webhook-Signature"] != arrived.header.Get("webhook-signature") || string(a.Response.Body) != "thanks" || a.Took <= 0 || a.Node != "a" {
		t.Errorf("kept: %+v", a)
	}
}

// verifier checks a message with the library that receivers in JavaScript have; it says
// which of the secrets of its input it verifies by.
const verifier = `
const { Webhook } = require("standardwebhooks");
let text = "";
process.stdin.on("data", d => text += d).on("end", () => {
  const { headers, body, secrets } = JSON.parse(text);
  console.log(JSON.stringify(secrets.map(s => {
    try { return JSON.stringify(new Webhook(s).verify(body, headers)) } catch (e) { return e.message }
  })));
});`

// libraryVersion is the version of the npm package standardwebhooks.
const libraryVersion = "1.0.0"

func TestLibraryOfReceiversVerifies(t *testing.T) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("not tested: whether the npm package standardwebhooks verifies what is sent; there is no %s", program)
		}
	}
	dir := t.TempDir()
	limited, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	install := exec.CommandContext(limited, "npm", "install", "--prefix", dir, "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0", "--fetch-timeout=20000", "standardwebhooks@"+libraryVersion)
	install.Env = append(os.Environ(), "npm_config_cache="+filepath.Join(dir, "cache"))
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("not tested: whether the npm package standardwebhooks verifies what is sent; it cannot be installed: %v\n%s", err, out)
	}
	old, current, foreign := standard.NewSecret(), standard.NewSecret(), standard.NewSecret()
	type message struct {
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
		Secrets []string          `json:"secrets"`
	}
	got := make(chan message, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		m := message{Headers: map[string]string{}, Body: string(body), Secrets: []string{current.Reveal(), old.Reveal(), foreign.Reveal()}}
		for name := range r.Header {
			m.Headers[strings.ToLower(name)] = r.Header.Get(name)
		}
		got <- m
	}))
	defer server.Close()
	o := newOutbox()
	d := New("a", o, newClient(t))
	d.Secrets = func(context.Context, string, string) ([]standard.Secret, error) {
		return []standard.Secret{current, old}, nil
	}
	d.Use(named(endpoint{name: "crm", url: server.URL}))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { d.Run(ctx); close(done) }()
	defer func() { stop(); <-done }()
	o.put(t, "msg_1", "", "crm")
	m := <-got
	verify := func(m message) (answers []string) {
		t.Helper()
		input, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		node := exec.CommandContext(t.Context(), "node", "-e", verifier)
		node.Dir, node.Stdin, node.Stderr = dir, strings.NewReader(string(input)), os.Stderr
		out, err := node.Output()
		if err == nil {
			err = json.Unmarshal(out, &answers)
		}
		if err != nil || len(answers) != 3 {
			t.Fatalf("%v: %s", err, out)
		}
		return answers
	}
	if a := verify(m); a[0] != m.Body || a[1] != m.Body || !strings.Contains(a[2], "No matching signature") {
		t.Errorf("%s: %q", m.Body, a)
	}
	m.Body = strings.Replace(m.Body, "1", "2", 1)
	for _, a := range verify(m) {
		if !strings.Contains(a, "No matching signature") {
			t.Errorf("another body: %s", a)
		}
	}
}

// BenchmarkDelivery is what a delivery over a kept connection costs, the receiver included.
func BenchmarkDelivery(b *testing.B) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	defer server.Close()
	o := newOutbox()
	d := New("a", o, newClient(b))
	d.Secrets = ask
	var all []endpoint
	for i := range 20 {
		all = append(all, endpoint{name: fmt.Sprintf("e%04d", i), url: server.URL})
	}
	d.Use(named(all...))
	over := make(chan struct{}, b.N)
	d.Attempted = func(a *store.Attempt, _ time.Duration) {
		if a.State != store.Delivered {
			b.Error(a.Error)
		}
		over <- struct{}{}
	}
	body := []byte(`{"type":"call.ended","data":"` + strings.Repeat("x", 800) + `"}`)
	for i := range b.N {
		o.Send(b.Context(), store.Message{Org: org, ID: fmt.Sprint("msg_", i), Type: "call.ended", Time: time.Now(), Body: body, To: []string{all[i%20].name}})
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.ReportAllocs()
	b.ResetTimer()
	go d.Run(ctx)
	for range b.N {
		<-over
	}
}
