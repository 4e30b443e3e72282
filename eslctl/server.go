package eslctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/percipia/eslgo/command"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/crash"
)

// Limits of a connection's life.
const (
	connectLimit = 5 * time.Second  // from the accepted connection to a controlled call
	lingerTime   = 10 * time.Second // that FreeSWITCH keeps talking of a call that has ended
)

// Server accepts the connections that FreeSWITCH's socket application makes,
// one for every call. The fields are set before Serve.
//
// The protocol has no password in this direction: who can reach the listener
// can pretend to be a switch, so Allow must name the switches and nothing else.
type Server struct {
	Address   string         // for new calls; refused at TCP while there are MaxCalls, so that the switch tries its next host
	Takeover  string         // for calls that a node already had; open until HandOver or the end of Serve
	Allow     []netip.Prefix // who may connect
	MaxCalls  int            // calls at once; 0: no limit
	Settings  Settings
	Handler   func(ctx context.Context, leg *Leg) // runs a call; returns when it is over or lost
	Ended     func(leg *Leg, end End)             // told once a call is over or lost, after Handler
	Listening func()                              // told once both addresses are listened on
	Problem   func(peer string, err error)        // told of connections that never became a call, and of panics

	mu       sync.Mutex
	open     map[*gate]bool
	legs     map[*Leg]struct{}
	ids      map[string]int // calls of legs; an old connection of a call may linger beside its new one
	live     int
	draining bool
	refusing bool
	freed    chan struct{} // closed and replaced when there may be room, or draining begins
	wait     sync.WaitGroup
}

// Serve accepts calls until the context ends. It returns when every connection
// is closed. An address that cannot be listened on is an
// error; everything later is survived.
func (s *Server) Serve(ctx context.Context) error {
	gates := []*gate{{server: s, address: s.Address, capped: true}}
	if s.Takeover != "" {
		gates = append(gates, &gate{server: s, address: s.Takeover})
	}
	for _, g := range gates {
		if err := g.listen(); err != nil {
			for _, g := range gates {
				g.shut()
			}
			return err
		}
	}
	for _, g := range gates {
		s.wait.Go(func() { g.accept(ctx) })
	}
	if s.Listening != nil {
		s.Listening()
	}
	<-ctx.Done()
	for _, g := range gates {
		g.shut()
	}
	s.mu.Lock()
	for leg := range s.legs {
		leg.conn.end(ErrClosed)
	}
	s.mu.Unlock()
	s.wait.Wait()
	return nil
}

// Addresses returns where the server listens, for new calls and for takeovers.
func (s *Server) Addresses() (fresh, takeover string) { return s.Address, s.Takeover }

// Live returns how many calls are controlled now.
func (s *Server) Live() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live
}

// Controls says whether the call is controlled here now.
func (s *Server) Controls(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ids[id] > 0
}

