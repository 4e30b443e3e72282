package events

import (
	"maps"
	"slices"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// joined tells that a target was connected.
func (t *teller) joined(at place, when time.Time, leg, target string) {
	t.told = append(t.told, telling{CallConnected + " " + leg, CallConnected, when, at, Connected{leg, target}})
}

// mark tells that a connection lasts for some time already.
func (t *teller) mark(at place, when time.Time, l *store.Leg, lasts time.Duration) {
	typ := markType(lasts)
	t.told = append(t.told, telling{typ + " " + l.UUID, typ, when, at, Mark{l.UUID, l.Target, int(lasts.Seconds())}})
}

// recorded tells that a recording is finished.
func (t *teller) recorded(at place, when time.Time, r Recording) {
	t.told = append(t.told, telling{CallRecorded + " " + r.Path, CallRecorded, when, at, r})
}

// released tells of a connection that ended what nobody has told in time, and of its
// recording. It needs all that came before, and so is asked again when something of that
// comes late.
func (t *teller) released(e *call.Event) {
	l := t.leg(e.Leg)
	lasted := time.Duration(e.Millis) * time.Millisecond
	if l.Connected != nil && e.Attrs["late"] == "true" {
		lasted = happened(e).Sub(*l.Connected)
	}
	t.missed(e, l, lasted, func() place { return placeOf(e, itself) })
}

// cut tells of connections and recordings that nobody saw end: they lasted until the call
// ended, each recording with a place of its own behind that.
func (t *teller) cut(end *call.Event) {
	part := itself
	next := func() place {
		part = min(part+1, conclusion-1)
		return placeOf(end, part)
	}
	released, tapes := map[string]bool{}, map[string]bool{}
	for i := range t.call.Events {
		switch e := &t.call.Events[i]; {
		case e.Type == call.Released:
			released[e.Leg] = true
		case e.Type == call.Recordings && e.Attrs["do"] == string(call.StopRecording):
			delete(tapes, e.Attrs["path"])
		case e.Type == call.Recordings:
			tapes[e.Attrs["path"]] = true
		}
	}
	for i := range t.call.Legs {
		if l := &t.call.Legs[i]; l.Leg == "B" && l.Connected != nil && !released[l.UUID] {
			t.missed(end, l, happened(end).Sub(*l.Connected), next)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(tapes)) {
		t.recorded(next(), happened(end), Recording{Path: path, Of: "call"})
	}
}

// missed tells that a target was connected, and for how long, where no event does, and of
// the recording that ended with the connection, in its place.
func (t *teller) missed(end *call.Event, l *store.Leg, lasted time.Duration, recorded func() place) {
	if l.Connected == nil {
		return
	}
	told := func(typ call.Type, d time.Duration) bool {
		return slices.ContainsFunc(t.call.Events, func(e call.Event) bool { return e.Type == typ && e.Leg == l.UUID && e.Millis == d.Milliseconds() })
	}
	if !told(call.Connected, 0) {
		t.joined(placeOf(end, earlier), *l.Connected, l.UUID, l.Target)
	}
	for i, d := range call.Marks {
		if d <= lasted && !told(call.Marked, d) {
			t.mark(placeOf(end, earlier+1+i), l.Connected.Add(d), l, d)
		}
	}
	for i := range t.call.Events {
		e := &t.call.Events[i]
		if path := e.Attrs["recording"]; path != "" && e.Type == call.TargetDialed && e.Leg == l.UUID {
			t.recorded(recorded(), happened(end), Recording{path, "connection", l.UUID, l.Target})
			return
		}
	}
}
