package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/store"
)

// endpoint is somebody who hears some types.
type endpoint struct {
	name  string
	types []string // nil: all
	wants func(v *flowengine.EventVariables) (bool, error)
}

func (e endpoint) Name() string { return e.name }
func (e endpoint) Wants(about func() (*flowengine.EventVariables, error)) (bool, error) {
	if e.wants == nil {
		return true, nil
	}
	v, err := about()
	if err != nil {
		return false, err
	}
	return e.wants(v)
}

// organization has endpoints; tags that begin with "own" are not public, and those called
// rooms are numbers.
type organization []endpoint

func (o organization) Hearing(typ string) (out []Endpoint) {
	for _, e := range o {
		if e.types == nil || slices.Contains(e.types, typ) {
			out = append(out, e)
		}
	}
	return out
}
func (o organization) Tag(name, value string) (any, bool) {
	if name == "rooms" {
		return len(value), true
	}
	return value, !strings.HasPrefix(name, "own")
}

// publisher is that of an organization acme, and fails the test where something is told.
func publisher(t testing.TB, o organization) *Publisher {
	return &Publisher{
		Organization: func(name string) Organization {
			if name != "acme" || o == nil {
				return nil
			}
			return o
		},
		Problem: func(org, endpoint string, err error) { t.Errorf("%s %s: %v", org, endpoint, err) },
	}
}

// hears is an organization with an endpoint that hears of everything, or of some types.
func hears(types ...string) organization { return organization{{name: "crm", types: types}} }

const callID = "7c1f0c52-1111-4222-8333-444455556666"

// record makes the record of a call as a store has it.
func record(events []call.Event) *store.Call {
	c := store.Project(slices.Clone(events))
	c.Org = "acme"
	return c
}

// told says what messages tell, as "TYPE at OFFSET".
func told(messages []store.Message, began time.Time) (out []string) {
	for _, m := range messages {
		out = append(out, fmt.Sprint(m.Type, " ", m.Time.Sub(began)))
	}
	return out
}

func laid(story []scene) []call.Event {
	return lay(story, "acme", callID, sampled.Add(story[len(story)-1].after))
}

