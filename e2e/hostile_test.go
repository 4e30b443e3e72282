//go:build freeswitch

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/template"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/e2e/hostile"
)

// How many values there are on each switch.
const (
	headerTurns   = 7 // of three headers a call
	headerCalls   = 100
	headersAtOnce = 20
	askTurns      = 60 // of three values in an answer
	askingCalls   = 48
	whisperCalls  = 10
	keyTurns      = 20
	keyCalls      = 10
)

// least is how many values must have come in.
const least = 10_000

// hostileFlows fills in the template of the flows.
func hostileFlows(t *testing.T, partner string) string {
	t.Helper()
	turn := func(n int, a, b, c, said, next string) map[string]any {
		return map[string]any{"n": n, "a": a, "b": b, "c": c, "said": said, "next": next, "partner": partner}
	}
	var turns []map[string]any
	for n := 1; n <= headerTurns; n++ {
		next := fmt.Sprint("set", n+1)
		if n == headerTurns {
			next = "menu"
		}
		header := func(c byte) string { return fmt.Sprintf(`call.headers["X-%c%d"]`, c, n) }
		turns = append(turns, turn(n, "vars.a", header('B'), header('C'), header("ABC"[n%3]), next))
	}
	name := filepath.Join("testdata", "hostile.yaml.tmpl")
	tmpl, err := template.New(filepath.Base(name)).Delims("<%", "%>").ParseFiles(name)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err = tmpl.Execute(&out, map[string]any{"partner": partner, "turns": turns, "keys": keyTurns,
		"asking": turn(0, "vars.a", "vars.b", "vars.c", "vars.a", "fetch")})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// outside is what an installation has before Hookswitch's extension, and why its
// owner leaves the expansion of API calls on: it says when a call came in.
const outside = `
<extension name="e2e-outside" continue="true"><condition>
  <action application="set" data="e2e_received=${strftime(%Y-%m-%d)}"/>
</condition></extension>`

// byHand is an extension whose calls the test controls itself.
const byHand = `
<extension name="e2e-by-hand"><condition field="destination_number" expression="^e2e-by-hand$">
  <action application="socket" data="%s async full"/>
</condition></extension>`

// TestHostile sends ten thousand hostile values through the shipped configuration. It runs
// by itself, as the other does: both keep all processors busy, and others measure time.
func TestHostile(t *testing.T) {
	testHostile(t, 11, switchOptions{})
}

// TestHostileExpansion does so where API calls in values are executed.
func TestHostileExpansion(t *testing.T) {
	testHostile(t, 12, switchOptions{apiExpansion: true, extensions: outside})
}

func testHostile(t *testing.T, seed uint64, o switchOptions) {
	dir, err := os.MkdirTemp("", "c") // its path is short, so that values are
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	canary := filepath.Join(dir, "c")
	p := newInterrogator(t, hostile.NewValues(seed, canary))
	x, err := listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.close)
	planted, err := newTap(x.addr(), x.addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(planted.close)
	o.extensions += fmt.Sprintf(byHand, planted.nodes)
	l := newLaneOf(t, laneOptions{switches: 1, servers: 1, flows: hostileFlows(t, p.URL), switchOptions: o, tapped: true,
		settings: "tts: {voice: kal}\n"}) // it speaks with an eighth of the work of others
	w := &wave{lane: l, ctx: within(t, 6*time.Minute), values: hostile.NewValues(seed+100, canary), placed: map[string][]*sipCall{}}
	w.run(t)
	if o.apiExpansion && !l.expanded() {
		t.Error("the switch does not expand API calls, so nothing was tested")
	}
	if _, err := os.Stat(canary); err == nil {
		t.Error("a value was executed: the canary is there")
	}
	for _, fault := range append(l.tap.faults(), p.faults()...) {
		t.Errorf("%.600s", fault)
	}
	events, err := l.events()
	l.must(err)
	for _, calls := range w.placed {
		harmless := l.tap.commands(calls[0].from)
		for _, a := range calls {
			if why := differs(harmless, l.tap.commands(a.from)); why != "" {
				t.Errorf("%s to %s: %s\n%.2000s\n%.2000s", a.from, a.number, why, timeline(events[a.from]), a.history())
			}
			if got, made := p.requests(a.from), requestsOf(events[a.from]); got != made {
				t.Errorf("%s to %s: %d requests came, the flow made %d", a.from, a.number, got, made)
			}
		}
	}
	l.unsafe(t, x, planted, canary, o.apiExpansion)
	n := w.sent + p.answers()
	t.Logf("%d values", n)
	if n < least {
		t.Errorf("%d values, want %d", n, least)
	}
}

// unsafe does what a server must not: both the judge and the canary notice.
func (l *lane) unsafe(t *testing.T, x *exchange, planted *tap, canary string, expansion bool) {
	ctx := within(t, time.Minute)
	a, err := l.phone.call(l.switches[0].sip, "e2e-by-hand", tame+"0000000")
	l.must(err)
	defer a.hangup()
	c, err := x.next(ctx)
	l.must(err)
	defer c.drop()
	l.must(c.connect(ctx))
	_, err = c.execute(ctx, "set", "x=${system(touch "+canary+")}")
	l.must(err)
	if _, err := os.Stat(canary); (err == nil) != expansion {
		t.Errorf("a value that is to be executed on a switch that does so (%v): %v", expansion, err)
	}
	if !strings.Contains(fmt.Sprint(planted.faults()), "touch "+canary) {
		t.Errorf("the judge took a planted command: %q", planted.faults())
	}
}

// requestsOf counts the requests of a call that were answered; those whose values do
// not fit into a request were not made.
func requestsOf(events []call.Event) (n int) {
	for _, e := range events {
		if e.Type == call.Step && e.Kind == "request" && (e.Exit == "ok" || strings.Contains(e.Why, "HTTP")) {
			n++
		}
	}
	return n
}

// differs says in what the commands of a call are others than those of a harmless
// one. A value that is refused saves a step, so there may be less of those that save.
func differs(harmless, got []string) string {
	const saves = "api uuid_setvar_multi"
	split := func(all []string) (others []string, n int) {
		others = slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == saves })
		return others, len(all) - len(others)
	}
	want, most := split(harmless)
	others, n := split(got)
	if n > most {
		return fmt.Sprintf("%d times %s, %d in a harmless call", n, saves, most)
	}
	for i := range max(len(want), len(others)) {
		if i >= len(want) || i >= len(others) || want[i] != others[i] {
			return fmt.Sprintf("command %d is another one: %q, in a harmless call %q", i, others[min(i, len(others)):], want[min(i, len(want)):])
		}
	}
	return ""
}

