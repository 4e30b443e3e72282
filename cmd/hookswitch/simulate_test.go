package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func TestDocumentedSimulation(t *testing.T) {
	_, _, tree, _ := testingPage(t)
	conf(t)
	out, _, err := command(t, "simulate", "main-line", "--config-dir", "conf", "--digits", "1", "--answer", "alice=busy", "--answer", "bob=answers after 3s talks 40s")
	if err != nil {
		t.Error(err)
	}
	same(t, out, tree)
}

func TestSimulationOfAWholeCall(t *testing.T) {
	conf(t)
	files(t, map[string]string{"conf/more.yaml": `flow: more
start: which
nodes:
  which:
    branch: {cases: [{name: vip, if: 'tags.score >= 5 and call.headers["X-Plan"] == "gold" and now.Hour() == 18 and caller.name == "Ada" and caller.number == ""'}]}
    exits: {vip: hello, else: bye}
  hello: {play: {prompt: "say:Hello, {{ number }}."}, next: fault}
  fault: {play: {prompt: "say:{{ int(caller.name) }}."}, next: bye, exits: {error: bye}}
  bye: {hangup: {}}
`})
	args := []string{"simulate", "more", "--config-dir", "conf", "--at", "2026-12-24 18:30 America/New_York", "--tag", "score=7", "--header", "X-Plan=gold",
		"--name", "Ada", "--from", "", "--to", "+15550142", "--answered"}
	out, _, err := command(t, args...)
	same(t, out, `withheld → +15550142, Thu 2026-12-24 18:30 EST
    +0.000  ├─ which (branch) → vip  tags.score >= 5 and call.headers["X-Plan"] == "gold" and now.Hour() == 18 and caller.name == "Ada" and caller.number == ""
    +0.000  ├─ hello (play) → next
    +0.000  │  └─ hears say:Hello, +15550142.
    +2.000  ├─ fault (play) → error  expression: invalid operation: int(Ada) (1:2)
    +2.000  │  └─ flow.error expression: invalid operation: int(Ada) (1:2)
    +2.000  └─ bye (hangup)  NORMAL_CLEARING
    +2.000  NORMAL_CLEARING after 2.0 s
`)
	if err == nil || !strings.HasPrefix(err.Error(), "the call met an error: fault: expression") {
		t.Errorf("error %v", err)
	}
	out, _, err = command(t, append(args, "-o", "json", "--hangs-up", "1s")...)
	if err != nil {
		t.Error(err)
	}
	var got simulated
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Path, []string{"which vip", "hello"}) || got.Tags["score"] != "7" || got.Ends != "NORMAL_CLEARING" || got.Millis != 1000 ||
		len(got.Acts) != 1 || len(got.Events) != 3 {
		t.Errorf("got %+v", got)
	}
}

// A request that nobody answers is not made, and the last line tells how it is answered.
func TestSimulationOfARequest(t *testing.T) {
	conf(t)
	files(t, map[string]string{"conf/crm.yaml": `flow: crm
start: lookup
nodes:
  lookup: {request: {url: "https://crm.example/callers/{{ caller.number }}", tags: {vip: body.vip}}, exits: {ok: bye, else: sorry}}
  bye: {hangup: {}}
  sorry: {hangup: {cause: CALL_REJECTED}}
`})
	simulate := []string{"simulate", "crm", "--config-dir", "conf"}
	out, _, err := command(t, simulate...)
	if err != nil {
		t.Error(err)
	}
	same(t, out, `+15550100 → +15550142, Wed 2026-07-01 12:00 UTC
    +0.000  ├─ lookup (request) → error  no answer is written for the request of node lookup
    +0.000  │  ├─ hears it ring
    +0.000  │  └─ GET https://crm.example: no answer is written for the request of node lookup
    +0.000  └─ sorry (hangup)  CALL_REJECTED
    +0.000  CALL_REJECTED after 0 ms
No request was made. Say what it would have got: --request 'lookup=200:{…}'
`)
	out, _, err = command(t, append(simulate, "--request", `lookup=200 after 400ms {"vip": true}`)...)
	if err != nil {
		t.Error(err)
	}
	same(t, out, `+15550100 → +15550142, Wed 2026-07-01 12:00 UTC
    +0.000  ├─ lookup (request) → ok  GET crm.example: HTTP 200
    +0.000  │  ├─ hears it ring
    +0.000  │  ├─ GET https://crm.example: 200 after 400ms
    +0.400  │  └─ tag vip: true
    +0.400  └─ bye (hangup)  NORMAL_CLEARING
    +0.400  NORMAL_CLEARING after 400 ms
`)
}

// Live requests go where the operator lets those of the server go, and nowhere else; a
// request that is scripted is not made.
func TestSimulationWithLiveRequests(t *testing.T) {
	conf(t)
	var keys []string
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		w.WriteHeader(http.StatusCreated)
	}))
	defer outside.Close()
	files(t, map[string]string{"conf/crm.yaml": `flow: crm
start: lookup
nodes:
  lookup: {request: {url: "` + outside.URL + `/calls", method: POST, repeat: true, tags: {status: status}}, exits: {ok: bye, else: sorry}}
  bye: {hangup: {}}
  sorry: {hangup: {cause: CALL_REJECTED}}
`})
	for _, c := range []struct {
		allow  string
		args   []string
		path   string
		asked  int
		status string
	}{
		{"", []string{"--live-requests"}, "lookup error", 0, ""},
		{"127.0.0.0/8", []string{"--live-requests"}, "lookup ok", 1, "201"},
		{"127.0.0.0/8", []string{"--live-requests"}, "lookup ok", 2, "201"},
		{"127.0.0.0/8", []string{"--live-requests", "--request", "lookup=200"}, "lookup ok", 2, "200"},
		{"127.0.0.0/8", nil, "lookup error", 2, ""},
	} {
		t.Setenv("HOOKSWITCH_HTTP_ALLOW", c.allow)
		out, _, err := command(t, append([]string{"simulate", "crm", "--config-dir", "conf", "-o", "json"}, c.args...)...)
		if err != nil {
			t.Error(err)
		}
		var got simulated
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatal(err)
		}
		if got.Path[0] != c.path || len(keys) != c.asked || got.Tags["status"] != c.status {
			t.Errorf("%+v: path %v, %d requests, tags %v", c, got.Path, len(keys), got.Tags)
		}
	}
	if len(keys) == 2 && (keys[0] == "" || keys[0] == keys[1]) {
		t.Errorf("two calls have the keys %q", keys)
	}
}