// A call is told of in its order, and every message is as documented.
func TestCallIsTold(t *testing.T) {
	events := laid(connected)
	messages := publisher(t, hears()).Publish(record(events), events)
	want := []string{"call.started 0s", "call.tags_updated 100ms", "target.dialed 200ms", "target.failed 900ms", "target.dialed 1s", "call.answered 7s", "call.connected 7s",
		"call.mark_5s 12s", "call.mark_15s 22s", "call.mark_30s 37s", "call.mark_45s 52s", "call.mark_60s 1m7s", "call.recorded 1m11s",
		"call.ended 1m11s", "call.revenue_updated 1m11s", "call.converted 1m11s", "call.completed 1m11s"}
	if got := told(messages, sampled); !slices.Equal(got, want) {
		t.Errorf("told\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	check, last := conform(t), int64(0)
	for _, m := range messages {
		check(m)
		if place := sequenceOf(t, m); place <= last {
			t.Errorf("%s has sequence %d after %d", m.Type, place, last)
		} else {
			last = place
		}
		if v, err := Variables(m); err != nil || m.Org != "acme" || m.Call != callID || !slices.Equal(m.To, []string{"crm"}) || v.Event.ID != m.ID {
			t.Errorf("%+v %v", m, err)
		}
	}
}

func sequenceOf(t *testing.T, m store.Message) int64 {
	t.Helper()
	var b Body
	if err := json.Unmarshal(m.Body, &b); err != nil {
		t.Fatal(err)
	}
	return b.Data.Sequence
}

// A flow that writes a tag again after a takeover tells nothing new, and neither does an
// input that changed nothing.
func TestWhatIsWrittenAgainIsToldOnce(t *testing.T) {
	write := func(epoch int, attrs map[string]string) call.Event {
		attrs["tag"], attrs["value"] = "state", "TX"
		return call.Event{Org: "acme", Call: callID, Type: call.Tagged, Step: "mark", Node: "n1", Epoch: epoch, Seq: 9, Time: sampled.Add(time.Duration(epoch) * time.Minute), Attrs: attrs}
	}
	events := append(laid(connected[:1]), write(1, map[string]string{"key": "k-3"}), write(2, map[string]string{"key": "k-3"}), write(3, map[string]string{"key": "k-5"}),
		write(4, map[string]string{"input": "i", "unchanged": "true"}))
	ids := map[string]bool{}
	for _, m := range publisher(t, hears(TagsUpdated)).Publish(record(events), events) {
		ids[m.ID] = true
	}
	if len(ids) != 2 {
		t.Errorf("two writes were told under %d ids", len(ids))
	}
}

// What a rule says of an amount is not told after what somebody has set since.
func TestRuleIsNotToldBehindWhatReplacedIt(t *testing.T) {
	ruled := record(laid(connected)).Ledger[0]
	events := append(laid(connected), call.Event{Org: "acme", Call: callID, Type: call.Money, Epoch: store.AfterEpoch, Seq: 1, Time: sampled.Add(time.Hour),
		Attrs: map[string]string{"kind": string(ruled.Kind), "amount": "50", "currency": "USD", "source": "api", "input": "i"}})
	c := record(events)
	if got := told(publisher(t, hears(RevenueUpdated)).Publish(c, nil), sampled); len(got) != 0 {
		t.Errorf("told %q", got)
	}
	if got := told(publisher(t, hears(RevenueUpdated)).Publish(c, events[len(events)-1:]), sampled); len(got) != 1 {
		t.Errorf("told %q of what was set", got)
	}
}

// stories are calls of which something is not told in time.
var stories = map[string][]scene{
	"connected":  connected,
	"unanswered": append(slices.Clone(unanswered), scene{30 * time.Second, call.Event{Type: call.Ended, Cause: call.NormalClearing}}),
	"nobody saw the connection": {
		{0, start},
		{time.Second, call.Event{Type: call.TargetDialed, Target: "desk", Leg: deskLeg, Attrs: map[string]string{"attempt": "1", "recording": "/r/talk.wav"}}},
		{40 * time.Second, call.Event{Type: call.Released, Target: "desk", Leg: deskLeg, Cause: call.NormalClearing, Millis: 31_000,
			Attrs: map[string]string{"late": "true", "ended": "2026-07-01T12:00:35Z"}}},
		{41 * time.Second, call.Event{Type: call.Ended, Cause: call.NormalClearing, Attrs: map[string]string{"source": "cdr"}}},
	},
	"nobody saw the release": {
		{0, start},
		{time.Second, call.Event{Type: call.TargetDialed, Target: "desk", Leg: deskLeg, Attrs: map[string]string{"attempt": "1", "recording": "/r/talk.wav"}}},
		{4 * time.Second, call.Event{Type: call.Connected, Target: "desk", Leg: deskLeg}},
		{9 * time.Second, call.Event{Type: call.Marked, Target: "desk", Leg: deskLeg, Millis: 5000}},
		{30 * time.Second, call.Event{Type: call.Ended, Cause: call.NormalClearing, Attrs: map[string]string{"source": "cdr", "ended": "2026-07-01T12:00:20Z"}}},
	},
	"recordings": {
		{0, start},
		{1 * time.Second, call.Event{Type: call.Recordings, Attrs: map[string]string{"do": "start", "path": "/r/call-1.wav"}}},
		{2 * time.Second, call.Event{Type: call.Recordings, Attrs: map[string]string{"do": "pause", "path": "/r/call-1.wav"}}},
		{3 * time.Second, call.Event{Type: call.Recordings, Attrs: map[string]string{"do": "stop", "path": "/r/call-1.wav"}}},
		{4 * time.Second, call.Event{Type: call.Recordings, Attrs: map[string]string{"do": "start", "path": "/r/call-2.wav"}}},
		{5 * time.Second, call.Event{Type: call.TargetDialed, Target: "desk", Leg: deskLeg, Attrs: map[string]string{"attempt": "1", "recording": "/r/talk.wav"}}},
		{6 * time.Second, call.Event{Type: call.TargetFailed, Target: "desk", Leg: deskLeg, Cause: call.UserBusy}},
		{7 * time.Second, call.Event{Type: call.Ended, Cause: call.NormalClearing}},
	},
}

// What nobody told in time is told when it is known, with the time at which it was.
func TestMissedIsTold(t *testing.T) {
	for name, want := range map[string][]string{
		"nobody saw the connection": {"call.connected 4s", "call.mark_5s 9s", "call.mark_15s 19s", "call.mark_30s 34s", "call.recorded 35s"},
		"nobody saw the release":    {"call.connected 4s", "call.mark_5s 9s", "call.mark_15s 19s", "call.recorded 20s"},
		"recordings":                {"call.recorded 3s", "call.recorded 7s"},
	} {
		t.Run(name, func(t *testing.T) {
			events := laid(stories[name])
			messages := publisher(t, hears()).Publish(record(events), events)
			for i := range messages[1:] {
				if sequenceOf(t, messages[i+1]) <= sequenceOf(t, messages[i]) {
					t.Errorf("%s is not behind %s", messages[i+1].Type, messages[i].Type)
				}
			}
			types := []string{CallConnected, CallRecorded}
			for _, d := range call.Marks {
				types = append(types, markType(d))
			}
			if got := told(publisher(t, hears(types...)).Publish(record(events), events), sampled); !slices.Equal(got, want) {
				t.Errorf("told %q, not %q", got, want)
			}
		})
	}
}

// However the events of a call come, the same is told of it, in the same order: all at
// once, one by one, or the last ones first, from the disk of another server.
func TestSameIsToldHoweverItComes(t *testing.T) {
	p := publisher(t, hears())
	check := conform(t)
	for name, story := range stories {
		events := laid(story)
		want := map[string]store.Message{}
		for _, m := range p.Publish(record(events), events) {
			check(m)
			want[m.ID] = m
		}
		for cut := range events {
			for way, parts := range map[string][2][]call.Event{"in order": {events[:cut], events[cut:]}, "late": {events[cut:], events[:cut]}} {
				got := map[string]store.Message{}
				var have []call.Event
				for _, news := range parts {
					have = append(have, news...)
					for _, m := range p.Publish(record(have), news) {
						if _, again := got[m.ID]; !again {
							got[m.ID] = m
						}
					}
				}
				for id, m := range want {
					if g, ok := got[id]; !ok || g.Type != m.Type || !g.Time.Equal(m.Time) || placeIn(t, g) != placeIn(t, m) && way == "in order" {
						t.Errorf("%s, %s, cut at %d: %s is %s", name, way, cut, m.Body, g.Body)
					}
				}
				for id, m := range got {
					if _, ok := want[id]; !ok {
						t.Errorf("%s, %s, cut at %d: %s is told as well", name, way, cut, m.Body)
					}
				}
			}
		}
	}
}

func placeIn(t *testing.T, m store.Message) any {
	t.Helper()
	v, err := Variables(m)
	if err != nil {
		t.Fatal(err)
	}
	return v.Event.Data["sequence"]
}

// A call of which a server has still to tell is complete later, perhaps after it was
// given up as incomplete; of each of the two it is told once.
func TestCompletionIsTold(t *testing.T) {
	events := laid(connected)
	p := publisher(t, hears(CallCompleted, CallEnded, CallConverted))
	var ids []string
	publish := func(state store.State, news []call.Event, want ...string) {
		t.Helper()
		c := record(events)
		c.State = state
		var got []string
		for _, m := range p.Publish(c, news) {
			got, ids = append(got, m.Type), append(ids, m.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: told %q, not %q", state, got, want)
		}
	}
	publish(store.Settling, events, CallEnded)
	publish(store.Incomplete, nil, CallConverted, CallCompleted)
	publish(store.Complete, nil, CallConverted, CallCompleted)
	slices.Sort(ids)
	if len(slices.Compact(ids)) != 4 {
		t.Errorf("ids %q", ids)
	}
}

// What happens to a call after it is told, and not once more that it is complete. What an
// input led to has one id, although a live call and the store told of it.
func TestWhatHappensAfterwardsIsTold(t *testing.T) {
	events := laid(connected)
	p := publisher(t, hears())
	inputs := []call.Event{
		{Type: call.Tagged, Attrs: map[string]string{"tag": "rooms", "value": "two", "replaced": "one", "source": "webhook:leads", "input": "i1"}},
		{Type: call.Tagged, Attrs: map[string]string{"tag": "state", "replaced": "TX", "removed": "true", "source": "api", "input": "i1"}},
		{Type: call.Money, Attrs: map[string]string{"kind": "revenue", "amount": "40.5", "currency": "USD", "source": "webhook:leads", "reason": "sold", "replaced": "25.00 USD", "input": "i1"}},
		{Type: call.Converted, Attrs: map[string]string{"converted": "false", "source": "api", "input": "i1"}},
	}
	for i := range inputs {
		inputs[i].Call, inputs[i].Org, inputs[i].Epoch, inputs[i].Seq, inputs[i].Time = callID, "acme", store.AfterEpoch, i+1, sampled.Add(time.Hour)
	}
	messages := p.Publish(record(append(events, inputs...)), inputs)
	check := conform(t)
	want := []string{`{"tag":"rooms","value":3,"previous":3,"source":"webhook:leads"}`, `{"tag":"state","value":null,"previous":"TX","source":"api"}`,
		`{"kind":"revenue","sum":{"amount":"40.50","currency":"USD"},"previous":{"amount":"25.00","currency":"USD"},"source":"webhook:leads","reason":"sold"}`,
		`{"converted":false,"source":"api"}`}
	if len(messages) != len(want) {
		t.Fatalf("told %q", told(messages, sampled))
	}
	for i, m := range messages {
		check(m)
		if !strings.HasSuffix(string(m.Body), `"event":`+want[i]+`}}`) {
			t.Errorf("%s lacks %s", m.Body, want[i])
		}
	}
	live := inputs[0]
	live.Epoch, live.Seq, live.Node, live.Time = 1, 30, "n2", sampled
	again := publisher(t, hears(TagsUpdated)).Publish(record(append(events, live)), []call.Event{live})
	if len(again) != 1 || again[0].ID != messages[0].ID {
		t.Errorf("an input has the messages %s and %+v", messages[0].ID, again)
	}
}

// The values of tags that are not public are in no message, and their changes are not
// told.
func TestTagsThatAreNotPublicStayInside(t *testing.T) {
	events := laid([]scene{{0, start},
		{1 * time.Second, call.Event{Type: call.Tagged, Attrs: map[string]string{"tag": "own_income", "value": "canary-1"}}},
		{2 * time.Second, call.Event{Type: call.Tagged, Attrs: map[string]string{"tag": "own_income", "value": "canary-2", "replaced": "canary-1"}}},
		{3 * time.Second, call.Event{Type: call.Tagged, Attrs: map[string]string{"tag": "own_income", "removed": "true"}}},
		{4 * time.Second, call.Event{Type: call.Tagged, Attrs: map[string]string{"tag": "state", "value": "TX"}}},
		{5 * time.Second, call.Event{Type: call.Ended, Cause: call.NormalClearing}}})
	messages := publisher(t, hears()).Publish(record(events), events)
	if got, want := told(messages, sampled), []string{"call.started 0s", "call.tags_updated 4s", "call.ended 5s", "call.completed 5s"}; !slices.Equal(got, want) {
		t.Errorf("told %q, not %q", got, want)
	}
	for _, m := range messages {
		if strings.Contains(string(m.Body), "canary") || strings.Contains(string(m.Body), "own_income") {
			t.Errorf("%s", m.Body)
		}
	}
}

// A flow's own events have its names and data; a takeover that tells one again gives it
// the id that it had.
func TestFlowsTellOfTheirOwn(t *testing.T) {
	emitted := call.Event{Type: call.Emitted, Step: "qualify", Attrs: map[string]string{"event": "lead.qualified", "key": "k-3", "data.score": "87"}}
	events := laid([]scene{{0, start}, {time.Second, emitted}, {2 * time.Second, emitted}})
	messages := publisher(t, hears("lead.qualified")).Publish(record(events), events)
	if len(messages) != 2 || messages[0].ID != messages[1].ID || !strings.Contains(string(messages[0].Body), `"event":{"key":"k-3","step":"qualify","data":{"score":"87"}}`) {
		t.Errorf("told %+v", messages)
	}
	conform(t)(messages[0])
}

// Endpoints are told what they hear of and their filters let through. A filter that fails
// is told aloud, and holds nothing up for the others.
func TestEndpointsAreToldWhatTheyWant(t *testing.T) {
	texan := func(v *flowengine.EventVariables) (bool, error) {
		return v.Tags["state"] == "TX" && v.Number == "+15550110" && v.Campaign["publisher"] == "google", nil
	}
	broken := func(v *flowengine.EventVariables) (bool, error) { return false, errors.New("no such index") }
	p := publisher(t, organization{
		{"all", nil, nil}, {"texan", nil, texan}, {"ends", []string{CallEnded}, nil}, {"broken", []string{CallEnded}, broken}})
	var problems []string
	p.Problem = func(org, endpoint string, err error) { problems = append(problems, org+" "+endpoint+": "+err.Error()) }
	events := laid(connected)
	to := map[string][]string{}
	for i := range events {
		for _, m := range p.Publish(record(events[:i+1]), events[i:i+1]) {
			to[m.Type] = m.To
		}
	}
	for typ, want := range map[string][]string{CallStarted: {"all"}, CallConnected: {"all", "texan"}, CallEnded: {"all", "texan", "ends"}} {
		if !slices.Equal(to[typ], want) {
			t.Errorf("%s is told to %q, not %q", typ, to[typ], want)
		}
	}
	if want := []string{"acme broken: filter, at call.ended: no such index"}; !slices.Equal(problems, want) {
		t.Errorf("problems %q, not %q", problems, want)
	}
}

// Nothing is made where nobody hears of it.
func TestNobodyHears(t *testing.T) {
	events := laid(connected)
	for name, p := range map[string]*Publisher{"no endpoint": publisher(t, nil), "another type": publisher(t, hears("lead.qualified"))} {
		if messages := p.Publish(record(events), events); len(messages) > 0 {
			t.Errorf("%s: told %q", name, told(messages, sampled))
		}
	}
	c := record(events)
	if c.Org = "nobody's"; len(publisher(t, hears()).Publish(c, events)) > 0 {
		t.Error("an organization that is not there is told of")
	}
}

// A panic is told aloud and costs the messages alone.
func TestPanicIsTold(t *testing.T) {
	p := publisher(t, organization{{"crm", []string{CallStarted}, nil}, {"broken", []string{CallEnded}, func(*flowengine.EventVariables) (bool, error) { panic("oh") }}})
	var problem string
	p.Problem = func(org, endpoint string, err error) { problem = org + endpoint + " " + err.Error() }
	events := laid(connected)
	if got := told(p.Publish(record(events), events), sampled); !slices.Equal(got, []string{"call.started 0s"}) || !strings.Contains(problem, "panic: oh") {
		t.Errorf("told %q; %s", got, problem)
	}
}

// The other endpoints are told of one that was disabled.
func TestDisabledEndpointIsToldOf(t *testing.T) {
	p := publisher(t, organization{{name: "crm"}, {name: "ops", types: []string{EndpointDisabled}}, {name: "other", types: []string{CallEnded}}})
	m, _ := p.Disabled("acme", "crm", "410 Gone", sampled)
	if !slices.Equal(m.To, []string{"ops"}) || m.Call != "" {
		t.Errorf("%+v", m)
	}
	conform(t)(m)
	for endpoint, want := range map[string][]string{"ops": {"crm"}, "other": {"crm", "ops"}} {
		if m, ok := p.Disabled("acme", endpoint, "410 Gone", sampled); !ok || !slices.Equal(m.To, want) {
			t.Errorf("of %s are told %q, not %q", endpoint, m.To, want)
		}
	}
	if m, ok := p.Disabled("nobody's", "ops", "410 Gone", sampled); ok {
		t.Errorf("%+v", m)
	}
}

// The configuration knows the types that there are.
func TestTypesAreThoseOfTheConfiguration(t *testing.T) {
	var names []string
	for _, typ := range Types() {
		names = append(names, typ.Name)
	}
	if want := slices.Sorted(slices.Values(flowengine.EventTypes)); !slices.Equal(slices.Sorted(slices.Values(names)), want) {
		t.Errorf("types %q, in the configuration %q", names, want)
	}
}

// Templates see the event, and the call as flows see it.
func TestVariables(t *testing.T) {
	m, err := Sample("acme", markType(call.Marks[0]), sampled)
	if err != nil {
		t.Fatal(err)
	}
	v, err := Variables(m)
	if err != nil {
		t.Fatal(err)
	}
	event, _ := v.Event.Data["event"].(map[string]any)
	if v.Event.Type != "call.mark_5s" || v.Event.ID != m.ID || !v.Event.Time.Equal(sampled) || !v.Now.Equal(sampled) || event["seconds"] != 5 || v.Event.Data["version"] != "1" {
		t.Errorf("event %+v now %s", v.Event, v.Now)
	}
	if v.Call.ID != m.Call || v.Caller.Number != "+13105550111" || v.Caller.Name != "Ada Example" || v.Number != "+15550110" || v.Tags["state"] != "TX" {
		t.Errorf("%+v", v.Variables)
	}
	if want := map[string]string{"name": "roofing", "mode": "routing_plan", "plan": "roofing", "publisher": "google", "organization": "acme"}; !maps.Equal(v.Campaign, want) {
		t.Errorf("campaign %q, not %q", v.Campaign, want)
	}
	for _, typ := range []string{EndpointDisabled, CallFailed} { // of no call, of no campaign
		m, err := Sample("acme", typ, sampled)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := Variables(m); err != nil || v.Tags == nil || v.Campaign == nil || len(v.Campaign) > 0 {
			t.Errorf("%s: %+v, %v", typ, v, err)
		}
	}
	if _, err := Variables(store.Message{ID: "msg_1", Body: []byte("no JSON")}); err == nil {
		t.Error("a body that is no JSON has variables")
	}
}
