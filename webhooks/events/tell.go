package events

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// teller finds what is to be told of a call.
type teller struct {
	call *store.Call
	org  Organization
	told []telling
}

// tell returns what is to be told of a call because of some new events, and because of
// what its record says by now, in the order of the call. Some of it may have been told
// before.
func tell(c *store.Call, news []call.Event, org Organization) []telling {
	t := &teller{call: c, org: org}
	afterwards := len(news) > 0 // nothing is new but what happened to the call after it
	for i := range news {
		t.event(&news[i])
		afterwards = afterwards && news[i].Epoch >= store.AfterEpoch
	}
	for i := range c.Events {
		if e := &c.Events[i]; e.Type == call.Released && slices.ContainsFunc(news, func(n call.Event) bool { return !placeOf(e, 0).before(placeOf(&n, 0)) }) {
			t.released(e)
		}
	}
	if !afterwards {
		t.conclude()
	}
	slices.SortStableFunc(t.told, func(a, b telling) int { return a.place.compare(b.place) })
	return t.told
}

// event tells what a new event says.
func (t *teller) event(e *call.Event) {
	switch e.Type {
	case call.Started:
		t.once(e, CallStarted, Started{Override: e.Attrs["override"], Late: e.Attrs["late"] == "true"})
	case call.Answered:
		t.once(e, CallAnswered, Answered{})
	case call.TargetDialed:
		attempt, _ := strconv.Atoi(e.Attrs["attempt"])
		t.of(e, e.Leg, TargetDialed, Dialed{e.Leg, e.Target, attempt, e.Attrs["address"], e.Step})
	case call.TargetFailed:
		t.of(e, e.Leg, TargetFailed, NotConnected{e.Leg, e.Target, e.Cause, t.leg(e.Leg).Step})
	case call.Connected:
		t.joined(placeOf(e, itself), e.Time, e.Leg, e.Target)
	case call.Marked:
		d := time.Duration(e.Millis) * time.Millisecond
		t.mark(placeOf(e, itself), e.Time, t.leg(e.Leg), d)
	case call.Tagged:
		t.tagged(e)
	case call.Money:
		t.money(e)
	case call.Converted:
		t.converted(e)
	case call.Voicemail:
		t.of(e, e.Attrs["path"], CallVoicemail, Voicemail{e.Attrs["path"], e.Attrs["box"], seconds(e.Millis), e.Step})
	case call.Recordings:
		if e.Attrs["do"] == string(call.StopRecording) {
			t.recorded(placeOf(e, itself), e.Time, Recording{Path: e.Attrs["path"], Of: "call"})
		}
	case call.FlowError:
		t.of(e, identity(e), FlowError, Fault{e.Step, e.Kind, e.Why})
	case call.Failed:
		t.once(e, CallFailed, Failure{e.Step, e.Why})
	case call.Emitted:
		t.emitted(e)
	case call.Ended:
		source := e.Attrs["source"]
		t.once(e, CallEnded, End{e.Cause, e.Cause.Q850(), e.Attrs["by"], source == "cdr" || source == "reconciliation"})
	}
}

// of tells what an event says; key tells it apart from what else is told of the call in
// this type.
func (t *teller) of(e *call.Event, key, typ string, event any) {
	t.told = append(t.told, telling{typ + " " + key, typ, happened(e), placeOf(e, itself), event})
}

// once is of for what happens to a call only once, whoever tells of it.
func (t *teller) once(e *call.Event, typ string, event any) { t.of(e, "", typ, event) }

// happened is when it was: of an end that nobody saw, what the switch says.
func happened(e *call.Event) time.Time {
	if at, err := time.Parse(time.RFC3339, e.Attrs["ended"]); err == nil {
		return at
	}
	return e.Time
}

// identity names what has no name of its own: by the input that led to it, or the passing
// of the call through a node, which may be told of twice; else by the place of the event.
func identity(e *call.Event) string {
	switch input, key := e.Attrs["input"], e.Attrs["key"]; {
	case input != "":
		return "input " + input + " " + e.Attrs["tag"] + e.Attrs["kind"]
	case key != "":
		return "key " + key + " " + e.Attrs["tag"] + " " + e.Attrs["value"]
	}
	return fmt.Sprintf("%d.%d.%s.%d", e.Epoch, e.Seq, e.Node, e.Time.UnixNano())
}

// leg returns the record of a leg.
func (t *teller) leg(uuid string) *store.Leg {
	if i := slices.IndexFunc(t.call.Legs, func(l store.Leg) bool { return l.UUID == uuid }); i >= 0 {
		return &t.call.Legs[i]
	}
	return &store.Leg{UUID: uuid}
}

// tagged tells of a tag, if it is anybody's business.
func (t *teller) tagged(e *call.Event) {
	name := e.Attrs["tag"]
	value, public := t.org.Tag(name, e.Attrs["value"])
	if !public || e.Attrs["unchanged"] == "true" {
		return
	}
	if e.Attrs["removed"] == "true" {
		value = nil
	}
	u := TagUpdate{Tag: name, Value: value, Source: e.Attrs["source"], Step: e.Step}
	if old, replaced := e.Attrs["replaced"]; replaced {
		u.Previous, _ = t.org.Tag(name, old)
	}
	t.of(e, identity(e), TagsUpdated, u)
}

func (t *teller) emitted(e *call.Event) {
	name := e.Attrs["event"]
	data := map[string]string{}
	for k, v := range e.Attrs {
		if field, ok := strings.CutPrefix(k, "data."); ok {
			data[field] = v
		}
	}
	t.of(e, e.Attrs["key"], name, Custom{e.Attrs["key"], e.Step, data})
}

func seconds(millis int64) float64 { return float64(millis) / 1000 }
