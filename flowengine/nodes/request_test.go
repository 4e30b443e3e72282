package nodes_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine/flowtest"
)

const pin = "47114712"

// ask places a call that gathers a secret and makes one request, as the settings say.
func ask(t *testing.T, settings string, scene flowtest.Scenario, lose ...int) *flowtest.Result {
	t.Helper()
	s := load(t, `
numbers: {"1000": {flow: f}}
---
flow: f
start: pin
nodes:
  pin: {gather: {prompt: "say:Your PIN.", secret: true}, exits: {ok: r, else: bye}}
  r:
    request: `+settings+`
    exits: {ok: hear, error: bad, timeout: bad}
  hear: {branch: {cases: [{name: never, if: "false"}]}, exits: {never: bye, else: bye}}
  bye: {hangup: {}}
  bad: {hangup: {cause: CALL_REJECTED}}
`)
	scene.Call.Number, scene.Press = "1000", []string{pin + "#", pin + "#"}
	if scene.Answers == nil {
		scene.Answers = map[string]flowtest.Answer{"r": {Status: 200}}
	}
	p := flowtest.NewPhone(scene, nil)
	return flowtest.Run(flowtest.NewEngine(s, p.Clock, 1), p, lose...)
}

func named(name string) flowtest.Scenario {
	return flowtest.Scenario{Call: call.Call{Caller: call.Caller{Number: "+15550100", Name: name}}}
}

