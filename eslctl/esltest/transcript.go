package esltest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/eslctl"
)

// Transcript is what went over the event socket of a real FreeSWITCH in one
// run, as recorded in eslctl/testdata/transcripts.
//
// A file begins with lines "# text" that say what was done. A record is a line
// ">>> MS len=N conn=C" (server to FreeSWITCH) or "<<< …" (the other way),
// then N bytes, one frame, then a newline. Lines "# @ MS text" between records
// tell what happened beside the socket, on the same clock.
type Transcript struct {
	About   []string
	Records []Record
}

// Record is a frame or a note of a Transcript.
type Record struct {
	Note  string        // what happened; "": it is a frame
	At    time.Duration // since the first connection
	Conn  int           // which connection, from 1
	Sent  bool          // by FreeSWITCH
	Bytes []byte        // the frame
}

// Frame returns the record's frame.
func (r Record) Frame() (eslctl.Frame, error) {
	return eslctl.NewReader(bytes.NewReader(r.Bytes)).Read()
}

var (
	recordLine = regexp.MustCompile(`^(>>>|<<<) (-?\d+) len=(\d+) conn=(\d+)$`)
	noteLine   = regexp.MustCompile(`^# @ (-?\d+) (.*)$`)
)

// OpenTranscript reads a transcript from a file.
func OpenTranscript(file string) (*Transcript, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := ReadTranscript(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return t, nil
}

// ReadTranscript reads a transcript.
func ReadTranscript(src io.Reader) (*Transcript, error) {
	r := bufio.NewReader(src)
	t := &Transcript{}
	for n := 1; ; n++ {
		line, err := r.ReadString('\n')
		if err == io.EOF && line == "" {
			return t, nil
		}
		if err != nil {
			return nil, err
		}
		line = strings.TrimSuffix(line, "\n")
		if m := noteLine.FindStringSubmatch(line); m != nil {
			t.Records = append(t.Records, Record{Note: m[2], At: millis(m[1])})
			continue
		}
		if about, ok := strings.CutPrefix(line, "# "); ok {
			t.About = append(t.About, about)
			continue
		}
		m := recordLine.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("record %d: %.60q is neither a record nor a note", n, line)
		}
		size, _ := strconv.Atoi(m[3])
		conn, _ := strconv.Atoi(m[4])
		frame := make([]byte, size+1)
		if _, err := io.ReadFull(r, frame); err != nil || frame[size] != '\n' {
			return nil, fmt.Errorf("record %d: the length does not end at a record", n)
		}
		t.Records = append(t.Records, Record{At: millis(m[2]), Conn: conn, Sent: m[1] == "<<<", Bytes: frame[:size]})
	}
}

func millis(s string) time.Duration {
	n, _ := strconv.Atoi(s)
	return time.Duration(n) * time.Millisecond
}

// Test is what Replay needs of a testing.TB.
type Test interface {
	Helper()
	Errorf(format string, args ...any)
}

// Replay plays FreeSWITCH's side of a transcript: every connection of the file
// is one call of handle, with one end of a net.Pipe. FreeSWITCH's frames are
// sent as they are; before those that answer one of the recorded server's
// steps (connect, execute, hangup, exit), the handler must take that step too.
// Execute matches by application, hangup also by uuid_kill. Commands of the
// recorded server that only prepare something (events, filters, variables) are
// passed over, and those that the handler sends beyond the recorded ones are
// answered well. The handler's event-uuids take the place of the recorded ones.
func Replay(t Test, file string, handle func(conn net.Conn)) {
	t.Helper()
	tr, err := OpenTranscript(file)
	if err != nil {
		t.Errorf("%v", err)
		return
	}
	for n := 1; ; n++ {
		var records []Record
		for _, r := range tr.Records {
			if r.Note == "" && r.Conn == n {
				records = append(records, r)
			}
		}
		if len(records) == 0 {
			return
		}
		here, there := net.Pipe()
		var handler sync.WaitGroup
		handler.Go(func() { handle(there) })
		p := &replay{conn: here, records: records, uuids: map[string]string{}, frames: make(chan eslctl.Frame)}
		go p.read()
		if err := p.run(); err != nil {
			t.Errorf("%s, connection %d: %v", file, n, err)
		}
		here.Close()
		handler.Wait()
	}
}

// replay is one connection of Replay.
type replay struct {
	conn    net.Conn
	records []Record
	uuids   map[string]string // recorded event-uuid → the handler's
	frames  chan eslctl.Frame // of the handler
	early   []eslctl.Frame    // steps of the handler that came before their turn
	seen    []string
	hungUp  bool // the call's end was sent
}

// errLeft says that the handler closed the connection when it could.
var errLeft = errors.New("the handler has left")

