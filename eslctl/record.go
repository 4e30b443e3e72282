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

// quiet is the mean amplitude, of 32767, below which a caller is silent: what
// FreeSWITCH itself takes (switch_ivr_async.c, switch_ivr_record_session_event).
const quiet = 200

// Message records what the caller says. The silence that ends it is in the
// file, but not in the length, so that a message of nothing else has none.
//
// When the caller hangs up, which is how most messages end, the result is
// returned with the *call.HungUp.
//
// The switch finishes a message alone, whatever becomes of us, and only then
// gives the call to the next connection. There a Message of the same path records
// nothing and returns the result, until a Save behind it; any other message
// overwrites the file at its path.
func (l *Leg) Message(ctx context.Context, m call.Message) (call.MessageResult, error) {
	if found := l.found; found.ended && found.path == m.Path {
		l.found, l.messaged = recorded{}, true
		return found.result(m), nil
	}
	if err := recordable(m.Path); err != nil {
		return call.MessageResult{}, err
	}
	terminators := m.Terminators
	if terminators == "" {
		terminators = "none"
	}
	if strings.Trim(m.Terminators, "0123456789*#") != "" {
		return call.MessageResult{}, fmt.Errorf("terminators %q: digits, * and #", m.Terminators)
	}
	// record hangs up when it can not write (mod_dptools.c, record_function);
	// record_session says so, and makes the folder.
	if err := l.record(ctx, m.Path, "RECORD_READ_ONLY=true"); err != nil {
		return call.MessageResult{}, err
	}
	if err := l.execute(ctx, "stop_record_session", m.Path, shortLimit, unread); err != nil {
		return call.MessageResult{}, err
	}
	// With resume on, record would hang up when the connection is lost: it takes
	// a channel in CS_RESET for one that is gone.
	err := l.set(ctx, "socket_resume=false;record_ms=;silence_hits_exhausted=;playback_terminator_used=;"+varMessage+"="+m.Path)
	if err != nil {
		return call.MessageResult{}, err
	}
	crash.At("message.committed")
	// %[…] sets a variable for this one application (switch_core_session.c,
	// switch_core_session_exec).
	arg := fmt.Sprintf("%%[playback_terminators=%s]%s %d", terminators, m.Path, seconds(m.Max))
	if m.Silence > 0 {
		arg += fmt.Sprintf(" %d %d", quiet, seconds(m.Silence))
	}
	var result call.MessageResult
	r, err := l.start(ctx, "record", arg, func(ev Event) { result = recordedOn(ev).result(m) })
	if err != nil {
		return result, err
	}
	crash.At("message.begun")
	err = l.await(ctx, r, m.Max+shortLimit)
	if h := (*call.HungUp)(nil); errors.As(err, &h) {
		l.seen(r)
	}
	l.forget(r) // so that the result does not change any more
	if err != nil {
		return result, err
	}
	crash.At("message.done")
	l.messaged = true
	return result, l.set(ctx, "socket_resume=true")
}

// recorded is a message on the channel.
type recorded struct {
	path   string
	ended  bool // and this is how:
	length time.Duration
	key    string
	silent bool // its end was silence
}

func recordedOn(ev Event) recorded {
	ms := ev.Var("record_ms")
	return recorded{path: ev.Var(varMessage), ended: ms != "", length: milliseconds(ms),
		key: ev.Var("playback_terminator_used"), silent: ev.Var("silence_hits_exhausted") == "true"}
}

// result is what became of the message as it was asked for.
func (on recorded) result(m call.Message) call.MessageResult {
	if on.silent {
		on.length = max(on.length-m.Silence, 0)
	}
	return call.MessageResult{Length: on.length, Terminator: on.key}
}

// seen waits for the completion of an application that the hangup ended: it
// comes after the hangup.
func (l *Leg) seen(r *running) {
	timer := time.NewTimer(shortLimit)
	defer timer.Stop()
	select {
	case <-r.done:
	case <-l.ended:
	case <-timer.C:
	}
}

// Recording starts, pauses, resumes or stops the recording of the call into the
// file at path. It holds both sides, goes on through dials and takeovers, and is
// apart from the recording of a dial (call.Bridge). Started again, it goes on in
// the same file.
func (l *Leg) Recording(ctx context.Context, do call.Recording, path string) error {
	if err := recordable(path); err != nil {
		return err
	}
	switch do {
	case call.StartRecording:
		// A channel may carry RECORD_BRIDGE_REQ from elsewhere.
		err := l.record(ctx, path, "RECORD_APPEND=true,RECORD_BRIDGE_REQ=false,RECORD_PRE_BUFFER_FRAMES=1")
		crash.At("recording.begun")
		return err
	case call.PauseRecording:
		return l.execute(ctx, "record_session_mask", path, shortLimit, unread)
	case call.ResumeRecording:
		return l.execute(ctx, "record_session_unmask", path, shortLimit, unread)
	case call.StopRecording:
		return l.execute(ctx, "stop_record_session", path, shortLimit, unread)
	}
	return fmt.Errorf("recording: %q is none of start, pause, resume, stop", do)
}

// record begins to record the call with options of this recording alone.
func (l *Leg) record(ctx context.Context, path, options string) error {
	// That the file can not be written is told by nothing but a variable.
	const result = "record_completion_cause"
	if err := l.set(ctx, result+"="); err != nil {
		return err
	}
	var cause string
	err := l.execute(ctx, "record_session", path+" {"+options+"}", shortLimit, func(ev Event) { cause = ev.Var(result) })
	if err == nil && cause != "" {
		return &recordError{path, cause}
	}
	return err
}

// recordError says that nothing is recorded, in FreeSWITCH's words.
type recordError struct{ path, cause string }

func (e *recordError) Error() string { return "recording into " + e.path + ": " + e.cause }

// recordable refuses paths that the applications would cut in pieces.
func recordable(path string) error {
	if path == "" || strings.ContainsAny(path, " '\"\\,;{}[]$%") {
		return fmt.Errorf("recording into %q: a path without spaces, quotes and brackets is needed", path)
	}
	return nil
}
