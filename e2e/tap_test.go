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
	"sync"

	"github.com/hookswitch/hookswitch/e2e/hostile"
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
		whose <- wire{hostile.Channel(h["Unique-ID"]), h["Caller-Caller-ID-Number"]}
		server.Write(reply.Bytes())
		io.Copy(server, in)
	}()
	defer fs.Close()
	in := bufio.NewReader(io.TeeReader(server, fs))
	var w wire
	for {
		p, err := hostile.ReadPacket(in)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				t.refuse(w, err)
			}
			return
		}
		if w.channel == "" && p.Command != "connect\n\n" {
			w = <-whose
		}
		name, err := w.channel.Judge(p)
		if err != nil {
			t.refuse(w, err)
		}
		t.mu.Lock()
		t.sent[w.caller] = append(t.sent[w.caller], name)
		t.mu.Unlock()
	}
}

// wire is one connection that controls a call.
type wire struct {
	channel hostile.Channel
	caller  string
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