func (p *replay) read() {
	defer close(p.frames)
	r := eslctl.NewReader(p.conn)
	for {
		f, err := r.Read()
		if err != nil {
			return
		}
		p.frames <- f.Clone()
	}
}

func (p *replay) run() error {
	defer func() {
		p.conn.Close()
		for range p.frames {
		}
	}()
	for i := 0; i < len(p.records); i++ {
		rec := p.records[i]
		f, err := rec.Frame()
		if err != nil {
			return err
		}
		if rec.Sent {
			p.hungUp = p.hungUp || bytes.Contains(rec.Bytes, []byte("Event-Name: CHANNEL_HANGUP\n"))
			if err := p.send(rec.Bytes); err != nil {
				return nil // the handler has left: its right once it has seen the end
			}
			continue
		}
		want := step(f)
		if want == "" { // passed over, with the reply that follows
			p.skipReply(i)
			continue
		}
		if err := p.await(want, f); err == errLeft {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// skipReply removes the reply to the command at i.
func (p *replay) skipReply(i int) {
	for j := i + 1; j < len(p.records); j++ {
		if r := p.records[j]; r.Sent {
			if f, err := r.Frame(); err == nil && isReply(f) {
				p.records = append(p.records[:j:j], p.records[j+1:]...)
				return
			}
		}
	}
}

func isReply(f eslctl.Frame) bool {
	kind := f.Get("Content-Type")
	return kind == "command/reply" || kind == "api/response"
}

// step names what a command does, when Replay waits for it.
func step(f eslctl.Frame) string {
	cmd := f.Command()
	switch verb, rest, _ := strings.Cut(cmd, " "); verb {
	case "connect", "exit":
		return verb
	case "api":
		if strings.HasPrefix(rest, "uuid_kill") {
			return "hangup"
		}
	case "sendmsg":
		if f.Get("call-command") == "hangup" {
			return "hangup"
		}
		switch app := f.Get("execute-app-name"); app {
		case "set", "multiset", "unset", "export":
		default:
			return app
		}
	}
	return ""
}

// next yields the handler's commands in order.
func (p *replay) next(yield func(eslctl.Frame) bool) {
	for {
		var f eslctl.Frame
		if len(p.early) > 0 {
			f, p.early = p.early[0], p.early[1:]
		} else if next, ok := <-p.frames; ok {
			f = next
		} else {
			return
		}
		if !yield(f) {
			return
		}
	}
}

// await waits for the handler's command and answers all that come before it.
func (p *replay) await(want string, recorded eslctl.Frame) error {
	for f := range p.next {
		got := step(f)
		p.seen = append(p.seen, f.Command()+" "+got)
		if got == want {
			if old, own := recorded.Get("event-uuid"), f.Get("event-uuid"); old != "" && own != "" {
				p.uuids[old] = own
			}
			return nil
		}
		if err := p.send([]byte(goodReply(f))); err != nil {
			break
		}
	}
	if p.hungUp || want == "hangup" || want == "exit" {
		return errLeft // by closing, or because the call was over
	}
	return fmt.Errorf("the handler left before %q; it sent %q", want, p.seen)
}

func goodReply(f eslctl.Frame) string {
	if verb, _, _ := strings.Cut(f.Command(), " "); verb == "api" {
		return "Content-Type: api/response\nContent-Length: 4\n\n+OK\n"
	}
	return "Content-Type: command/reply\nReply-Text: +OK\n\n"
}

// send writes a frame of FreeSWITCH's with the handler's event-uuids, while it
// goes on taking commands: of those that come meanwhile, steps wait for their turn and
// others get a good reply.
func (p *replay) send(frame []byte) error {
	head, body, _ := bytes.Cut(frame, []byte("\n\n"))
	for old, own := range p.uuids {
		body = bytes.ReplaceAll(body, []byte(old), []byte(own))
	}
	if bytes.HasPrefix(head, []byte("Content-Length:")) {
		_, rest, _ := bytes.Cut(head, []byte("\n"))
		head = fmt.Appendf(nil, "Content-Length: %d\n%s", len(body), rest)
	}
	frame = append(append(bytes.Clone(head), "\n\n"...), body...)
	wrote := make(chan error, 1)
	go func() { _, err := p.conn.Write(frame); wrote <- err }()
	var late []eslctl.Frame
	for {
		select {
		case err := <-wrote:
			for _, f := range late {
				if err == nil {
					_, err = p.conn.Write([]byte(goodReply(f)))
				}
			}
			return err
		case f, ok := <-p.frames:
			if !ok {
				return io.ErrClosedPipe
			}
			if step(f) != "" {
				p.early = append(p.early, f)
				continue
			}
			late = append(late, f)
		}
	}
}
