package store_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// events reads a journal's lines.
func events(t testing.TB, lines []byte) []call.Event {
	t.Helper()
	var list []call.Event
	for line := range bytes.Lines(lines) {
		var e call.Event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		list = append(list, e)
	}
	return list
}

func record(t testing.TB, list []call.Event) []byte {
	t.Helper()
	c := store.Project(list)
	c.Events = nil
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}

// testdata/records has the events of a call (NAME.ndjson) and its record (NAME.json,
// written with UPDATE=1).
func TestTheRecordOfACall(t *testing.T) {
	files, err := filepath.Glob("testdata/records/*.ndjson")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".ndjson"), func(t *testing.T) {
			lines, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			list := events(t, lines)
			got, want := record(t, list), strings.TrimSuffix(file, "ndjson")+"json"
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(want, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			text, err := os.ReadFile(want)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, text) {
				t.Errorf("the record is\n%s\nwant\n%s", got, text)
			}
			random := rand.New(rand.NewPCG(1, 2))
			for range 20 {
				mixed := slices.Concat(list, list[:random.IntN(len(list))])
				random.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
				before := slices.Clone(mixed)
				if other := record(t, mixed); !bytes.Equal(other, got) {
					t.Fatalf("in another order, with copies, the record is\n%s\nwant\n%s", other, got)
				}
				if !slices.EqualFunc(before, mixed, func(a, b call.Event) bool { return a.Seq == b.Seq && a.Node == b.Node && a.Epoch == b.Epoch }) {
					t.Fatal("the events were moved")
				}
			}
		})
	}
}

// A node whose disk was lost tells of the end anew, from the switch's record, and
// counts from one again.
func TestACallThatWasToldByTwoJournalsOfOneNodeHasItsEnd(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	event := func(seq int, typ call.Type, after time.Duration) call.Event {
		return call.Event{Call: "a", Epoch: 1, Seq: seq, Node: "n1", Type: typ, Time: at.Add(after)}
	}
	lost := []call.Event{event(1, call.Started, 0), event(2, call.Answered, time.Second), event(3, call.Step, 2*time.Second)}
	anew := []call.Event{event(1, call.Started, time.Minute), event(2, call.Ended, time.Minute)}
	c := store.Project(slices.Concat(lost, lost, anew, anew))
	if c.State != store.Complete || len(c.Events) != 5 || !c.Started.Equal(at) || c.Answered == nil {
		t.Errorf("the record is %+v", c)
	}
}

func TestNoEventsAreAnOpenCall(t *testing.T) {
	if c := store.Project(nil); c.State != store.Open || len(c.Legs) != 0 {
		t.Errorf("got %+v", c)
	}
}

func TestTextsOfARecordHaveBounds(t *testing.T) {
	long := strings.Repeat("ü", 10_000)
	at := time.Date(2026, 10, 3, 9, 0, 0, 0, time.UTC)
	c := store.Project([]call.Event{
		{Call: "c1", Epoch: 1, Seq: 1, Time: at, Type: call.Started, Attrs: map[string]string{"from": long, "to": "+1\x00555", "name": "\xff\xfe"}},
		{Call: "c1", Epoch: 1, Seq: 2, Time: at, Type: call.Tagged, Attrs: map[string]string{"tag": "note", "value": long}},
	})
	for _, s := range []string{c.Caller, c.Name, c.Number, c.Tags[0].Value} {
		if len(s) > 4<<10 || !utf8.ValidString(s) || strings.Contains(s, "\x00") {
			t.Errorf("%d bytes: %.40q", len(s), s)
		}
	}
	if c.Number != "+1\ufffd555" {
		t.Errorf("the number is %q", c.Number)
	}
}

// FuzzProject tries events that no journal would hold.
func FuzzProject(f *testing.F) {
	files, _ := filepath.Glob("testdata/records/*.ndjson")
	for _, file := range files {
		if lines, err := os.ReadFile(file); err == nil {
			f.Add(lines)
		}
	}
	f.Fuzz(func(t *testing.T, lines []byte) {
		var list []call.Event
		for line := range bytes.Lines(lines) {
			var e call.Event
			if json.Unmarshal(line, &e) == nil {
				list = append(list, e)
			}
		}
		got := record(t, list)
		slices.Reverse(list)
		if len(list) > 0 && list[0].Call == list[len(list)-1].Call && !bytes.Equal(got, record(t, list)) {
			t.Errorf("backwards the record is another than\n%s", got)
		}
	})
}

func BenchmarkProject(b *testing.B) {
	for _, name := range []string{"menu", "takeover-in-bridge"} {
		lines, err := os.ReadFile("testdata/records/" + name + ".ndjson")
		if err != nil {
			b.Fatal(err)
		}
		list := events(b, lines)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				store.Project(list)
			}
		})
	}
}
