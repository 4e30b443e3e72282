package flowengine_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/flowengine"
)

func TestQuietest(t *testing.T) {
	s, problems := flowengine.LoadFile("f.yaml", []byte(`
flow: main
start: hello
silence: 10s
nodes:
  hello: {play: {prompt: "say:x"}, next: a}
  a: {pause: {for: 2s}, next: sub}
  sub: {part: {run: sub}, exits: {done: c}}
  c: {pause: {for: 1500ms}, next: music}
  music: {pause: {for: 1h, music: "music:jazz"}, next: d}
  d: {pause: {for: 6s}, next: bye}
  bye: {hangup: {}}
---
flow: sub
start: b
ends: [done]
nodes:
  b: {pause: {for: 4s}, next: done}
---
flow: none
start: a
nodes:
  a: {pause: {for: 2s}, next: b}
  b: {dial: {targets: ["sip:a@b"]}, exits: {else: c}}
  c: {hangup: {}}
`), proofKinds)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for name, want := range map[string]string{"main": "7.5s hello a sub/b c", "sub": "0s", "none": "0s"} {
		f, _ := s.Flow(name)
		d, path := f.Quietest()
		if got := strings.TrimSpace(d.String() + " " + strings.Join(path, " ")); got != want {
			t.Errorf("flow %s: got %s, want %s", name, got, want)
		}
	}
}

// graph is a random flow, in the words of the test. Node i leads to the nodes of
// exits[i], and may lead to the end of the flow.
type graph struct {
	kinds []string
	pause []int // seconds
	exits [][]int
	ends  []bool
}

// What there can be in a graph; "sub" runs the second flow of a test.
var settings = map[string]string{
	"note": "note: {}", "pause": "pause: {for: %ds}", "music": `pause: {for: 9s, music: "music:x"}`, "play": `play: {prompt: "say:x"}`,
	"answer": "answer: {}", "ask": "ask: {for: %ds}", "dial": `dial: {targets: ["sip:a@b"]}`, "work": "work: {}", "sub": "part: {run: second}",
}

func randomGraph(r *rand.Rand, kinds ...string) *graph {
	g := &graph{}
	n := 1 + r.IntN(6)
	for i := range n {
		g.kinds = append(g.kinds, kinds[r.IntN(len(kinds))])
		g.pause = append(g.pause, r.IntN(3))
		var exits []int
		if i+1 < n {
			exits = append(exits, i+1) // so that every node is reached
		}
		for range r.IntN(3) {
			exits = append(exits, r.IntN(n))
		}
		g.exits = append(g.exits, exits)
		g.ends = append(g.ends, i+1 == n || r.IntN(3) == 0)
	}
	return g
}

// document writes the graph as a flow: behind each node stands a branch that goes all
// its ways.
func (g *graph) document(name, end string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "flow: %s\nstart: n0\nsilence: 24h\n", name)
	if end != "bye" {
		fmt.Fprintf(&b, "ends: [%s]\n", end)
	}
	b.WriteString("nodes:\n")
	for i, kind := range g.kinds {
		node := settings[kind]
		if strings.Contains(node, "%d") {
			node = fmt.Sprintf(node, g.pause[i])
		}
		fmt.Fprintf(&b, "  n%d: {%s, exits: {else: b%d}}\n  b%d: {branch: {cases: [", i, node, i, i)
		var exits []string
		for k, to := range g.exits[i] {
			fmt.Fprintf(&b, `{name: e%d, if: "true"}, `, k)
			exits = append(exits, fmt.Sprintf("e%d: n%d", k, to))
		}
		if last := len(g.exits[i]) - 1; g.ends[i] {
			exits = append(exits, "else: "+end)
		} else {
			exits = append(exits, fmt.Sprintf("else: n%d", g.exits[i][last]))
		}
		fmt.Fprintf(&b, `{name: x, if: "true"}]}, exits: {%s}}`+"\n", strings.Join(exits, ", "))
	}
	if end == "bye" {
		b.WriteString("  bye: {hangup: {}}\n")
	}
	return b.String()
}

// walk tries all ways of a call, step by step.
type walk struct {
	graphs  [2]*graph // the flow, and the one that it runs
	worst   int       // seconds of silence
	endless bool
	idle    bool // it went round without waiting
	seen    map[walker]bool
}

// walker is a call that comes to a node.
type walker struct {
	flow, node, around int // around: the node that runs the second flow
	answered           bool
	silence            int // seconds
	steps              int // since it waited
}

// Beyond these a call goes round: no graph has so many seconds or nodes.
const (
	tooLong = 30
	tooFar  = 60
)

