//go:build freeswitch

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/eslctl"
)

// control is one connection of the event socket in either direction, as small
// as it can be: it shares only the frame reader with the server that is tested.
type control struct {
	conn    net.Conn
	greeted chan struct{} // auth/request came
	gone    chan struct{} // the connection is closed

	cmd     sync.Mutex // one command at a time
	replies chan eslctl.Frame

	mu     sync.Mutex
	events []event
	change chan struct{}
	serial int
	vars   event // of the connect reply
}

type event struct {
	at     time.Time
	header map[string]string
	body   string
}

func (e event) name() string          { return e.header["Event-Name"] }
func (e event) get(n string) string   { return e.header[n] }
func (e event) value(n string) string { return e.header["variable_"+n] }

func newControl(conn net.Conn) *control {
	c := &control{conn: conn, greeted: make(chan struct{}), gone: make(chan struct{}),
		replies: make(chan eslctl.Frame, 16), change: make(chan struct{})}
	go c.read()
	return c
}

func (c *control) close() { c.conn.Close(); <-c.gone }

// drop closes as a killed process does: at once, without a farewell.
func (c *control) drop() {
	if t, ok := c.conn.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	c.close()
}

func (c *control) read() {
	defer close(c.gone)
	r := eslctl.NewReader(c.conn)
	for {
		f, err := r.Read()
		if err != nil {
			return
		}
		switch f.Get("Content-Type") {
		case "auth/request":
			close(c.greeted)
		case "text/event-plain":
			head, body, _ := bytes.Cut(f.Body, []byte("\n\n"))
			ev := event{time.Now(), headers(head), string(body)}
			c.mu.Lock()
			c.events = append(c.events, ev)
			close(c.change)
			c.change = make(chan struct{})
			c.mu.Unlock()
		case "command/reply", "api/response":
			c.replies <- f.Clone()
		}
	}
}

func headers(block []byte) map[string]string {
	h := map[string]string{}
	for line := range strings.SplitSeq(string(block), "\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			if u, err := url.PathUnescape(value); err == nil {
				value = u
			}
			h[name] = value
		}
	}
	return h
}

func (c *control) roundTrip(ctx context.Context, command string) (eslctl.Frame, error) {
	c.cmd.Lock()
	defer c.cmd.Unlock()
	if _, err := c.conn.Write([]byte(command + "\n\n")); err != nil {
		return eslctl.Frame{}, err
	}
	select {
	case f := <-c.replies:
		return f, nil
	case <-c.gone:
		return eslctl.Frame{}, errors.New("connection closed")
	case <-ctx.Done():
		return eslctl.Frame{}, ctx.Err()
	}
}

func (c *control) command(ctx context.Context, command string) (string, error) {
	f, err := c.roundTrip(ctx, command)
	return f.Get("Reply-Text"), err
}

func (c *control) api(ctx context.Context, command string) (string, error) {
	f, err := c.roundTrip(ctx, "api "+command)
	return string(f.Body), err
}

// connect takes control of the call and subscribes to everything of both legs.
func (c *control) connect(ctx context.Context) error {
	f, err := c.roundTrip(ctx, "connect")
	if err != nil {
		return err
	}
	c.vars = event{time.Now(), headers(f.Header), ""}
	for _, cmd := range []string{"linger 5", "filter Unique-ID " + c.uuid(), "filter Other-Leg-Unique-ID " + c.uuid(),
		"filter Channel-Call-UUID " + c.uuid(), "event plain ALL"} {
		if _, err := c.command(ctx, cmd); err != nil {
			return err
		}
	}
	return nil
}

func (c *control) uuid() string { return c.vars.get("Unique-ID") }

// start queues an application with event-lock and returns its Event-UUID.
func (c *control) start(ctx context.Context, app, arg string) (string, error) {
	c.mu.Lock()
	c.serial++
	id := "app-" + strconv.Itoa(c.serial)
	c.mu.Unlock()
	cmd := fmt.Sprintf("sendmsg %s\ncall-command: execute\nexecute-app-name: %s\nevent-lock: true\nEvent-UUID: %s", c.uuid(), app, id)
	if arg != "" {
		cmd += fmt.Sprintf("\ncontent-type: text/plain\ncontent-length: %d\n\n%s", len(arg), arg)
		// The frame's end is the length, but read_packet takes the blank line too.
		cmd = strings.TrimSuffix(cmd, "\n\n")
	}
	_, err := c.command(ctx, cmd)
	return id, err
}

// execute runs an application to its end and returns CHANNEL_EXECUTE_COMPLETE.
func (c *control) execute(ctx context.Context, app, arg string) (event, error) {
	id, err := c.start(ctx, app, arg)
	if err != nil {
		return event{}, err
	}
	return c.await(ctx, app+" to complete", func(e event) bool {
		return e.name() == "CHANNEL_EXECUTE_COMPLETE" && e.get("Application-UUID") == id || e.name() == "CHANNEL_HANGUP" && e.get("Unique-ID") == c.uuid()
	})
}

// await returns the first event, of those that came and those to come, that ok
// accepts.
func (c *control) await(ctx context.Context, what string, ok func(event) bool) (event, error) {
	for seen := 0; ; {
		c.mu.Lock()
		events, change := c.events, c.change
		c.mu.Unlock()
		if i := slices.IndexFunc(events[seen:], ok); i >= 0 {
			return events[seen+i], nil
		}
		seen = len(events)
		select {
		case <-change:
		case <-c.gone:
			c.mu.Lock()
			more := len(c.events) > seen
			c.mu.Unlock()
			if !more {
				return event{}, fmt.Errorf("%s: connection closed", what)
			}
		case <-ctx.Done():
			return event{}, fmt.Errorf("%s: %w", what, ctx.Err())
		}
	}
}

// setvars sets variables of the call as the server does: one command, its reply
// awaited.
func (c *control) setvars(ctx context.Context, pairs string) error {
	got, err := c.api(ctx, "uuid_setvar_multi "+c.uuid()+" "+pairs)
	if err == nil && !strings.HasPrefix(got, "+OK") {
		err = errors.New(got)
	}
	return err
}

func (c *control) getvar(ctx context.Context, name string) string {
	got, _ := c.api(ctx, "uuid_getvar "+c.uuid()+" "+name)
	return got
}

// exchange accepts the connections that FreeSWITCH makes for calls.
type exchange struct {
	l     net.Listener
	conns chan *control
}

func listen(addr string) (*exchange, error) {
	l, err := net.Listen("tcp4", addr)
	if err != nil {
		return nil, err
	}
	x := &exchange{l, make(chan *control, 1000)}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			x.conns <- newControl(conn)
		}
	}()
	return x, nil
}

func (x *exchange) addr() string { return x.l.Addr().String() }
func (x *exchange) close()       { x.l.Close() }

// next returns the next connection, before connect.
func (x *exchange) next(ctx context.Context) (*control, error) {
	select {
	case c := <-x.conns:
		return c, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("no connection from FreeSWITCH: %w", ctx.Err())
	}
}