// wave are the calls of a test, all at once.
type wave struct {
	*lane
	ctx    context.Context
	placed map[string][]*sipCall // by number, the harmless one first

	mu     sync.Mutex
	values *hostile.Values
	sent   int // values that were not answers
}

// next returns another value.
func (w *wave) next() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent++
	return w.values.Next()
}

// tame is how the numbers of callers begin who mean no harm.
const tame = "+1777"

// run places them: of each flow first one with harmless values.
func (w *wave) run(t *testing.T) {
	var wg sync.WaitGroup
	begin := func(number string, calls, atOnce, headers int, behave func(a *sipCall, harmless bool)) {
		room := make(chan struct{}, atOnce)
		for i := range calls {
			from, name, value := tame+number[5:], `"Alice"`, func() string { return "value" }
			if i > 0 {
				from = fmt.Sprintf("+1888%07d", callers.Add(1))
				value = func() string { return sipText(w.next()) }
				name = displayName(value())
			}
			var lines []string
			for n := range headers {
				lines = append(lines, fmt.Sprintf("X-%c%d: %s", 'A'+n%3, n/3+1, value()))
			}
			room <- struct{}{}
			a := w.placeFrom(t, w.switches[0], from, name, number, lines...)
			w.placed[number] = append(w.placed[number], a)
			wg.Go(func() {
				defer func() { <-room }()
				behave(a, i == 0)
				if err := a.awaitEnd(w.ctx); err != nil {
					t.Errorf("%v\n%s", err, a.history())
				}
			})
		}
	}
	begin("+15550202", askingCalls+1, askingCalls+1, 0, w.pressKeys)
	begin("+15550204", keyCalls+1, keyCalls+1, 0, w.flood)
	begin("+15550203", whisperCalls+1, whisperCalls+1, 1, func(a *sipCall, _ bool) { a.sing(true) })
	begin("+15550201", headerCalls+1, headersAtOnce, 3*headerTurns, w.pressKeys)
	wg.Wait()
}

// pressKeys breaks prompts off.
func (w *wave) pressKeys(a *sipCall, _ bool) {
	for a.awaitSound(w.ctx, 5) == nil && a.press(w.ctx, "1") == nil {
	}
}

// flood presses what a phone can press and a person does not, and says in INFO what
// no key is.
func (w *wave) flood(a *sipCall, harmless bool) {
	keys := rand.New(rand.NewPCG(1, 2))
	for a.awaitSound(w.ctx, 3) == nil {
		press := "1"
		if !harmless {
			a.info("application/dtmf-relay", "Signal="+w.next()+"\r\nDuration=100\r\n")
			for range keys.IntN(12) {
				press += string("0123456789*#ABCD"[keys.IntN(16)])
			}
		}
		if a.press(w.ctx, press) != nil {
			return
		}
	}
}

// sipText makes a value fit for a header: a line break in it goes on in the next
// line (RFC 3261, section 7.3.1).
func sipText(s string) string {
	s = strings.NewReplacer("\r\n", "\r\n ", "\n", "\r\n ", "\r", "%0d", "\x00", "%00").Replace(s)
	return strings.TrimSpace(s[:min(len(s), 2500)])
}

// displayName writes a value as a quoted string (RFC 3261, section 25.1).
func displayName(s string) string {
	s = strings.NewReplacer("\r\n ", " ", `\`, `\\`, `"`, `\"`).Replace(s[:min(len(s), 80)])
	return `"` + strings.TrimRight(s, "\r\n") + `"` // a line break that was cut would end the header
}

// received is what the extension outside leaves in the record of a call.
var received = regexp.MustCompile(`"e2e_received":\s*"\d{4}-\d\d-\d\d"`)

// expanded says whether the switch executed what stands in the extension outside.
func (l *lane) expanded() (found bool) {
	filepath.WalkDir(filepath.Join(l.switches[0].dir, "log", "json_cdr"), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			text, _ := os.ReadFile(path)
			found = found || received.Match(text)
		}
		return nil
	})
	return found
}
