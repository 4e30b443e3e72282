package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// systemd is the service manager that has started the server and wants to hear how it
// is: sd_notify(3). A nil one is told nothing.
type systemd struct {
	log      zerolog.Logger
	send     func(state string) error
	watchdog time.Duration // it kills a server that it has not heard of for so long; 0: never
	stops    atomic.Bool   // the server has said that it stops
}

// newSystemd returns the service manager of the environment, nil if there is none.
func newSystemd(log zerolog.Logger) (*systemd, error) {
	socket := os.Getenv("NOTIFY_SOCKET") // with @ for its first character it is an abstract one
	if socket == "" {
		return nil, nil
	}
	s := &systemd{log: log, send: func(state string) error { return sendDatagram(socket, state) }}
	limit, of := os.Getenv("WATCHDOG_USEC"), os.Getenv("WATCHDOG_PID")
	if limit == "" || of != "" && of != strconv.Itoa(os.Getpid()) {
		return s, nil
	}
	usec, err := strconv.ParseInt(limit, 10, 64)
	if err != nil || usec <= 0 {
		return nil, fmt.Errorf("WATCHDOG_USEC: %q is not a number of microseconds", limit)
	}
	s.watchdog = time.Duration(usec) * time.Microsecond
	return s, nil
}

func sendDatagram(socket, text string) error {
	c, err := net.Dial("unixgram", socket)
	if err != nil {
		return err
	}
	err = c.SetWriteDeadline(time.Now().Add(time.Second)) // it is full while nobody reads it
	if err == nil {
		_, err = c.Write([]byte(text))
	}
	return errors.Join(err, c.Close())
}

// tell sends assignments. Calls do not depend on it: a failure is logged.
func (s *systemd) tell(state ...string) {
	if s == nil {
		return
	}
	if err := s.send(strings.Join(state, "\n")); err != nil {
		s.log.Warn().Err(err).Msg("the service manager cannot be told how the server is")
	}
}

// ready says that calls are taken.
func (s *systemd) ready() { s.tell("READY=1") }

// reloading tells of a reload while it runs.
func (s *systemd) reloading(reload func()) {
	s.tell("RELOADING=1")
	reload()
	s.tell("READY=1")
}

// stopping says that the server stops, and from then on with every sign of life that
// it needs more time: how long depends on the calls.
func (s *systemd) stopping() {
	if s == nil {
		return
	}
	s.stops.Store(true)
	s.tell("STOPPING=1", s.moreTime())
}

// every is the time between two signs of life: half of what the watchdog allows.
func (s *systemd) every() time.Duration {
	if s.watchdog > 0 {
		return s.watchdog / 2
	}
	return 10 * time.Second
}

// moreTime asks for what is left to do after the last call, from the next sign of life on.
func (s *systemd) moreTime() string {
	return fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", (s.every() + time.Minute).Microseconds())
}

// attend gives signs of life, with the status, until ctx ends: each only when works
// returns nil in half of the time until the next. While works fails or hangs the
// watchdog hears nothing.
func (s *systemd) attend(ctx context.Context, works func(context.Context) error, status func() string) {
	if s == nil {
		return
	}
	tick := time.NewTicker(s.every())
	defer tick.Stop()
	for {
		limited, cancel := context.WithTimeout(ctx, s.every()/2)
		err := works(limited)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Error().Err(err).Dur("watchdog", s.watchdog).Msg("the server does not work, the watchdog is not told that it does")
			s.tell("STATUS=does not work: " + oneLine(err.Error()))
		case s.stops.Load():
			s.tell("WATCHDOG=1", "STATUS="+oneLine(status()), s.moreTime())
		default:
			s.tell("WATCHDOG=1", "STATUS="+oneLine(status()))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func oneLine(text string) string { return strings.ReplaceAll(text, "\n", " ") }
