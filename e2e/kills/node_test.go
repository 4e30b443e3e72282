package kills

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store/journal"
)

// The program as it is shipped, and one that dies where it is told to.
var (
	shipped     = sync.OnceValues(func() (string, error) { return build("hookswitch") })
	crashpoints = sync.OnceValues(func() (string, error) { return build("crashpoints", "-tags", "crashpoints") })
)

var builds string // folder of the programs

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "hookswitch-kills-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	builds = dir
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// long leaves a test of minutes out with -short, and says aloud what is not tested then.
func long(t *testing.T, left string) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED with -short: " + left)
	}
}

// sources are the folders that the program is made of.
var sources = []string{"availability", "call", "capacity", "cmd", "confdir", "crash", "eslctl", "examples", "flowengine", "keys", "portal", "ratelimit", "seal", "store", "tags", "webhooks"}

// build builds the program. It looks at every source of it first: go test takes
// an old result for a new one unless it sees the test depend on what has changed.
func build(name string, flags ...string) (string, error) {
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || filepath.Dir(path) == root && !slices.Contains(sources, d.Name())):
			return fs.SkipDir
		case strings.HasSuffix(path, ".go") || strings.HasPrefix(d.Name(), "go."):
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	path := filepath.Join(builds, name)
	args := slices.Concat([]string{"build", "-o", path}, flags, []string{"github.com/hookswitch/hookswitch/cmd/hookswitch"})
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return path, nil
}

// node is one server: a process that can be killed and started again, at the
// same addresses, with the same data.
type node struct {
	w        *world
	name     string
	program  string
	fresh    string // address for new calls
	takeover string
	http     string // address of its metrics
	api      string // address of its API
	home     string
	file     string // its settings
	drain    string // setting

	process *os.Process
	ready   chan struct{} // closed when it takes calls
	exited  chan struct{} // closed when it is gone
	state   *os.ProcessState

	transcript io.Writer // of all that it says; nil: none

	mu      sync.Mutex
	log     []string // the last lines
	faults  []string // lines that no server should write
	waiting map[string]chan struct{}
}

// newNode writes the settings of a server that does not run yet.
func (w *world) newNode(name, program, drain string) *node {
	n := &node{w: w, name: name, program: program, drain: drain, home: filepath.Join(w.dir, name), waiting: map[string]chan struct{}{}}
	n.fresh, n.takeover, n.http, n.api = freeAddress(w.t), freeAddress(w.t), freeAddress(w.t), freeAddress(w.t)
	n.file = filepath.Join(n.home, "settings.yaml")
	n.furnish()
	w.nodes = append(w.nodes, n)
	return n
}

// furnish makes its folder with its settings, as the world is now.
func (n *node) furnish() {
	w := n.w
	must(w.t, os.MkdirAll(n.journalDir(), 0o755))
	must(w.t, os.WriteFile(n.file, fmt.Appendf(nil, `listen: %s
listen_takeover: %s
http: %s
api: %s
node: %s
config_dir: %s
data: %s
database: "%s"
cdr: %s
drain: %s
http_allow: 127.0.0.0/8
secret_key_file: %s
freeswitch:
  - {address: "%s", password: %s}
`, n.fresh, n.takeover, n.http, n.api, n.name, w.conf, n.home, w.database, w.sw.CDRDir, n.drain, w.secretKeyFile(), w.socket, w.sw.Password), 0o600))
}

func (n *node) journalDir() string { return filepath.Join(n.home, "journal") }

// secretKeyFile is that of all servers.
func (w *world) secretKeyFile() string { return filepath.Join(w.dir, "secret.key") }

func (n *node) databaseFile() string { return filepath.Join(n.home, "hookswitch.db") }

// start starts the process. It returns when the process takes calls, or has
// died of what env tells it to.
func (n *node) start(env ...string) {
	n.launch(env...)
	select {
	case <-n.ready:
	case <-n.exited:
		if len(env) == 0 {
			n.w.fatalf("server %s did not start", n.name)
		}
	case <-n.w.ctx.Done():
		n.w.fatalf("server %s does not get ready", n.name)
	}
}

