package eslctl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/crash"
)

// attempt is the dial attempt that runs, or the last one.
type attempt struct {
	committed bool // somebody is being dialled, or about to be
	legs      map[string]*callee
	bridged   string        // UUID of the callee that is bridged, answered or not
	connected time.Time     // since when it is connected: bridged and answered; zero while it is not
	talked    time.Duration // how long it was connected before
	winner    string        // UUID of the callee that was connected; "": none yet
	joined    func(leg string)
}

// callee is one B leg of the attempt.
type callee struct {
	target   string
	ringing  bool
	answered time.Time  // zero: not yet
	cause    call.Cause // of its hangup
	facts    call.LegFacts
}

// stale are the variables by which an attempt tells its result. They outlive
// it, so they are unset before the next one (seen on 1.11.1).
const stale = ";originate_disposition=;originate_failed_cause=;originate_causes=;originated_legs=;DIALSTATUS=" +
	";bridge_hangup_cause=;last_bridge_hangup_cause=;last_bridge_to=;bridge_uuid=;last_bridge_role="

// ownResponse makes the response to an unanswered caller that of the cause with which it is hung up.
// Else it would be that of the callee who refused last (mod_sofia.c, sofia_on_hangup; seen on 1.11.1).
const ownResponse = ";sip_ignore_remote_cause=true"

// Bridge makes one dial attempt. What commits the call to it is one command:
// the checkpoint, no resume (so that our death does not break the bridge), the
// old results gone. A takeover that finds that checkpoint without a new result
// knows that the attempt was never begun.
func (l *Leg) Bridge(ctx context.Context, b call.Bridge, checkpoint string) (call.BridgeResult, error) {
	to, err := l.settings.dialString(b)
	if err != nil {
		return call.BridgeResult{}, err
	}
	l.begin(b)
	if err := l.prepare(ctx, b); err != nil {
		l.abort()
		return call.BridgeResult{}, err
	}
	crash.At("bridge.before")
	if err := l.set(ctx, varCheckpoint+"="+checkpoint+";socket_resume=false"+ownResponse+stale); err != nil {
		l.abort()
		return call.BridgeResult{}, err
	}
	crash.At("bridge.committed")
	var result call.BridgeResult
	if err := l.execute(ctx, "bridge", to, bridgeLimit, func(ev Event) { result = l.finish(ev) }); err != nil {
		l.abort()
		return call.BridgeResult{}, err
	}
	crash.At("bridge.done")
	return result, l.stopRecording(ctx)
}

// prepare sets what bridge takes from the caller's channel: everything that
// may hold free text. A variable that is not wanted is unset: an earlier
// attempt may have left it.
func (l *Leg) prepare(ctx context.Context, b call.Bridge) error {
	text := map[string]string{}
	if b.Ringback.Kind != call.Silence {
		text["ringback"] = strings.TrimPrefix(file(b.Ringback), "tone_stream://")
		text["transfer_ringback"] = text["ringback"]
	}
	// One of an attempt whose end no node saw.
	if err := l.stopRecording(ctx); err != nil {
		return err
	}
	vars := varRecording + "=" + b.Record
	if b.Ringback.Kind != call.Silence && l.isAnswered() {
		vars += ";instant_ringback=true" // nothing else tells an answered caller that somebody is sought
	} else {
		vars += ";instant_ringback="
	}
	switch whisper := file(b.Whisper); {
	case b.Confirm.Key != "":
		vars += ";group_confirm_key=" + b.Confirm.Key
		text["group_confirm_file"] = file(b.Confirm.Prompt)
		if b.Whisper.Kind != call.Silence {
			text["group_confirm_file"] = "file_string://" + l.settings.part(b.Whisper) + "!" + l.settings.part(b.Confirm.Prompt)
		}
	case b.Whisper.Kind != call.Silence:
		vars += ";group_confirm_key=exec"
		text["group_confirm_file"] = "playback " + whisper
	default:
		vars += ";group_confirm_key="
	}
	if b.MaxLength > 0 {
		// On the callee's channel, so that it holds without us and the caller stays.
		vars += ";bridge_pre_execute_bleg_app=sched_hangup"
		text["bridge_pre_execute_bleg_data"] = fmt.Sprintf("+%d %s", seconds(b.MaxLength), call.AllottedTimeout)
	} else {
		vars += ";bridge_pre_execute_bleg_app="
	}
	for _, name := range [...]string{"ringback", "transfer_ringback", "group_confirm_file"} {
		if _, ok := text[name]; !ok {
			vars += ";" + name + "="
		}
	}
	if err := l.set(ctx, vars); err != nil {
		return err
	}
	for name, value := range text {
		// Alone, because uuid_setvar_multi would split it.
		if _, err := l.api(ctx, "uuid_setvar", l.call.ID+" "+name+" "+value); err != nil {
			return l.gone(ctx, err)
		}
	}
	if b.Record != "" {
		l.recording = b.Record
		err := l.record(ctx, b.Record, "RECORD_BRIDGE_REQ=true")
		if fault := (*recordError)(nil); errors.As(err, &fault) {
			l.trouble("the dial is not recorded: " + fault.Error())
			return nil
		}
		return err
	}
	return nil
}

