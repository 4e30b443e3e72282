package eslctl

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/percipia/eslgo/command"
)

// Client is a connection to FreeSWITCH's own event socket (port 8021). It is
// safe for several goroutines; commands go one after the other.
type Client struct{ conn *conn }

// Dial connects and authenticates. Events that are subscribed to later are
// given to events, in order, by one goroutine that must not block.
func Dial(ctx context.Context, address, password string, events func(Event)) (*Client, error) {
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return authenticate(ctx, nc, password, events)
}

func authenticate(ctx context.Context, nc net.Conn, password string, events func(Event)) (*Client, error) {
	c := &Client{newConn(nc)}
	c.conn.events, c.conn.notice = events, func(string) {}
	go c.conn.read()
	stop := context.AfterFunc(ctx, func() { c.conn.end(context.Cause(ctx)) })
	defer stop()
	c.conn.slot <- struct{}{}
	_, err := c.conn.await() // the switch speaks first: auth/request
	<-c.conn.slot
	if err == nil {
		// The error repeats nothing of the command: it holds the password.
		if _, err = c.conn.run(ctx, command.Auth{Password: password}); err != nil {
			err = fmt.Errorf("authentication at %s failed: %w", nc.RemoteAddr(), err)
		}
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// API runs a command of the switch's API and returns what it prints. A result
// that begins with -ERR is a *ReplyError.
func (c *Client) API(ctx context.Context, name, args string) (string, error) {
	return c.conn.api(ctx, name, args)
}

// Exists says whether the channel lives. It is asked of the switch itself: the
// table behind "show channels" is written later.
func (c *Client) Exists(ctx context.Context, uuid string) (bool, error) {
	text, err := c.API(ctx, "uuid_exists", uuid)
	return strings.TrimSpace(text) == "true", err
}

// Switch returns the name of the switch, which its calls have as call.Call.Switch. It
// need not be the name of its host (mod_commands.c, switchname_function).
func (c *Client) Switch(ctx context.Context) (string, error) {
	name, err := c.API(ctx, "switchname", "")
	return strings.TrimSpace(name), err
}

// Subscribe asks for events by name, of channels on which header has the value,
// or matches it where it is written as /pattern/.
func (c *Client) Subscribe(ctx context.Context, header, value string, names ...string) error {
	if _, err := c.conn.run(ctx, command.Filter{EventHeader: header, FilterValue: value}); err != nil {
		return err
	}
	_, err := c.conn.run(ctx, command.Event{Format: "plain", Listen: names})
	return err
}

// Done is closed when the connection has ended.
func (c *Client) Done() <-chan struct{} { return c.conn.done }

// Err returns why the connection ended.
func (c *Client) Err() error { return c.conn.failure() }

// Close ends the connection. Calling it twice is safe.
func (c *Client) Close() {
	c.conn.end(ErrClosed)
	<-c.conn.done
}

// Monitor watches one FreeSWITCH for the ends of calls that nobody controls.
// It connects again, for ever, until its context ends.
type Monitor struct {
	Address   string
	Password  string
	Connected func(ctx context.Context, c *Client) // after every connect; may ask the switch
	Ended     func(id, checkpoint string, end End) // a call that carries a checkpoint has ended
	Problem   func(err error)                      // a connection failed or broke
}

// Run watches until the context ends.
func (m *Monitor) Run(ctx context.Context) {
	pause := 250 * time.Millisecond
	for ctx.Err() == nil {
		began := time.Now()
		if err := m.watch(ctx); ctx.Err() == nil {
			m.Problem(err)
		}
		if time.Since(began) > time.Minute {
			pause = 250 * time.Millisecond
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, 5*time.Second)
	}
}

func (m *Monitor) watch(ctx context.Context) error {
	c, err := Dial(ctx, m.Address, m.Password, func(ev Event) {
		if checkpoint := ev.Var(varCheckpoint); checkpoint != "" && ev.Is("Event-Name", "CHANNEL_HANGUP_COMPLETE") {
			m.Ended(ev.Get("Unique-ID"), checkpoint, endOf(ev))
		}
	})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Subscribe(ctx, "variable_"+varCheckpoint, "/./", "CHANNEL_HANGUP_COMPLETE"); err != nil {
		return err
	}
	m.Connected(ctx, c)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-c.Done():
		return fmt.Errorf("connection to %s: %w", m.Address, c.Err())
	}
}
