package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"

	"github.com/hookswitch/hookswitch/e2e/table"
)

const (
	idleArg   = "idle-server"
	idleLine  = "all wait"
	idleFirst = 100   // that pay for what all share
	idleCalls = 3_000 // of which each is then counted
	idleLimit = 32 << 10

	idleAtOnce = 50 // that are on their way to the menu
)

// idleCall is how much larger a server is for a call in which nothing happens:
// it waits in a menu for a digit. Server and switch are processes of their own.
func idleCall(context.Context) ([]table.Row, error) {
	s, err := startIdleServer()
	if err != nil {
		return nil, err
	}
	before, err := s.with(idleFirst)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	after, err := s.with(idleCalls)
	if err := errors.Join(err, s.close()); err != nil {
		return nil, err
	}
	each := func(of func(idleSize) int) float64 { return float64(of(after)-of(before)) / idleCalls }
	resident := each(func(i idleSize) int { return i.resident })
	what := fmt.Sprintf("idle call: resident memory (%.1f KB before unused memory is given back; %.1f goroutines, stacks %.1f KB, heap %.1f KB)",
		each(func(i idleSize) int { return i.asFound })/1024, each(func(i idleSize) int { return i.goroutines }),
		each(func(i idleSize) int { return i.stacks })/1024, each(func(i idleSize) int { return i.heap })/1024)
	return []table.Row{table.AtMost(what, "%.1f KB", resident/1024, idleLimit/1024)}, nil
}

// idleSize is the size of a server, in bytes.
type idleSize struct{ asFound, resident, stacks, heap, goroutines int }

// idleServerProcess is a server whose calls wait, as another process that is
// asked for its size.
type idleServerProcess struct {
	address string
	in      io.WriteCloser
	out     *bufio.Reader
	end     []func() error
}

func startIdleServer() (*idleServerProcess, error) {
	cmd, err := child(idleArg, *profiles)
	if err != nil {
		return nil, err
	}
	s := &idleServerProcess{}
	if s.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s.out = bufio.NewReader(out)
	s.end = append(s.end, s.in.Close, cmd.Wait)
	s.address, err = s.out.ReadString('\n')
	s.address = strings.TrimSpace(s.address)
	return s, err
}

// with adds calls and returns the size when all of them wait.
func (s *idleServerProcess) with(calls int) (size idleSize, err error) {
	peer, err := child(peerArg, idlePeer, s.address, strconv.Itoa(calls), strconv.Itoa(idleAtOnce), "0")
	if err != nil {
		return size, err
	}
	out, err := peer.StdoutPipe()
	if err != nil {
		return size, err
	}
	if err := peer.Start(); err != nil {
		return size, err
	}
	s.end = append(s.end, peer.Wait) // the end of the server ends its calls
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		return size, fmt.Errorf("peer of the idle calls: %w", err)
	}
	if _, err := fmt.Fprintln(s.in); err != nil {
		return size, err
	}
	_, err = fmt.Fscanln(s.out, &size.asFound, &size.resident, &size.stacks, &size.heap, &size.goroutines)
	return size, err
}

func (s *idleServerProcess) close() error {
	var errs []error
	for _, end := range s.end {
		errs = append(errs, end())
	}
	return errors.Join(errs...)
}

// idleServer is that process: it tells its size for every line it reads.
func idleServer(args []string) {
	*profiles = args[0]
	if err := runIdleServer(); err != nil {
		fmt.Fprintln(os.Stderr, "idle server:", err)
		os.Exit(1)
	}
}

func runIdleServer() error {
	c, err := startCalls()
	if err != nil {
		return err
	}
	fmt.Println(c.address)
	for asked := bufio.NewScanner(os.Stdin); asked.Scan(); {
		found, err := resident()
		if err != nil {
			return err
		}
		debug.FreeOSMemory()
		debug.FreeOSMemory() // what a pool holds is let go in two steps
		size, err := resident()
		if err != nil {
			return err
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Println(found, size, m.StackInuse, m.HeapInuse, runtime.NumGoroutine())
	}
	if *profiles != "" {
		for _, name := range []string{"heap", "goroutine"} {
			if err := keepProfile(name); err != nil {
				return err
			}
		}
	}
	return c.close()
}

// keepProfile keeps what the runtime knows under the name of idle calls.
func keepProfile(name string) error {
	f, err := os.Create(filepath.Join(*profiles, "idle-"+name+".prof"))
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup(name).WriteTo(f, 0), f.Close())
}

// resident returns the resident size of this process in bytes.
func resident() (int, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			return kb << 10, err
		}
	}
	return 0, errors.New("no resident size in /proc/self/status")
}