func (n *node) launch(env ...string) {
	cmd := exec.Command(n.program, "serve", "--config", n.file)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.StderrPipe()
	must(n.w.t, err)
	must(n.w.t, cmd.Start())
	n.process, n.ready, n.exited = cmd.Process, n.logged("taking calls"), make(chan struct{})
	said := io.Reader(out)
	if n.transcript != nil {
		said = io.TeeReader(out, n.transcript)
	}
	go func() {
		lines := bufio.NewScanner(said)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			n.read(lines.Text())
		}
		_ = cmd.Wait() // the state tells
		n.state = cmd.ProcessState
		close(n.exited)
	}()
}

func (n *node) at(address string) bool { return address == n.fresh || address == n.takeover }

// logged returns a channel that is closed when the message is next logged.
func (n *node) logged(message string) chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := make(chan struct{})
	n.waiting[message] = c
	return c
}

// read takes a line of the server's log.
func (n *node) read(line string) {
	var said struct{ Level, Message string }
	err := json.Unmarshal([]byte(line), &said)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.log = append(n.log, line)
	if len(n.log) > 400 {
		n.log = slices.Delete(n.log, 0, 200)
	}
	if (err != nil || said.Level == "error") && !slices.Contains(n.w.forgiven, said.Message) && len(n.faults) < 100 {
		n.faults = append(n.faults, line)
	}
	if c := n.waiting[said.Message]; c != nil {
		close(c)
		delete(n.waiting, said.Message)
	}
}

// kill ends the process as a power cut would.
func (n *node) kill() {
	must(n.w.t, n.process.Kill())
	<-n.exited
}

// stop ends it as an operator would, with all calls over.
func (n *node) stop() {
	must(n.w.t, n.process.Signal(syscall.SIGTERM))
	select {
	case <-n.exited:
		if !n.state.Success() {
			n.w.t.Errorf("server %s ended with %v", n.name, n.state)
		}
	case <-n.w.ctx.Done():
		n.w.fatalf("server %s does not stop", n.name)
	}
}

func (n *node) runs() bool {
	select {
	case <-n.exited:
		return false
	default:
		return true
	}
}

// history is what a journal holds, kept up as it is written.
type history struct {
	node *node

	mu     sync.Mutex
	events []call.Event
	last   map[string]call.Type // by call
	ends   map[string]int
	seen   chan struct{} // closed and replaced with every event
}

func (n *node) follow(ctx context.Context) *history {
	h := &history{node: n, last: map[string]call.Type{}, ends: map[string]int{}, seen: make(chan struct{})}
	events, err := journal.Follow(ctx, n.journalDir())
	must(n.w.t, err)
	go func() {
		for e, err := range events {
			if err != nil {
				n.w.t.Errorf("journal of %s: %v", n.name, err)
				continue
			}
			h.take(e)
		}
	}()
	return h
}

func (h *history) take(e call.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
	h.last[e.Call] = e.Type
	if e.Type == call.Ended {
		h.ends[e.Call]++
	}
	close(h.seen)
	h.seen = make(chan struct{})
}

// until waits for something to be true of the journal.
func (h *history) until(what string, true func(h *history) bool) {
	for {
		h.mu.Lock()
		yes, seen := true(h), h.seen
		h.mu.Unlock()
		if yes {
			return
		}
		select {
		case <-seen:
		case <-h.node.w.ctx.Done():
			h.node.w.fatalf("journal of %s: %s", h.node.name, what)
		}
	}
}

var ports sync.Map

// freeAddress returns an address that stays free while its server is dead: its
// port is none that the system gives to connections.
func freeAddress(t *testing.T) string {
	for range 1000 {
		port := 12000 + rand.IntN(18000)
		if _, used := ports.LoadOrStore(port, true); used {
			continue
		}
		address := fmt.Sprintf("127.0.0.1:%d", port)
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("no free port")
	return ""
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// drain asks the server to end, and returns when it takes no new calls.
func (w *world) drain(n *node) {
	refusing := n.logged("no new calls are taken")
	must(w.t, n.process.Signal(syscall.SIGTERM))
	<-refusing
	for {
		nc, err := net.Dial("tcp", n.fresh)
		if err != nil {
			return
		}
		nc.Close()
	}
}
