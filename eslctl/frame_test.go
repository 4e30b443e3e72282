package eslctl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

func readAll(t *testing.T, src io.Reader) ([]Frame, error) {
	t.Helper()
	r := NewReader(src)
	var out []Frame
	for {
		f, err := r.Read()
		if err != nil {
			return out, err
		}
		out = append(out, f.Clone())
	}
}

func TestReaderReadsFramesHoweverTheyAreCut(t *testing.T) {
	big := strings.Repeat("x", 100_000)
	wire := "connect\n\n" +
		"sendmsg\ncall-command: execute\ncontent-length: 5\n\nhello" +
		"\n\nContent-Type: command/reply\r\nReply-Text: +OK\r\n\r\n" +
		fmt.Sprintf("Content-Length: %d\nContent-Type: api/response\n\n%s", len(big), big) +
		"api status\n\n"
	for name, cut := range map[string]func(io.Reader) io.Reader{
		"whole":   func(r io.Reader) io.Reader { return r },
		"halves":  iotest.HalfReader,
		"bytes":   iotest.OneByteReader,
		"dataErr": iotest.DataErrReader,
	} {
		t.Run(name, func(t *testing.T) {
			frames, err := readAll(t, cut(strings.NewReader(wire)))
			if err != io.EOF {
				t.Fatalf("ended with %v, want EOF", err)
			}
			if len(frames) != 5 {
				t.Fatalf("read %d frames, want 5", len(frames))
			}
			if got := frames[0].Command(); got != "connect" {
				t.Errorf("command %q, want connect", got)
			}
			if got := string(frames[1].Body); got != "hello" {
				t.Errorf("body %q, want hello", got)
			}
			if got := frames[2].Get("reply-text"); got != "+OK" {
				t.Errorf("Reply-Text %q, want +OK", got)
			}
			if got := string(frames[3].Body); got != big {
				t.Errorf("large body of %d bytes, want %d", len(got), len(big))
			}
			if got := frames[4].Command(); got != "api status" {
				t.Errorf("command %q, want api status", got)
			}
		})
	}
}

func TestReaderRefusesWhatIsNoFrame(t *testing.T) {
	for name, wire := range map[string]string{
		"negative length":  "Content-Length: -1\n\n",
		"huge length":      "Content-Length: 1000000000000000\n\n",
		"length over cap":  fmt.Sprintf("Content-Length: %d\n\n", MaxBody+1),
		"length no number": "Content-Length: many\n\n",
		"signed length":    "Content-Length: +5\n\nhello",
		"endless header":   strings.Repeat("a: b\n", MaxHeader/5+2),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readAll(t, strings.NewReader(wire))
			var bad *FrameError
			if !errors.As(err, &bad) {
				t.Fatalf("ended with %v, want a *FrameError", err)
			}
		})
	}
	t.Run("cut short", func(t *testing.T) {
		_, err := readAll(t, strings.NewReader("Content-Length: 10\n\nhello"))
		if err != io.ErrUnexpectedEOF {
			t.Fatalf("ended with %v, want ErrUnexpectedEOF", err)
		}
	})
}

// A frame that only claims to be long must not cost what it claims.
func TestReaderHoldsNoMoreThanArrived(t *testing.T) {
	wire := fmt.Sprintf("Content-Length: %d\n\nshort", MaxBody)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := readAll(t, strings.NewReader(wire)); err != io.ErrUnexpectedEOF {
		t.Fatalf("ended with %v, want ErrUnexpectedEOF", err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("allocated %d bytes for a frame of %d", got, len(wire))
	}
}

func TestEventFindsHeadersOnlyWhereTheyAre(t *testing.T) {
	body := "Event-Name: CHANNEL_ANSWER\nCaller-Unique-ID: wrong\nUnique-ID: right\n" +
		"variable_note: Unique-ID%3A%20inside\nvariable_odd: 100%\nContent-Length: 4\n\nbodyrest"
	ev, err := ParseEvent([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Event-Name": "CHANNEL_ANSWER", "Unique-ID": "right", "Caller-Unique-ID": "wrong",
		"variable_note": "Unique-ID: inside", "variable_odd": "100%", "ID": "", "Missing": "",
	} {
		if got := ev.Get(name); got != want {
			t.Errorf("Get(%q) = %q, want %q", name, got, want)
		}
	}
	if ev.Body() != "body" {
		t.Errorf("body %q, want body", ev.Body())
	}
	n := 0
	for range ev.All() {
		n++
	}
	if n != 6 {
		t.Errorf("All gave %d headers, want 6", n)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("connect\n\n"), 3)
	f.Add([]byte("Content-Length: 5\n\nhelloContent-Length: 0\n\n"), 1)
	f.Add([]byte("Content-Length: -5\n\nhello"), 7)
	f.Add([]byte("\n\n\r\n\nA: b\n\n"), 2)
	f.Fuzz(func(t *testing.T, wire []byte, chunk int) {
		whole, err := readAll(t, bytes.NewReader(wire))
		if err == nil {
			t.Fatal("a finite source ended without an error")
		}
		cut, _ := readAll(t, &chunks{wire, max(chunk%64, 1)})
		if len(whole) != len(cut) {
			t.Fatalf("%d frames whole, %d in chunks", len(whole), len(cut))
		}
		size := 0
		for i := range whole {
			if !bytes.Equal(whole[i].Header, cut[i].Header) || !bytes.Equal(whole[i].Body, cut[i].Body) {
				t.Fatalf("frame %d differs when it comes in chunks", i)
			}
			size += len(whole[i].Header) + 2 + len(whole[i].Body)
		}
		if size > len(wire) {
			t.Fatalf("%d bytes of frames from %d bytes", size, len(wire))
		}
	})
}

type chunks struct {
	rest []byte
	size int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.rest[:min(c.size, len(c.rest))])
	c.rest = c.rest[n:]
	return n, nil
}

func FuzzEvent(f *testing.F) {
	f.Add([]byte("Event-Name: DTMF\nDTMF-Digit: 1\n\n"), "DTMF-Digit")
	f.Add([]byte("a: %zz\nContent-Length: 3\n\nabc"), "a")
	f.Fuzz(func(t *testing.T, body []byte, name string) {
		ev, err := ParseEvent(body)
		if err != nil {
			return
		}
		if name != "" && !strings.ContainsAny(name, ":\n") {
			want, found := "", false
			for line := range strings.SplitSeq(string(ev.head), "\n") {
				if v, ok := strings.CutPrefix(line, name+":"); ok {
					want, found = decode([]byte(strings.TrimPrefix(v, " "))), true
					break
				}
			}
			if ev.Has(name) != found || ev.Get(name) != want {
				t.Fatalf("Get(%q) = %q, %v; want %q, %v", name, ev.Get(name), ev.Has(name), want, found)
			}
		}
		ev.Clone().Body()
		for range ev.All() {
		}
	})
}
