package esltest

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// Serve is the inbound event socket, port 8021 in life. It returns when the
// listener is closed, which Close does.
func (s *Switch) Serve(nl net.Listener) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		nl.Close()
		return net.ErrClosed
	}
	s.ports[nl] = struct{}{}
	s.mu.Unlock()
	for {
		conn, err := nl.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		s.ServeConn(conn)
	}
}

// ServeConn is the inbound event socket on one connection. It returns at once.
func (s *Switch) ServeConn(conn net.Conn) {
	l := newListener(s, conn)
	l.serve()
}

// Beat sends HEARTBEAT events until the switch is closed, when Heartbeat is
// set. It returns at once.
func (s *Switch) Beat() {
	if s.Heartbeat <= 0 {
		return
	}
	s.start(func() {
		t := time.NewTicker(s.Heartbeat)
		defer t.Stop()
		for {
			select {
			case <-s.ctx.Done():
				return
			case <-t.C:
			}
			up := time.Since(s.started)
			s.broadcast("HEARTBEAT", []header{
				{"Event-Info", "System Ready"},
				{"Up-Time", fmt.Sprintf("0 years, 0 days, %d hours, %d minutes, %d seconds, %d milliseconds, 0 microseconds",
					int(up.Hours()), int(up.Minutes())%60, int(up.Seconds())%60, up.Milliseconds()%1000)},
				{"FreeSWITCH-Version", "1.11.1-release~64bit"}, {"Uptime-msec", strconv.FormatInt(up.Milliseconds(), 10)},
				{"Session-Count", strconv.Itoa(s.Channels())}, {"Max-Sessions", "5000"}, {"Session-Per-Sec", "1000"},
				{"Session-Per-Sec-Last", "0"}, {"Session-Per-Sec-Max", "1"}, {"Session-Per-Sec-FiveMin", "1"},
				{"Session-Since-Startup", strconv.FormatInt(s.sessions.Load(), 10)}, {"Session-Peak-Max", "1"}, {"Session-Peak-FiveMin", "1"},
				{"Idle-CPU", "95.000000"},
			}, "", nil)
		}
	})
}
