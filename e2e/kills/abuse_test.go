package kills

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/eslctl/esltest"
	"github.com/hookswitch/hookswitch/keys"
)

// Bodies of 100 MB and 10,000 levels, and a thousand clients that never finish what they
// say, with and without a good key: the calls of the server do not notice, and it stays
// within its bounds.
func TestAbuseLeavesCallsAlone(t *testing.T) {
	g := newGate(t)
	before := g.a.memory()
	var calls []*esltest.Call
	ring := func(area int) {
		for i := range 40 {
			calls = append(calls, g.place(esltest.Caller{From: fmt.Sprintf("+1%d555%04d", area, i), Script: []esltest.Act{esltest.Press("1").WhenPlaying("Welcome")}}))
		}
	}
	ring(212)
	g.posts(20)
	ring(305)
	slow := g.slowClients(1000)
	ring(415)
	for _, k := range calls {
		g.finish(k)
	}
	slow()
	for g.try(g.key.Reveal(), strings.NewReader(`{"caller_id": "+12125550199", "approved": true}`)) != http.StatusAccepted {
		if g.ctx.Err() != nil {
			g.fatalf("nobody can post any more")
		}
	}
	after := g.a.memory()
	t.Logf("memory at its height: %d MiB before, %d MiB after", before>>20, after>>20)
	if after > before+256<<20 {
		t.Errorf("the server took %d MiB more", (after-before)>>20)
	}
	g.settle()
	alone := 0
	for id, r := range g.check(nil) {
		if got := exits(r); !slices.Equal(got, []string{"known else", "hold 1", "decide else", "bye"}) {
			t.Errorf("call %s went %q", id, got)
		}
		if e := r.events[0]; e.Type == call.Started && e.Attrs["fallback"] != "" {
			alone++
		}
	}
	t.Logf("%d of %d calls began without an answer from the database", alone, len(calls))
}

// posts posts large and deep bodies so many times each at once, in turn with a good key and
// with a bad one.
func (g *gate) posts(n int) {
	var posting sync.WaitGroup
	var mu sync.Mutex
	answered := map[int]int{} // to large bodies, by status
	for i := range n {
		key, large, deep := g.key.Reveal(), http.StatusRequestEntityTooLarge, http.StatusBadRequest
		if i%2 == 1 {
			key, large, deep = keys.New().Reveal(), http.StatusUnauthorized, http.StatusUnauthorized
		}
		posting.Go(func() {
			status := g.try(key, &endless{left: 100 << 20})
			if status != 0 && status != large {
				g.t.Errorf("a body of 100 MB: %d", status)
			}
			mu.Lock()
			defer mu.Unlock()
			answered[status]++
		})
		posting.Go(func() {
			body := strings.NewReader(`{"caller_id": "+12125550001", "x": ` + strings.Repeat("[", 10_000))
			if status := g.try(key, body); status != deep {
				g.t.Errorf("10,000 levels: %d", status)
			}
		})
	}
	posting.Wait()
	if answered[http.StatusRequestEntityTooLarge] == 0 || answered[http.StatusUnauthorized] == 0 {
		g.t.Errorf("the large bodies did not come so far as to be refused: %v", answered)
	}
}

// try posts to the server that has the calls, and returns the status; 0 where the
// connection was closed before there was one.
func (g *gate) try(key string, body io.Reader) int {
	req, err := http.NewRequestWithContext(g.ctx, http.MethodPost, "http://"+g.a.api+"/call-data?key="+key, body)
	must(g.t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// endless is a body of so many bytes.
type endless struct{ left int }

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), e.left)
	for i := range p[:n] {
		p[i] = ' '
	}
	e.left -= n
	return n, nil
}

// slowClients begin requests that they do not finish: some in the middle of the header,
// some in that of a body, with a good key. What it returns waits until all were cut off.
func (g *gate) slowClients(n int) (wait func()) {
	var cut sync.WaitGroup
	for i := range n {
		said := "POST /call-data?key=" + g.key.Reveal() + " HTTP/1.1\r\nHost: x\r\n"
		if i%2 == 0 {
			said += "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
		}
		conn, err := new(net.Dialer).DialContext(g.ctx, "tcp", g.a.api)
		must(g.t, err)
		stop := context.AfterFunc(g.ctx, func() { conn.Close() })
		cut.Go(func() {
			defer stop()
			defer conn.Close()
			if _, err := io.WriteString(conn, said); err != nil {
				return // there was no room for it
			}
			if _, err := io.Copy(io.Discard, conn); errors.Is(err, net.ErrClosed) {
				g.t.Error("a slow client is not cut off")
			}
		})
	}
	return cut.Wait
}

// memory returns how much memory the process had at most, in bytes (proc_pid_status(5)).
func (n *node) memory() int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.process.Pid))
	must(n.w.t, err)
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	must(n.w.t, err)
	return kib << 10
}
