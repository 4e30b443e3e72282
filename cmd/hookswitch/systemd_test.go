package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store/journal"
)

// notifySocket makes a socket like systemd's and puts it into the environment. next
// returns what comes there, message by message.
func notifySocket(t *testing.T) (next func() []string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "") // the path of a socket has room for 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	t.Setenv("NOTIFY_SOCKET", c.LocalAddr().String())
	return func() []string {
		t.Helper()
		b := make([]byte, 4096)
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(string(b[:n]), "\n")
	}
}

func TestServiceManagerHearsHowTheServerIs(t *testing.T) {
	next := notifySocket(t)
	t.Setenv("WATCHDOG_USEC", "20000")
	until := func(want ...string) {
		t.Helper()
		for message := next(); !slices.Equal(message, want); message = next() {
			if message[0] == want[0] && !strings.HasPrefix(message[0], "WATCHDOG") {
				t.Fatalf("told %q, want %q", message, want)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := &settings{Node: "n1", Data: t.TempDir(), ConfigDir: "../../examples/main-line", Listen: "127.0.0.1:0", ListenTakeover: "127.0.0.1:0", HTTP: "127.0.0.1:0", Log: logSettings{Level: "info", Format: "json"}}
	done := make(chan error, 1)
	go func() { done <- run(ctx, s, io.Discard) }()
	until("READY=1")
	until("WATCHDOG=1", "STATUS=0 calls")
	cancel()
	until("STOPPING=1", "EXTEND_TIMEOUT_USEC=60010000")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestServiceManagerHearsOfReloads(t *testing.T) {
	next := notifySocket(t)
	c, loaded, _ := newConfiguration(t)
	var err error
	if c.systemd, err = newSystemd(zerolog.Nop()); err != nil {
		t.Fatal(err)
	}
	c.watched = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.follow(ctx, false) }()
	<-c.watched
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"RELOADING=1", "READY=1"} {
		if got := next(); !slices.Equal(got, []string{want}) {
			t.Errorf("told %q, want %q", got, want)
		}
	}
	<-loaded
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestServiceManagerOfTheEnvironment(t *testing.T) {
	for _, test := range []struct{ socket, usec, pid string }{{"", "1000", ""}, {"/run/notify", "", ""}, {"/run/notify", "1000", "1"}} {
		t.Setenv("NOTIFY_SOCKET", test.socket)
		t.Setenv("WATCHDOG_USEC", test.usec)
		t.Setenv("WATCHDOG_PID", test.pid)
		s, err := newSystemd(zerolog.Nop())
		if err != nil || (s == nil) != (test.socket == "") || s != nil && s.watchdog != 0 {
			t.Errorf("%+v: %+v, %v", test, s, err)
		}
	}
	t.Setenv("WATCHDOG_PID", "")
	t.Setenv("WATCHDOG_USEC", "soon")
	if _, err := newSystemd(zerolog.Nop()); err == nil || !strings.Contains(err.Error(), `WATCHDOG_USEC: "soon"`) {
		t.Errorf("error %v", err)
	}
}

// The watchdog hears of a server at half of its time, and nothing while a part of the
// server hangs or says that it does not work.
func TestWatchdogHearsOnlyOfAServerThatWorks(t *testing.T) {
	for name, fault := range map[string]func(ctx context.Context, over chan struct{}) error{
		"hangs":     func(_ context.Context, over chan struct{}) error { <-over; return nil },
		"is slow":   func(ctx context.Context, _ chan struct{}) error { <-ctx.Done(); return ctx.Err() },
		"is broken": func(context.Context, chan struct{}) error { return errors.New("nobody writes\nthe journal") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, alive := time.Now(), []time.Duration(nil)
				s := &systemd{log: zerolog.Nop(), watchdog: 30 * time.Second, send: func(state string) error {
					switch {
					case state == "WATCHDOG=1\nSTATUS=7 calls":
						alive = append(alive, time.Since(began))
					case !strings.HasPrefix(state, "STATUS=does not work: ") || strings.Contains(state, "\n"):
						t.Errorf("told %q", state)
					}
					return nil
				}}
				over, asked := make(chan struct{}), 0
				works := func(ctx context.Context) error {
					if asked++; asked <= 3 {
						return nil
					}
					return fault(ctx, over)
				}
				ctx, cancel := context.WithCancel(t.Context())
				go s.attend(ctx, works, func() string { return "7 calls" })
				<-time.After(10 * time.Minute)
				synctest.Wait()
				if want := []time.Duration{0, 15 * time.Second, 30 * time.Second}; !slices.Equal(alive, want) || asked < 4 {
					t.Errorf("alive at %v, asked %d times", alive, asked)
				}
				cancel()
				close(over)
			})
		})
	}
}

func TestDrainHasAsMuchTimeAsItsCallsNeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		s := &systemd{log: zerolog.Nop(), send: func(state string) error {
			told = append(told, state)
			return nil
		}}
		ctx, cancel := context.WithCancel(t.Context())
		s.stopping()
		go s.attend(ctx, func(context.Context) error { return nil }, func() string { return "7 calls; calls: draining" })
		<-time.After(11 * time.Second)
		cancel()
		synctest.Wait()
		sign := "WATCHDOG=1\nSTATUS=7 calls; calls: draining\nEXTEND_TIMEOUT_USEC=70000000"
		if want := []string{"STOPPING=1\nEXTEND_TIMEOUT_USEC=70000000", sign, sign}; !slices.Equal(told, want) {
			t.Errorf("told %q", told)
		}
	})
}

// hungDisk is a file system of which a write first sends and then receives.
type hungDisk chan struct{}

func (d hungDisk) OpenFile(path string, flag int, perm os.FileMode) (journal.File, error) {
	f, err := os.OpenFile(path, flag, perm)
	return hungFile{f, d}, err
}

func (d hungDisk) SyncDir(string) error { return nil }

type hungFile struct {
	journal.File
	disk hungDisk
}

func (f hungFile) Write(b []byte) (int, error) {
	f.disk <- struct{}{}
	<-f.disk
	return f.File.Write(b)
}

// A disk that hangs is no reason to kill a server whose calls go on.
func TestServerWorksWithoutItsDisk(t *testing.T) {
	disk := make(hungDisk)
	j, err := journal.Open(t.TempDir(), journal.Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	c := newController(&settings{}, zerolog.Nop(), j, newMetrics(readBuildInfo()))
	j.Append(call.Event{Call: "1", Epoch: 1, Seq: 1, Type: call.Started})
	<-disk
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.works(ctx); err != nil {
		t.Error(err)
	}
	disk <- struct{}{}
	if err := errors.Join(c.works(t.Context()), j.Close()); err != nil {
		t.Error(err)
	}
}
