package esltest

import (
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hookswitch/hookswitch/eslctl"
)

const (
	maxEvents   = 100000           // that wait for a listener (mod_event_socket.c, MAX_QUEUE_LEN)
	firstLimit  = 25 * time.Second // for the first command of an outbound socket
	goodbye     = "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
	lingerAlone = -1 // linger without seconds
)

// listener is one event socket connection, outbound or inbound.
type listener struct {
	sw      *Switch
	conn    net.Conn
	channel *channel // of an outbound socket
	full    bool
	async   bool

	// Guarded by the channel's lock where there is a channel, otherwise touched
	// by the reading goroutine alone.
	authed    bool
	connected bool
	finished  bool
	resume    bool
	linger    bool
	lingerFor int
	lingers   bool // the notice was sent

	roams atomic.Bool // wants events of other calls too

	mu      sync.Mutex
	events  map[string]bool
	mine    bool // myevents
	filters []filter
	out     [][]byte
	held    [][]byte // events that wait until the command in progress has its reply
	holding bool
	ending  bool // the writer stops when out is empty
	stopped bool // nothing is taken any more
	wake    chan struct{}
}

// filter is a filter line (mod_event_socket.c, event_handler).
type filter struct {
	header, value string
	negative      bool
	want          string
	pattern       *regexp.Regexp
}

func newListener(s *Switch, conn net.Conn) *listener {
	return &listener{sw: s, conn: conn, events: map[string]bool{}, wake: make(chan struct{}, 1)}
}

// serve runs the connection in two goroutines; false when the switch is closed.
func (l *listener) serve() bool {
	s := l.sw
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		l.conn.Close()
		return false
	}
	s.open[l] = struct{}{}
	s.wait.Go(l.write)
	s.wait.Go(l.read)
	return true
}

// push queues bytes for the peer. Events wait until the command in progress is
// answered: the thread that reads commands also sends events.
func (l *listener) push(frame []byte, event bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.stopped, event && len(l.out)+len(l.held) > maxEvents:
		return
	case event && l.holding:
		l.held = append(l.held, frame)
		return
	}
	l.out = append(l.out, frame)
	l.stir()
}

func (l *listener) stir() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// hold and release enclose a command.
func (l *listener) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holding = true
}

func (l *listener) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holding = false
	if len(l.held) > 0 {
		l.out = append(l.out, l.held...)
		l.held = nil
		l.stir()
	}
}

// write sends what is queued until it is told to end.
func (l *listener) write() {
	defer l.conn.Close()
	for {
		l.mu.Lock()
		out, ending := l.out, l.ending
		l.out = nil
		l.mu.Unlock()
		if len(out) == 0 {
			if ending {
				return
			}
			<-l.wake
			if l.sw.Latency > 0 && l.onlyEvents() {
				time.Sleep(l.sw.Latency / 2) // the thread polls
			}
			continue
		}
		for _, frame := range out {
			if _, err := l.conn.Write(frame); err != nil {
				l.mu.Lock()
				l.stopped, l.out = true, nil
				l.mu.Unlock()
				return
			}
		}
	}
}

func (l *listener) onlyEvents() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, frame := range l.out {
		if !strings.HasPrefix(string(frame[:min(16, len(frame))]), "Content-Length: ") {
			return false
		}
	}
	return !l.ending
}

// read reads commands until the connection ends.
func (l *listener) read() {
	defer l.end()
	r := eslctl.NewReader(l.conn)
	if l.channel != nil {
		l.conn.SetReadDeadline(time.Now().Add(firstLimit))
	} else {
		l.push([]byte("Content-Type: auth/request\n\n"), false)
	}
	for {
		f, err := r.Read()
		if err != nil {
			return
		}
		if l.channel != nil {
			l.conn.SetReadDeadline(time.Time{})
		}
		l.hold()
		again := l.command(f)
		l.release()
		if !again {
			return
		}
	}
}

