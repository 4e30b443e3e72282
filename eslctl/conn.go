package eslctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/percipia/eslgo/command"
)

// Time limits of a connection.
const (
	replyLimit = 10 * time.Second // a reply takes about a millisecond
	quietLimit = 30 * time.Second // silence after which the peer is asked whether it lives
)

// conn is one event socket, ours or the switch's: a goroutine that reads, one
// command in flight, events in order.
type conn struct {
	nc     net.Conn
	events func(Event)              // called by the reading goroutine, in order; must not block
	notice func(disposition string) // likewise, for disconnect notices

	slot  chan struct{} // held by the command in flight
	reply chan reply    // of that command
	timer *time.Timer   // its limit
	took  func(time.Duration)
	out   []byte // its bytes

	done  chan struct{} // closed when reading has ended
	close sync.Once
	mu    sync.Mutex
	err   error // why it ended
}

// reply is what the peer said to a command.
type reply struct {
	text  string // Reply-Text, or the body of an api/response
	frame Frame  // a copy of the whole frame, only for connect
}

func newConn(nc net.Conn) *conn {
	c := &conn{
		nc:    nc,
		slot:  make(chan struct{}, 1),
		reply: make(chan reply, 1),
		done:  make(chan struct{}),
		timer: time.NewTimer(time.Hour),
	}
	c.timer.Stop()
	return c
}

// end closes the connection for the reason; the first reason stays.
func (c *conn) end(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
	}
	c.mu.Unlock()
	c.close.Do(func() { c.nc.Close() })
}

// failure returns why the connection ended.
func (c *conn) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// read reads until the connection ends. It runs once, in its own goroutine.
func (c *conn) read() {
	defer close(c.done)
	defer func() {
		if v := recover(); v != nil { // of a callback: it costs this connection
			c.end(&Panic{Value: v, Stack: debug.Stack()})
		}
	}()
	r := NewReader(c.nc)
	asked := false
	for {
		c.nc.SetReadDeadline(time.Now().Add(quietLimit))
		f, err := r.Read()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && !asked:
			// Perhaps in the middle of a frame: the next Read goes on there.
			asked = true
			go c.ask()
			continue
		case err == io.EOF:
			c.end(io.EOF)
			return
		case err != nil:
			c.end(fmt.Errorf("reading: %w", err))
			return
		}
		asked = false
		if err := c.take(f); err != nil {
			c.end(err)
			return
		}
	}
}

// ask makes a silent peer say something, so that the reader learns whether it
// is there: TCP alone would take minutes.
func (c *conn) ask() {
	if _, err := c.do(context.Background(), command.API{Command: "status"}); err != nil {
		c.end(fmt.Errorf("silent for %v: %w", quietLimit, err))
	}
}

func (c *conn) take(f Frame) error {
	switch kind := f.get("Content-Type"); string(kind) {
	case "text/event-plain":
		ev, err := ParseEvent(f.Body)
		if err != nil {
			return err
		}
		c.events(ev)
	case "command/reply":
		r := reply{text: f.Get("Reply-Text")}
		if bytes.HasPrefix(f.Header, []byte("Event-Name:")) { // the reply to connect
			r.frame = f.Clone()
		}
		return c.replied(r)
	case "api/response":
		return c.replied(reply{text: string(f.Body)})
	case "auth/request":
		return c.replied(reply{text: string(kind)})
	case "text/disconnect-notice":
		c.notice(f.Get("Content-Disposition"))
	case "text/rude-rejection":
		return fmt.Errorf("event socket: the switch refuses this address (its access list)")
	case "log/data":
	default:
		return &FrameError{"Content-Type", fmt.Sprintf("%.40q is none of the event socket's", kind)}
	}
	return nil
}

func (c *conn) replied(r reply) error {
	select {
	case c.reply <- r:
		return nil
	default:
		return &FrameError{"reply", fmt.Sprintf("%.40q answers no command", r.text)}
	}
}

