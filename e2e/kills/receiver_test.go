package kills

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/seal"
	"github.com/hookswitch/hookswitch/webhooks/credentials"
	"github.com/hookswitch/hookswitch/webhooks/standard"
)

// The endpoints of the receiver, and what they want to hear of.
var endpoints = map[string][]string{
	"all":    {"*"},
	"ends":   {"call.ended", "call.completed"},
	"people": {"target.*", "call.connected"},
}

// What a trap waits for.
const (
	accepted = "accepted" // a connection, of which nothing is read
	sent     = "sent"     // the body has come; nothing is answered until the server is dead
	answered = "answered" // the answer is on its way
)

// receiver takes what servers deliver, each on a connection of its own, and keeps it. It
// fails one message in twenty when that comes first.
type receiver struct {
	w       *world
	server  *httptest.Server
	secrets map[string][]standard.Secret // by endpoint

	mu       sync.Mutex
	arrivals []arrival
	first    map[telling][sha256.Size]byte // bodies
	faults   []string
	news     chan struct{} // closed and replaced with every arrival
	trap     *trap
}

// telling is a message to one endpoint.
type telling struct{ endpoint, id string }

// arrival is an attempt to deliver, as it was seen.
type arrival struct {
	telling
	at    time.Time
	taken bool // it is answered with 2xx, unless the server dies before
}

// trap kills a server at the nth time that something happens.
type trap struct {
	process *os.Process
	exited  chan struct{}
	step    string
	left    int
}

// newReceiver puts the endpoints into the configuration.
func (w *world) newReceiver() *receiver {
	r := &receiver{w: w, secrets: map[string][]standard.Secret{}, first: map[telling][sha256.Size]byte{}, news: make(chan struct{})}
	r.server = httptest.NewUnstartedServer(r)
	r.server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			r.reached(accepted)
		}
	}
	r.server.Config.SetKeepAlivesEnabled(false)
	r.server.Start()
	w.t.Cleanup(r.server.Close)
	conf := "webhooks:\n"
	for name, wants := range endpoints {
		conf += fmt.Sprintf("  %s: {url: %q, events: [\"%s\"]}\n", name, r.server.URL+"/"+name, strings.Join(wants, `", "`))
	}
	must(w.t, os.WriteFile(filepath.Join(w.conf, "webhooks.yaml"), []byte(conf), 0o600))
	return r
}

// learn asks for the secrets that servers sign with. One of them has run before.
func (r *receiver) learn() {
	r.w.t.Helper()
	ring, err := seal.ReadFile(r.w.secretKeyFile())
	must(r.w.t, err)
	db := r.w.log()
	defer db.Close()
	keeper := credentials.New(db, ring)
	for name := range endpoints {
		r.secrets[name], err = keeper.For(r.w.ctx, organization, name)
		must(r.w.t, err)
	}
}

// set sets a trap for a server that runs, in the place of the one before.
func (r *receiver) set(n *node, step string, nth int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trap = &trap{n.process, n.exited, step, nth}
}

// reached kills the server that has a trap at this step, and returns when it is dead; those
// that come to a trap for what is sent wait for that. It says whether the server is dead.
func (r *receiver) reached(step string) bool {
	r.mu.Lock()
	t := r.trap
	if t == nil || t.step != step || t.sprung() {
		r.mu.Unlock()
		return false
	}
	t.left--
	left := t.left
	r.mu.Unlock()
	if left == 0 {
		if err := t.process.Kill(); err != nil {
			r.w.t.Errorf("kill: %v", err)
		}
	}
	if left > 0 && step != sent {
		return false
	}
	select {
	case <-t.exited:
	case <-r.w.ctx.Done():
	}
	return true
}

// sprung says whether the server is dead.
func (t *trap) sprung() bool {
	select {
	case <-t.exited:
		return true
	default:
		return false
	}
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the server died before all of it was sent
	}
	taken := r.take(telling{strings.TrimPrefix(req.URL.Path, "/"), req.Header.Get(standard.ID)}, req.Header, body)
	if r.reached(sent) {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Length", "0")
	if !taken {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = http.NewResponseController(w).Flush() // unless it died
	r.reached(answered)
}

// take keeps what has come, and says whether it is taken.
func (r *receiver) take(is telling, header http.Header, body []byte) bool {
	err := standard.Verify(header, body, time.Now(), r.secrets[is.endpoint]...)
	var says struct{ Data struct{ ID string } }
	if json.Unmarshal(body, &says) != nil || says.Data.ID != is.id {
		err = fmt.Errorf("the body is not of this id: %s", body)
	}
	sum := sha256.Sum256(body)
	r.mu.Lock()
	defer r.mu.Unlock()
	first, again := r.first[is]
	if again && first != sum {
		err = fmt.Errorf("another body than at first: %s", body)
	}
	if err != nil {
		r.faults = append(r.faults, fmt.Sprintf("%s of %s: %v", is.id, is.endpoint, err))
	}
	r.first[is] = sum
	taken := again || sum[0] >= 256/20
	r.arrivals = append(r.arrivals, arrival{is, time.Now(), taken})
	close(r.news)
	r.news = make(chan struct{})
	return taken
}

// came returns what has come until now, in its order.
func (r *receiver) came() []arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.arrivals)
}

// until waits for something to be true of what has come.
func (r *receiver) until(ctx context.Context, met func([]arrival) bool) bool {
	for {
		r.mu.Lock()
		all, news := r.arrivals, r.news
		r.mu.Unlock()
		if met(all) {
			return true
		}
		select {
		case <-news:
		case <-ctx.Done():
			return false
		}
	}
}
