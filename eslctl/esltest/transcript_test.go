package esltest_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/eslctl"
	"github.com/hookswitch/hookswitch/eslctl/esltest"
)

// Every frame that a real FreeSWITCH sent, and every event in it, is read as an
// independent reader of the same bytes reads it.
func TestCodecReadsEveryTranscript(t *testing.T) {
	files, err := filepath.Glob(transcripts + "/*.esl")
	if err != nil || len(files) < 60 {
		t.Fatal(len(files), err)
	}
	frames, events := 0, 0
	for _, file := range files {
		tr, err := esltest.OpenTranscript(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range tr.Records {
			if r.Note != "" {
				continue
			}
			frames++
			f, err := r.Frame()
			if err != nil {
				t.Fatalf("%s at %v: %v", file, r.At, err)
			}
			want, body := block(t, r.Bytes)
			checkFrame(t, f, want, body)
			if bytes.HasPrefix(r.Bytes, []byte("Event-Name:")) {
				body = r.Bytes
			} else if f.Get("Content-Type") != "text/event-plain" {
				continue
			}
			events++
			ev, err := eslctl.ParseEvent(body)
			if err != nil {
				t.Fatalf("%s at %v: %v", file, r.At, err)
			}
			checkEvent(t, ev, body)
		}
	}
	if frames < 1700 || events < 440 {
		t.Errorf("only %d frames and %d events: are the transcripts there?", frames, events)
	}
}

// block reads a header block the plain way.
func block(t *testing.T, data []byte) (lines [][2]string, body []byte) {
	head, rest, ok := strings.Cut(string(data), "\n\n")
	if !ok {
		t.Fatalf("no end of the headers in %q", data)
	}
	for line := range strings.SplitSeq(head, "\n") {
		name, value, _ := strings.Cut(line, ":")
		lines = append(lines, [2]string{name, strings.TrimPrefix(value, " ")})
	}
	return lines, []byte(rest)
}

func checkFrame(t *testing.T, f eslctl.Frame, want [][2]string, body []byte) {
	t.Helper()
	length := 0
	for _, h := range want {
		if got := f.Get(h[0]); got != strings.TrimSpace(h[1]) && !strings.HasPrefix(f.Command(), h[0]) {
			t.Errorf("frame: %s is %q, want %q", h[0], got, h[1])
		}
		if strings.EqualFold(h[0], "Content-Length") {
			length, _ = strconv.Atoi(h[1])
		}
	}
	if len(f.Body) != length || !bytes.Equal(f.Body, body[:length]) {
		t.Errorf("body of %d bytes, want %d", len(f.Body), length)
	}
}

func checkEvent(t *testing.T, ev eslctl.Event, data []byte) {
	t.Helper()
	want, body := block(t, data)
	var all [][2]string
	for name, value := range ev.All() {
		all = append(all, [2]string{name, value})
	}
	if len(all) != len(want) {
		t.Fatalf("%s: %d headers, want %d", ev.Name(), len(all), len(want))
	}
	for i, h := range want {
		value, err := url.PathUnescape(h[1])
		if err != nil {
			t.Fatalf("%s: %q is not well encoded", h[0], h[1])
		}
		if all[i] != [2]string{h[0], value} {
			t.Errorf("%s: header %d is %q, want %q", ev.Name(), i, all[i], h)
		}
		// CHANNEL_HANGUP_COMPLETE has its cause twice.
		if got := ev.Get(h[0]); got != value || !ev.Has(h[0]) {
			t.Errorf("%s: %s is %q, want %q", ev.Name(), h[0], got, value)
		}
		if name, ok := strings.CutPrefix(h[0], "variable_"); ok && ev.Var(name) != value {
			t.Errorf("%s: variable %s is %q, want %q", ev.Name(), name, ev.Var(name), value)
		}
	}
	if ev.Body() != string(body) && ev.Has("Content-Length") {
		t.Errorf("%s: body %q, want %q", ev.Name(), ev.Body(), body)
	}
}

// The same frames come out however the network cuts the stream.
func TestCodecReadsTranscriptsInAnyPieces(t *testing.T) {
	for _, name := range []string{"01c_replies", "02_playback_complete", "09_bridge_ok_b_hangs", "29_bgapi_originate", "30_inbound_socket"} {
		tr, err := esltest.OpenTranscript(transcripts + "/" + name + ".esl")
		if err != nil {
			t.Fatal(err)
		}
		var stream []byte
		var want [][]byte
		for _, r := range tr.Records {
			if r.Sent {
				stream = append(stream, r.Bytes...)
				f, _ := r.Frame()
				want = append(want, slices.Concat(f.Header, []byte("\n\n"), f.Body))
			}
		}
		for _, size := range []int{1, 2, 3, 7, 1000, 2047, 2048, 2049, 4096, 65536} {
			got := frames(t, &pieces{stream, size, 0})
			if !slices.EqualFunc(got, want, bytes.Equal) {
				t.Errorf("%s in pieces of %d: %d frames, want %d", name, size, len(got), len(want))
			}
		}
		if name != "01c_replies" {
			continue
		}
		for cut := range stream {
			got := frames(t, io.MultiReader(bytes.NewReader(stream[:cut]), bytes.NewReader(stream[cut:])))
			if !slices.EqualFunc(got, want, bytes.Equal) {
				t.Fatalf("%s cut at byte %d: %d frames, want %d", name, cut, len(got), len(want))
			}
		}
	}
}

// pieces gives a stream a few bytes at a time.
type pieces struct {
	data []byte
	size int
	at   int
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.at == len(p.data) {
		return 0, io.EOF
	}
	n := copy(b, p.data[p.at:min(p.at+p.size, len(p.data))])
	p.at += n
	return n, nil
}

func frames(t *testing.T, src io.Reader) [][]byte {
	r := eslctl.NewReader(src)
	var all [][]byte
	for {
		f, err := r.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, slices.Concat(f.Header, []byte("\n\n"), f.Body))
	}
}

