//go:build freeswitch

package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
)

// tap stands between FreeSWITCH and a server. It passes on every byte, and reads
// what the server sends as FreeSWITCH reads it.
type tap struct {
	nodes, takeover string // where FreeSWITCH connects to
	listeners       []net.Listener

	mu      sync.Mutex
	sent    map[string][]string // commands of each call, by the number of its caller
	refused []string            // what no server of ours sends
}

// newTap listens in front of the two addresses of a server.
func newTap(nodes, takeover string) (*tap, error) {
	t := &tap{sent: map[string][]string{}}
	for _, to := range []string{nodes, takeover} {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.close()
			return nil, err
		}
		t.listeners = append(t.listeners, l)
		go t.serve(l, to)
	}
	t.nodes, t.takeover = t.listeners[0].Addr().String(), t.listeners[1].Addr().String()
	return t, nil
}

func (t *tap) close() {
	for _, l := range t.listeners {
		l.Close()
	}
}

func (t *tap) serve(l net.Listener, to string) {
	for {
		fs, err := l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp4", to)
		if err != nil {
			fs.Close()
			continue
		}
		go t.join(fs, server)
	}
}

// join passes both directions on until one of them ends. The reply to connect
// says whose call it is, and nothing comes before it.
func (t *tap) join(fs, server net.Conn) {
	whose := make(chan wire, 1)
	go func() {
		defer server.Close()
		defer close(whose)
		in := bufio.NewReader(fs)
		var reply bytes.Buffer
		for !bytes.HasSuffix(reply.Bytes(), []byte("\n\n")) {
			line, err := in.ReadBytes('\n')
			reply.Write(line)
			if err != nil {
				return
			}
		}
		h := headers(reply.Bytes())
		whose <- wire{uuid: h["Unique-ID"], caller: h["Caller-Caller-ID-Number"]}
		server.Write(reply.Bytes())
		io.Copy(server, in)
	}()
	defer fs.Close()
	in := bufio.NewReader(io.TeeReader(server, fs))
	var w wire
	for {
		p, err := readPacket(in)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				t.refuse(w, err)
			}
			return
		}
		if w.uuid == "" && p.command != "connect\n\n" {
			w = <-whose
		}
		name, err := w.judge(p)
		if err != nil {
			t.refuse(w, err)
		}
		t.mu.Lock()
		t.sent[w.caller] = append(t.sent[w.caller], name)
		t.mu.Unlock()
	}
}

func (t *tap) refuse(w wire, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refused = append(t.refused, fmt.Sprintf("%s: %v", w.caller, err))
}

// faults returns what was refused so far.
func (t *tap) faults() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.refused)
}

// commands returns the names of the commands of a call, but for those whose number
// is a matter of time: the question whether the switch is still there.
func (t *tap) commands(caller string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(t.sent[caller]), func(s string) bool { return s == "" || s == "api status" })
}

// packet is a command as FreeSWITCH takes it from the stream.
type packet struct {
	command string // with all lines of its header, as it is kept there
	header  [][2]string
	body    string
}

// readPacket does what read_packet does (mod_event_socket.c): line breaks in front
// are skipped, two end the header, whatever stands between them; what follows a NUL
// is not seen; a carriage return anywhere makes all before it one line; the body is
// as long as atoi says.
func readPacket(r io.ByteReader) (packet, error) {
	var buf []byte
	for breaks := 0; breaks < 2; {
		b, err := r.ReadByte()
		if err != nil {
			if len(buf) > 0 {
				return packet{}, fmt.Errorf("the stream ends in %q", buf)
			}
			return packet{}, io.EOF
		}
		if buf = append(buf, b); buf[0] == '\r' || buf[0] == '\n' {
			buf = buf[:0]
			continue
		}
		switch b {
		case '\n':
			breaks++
		case '\r':
		default:
			breaks = 0
		}
	}
	p := packet{command: cString(buf)}
	for i, rest := 0, p.command; rest != ""; i++ {
		line := rest
		at := strings.IndexByte(rest, '\r')
		if at < 0 {
			at = strings.IndexByte(rest, '\n')
		}
		if at < 0 {
			rest = ""
		} else {
			rest = strings.TrimLeft(rest[at:], "\r\n")
		}
		name, value, ok := strings.Cut(stripCR(line), ":")
		if i == 0 || !ok {
			continue
		}
		value = strings.TrimLeft(value, " ")
		p.header = append(p.header, [2]string{name, value})
		if strings.EqualFold(name, "content-length") {
			body := make([]byte, max(atoi(value), 0))
			for j := range body {
				b, err := r.ReadByte()
				if err != nil {
					return packet{}, fmt.Errorf("the stream ends in the body of %q", p.command)
				}
				body[j] = b
			}
			p.body += cString(body)
		}
	}
	return p, nil
}

// cString is what C sees of the bytes.
func cString(b []byte) string {
	head, _, _ := bytes.Cut(b, []byte{0})
	return string(head)
}

// stripCR cuts a text as strip_cr does.
func stripCR(s string) string {
	at := strings.IndexByte(s, '\r')
	if at < 0 {
		at = strings.IndexByte(s, '\n')
	}
	if at < 0 {
		return s
	}
	return s[:at]
}

func atoi(s string) (n int) {
	s = strings.TrimLeft(s, " \t\v\f")
	sign := 1
	if s != "" && (s[0] == '-' || s[0] == '+') {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	for i := 0; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		n = n*10 + int(s[i]-'0')
	}
	return sign * n
}
