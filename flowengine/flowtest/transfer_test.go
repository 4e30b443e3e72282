package flowtest_test

import (
	"slices"
	"testing"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine/flowtest"
)

const away = `
numbers: {"1000": {flow: first}, "3000": {flow: second}}
---
flow: first
start: ask
nodes:
  ask: {menu: {prompt: "say:Press 1."}, exits: {"1": away, else: away}}
  away: {transfer: {to: "3000"}}
---
flow: second
start: hello
nodes:
  hello: {play: {prompt: "say:You pressed {{ vars.ask }}."}, next: ask}
  ask: {menu: {prompt: "say:Press another key."}, exits: {"1": bye, else: bye}}
  bye: {hangup: {}}
`

// A call that the dialplan brings back begins the flow of the number that it has then,
// with its variables; one that the dialplan never had is transferred.
func TestTransferredCallComesBack(t *testing.T) {
	s := load(t, away)
	for _, back := range []struct {
		number    string
		transfers int
		path      []string
	}{
		{"3000", 1, []string{"ask 1", "away", "hello next", "ask 1", "bye"}},
		{"1000", 2, []string{"ask 1", "away", "ask 1", "away"}}, // by way of an extension
		{"1000", 0, []string{"ask 1", "away", "away"}},
	} {
		number, want := back.number, back.path
		p := flowtest.NewPhone(scenario(nil), nil)
		e := flowtest.NewEngine(s, p.Clock, 1)
		flowtest.Run(e, p)
		p.Call.Number, p.Call.Transfers = number, back.transfers
		r := flowtest.Run(e, p)
		if got := r.Path(); !slices.Equal(got, want) {
			t.Errorf("as %s: path %v, want %v\n%s", number, got, want, r.Trace())
		}
		if number == "3000" && !slices.Contains(p.Verbs, "play say:You pressed 1.") {
			t.Errorf("the variable is gone: %v", p.Verbs)
		}
		i := slices.IndexFunc(r.Events, func(e call.Event) bool { return e.Type == call.Resumed })
		if i < 0 || r.Events[i].Epoch != 2 || r.Events[i].Attrs["to"] != number {
			t.Errorf("as %s: no call.resumed\n%s", number, r.Trace())
		}
	}
}

// The flow of the extension knows no secret of the flow before: it is not lost,
// and not to be asked for again.
func TestTransferForgetsSecrets(t *testing.T) {
	s := load(t, `
numbers: {"1000": {flow: first}, "3000": {flow: second}}
---
flow: first
start: pin
nodes:
  pin: {gather: {prompt: "say:Your PIN.", secret: true}, exits: {ok: away, else: away}}
  away: {transfer: {to: "3000"}}
---
flow: second
start: known
nodes:
  known: {branch: {cases: [{name: one, if: 'secrets.pin == "1"'}]}, exits: {one: bye, else: pin}}
  pin: {gather: {prompt: "say:Your other PIN.", secret: true}, exits: {ok: bye, else: bye}}
  bye: {hangup: {}}
`)
	p := flowtest.NewPhone(scenario(nil), nil)
	e := flowtest.NewEngine(s, p.Clock, 1)
	flowtest.Run(e, p)
	p.Call.Number, p.Call.Transfers = "3000", 1
	r := flowtest.Run(e, p)
	if got := r.Path(); !over(r.Err) || !slices.Equal(got, []string{"pin ok", "away", "known else", "pin ok", "bye"}) {
		t.Errorf("path %v\n%s", got, r.Trace())
	}
}
