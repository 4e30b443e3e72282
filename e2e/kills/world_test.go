package kills

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/eslctl"
	"github.com/hookswitch/hookswitch/eslctl/esltest"
)

// speed is how much faster than in life the people are.
const speed = 5

// The people who are called, by number.
const (
	busy     = "2001"
	silent   = "2002" // never answers
	talker   = "2003" // hangs up in the end
	listener = "2004" // stays until the caller hangs up
	agent    = "2005" // presses 1 to take the call
	mailbox  = "2006" // answers and presses nothing
)

const talks = 5 * time.Second // of talker and agent

var callees = map[string]esltest.Callee{
	busy:     esltest.Busy(),
	silent:   esltest.RingsForever(),
	talker:   esltest.Answers(time.Second, talks),
	listener: esltest.Answers(time.Second, 0),
	agent:    esltest.Answers(time.Second, talks).Pressing("1", 700*time.Millisecond),
	mailbox:  esltest.Answers(500*time.Millisecond, 0),
}

const number = "+15550100"

const flows = `numbers:
  "+15550100": {flow: main}
---
flow: main
start: menu
nodes:
  menu:
    menu: {prompt: "say:Welcome. Press a key for somebody.", tries: 2, timeout: 3s}
    exits: {"1": sequence, "2": straight, "3": confirmed, "4": together, "5": info, else: sequence}
  sequence:
    dial: {targets: ["2001", "2002", "2003"], strategy: sequential, ring: 3s, gateway: carrier}
    exits: {completed: bye, else: info}
  straight:
    dial: {targets: ["2001", "2004"], strategy: sequential, ring: 3s, gateway: carrier}
    exits: {completed: bye, else: info}
  confirmed:
    dial:
      targets: ["2006", "2005"]
      strategy: sequential
      ring: 3s
      gateway: carrier
      confirm: {key: "1", prompt: "say:Press 1.", timeout: 3s}
    exits: {completed: bye, else: info}
  together:
    dial: {targets: ["2001", "2002", "2003"], strategy: simultaneous, ring: 6s, gateway: carrier}
    exits: {completed: bye, else: info}
  info:
    play: {prompt: "say:Nobody is there now."}
    next: bye
  bye:
    hangup: {}
`

// world is a switch with its people, and the servers that control its calls.
type world struct {
	t      *testing.T
	ctx    context.Context
	dir    string
	conf   string
	sw     *esltest.Switch
	socket string // address of its inbound event socket
	seed   uint64

	database string   // that the servers share; "": each has its own
	forgiven []string // what servers may complain of
	nodes    []*node
	diary    map[*node]*history

	traffic atomic.Int64 // commands that servers sent
	refused atomic.Int64 // connections that no server took
	moments *moments
	failing sync.Once

	mu    sync.Mutex
	calls []*esltest.Call
	live  map[*esltest.Call]bool
	legs  map[string]bool // channels there are
	gone  chan struct{}   // closed and replaced when one is gone
}

// newWorld makes a switch with an empty dialplan; seed 0 takes that of the
// environment, or any.
func newWorld(t *testing.T, limit time.Duration) *world {
	w := &world{t: t, dir: t.TempDir(), sw: esltest.NewSwitch(), live: map[*esltest.Call]bool{}, legs: map[string]bool{},
		gone: make(chan struct{}), diary: map[*node]*history{}, moments: newMoments(), seed: rand.Uint64()}
	if s := os.Getenv("HOOKSWITCH_KILLS_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		must(t, err)
		w.seed = n
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	w.ctx = ctx
	t.Cleanup(func() {
		for _, n := range w.nodes {
			if n.process != nil && n.runs() {
				n.kill()
			}
		}
		w.sw.Close()
		cancel()
	})
	w.conf = filepath.Join(w.dir, "conf")
	w.sw.CDRDir = filepath.Join(w.dir, "cdr")
	must(t, os.MkdirAll(w.conf, 0o755))
	must(t, os.MkdirAll(w.sw.CDRDir, 0o755))
	must(t, os.WriteFile(filepath.Join(w.conf, "flows.yaml"), []byte(flows), 0o600))
	w.sw.Speed = speed
	for number, who := range callees {
		w.sw.SetCallee(number, who)
	}
	var d net.Dialer
	w.sw.Dial = func(ctx context.Context, address string) (net.Conn, error) {
		nc, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			w.refused.Add(1)
			w.moments.pass()
			return nil, err
		}
		return &heard{nc, w}, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w.socket = l.Addr().String()
	go w.sw.Serve(l)
	w.count()
	return w
}

// count keeps the channels that the switch has.
func (w *world) count() {
	c, err := eslctl.Dial(w.ctx, w.socket, w.sw.Password, func(ev eslctl.Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		id := ev.Get("Unique-ID")
		if ev.Is("Event-Name", "CHANNEL_CREATE") {
			w.legs[id] = true
			return
		}
		delete(w.legs, id)
		close(w.gone)
		w.gone = make(chan struct{})
	})
	must(w.t, err)
	must(w.t, c.Subscribe(w.ctx, "Event-Name", "/CHANNEL_/", "CHANNEL_CREATE", "CHANNEL_DESTROY"))
}

// open gives the switch the dialplan, with servers in the order of the list.
func (w *world) open(tries int, nodes ...*node) {
	var fresh, takeover []string
	for _, n := range nodes {
		fresh, takeover = append(fresh, n.fresh), append(takeover, n.takeover)
		w.diary[n] = n.follow(w.ctx)
	}
	w.sw.Dialplan = esltest.Dialplan(strings.Join(fresh, "|"), strings.Join(takeover, "|"), tries)
}

// heard is a connection that counts the commands on it.
type heard struct {
	net.Conn
	w *world
}

func (h *heard) Read(b []byte) (int, error) {
	n, err := h.Conn.Read(b)
	if n > 0 {
		h.w.traffic.Add(1)
		h.w.moments.pass()
	}
	return n, err
}

// moments lets a test wait for a number of things to happen.
type moments struct {
	mu   sync.Mutex
	left int
	over chan struct{}
}

func newMoments() *moments { return &moments{} }

func (m *moments) pass() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left--; m.left == 0 && m.over != nil {
		close(m.over)
		m.over = nil
	}
}

