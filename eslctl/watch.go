package eslctl

import (
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// watched are the events that a controlled call is followed by.
var watched = []string{
	"CHANNEL_PROGRESS", "CHANNEL_PROGRESS_MEDIA", "CHANNEL_ANSWER", "CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE",
	"CHANNEL_EXECUTE_COMPLETE", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE",
}

// event takes an event of either leg. It runs in the reading goroutine.
func (l *Leg) event(ev Event) {
	if string(ev.uuid) != l.call.ID {
		l.calleeEvent(ev)
		return
	}
	if l.superseded(ev) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch string(ev.name) {
	case "CHANNEL_EXECUTE_COMPLETE":
		l.completed(ev)
	case "CHANNEL_ANSWER":
		l.answered = true
		l.tell(call.Event{Type: call.Answered})
	case "CHANNEL_BRIDGE":
		l.bridged(ev.Get("Other-Leg-Unique-ID"))
	case "CHANNEL_UNBRIDGE":
		l.released("")
	case "CHANNEL_HANGUP":
		cause := call.Cause(ev.Get("Hangup-Cause"))
		l.end.Known, l.end.Cause, l.end.Checkpoint = true, cause, string(ev.checkpoint)
		l.abandoned()
		l.cancel(&call.HungUp{Cause: cause})
	case "CHANNEL_HANGUP_COMPLETE":
		l.complete(ev)
	}
}

// superseded stops everything when the channel carries the checkpoint of a later
// controller: then this connection is the old one. It stays open until the
// switch closes it with the call. What there was between the two may have been a
// transfer, and then its end would break off the successor: it clears
// CF_CONTROLLED, whosever that is (mod_event_socket.c, listener_run).
func (l *Leg) superseded(ev Event) bool {
	text := string(ev.checkpoint[:min(len(ev.checkpoint), 64)])
	if call.EpochOf(text) <= l.epoch {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.successor = strings.SplitN(text, ".", 4)[2]
	l.cancel(call.ErrLost)
	l.over()
	return true
}

// Successor returns the node that was seen to control the call after this
// connection, or "".
func (l *Leg) Successor() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.successor
}

// tell reports an event, as long as the call is ours. It needs the lock, which
// keeps the order.
func (l *Leg) tell(e call.Event) {
	if l.notify != nil && l.successor == "" {
		l.notify(e)
	}
}

// trouble reports a fault that is no reason to end a verb.
func (l *Leg) trouble(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tell(call.Event{Type: call.FlowError, Why: why})
}

func (l *Leg) calleeEvent(ev Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	uuid := string(ev.uuid)
	b := l.attempt.legs[uuid]
	if b == nil {
		return
	}
	if b.facts.SIPCallID == "" {
		b.facts.SIPCallID = ev.Var("sip_call_id")
	}
	switch string(ev.name) {
	case "CHANNEL_PROGRESS", "CHANNEL_PROGRESS_MEDIA":
		if !b.ringing {
			b.ringing = true
			l.tell(call.Event{Type: call.TargetRinging, Leg: uuid, Target: b.target, Attrs: b.facts.Attrs()})
		}
	case "CHANNEL_ANSWER":
		b.answered = time.Now()
		if l.attempt.bridged == uuid {
			l.bridged(uuid)
		}
	case "CHANNEL_HANGUP":
		b.cause = call.Cause(ev.Get("Hangup-Cause"))
		b.facts.Ended = microseconds(ev.Get("Event-Date-Timestamp"))
	case "CHANNEL_HANGUP_COMPLETE": // before the caller's CHANNEL_UNBRIDGE, if it hung up first
		b.facts.Billed = milliseconds(ev.Var("billmsec"))
	}
}

// bridged notes that the callee is bridged, which with early media comes before
// it answers; it is connected when it is both.
func (l *Leg) bridged(uuid string) {
	b := l.attempt.legs[uuid]
	if b == nil {
		return
	}
	l.attempt.bridged = uuid
	if !b.answered.IsZero() && l.attempt.connected.IsZero() {
		l.attempt.connected, l.attempt.winner = time.Now(), uuid
		l.tell(call.Event{Type: call.Connected, Leg: uuid, Target: b.target, Attrs: b.facts.Attrs()})
		if l.attempt.joined != nil && l.successor == "" {
			l.attempt.joined(uuid)
		}
	}
}

// released notes the end of a connection.
func (l *Leg) released(why string) {
	uuid, at := l.attempt.bridged, l.attempt.connected
	b := l.attempt.legs[uuid]
	if b == nil || at.IsZero() {
		return
	}
	talked := time.Since(at)
	l.attempt.bridged, l.attempt.connected = "", time.Time{}
	l.attempt.talked += talked
	cause := b.cause
	if cause == "" {
		cause = l.end.Cause
	}
	l.tell(call.Event{Type: call.Released, Leg: uuid, Target: b.target, Cause: cause, Why: why,
		Millis: talked.Milliseconds(), Attrs: b.soFar().Attrs()})
}

// soFar returns the facts of a callee that may not have ended: it is hung up just after
// the caller, and the switch says then what it bills.
func (b *callee) soFar() call.LegFacts {
	facts := b.facts
	if b.cause == "" && !b.answered.IsZero() {
		facts.Billed = time.Since(b.answered)
	}
	return facts
}

// abandoned notes that the caller hung up before the attempt was over: of those who were
// dialled nobody else tells any more.
func (l *Leg) abandoned() {
	if !l.attempt.committed {
		return
	}
	if !l.attempt.connected.IsZero() {
		l.released("caller hung up")
	}
	cause, why := call.OriginatorCancel, "the caller hung up first"
	if l.attempt.winner != "" {
		cause, why = call.LoseRace, ""
	}
	for uuid, b := range l.attempt.legs {
		failed := call.Event{Type: call.TargetFailed, Leg: uuid, Target: b.target, Cause: cause, Why: why, Attrs: b.soFar().Attrs()}
		if b.cause != "" {
			failed.Cause, failed.Why = b.cause, ""
		}
		if uuid != l.attempt.winner {
			l.tell(failed)
		}
	}
}

// complete reads what only the last event of a channel knows.
func (l *Leg) complete(ev Event) {
	l.end = endOf(ev)
	l.cancel(&call.HungUp{Cause: l.end.Cause})
	l.over()
}

// endOf reads the end of a call from its CHANNEL_HANGUP_COMPLETE, the only
// event that has the billed time (switch_core_state_machine.c,
// switch_core_session_hangup_state).
func endOf(ev Event) End {
	e := End{
		Known: true, Complete: true,
		Cause: call.Cause(ev.Get("Hangup-Cause")), Checkpoint: string(ev.checkpoint),
		Billed:   milliseconds(ev.Var("billmsec")),
		Duration: milliseconds(ev.Var("mduration")),
		By:       "switch",
		At:       microseconds(ev.Get("Event-Date-Timestamp")),
	}
	if on := recordedOn(ev); on.ended {
		e.Message, e.Spoken = on.path, on.length
	}
	e.joined(ev.Var)
	switch ev.Var("sip_hangup_disposition") {
	case "recv_bye", "recv_cancel", "recv_refuse":
		e.By = "caller"
	}
	return e
}

func milliseconds(s string) time.Duration {
	n, _ := strconv.ParseInt(s, 10, 64)
	return time.Duration(n) * time.Millisecond
}

// over notes that nothing more will be heard.
func (l *Leg) over() {
	select {
	case <-l.ended:
	default:
		close(l.ended)
	}
}

// hungUp ends the verbs for a cause that no event told.
func (l *Leg) hungUp(cause call.Cause) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.end.Known {
		l.end.Known, l.end.Cause = true, cause
		l.abandoned()
	}
	l.cancel(&call.HungUp{Cause: l.end.Cause})
}

// noticed takes a disconnect notice. The one of a lingering socket says that
// the channel is down; it may come before the events that tell so.
func (l *Leg) noticed(disposition string) {
	if disposition == "linger" {
		time.AfterFunc(time.Second, func() { l.hungUp(call.UnknownCause) })
	}
}

// disconnected ends everything when the connection has ended.
func (l *Leg) disconnected() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.end.Known {
		l.cancel(call.ErrLost)
	}
	l.over()
}

// End returns how the call ended; the result is final when the handler's leg
// has been waited for.
func (l *Leg) End() End {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}

// Ended is closed when nothing more will be heard of the call here.
func (l *Leg) Ended() <-chan struct{} { return l.ended }
