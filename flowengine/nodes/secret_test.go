package nodes_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/flowtest"
)

const secretFlow = `
numbers: {"1000": {flow: f}}
---
flow: f
start: pin
nodes:
  pin:
    gather: {prompt: "say:Your PIN.", length: 8, secret: true, invalid: "say:Again.", var: code}
    exits: {ok: note, else: bye}
  note: {set: {vars: {asked: true}}, next: check}
  check:
    branch: {cases: [{name: right, if: 'secrets.code == "86420975"'}, {name: vip, if: 'secrets.code startsWith "9"'}]}
    exits: {right: in, else: bye}
  in: {say: "Welcome.", next: tell}
  tell: {emit: {event: caller.known, data: {asked: "{{ vars.asked }}"}}, next: bye}
  bye: {hangup: {}}
`

// traces is everything that outlives the server's process, or could be read by somebody.
func traces(t *testing.T, r *flowtest.Result) string {
	t.Helper()
	events, err := json.Marshal(r.Events)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{string(events), r.Trace(), strings.Join(r.Verbs, "\n"), fmt.Sprintf("%+v", r.Bridges)}
	for _, text := range r.Checkpoints {
		c, err := call.ParseCheckpoint(text)
		if err != nil {
			t.Fatal(err)
		}
		payload, err := base64.RawURLEncoding.DecodeString(c.Payload)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, text, string(payload))
	}
	return strings.Join(out, "\n")
}

// Secret digits, right or wrong ones, are in no event, no trace, no verb and no checkpoint,
// wherever the server dies; and they are asked for again only where a node needs them.
func TestSecretsStaySecret(t *testing.T) {
	s := load(t, secretFlow)
	digits := []string{"8642#", "86420975", "86420975", "86420975"}
	play := func(lose ...int) *flowtest.Result {
		p := flowtest.NewPhone(flowtest.Scenario{Call: call.Call{Number: "1000"}, Press: digits}, nil)
		// Each server has a memory of its own.
		return flowtest.RunEach(func(int) *flowengine.Engine { return flowtest.NewEngine(s, p.Clock, 1) }, p, lose...)
	}
	asked := func(r *flowtest.Result) int { return strings.Count(strings.Join(r.Verbs, "\n"), "gather") }
	plain := play()
	if asked(plain) != 2 || len(plain.Checkpoints) < 6 {
		t.Fatal(plain.Trace())
	}
	where := map[string]bool{}
	for point := 0; point <= plain.Points; point++ {
		r := play(point)
		if got := traces(t, r); strings.Contains(got, "8642") || strings.Contains(got, "0975") {
			t.Errorf("lost at %d: the digits are in\n%s", point, got)
		}
		if last := r.Events[len(r.Events)-1]; last.Step != "bye" || !strings.Contains(r.Trace(), "in say") {
			t.Errorf("lost at %d: the call did not get in\n%s", point, r.Trace())
		}
		resumed := ""
		for _, e := range r.Events {
			if e.Type == call.Resumed {
				resumed = e.Step
			}
		}
		where[resumed] = true
		switch n := asked(r); resumed {
		case "pin": // may start over
		case "note", "check":
			if n != 3 {
				t.Errorf("lost at %d in %s: asked %d times, want 3\n%s", point, resumed, n, r.Trace())
			}
		default:
			if n != 2 {
				t.Errorf("lost at %d in %q: asked %d times, want 2\n%s", point, resumed, n, r.Trace())
			}
		}
	}
	for _, node := range []string{"", "pin", "note", "check", "in", "tell", "bye"} {
		if !where[node] {
			t.Errorf("no call was lost in %q", node)
		}
	}
}

// A caller who is asked again and presses nothing any more is not asked for ever: the
// call goes on as one without the secret.
func TestSecretIsAskedForAgainOnce(t *testing.T) {
	s := load(t, `
numbers: {"1000": {flow: f}}
---
flow: f
start: pin
nodes:
  pin: {gather: {prompt: "say:Your PIN.", secret: true, tries: 1}, exits: {else: check}}
  check: {branch: {cases: [{name: right, if: 'secrets.pin == "8642"'}]}, exits: {right: bye, else: sorry}}
  sorry: {hangup: {cause: CALL_REJECTED}}
  bye: {hangup: {}}
`)
	p := flowtest.NewPhone(flowtest.Scenario{Call: call.Call{Number: "1000"}, Press: []string{"8642#"}}, nil)
	r := flowtest.RunEach(func(int) *flowengine.Engine { return flowtest.NewEngine(s, p.Clock, 1) }, p, 8)
	if got := strings.Join(r.Path(), ", "); got != "pin ok, check, pin no_input, check else, sorry" {
		t.Errorf("path %s\n%s", got, r.Trace())
	}
}

// The names of secrets are in the checkpoint. Where it has no room for one, the gather
// itself fails, and no node after it.
func TestSecretWithoutRoom(t *testing.T) {
	s := load(t, `
numbers: {"1000": {flow: f}}
---
flow: f
start: fill
nodes:
  fill: {set: {vars: {v: "{{ caller.name }}"}}, next: pin}
  pin: {gather: {prompt: "say:Your PIN.", secret: true}, exits: {ok: say, error: sorry, else: sorry}}
  say: {say: "{{ vars.v }}", next: bye}
  sorry: {hangup: {cause: CALL_REJECTED}}
  bye: {hangup: {}}
`)
	var paths []string // from where there is room for both to where there is for none
	for length := 2000; length < 2400; length += 5 {
		p := flowtest.NewPhone(flowtest.Scenario{Call: call.Call{Number: "1000", Caller: call.Caller{Name: strings.Repeat("x", length)}}, Press: []string{"8642#"}}, nil)
		r := flowtest.Run(flowtest.NewEngine(s, p.Clock, 1), p)
		paths = append(paths, strings.Join(r.Path(), ", "))
	}
	want := []string{"fill next, pin ok, say next, bye", "fill next, pin error, sorry", "fill error"}
	if got := slices.Compact(paths); !slices.Equal(got, want) {
		t.Errorf("paths %q, want %q", got, want)
	}
}
