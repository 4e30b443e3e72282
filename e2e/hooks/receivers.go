package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// receiversArg makes this program the receivers: a process of its own, whose address it
// writes to standard output.
const receiversArg = "receivers"

// heard is what the receivers tell: of deliveries to /ok/N alone, each once, however often
// it came. The id of a message begins with msg_NANOS_, when it was made.
type heard struct {
	Deliveries int     `json:"deliveries"`
	Again      int     `json:"again"` // came more than once
	P50        float64 `json:"p50_ms"`
	P99        float64 `json:"p99_ms"`
	Worst      float64 `json:"worst_ms"`
}

// receivers are endpoints that do well (/ok/N), answer never (/hang/N), answer 500
// (/fail/N), break the connection (/reset/N), and fail now and then (/tenth/N). GET /heard
// tells what came to those that do well since it was asked last, GET /count how many have
// come in all, GET /ordered what came to those that fail now and then.
type receivers struct {
	mu    sync.Mutex
	took  []float64 // in milliseconds
	again int
	seen  map[string]bool

	tenths tenths
}

func serveReceivers() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return http.Serve(l, &receivers{seen: map[string]bool{}, tenths: tenths{calls: map[string]*[eventsOfCall]progress{}}})
}

func (r *receivers) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	arrived := time.Now()
	if req.URL.Path == "/heard" {
		_ = json.NewEncoder(w).Encode(r.heard())
		return
	}
	if req.URL.Path == "/count" {
		r.mu.Lock()
		defer r.mu.Unlock()
		_ = json.NewEncoder(w).Encode(len(r.seen))
		return
	}
	if req.URL.Path == "/ordered" {
		_ = json.NewEncoder(w).Encode(r.tenths.told())
		return
	}
	_, _ = io.Copy(io.Discard, req.Body)
	switch kind, _, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/"); kind {
	case "ok":
		r.hear(req.Header.Get("Webhook-Id"), arrived)
	case "tenth":
		r.tenths.ServeHTTP(w, req)
	case "fail":
		w.WriteHeader(http.StatusInternalServerError)
	case "hang":
		<-req.Context().Done()
	case "reset":
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		}
	}
}

func (r *receivers) hear(id string, at time.Time) {
	parts := strings.SplitN(id, "_", 3)
	if len(parts) < 3 {
		return
	}
	made, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen[id] {
		r.again++
		return
	}
	r.seen[id] = true
	r.took = append(r.took, float64(at.UnixNano()-made)/1e6)
}

func (r *receivers) heard() heard {
	r.mu.Lock()
	took, again := r.took, r.again
	r.took, r.again = nil, 0
	r.mu.Unlock()
	slices.Sort(took)
	at := func(q float64) float64 {
		if len(took) == 0 {
			return 0
		}
		return took[int(math.Ceil(q*float64(len(took))))-1]
	}
	return heard{Deliveries: len(took), Again: again, P50: at(0.5), P99: at(0.99), Worst: at(1)}
}

// remote is the process of receivers.
type remote struct {
	url string
	cmd *exec.Cmd
}

func startReceivers() (*remote, error) {
	cmd := exec.Command(os.Args[0], receiversArg)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var address string
	if _, err := fmt.Fscanln(out, &address); err != nil {
		return nil, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	return &remote{"http://" + address, cmd}, nil
}

// heard returns what came since it was asked last.
func (r *remote) heard() (h heard, err error) {
	err = r.ask("/heard", &h)
	return h, err
}

// count returns how many deliveries have come, each once.
func (r *remote) count() (n int, err error) {
	err = r.ask("/count", &n)
	return n, err
}

func (r *remote) ask(path string, into any) error {
	resp, err := http.Get(r.url + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return json.NewDecoder(resp.Body).Decode(into)
}

func (r *remote) stop() error {
	err := r.cmd.Process.Kill()
	_ = r.cmd.Wait() // it was killed
	return err
}
