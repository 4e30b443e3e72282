package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store/journal"
)

func get(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestReadyOnlyWhenEveryPartIs(t *testing.T) {
	ready := new(readiness)
	var fault error
	ready.check("listening", func() error { return nil })
	ready.check("journal", func() error { return fault })
	mux := newMux(ready, http.NotFoundHandler())
	if code, body := get(t, mux, "/readyz"); code != 200 || !strings.Contains(body, `"ready":true`) {
		t.Errorf("%d %s", code, body)
	}
	fault = errors.New("no space left on device")
	code, body := get(t, mux, "/readyz")
	if code != 503 || !strings.Contains(body, `{"checks":{"journal":"no space left on device","listening":"ok"},"ready":false}`) {
		t.Errorf("%d %s", code, body)
	}
	if code, body := get(t, mux, "/healthz"); code != 200 || !strings.Contains(body, "ok") {
		t.Errorf("%d %s", code, body)
	}
	if code, _ := get(t, mux, "/"); code != 404 {
		t.Errorf("/ answers %d", code)
	}
}

func TestMetricsCountEvents(t *testing.T) {
	m := newMetrics(buildInfo{Version: "v1", Go: "go1"})
	m.watch(gauges{
		callsActive: func() int { return 7 },
		journal: func() journal.Stats {
			return journal.Stats{Pending: 3, Failing: true, Dropped: 2, Waiting: 4096, Full: true}
		},
		configValid: func() bool { return true },
	})
	m.observe(call.Event{Type: call.Resumed})
	m.observe(call.Event{Type: call.Step, Kind: "menu", Exit: "1"})
	m.observe(call.Event{Type: call.Ended, Cause: call.UserBusy})
	m.observe(call.Event{Type: call.Ended, Cause: "+15551234567"})
	m.command(20 * time.Millisecond)
	m.configLoaded(time.Unix(1000, 0))
	_, body := get(t, m.handler(), "/metrics")
	for _, want := range []string{"calls_active 7", "config_valid 1", `calls_total{end="USER_BUSY"} 1`, `calls_total{end="OTHER"} 1`,
		`steps_total{exit="1",kind="menu"} 1`, "takeovers_total 1", `commands_seconds_bucket{le="0.025"} 1`, "journal_pending 3",
		"journal_failed 1", "journal_bytes_waiting 4096", "journal_full 1", "journal_dropped_total 2", "config_loaded_timestamp 1000", `build_info{go="go1",revision="",version="v1"} 1`} {
		if !strings.Contains(body, "\nhookswitch_"+want+"\n") {
			t.Errorf("lacks %s", want)
		}
	}
	for line := range strings.Lines(body) {
		if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "hookswitch_") {
			t.Errorf("without our prefix: %s", line)
		}
	}
}

func TestHealthIsThatOfReadyz(t *testing.T) {
	ready := new(readiness)
	server := httptest.NewServer(newMux(ready, http.NotFoundHandler()))
	address := server.Listener.Addr().String()
	if out, _, err := command(t, "health", "--http", address); err != nil || out != "ready\n" {
		t.Errorf("%v %q", err, out)
	}
	t.Setenv("HOOKSWITCH_HTTP", address)
	ready.check("journal", func() error { return errors.New("no space left on device") })
	if _, _, err := command(t, "health"); err == nil || !strings.Contains(err.Error(), "not ready: {") || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("not ready: %v", err)
	}
	server.Close()
	if _, _, err := command(t, "health"); err == nil || !strings.Contains(err.Error(), "no server answers at "+address) {
		t.Errorf("no server: %v", err)
	}
}

// firstLines lets a test wait for what the server logs.
type firstLines chan string

func (f firstLines) Write(b []byte) (int, error) {
	f <- string(b)
	return len(b), nil
}

func TestServeRunsUntilItIsTold(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log := make(firstLines, 100)
	s := &settings{Node: "n1", Data: t.TempDir(), ConfigDir: "../../examples/main-line", Listen: "127.0.0.1:0", ListenTakeover: "127.0.0.1:0", HTTP: "127.0.0.1:0", Log: logSettings{Level: "info", Format: "json"}}
	done := make(chan error, 1)
	go func() { done <- run(ctx, s, log) }()
	var line struct{ HTTP, Message, Node string }
	for line.Message != "server started" {
		select {
		case text := <-log:
			if err := json.Unmarshal([]byte(text), &line); err != nil || line.Node != "n1" {
				t.Fatalf("%v: %s", err, text)
			}
		case err := <-done:
			t.Fatal(err)
		}
	}
	resp, err := http.Get(fmt.Sprintf("http://%s/readyz", line.HTTP))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || !strings.Contains(string(body), `"journal":"ok"`) {
		t.Errorf("%v %s", err, body)
	}
	var locked *journal.LockedError
	if err := run(ctx, s, io.Discard); !errors.As(err, &locked) {
		t.Errorf("a second server on the same journal: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestServeFailsWhenItsAddressIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := &settings{Node: "n1", Data: t.TempDir(), ConfigDir: "../../examples/main-line", Listen: "127.0.0.1:0", ListenTakeover: "127.0.0.1:0", HTTP: l.Addr().String(), Log: logSettings{Level: "info", Format: "console"}}
	if err := run(t.Context(), s, io.Discard); err == nil || !strings.Contains(err.Error(), "setting http") {
		t.Errorf("run: %v", err)
	}
}

func TestVersionIsPrinted(t *testing.T) {
	out, _, err := command(t, "version")
	if err != nil || !strings.HasPrefix(out, "hookswitch dev") {
		t.Errorf("%v %s", err, out)
	}
	out, _, err = command(t, "version", "-o", "json")
	if err != nil || !json.Valid([]byte(out)) {
		t.Errorf("%v %s", err, out)
	}
}

// The API is served where the setting says, for keys that the command makes.
func TestServeAnswersTheAPI(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	log := make(firstLines, 100)
	data := t.TempDir()
	s := &settings{Node: "n1", Data: data, ConfigDir: "../../examples/main-line", Listen: "127.0.0.1:0", ListenTakeover: "127.0.0.1:0", HTTP: "127.0.0.1:0", API: "127.0.0.1:0", Log: logSettings{Level: "info", Format: "json"}}
	done := make(chan error, 1)
	go func() { done <- run(ctx, s, log) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	var line struct{ API string }
	for line.API == "" {
		if err := json.Unmarshal([]byte(<-log), &line); err != nil {
			t.Fatal(err)
		}
	}
	key, _, err := command(t, "keys", "create", "--name", "test", "--scope", "config:read", "--data", data, "--config-dir", s.ConfigDir)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/whoami": `"org":"default"`, "/tags": `"items":[]`, "/openapi.json": `"openapi":"3.1.0"`} {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+line.API+"/api/v1"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(key))
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %s %v %s", path, resp.Status, err, body)
		}
	}
}