func TestMistakesOnTheCommandLineOfSimulate(t *testing.T) {
	conf(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"mainline"}, `FLOW: there is no flow "mainline"; did you mean "main-line"?`},
		{[]string{"+15550142", "--to", "+15550142"}, "--to: +15550142 is dialled already"},
		{[]string{"main-line", "--answer", "alcie=busy"}, `--answer: there is no target "alcie"; did you mean "alice"?`},
		{[]string{"main-line", "--answer", "alice=bussy"}, `--answer alice=bussy: "bussy" is no behaviour; did you mean "busy"?`},
		{[]string{"main-line", "--answer", "alice"}, "--answer alice: write TARGET=busy, or another behaviour"},
		{[]string{"main-line", "--request", "slaes=200"}, `--request: flow main-line has no node "slaes"; did you mean "sales"?`},
		{[]string{"+15550143"}, `FLOW: there is no number "+15550143"; did you mean "+15550142"?`},
		{[]string{}, "hookswitch simulate takes a flow or a number; see hookswitch simulate --help"},
		{[]string{"main-line", "--header", "Subject=x"}, `--header: flows do not see the header "Subject"; begin with X-`},
		{[]string{"main-line", "--digits", "one"}, `--digits: "one" cannot be pressed; 0-9, * and #`},
		{[]string{"main-line", "--request", "sales=200"}, "--request: node sales (dial) makes no request"},
		{[]string{"main-line", "--request", "sales=2000"}, `--request sales=2000: "2000" is no answer; a status such as 200, timeout or fails`},
		{[]string{"main-line", "--says", "5"}, "--says 5: the duration 5 has no unit; write 5s for seconds"},
		{[]string{"main-line", "--at", "noon"}, `--at noon: "noon" is no time; write it like 2026-07-01 12:00 America/New_York`},
	} {
		_, _, err := command(t, append([]string{"simulate", "--config-dir", "conf"}, c.args...)...)
		if usage := (*usageError)(nil); !errors.As(err, &usage) || err.Error() != c.want {
			t.Errorf("%v: %v, want %s", c.args, err, c.want)
		}
	}
}

func TestCompletionOfSimulate(t *testing.T) {
	conf(t)
	files(t, map[string]string{"conf/crm.yaml": `flow: crm
start: lookup
nodes:
  lookup: {request: {url: "https://crm.example/"}, exits: {else: bye}}
  bye: {hangup: {}}
`})
	for args, want := range map[string]string{
		"":                          "crm main-line +15550142\tmain-line :4",
		"main":                      "main-line :4",
		"main-line --answer al":     "alice=answers\talice@pbx.example alice=busy\talice@pbx.example alice=rejects\talice@pbx.example alice=rings\talice@pbx.example :6",
		"crm --request l":           "lookup=\trequest :6",
		"+15550142 --request s":     ":6",
		"main-line --to +":          "+15550142\tmain-line :4",
		"--config-dir none main-li": ":4",
		"main-line another":         ":4",
		"nowhere --request sales":   ":6",
	} {
		words := strings.Split(args, " ")
		out, _, err := command(t, append([]string{"__complete", "simulate", "--config-dir", "conf"}, words...)...)
		if got := strings.ReplaceAll(strings.TrimSpace(out), "\n", " "); err != nil || got != want {
			t.Errorf("%s: %q, want %q: %v", args, got, want, err)
		}
	}
}

// On the command line nothing has quotes: what a tag is, its definition says.
func TestTagsOfASimulationAreTyped(t *testing.T) {
	conf(t)
	files(t, map[string]string{"conf/tags.yaml": `tags:
  lead: {type: enum, values: [hot, cold], description: What we think of it}
  zip: {}
  vip: {type: boolean}
---
flow: typed
start: which
nodes:
  which: {branch: {cases: [{name: fits, if: 'tags.zip == "75001" and tags.vip and tags.lead == "hot" and tags.other == 7'}]}, exits: {fits: bye, else: which-else}}
  which-else: {hangup: {sip: 486}}
  bye: {hangup: {}}
`})
	simulate := func(lead string) (string, error) {
		out, _, err := command(t, "simulate", "typed", "--config-dir", "conf", "--tag", "zip=75001", "--tag", "vip=true", "--tag", "other=7", "--tag", lead)
		return out, err
	}
	if out, err := simulate("lead=hot"); err != nil || !strings.Contains(out, "which (branch) → fits") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := simulate("lead=warm"); err == nil || err.Error() != "--tag: tag lead is of type enum, and this is none of its 2 values; there are cold, hot" {
		t.Error(err)
	}
	out, _, err := command(t, "__complete", "simulate", "--config-dir", "conf", "typed", "--tag", "")
	if want := "lead=hot\tWhat we think of it\nlead=cold\tWhat we think of it\nvip=true\nvip=false\nzip=\n:6"; err != nil || strings.TrimSpace(out) != want {
		t.Errorf("%v\n%s", err, out)
	}
}
