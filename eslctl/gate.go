package eslctl

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// gate is one listening address. The one for new calls is closed while there is
// no room: a refusal at TCP is the only one after which FreeSWITCH tries its
// next host (mod_event_socket.c, socket_function).
type gate struct {
	server  *Server
	address string
	capped  bool

	mu       sync.Mutex
	listener *net.TCPListener // nil: closed for want of room
	closed   bool
	asking   []chan struct{} // closed by the accepting goroutine on its next round, see check
}

func (g *gate) listen() error {
	l, err := net.Listen("tcp", g.address)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		l.Close()
		return net.ErrClosed
	}
	g.listener, g.address = l.(*net.TCPListener), l.Addr().String() // port 0 is chosen once
	s := g.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[*gate]bool{}
	}
	s.open[g] = true
	if g.capped {
		s.Address = g.address
	} else {
		s.Takeover = g.address
	}
	return nil
}

// shut closes the gate for good.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	if g.listener != nil {
		g.listener.Close()
	}
}

// check sends the accepting goroutine once around its loop and returns when it has
// been there. No connection is lost by it.
func (g *gate) check(ctx context.Context) error {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return nil
	}
	passed := make(chan struct{})
	g.asking = append(g.asking, passed)
	if g.listener != nil {
		_ = g.listener.SetDeadline(time.Unix(1, 0)) // wakes it in Accept
	}
	g.mu.Unlock()
	g.server.mu.Lock()
	g.server.changed() // wakes it in room
	g.server.mu.Unlock()
	select {
	case <-passed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("nobody accepts connections at %s: %w", g.address, context.Cause(ctx))
	}
}

// pass answers those who check.
func (g *gate) pass() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.asking) == 0 {
		return
	}
	if g.listener != nil {
		_ = g.listener.SetDeadline(time.Time{})
	}
	for _, passed := range g.asking {
		close(passed)
	}
	g.asking = nil
}

// suspend closes the listener until there is room again.
func (g *gate) suspend() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener != nil {
		g.listener.Close()
		g.listener = nil
	}
}

func (g *gate) listening() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.listener != nil
}

// accept takes connections until the gate is shut. An error that is not the
// end, such as too many open files, costs a pause and no more.
func (g *gate) accept(ctx context.Context) {
	defer g.pass()
	for {
		if !g.room(ctx) {
			g.shut()
			return
		}
		g.mu.Lock()
		l, closed := g.listener, g.closed
		g.mu.Unlock()
		if closed {
			return
		}
		if l == nil {
			continue // refused since
		}
		nc, err := l.Accept()
		switch {
		case err == nil:
			g.admit(ctx, nc)
		case errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded):
			// Shut, closed for want of room, or a check: the loop sees which.
		default:
			g.server.problem(g.address, err)
			g.pause(ctx, 50*time.Millisecond)
		}
	}
}

// room waits, with the listener closed, until another call may be taken. It
// says false when none ever will be.
func (g *gate) room(ctx context.Context) bool {
	s := g.server
	if !g.capped {
		g.pass()
		return ctx.Err() == nil
	}
	for {
		s.mu.Lock()
		if s.freed == nil {
			s.freed = make(chan struct{})
		}
		draining, full, freed := s.draining, s.refusing || s.MaxCalls > 0 && s.live >= s.MaxCalls, s.freed
		s.mu.Unlock()
		g.pass() // who checks from here on closes freed
		switch {
		case draining || ctx.Err() != nil:
			return false
		case full:
			g.suspend()
			select {
			case <-freed:
			case <-ctx.Done():
			}
		case g.listening():
			return true
		default:
			if err := g.listen(); errors.Is(err, net.ErrClosed) {
				return false
			} else if err != nil {
				s.problem(g.address, err)
				g.pause(ctx, 50*time.Millisecond)
			}
		}
	}
}

func (g *gate) pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (g *gate) admit(ctx context.Context, nc net.Conn) {
	s := g.server
	if !s.allowed(nc.RemoteAddr()) {
		s.problem(nc.RemoteAddr().String(), errors.New("connection refused: the address is not in the allow list"))
		nc.Close()
		return
	}
	s.count(+1) // before the next accept, so that the cap is exact
	s.wait.Go(func() { s.serve(ctx, nc) })
}