// Check returns nil when the goroutines that accept connections do their work, also
// while there is no room, and an error when ctx ends before they have shown it.
func (s *Server) Check(ctx context.Context) error {
	s.mu.Lock()
	gates := slices.Collect(maps.Keys(s.open))
	s.mu.Unlock()
	for _, g := range gates {
		if err := g.check(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Refuse says whether new calls are refused at TCP, as they are beyond MaxCalls,
// until it says otherwise. Live calls and takeovers are not concerned.
func (s *Server) Refuse(refuse bool) {
	s.mu.Lock()
	s.refusing = refuse
	s.changed()
	gates := slices.Collect(maps.Keys(s.open))
	s.mu.Unlock()
	if !refuse {
		return
	}
	for _, g := range gates { // without the lock, as in Drain
		if g.capped {
			g.suspend()
		}
	}
}

// Drain refuses new calls from now on and returns when the live ones have
// ended, or with the context's error. Calls that come from another node are
// still taken.
func (s *Server) Drain(ctx context.Context) error {
	s.mu.Lock()
	s.draining = true
	s.changed()
	gates := slices.Collect(maps.Keys(s.open))
	s.mu.Unlock()
	for _, g := range gates { // without the lock, which a gate takes while it holds its own
		if g.capped {
			g.shut()
		}
	}
	s.mu.Lock()
	for s.live > 0 {
		freed := s.freed
		s.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		}
		s.mu.Lock()
	}
	s.mu.Unlock()
	return nil
}

// HandOver gives every live call to the next node of its dialplan: it closes
// both listeners, so that no call comes back, then the connections.
func (s *Server) HandOver() {
	s.mu.Lock()
	s.draining = true
	s.changed()
	gates, legs := slices.Collect(maps.Keys(s.open)), slices.Collect(maps.Keys(s.legs))
	s.mu.Unlock()
	for _, g := range gates {
		g.shut()
	}
	for _, leg := range legs {
		leg.HandOver()
	}
}

// changed wakes whoever waits for room. It needs the lock.
func (s *Server) changed() {
	if s.freed != nil {
		close(s.freed)
	}
	s.freed = make(chan struct{})
}

func (s *Server) enter(leg *Leg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.legs == nil {
		s.legs, s.ids = map[*Leg]struct{}{}, map[string]int{}
	}
	s.legs[leg] = struct{}{}
	s.ids[leg.call.ID]++
}

func (s *Server) leave(leg *Leg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.legs, leg)
	if s.ids[leg.call.ID]--; s.ids[leg.call.ID] == 0 {
		delete(s.ids, leg.call.ID)
	}
}

// count keeps the number of calls, those included that are still connecting.
func (s *Server) count(by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live += by
	if by < 0 {
		s.changed()
	}
}

func (s *Server) allowed(peer net.Addr) bool {
	addr, err := netip.ParseAddrPort(peer.String())
	if err != nil {
		return len(s.Allow) == 0 // not TCP: a test's pipe
	}
	for _, p := range s.Allow {
		if p.Contains(addr.Addr().Unmap()) {
			return true
		}
	}
	return false
}

// ServeConn runs one call on a connection that FreeSWITCH made, and returns
// when it is over or lost. Serve calls it; it can be used without.
func (s *Server) ServeConn(ctx context.Context, nc net.Conn) {
	s.count(+1)
	s.serve(ctx, nc)
}

func (s *Server) serve(ctx context.Context, nc net.Conn) {
	defer s.count(-1)
	peer := nc.RemoteAddr().String()
	defer func() {
		if v := recover(); v != nil {
			nc.Close()
			s.problem(peer, &Panic{Value: v, Stack: debug.Stack()})
		}
	}()
	leg, err := s.take(ctx, nc)
	if err != nil {
		nc.Close()
		s.problem(peer, err)
		return
	}
	s.enter(leg)
	defer s.leave(leg)
	if ctx.Err() != nil { // Serve may have closed all the others by now
		leg.conn.end(ErrClosed)
	}
	s.handle(leg)
	s.see(ctx, leg)
}

// take turns a connection into a controlled call.
func (s *Server) take(ctx context.Context, nc net.Conn) (*Leg, error) {
	crash.At("accept")
	leg := &Leg{settings: s.Settings, ended: make(chan struct{}), conn: newConn(nc), limit: time.NewTimer(time.Hour)}
	leg.limit.Stop()
	// The end of Serve's context ends the connection, and that the call's.
	leg.ctx, leg.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	leg.conn.took = s.Settings.Took
	leg.conn.events, leg.conn.notice = leg.event, leg.noticed
	go func() {
		leg.conn.read()
		leg.disconnected()
	}()
	limit := time.AfterFunc(connectLimit, func() { leg.conn.end(fmt.Errorf("connecting: %w", ErrTimeout)) })
	defer limit.Stop()
	if err := leg.connect(ctx); err != nil {
		leg.conn.end(err)
		<-leg.conn.done
		return nil, err
	}
	crash.At("connect")
	return leg, nil
}

// connect takes control and subscribes to the events of both legs. Linger comes
// first: without it the socket closes before the last events
// (mod_event_socket.c, listener_run).
func (l *Leg) connect(ctx context.Context) error {
	r, err := l.conn.do(ctx, command.Connect{})
	if err != nil {
		return err
	}
	if r.frame.Header == nil {
		return &ReplyError{Command: "connect", Reply: r.text}
	}
	if err := l.read(Event{head: r.frame.Header}); err != nil {
		return err
	}
	for _, cmd := range []command.Command{
		command.Linger{Enabled: true, Seconds: lingerTime / time.Second},
		command.Filter{EventHeader: "Unique-ID", FilterValue: l.call.ID},
		command.Filter{EventHeader: "Other-Leg-Unique-ID", FilterValue: l.call.ID},
		command.Event{Format: "plain", Listen: watched},
	} {
		if _, err := l.conn.run(ctx, cmd); err != nil {
			return err
		}
	}
	return nil
}

// read takes the call from the reply to connect. Events are not yet subscribed
// to, so nothing else touches the leg.
func (l *Leg) read(ev Event) error {
	id := ev.Get("Unique-ID")
	if id == "" || strings.ContainsAny(id, " ;\r\n") {
		return &FrameError{"connect reply", "has no Unique-ID"}
	}
	l.call = call.Call{
		ID:        id,
		Number:    ev.Get("Caller-Destination-Number"),
		Caller:    call.Caller{Number: ev.Get("Caller-Caller-ID-Number"), Name: ev.Get("Caller-Caller-ID-Name")},
		Answered:  ev.Get("Answer-State") == "answered",
		SIPCallID: ev.Var("sip_call_id"),
		Switch:    ev.Get("FreeSWITCH-Switchname"),
		Started:   microseconds(ev.Get("Caller-Channel-Created-Time")),
		Transfers: len(array(ev.Var("transfer_history"))), // switch_ivr.c, switch_ivr_session_transfer
	}
	for line := range lines(ev.head) {
		// Of some two hundred lines nearly none is one of these.
		if rest, ok := bytes.CutPrefix(line, []byte("variable_sip_h_")); ok {
			if name, value, ok := bytes.Cut(rest, []byte(": ")); ok {
				if l.call.Headers == nil {
					l.call.Headers = map[string]string{}
				}
				l.call.Headers[string(name)] = decode(value)
			}
		}
	}
	l.answered = l.call.Answered
	l.taken = ev.Var(varCheckpoint)
	l.epoch = call.EpochOf(l.taken) + 1
	l.context = ev.Get("Caller-Context")
	if hosts := ev.Var(varTakeover); !strings.ContainsAny(hosts, " ;'\"$") {
		l.takeover = hosts
	}
	l.last, l.begun = bridgeResult(ev)
	if at := microseconds(ev.Get("Caller-Channel-Bridged-Time")); l.last.Outcome == call.Completed && !at.IsZero() {
		// Nobody saw the end: from its beginning until now, never less than it was.
		l.last.Connected = microseconds(ev.Get("Event-Date-Timestamp")).Sub(at)
	}
	l.secret = ev.Var("sensitive_dtmf") == "true"
	l.recording, l.found = ev.Var(varRecording), recordedOn(ev)
	return nil
}

// microseconds reads a moment as FreeSWITCH writes it: microseconds since 1970, 0 for
// what was not.
func microseconds(s string) time.Time {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// handle runs the handler. A panic costs this call.
func (s *Server) handle(leg *Leg) {
	defer func() {
		if v := recover(); v != nil {
			s.problem(leg.call.ID, &Panic{Value: v, Stack: debug.Stack()})
			leg.Hangup(leg.ctx, call.TemporaryFailure)
		}
	}()
	s.Handler(leg.ctx, leg)
	if leg.given {
		<-leg.ctx.Done() // the dialplan has the call, we see it out
	}
	if leg.ctx.Err() == nil {
		// Closing now would send the caller on in the dialplan.
		leg.Hangup(leg.ctx, call.NormalClearing)
	}
}

// see waits for the last event of the call, then tells of the end.
func (s *Server) see(ctx context.Context, leg *Leg) {
	timer := time.NewTimer(lingerTime)
	defer timer.Stop()
	select {
	case <-leg.ended:
	case <-timer.C:
	}
	if leg.Successor() != "" {
		stop := context.AfterFunc(ctx, func() { leg.conn.end(ErrClosed) })
		s.wait.Go(func() {
			<-leg.conn.done // see Leg.superseded
			stop()
		})
	} else {
		leg.conn.end(ErrClosed)
		<-leg.conn.done
	}
	if fault := (*Panic)(nil); errors.As(leg.conn.failure(), &fault) {
		s.problem(leg.call.ID, fault)
	}
	leg.cancel(call.ErrLost)
	s.Ended(leg, leg.End())
}

func (s *Server) problem(peer string, err error) {
	if s.Problem != nil && !errors.Is(err, context.Canceled) {
		s.Problem(peer, err)
	}
}

// Panic is a fault of our own that cost a call.
type Panic struct {
	Value any
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprintf("panic: %v", p.Value) }
