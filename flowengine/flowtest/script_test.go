package flowtest_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/flowtest"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
)

// ask is a kind that makes a request.
type ask struct {
	URL string `yaml:"url"`
}

func (a *ask) Run(ctx context.Context, s *flowengine.Session) (flowengine.Result, error) {
	r, err := s.Fetch(ctx, call.Request{Method: "GET", URL: a.URL, Timeout: 5 * time.Second}, &flowengine.Prompt{})
	if err != nil {
		return flowengine.Result{}, err
	}
	s.Tag("status", r.Status)
	return flowengine.Result{Exit: flowengine.NextExit, Why: string(r.Body)}, nil
}

var withAsk = append(flowengine.Kinds{{Name: "ask", New: func() flowengine.Node { return &ask{} }, Exits: []string{"next"}, Asks: true}}, nodes.Kinds...)

// parse reads a script of the flows above and tests.
func parse(t testing.TB, docs ...string) (*flowtest.Script, error) {
	t.Helper()
	return flowtest.ParseScript("f.yaml", []byte(strings.Join(docs, "\n---\n")), withAsk)
}

func mustParse(t testing.TB, docs ...string) *flowtest.Script {
	t.Helper()
	s, err := parse(t, docs...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// same compares a text with what it has to be.
func same(t *testing.T, got, want string) {
	t.Helper()
	if got, want = strings.TrimSpace(got), strings.TrimSpace(want); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestMistakesInTestsAreToldWithTheirPlace(t *testing.T) {
	const flows = `numbers: {"1000": {flow: main}, "2000": {flow: outer}}
targets: {alice: {user: alice@pbx}, bob: {user: bob@pbx}}
---
flow: main
start: sales
nodes:
  sales: {dial: {targets: [alice, bob]}, exits: {completed: bye, else: bye}}
  bye: {hangup: {}}
---
flow: outer
start: in
nodes:
  in: {flow: {run: inner}, exits: {done: bye}}
  bye: {hangup: {}}
---
flow: inner
ends: [done]
start: hello
nodes:
  hello: {play: {prompt: "say:Hello."}, next: done}`
	_, err := parse(t, flows, `tests:
  - {name: a, digit: [1], expect: {ends: NORMAL_CLEARING}}
  - {name: b, targets: {alcie: busy, bob: bussy, "+1": answers after 5}, expect: {ends: NORMAL}}
  - {name: c, requests: {slaes: 200, sales: "20"}, expect: {path: [sales complete, bye next, sale busy]}}
  - {name: d, at: 2026-07-01 12, hangs_up: 5, expect: {exits: {by: x}, why: {sales/x: y}, dialled: [allice]}}
  - {name: e, to: "2001", without: [carol], expect: {path: [in/hello next, nowhere]}}
  - {name: f, flow: outter, expect: {path: [in done]}}
  - {name: g, to: "2000", expect: {path: [in/hello done, in/helo next, in finished]}}
  - {name: g, expect: {}}
  - {expect: {ends: USER_BUSY}, at: "2026-07-01 12:00 America/Newyork"}
  - {name: h, targets: {bob: busy talks 5s, alice: answers after}, lose: [-1], expect: {dialled: []}}
  - {name: i, digits: ["12", 1x], headers: {Subject: x, x-plan: gold}, expect: {path: []}}
  - {name: j, availability: {alice: 200 1, bbo: 200 1}, full: {bob: cap_dya, alice: cap_day}, expect: {not_tried: {bob: closed, bib: ""}}}`)
	same(t, fmt.Sprint(err), `
f.yaml:23:15: tests[0] has no setting "digit"; did you mean "digits"?
f.yaml:24:25: there is no target "alcie"; did you mean "alice"?
f.yaml:24:43: bob: "bussy" is no behaviour; did you mean "busy"?
f.yaml:24:56: +1: the duration 5 has no unit; write 5s for seconds
f.yaml:24:89: ends: there is no cause "NORMAL"; write a cause such as NORMAL_CLEARING, or transferred EXTENSION
f.yaml:25:26: flow main has no node "slaes"; did you mean "sales"?
f.yaml:25:38: node sales (dial) makes no request
f.yaml:25:46: sales: "20" is no answer; a status such as 200, timeout or fails
f.yaml:25:68: node sales (dial) has no exit "complete"; did you mean "completed"?
f.yaml:25:84: node bye (hangup) has no exit "next"; the call ends in it: write bye alone
f.yaml:25:94: flow main has no node "sale"; did you mean "sales"?
f.yaml:26:19: at: "2026-07-01 12" is no time; write it like 2026-07-01 12:00 America/New_York
f.yaml:26:44: hangs_up: the duration 5 has no unit; write 5s for seconds
f.yaml:26:64: flow main has no node "by"; did you mean "bye"?
f.yaml:26:78: node sales runs no flow in which x could be
f.yaml:26:101: there is no target "allice"; did you mean "alice"?
f.yaml:27:19: there is no number "2001"; did you mean "2000"?
f.yaml:27:37: there is no target "carol"; there are alice, bob
f.yaml:28:21: there is no flow "outter"; did you mean "outer"?
f.yaml:29:43: node in/hello (play) has no exit "done"; there is only next
f.yaml:29:58: flow inner has no node "helo"; did you mean "hello"?
f.yaml:29:72: node in (flow) has no exit "finished"; there is only done
f.yaml:30:12: there is a test "g" already, at f.yaml:29:5
f.yaml:30:23: the test expects nothing, and so cannot fail; add expect: with path, exits, why, tags, dialled, not_tried, events, verbs or ends
f.yaml:31:5: tests[8] needs "name"
f.yaml:31:38: at: there is no time zone "America/Newyork"; did you mean "America/New_York"?
f.yaml:32:30: bob: "talks" cannot follow busy; there is only after
f.yaml:32:52: alice: nothing follows "after"; such as after 5s, talks 1m or presses 1
f.yaml:32:75: there is no point -1; count from 1; 0 loses nothing
f.yaml:33:30: "1x" cannot be pressed; 0-9, * and #
f.yaml:33:45: flows do not see the header "Subject"; begin with X-
f.yaml:34:30: target alice is not asked; give it availability: {url: …}
f.yaml:34:44: there is no target "bbo"; did you mean "bob"?
f.yaml:34:69: full: target bob has no limit for "cap_dya"
f.yaml:34:85: full: target alice has no limit for "cap_day"
f.yaml:34:129: there is no target "bib"; did you mean "bob"?`)
}

func TestTestsStandAlone(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"main.yaml": mainLine, "main.test.yaml": "tests: [{name: a, expect: {ends: NORMAL_CLEARING}}]\n---\nflow: x\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, problems := flowtest.LoadDir(dir, nodes.Kinds)
	same(t, strings.ReplaceAll(fmt.Sprint(problems), dir, "DIR"),
		`[DIR/main.test.yaml:3:1: a document of tests has no setting "flow"; there is only tests]`)
	if _, problems := flowtest.LoadDir(filepath.Join(dir, "none"), nodes.Kinds); len(problems) != 1 || !strings.Contains(problems[0].Message, "the folder cannot be read") {
		t.Error(problems)
	}
}

// What tests have in common they may say once; nothing is expanded beyond the bounds of
// a document.
func TestAliasesInTests(t *testing.T) {
	s := mustParse(t, mainLine, `tests:
  - {name: a, digits: ["1"], expect: &thanked {path: [welcome 1, sales completed, thanks next, bye]}}
  - {name: b, digits: ["1"], from: "+1", expect: *thanked}`)
	for _, test := range s.Tests {
		if r, err := s.Play(test); err != nil || len(r.Path()) != 4 {
			t.Error(err)
		}
	}
	bomb := "tests:\n  - &l0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		bomb += fmt.Sprintf("  - &l%d [%s]\n", i+1, strings.Repeat(fmt.Sprintf("*l%d, ", i), 10))
	}
	for text, want := range map[string]string{
		bomb:                                     "more than 100000 values",
		"tests: &a [*a]":                         "nested deeper than 64",
		"flow: &f x\nstart: *f\nnodes: {}":       "anchors (&f) are not read",
		"tests: [{name: a, expect: *nowhere}]":   "not YAML",
		"tests: [{name: !!str a, expect: &x 1}]": "tags (!!str) are not read",
	} {
		if _, err := parse(t, mainLine, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v, want %s", text, err, want)
		}
	}
}

func TestFailureTellsWhatDiffers(t *testing.T) {
	s := mustParse(t, mainLine, `tests:
  - name: nobody is free
    digits: ["1"]
    targets: {alice: busy}
    expect:
      path: [welcome 1, sales no_answer, sorry one, bye]
      exits: {sales: busy, regret: next}
      why: {welcome: pressed 2}
      dialled: [alice]
      tags: {lead: hot, cold: ""}
      verbs: [answer]
      events: [sold]
      ends: USER_BUSY`)
	_, err := s.Play(s.Tests[0])
	same(t, fmt.Sprint(err), `
f.yaml:20: nobody is free
  path: - expected, + got
      welcome 1                pressed 1
    - sales no_answer
    - sorry one
    + sales completed          alice: USER_BUSY, then bob answered
    + thanks next
      bye
  exit of regret: got nothing (the call did not pass it), expected next
  exit of sales: got completed (alice: USER_BUSY, then bob answered), expected busy
  why of welcome: got pressed 1, expected pressed 2
  dialled: - expected, + got
      alice
    + bob
  verbs: - expected, + got
      answer
    + gather say:Press 1.
    + bridge
    + bridge
    + play say:Thanks.
    + hangup NORMAL_CLEARING
  events: - expected, + got
    - sold
  tag lead: got nothing, expected hot
  ends: got NORMAL_CLEARING, expected USER_BUSY`)
}

const lookup = `
flow: f
start: lookup
nodes:
  lookup: {ask: {url: "https://crm.example/secret?pin=1234"}, next: bye, exits: {error: sorry}}
  bye: {hangup: {}}
  sorry: {hangup: {cause: CALL_REJECTED}}
`

func TestRequestsOfTests(t *testing.T) {
	s := mustParse(t, lookup, `tests:
  - {name: answered, requests: {lookup: '200 after 2s {"vip": true}'}, expect: {path: [lookup next, bye], why: {lookup: '{"vip": true}'}, tags: {status: 200}}}
  - {name: with a colon, requests: {lookup: '201:{}'}, expect: {path: [lookup next, bye], tags: {status: 201}}}
  - {name: late, requests: {lookup: 200 after 9s}, expect: {path: [lookup error, sorry], ends: CALL_REJECTED}}
  - {name: never, requests: {lookup: timeout}, expect: {path: [lookup error, sorry]}}
  - {name: unreachable, requests: {lookup: fails}, expect: {why: {lookup: connection refused}}}
  - {name: unscripted, expect: {path: [lookup error, sorry]}}`)
	for _, test := range s.Tests[:5] {
		if _, err := s.Play(test); err != nil {
			t.Error(err)
		}
	}
	_, err := s.Play(s.Tests[5])
	same(t, fmt.Sprint(err), `
f.yaml:16: unscripted
  node lookup makes a request for which no answer is written; add requests: {lookup: 200}, with the answer that it is to get`)
	if got := heard(s, 0); got != "[hears it ring GET https://crm.example: 200 after 2s]" {
		t.Error(got)
	}
	if got := heard(s, 5); got != "[hears it ring GET https://crm.example: no answer is written for the request of node lookup]" {
		t.Error(got)
	}
	s.Live = live{}
	if r := s.Simulate(s.Tests[5]); r.Lasted() != 3*time.Second || r.Tags()["status"] != "204" || len(r.Unscripted) > 0 {
		t.Error(r.Trace())
	}
}

// live is the outside.
type live struct{}

func (live) Request(context.Context, call.Request) (call.Response, error) {
	return call.Response{Status: 204, Took: 3 * time.Second}, nil
}

// heard tells what no event does of a test's call.
func heard(s *flowtest.Script, test int) string {
	var out []string
	for _, a := range s.Simulate(s.Tests[test]).Acts {
		out = append(out, a.Text)
	}
	return fmt.Sprint(out)
}

// What a call begins with is there whoever takes it over, and whenever.
func TestFlowAndTagsOfATest(t *testing.T) {
	s := mustParse(t, mainLine, `flow: other
start: which
nodes:
  which: {branch: {cases: [{name: hot, if: 'tags.lead == "hot" and tags.score > 5 and tags.vip'}]}, exits: {hot: hello, else: bye}}
  hello: {play: {prompt: "say:Hello {{ tags.zip }}."}, next: bye}
  bye: {hangup: {}}`, `tests:
  - name: in another flow
    flow: other
    tags: {lead: hot, score: 7.5, vip: true, zip: 02139}
    expect: {path: [which hot, hello next, bye], verbs: [answer, "play say:Hello 02139.", hangup NORMAL_CLEARING], tags: {score: 7.5, lead: hot}}`)
	test := s.Tests[0]
	plain, err := s.Play(test)
	if err != nil {
		t.Fatal(err)
	}
	for point := 1; point <= plain.Points; point++ {
		test.Lose = []int{point}
		if r := s.Simulate(test); !subsequence(collapse(r.Path()), plain.Path()) || r.Path()[len(r.Path())-1] != "bye" {
			t.Errorf("lost at %d\n%s", point, r.Trace())
		}
	}
}

// What a test says of tags that are defined must fit, as it must from outside.
func TestTagsOfATestFitTheirDefinitions(t *testing.T) {
	const tags = "tags: {score: {type: number, min: 0}, zip: {}, lead: {type: enum, values: [hot, cold]}, vip: {type: boolean}}"
	s := mustParse(t, mainLine, tags, `tests:
  - {name: a, tags: {score: 7.50, zip: "75001", lead: hot, vip: true, other: 1}, data: [{tags: {score: 8}}], expect: {tags: {score: 8, lead: hot}}}`)
	if _, err := s.Play(s.Tests[0]); err != nil {
		t.Error(err)
	}
	_, err := parse(t, tags, `tests:
  - {name: a, org: default, tags: {score: -1, zip: 75001, lead: warm, vip: 1}, data: [{after: 1s, tags: {vip: "no"}}], expect: {path: []}}`, mainLine)
	same(t, fmt.Sprint(err), `
f.yaml:4:43: tag score is of type number, and this is below 0
f.yaml:4:52: tag zip is of type string, and this is a number, not a text; put quotes around it
f.yaml:4:65: tag lead is of type enum, and this is none of its 2 values; there are cold, hot
f.yaml:4:76: tag vip is of type boolean, and this is neither true nor false
f.yaml:4:111: tag vip is of type boolean, and this is neither true nor false`)
}

// A test has the same result whatever runs beside it.
func TestTestsAreRepeatable(t *testing.T) {
	var doc strings.Builder
	doc.WriteString("tests:\n")
	for i := range 200 {
		fmt.Fprintf(&doc, "  - {name: t%d, seed: %d, digits: [1], targets: {alice: busy, bob: busy, carol: busy}, expect: {dialled: []}}\n", i, i)
	}
	s := mustParse(t, strings.Replace(mainLine, "round_robin", "random", 1), doc.String())
	play := func() []string {
		out := make([]string, len(s.Tests))
		s.PlayAll(s.Tests, func(i int, r *flowtest.Result, err error) { out[i] = r.Trace() + fmt.Sprint(err) })
		return out
	}
	first := play()
	if !slices.Equal(first, play()) {
		t.Error("the second time something else happened")
	}
	if orders := slices.Compact(slices.Sorted(slices.Values(first))); len(orders) < 6 {
		t.Errorf("the seeds lead to %d orders of three", len(orders))
	}
}

func TestCoverage(t *testing.T) {
	s := mustParse(t, `numbers: {"1000": {flow: outer}}
---
flow: outer
start: in
nodes:
  in: {flow: {run: inner}, exits: {yes: bye, no: bye, error: bye}}
  bye: {hangup: {}}
---
flow: inner
ends: ["yes", "no"]
start: ask
nodes:
  ask: {menu: {prompt: "say:1?", tries: 1}, exits: {"1": "yes", "2": again, else: "no"}}
  again: {play: {prompt: "say:Again."}, next: ask}`, `tests:
  - {name: a, digits: ["1"], expect: {path: [in/ask 1, in yes, bye]}}
  - {name: hangs up, hangs_up: 1s, expect: {path: [in/ask]}}
  - {name: b, expect: {path: [in/ask no_input, in no, bye]}}`)
	c := flowtest.NewCoverage(s.Snapshot)
	for i, want := range []string{
		"[{ inner 6 2 [{again []} {ask [2 else]}]} { outer 4 3 [{in [no]}]}]",
		"[{ inner 6 2 [{again []} {ask [2 else]}]} { outer 4 3 [{in [no]}]}]",
		"[{ inner 6 3 [{again []} {ask [2]}]} { outer 4 4 []}]",
	} {
		c.Add(s.Simulate(s.Tests[i]))
		same(t, fmt.Sprint(c.Flows()), want)
	}
}
