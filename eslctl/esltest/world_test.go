package esltest_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/eslctl"
	"github.com/hookswitch/hookswitch/eslctl/esltest"
)

// world is a switch under virtual time whose socket actions come to the test.
type world struct {
	*esltest.Switch
	t    *testing.T
	next chan *server
}

// server is one end of a socket that the test plays a server on.
type server struct {
	t       *testing.T
	address string
	conn    net.Conn
	replies chan eslctl.Frame
	events  chan eslctl.Event
	vars    eslctl.Event
}

func inWorld(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{esltest.NewSwitch(), t, make(chan *server)}
		w.Dialplan = esltest.Dialplan("n1:8084", "n1:8094", 3)
		w.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			here, there := net.Pipe()
			s := newServer(t, here)
			s.address = address
			select {
			case w.next <- s:
				return there, nil
			case <-time.After(time.Millisecond): // nobody listens
			case <-ctx.Done():
			}
			there.Close()
			here.Close()
			return nil, net.ErrClosed
		}
		f(w)
		w.Close()
		if n := w.Channels(); n > 0 {
			t.Errorf("%d channels are left", n)
		}
	})
}

func newServer(t *testing.T, conn net.Conn) *server {
	s := &server{t: t, conn: conn, replies: make(chan eslctl.Frame, 100), events: make(chan eslctl.Event, 10000)}
	go func() {
		defer close(s.replies)
		defer close(s.events)
		r := eslctl.NewReader(conn)
		for {
			f, err := r.Read()
			if err != nil {
				return
			}
			switch f = f.Clone(); f.Get("Content-Type") {
			case "text/event-plain":
				ev, err := eslctl.ParseEvent(f.Body)
				if err != nil {
					t.Error(err)
				}
				s.events <- ev
			case "text/disconnect-notice":
			default:
				s.replies <- f
			}
		}
	}()
	return s
}

// say sends a command and returns the text of its reply.
func (s *server) say(command string) string {
	s.t.Helper()
	if _, err := s.conn.Write([]byte(command + "\n\n")); err != nil {
		return err.Error()
	}
	f := <-s.replies
	return f.Get("Reply-Text") + string(f.Body)
}

// connect takes control, as the product does.
func (s *server) connect() *server { return s.subscribe("ALL") }

func (s *server) subscribe(events string) *server {
	s.t.Helper()
	if _, err := s.conn.Write([]byte("connect\n\n")); err != nil {
		s.t.Fatal(err)
	}
	f := <-s.replies
	ev, err := eslctl.ParseEvent(append(f.Header, "\n\n"...))
	if err != nil {
		s.t.Fatal(err)
	}
	s.vars = ev
	id := ev.Get("Unique-ID")
	s.say("linger 10")
	s.say("filter Unique-ID " + id)
	s.say("filter Other-Leg-Unique-ID " + id)
	s.say("event plain " + events)
	return s
}

func (s *server) id() string { return s.vars.Get("Unique-ID") }

// queue sends an application without waiting for it.
func (s *server) queue(app, arg string, locked bool) string {
	return s.say(fmt.Sprintf("sendmsg\ncall-command: execute\nexecute-app-name: %s\nexecute-app-arg: %s\nevent-uuid: %s\nevent-lock: %v",
		app, arg, app+"/"+arg, locked))
}

// run executes an application to its end.
func (s *server) run(app, arg string) eslctl.Event {
	s.t.Helper()
	s.queue(app, arg, true)
	return s.await("CHANNEL_EXECUTE_COMPLETE", func(ev eslctl.Event) bool { return ev.Get("Application-UUID") == app+"/"+arg })
}

func (s *server) await(name string, ok func(eslctl.Event) bool) eslctl.Event {
	s.t.Helper()
	for ev := range s.events {
		if ev.Name() == name && (ok == nil || ok(ev)) {
			return ev
		}
	}
	s.t.Errorf("no %s", name)
	return eslctl.Event{}
}

func (s *server) drop() { s.conn.Close() }

func (w *world) server() *server {
	w.t.Helper()
	select {
	case s := <-w.next:
		return s
	case <-time.After(time.Hour):
		w.t.Fatal("the switch does not connect")
		return nil
	}
}

func ann(script ...esltest.Act) esltest.Caller {
	return esltest.Caller{From: "+15550111", Name: "Ann", To: "+15550100", Script: script}
}

func result(k *esltest.Call) esltest.Result { <-k.Done(); return k.Result() }