// Replay gives a handler FreeSWITCH's side of a transcript, with the handler's
// own event-uuids.
func TestReplayPlaysFreeSWITCHsSide(t *testing.T) {
	var responses []string
	esltest.Replay(t, transcripts+"/02_playback_complete.esl", func(conn net.Conn) {
		r := eslctl.NewReader(conn)
		say := func(s string) {
			if _, err := io.WriteString(conn, s); err != nil {
				t.Error(err)
			}
		}
		next := func(want func(eslctl.Frame, eslctl.Event) bool) {
			for {
				f, err := r.Read()
				if err != nil {
					t.Error(err)
					return
				}
				ev, _ := eslctl.ParseEvent(f.Body)
				if f.Get("Content-Type") != "text/event-plain" {
					ev = eslctl.Event{}
				}
				if want(f, ev) {
					return
				}
			}
		}
		reply := func(f eslctl.Frame, _ eslctl.Event) bool { return f.Get("Content-Type") == "command/reply" }
		complete := func(uuid string) func(eslctl.Frame, eslctl.Event) bool {
			return func(_ eslctl.Frame, ev eslctl.Event) bool {
				if ev.Name() != "CHANNEL_EXECUTE_COMPLETE" || ev.Get("Application-UUID") != uuid {
					return false
				}
				responses = append(responses, ev.Get("Application-Response"))
				return true
			}
		}
		say("connect\n\n")
		next(reply)
		say("filter Unique-ID x\n\n") // not in the transcript
		next(reply)
		say("sendmsg\ncall-command: execute\nexecute-app-name: answer\nevent-uuid: mine-1\n\n")
		next(complete("mine-1"))
		say("sendmsg\ncall-command: execute\nexecute-app-name: playback\nevent-uuid: mine-2\n\n")
		next(complete("mine-2"))
		say("api uuid_kill x\n\n")
		next(func(_ eslctl.Frame, ev eslctl.Event) bool { return ev.Name() == "CHANNEL_HANGUP_COMPLETE" })
		conn.Close()
	})
	if !slices.Equal(responses, []string{"_none_", "FILE PLAYED"}) {
		t.Errorf("responses %q", responses)
	}
}

func TestScriptTellsWhatWasSaid(t *testing.T) {
	here, there := net.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- esltest.Script{
			esltest.Expect(`^connect$`),
			esltest.SendSlowly(esltest.ConnectReply("Unique-ID: u", "variable_x: a b"), 3),
			esltest.Expect(`^linger`),
		}.Run(here)
	}()
	io.WriteString(there, "connect\n\n")
	f, err := eslctl.NewReader(there).Read()
	if err != nil || f.Get("variable_x") != "a%20b" {
		t.Errorf("%q %v", f.Header, err)
	}
	io.WriteString(there, "exit\n\n")
	err = <-done
	if err == nil || !strings.Contains(err.Error(), "step 3") || !strings.Contains(err.Error(), "got  connect") {
		t.Errorf("error %v", err)
	}
}