// do sends a command and waits for its reply. The context bounds only the wait
// for the command's turn: a command that was sent is waited for, because its
// reply would otherwise be taken for the next one's. A reply that does not come
// within replyLimit ends the connection with ErrTimeout.
func (c *conn) do(ctx context.Context, cmd command.Command) (reply, error) {
	text := cmd.BuildMessage()
	if _, ok := cmd.(message); !ok {
		if strings.ContainsAny(text, "\r\n\x00") {
			return reply{}, &UnsafeError{fmt.Sprintf("line break in command %.40q", text)}
		}
	}
	select {
	case c.slot <- struct{}{}:
		defer func() { <-c.slot }()
	case <-ctx.Done():
		return reply{}, context.Cause(ctx)
	case <-c.done:
		return reply{}, c.failure()
	}
	select {
	case <-c.done:
		return reply{}, c.failure()
	default:
	}
	c.out = append(c.out[:0], text...)
	if _, ok := cmd.(message); !ok {
		c.out = append(c.out, "\n\n"...)
	}
	c.nc.SetWriteDeadline(time.Now().Add(replyLimit))
	if _, err := c.nc.Write(c.out); err != nil {
		c.end(fmt.Errorf("writing: %w", err))
		<-c.done
		return reply{}, c.failure()
	}
	if cap(c.out) > 1024 {
		c.out = nil // an idle call keeps no large buffer
	}
	return c.await()
}

// await waits for the reply of the command in flight.
func (c *conn) await() (reply, error) {
	if c.took != nil {
		began := time.Now()
		defer func() { c.took(time.Since(began)) }()
	}
	c.timer.Reset(replyLimit)
	defer c.timer.Stop()
	select {
	case r := <-c.reply:
		return r, nil
	case <-c.timer.C:
		c.end(ErrTimeout)
		<-c.done
	case <-c.done:
		select {
		case r := <-c.reply: // it came just before the end
			return r, nil
		default:
		}
	}
	return reply{}, c.failure()
}

// run sends a command and turns a refusal into a *ReplyError.
func (c *conn) run(ctx context.Context, cmd command.Command) (string, error) {
	r, err := c.do(ctx, cmd)
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(r.text, "-ERR") || strings.HasPrefix(r.text, "-USAGE") {
		verb, _, _ := strings.Cut(cmd.BuildMessage(), " ")
		return r.text, &ReplyError{Command: strings.SplitN(verb, "\n", 2)[0], Reply: strings.TrimSpace(r.text)}
	}
	return r.text, nil
}

// api runs a command of the switch's API and returns what it prints.
func (c *conn) api(ctx context.Context, name, args string) (string, error) {
	text, err := c.run(ctx, command.API{Command: name, Arguments: args})
	var refused *ReplyError
	if errors.As(err, &refused) {
		refused.Command = name
	}
	return text, err
}

// message is a sendmsg with its headers and body, complete as it goes out.
type message string

// BuildMessage returns the bytes of the command, its end included.
func (m message) BuildMessage() string { return string(m) }

// execute builds the sendmsg that runs an application. The argument goes in a
// counted body, so that nothing in it can be read as a header or a command
// (switch_ivr.c, switch_ivr_parse_event; mod_event_socket.c, read_packet).
func execute(app, arg, uuid string) (message, error) {
	for _, field := range [...]string{app, arg, uuid} {
		if strings.ContainsAny(field, "\r\n\x00") {
			return "", &UnsafeError{fmt.Sprintf("line break or NUL in %s %.60q", app, field)}
		}
	}
	var b strings.Builder
	b.Grow(160 + len(arg))
	b.WriteString("sendmsg\ncall-command: execute\nexecute-app-name: ")
	b.WriteString(app)
	b.WriteString("\nevent-uuid: ")
	b.WriteString(uuid)
	b.WriteString("\nevent-lock: true\n")
	if arg != "" {
		b.WriteString("content-type: text/plain\ncontent-length: ")
		b.WriteString(strconv.Itoa(len(arg)))
		b.WriteString("\n\n")
		b.WriteString(arg)
	} else {
		b.WriteString("\n")
	}
	return message(b.String()), nil
}