func (l *Leg) stopRecording(ctx context.Context) error {
	path := l.recording
	if path == "" {
		return nil
	}
	l.recording = ""
	return l.execute(ctx, "stop_record_session", path, shortLimit, unread)
}

func (l *Leg) begin(b call.Bridge) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempt = attempt{committed: true, legs: make(map[string]*callee, len(b.Legs)), joined: b.Joined}
	for _, leg := range b.Legs {
		l.attempt.legs[leg.UUID] = &callee{target: leg.Target}
	}
}

// abort forgets an attempt that was not made.
func (l *Leg) abort() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempt.committed = false
}

// finish reads the result of the attempt from the event that completes it. It
// needs the lock.
func (l *Leg) finish(ev Event) call.BridgeResult {
	result, begun := bridgeResult(ev)
	if !begun { // FreeSWITCH refused the dial string before it originated anything
		result = call.BridgeResult{Outcome: call.Undone, Cause: "PROTOCOL_ERROR"}
	}
	result.Connected = l.attempt.talked
	if at := l.attempt.connected; !at.IsZero() {
		result.Connected += time.Since(at)
	}
	l.attempt.committed = false
	for i := range result.Legs {
		if b := l.attempt.legs[result.Legs[i].UUID]; b != nil {
			result.Legs[i].LegFacts = b.facts
		}
	}
	return result
}

// LastBridge returns the result of the attempt to which the call was committed
// when this connection took it over.
func (l *Leg) LastBridge() (call.BridgeResult, bool) { return l.last, l.begun }

// bridgeResult reads the result of an attempt from the caller's variables; the
// attempt was never begun when it is not there.
func bridgeResult(ev Event) (call.BridgeResult, bool) {
	disposition := ev.Var("originate_disposition")
	if disposition == "" {
		return call.BridgeResult{}, false
	}
	r := call.BridgeResult{Cause: call.Cause(disposition)}
	for _, leg := range array(ev.Var("originate_causes")) {
		if uuid, cause, ok := strings.Cut(leg, ";"); ok && cause != "NONE" {
			r.Legs = append(r.Legs, call.LegResult{UUID: uuid, Cause: call.Cause(cause)})
		}
	}
	if disposition != "SUCCESS" {
		r.Outcome = call.OutcomeOf(r.Cause)
		return r, true
	}
	r.Outcome = call.Completed
	r.Winner = ev.Var("bridge_uuid")
	// The one of the callee's hangup: absent when the caller hung up first.
	r.Cause = call.Cause(ev.Var("bridge_hangup_cause"))
	return r, true
}
