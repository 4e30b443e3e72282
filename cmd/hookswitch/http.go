package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// readiness says whether the server can take calls. Parts of the server add
// their checks; all must agree.
type readiness struct {
	mu     sync.Mutex
	checks map[string]func() error
}

// check adds the check of a part, or replaces it. It returns nil when that part
// is ready, otherwise why it is not. It must not block.
func (r *readiness) check(part string, ready func() error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.checks == nil {
		r.checks = make(map[string]func() error)
	}
	r.checks[part] = ready
}

// reasons returns "ok" or what is wrong for each part, and whether all are ready.
func (r *readiness) reasons() (map[string]string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	reasons, ready := make(map[string]string), true
	for part, check := range r.checks {
		reasons[part] = "ok"
		if err := check(); err != nil {
			reasons[part], ready = err.Error(), false
		}
	}
	return reasons, ready
}

// faults returns what is wrong as "; PART: REASON" for each part that is not ready.
func (r *readiness) faults() string {
	reasons, _ := r.reasons()
	var b strings.Builder
	for _, part := range slices.Sorted(maps.Keys(reasons)) {
		if reasons[part] != "ok" {
			fmt.Fprintf(&b, "; %s: %s", part, reasons[part])
		}
	}
	return b.String()
}

// newMux serves /healthz, the process lives; /readyz, it can take calls, or why
// it cannot; /metrics for Prometheus.
func newMux(ready *readiness, metrics http.Handler) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		reasons, ok := ready.reasons()
		status := http.StatusOK
		if !ok {
			status = http.StatusServiceUnavailable
		}
		writeJSON(w, status, map[string]any{"ready": ok, "checks": reasons})
	})
	mux.Handle("GET /metrics", metrics)
	return mux
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the only error is a client that has left
}

// serveHTTP serves h on l until ctx ends, and then lets requests finish for 5 s.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := server.Shutdown(end)
	if serveErr := <-failed; !errors.Is(serveErr, http.ErrServerClosed) {
		return errors.Join(err, serveErr)
	}
	return err
}