// wait waits until so many commands or refused connections have passed.
func (m *moments) wait(ctx context.Context, n int) {
	over := make(chan struct{})
	m.mu.Lock()
	m.left, m.over = n, over
	m.mu.Unlock()
	select {
	case <-over:
	case <-ctx.Done():
	}
}

// place places a call.
func (w *world) place(who esltest.Caller) *esltest.Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	if who.From == "" {
		who.From = fmt.Sprintf("+1555%07d", len(w.calls))
	}
	who.To = number
	k := w.sw.Call(who)
	w.calls = append(w.calls, k)
	w.live[k] = true
	return k
}

// finish waits for the end of a call.
func (w *world) finish(k *esltest.Call) {
	select {
	case <-k.Done():
	case <-w.ctx.Done():
		w.fatalf("call %s does not end: %+v", k.UUID, k.Result())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.live, k)
}

// present returns the calls that are not over, sorted by their number.
func (w *world) present() []*esltest.Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []*esltest.Call
	for _, k := range w.calls {
		if w.live[k] {
			all = append(all, k)
		}
	}
	return all
}

func (w *world) fatalf(format string, args ...any) {
	w.t.Helper()
	w.failing.Do(func() {
		w.t.Errorf("seed %d: "+format, append([]any{w.seed}, args...)...)
		w.tell()
	})
	w.t.FailNow()
}

// tell shows what the servers said last.
func (w *world) tell() {
	for _, n := range w.nodes {
		n.mu.Lock()
		w.t.Logf("last words of %s:\n%s", n.name, strings.Join(n.log[max(0, len(n.log)-15):], "\n"))
		n.mu.Unlock()
	}
}

// caught is what calls were doing when a server was killed.
type caught struct {
	call    *esltest.Call
	at      time.Time // when the server was still alive
	dead    time.Time // when it was not
	sockets int       // that had controlled it
	bridged bool      // talked to somebody
	menu    bool      // heard the menu, played by that server
}

func inMenu(r esltest.Result) bool {
	n := len(r.Heard)
	return n > 0 && r.Heard[n-1].For == 0 && strings.Contains(r.Heard[n-1].What, "Welcome")
}

func isBridged(r esltest.Result) bool {
	n := len(r.Talked)
	return n > 0 && r.Talked[n-1].For == 0
}

// kill kills the server and notes what its calls were doing.
func (w *world) kill(n *node) []caught {
	menu := map[*esltest.Call]bool{}
	for _, k := range w.present() {
		r := k.Result()
		menu[k] = inMenu(r) && n.at(r.Sockets[len(r.Sockets)-1])
	}
	at := time.Now()
	n.kill()
	dead := time.Now()
	var all []caught
	for _, k := range w.present() {
		if r := k.Result(); r.Cause == "" {
			all = append(all, caught{k, at, dead, len(r.Sockets), isBridged(r), menu[k] && !isBridged(r)})
		}
	}
	return all
}

// settle waits until the switch is empty and every call has its end, or the
// word that another server has it.
func (w *world) settle() {
	w.t.Helper()
	for _, k := range w.present() {
		w.finish(k)
	}
	for {
		w.mu.Lock()
		n, gone := len(w.legs), w.gone
		w.mu.Unlock()
		if n == 0 {
			break
		}
		select {
		case <-gone:
		case <-w.ctx.Done():
			w.fatalf("%d channels are left", n)
		}
	}
	for _, k := range w.calls {
		k.Result() // the event comes before the channel is gone, both under this lock
	}
	if n := w.sw.Channels(); n != 0 {
		w.t.Errorf("%d channels are left", n)
	}
	for _, n := range w.nodes {
		w.diary[n].until("calls without an end", func(h *history) bool {
			for _, last := range h.last {
				if last != call.Ended && last != call.Taken {
					return false
				}
			}
			return true
		})
	}
	w.ended()
}

// ended waits until every call has an end in one of the journals.
func (w *world) ended() {
	w.t.Helper()
	for _, k := range w.calls {
		for !w.hasEnd(k.UUID) {
			seen := make(chan struct{}, 1)
			stop := make(chan struct{})
			for _, n := range w.nodes {
				h := w.diary[n]
				h.mu.Lock()
				next := h.seen
				h.mu.Unlock()
				go func() {
					select {
					case <-next:
						select {
						case seen <- struct{}{}:
						default:
						}
					case <-stop:
					}
				}()
			}
			if w.hasEnd(k.UUID) {
				close(stop)
				break
			}
			select {
			case <-seen:
				close(stop)
			case <-w.ctx.Done():
				close(stop)
				w.history(k.UUID)
				w.fatalf("call %s has no end", k.UUID)
			}
		}
	}
}

func (w *world) hasEnd(id string) bool {
	for _, h := range w.diary {
		h.mu.Lock()
		n := h.ends[id]
		h.mu.Unlock()
		if n > 0 {
			return true
		}
	}
	return false
}