// end is the end of listener_run. A call with socket_resume goes into CS_RESET,
// which stops whatever it runs; and any call loses the flag that keeps it
// parked.
func (l *listener) end() {
	s := l.sw
	s.mu.Lock()
	delete(s.open, l)
	s.mu.Unlock()
	l.unroam()
	body := "Content-Type: text/disconnect-notice\n"
	if c := l.channel; c != nil {
		c.lock()
		if c.cause == "" && c.transfer == nil && (l.resume || isTrue(c.vars.get("socket_resume"))) {
			c.reset = true
		}
		c.controlled = false
		l.finished = true
		c.poke()
		c.drop(l)
		c.unlock()
		body += "Controlled-Session-UUID: " + c.uuid + "\nContent-Disposition: disconnect\n"
	}
	l.push(fmt.Appendf(nil, "%sContent-Length: %d\n\n%s", body, len(goodbye), goodbye), false)
	l.mu.Lock()
	l.ending, l.stopped = true, true
	l.stir()
	l.mu.Unlock()
}

// channelDown is what the listener does when it notices that its channel is
// down (mod_event_socket.c, read_packet). It needs the channel's lock.
func (l *listener) channelDown() {
	if l.lingers || l.finished {
		return
	}
	l.lingers = true
	if !l.linger {
		l.shut()
		return
	}
	c := l.channel
	l.push(fmt.Appendf(nil, "Content-Type: text/disconnect-notice\nControlled-Session-UUID: %s\n"+
		"Content-Disposition: linger\nChannel-Name: %s\nLinger-Time: %d\nContent-Length: 0\n\n",
		c.uuid, c.name, l.lingerFor), true)
	if l.lingerFor != lingerAlone {
		// It counts whole seconds: 5 to 6 for linger 5.
		now := time.Now()
		after := now.Truncate(time.Second).Add(time.Duration(l.lingerFor+1) * time.Second).Sub(now)
		time.AfterFunc(after, func() {
			c.lock()
			defer c.unlock()
			l.shut()
		})
	}
}

// shut makes the reader end, which closes the connection after what is queued.
func (l *listener) shut() {
	l.mu.Lock()
	l.stopping()
	l.mu.Unlock()
	l.conn.SetReadDeadline(time.Unix(1, 0))
}

// stopping keeps events off that come later: only the goodbye follows.
func (l *listener) stopping() { l.events = map[string]bool{}; l.mine = false }

func (l *listener) wants(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.events[name] || l.events["ALL"]
}

// passes applies filters and myevents (mod_event_socket.c, event_handler).
func (l *listener) passes(ev eslctl.Event) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	send := true
	if len(l.filters) > 0 {
		send = false
		for i := range l.filters {
			f := &l.filters[i]
			if !ev.Has(f.header) || send && !f.negative {
				continue
			}
			value := ev.Get(f.header)
			match := strings.EqualFold(value, f.want)
			if f.pattern != nil {
				match = f.pattern.MatchString(value)
			}
			if match {
				send = !f.negative
				if f.negative {
					break
				}
			}
		}
	}
	if send && l.mine && l.channel != nil {
		send = ev.Is("Unique-ID", l.channel.uuid) || ev.Is("Job-Owner-UUID", l.channel.uuid)
	}
	return send
}

func makeFilter(name, value string) filter {
	f := filter{header: name, value: value}
	want := strings.TrimLeft(value, "+- ")
	f.negative = strings.Contains(value[:len(value)-len(want)], "-")
	f.want = want
	if p, ok := strings.CutPrefix(value, "/"); ok {
		f.pattern, _ = regexp.Compile(strings.TrimSuffix(p, "/"))
	}
	return f
}

// roam decides whether the listener must see the events of every call: an
// outbound one need not as long as nothing but its own call can pass.
func (l *listener) roam() {
	l.mu.Lock()
	wide := l.channel == nil || !l.mine
	if wide && l.channel != nil && len(l.filters) > 0 {
		wide = false
		for _, f := range l.filters {
			if !f.negative && (f.pattern != nil || f.want != l.channel.uuid) {
				wide = true
			}
		}
	}
	wide = wide && len(l.events) > 0
	l.mu.Unlock()
	if wide == l.roams.Load() {
		return
	}
	if !wide {
		l.unroam()
		return
	}
	l.roams.Store(true)
	s := l.sw
	s.mu.Lock()
	defer s.mu.Unlock()
	all := append(append([]*listener(nil), *s.global.Load()...), l)
	s.global.Store(&all)
}

func (l *listener) unroam() {
	s := l.sw
	s.mu.Lock()
	defer s.mu.Unlock()
	l.roams.Store(false)
	var rest []*listener
	for _, o := range *s.global.Load() {
		if o != l {
			rest = append(rest, o)
		}
	}
	s.global.Store(&rest)
}
