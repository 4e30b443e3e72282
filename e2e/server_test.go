//go:build freeswitch

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// server is a Hookswitch that is started, killed and started again on the same
// addresses and data.
type server struct {
	node     string
	dir      string
	listen   string // for new calls
	takeover string
	http     string
	database string // URL; empty: an SQLite file
	stored   bool   // the configuration is in the database

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
}

// newServer reserves addresses for a server and writes its settings once the
// switches that it watches are known, see settle.
func newServer(dir, node string) (*server, error) {
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	addr := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", ports[i]) }
	s := &server{node: node, dir: filepath.Join(dir, node), listen: addr(0), takeover: addr(1), http: addr(2)}
	return s, os.MkdirAll(filepath.Join(s.dir, "conf"), 0o755)
}

// settle writes the settings, some more of them, and the folder of flows.
func (s *server) settle(flows, more string, switches ...*freeswitch) error {
	var b strings.Builder
	fmt.Fprintf(&b, "node: %s\nlisten: %s\nlisten_takeover: %s\nhttp: %s\nallow: [127.0.0.0/8]\nhttp_allow: [127.0.0.0/8]\n", s.node, s.listen, s.takeover, s.http)
	if !s.stored {
		fmt.Fprintf(&b, "config_dir: %s/conf\n", s.dir)
	}
	fmt.Fprintf(&b, "database: %q\ndata: %s/data\nrecordings: %s/recordings\n", s.database, s.dir, switches[0].dir)
	fmt.Fprintf(&b, "cdr: %s/log/json_cdr\nlog: {level: debug}\n%sfreeswitch:\n", switches[0].dir, more)
	for _, f := range switches {
		fmt.Fprintf(&b, "  - {address: %q, password: %q}\n", f.events, f.password)
	}
	if err := os.WriteFile(s.settings(), []byte(b.String()), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.dir, "conf", "e2e.yaml"), []byte(flows), 0o644); err != nil || !s.stored {
		return err
	}
	return s.apply()
}

func (s *server) settings() string { return filepath.Join(s.dir, "hookswitch.yaml") }

// apply puts the folder of flows into the database.
func (s *server) apply() error {
	out, err := exec.Command(serverBinary, "apply", filepath.Join(s.dir, "conf"), "--config", s.settings()).CombinedOutput()
	if err != nil {
		return fmt.Errorf("apply: %w\n%s", err, out)
	}
	return nil
}

func (s *server) journal() string { return filepath.Join(s.dir, "data", "journal") }

// start runs the server and returns when it is ready. It dies by itself at the
// crash point, if one is given.
func (s *server) start(ctx context.Context, crashAt string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	fmt.Fprintf(log, "--- start %s\n", crashAt)
	cmd := exec.Command(serverBinary, "serve", "--config", s.settings())
	cmd.Env = append(os.Environ(), "HOOKSWITCH_CRASH_AT="+crashAt)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()
	s.cmd, s.exited = cmd, exited
	for {
		// A process that dies as soon as it has a call may never answer; it was ready.
		if resp, err := http.Get("http://" + s.http + "/readyz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-exited:
			if crashAt != "" {
				return nil
			}
			return fmt.Errorf("the server ended at once, see %s/log", s.dir)
		case <-ctx.Done():
			return fmt.Errorf("the server did not get ready, see %s/log: %w", s.dir, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// kill ends the server as a power cut would, and returns when it is gone.
func (s *server) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		s.cmd.Process.Kill()
		<-s.exited
	}
}

// dead is closed when the process that was started last is gone.
func (s *server) dead() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.exited
}
