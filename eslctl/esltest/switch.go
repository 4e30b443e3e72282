package esltest

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// Switch is a simulated FreeSWITCH. Make one with NewSwitch, set its fields
// before the first call, and Close it at the end.
type Switch struct {
	Name       string              // FreeSWITCH-Switchname of every event
	Password   string              // of the inbound event socket
	Dialplan   []Action            // what a new call executes
	Extensions map[string][]Action // what a transferred call executes, by destination
	Gateways   []string            // gateways that exist; nil: every one does
	Otherwise  Callee              // who is reached under a destination that SetCallee does not know
	Files      map[string]Sound    // sound files; others play for two seconds, see soundOf
	CDRDir     string              // where mod_json_cdr writes; "": nowhere
	CDRPlain   bool                // encode-values=false
	Speed      float64             // of sounds, people and timeouts; 0: as in life
	Latency    time.Duration       // of the socket thread's poll, 20 ms in life; 0: none
	Heartbeat  time.Duration       // between HEARTBEAT events, 20 s in life; 0: none

	// Problem is told of a CDR that cannot be written. The call does not care, as
	// in life; without Problem nobody learns of it.
	Problem func(err error)

	// Dial reaches the servers that the socket action names. The default is TCP.
	Dial func(ctx context.Context, address string) (net.Conn, error)

	coreUUID string
	started  time.Time
	sequence atomic.Int64
	sessions atomic.Int64
	global   atomic.Pointer[[]*listener] // listeners that may want events of any call

	ctx    context.Context
	cancel context.CancelFunc
	wait   sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	channels map[string]*channel // until CHANNEL_DESTROY
	order    []*channel          // of creation
	callees  map[string][]Callee
	dials    map[string][]*Dialed
	open     map[*listener]struct{}
	ports    map[net.Listener]struct{}
}

// NewSwitch returns a switch with the names of the recorded one, on which
// nobody can be reached yet.
func NewSwitch() *Switch {
	s := &Switch{
		Name: "fs1", Password: "ClueCon", Otherwise: Refuses(404),
		coreUUID: newUUID(), started: time.Now(),
		channels: map[string]*channel{}, callees: map[string][]Callee{}, dials: map[string][]*Dialed{},
		open: map[*listener]struct{}{}, ports: map[net.Listener]struct{}{},
	}
	s.Dial = func(ctx context.Context, address string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", address)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.global.Store(&[]*listener{})
	return s
}

// SetCallee says who answers under a destination: a number (whatever gateway
// it is dialled through), a SIP address without "sip:", a user name@domain, or
// loopback/EXTENSION. Of several callees the first takes the first dial, the
// second the second, and the last all others.
func (s *Switch) SetCallee(destination string, callees ...Callee) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.callees[destination] = callees
}

// Dials returns every dial of the destination, in order.
func (s *Switch) Dials(destination string) []Dialed {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Dialed, 0, len(s.dials[destination]))
	for _, d := range s.dials[destination] {
		out = append(out, *d)
	}
	return out
}

// AllDials returns every dial of every destination, by destination.
func (s *Switch) AllDials() map[string][]Dialed {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string][]Dialed, len(s.dials))
	for to, dials := range s.dials {
		for _, d := range dials {
			all[to] = append(all[to], *d)
		}
	}
	return all
}

// Channels returns how many channels there are, those included that only
// linger because their socket is still open.
func (s *Switch) Channels() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.channels)
}

// Close ends every call, every connection and every listener, and waits for
// them. Calling it twice is safe.
func (s *Switch) Close() {
	s.mu.Lock()
	s.closed = true
	all := append([]*channel(nil), s.order...)
	for l := range s.ports {
		l.Close()
	}
	s.mu.Unlock()
	s.cancel()
	for _, c := range all {
		c.lock()
		c.hangup("SYSTEM_SHUTDOWN", false)
		c.unlock()
	}
	s.mu.Lock()
	open := make([]*listener, 0, len(s.open))
	for l := range s.open {
		open = append(open, l)
	}
	s.mu.Unlock()
	for _, l := range open {
		l.conn.Close()
	}
	s.wait.Wait()
}

// start runs f in a goroutine that Close waits for; false when it is too late.
func (s *Switch) start(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.wait.Go(f)
	return true
}

// span is how long a duration of the simulated world takes.
func (s *Switch) span(d time.Duration) time.Duration {
	if s.Speed > 0 && s.Speed != 1 {
		return time.Duration(float64(d) / s.Speed)
	}
	return d
}

// whole is how long a limit takes that FreeSWITCH counts in whole seconds of
// the clock: it fires at the n-th full second from now.
func (s *Switch) whole(n int) time.Duration {
	if s.Speed > 0 && s.Speed != 1 {
		return s.span(time.Duration(n) * time.Second)
	}
	now := time.Now()
	return now.Truncate(time.Second).Add(time.Duration(n) * time.Second).Sub(now)
}

// find returns a living channel; one that is hung up is not found any more
// (switch_core_session.c, switch_core_session_read_lock).
func (s *Switch) find(uuid string) *channel {
	s.mu.Lock()
	c := s.channels[uuid]
	s.mu.Unlock()
	if c == nil {
		return nil
	}
	c.lock()
	defer c.unlock()
	if c.cause != "" {
		return nil
	}
	return c
}

func (s *Switch) problem(err error) {
	if s.Problem != nil {
		s.Problem(err)
	}
}

func (s *Switch) add(c *channel) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.channels[c.uuid] != nil {
		return false
	}
	s.channels[c.uuid] = c
	s.order = append(s.order, c)
	return true
}

func (s *Switch) remove(c *channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.channels[c.uuid] != c {
		return
	}
	delete(s.channels, c.uuid)
	for i, o := range s.order {
		if o == c {
			s.order = append(s.order[:i], s.order[i+1:]...)
			break
		}
	}
}

// Dialed is one dial of a destination.
type Dialed struct {
	UUID     string     // of the B leg
	Caller   string     // UUID of the A leg
	CallerID string     // number that was shown
	At       time.Time  // of the INVITE
	Answered time.Time  // zero: it was not
	Bridged  bool       // connected with the caller
	Ended    time.Time  // zero: it lasts
	Cause    call.Cause // of its end
	Heard    []Heard    // what was played to the callee before it was connected
}

// Heard is a sound that somebody heard.
type Heard struct {
	What string        // argument of the application
	At   time.Time     // when it began
	For  time.Duration // how long; until it ends, 0
}

// Sound is a sound file.
type Sound struct {
	Length  time.Duration
	Missing bool // and cannot be written either
}