// Whatever a caller sends, it stays one part of the path and one value of the query.
func TestRequestAddress(t *testing.T) {
	for _, name := range []string{"Zoë Q.", "a/b", "?x=1", "#top", "&k=2", "%2e%2e", "@evil.example", "//evil.example/", "a;b", `\..\`, "...", "\r\nX: y", "{{ number }}", "+"} {
		r := ask(t, `{url: "https://crm.example:8443/c/{{ caller.name }}/x?n={{ caller.name }}&k=1", query: {q: "{{ caller.name }}", "2": 7}}`, named(name))
		if len(r.Requests) != 1 {
			t.Errorf("%q: %d requests\n%s", name, len(r.Requests), r.Trace())
			continue
		}
		u, err := url.Parse(r.Requests[0].URL)
		if err != nil {
			t.Error(err)
			continue
		}
		query := url.Values{"n": {name}, "k": {"1"}, "q": {name}, "2": {"7"}}
		if u.Host != "crm.example:8443" || u.Path != "/c/"+name+"/x" || u.Query().Encode() != query.Encode() || strings.Count(u.EscapedPath(), "/") != 3 {
			t.Errorf("%q: %s", name, u)
		}
	}
	for _, name := range []string{".", ".."} {
		r := ask(t, `{url: "https://crm.example/c/{{ caller.name }}/x"}`, named(name))
		if len(r.Requests) != 0 || !slices.Contains(r.Path(), "r error") {
			t.Errorf("%q: %v\n%s", name, r.Requests, r.Trace())
		}
	}
}

func TestRequestContent(t *testing.T) {
	for settings, want := range map[string]string{
		`{url: "http://h/"}`:                                "GET  ",
		`{url: "http://h/", method: DELETE}`:                "DELETE  ",
		`{url: "http://h/", body: "Pin {{ secrets.pin }}"}`: "POST text/plain; charset=utf-8 Pin " + pin,
		`{url: "http://h/", method: PUT, body: {a: {b: [1, "1", 1.5, true, null, "{{ 1 + 1 }}", "<{{ caller.name }}>"]}}}`:      `PUT application/json {"a":{"b":[1,"1",1.5,true,null,2,"<\"q\">"]}}`,
		`{url: "http://h/", method: PATCH, body: ["{{ secrets.pin }}"], headers: {content-type: application/merge-patch+json}}`: `PATCH application/merge-patch+json ["` + pin + `"]`,
		`{url: "http://h/", form: {name: "{{ caller.name }}", pin: "{{ secrets.pin }}"}}`:                                       "POST application/x-www-form-urlencoded name=%22q%22&pin=" + pin,
	} {
		r := ask(t, settings, named(`"q"`))
		if len(r.Requests) != 1 {
			t.Errorf("%s: %d requests\n%s", settings, len(r.Requests), r.Trace())
			continue
		}
		m := r.Requests[0]
		body := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(m.Body))
		if got := fmt.Sprint(m.Method, " ", m.Header["Content-Type"], " ", body); got != want {
			t.Errorf("%s: got %s, want %s", settings, got, want)
		}
	}
}

// What may be sent more than once has the same key every time; what may not has none, and
// is not.
func TestRequestKey(t *testing.T) {
	for settings, want := range map[string]struct{ sent, keys int }{
		`{url: "http://h/"}`:                                {2, 1},
		`{url: "http://h/", method: PUT, body: x}`:          {2, 1},
		`{url: "http://h/", method: POST}`:                  {1, 0},
		`{url: "http://h/", method: PATCH, body: x}`:        {1, 0},
		`{url: "http://h/", method: POST, repeat: true}`:    {2, 1},
		`{url: "http://h/", method: DELETE, repeat: false}`: {1, 0},
	} {
		plain := ask(t, settings, named("x"))
		lose := plain.Points - 6 // when the answer is there: hear has two more, and bye four
		r := ask(t, settings, named("x"), lose)
		keys := map[string]bool{}
		for _, m := range r.Requests {
			keys[m.Key] = m.Key != ""
			if m.Retry != (m.Key != "") {
				t.Errorf("%s: retry is %v", settings, m.Retry)
			}
		}
		delete(keys, "")
		if len(r.Requests) != want.sent || len(keys) != want.keys {
			t.Errorf("%s, lost at %d: sent %d times with %d keys\n%s", settings, lose, len(r.Requests), len(keys), r.Trace())
		}
	}
}

// No record tells a secret, also when the other side repeats it.
func TestRequestKeepsSecrets(t *testing.T) {
	scene := named("x")
	scene.Answers = map[string]flowtest.Answer{"r": {Status: 200, Body: `{"echo": "your pin is ` + pin + `", "list": ["` + pin + `"], "good": "yes"}`}}
	r := ask(t, `{url: "http://h/", headers: {X-Pin: "{{ secrets.pin }}"}, vars: {a: body.echo, b: body.good, c: int(body.echo), d: body.list}, tags: {t: body.echo}}`, scene)
	if r.Requests[0].Header["X-Pin"] != pin {
		t.Errorf("the header is %q", r.Requests[0].Header["X-Pin"])
	}
	if got := traces(t, r); strings.Contains(got, pin) || !strings.Contains(got, "a: it repeats a secret") || len(r.Tags()) != 0 {
		t.Error(got)
	}
}

// A secret that was lost with the server is asked for again, but not to do a second
// time what perhaps was done.
func TestRequestWithLostSecret(t *testing.T) {
	for settings, want := range map[string]string{
		`{url: "http://h/", headers: {X-Pin: "{{ secrets.pin }}"}}`:          "pin ok, r ok, r, pin ok, r ok, hear else, bye",
		`{url: "http://h/", form: {pin: "{{ secrets.pin }}"}, repeat: true}`: "pin ok, r ok, r error, bad",
		`{url: "http://h/", form: {pin: "1"}, repeat: true}`:                 "pin ok, r ok, r ok, hear else, bye",
	} {
		plain := ask(t, settings, named("x"))
		r := ask(t, settings, named("x"), plain.Points-5) // before the next node is noted
		if got := strings.Join(r.Path(), ", "); got != want {
			t.Errorf("%s: got %s, want %s\n%s", settings, got, want, r.Trace())
		}
	}
}

// A variable is what the last answer says, and the address may be made of the one before.
func TestRequestAgain(t *testing.T) {
	s := load(t, `
flow: f
start: r
nodes:
  r:
    request: {url: "http://h/{{ vars.next ?? 'first' }}", vars: {next: body.next, long: body.long}}
    exits: {ok: more, error: bye, timeout: bye}
  more: {branch: {cases: [{name: again, if: 'vars.next == "second"'}, {name: long, if: 'vars.long != nil'}]}, exits: {again: hold, long: bye, else: bye}}
  hold: {play: {prompt: "say:One moment."}, next: r2}
  r2:
    request: {url: "http://h/{{ vars.next }}", vars: {next: body.next, long: body.long}}
    exits: {ok: more, error: bye, timeout: bye}
  bye: {hangup: {}}
---
numbers: {"1000": {flow: f}}
`)
	long := `{"long": "` + strings.Repeat("x", 5000) + `"}`
	p := flowtest.NewPhone(flowtest.Scenario{Call: call.Call{Number: "1000"},
		Answers: map[string]flowtest.Answer{"r": {Status: 200, Body: `{"next": "second"}`}, "r2": {Status: 200, Body: long}}}, nil)
	r := flowtest.Run(flowtest.NewEngine(s, p.Clock, 1), p)
	if got := strings.Join(r.Path(), ", "); got != "r ok, more again, hold next, r2 ok, more else, bye" {
		t.Errorf("%s\n%s", got, r.Trace())
	}
	if len(r.Requests) != 2 || r.Requests[0].URL != "http://h/first" || r.Requests[1].URL != "http://h/second" {
		t.Errorf("%+v", r.Requests)
	}
	if !strings.Contains(r.Trace(), "vars.long: checkpoint too large") {
		t.Error(r.Trace())
	}
}

// A variable is never what an answer before the last request said, also when nobody knows
// what became of that one.
func TestRequestThatWasLostLeavesNothing(t *testing.T) {
	s := load(t, `
numbers: {"1000": {flow: f}}
---
flow: f
start: r
nodes:
  r: {request: {url: "http://h/", method: POST, vars: {plan: body.plan}}, exits: {ok: again, error: bad, timeout: bad}}
  again: {say: "Once more.", next: r}
  bad: {say: "It is {{ vars.plan ?? 'unknown' }}.", next: bye}
  bye: {hangup: {}}
`)
	play := func(lose int) *flowtest.Result {
		p := flowtest.NewPhone(flowtest.Scenario{Call: call.Call{Number: "1000"}, HangsUp: 7 * time.Second,
			Answers: map[string]flowtest.Answer{"r": {Status: 200, Body: `{"plan": "gold"}`}}}, nil)
		return flowtest.Run(flowtest.NewEngine(s, p.Clock, 1), p, lose)
	}
	lost := 0
	for point := range play(0).Points {
		r := play(point)
		if i := slices.Index(r.Path(), "r error"); i > 0 {
			lost++
			if !slices.Contains(r.Verbs, "play say:It is unknown.") {
				t.Errorf("lost at %d: %q\n%s", point, r.Verbs, r.Trace())
			}
		}
	}
	if lost == 0 {
		t.Error("no request was lost after one that was answered")
	}
}
