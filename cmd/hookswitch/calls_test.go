package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/journal"
)

const (
	first  = "11111111-1111-4111-8111-111111111111"
	leg    = "aaaaaaaa-1111-8111-8111-111111111111"
	second = "11112222-1111-4111-8111-111111111111"
)

var began = time.Date(2026, 10, 3, 12, 0, 0, 0, time.UTC)

// written returns the folder of a journal with those events.
func written(t *testing.T, events ...call.Event) string {
	t.Helper()
	dir := t.TempDir()
	j, err := journal.Open(dir, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		j.Append(e)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func event(id string, epoch, seq int, after time.Duration, e call.Event) call.Event {
	e.Call, e.Epoch, e.Seq, e.Time = id, epoch, seq, began.Add(after)
	return e
}

// twoNodes is a call that began on one node and ended on another, and an open one.
func twoNodes(t *testing.T) (one, other string) {
	t.Setenv("TZ", "UTC")
	one = written(t,
		event(first, 1, 1, 0, call.Event{Type: call.Started, Node: "n1", Attrs: map[string]string{"from": "+15551110000", "to": "+15552220000", "flow": "main-line", "version": "3", "campaign": "roofing"}}),
		event(first, 1, 2, 2334*time.Millisecond, call.Event{Type: call.Step, Step: "welcome", Kind: "menu", Exit: "1", Why: "pressed 1", Millis: 2334}),
		event(first, 1, 3, 2335*time.Millisecond, call.Event{Type: call.Tagged, Step: "mark", Kind: "tag", Attrs: map[string]string{"tag": "state", "value": "TX", "source": "flow"}}),
		event(second, 1, 1, time.Minute, call.Event{Type: call.Started, Attrs: map[string]string{"from": "+15553330000", "to": "15554440000", "flow": "other"}}),
		event(second, 1, 2, 61*time.Second, call.Event{Type: call.Step, Step: "hello", Kind: "play", Exit: "next"}),
	)
	other = written(t,
		event(first, 2, 1, 3*time.Second, call.Event{Type: call.Resumed, Node: "n2", Why: "at sales"}),
		event(first, 2, 2, 4*time.Second, call.Event{Type: call.Decided, Step: "sales", Kind: "dial", Attrs: map[string]string{"not.bob\x1b[2J": "cap_hour: 10 of 10"}}),
		event(first, 2, 3, 5*time.Second, call.Event{Type: call.TargetDialed, Step: "sales", Leg: leg, Target: "alice", Attrs: map[string]string{"attempt": "1", "address": "sip:alice@pbx"}}),
		event(first, 2, 4, 7*time.Second, call.Event{Type: call.Connected, Leg: leg, Target: "alice", Attrs: map[string]string{"sip_call_id": "b1@fs1"}}),
		event(first, 2, 5, 65*time.Second, call.Event{Type: call.Released, Leg: leg, Target: "alice", Cause: call.NormalClearing, Millis: 58000}),
		event(first, 2, 6, 65*time.Second, call.Event{Type: call.Step, Step: "sales", Kind: "dial", Exit: "completed", Millis: 62000}),
		event(first, 2, 7, 66*time.Second, call.Event{Type: call.Ended, Cause: call.NormalClearing, Attrs: map[string]string{"by": "caller", "billed": "60000", "duration": "66000"}}),
	)
	return one, other
}

func TestListShowsTheCallsOfSeveralNodesNewestFirst(t *testing.T) {
	one, other := twoNodes(t)
	out, _, err := command(t, "calls", "list", "--journal", other, "--journal", one)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "STARTED ") {
		t.Fatalf("printed:\n%s", out)
	}
	if got := strings.Fields(lines[1]); got[2] != second[:8] || got[8] != "open" || got[len(got)-1] != "hello" {
		t.Errorf("first line: %q", lines[1])
	}
	got := strings.Join(strings.Fields(lines[2])[1:], " ")
	if want := began.Local().Format("15:04:05 ") + first[:8] + " +15551110000 +15552220000 roofing alice NORMAL_CLEARING 1:06 min sales"; got != want {
		t.Errorf("second line:\n got %q\nwant %q", got, want)
	}
	if strings.Contains(out, "\x1b") {
		t.Error("coloured, and this is no terminal")
	}
}

// What another node took is open for who reads the first node's journal alone.
func TestTakenCallIsOpenInTheFirstJournal(t *testing.T) {
	dir := written(t,
		event(first, 1, 1, 0, call.Event{Type: call.Started, Node: "a"}),
		event(first, 1, 2, time.Second, call.Event{Type: call.Taken, Node: "a", Attrs: map[string]string{"node": "b"}}))
	for _, dirs := range [][]string{{dir}, {dir, written(t, event(first, 2, 1, 2*time.Second, call.Event{Type: call.Ended, Node: "b", Cause: call.NormalClearing}))}} {
		c, err := (&journalLog{dirs: dirs}).Call(t.Context(), "", first)
		if want := []store.State{store.Open, store.Complete}[len(dirs)-1]; err != nil || c.State != want || c.Node != "b" {
			t.Errorf("%d journals: %+v, %v", len(dirs), c, err)
		}
	}
}

func TestListFilters(t *testing.T) {
	one, other := twoNodes(t)
	for _, test := range []struct {
		args []string
		want []string
	}{
		{nil, []string{second, first}},
		{[]string{"--limit", "1"}, []string{second}},
		{[]string{"--state", "complete"}, []string{first}},
		{[]string{"--state", "open"}, []string{second}},
		{[]string{"--number", "+15554440000"}, []string{second}},
		{[]string{"--number", "15552220000"}, []string{first}},
		{[]string{"--caller", "+15551110000"}, []string{first}},
		{[]string{"--caller", "+1555111"}, nil},
		{[]string{"--since", "2026-10-03T12:00:30Z"}, []string{second}},
		{[]string{"--since", "1h"}, nil},
		{[]string{"--until", "2026-10-03T12:00:30Z"}, []string{first}},
		{[]string{"--campaign", "roofing"}, []string{first}},
		{[]string{"--target", "alice"}, []string{first}},
		{[]string{"--tag", "state=TX"}, []string{first}},
		{[]string{"--tag", "state=FL"}, nil},
		{[]string{"--cause", "normal_clearing"}, []string{first}},
		{[]string{"--limit", "0", "--org", "default"}, nil},
	} {
		out, _, err := command(t, append([]string{"calls", "list", "-o", "json", "--journal", one, "--journal", other}, test.args...)...)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for dec := json.NewDecoder(strings.NewReader(out)); dec.More(); {
			var c store.Call
			if err := dec.Decode(&c); err != nil {
				t.Fatal(err)
			}
			got = append(got, c.ID)
		}
		if strings.Join(got, " ") != strings.Join(test.want, " ") {
			t.Errorf("%v: %v, want %v", test.args, got, test.want)
		}
	}
	for _, args := range [][]string{{"--state", "closed"}, {"--since", "yesterday"}, {"--until", "soon"}, {"-o", "xml"}, {"--legs"}, {"--cause", "BUSY"}, {"--converted", "maybe"}} {
		if _, _, err := command(t, append([]string{"calls", "list", "--journal", one}, args...)...); err == nil {
			t.Errorf("%v is no mistake", args)
		}
	}
}

func TestShowPrintsTheTimelineOfOneCall(t *testing.T) {
	one, other := twoNodes(t)
	out, _, err := command(t, "calls", "show", "11111", "--journal", other, "--journal", one)
	if err != nil {
		t.Fatal(err)
	}
	want := first + `  +15551110000 → +15552220000
campaign roofing  flow main-line
2026-10-03 12:00:00.000 +0000  NORMAL_CLEARING after 1:06 min  billed 1:00 min  talked 58.0 s

    +0.000  call.started       +15551110000 → +15552220000  campaign=roofing  flow=main-line  version=3
    +2.334  flow.step          welcome (menu)  → 1  pressed 1  2.3 s
    +2.335  call.tags_updated  mark (tag)  source=flow  tag=state  value=TX
    +3.000  call.resumed       at sales
    +4.000  routing.decided    sales (dial)  1 not tried
    +5.000  target.dialed      sales  alice  address=sip:alice@pbx  attempt=1
    +7.000  call.connected     alice
 +1:05.000  call.released      alice  NORMAL_CLEARING  58.0 s
 +1:05.000  flow.step          sales (dial)  → completed  1:02 min
 +1:06.000  call.ended         NORMAL_CLEARING  billed=60000  by=caller  duration=66000

LEG  TARGET  ADDRESS        DIALED  CONNECTED  ENDED      BILLED    CAUSE            Q.850
A    -       -              +0.000  +6.000     +1:06.000  1:00 min  NORMAL_CLEARING  16
B1   alice   sip:alice@pbx  +5.000  +7.000     +1:05.000  58.0 s    NORMAL_CLEARING  16

LEG  CHANNEL                               SIP CALL-ID
A    ` + first + `  -
B1   ` + leg + `  b1@fs1

NOT TRIED  NODE   AT      RULE      VALUE
bob` + "\ufffd" + `[2J    sales  +4.000  cap_hour  10 of 10

TAG    VALUE  SOURCE  NODE  AT      REPLACED
state  TX     flow    mark  +2.335  -
`
	if out = regexp.MustCompile(" +\n").ReplaceAllString(out, "\n"); out != want {
		t.Errorf("printed:\n%s\nwant:\n%s", out, want)
	}

	out, _, err = command(t, "calls", "show", first, "--journal", other, "--journal", one, "-o", "json")
	var c store.Call
	if err != nil || json.Unmarshal([]byte(out), &c) != nil || c.ID != first || len(c.Events) != 10 || len(c.Legs) != 2 || len(c.WhyNot) != 1 {
		t.Errorf("%v, printed:\n%s", err, out)
	}
}

func TestShowPrintsWhatACallIsWorth(t *testing.T) {
	events, err := os.ReadFile("../../store/testdata/records/money.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "00000001.ndjson"), events, 0o644); err != nil {
		t.Fatal(err)
	}
	out, _, err := command(t, "calls", "show", "abababab", "--journal", dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\nnot converted  revenue 55.50 USD  payout 25.00 USD\n",
		"\n   +15.000  call.mark          alice  5.0 s\n",
		"\n+60:00.000  call.revenue_updated  revenue 55.5 USD  reason=it was sold  replaced=40.125 USD  source=webhook:sales\n",
		"\n+60:00.000  call.tags_updated  source=webhook:leads  tag=state  value=TX\n",
		"\nstate  (removed)  api            -     +66:00.000  TX\n",
		"\nMONEY    AMOUNT      SOURCE         AT          REPLACED    REASON\n",
		"\nrevenue  40.125 USD  rule           +1:05.000   40.00 USD   connected with bob for 25s\n",
		"\nrevenue  55.50 USD   webhook:sales  +60:00.000  40.125 USD  it was sold\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	for args, want := range map[string]int{"true": 0, "false": 1} {
		out, _, err := command(t, "calls", "list", "--converted", args, "-o", "json", "--journal", dir)
		if err != nil || strings.Count(out, "\n") != want {
			t.Errorf("--converted %s: %v, printed:\n%s", args, err, out)
		}
	}
}

func TestLegsAreLinesOfACSV(t *testing.T) {
	one, other := twoNodes(t)
	out, _, err := command(t, "calls", "list", "--journal", one, "--journal", other, "--legs", "-o", "csv", "--campaign", "roofing")
	lines := strings.Split(out, "\r\n")
	if err != nil || len(lines) != 4 || !strings.HasPrefix(lines[0], "org,call,uuid,leg,") || !strings.Contains(lines[2], ",B,1,alice,sip:alice@pbx,sales,'+15552220000,") {
		t.Errorf("%v, printed:\n%s", err, out)
	}
	out, _, err = command(t, "calls", "list", "--journal", one, "--journal", other, "-o", "csv")
	if lines := strings.Split(out, "\r\n"); err != nil || len(lines) != 4 || !strings.HasPrefix(lines[0], "org,call,state,") {
		t.Errorf("%v, printed:\n%s", err, out)
	}
}

func TestShowNeedsOneCall(t *testing.T) {
	one, _ := twoNodes(t)
	for id, want := range map[string]string{"1111": "several calls begin with \"1111\": " + first + ", " + second, "9": `there is no call "9"`} {
		if _, _, err := command(t, "calls", "show", id, "--journal", one); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, _, err := command(t, "calls", "show"); err == nil {
		t.Error("show without an id")
	}
	if _, _, err := command(t, "calls", "list", "--journal", filepath.Join(one, "none")); err == nil || !strings.Contains(err.Error(), "--journal") {
		t.Errorf("a journal that does not exist: %v", err)
	}
}

func TestDamageIsToldOnTheSide(t *testing.T) {
	one, _ := twoNodes(t)
	segment := filepath.Join(one, "00000001.ndjson")
	text, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(segment, append([]byte("garbage\n"), text...), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, err := command(t, "calls", "list", "--journal", one, "-o", "json")
	if err != nil || strings.Count(out, "\n") != 2 || !strings.Contains(errs, segment+":1: ") {
		t.Errorf("%v, printed:\n%s\nand:\n%s", err, out, errs)
	}
}

func TestTheJournalIsFoundInTheDataFolder(t *testing.T) {
	one, _ := twoNodes(t)
	data := t.TempDir()
	if err := os.Symlink(one, filepath.Join(data, "journal")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOOKSWITCH_DATA", data)
	out, _, err := command(t, "calls", "list", "-o", "json")
	if err != nil || strings.Count(out, "\n") != 2 {
		t.Errorf("%v, printed:\n%s", err, out)
	}
}

func TestTailPrintsWhatHappensOnEveryNode(t *testing.T) {
	var dirs []string
	var nodes []*journal.Journal
	for range 2 {
		dir := t.TempDir()
		j, err := journal.Open(dir, journal.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		dirs, nodes = append(dirs, dir), append(nodes, j)
	}
	follow, err := followAll(t.Context(), dirs)
	if err != nil {
		t.Fatal(err)
	}
	nodes[0].End(first, call.NormalClearing, nil)
	nodes[1].End(second, call.UserBusy, nil)
	r, w := io.Pipe()
	go func() {
		tl := newTimeline(w, false, true)
		n := 0
		for e, err := range follow {
			if err == nil {
				err = tl.event(e)
			}
			if n++; n == 4 || err != nil {
				w.CloseWithError(err)
				return
			}
		}
	}()
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"  11111111  call.started       late=true\n", "  11111111  call.ended         NORMAL_CLEARING\n", "  11112222  call.ended         USER_BUSY\n"} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("lacks %q:\n%s", want, out)
		}
	}
	if _, _, err := command(t, "calls", "tail", "--journal", filepath.Join(dirs[0], "none")); err == nil {
		t.Error("a journal that does not exist was followed")
	}
}

func TestTimesReadWell(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "+0.000", 1234 * time.Millisecond: "+1.234", 59*time.Second + 999600*time.Microsecond: "+1:00.000",
		65500 * time.Millisecond: "+1:05.500", -time.Second: "-1.000", 2*time.Hour + time.Second: "+120:01.000"} {
		if got := offset(d); got != want {
			t.Errorf("offset of %v: %s, want %s", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0 ms", 999 * time.Millisecond: "999 ms", 1500 * time.Millisecond: "1.5 s", 59990 * time.Millisecond: "1:00 min",
		90 * time.Second: "1:30 min", 2*time.Hour + 3*time.Minute + 4*time.Second: "2:03:04 h"} {
		if got := duration(d); got != want {
			t.Errorf("duration of %v: %s, want %s", d, got, want)
		}
	}
}

// Lines break between parts, then between words, and never within one.
func TestLinesBreakWhereTheyRead(t *testing.T) {
	for text, want := range map[string][]string{
		"":                              {""},
		"a → b  c=d e  f":               {"a → b", "c=d e  f"},
		"alice: closed, then bob: busy": {"alice:", "closed,", "then bob:", "busy"},
		"a  tag=0123456789  b":          {"a", "tag=0123456789", "b"},
	} {
		if got := wrapped(text, 9); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestColoursNeedATerminal(t *testing.T) {
	if p := painterFor(os.Stdin); p && os.Getenv("NO_COLOR") != "" {
		t.Error("NO_COLOR is not heard")
	}
	if painterFor(&bytes.Buffer{}) {
		t.Error("a buffer is no terminal")
	}
	if got := painter(true).paint(red, "x"); got != "\x1b[31mx\x1b[0m" {
		t.Errorf("painted %q", got)
	}
}
