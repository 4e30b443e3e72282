package esltest

import (
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/eslctl"
)

// Script is a conversation over one connection as a list of steps: expect
// this, send that. It plays either side.
type Script []Step

// Step is one step of a Script.
type Step struct {
	what string
	do   func(*stage) error
}

// Expect waits for a frame whose text (header block, a blank line, body)
// matches the regular expression.
func Expect(pattern string) Step {
	re := regexp.MustCompile(pattern)
	return Step{"expect " + pattern, func(s *stage) error {
		f, err := s.reader.Read()
		if err != nil {
			return err
		}
		text := string(f.Header)
		if len(f.Body) > 0 {
			text += "\n\n" + string(f.Body)
		}
		s.note("got  ", text)
		if !re.MatchString(text) {
			return fmt.Errorf("%q does not match", text)
		}
		return nil
	}}
}

// Send sends bytes as they are. Reply, API, PlainEvent and ConnectReply build
// frames.
func Send(bytes string) Step {
	return Step{"send", func(s *stage) error {
		s.note("sent ", bytes)
		_, err := io.WriteString(s.conn, bytes)
		return err
	}}
}

// SendSlowly sends bytes in pieces of size.
func SendSlowly(bytes string, size int) Step {
	return Step{"send slowly", func(s *stage) error {
		s.note("sent ", bytes)
		for len(bytes) > 0 {
			n := min(size, len(bytes))
			if _, err := io.WriteString(s.conn, bytes[:n]); err != nil {
				return err
			}
			bytes = bytes[n:]
		}
		return nil
	}}
}

// Wait does nothing for a while.
func Wait(d time.Duration) Step {
	return Step{"wait", func(*stage) error { time.Sleep(d); return nil }}
}

// Close closes the connection.
func Close() Step {
	return Step{"close", func(s *stage) error { return s.conn.Close() }}
}

// WaitForClose waits until the other side closes the connection; anything it
// still sends is an error.
func WaitForClose() Step {
	return Step{"wait for close", func(s *stage) error {
		f, err := s.reader.Read()
		if err == nil {
			return fmt.Errorf("got %q instead", f.Header)
		}
		return nil
	}}
}

// stage is a Script that runs.
type stage struct {
	conn   net.Conn
	reader *eslctl.Reader
	so     strings.Builder
}

func (s *stage) note(what, text string) {
	s.so.WriteString(what + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n     ") + "\n")
}

// Run plays the script over the connection and closes it. An error tells the
// step that failed and the conversation so far.
func (s Script) Run(conn net.Conn) error {
	defer conn.Close()
	st := &stage{conn: conn, reader: eslctl.NewReader(conn)}
	for i, step := range s {
		if err := step.do(st); err != nil {
			return fmt.Errorf("step %d, %s: %w; so far:\n%s", i+1, step.what, err, st.so.String())
		}
	}
	return nil
}

// Reply is a command/reply.
func Reply(text string) string { return "Content-Type: command/reply\nReply-Text: " + text + "\n\n" }

// API is an api/response.
func API(body string) string {
	return fmt.Sprintf("Content-Type: api/response\nContent-Length: %d\n\n%s", len(body), body)
}

// PlainEvent is an event with the headers, "Name: value" each; values are
// encoded.
func PlainEvent(name string, headers ...string) string {
	body := string(appendLines([]byte("Event-Name: "+name+"\n"), headers)) + "\n"
	return fmt.Sprintf("Content-Length: %d\nContent-Type: text/event-plain\n\n%s", len(body), body)
}

// ConnectReply is the reply to connect, with the headers in front of its last
// four.
func ConnectReply(headers ...string) string {
	return string(appendLines([]byte("Event-Name: CHANNEL_DATA\n"), headers)) +
		"Content-Type: command/reply\nReply-Text: %2BOK%0A\nSocket-Mode: async\nControl: full\n\n"
}

func appendLines(b []byte, headers []string) []byte {
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		b = append(encode(append(b, name+": "...), value), '\n')
	}
	return b
}

// Disconnect is a disconnect notice.
func Disconnect() string {
	return fmt.Sprintf("Content-Type: text/disconnect-notice\nContent-Disposition: disconnect\nContent-Length: %d\n\n%s",
		len(goodbye), goodbye)
}
