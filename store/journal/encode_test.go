package journal

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// sameAsJSON checks that e, written by hand, is read as if encoding/json had
// written and read it.
func sameAsJSON(t *testing.T, e call.Event) {
	t.Helper()
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var want, got call.Event
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	text := AppendEvent([]byte("before"), e)[len("before"):]
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	if len(text) > 0 && text[len(text)-1] != '\n' || strings.Count(string(text), "\n") != 1 {
		t.Errorf("not one line: %q", text)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("encoding/json reads\n got %+v\nwant %+v", got, want)
	}
	if e.Call == "" {
		return
	}
	if got, err = DecodeEvent(text[:len(text)-1]); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("DecodeEvent reads %v\n got %+v\nwant %+v", err, got, want)
	}
}

var full = call.Event{Call: "0b9a1a4e-5d7e-4c8a-9d5f-3f8a1f0c0001", Epoch: 2, Seq: 17,
	Time: time.Date(2026, 10, 3, 12, 0, 0, 123456789, time.UTC), Node: "n1", Type: call.Step, Step: "welcome", Kind: "menu",
	Exit: "1", Why: "pressed 1", Millis: 1834, Leg: "leg", Target: "alice", Cause: call.UserBusy,
	Attrs: map[string]string{"from": "+15551234567", "to": "+15557654321", "flow": "main-line"}}

func TestEventsAreWrittenAsEncodingJSONWould(t *testing.T) {
	odd := full
	odd.Why = "\" \\ / \b \f \n \r \t \x00 \x1f \x7f <&> é € 😀 \u2028 \xff\xfe \xed\xa0\x80"
	odd.Attrs = map[string]string{"": "", "\xff": "\n", `"`: `\`}
	odd.Time = time.Date(2026, 10, 3, 12, 0, 0, 0, time.UTC)
	negative := call.Event{Call: "a", Epoch: -1, Seq: -1 << 60, Millis: -5, Time: time.Date(9999, 1, 1, 0, 0, 0, 1, time.UTC)}
	for _, e := range []call.Event{{}, full, odd, negative} {
		sameAsJSON(t, e)
	}
	if _, ok := decodeFast(AppendEvent(nil, full)[:len(AppendEvent(nil, full))-1]); !ok {
		t.Error("an ordinary event is not read the fast way")
	}
}

func TestTimesAreWrittenInUTC(t *testing.T) {
	e := full
	e.Time = e.Time.In(time.FixedZone("", 3600))
	if text := string(AppendEvent(nil, e)); text != string(AppendEvent(nil, full)) {
		t.Error(text)
	}
	e.Time = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := DecodeEvent(AppendEvent(nil, e)); err != nil {
		t.Errorf("a broken clock makes an event that cannot be read: %v", err)
	}
}

func TestEventsThatAreTooLongAreShortened(t *testing.T) {
	e := full
	e.Why = strings.Repeat("\x01", MaxLine)
	text := AppendEvent(nil, e)
	got, err := DecodeEvent(text)
	if err != nil || len(text) > MaxLine {
		t.Fatalf("%d bytes: %v", len(text), err)
	}
	if got.Call != e.Call || got.Seq != e.Seq || got.Cause != e.Cause || got.Attrs["truncated"] != "true" {
		t.Errorf("%+v", got)
	}
}

func FuzzEncode(f *testing.F) {
	f.Add("id", "node", "type", "why", "cause", 1, 2, int64(3), int64(1e18), "key", "value")
	f.Add("", "\xff", "\n", "\u2028", "\"", -1, 0, int64(-3), int64(0), "", "")
	f.Fuzz(func(t *testing.T, id, node, typ, why, cause string, epoch, seq int, ms, nanos int64, key, value string) {
		e := call.Event{Call: id, Node: node, Type: call.Type(typ), Why: why, Cause: call.Cause(cause),
			Epoch: epoch, Seq: seq, Millis: ms, Time: time.Unix(0, nanos).UTC()}
		if value != "" {
			e.Attrs = map[string]string{key: value}
		}
		if len(AppendEvent(nil, e)) < MaxLine/2 { // not shortened
			sameAsJSON(t, e)
		}
	})
}

// FuzzDecode holds the fast way of reading against encoding/json.
func FuzzDecode(f *testing.F) {
	f.Add(AppendEvent(nil, full))
	f.Add([]byte(`{"call":"a","epoch":1,"seq":01,"time":"2026-10-03T12:00:00Z","type":""}`))
	f.Add([]byte(`{"call":"a","epoch":1,"seq":1,"time":"2026-10-03T12:00:00,5Z","type":"","attrs":{"a":"b","a":"c"}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		fast, ok := decodeFast(line)
		if !ok {
			return
		}
		var want call.Event
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatalf("%q is read as %+v, encoding/json says %v", line, fast, err)
		}
		if !reflect.DeepEqual(fast, want) {
			t.Errorf("%q\n got %+v\nwant %+v", line, fast, want)
		}
	})
}

// FuzzRead takes any bytes for a segment: nothing may panic or be passed over
// in silence.
func FuzzRead(f *testing.F) {
	line := AppendEvent(nil, full)
	f.Add(line)
	f.Add(line[:len(line)-5])
	f.Add(append([]byte("\x00\x00\n{\n"), line...))
	f.Add([]byte(strings.Repeat("[", 100_000)))
	f.Fuzz(func(t *testing.T, segment []byte) {
		for _, complete := range []bool{true, false} {
			var seen copies
			events, damaged := 0, 0
			at := position{path: "segment"}
			if _, err := at.read(bytes.NewReader(segment), complete, &seen, func(e call.Event, err error) bool {
				if err != nil {
					damaged++
				} else {
					events++
				}
				return true
			}); err != nil {
				t.Fatal(err)
			}
			lines := bytes.Count(segment, []byte("\n"))
			if complete && len(segment) > 0 && segment[len(segment)-1] != '\n' {
				lines++
			}
			if events+damaged > lines || len(seen.now) != events || at.line != lines {
				t.Errorf("complete %t: %d lines, %d events, %d damaged, at line %d", complete, lines, events, damaged, at.line)
			}
			if complete && at.offset != int64(len(segment)) {
				t.Errorf("read %d bytes of %d", at.offset, len(segment))
			}
		}
	})
}

func TestReadingAnEndlessLineTakesLittleMemory(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(segmentPath(dir, 1), make([]byte, 32<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	j := open(t, dir, Options{})
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
		t.Errorf("took %d bytes", took)
	}
	if c := j.Report().Cut; c == nil || c.Bytes != 32<<20 {
		t.Errorf("cut %v", c)
	}
}
