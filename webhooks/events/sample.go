package events

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/store"
)

// Sample returns a message of a type, or of what a flow would tell by that name, as if it
// had happened at a moment, to a call that never was. It says of itself that it is a
// sample. Its id differs with the moment. An error says which type was meant.
func Sample(org, typ string, at time.Time) (store.Message, error) {
	first, _, _ := strings.Cut(typ, ".")
	own := slices.Contains(flowengine.OwnEvents, first)
	switch {
	case own && !slices.Contains(flowengine.EventTypes, typ):
		return store.Message{}, fmt.Errorf("there is no event %.80q; %s", typ, flowengine.Nearest(typ, flowengine.EventTypes))
	case !own && !flowengine.ValidEvent(typ):
		return store.Message{}, fmt.Errorf("%.80q cannot be the name of an event; it is lower-case words with dots between them, as in lead.qualified", typ)
	}
	if typ == EndpointDisabled {
		return sample(org, nil, disabling("crm", "every attempt failed for three days", at))
	}
	id := call.LegUUID("sample", int(at.UnixNano()), 0)
	emits := []scene{{0, start}, {4 * time.Second, call.Event{Type: call.Emitted, Step: "qualify", Attrs: map[string]string{"event": typ, "key": id + "-3", "data.score": "87"}}}}
	for _, story := range [][]scene{connected, unanswered, emits} {
		for i := range story {
			events := lay(story[:i+1], org, id, at)
			c := store.Project(events)
			c.Org = org
			told := tell(c, events[i:], everybody{})
			if i := slices.IndexFunc(told, func(t telling) bool { return t.typ == typ }); i >= 0 {
				return sample(org, callOf(c, everybody{}), told[i])
			}
		}
	}
	return store.Message{}, fmt.Errorf("there is no sample of %q", typ)
}

func sample(org string, about *Call, t telling) (store.Message, error) {
	b := t.body(org, about)
	b.Data.Sample = true
	return b.message(org)
}

// everybody is an organization in which everybody may know everything.
type everybody struct{ Organization }

func (everybody) Tag(_, value string) (any, bool) { return value, true }

// scene is an event of a story, so long after its beginning.
type scene struct {
	after time.Duration
	call.Event
}

// lay makes of scenes the events of a call, of which the last happens at a moment.
func lay(story []scene, org, id string, at time.Time) (events []call.Event) {
	began := at.Add(-story[len(story)-1].after)
	for i, s := range story {
		e := s.Event
		e.Call, e.Org, e.Node, e.Epoch, e.Seq, e.Time = id, org, "n1", 1, i+1, began.Add(s.after)
		events = append(events, e)
	}
	return events
}

const (
	busyLeg = "5c0b5e3a-8f0e-8a51-9a55-b1f1a2d2c001"
	deskLeg = "5c0b5e3a-8f0e-8a51-9a55-b1f1a2d2c002"
)

var start = call.Event{Type: call.Started, Attrs: map[string]string{"from": "+13105550111", "to": "+15550110", "name": "Ada Example",
	"campaign": "roofing", "publisher": "google", "mode": "routing_plan", "plan": "roofing", "flow": "plan.roofing", "version": "1f4e2c",
	"conversion": "30000", "payout": "25.00 USD after 30000"}}

// connected is the story of a call that a target takes.
var connected = []scene{
	{0, start},
	{100 * time.Millisecond, call.Event{Type: call.Tagged, Attrs: map[string]string{"tag": "state", "value": "TX", "source": "webhook:leads"}}},
	{200 * time.Millisecond, call.Event{Type: call.TargetDialed, Step: "plan", Target: "roofco", Leg: busyLeg, Attrs: map[string]string{"attempt": "1", "address": "+15550142 via carrier"}}},
	{900 * time.Millisecond, call.Event{Type: call.TargetFailed, Step: "plan", Target: "roofco", Leg: busyLeg, Cause: call.UserBusy}},
	{time.Second, call.Event{Type: call.TargetDialed, Step: "plan", Target: "desk", Leg: deskLeg, Attrs: map[string]string{"attempt": "2", "address": "desk@pbx.example", "recording": "/recordings/talk.wav"}}},
	{7 * time.Second, call.Event{Type: call.Answered}},
	{7 * time.Second, call.Event{Type: call.Connected, Target: "desk", Leg: deskLeg}},
	{12 * time.Second, call.Event{Type: call.Marked, Target: "desk", Leg: deskLeg, Millis: 5_000}},
	{22 * time.Second, call.Event{Type: call.Marked, Target: "desk", Leg: deskLeg, Millis: 15_000}},
	{37 * time.Second, call.Event{Type: call.Marked, Target: "desk", Leg: deskLeg, Millis: 30_000}},
	{52 * time.Second, call.Event{Type: call.Marked, Target: "desk", Leg: deskLeg, Millis: 45_000}},
	{67 * time.Second, call.Event{Type: call.Marked, Target: "desk", Leg: deskLeg, Millis: 60_000}},
	{71 * time.Second, call.Event{Type: call.Released, Target: "desk", Leg: deskLeg, Cause: call.NormalClearing, Millis: 64_000}},
	{71 * time.Second, call.Event{Type: call.Ended, Cause: call.NormalClearing, Attrs: map[string]string{"billed": "64000", "duration": "71000", "by": "caller"}}},
}

// unanswered is the story of a call that nobody takes.
var unanswered = []scene{
	{0, call.Event{Type: call.Started, Attrs: map[string]string{"from": "+13105550111", "to": "+15550100", "flow": "main-line", "version": "9b07d1"}}},
	{2 * time.Second, call.Event{Type: call.FlowError, Step: "lookup", Kind: "request", Why: "crm.example answered 500"}},
	{24 * time.Second, call.Event{Type: call.Voicemail, Step: "message", Millis: 12_400, Attrs: map[string]string{"path": "/recordings/message.wav", "box": "sales"}}},
	{25 * time.Second, call.Event{Type: call.Failed, Step: "people", Why: "nobody took the call"}},
}