func newWalk(flow, sub *graph) *walk {
	w := &walk{graphs: [2]*graph{flow, sub}, seen: map[walker]bool{}}
	for todo := []walker{{}}; len(todo) > 0 && !w.idle; {
		c := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !w.seen[c] {
			w.seen[c] = true
			todo = append(todo, w.pass(c)...)
		}
	}
	return w
}

// pass returns where a call can come after a node.
func (w *walk) pass(c walker) []walker {
	g := w.graphs[c.flow]
	kind, pause := g.kinds[c.node], g.pause[c.node]
	c.steps++
	w.idle = w.idle || c.steps > tooFar
	switch kind {
	case "sub":
		c.around, c.flow, c.node = c.node, 1, 0
		return []walker{c}
	case "play":
		c.steps, c.silence, c.answered = 0, 0, true
	case "answer":
		c.answered = true
	case "dial":
		c.steps, c.silence = 0, 0
		connected := c
		connected.answered = true
		return append(w.leave(c), w.leave(connected)...)
	case "work":
		c.steps = 0
	case "music":
		c.steps, c.silence = 0, 0
	case "pause":
		c.steps = 0
		c.hear(pause)
	case "ask":
		c.answered = true
		c.hear(pause)
	}
	if c.silence > tooLong {
		w.endless, c.silence = true, tooLong
	}
	w.worst = max(w.worst, c.silence)
	return w.leave(c)
}

// hear lets a caller hear nothing for some seconds. None says that there is always
// something to be heard.
func (c *walker) hear(seconds int) {
	switch {
	case seconds == 0:
		c.silence = 0
	case c.answered:
		c.silence += seconds
	}
}

// leave goes all ways from a node, and those of the node around its flow.
func (w *walk) leave(c walker) (out []walker) {
	g := w.graphs[c.flow]
	for _, to := range g.exits[c.node] {
		next := c
		next.node = to
		out = append(out, next)
	}
	if c.flow == 1 && g.ends[c.node] {
		c.flow, c.node, c.around = 0, c.around, 0
		out = append(out, w.leave(c)...)
	}
	return out
}

// What is proven of a flow is what a walk over all its ways finds.
func TestSilenceOfRandomFlows(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	kinds := []string{"note", "pause", "pause", "pause", "music", "play", "answer", "ask", "dial", "work", "work"}
	idle, endless, silent := 0, 0, 0
	for range 1000 {
		second := randomGraph(r, kinds...)
		first := randomGraph(r, append(kinds, "sub", "sub")...)
		doc := first.document("first", "bye") + "---\n" + second.document("second", "done")
		s, problems := flowengine.LoadFile("f.yaml", []byte(doc), proofKinds)
		said := fmt.Sprint(problems)
		w, alone := newWalk(first, second), newWalk(second, nil)
		switch never, nothing := strings.Contains(said, "never waits"), strings.Contains(said, "hears nothing while"); {
		case never != (w.idle || alone.idle):
			t.Fatalf("a circle that never waits: %v, said: %s\n%s", !never, said, doc)
		case never:
			idle++
		case nothing != (w.endless || alone.endless):
			t.Fatalf("a circle in silence: %v, said: %s\n%s", !nothing, said, doc)
		case nothing:
			endless++
		case len(problems) > 0:
			t.Fatalf("%s\n%s", said, doc)
		default:
			f, _ := s.Flow("first")
			d, path := f.Quietest()
			if d != time.Duration(w.worst)*time.Second || (d > 0) != (len(path) > 0) {
				t.Fatalf("silence of %s on %v, want %d seconds\n%s", d, path, w.worst, doc)
			}
			if d > 0 {
				silent++
			}
		}
	}
	if idle < 100 || endless < 100 || silent < 100 {
		t.Errorf("the flows show too little: %d never wait, %d are silent for ever, %d for some time", idle, endless, silent)
	}
	t.Logf("%d flows never wait, %d are silent for ever, %d for some time", idle, endless, silent)
}

// Flows that run flows that run flows are more than anybody can look through.
func TestTooManyPlaces(t *testing.T) {
	var doc strings.Builder
	for i := range 30 {
		fmt.Fprintf(&doc, "flow: f%d\nstart: a\nends: [done]\nnodes:\n  a: {part: {run: f%d}, exits: {done: b}}\n  b: {part: {run: f%d}, exits: {done: done}}\n---\n", i, i+1, i+1)
	}
	doc.WriteString("flow: f30\nstart: a\nends: [done]\nnodes:\n  a: {note: {}, next: done}\n")
	_, problems := flowengine.LoadFile("f.yaml", []byte(doc.String()), proofKinds)
	if len(problems) == 0 || !strings.Contains(problems[0].Message, "flow f0 has more than 10000 nodes") {
		t.Errorf("got %v", problems)
	}
}
